"""Greylisting waited out: real greylisters, the whole schedule, and what comes in between."""
import calendar
import os
import signal
import subprocess
import time
import urllib.parse

from harness import client, daemon, dns, hostile, mailworld, namespace, peers

TEMPFAIL = {'action "outbound".deferred': "tempfail"}
POSTGREY_PORT = 10023
POSTGREY = f"""smtpd_recipient_restrictions =
    reject_unauth_destination, check_policy_service inet:127.0.0.1:{POSTGREY_PORT}
smtpd_relay_restrictions =
"""
# As Debian's greylistd has it put into Exim's configuration. Null senders are not greylisted.
GREYLISTD = """  defer
    message = $sender_host_address is not yet authorized to deliver \\
              mail from <$sender_address> to <$local_part@$domain>. \\
              Please try later.
    !senders = :
    domains = +local_domains
    verify = recipient
    condition = ${{readsocket{{{socket}}}{{--grey $sender_host_address $sender_address \\
                 $local_part@$domain}}{{5s}}{{}}{{false}}}}
"""


def needs_root(function):
    function.needs_root = True
    return function


def policy(recipient, **attributes):
    with client.PolicyClient() as c:
        return c.ask(recipient, **attributes)


def ask(d, recipient, **parameters):
    """The JSON of one verdict."""
    query = urllib.parse.urlencode({"address": recipient, **parameters})
    return client.control_get(d.control, f"/v1/verify?{query}")[1]


def brief(verdict):
    return f"{verdict['status']}/{verdict['reason']}"


def known(d, recipient):
    """What is known without asking anybody."""
    return brief(ask(d, recipient, probe=0))


def seconds(text):
    """Since the epoch, of a time as JSON has it."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def reload(d, **changes):
    d.write_conf(**changes)
    d.kill(signal.SIGHUP)
    d.wait_notified("READY=1")


def start(w, *rules, retry="{1s, 1s, 1s}", addresses=("192.0.2.1",), settings=None, allowed=(), **options):
    """A server with these rules for example.org, and a daemon. What is stale is not told."""
    server = w.run(hostile.Server(addresses, *rules, **options))
    return server, w.daemon({**TEMPFAIL, "greylist.retry": retry, **(settings or {})}, allowed)


def none_early(w, tries, *delays):
    """Each delay counts from the try before."""
    for before, after, delay in zip(tries, tries[1:], delays):
        w.check(after.at >= before.at + delay, f"early: {after.at - before.at}, not {delay}")


class Replies:
    """Each recipient's tries are answered one after the other; the last reply stays."""

    def __init__(self, **replies):
        self.replies = {f"{k}@example.org": list(v) for k, v in replies.items()}

    def rcpt(self, _conn, recipient):
        left = self.replies.get(recipient)
        return left and (left.pop(0) if len(left) > 1 else left[0])


GREY = "451 4.7.1 Greylisted"


