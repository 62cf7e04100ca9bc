"""Which address is connected to, when, and from which of ours."""
import asyncio
import signal
import subprocess

from harness import client, hostile, namespace, scripted, wire
from world import ANSWERING

POLITE = {"limit.per_connection": "1000"}
TWO = ("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
       "mx1.example.org. A 192.0.2.2")
BACKED_UP = ("example.org. MX 10 mx1.example.org.", "example.org. MX 20 mx2.example.org.",
             "mx1.example.org. A 192.0.2.1", "mx1.example.org. AAAA 2001:db8::1",
             "mx2.example.org. A 192.0.2.2")
SOURCES = ("203.0.113.10", "203.0.113.11", "2001:db8:5::10", "2001:db8:5::11")
NOT_HERE = ("198.18.0.1", "198.18.0.2")


def listen_to_the_wire(w):
    return w.run(wire.Wire())


def serve(w, *addresses, rules=(), **options):
    return w.run(hostile.Server(addresses, *rules, raced=True, **options))


def ask(d, address, **parameters):
    """The verdict."""
    return client.ask_all(d.control, [address], **parameters)[0].verdict


def ask_for(d, addresses, **parameters):
    return [a.verdict for a in client.ask_all(d.control, addresses, **parameters)]


def what(verdict):
    return f"{verdict['status']}/{verdict['reason']}"


def pool(*addresses):
    return {"source_addresses": "{" + ", ".join(f'"{a}"' for a in addresses) + "}"}


def reload(d, **changes):
    d.write_conf(**changes)
    d.kill(signal.SIGHUP)
    d.wait_notified("READY=1")


# Racing


def test_dead_one_is_not_waited_for(w):
    """Of two addresses of one preference one is dead: the other answers before the connect timeout,
    and is asked first from then on."""
    w.dns(*TWO)
    namespace.swallow("192.0.2.1")
    seen = listen_to_the_wire(w)
    serve(w, "192.0.2.2")
    d = w.daemon({"timeout.connect": "40s", "timeout.callout": "20s"})
    for n in range(20):  # equal ones are shuffled: the dead one is the first at last
        v = ask(d, f"u{n}@example.org", fresh=1)
        w.equal("the verdict", (what(v), v["ip"]), ("valid/mailbox_exists", "192.0.2.2"))
        if seen.to("192.0.2.1"):
            break
    tried = len(seen.to("192.0.2.1"))
    w.equal("tries of the dead one", tried, 1)
    for n in range(20, 30):
        ask(d, f"u{n}@example.org")
    w.equal("tries of the dead one later", len(seen.to("192.0.2.1")), tried)


def test_families_take_turns(w):
    """The addresses of one preference are tried IPv6 first, the families in turns, each 250 ms
    behind the last and not earlier."""
    six, four = ["2001:db8::1", "2001:db8::2"], ["192.0.2.1", "192.0.2.2"]
    w.dns("example.org. MX 10 mx1.example.org.",
          *(f"mx1.example.org. AAAA {ip}" for ip in six), *(f"mx1.example.org. A {ip}" for ip in four))
    for ip in six + four:
        namespace.swallow(ip)
    seen = listen_to_the_wire(w)
    d = w.daemon({"timeout.connect": "500ms"})
    w.equal("the verdict", what(ask(d, "bob@example.org")), "deferred/unreachable")
    w.equal("the families", [":" in ip for ip in seen.order()], [True, False, True, False])
    w.equal("the addresses", sorted(seen.order()), sorted(six + four))
    times = [a.at for a in seen.attempts]
    w.check(all(b - a > 0.24 for a, b in zip(times, times[1:])), f"tried at {times}")