class Greylisting:
    """A real server that greylists for `DELAY` seconds, behind a relay that counts."""

    DELAY, RETRY = 3, "{1s, 3s, 3s}"

    def __init__(self, w, number):
        self.w = w
        self.domain = mailworld.REAL[number][0]
        peers.prepare(w.workdir)
        w.dns(*mailworld.records())
        self.tap = mailworld.tap(number)
        w._ends.append(self.tap.stop)

    def tries(self, user):
        """Their times."""
        said = f"RCPT TO:<{user}@{self.domain}>".upper()
        return [at for at, lines in list(zip(self.tap.began, self.tap.sessions))
                for line in list(lines) if line.upper() == said]

    def show(self, settings=None):
        """The first recipient learns the delay, before and after kill -9; the second goes by it."""
        w = self.w
        bob, alice, nobody = (f"{u}@{self.domain}" for u in ("bob", "alice", "nobody"))
        d = w.daemon({**TEMPFAIL, "greylist.retry": self.RETRY, **(settings or {})})
        w.matches("the first time", policy(bob), r"^450 4\.7\.1")
        w.equal("own retries", {policy(bob)[:9] for _ in range(20)}, {"450 4.7.1"})
        w.until("asked again", lambda: len(self.tries("bob")) == 2)
        d.wait_idle()
        w.problems += d.stop(signal.SIGKILL)
        d.start()
        w.until("let in", lambda: known(d, bob) == "valid/mailbox_exists")
        w.equal("answer then", policy(bob), "DUNNO")
        tries = self.tries("bob")
        late = tries[1] - tries[0] >= self.DELAY
        w.equal("tries", len(tries), 2 if late else 3)
        w.matches("another", policy(alice), r"^450 4\.7\.1")
        w.matches("an unknown one", policy(nobody), r"^(450 4\.7\.1|550 5\.1\.1)")
        w.until("let in", lambda: known(d, alice) == "valid/mailbox_exists")
        tries = self.tries("alice")
        if not late:  # else the first delay of all was enough, and is what was learned
            w.equal("tries of another", len(tries), 2)
            w.check(tries[1] - tries[0] >= self.DELAY, "not by the delay that was learned")
        w.until("not let in", lambda: known(d, nobody) == "invalid/no_mailbox")
        d.wait_idle()
        w.equal("left", d.status()["greylisted"], 0)
        w.problems += self.tap.problems()


@needs_root
def test_postgrey(w):
    """Postfix with postgrey: deferred, then valid by itself; the delay is learned; kill -9 loses nothing."""
    g = Greylisting(w, 0)
    w.start(peers.Postgrey(w.workdir, "postgrey", POSTGREY_PORT, g.DELAY))
    w.start(mailworld.postfix_mx(w.workdir, settings=POSTGREY))
    g.show()


@needs_root
def test_greylistd(w):
    """Exim with greylistd, which does so to senders that are not null."""
    g = Greylisting(w, 1)
    grey = w.start(peers.Greylistd(w.workdir, "greylistd", g.DELAY))
    w.start(mailworld.exim_mx(w.workdir, at_rcpt=GREYLISTD.format(socket=grey.socket)))
    g.show({"probe_sender": '"bob@opensmtpd.example"'})


# Rules of its own

def test_whole_schedule(w):
    """As many tries as there are delays, none early, all as the first, then cannot_verify; a reload
    of sender and name in between changes nothing."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "other.example.net. A 203.0.113.250")
    server, d = start(w, Replies(bob=[GREY]))
    first = ask(d, "bob@example.org")
    w.equal("at first", brief(first), "deferred/greylisted")
    said = seconds(first["refresh_at"])
    d.wait_idle()
    reload(d, probe_sender='"bob@example.org"', helo_name='"other.example.net"')
    server.wait("asked again", lambda: len(server.recipients) == 2)
    w.check(time.time() >= said - 1, f"asked before {first['refresh_at']}")
    w.until("the end", lambda: known(d, "bob@example.org") == "unknown/cannot_verify")
    d.wait_idle()
    w.equal("tries", len(server.recipients), 4)
    none_early(w, server.recipients, 1, 1, 1)
    w.equal("asked as", {(r.helo, r.sender, r.source) for r in server.recipients},
            {("probe.example.net", "", server.recipients[0].source)})
    w.equal("left", d.status()["greylisted"], 0)
    w.equal("then", brief(ask(d, "bob@example.org")), "unknown/cannot_verify")
    w.equal("tries then", len(server.recipients), 4)


def test_sources(w):
    """Of several source addresses each recipient has the one it began with."""
    domains = [f"d{n}.example" for n in range(8)]
    w.dns(*(line for n, domain in enumerate(domains) for line in (
        f"{domain}. MX 10 mx.{domain}.", f"mx.{domain}. A 192.0.2.{n + 1}")))
    server, d = start(w, hostile.Greylister(2.5), retry="{1s, 1s, 1s, 1s}",
                      addresses=[f"192.0.2.{n + 1}" for n in range(8)],
                      settings={"source_addresses": '{"198.51.100.1", "198.51.100.2", "198.51.100.3"}'})
    everybody = [f"{user}@{domain}" for domain in domains for user in ("bob", "alice")]
    client.ask_all(d.control, everybody, connections=8)
    w.until("let in", lambda: {known(d, r) for r in everybody} == {"valid/mailbox_exists"})
    for r in everybody:
        w.equal(f"sources of {r}", len({t.source for t in server.tries(r)}), 1)
    w.check(len(server.asked_from) > 1, f"one source for all: {server.asked_from}")


def keeps_family(w, pool):
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "mx1.example.org. AAAA 2001:db8::1")
    namespace.make_unreachable("2001:db8::1")
    server, d = start(w, hostile.Greylister(0.5), raced=True, settings={"source_addresses": pool})
    w.equal("at first", brief(ask(d, "bob@example.org")), "deferred/greylisted")
    d.wait_idle()
    w.problems += d.stop()
    namespace.deliver("2001:db8::1")
    six = w.run(hostile.Server(["2001:db8::1"], Replies(bob=[GREY]), raced=True))
    d.start()
    d.wait_log(r"schedule: 1 recipient is to be asked again$")
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    w.equal("tries", (len(server.recipients), len(six.recipients)), (2, 0))


def test_family(w):
    """Who was asked by IPv4 is asked by it again, although IPv6 works by then: the system chooses the
    source address."""
    keeps_family(w, "{}")


def test_family_of_pool(w):
    """The same with source addresses of both kinds."""
    keeps_family(w, '{"198.51.100.1", "2001:db8::99"}')


def test_live_answer(w):
    """Of a recipient who is known to exist and is greylisted when asked again, that is not told; what
    he hears in the end takes its place, if it is an answer."""
    w.dns()
    server, d = start(w, Replies(bob=["250 Ok", GREY, GREY, "250 Ok"], carl=["250 Ok", GREY]),
                      retry="{1s, 1s}", settings={"cache.valid": "{1s, 1h}"})
    for user in ("carl", "bob"):
        first = ask(d, f"{user}@example.org")
        w.until("stale", lambda at=seconds(first["refresh_at"]): time.time() > at)
        answers = set()

        def asked(user=user):
            answers.add(brief(ask(d, f"{user}@example.org")))
            return len(server.tries(f"{user}@example.org")) == 4 and d.status()["greylisted"] == 0

        w.until("all tries", asked)
        d.wait_idle()
        w.equal("answers", answers, {"valid/mailbox_exists"})
        w.equal("tries", len(server.tries(f"{user}@example.org")), 4)
        none_early(w, server.tries(f"{user}@example.org")[1:], 1, 1)


def test_unknown_then(w):
    """A greylister that lets us in and knows no such user: invalid; 252: cannot_verify."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, "550 5.1.1 User unknown"], carl=[GREY, "252 2.1.5 Perhaps"]))
    for user in ("bob", "carl"):
        w.equal(user, brief(ask(d, f"{user}@example.org")), "deferred/greylisted")
    w.until("known", lambda: known(d, "bob@example.org") == "invalid/no_mailbox")
    w.until("known", lambda: known(d, "carl@example.org") == "unknown/cannot_verify")
    w.equal("tries", len(server.recipients), 4)
    d.wait_idle()
    w.equal("left", d.status()["greylisted"], 0)


def test_what_is_no_greylisting(w):
    """A 4yz that blames the system, the network or the mailbox's size is not waited out."""
    replies = ["452 4.3.1 Out of space", "451 4.3.0 Queue file error", "450 4.4.1 No route", "451 4.4.3 DNS",
               "452 4.2.2 Mailbox full", "452 4.5.3 Too many recipients", "450 4.1.1 said: 550 unknown"]
    w.dns()
    server, d = start(w, Replies(**{f"u{n}": [r] for n, r in enumerate(replies)}))
    answers = client.ask_all(d.control, [f"u{n}@example.org" for n in range(len(replies))])
    w.check("deferred/greylisted" not in [brief(a.verdict) for a in answers], f"{answers}")
    d.wait_idle()
    w.equal("scheduled", d.status()["greylisted"], 0)
    w.check(len(server.recipients) >= len(replies), "not all of them were asked about")