def test_backup_waits_for_the_connect_timeout(w):
    """The next preference is asked when the first has had its time, and not before; then it is
    asked at once, until the first is known to be alive."""
    w.dns(*BACKED_UP)
    serve(w, "192.0.2.1", "2001:db8::1", "192.0.2.2")
    for ip in ("192.0.2.1", "2001:db8::1"):
        namespace.swallow(ip)
    seen = listen_to_the_wire(w)
    d = w.daemon({"timeout.connect": "1s"})
    v = ask(d, "bob@example.org")
    w.equal("the verdict", (what(v), v["mx"]), ("valid/mailbox_exists", "mx2.example.org"))
    w.equal("the order", seen.order(), ["2001:db8::1", "192.0.2.1", "192.0.2.2"])
    primary, backup = seen.attempts[1], seen.attempts[2]
    w.check(backup.at - primary.at > 0.9, f"the backup after {backup.at - primary.at:.3f} s")
    for n in range(5):
        w.equal("the next", ask(d, f"u{n}@example.org")["ip"], "192.0.2.2")
    w.equal("tries of the dead", len(seen.to("192.0.2.1", "2001:db8::1")), 2)
    for ip in ("192.0.2.1", "2001:db8::1"):
        namespace.deliver(ip)
    w.equal("while it is held for dead", ask(d, "carol@example.org")["ip"], "192.0.2.2")
    w.equal("asked all the same", ask(d, "dave@example.org", fresh=1)["ip"], "2001:db8::1")
    w.equal("from then on", ask(d, "erin@example.org")["ip"], "2001:db8::1")


def test_all_dead(w):
    """Where all addresses are dead the next one who asks is told so with nothing sent; --fresh
    tries all the same."""
    w.dns(*BACKED_UP)
    for ip in ("192.0.2.1", "2001:db8::1", "192.0.2.2"):
        namespace.swallow(ip)
    seen = listen_to_the_wire(w)
    d = w.daemon({"timeout.connect": "300ms"})
    w.equal("the first", what(ask(d, "bob@example.org")), "deferred/unreachable")
    w.equal("attempts", len(seen.attempts), 3)
    for n in range(5):
        w.equal("another", what(ask(d, f"u{n}@example.org")), "deferred/unreachable")
    w.equal("attempts for others", len(seen.attempts), 3)
    c = w.ctl(d.conf, "check", "--fresh", "--json", "bob@example.org")
    w.equal("fresh", what(c.verdicts[0]), "deferred/unreachable")
    w.equal("attempts of --fresh", len(seen.attempts), 6)
    for ip in ("192.0.2.1", "2001:db8::1", "192.0.2.2"):
        namespace.deliver(ip)
    serve(w, "192.0.2.1", "2001:db8::1", "192.0.2.2")
    w.equal("fresh, and alive", what(ask(d, "bob@example.org", fresh=1)), "valid/mailbox_exists")


def test_refused_is_dead_too(w):
    """A port that refuses is passed at once, in the same preference and to the next, and not tried
    by others for a while."""
    w.dns(*BACKED_UP)
    seen = listen_to_the_wire(w)
    serve(w, "192.0.2.2")
    d = w.daemon({"timeout.connect": "40s", "timeout.callout": "20s"})
    for n in range(3):
        w.equal("answered by", ask(d, f"u{n}@example.org")["ip"], "192.0.2.2")
    w.equal("attempts", seen.order(), ["2001:db8::1", "192.0.2.1"] + ["192.0.2.2"] * 3)


def test_refused_everywhere(w):
    """deferred/unreachable, and the same for the next with nothing sent."""
    w.dns(*BACKED_UP)
    seen = listen_to_the_wire(w)
    d = w.daemon()
    for n in range(3):
        w.equal("the verdict", what(ask(d, f"u{n}@example.org")), "deferred/unreachable")
    w.equal("attempts", len(seen.attempts), 3)


def test_hosts_that_hang_up(w):
    """Who accepts and closes is no answer: the other address of that preference is asked, then the
    next preference."""
    w.dns(*BACKED_UP)
    rude = serve(w, "192.0.2.1", "2001:db8::1", rules=[hostile.On(greeting=hostile.HANG_UP)])
    good = serve(w, "192.0.2.2")
    d = w.daemon()
    w.equal("the verdict", what(ask(d, "bob@example.org")), "valid/mailbox_exists")
    w.equal("hung up at", sorted(c.address for c in rude.connections), ["192.0.2.1", "2001:db8::1"])
    w.equal("asked in the end", len(good.recipients), 1)