def test_fresh_meanwhile(w):
    """--fresh asks at once, and the schedule stays as it was; once let in it is over."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, GREY, GREY, "250 Ok"]),
                      retry="{2s, 60s}")
    first = ask(d, "bob@example.org")
    d.wait_idle()
    again = ask(d, "bob@example.org", fresh=1)
    w.equal("fresh", brief(again), "deferred/greylisted")
    w.check(abs(seconds(again["refresh_at"]) - seconds(first["refresh_at"])) <= 1, f"{first}, {again}")
    server.wait("asked again", lambda: len(server.recipients) == 3)
    none_early(w, [server.recipients[0], server.recipients[2]], 2)
    d.wait_idle()
    w.equal("fresh, later", brief(ask(d, "bob@example.org", fresh=1)), "valid/mailbox_exists")
    d.wait_idle()
    w.equal("left", d.status()["greylisted"], 0)
    w.equal("tries", len(server.recipients), 4)


def test_fresh_at_the_same_time(w):
    """A re-probe that finds its recipient being asked about already is that try."""
    held = hostile.Reply(GREY, after=2.5)
    w.dns()
    server, d = start(w, Replies(bob=[GREY, held, "250 Ok"]), retry="{1s, 1s}")
    ask(d, "bob@example.org")
    d.wait_idle()
    w.equal("fresh", brief(ask(d, "bob@example.org", fresh=1)), "deferred/greylisted")
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    w.equal("tries", len(server.recipients), 3)
    none_early(w, server.recipients[1:], 1)


def test_learned_delay(w):
    """What a destination let us in after comes first the next time there, also after kill -9."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "other.example. MX 10 mx2.example.org.", "mx2.example.org. A 192.0.2.2")
    server, d = start(w, Replies(bob=[GREY, GREY, GREY, "250 Ok"]), hostile.Greylister(2.5),
                      retry="{1s, 1s, 1s, 1s, 1s}", addresses=["192.0.2.1", "192.0.2.2"])
    ask(d, "bob@example.org")
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    d.wait_idle()
    w.problems += d.stop(signal.SIGKILL)
    d.start()
    others = ["carl@example.org", "dora@other.example"]
    client.ask_all(d.control, others)
    for r in others:
        w.until("let in", lambda r=r: known(d, r) == "valid/mailbox_exists")
        tries = server.tries(r)
        w.equal(f"tries of {r}", len(tries), 2)
        none_early(w, tries, 3)


def test_absence_is_not_learned(w):
    """That we were away when our time came says nothing of how long the server waits."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, "250 Ok"], carl=[GREY, "250 Ok"]), retry="{1s, 60s}")
    ask(d, "bob@example.org")
    d.wait_idle()
    server.forgiving = True
    w.problems += d.stop(signal.SIGKILL)
    time.sleep(8)  # is what this is about
    d.start()
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    d.wait_idle()
    carl = ask(d, "carl@example.org")
    w.check(seconds(carl["refresh_at"]) - seconds(carl["probed_at"]) <= 4, f"learned too much: {carl}")


# What changes in between

def test_domain_goes(w):
    """A domain that is no more when its time comes is not asked about any more: invalid."""
    zone = ["example.org. 1 MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1"]
    before = dns.Nsd(w.workdir, zone)
    before.start()
    server, d = start(w, Replies(bob=[GREY]), retry="{2s, 2s}")
    w.equal("at first", brief(ask(d, "bob@example.org")), "deferred/greylisted")
    before.stop()
    w.dns("elsewhere.example. MX 10 mx1.example.org.")
    w.until("gone", lambda: known(d, "bob@example.org") == "invalid/no_domain")
    d.wait_idle()
    w.equal("left", d.status()["greylisted"], 0)
    w.equal("tries", len(server.recipients), 1)


def test_route_comes(w):
    """A domain that has become one of our own is not waited for any more."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY]), retry="{2s, 2s}")
    own = w.run(hostile.Server(["192.0.2.9"], Replies(bob=[GREY])))
    ask(d, "bob@example.org")
    reload(d, **{'route "example.org".to': '"[192.0.2.9]"'})
    w.until("over", lambda: d.status()["greylisted"] == 0)
    d.wait_idle()
    w.equal("tries", (len(server.recipients), len(own.recipients)), (1, 1))


def test_retry_emptied(w):
    """Without delays nobody is asked again, and who comes is asked about anew."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY], carl=[GREY, "250 Ok"]), retry="{2s, 2s}")
    for user in ("bob", "carl"):
        ask(d, f"{user}@example.org")
    d.wait_idle()
    reload(d, **{"greylist.retry": "{}"})
    w.until("over", lambda: d.status()["greylisted"] == 0)
    w.until("not fresh", lambda: known(d, "carl@example.org") != "deferred/greylisted")
    w.equal("by himself", brief(ask(d, "carl@example.org")), "valid/mailbox_exists")
    w.equal("tries", (len(server.tries("bob@example.org")), len(server.tries("carl@example.org"))), (1, 2))


class Blocking:
    def greeting(self, _conn, _name):
        return "554 5.7.1 Your address is on our block list"


def when_asked(d, recipient):
    return seconds(ask(d, recipient)["refresh_at"])


def test_put_off_in_backoff(w):
    """A destination that slows us down is not asked; the re-probe is put off, and made after the pause."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, "250 Ok"], slow=["421 4.7.0 Too many"]), retry="{2s}")
    first = when_asked(d, "bob@example.org")
    ask(d, "slow@example.org")
    w.until("put off", lambda: when_asked(d, "bob@example.org") >= first + 2)
    w.equal("asked meanwhile", len(server.recipients), 2)
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    w.equal("tries", len(server.tries("bob@example.org")), 2)


def test_put_off_while_refused(w):
    """A destination that refuses us is not asked; the re-probe is put off, and not lost."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "other.example. MX 10 mx1.example.org.")
    server, d = start(w, Replies(bob=[GREY]), retry="{3s}", allowed=["ALARM"])
    first = when_asked(d, "bob@example.org")
    server.rules.insert(0, Blocking())
    for user in ("carl", "dora", "emil"):
        ask(d, f"{user}@other.example", fresh=1)
    d.wait_log("ALARM")
    asked = len(server.connections)
    w.until("put off", lambda: when_asked(d, "bob@example.org") >= first + 3)
    w.equal("asked meanwhile", len(server.connections), asked)
    w.equal("not lost", d.status()["greylisted"], 1)


def test_dns_away(w):
    """Without DNS a re-probe is put off, and made when there is one again."""
    server = w.run(hostile.Server(["192.0.2.1"], Replies(bob=[GREY, "250 Ok"])))
    nsd = dns.Nsd(w.workdir, ("example.org. 1 MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1"))
    nsd.start()
    d = w.daemon({"greylist.retry": "{2s}"}, allowed=["dns:"])
    ask(d, "bob@example.org")
    nsd.stop()
    faulty = dns.FaultyDns("servfail", port=53)
    faulty.start()
    w.until("looked for", lambda: any(b"org" in question for question in faulty.asked))
    w.until("put off", lambda: d.status()["flights"] == 0)
    faulty.stop()
    nsd.start()
    w._ends.append(nsd.stop)
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    w.equal("tries", len(server.recipients), 2)


def test_killed(w):
    """Killed with a re-probe under way and one that comes due meanwhile: both are made, none lost."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, hostile.SILENCE, "250 Ok"], carl=[GREY, "250 Ok"]),
                      retry="{1s, 1s}")
    server.forgiving = True
    for user in ("bob", "carl"):
        ask(d, f"{user}@example.org", fresh=1)
        d.wait_idle()
    server.wait("asked again", lambda: len(server.tries("bob@example.org")) == 2)
    w.problems += d.stop(signal.SIGKILL)
    due = server.tries("carl@example.org")[0].at + 1.2
    w.until("past its time", lambda: time.monotonic() > due)
    d.start()
    for user in ("bob", "carl"):
        w.until("let in", lambda user=user: known(d, f"{user}@example.org") == "valid/mailbox_exists")
    w.equal("tries", len(server.tries("bob@example.org")), 3)
    w.check(len(server.tries("carl@example.org")) <= 3, "asked too often")