def test_tls_falls_back_to_the_winner(w):
    """After a race won, a second connection without TLS is made to the winner alone."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "mx1.example.org. AAAA 2001:db8::1")
    namespace.swallow("2001:db8::1")
    seen = listen_to_the_wire(w)
    w.servers(scripted.script("192.0.2.1", """
        S: 220 mx1.example.org ESMTP
        C: EHLO probe.example.net
        S: 250-mx1.example.org
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 Ready
        S! garble"""), scripted.script("192.0.2.1", ANSWERING.format(reply="250 2.1.5 Ok")))
    d = w.daemon({"timeout.connect": "40s", "timeout.callout": "20s"})
    w.equal("the verdict", what(ask(d, "bob@example.org")), "valid/mailbox_exists")
    w.equal("attempts", seen.order(), ["2001:db8::1", "192.0.2.1", "192.0.2.1"])


# Sources


def many_domains(count, family="A", host="192.0.2"):
    """Each with a host of its own."""
    if family == "A":
        return [f"d{n}.example. MX 10 mx.d{n}.example.\nmx.d{n}.example. A {host}.{n + 1}"
                for n in range(count)]
    return [f"s{n}.example. MX 10 mx.s{n}.example.\nmx.s{n}.example. AAAA 2001:db8::{n + 1:x}"
            for n in range(count)]


def sources_by_domain(server):
    found = {}
    for r in list(server.recipients):
        found.setdefault(hostile.domain(r.address), set()).add(r.source)
    return found


def test_sources_are_sticky_and_spread(w):
    """Each domain is asked from one address of the pool, of the family of its host, and many
    domains are spread over them."""
    count = 40
    w.dns(*many_domains(count), *many_domains(count, "AAAA"))
    server = serve(w, *(f"192.0.2.{n + 1}" for n in range(count)),
                   *(f"2001:db8::{n + 1:x}" for n in range(count)))
    d = w.daemon({**POLITE, **pool(*SOURCES)})
    for turn in range(3):
        answers = ask_for(d, [f"u{turn}@{kind}{n}.example" for kind in "ds" for n in range(count)],
                          connections=10)
        w.equal("verdicts", {what(v) for v in answers}, {"valid/mailbox_exists"})
    found = sources_by_domain(server)
    w.equal("sources of a domain", {len(s) for s in found.values()}, {1})
    for ip in SOURCES:
        share = sum(s == {ip} for s in found.values())
        w.check(share >= count // 10, f"{ip} has {share} of {count} domains")
        w.equal(f"families asked from {ip}", {":" in c.address for c in list(server.connections)
                                              if c.source == ip}, {":" in ip})


def shared(count, name="shared", address="192.0.2.1"):
    """Domains of one destination."""
    return [f"{name}.example. MX 10 mx.{name}.example.", f"mx.{name}.example. A {address}",
            *(f"d{n}.{name}.example. MX 10 mx.{name}.example." for n in range(count))]


class Throttle:
    """Of one source, once it has asked for so many. Others are answered slowly enough for every
    connection to get its turns."""

    def __init__(self, source, after, reply):
        self.source, self.after, self.reply = source, after, reply

    def rcpt(self, conn, _recipient):
        if conn.source == self.source and conn.server.asked_from[self.source] >= self.after:
            return self.reply
        return hostile.Reply("250 2.1.5 Ok", after=0.02)


def throttled(w, reply):
    """A destination that throttles the first source, beside one that does not."""
    count = 60
    w.dns(*shared(count), *shared(count, "other", "192.0.2.2"))
    server = serve(w, "192.0.2.1", rules=[Throttle(SOURCES[0], 2, reply)])
    other = serve(w, "192.0.2.2")
    d = w.daemon({**POLITE, **pool(*SOURCES[:2]), "limit.connections": "4", "timeout.idle": "5s",
                  "timeout.callout": "50s"})
    answers = ask_for(d, [f"u@d{n}.shared.example" for n in range(count)], connections=count)
    return count, server, other, d, answers


def first_throttle(server, source):
    return min(r.at for r in list(server.recipients) if r.source == source and not r.reply.startswith("2"))


def rests_while_others_go_on(w, reply):
    count, server, other, d, answers = throttled(w, reply)
    when = first_throttle(server, SOURCES[0])
    late = [r for r in list(server.recipients) if r.source == SOURCES[0] and r.at > when]
    w.check(len(late) <= 3, f"asked from the throttled one all the same: {len(late)} times")
    told = [what(v) for v in answers]
    w.check(told.count("valid/mailbox_exists") >= count - 4, f"the others: {told}")
    w.equal("what else was said", set(told) - {"valid/mailbox_exists"}, {"deferred/rate_limited"})
    more = ask_for(d, [f"v@d{n}.shared.example" for n in range(count)], connections=count)
    w.equal("later", {what(v) for v in more}, {"valid/mailbox_exists"})
    w.equal("later from", {r.source for r in list(server.recipients)[-count:]}, {SOURCES[1]})
    ask_for(d, [f"u@d{n}.other.example" for n in range(count)], connections=10)
    w.equal("elsewhere from", {r.source for r in list(other.recipients)}, set(SOURCES[:2]))


def test_throttled_source_rests(w):
    """A source that a destination throttles by 421 rests there; the other goes on, also for those
    who waited; elsewhere both do."""
    rests_while_others_go_on(w, "421 4.7.28 Too fast from your address")


def test_throttled_source_rests_without_a_word(w):
    """The same where the throttle is a 450 and the session stays."""
    rests_while_others_go_on(w, "450 4.7.28 Too fast from your address")


class Gathering:
    """The first so many who say MAIL wait for each other, and then a while for one too many."""

    def __init__(self, count):
        self.count, self.conns = count, []

    def mail(self, conn, _sender):
        self.conns.append(conn)
        if len(self.conns) < self.count:
            return hostile.SILENCE
        if len(self.conns) == self.count:
            for other in self.conns[:-1]:
                asyncio.get_running_loop().call_later(0.2, other.speak, hostile.OK)
        return hostile.Reply(hostile.OK, after=0.2)


def test_connections_are_halved(w):
    """With a source at rest the destination as a whole gets half as many connections."""
    count = 20
    w.dns(*shared(count))
    server = serve(w, "192.0.2.1", rules=[Throttle(SOURCES[0], 1, "421 4.7.28 Too fast")])
    d = w.daemon({**pool(*SOURCES[:2]), "limit.connections": "8"})
    told = (what(ask(d, f"u@d{n}.shared.example")) for n in range(count))
    w.check("deferred/rate_limited" in told, "nobody was throttled")
    d.wait_idle()
    state = [t["level"] for t in d.status()["destinations"] if t["name"] == "mx/shared.example"]
    w.equal("level", state, [1])
    server.rules.insert(0, Gathering(4))
    before = len(server.connections)
    ask_for(d, [f"v@d{n}.shared.example" for n in range(9)], connections=9)  # the tenth takes it back
    server.wait("they end", lambda: not server.open())
    del server.connections[:before]
    w.equal("connections at a time", server.most_connections(), 4)


def test_no_source_gets_round_a_refusal(w):
    """One source is refused: the destination is not asked from the other either."""
    count = 20
    w.dns(*shared(count))
    server = serve(w, "192.0.2.1", rules=[hostile.On(greeting="554 5.7.1 Your address is blocked")])
    d = w.daemon(pool(*SOURCES[:2]), allowed=["ALARM: mx/shared.example refuses us"])
    w.equal("the first", what(ask(d, "u@shared.example")), "unknown/blocked")
    answers = ask_for(d, [f"u@d{n}.shared.example" for n in range(count)], connections=5)
    w.equal("the others", {what(v) for v in answers}, {"unknown/blocked"})
    w.equal("connections", len(server.connections), 1)


def test_missing_source(w):
    """An address that is not on this host is told of at the start, in health and status, and others
    are used."""
    count = 20
    w.dns(*many_domains(count))
    server = serve(w, *(f"192.0.2.{n + 1}" for n in range(count)))
    d = w.daemon(pool(*NOT_HERE, SOURCES[0]), allowed=["source_addresses: 198.18.0.[12] is not on this"])
    for ip in NOT_HERE:
        d.wait_log(f"warning: source_addresses: {ip} is not on this host")
    problem = "source_addresses: not on this host: " + " ".join(NOT_HERE)
    w.equal("health", client.control_get(d.control, "/healthz")[1], f"degraded\n{problem}\n")
    w.equal("status", d.status()["problems"], [problem])
    answers = ask_for(d, [f"u@d{n}.example" for n in range(count)])
    w.equal("verdicts", {what(v) for v in answers}, {"valid/mailbox_exists"})
    w.equal("asked from", set(server.asked_from), {SOURCES[0]})


def ip_address(command, ip):
    subprocess.run(["ip", "address", command, f"{ip}/32", "dev", "lo"], check=True)


def test_missing_sources_come_and_go(w):
    """With none of them here nobody is asked: deferred/local_fault, not stored. One that was added is
    used after a reload; one that is taken away while others are here fails no second callout."""
    w.dns(*many_domains(3))
    seen = listen_to_the_wire(w)
    server = serve(w, "192.0.2.1", "192.0.2.2", "192.0.2.3")
    d = w.daemon(pool(*NOT_HERE), allowed=["source_addresses: 198.18.0.[12] is not on this"])
    w.equal("with none", what(ask(d, "u@d0.example")), "deferred/local_fault")
    w.equal("attempts", seen.order(), [])
    w.equal("kept of it", what(ask(d, "u@d0.example", probe=0)), "unknown/skipped")
    ip_address("add", NOT_HERE[0])
    reload(d)
    d.wait_log(f"source_addresses: {NOT_HERE[0]} is on this host now")
    w.equal("with one", what(ask(d, "u@d0.example")), "valid/mailbox_exists")
    w.equal("asked from", set(server.asked_from), {NOT_HERE[0]})
    ip_address("add", NOT_HERE[1])
    reload(d)
    d.wait_log(f"source_addresses: {NOT_HERE[1]} is on this host now")
    ip_address("del", NOT_HERE[0])
    told = [what(ask(d, f"u{n}@d0.example")) for n in range(3)]
    # The reload's second look at the sources may be the first to see it.
    w.check(told[0] in ("deferred/local_fault", "valid/mailbox_exists"), f"when it is gone: {told[0]}")
    w.equal("after that", told[1:], ["valid/mailbox_exists"] * 2)
    w.equal("then asked from", server.recipients[-1].source, NOT_HERE[1])
    d.wait_log(f"warning: source_addresses: {NOT_HERE[0]} is not on this host")


def test_pool_of_one_family(w):
    """Hosts of the other family are asked from the address that the system chooses."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. AAAA 2001:db8::1",
          "example.net. MX 10 mx1.example.net.", "mx1.example.net. A 192.0.2.1")
    server = serve(w, "192.0.2.1", "2001:db8::1")
    d = w.daemon(pool(SOURCES[0]))
    for domain in ("example.org", "example.net"):
        w.equal(domain, what(ask(d, f"bob@{domain}")), "valid/mailbox_exists")
    by_host = {c.address: c.source for c in server.connections}
    w.equal("to IPv4", by_host["192.0.2.1"], SOURCES[0])
    w.check(":" in by_host["2001:db8::1"], f"to IPv6: {by_host['2001:db8::1']}")
    reload(d, **pool(SOURCES[2]))
    w.equal("after a reload", what(ask(d, "carol@example.org")), "valid/mailbox_exists")
    w.equal("to IPv6 then", server.recipients[-1].source, SOURCES[2])