def test_stopped(w):
    """SIGTERM with a re-probe under way: QUIT, and it is made again after the start."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, hostile.Reply(GREY, after=3), "250 Ok"]), retry="{1s, 60s}")
    ask(d, "bob@example.org")
    server.wait("asked again", lambda: len(server.recipients) == 2)
    server.forgiving = True
    w.problems += d.stop()
    d.start()
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    w.equal("tries", len(server.recipients), 3)


# Who is asked about

def test_two_spellings(w):
    """Where local parts are not folded, Bob and bob are scheduled each by itself."""
    w.dns()
    server, d = start(w, hostile.Greylister(0.5), settings={"fold_local_part": "false"})
    both = ["Bob@example.org", "bob@example.org"]
    client.ask_all(d.control, both)
    w.until("let in", lambda: {known(d, r) for r in both} == {"valid/mailbox_exists"})
    w.equal("tries", [len(server.tries(r)) for r in both], [2, 2])
    d.wait_idle()
    w.equal("left", d.status()["greylisted"], 0)


def test_odd_recipients(w):
    """Quoted and internationalised local parts, literals and capitals are said again as they were."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "xn--bcher-kva.example. MX 10 mx1.example.org.")
    server, d = start(w, hostile.Greylister(0.5), words=("PIPELINING", "SMTPUTF8"))
    said = {'"a b@c"@example.org': None, "d\u00f6rte@example.org": None, "Capital@example.org": None,
            "x@b\u00fccher.example": "x@xn--bcher-kva.example", "x@[192.0.2.1]": None,
            "a" * 64 + "@" + "example.org": None}
    client.ask_all(d.control, said)
    for recipient, wire in said.items():
        w.until("let in", lambda r=recipient: known(d, r) == "valid/mailbox_exists")
        w.equal(f"tries of {recipient}", len(server.tries(wire or recipient)), 2)
    mails = [c for conn in server.connections for c in conn.commands if c.startswith("MAIL")]
    w.equal("with SMTPUTF8", sum("SMTPUTF8" in m for m in mails), 2)


def test_sender_apart(w):
    """A sender's callout, with the null sender, and one of the same address as a recipient have each
    a schedule of their own."""
    w.dns()
    server, d = start(w, hostile.Greylister(0.5), retry="{3s}", settings={
        "sender_callout.enable": "true", "local_domains": '{"inside.example"}',
        "probe_sender": '"bob@example.org"', 'action "sender".deferred': "tempfail"})
    w.matches("as a sender", policy("x@inside.example", sender="anna@example.org",
                                    client_address="198.51.100.9"), "^450 4.1.7 .*greylisted")
    w.equal("as a recipient", brief(ask(d, "anna@example.org")), "deferred/greylisted")
    w.equal("scheduled", d.status()["greylisted"], 2)
    w.until("let in", lambda: d.status()["greylisted"] == 0)
    d.wait_idle()
    w.equal("tries", sorted(r.sender for r in server.tries("anna@example.org")),
            ["", "", "bob@example.org", "bob@example.org"])
    w.equal("as a sender then", policy("x@inside.example", sender="anna@example.org",
                                       client_address="198.51.100.9"), "DUNNO")
    w.equal("tries then", len(server.recipients), 4)


def test_catch_all(w):
    """Who wanted to know what the domain does with others hears it after the re-probe, who did not is
    not asked about more than once."""
    for wanted, verdict, more in (("always", "catch_all/accepts_everything", True),
                                  ("never", "valid/mailbox_exists", False)):
        w.dns()
        server, d = start(w, hostile.Greylister(0.5, known_by=lambda conn, _who: conn.source),
                          settings={"catch_all.test": f'"{wanted}"', "state_dir": f'"{w.workdir}/{wanted}"'})
        ask(d, "bob@example.org")
        w.until("let in", lambda d=d: known(d, "bob@example.org") == verdict)
        d.wait_idle()
        w.equal("others asked about", len(server.recipients) > 2, more)
        w.end()


def test_joined(w):
    """Who comes while a re-probe is under way gets its answer."""
    w.dns()
    server, d = start(w, Replies(bob=[GREY, hostile.Reply("250 Ok", after=4)]))
    first = ask(d, "bob@example.org")
    server.wait("asked again", lambda: len(server.recipients) == 2)
    w.until("not fresh", lambda: time.time() > seconds(first["refresh_at"]) + 1)
    w.equal("answer", brief(ask(d, "bob@example.org")), "valid/mailbox_exists")
    w.equal("tries", len(server.recipients), 2)


def test_standalone(w):
    """Without a daemon calloutctl makes the next try itself, when its time has come; a daemon goes on."""
    w.dns()
    server = w.run(hostile.Server(["192.0.2.1"], Replies(bob=[GREY, GREY, "250 Ok"])))
    d = daemon.Daemon(w.build, w.workdir, {**TEMPFAIL, "greylist.retry": "{1s, 1s, 1s}"})

    def check():
        return brief(w.ctl(d.conf, "check", "--json", "bob@example.org").verdicts[0])

    w.equal("at first", check(), "deferred/greylisted")
    w.until("made", lambda: (check(), len(server.recipients) == 2)[1])
    none_early(w, server.recipients, 1)
    w.run(d)
    w.until("let in", lambda: known(d, "bob@example.org") == "valid/mailbox_exists")
    none_early(w, server.recipients, 1, 1)
    w.equal("tries", len(server.recipients), 3)


# The store

def test_full_store(w):
    """With no room in the store re-probes are made all the same, as long as the daemon runs."""
    state = os.path.join(w.workdir, "small")
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "tmpfs", state], check=True)
    w.dns()
    server, d = start(w, hostile.Greylister(0.5), allowed=[r"store", r"No space left"],
                      settings={"state_dir": f'"{state}"'})
    with open(os.path.join(state, "filler"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    everybody = [f"user{n}@example.org" for n in range(300)]
    client.ask_all(d.control, everybody, connections=20)
    server.wait("all asked again", lambda: len(server.recipients) == 600)
    d.wait_idle()
    w.equal("left", d.status()["greylisted"], 0)
    w.equal("tries", {len(server.tries(r)) for r in everybody}, {2})
    w.problems += d.stop()
    subprocess.run(["umount", state], check=True)


# Many

def test_restart(w):
    """Hundreds of re-probes that came due while the daemon was killed: all are made, none early, none
    sooner than its place in the row allows."""
    domains = [f"d{n}.example" for n in range(20)]
    addresses = [f"192.0.2.{n + 1}" for n in range(20)]
    w.dns(*(f"{d}. MX 10 mx.{d}.\nmx.{d}. A {a}" for d, a in zip(domains, addresses)))
    server, d = start(w, hostile.Greylister(0.5), retry="{2s, 60s}", addresses=addresses)
    everybody = [f"user{n}@{d}" for n in range(20) for d in domains]
    client.ask_all(d.control, everybody, connections=20)
    d.wait_idle()
    server.forgiving = True
    w.problems += d.stop(signal.SIGKILL)
    before = len(server.recipients)
    due = server.recipients[-1].at + 2.2
    w.until("all due", lambda: time.monotonic() > due)
    started = time.monotonic()
    d.start()
    w.until("all asked again", lambda: d.status()["greylisted"] == 0)
    d.wait_idle()
    for r in everybody:
        w.check(len(server.tries(r)) >= 2, f"{r} was not asked again")
        none_early(w, server.tries(r)[:2], 2)
    if before == len(everybody):
        w.equal("tries", len(server.recipients), 2 * before)
        for n, again in enumerate(server.recipients[before:]):
            w.check(again.at >= started + n * 0.02, f"number {n} came {again.at - started} s after the start")
