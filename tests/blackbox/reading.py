"""What real mail servers say, and how it is read: catch-alls, refused senders, verified senders and
recipients, other words for an unknown user."""
import os
import re
import shutil

from harness import client, mailworld, peers, relay

USERS = mailworld.USERS
NULL, PROBE, GONE = "MAIL FROM:<>", "probe@sender.example", "gone@sender.example"
UNDECIDED = "(deferred|unknown)/"
NAME = r"[a-z]+(\.[a-z]+)?[0-9]*"
POSTFIX_PORT, EXIM_PORT, OPENSMTPD_PORT, AHEAD_PORT, CLOSED_PORT = 2531, 2532, 2533, 2534, 2539


def needs_root(function):
    function.needs_root = True
    return function


class Asked:
    """Servers, the relays before them, and the daemon that asks them about their domains.
    `domains`: {domain: port of its server}; each domain has an MX of its own."""

    def __init__(self, w, mtas, domains, settings=None):
        self.w = w
        peers.prepare(w.workdir)
        hosts = {d: f"192.0.2.{31 + n}" for n, d in enumerate(domains)}
        hosts.setdefault("sender.example", "203.0.113.250")
        w.dns(*(f"{d}. MX 10 mx.{d}." for d in hosts), *(f"mx.{d}. A {a}" for d, a in hosts.items()))
        for mta in mtas(w.workdir):
            w.start(mta)
        self.taps = {d: relay.Tap(hosts[d], port) for d, port in domains.items()}
        for tap in self.taps.values():
            w._ends.append(tap.stop)
        self.daemon = w.daemon({"catch_all.test": None, **(settings or {})})

    def again(self, **settings):
        """Another daemon, that has heard of nothing."""
        self.daemon.wait_idle()
        self.w.problems += self.daemon.stop()
        shutil.rmtree(os.path.join(self.w.workdir, "state"))
        os.makedirs(os.path.join(self.w.workdir, "state"))
        self.daemon.write_conf(**settings)
        self.daemon.start()

    def check(self, address, verdict, reply, *options, **facts):
        """`verdict`: a pattern of status/reason; `reply`: of the server's words, "250 2.1.5 Ok"; `facts`:
        of the JSON, None where it has none."""
        v = self.w.ctl(self.daemon.conf, "check", "--json", *options, address).verdicts[0]
        said = v.get("reply", {})
        words = " ".join(str(said[k]) for k in ("code", "enhanced", "text") if k in said)
        self.w.matches(f"{address}: {words!r}", f"{v['status']}/{v['reason']}", f"^{verdict}")
        self.w.matches(f"{address}: the reply", words, f"^{reply}")
        for key, value in facts.items():
            self.w.equal(f"{address}: {key}", v.get(key), value)
        return v

    def policy(self, address, action):
        with client.PolicyClient() as c:
            self.w.matches(f"policy service: {address}", c.ask(address), f"^{action}")

    def said(self, domain, words):
        """The commands that the domain's server heard, of those that begin like that."""
        return [line for session in self.taps[domain].sessions for line in session
                if line.upper().startswith(words.upper())]

    def made_up(self, domain, *real):
        """The recipients it was asked about besides `real`: their local parts."""
        asked = [re.sub(r"RCPT TO:<(.*)@.*>.*", r"\1", line) for line in self.said(domain, "RCPT")]
        return [local for local in asked if local not in real]

    def end(self, *domains):
        """No DATA, and QUIT at the end of every session, at these domains; at all of them."""
        self.daemon.wait_idle()
        for domain in domains or self.taps:
            self.w.problems += self.taps[domain].problems()


ACCEPTING, REFUSING, OTHER, SOFT = ("accepting.example", "refusing.example", "other.example",
                                    "soft.example")
POSTFIX = f"""mydestination = {SOFT}
local_recipient_maps = inline:{{ {{ bob = x }} }}
unknown_local_recipient_reject_code = 450
virtual_alias_domains = {ACCEPTING}
virtual_alias_maps = inline:{{ {{ @{ACCEPTING} = bob@{SOFT} }} }}
virtual_mailbox_domains = {REFUSING}, {OTHER}
virtual_mailbox_maps = inline:{{ {{ bob@{REFUSING} = x }}, {{ bob@{OTHER} = x }} }}
"""


def postfix(*domains):
    """How Asked is told of one Postfix for all these."""
    return (lambda workdir: [peers.Postfix(workdir, "postfix", POSTFIX_PORT, "mx.postfix.example",
                                           POSTFIX)], {d: POSTFIX_PORT for d in domains})


@needs_root
def test_accepts_everything(w):
    """A catch-all is found by `check`; the policy service, which would answer the same, asks about
    nobody but the recipient."""
    a = Asked(w, *postfix(ACCEPTING))
    a.policy(f"alice@{ACCEPTING}", "DUNNO")
    a.daemon.wait_log(rf"rcpt=<alice@{ACCEPTING}> status=valid reason=mailbox_exists")
    w.equal("recipients of the policy service", a.said(ACCEPTING, "RCPT"),
            [f"RCPT TO:<alice@{ACCEPTING}>"])
    a.check(f"bob@{ACCEPTING}", "catch_all/accepts_everything", r"250 2\.1\.5 ",
            catch_all="accepts_everything")
    w.equal("asked about bob", len(a.said(ACCEPTING, "RCPT TO:<bob@")), 1)
    made_up = a.made_up(ACCEPTING, "alice", "bob")
    w.check(1 <= len(made_up) <= 2, f"made up: {made_up}")
    a.policy(f"carol@{ACCEPTING}", "DUNNO")
    a.daemon.wait_log(rf"rcpt=<carol@{ACCEPTING}> status=catch_all reason=accepts_everything")
    w.equal("made up for it", a.made_up(ACCEPTING, "alice", "bob", "carol"), made_up)
    a.end()


@needs_root
def test_refuses_unknown(w):
    """Where recipients that do not exist are refused, a 2yz means a mailbox. They have names like
    people's, and never the same twice."""
    a = Asked(w, *postfix(REFUSING, OTHER))
    names = []
    for domain in (REFUSING, OTHER):
        a.check(f"bob@{domain}", "valid/mailbox_exists", r"250 2\.1\.5 ", catch_all="selective")
        made_up = a.made_up(domain, "bob")
        w.check(1 <= len(made_up) <= 2, f"made up at {domain}: {made_up}")
        names += made_up
    for name in names:
        w.matches("made up", name, f"^{NAME}$")
    w.equal("different names", len(set(names)), len(names))
    a.check(f"nobody@{OTHER}", "invalid/no_mailbox", r"550 5\.1\.1 .*User unknown in virtual mailbox")
    w.equal("made up where it is known", set(a.made_up(OTHER, "bob", "nobody")) - set(names), set())
    a.end()


@needs_root
def test_soft_unknown(w):
    """Unknown users are answered 450: of a 250 nothing more is known, and of a 450 nothing at all."""
    a = Asked(w, *postfix(SOFT))
    a.check(f"bob@{SOFT}", "valid/mailbox_exists", r"250 2\.1\.5 ", catch_all="not_known")
    a.check(f"nobody@{SOFT}", UNDECIDED, r"450 4\.1\.1 .*User unknown in local recipient table")
    a.end()


NO_NULL = {"rcpt.example": {"at_rcpt": "  deny senders = :\n"
                                       "       message = Null sender is not accepted\n"},
           "mail.example": {"at_mail": "  deny senders = :\n"}}


def exims(workdir):
    """One for each of NO_NULL, at ports of their own."""
    return [peers.Exim(workdir, domain, EXIM_PORT + 10 * n, f"mx.{domain}", domain, USERS, **lines)
            for n, (domain, lines) in enumerate(NO_NULL.items())]


@needs_root
def test_null_sender_refused(w):
    """Exim refuses MAIL FROM:<>, at once or at RCPT: that is no verdict. With a fallback sender there
    is one, and the next recipient is asked about with it from the start."""
    a = Asked(w, exims, {d: EXIM_PORT + 10 * n for n, d in enumerate(NO_NULL)})
    replies = {"rcpt.example": "550 Null sender is not accepted",
               "mail.example": "550 Administrative prohibition"}
    for domain, reply in replies.items():
        a.check(f"nobody@{domain}", "unknown/sender_refused", reply)
        a.check(f"bob@{domain}", "unknown/sender_refused", "(550|$)")
        w.check(a.said(domain, NULL), f"{domain} never heard the null sender")
    a.again(probe_sender_fallback=f'"{PROBE}"')
    for domain in replies:
        before = len(a.said(domain, NULL))
        a.check(f"bob@{domain}", "valid/mailbox_exists", "250 Accepted", catch_all="selective")
        w.equal(f"{domain}: null senders", len(a.said(domain, NULL)), before + 1)
        a.check(f"nobody@{domain}", "invalid/no_mailbox", "550 Unrouteable address")
        a.check(f"alice@{domain}", "valid/mailbox_exists", "250 Accepted", catch_all="selective")
        w.equal(f"{domain}: null senders then", len(a.said(domain, NULL)), before + 1)
    a.end()


VERIFYING = "  deny senders = :\n       message = Null sender is not accepted\n" \
            "  require verify = sender/callout=10s\n"


@needs_root
def test_sender_verified(w):
    """Exim asks the sender's own MX before it speaks of the recipient, and quotes its 550 5.1.1 in a
    550 of its own, which is about us."""
    def mtas(workdir):
        return [peers.Postfix(workdir, "postfix", POSTFIX_PORT, "mx.sender.example",
                              "mydestination = sender.example\n"
                              "local_recipient_maps = inline:{ { probe = x } }\n"),
                peers.Exim(workdir, "exim", EXIM_PORT, "mx.exim.example", "exim.example", USERS,
                           at_rcpt=VERIFYING)]

    a = Asked(w, mtas, {"exim.example": EXIM_PORT, "sender.example": POSTFIX_PORT},
              {"probe_sender_fallback": f'"{PROBE}"'})
    a.check("bob@exim.example", "valid/mailbox_exists", "250 Accepted", catch_all="selective")
    a.check("nobody@exim.example", "invalid/no_mailbox", "550 Unrouteable address")
    w.equal("asked about our sender", a.said("sender.example", "RCPT"), [f"RCPT TO:<{PROBE}>"])
    a.again(probe_sender=f'"{GONE}"', probe_sender_fallback=None)
    a.check("nobody@exim.example", "unknown/sender_refused",
            f"550 Verification failed for <{GONE}> .* 550 5.1.1 .*User unknown")
    a.check("bob@exim.example", "unknown/sender_refused", "(550|$)")
    a.again(probe_sender='""', probe_sender_fallback=f'"{GONE}"')
    a.check("nobody@exim.example", "unknown/sender_refused",  # Exim quotes what it remembers
            f"550 Verification failed for <{GONE}> Previous .cached. callout verification failure")
    a.end("exim.example")


OPENSMTPD = """action here maildir "{dir}" virtual {{ {virtual} }}
match from any for domain "virtual.example" action here
action system maildir "{dir}"
match from any for domain "system.example" action system
"""


@needs_root
def test_opensmtpd(w):
    """No line of its configuration fits: what it says of unknown users, and as well of domains that it
    has nothing to do with. Or one does, and leads to nobody."""
    def mtas(workdir):
        more = OPENSMTPD.format(dir=os.path.join(workdir, "mail"),
                                virtual=", ".join(f"{u} = nobody" for u in USERS))
        return [peers.OpenSmtpd(workdir, "opensmtpd", OPENSMTPD_PORT, "mx.table.example",
                                "table.example", USERS, more)]

    a = Asked(w, mtas, {d: OPENSMTPD_PORT for d in ("table.example", "virtual.example",
                                                    "system.example", "stranger.example")})
    for local, domain in (("bob", "table.example"), ("bob", "virtual.example"),
                          ("nobody", "system.example")):
        a.check(f"{local}@{domain}", "valid/mailbox_exists", r"250 2\.1\.5 ", catch_all="selective")
    a.check("nouser@table.example", "invalid/no_mailbox", "550 Invalid recipient: <nouser@table")
    a.check("nouser@virtual.example", "invalid/no_mailbox", r"524 5\.2\.4 Mailing list expansion")
    a.check("nouser@system.example", "invalid/no_mailbox", "550 Invalid recipient: <nouser@system")
    a.check("bob@stranger.example", "invalid/no_mailbox", "550 Invalid recipient: <bob@stranger")
    a.end()


AHEAD = f"""mydestination =
relay_domains = soft.example, hard.example, down.example
transport_maps = inline:{{
    {{ soft.example = ahead:[127.0.0.1]:{AHEAD_PORT} }},
    {{ hard.example = ahead:[127.0.0.1]:{AHEAD_PORT} }},
    {{ down.example = ahead:[127.0.0.1]:{CLOSED_PORT} }} }}
smtpd_recipient_restrictions = reject_unauth_destination, reject_unverified_recipient
address_verify_map =
address_verify_poll_count = 1
"""
HARD = f"""127.0.0.1:{POSTFIX_PORT + 10} inet n - n - - smtpd
    -o unverified_recipient_reject_code=550
"""


@needs_root
def test_recipient_verified(w):
    """A Postfix that asks the backend itself (reject_unverified_recipient): until it knows, and while
    the backend is away, its 450 says nothing, nor does one that quotes 550; its 550 does."""
    fronts = []

    def mtas(workdir):
        fronts.append(peers.Postfix(workdir, "postfix", POSTFIX_PORT, "mx.ahead.example", AHEAD, HARD))
        return [peers.Postfix(workdir, "backend", AHEAD_PORT, "backend.example",
                              "mydestination = soft.example, hard.example\n"
                              "local_recipient_maps = inline:{ { bob = x } }\n"), *fronts]

    a = Asked(w, mtas, {"soft.example": POSTFIX_PORT, "hard.example": POSTFIX_PORT + 10,
                        "down.example": POSTFIX_PORT})
    asked = [f"{u}@{d}" for d in a.taps for u in ("bob", "nobody")]
    for address in asked:
        a.check(address, UNDECIDED, r"450 4\.1\.1 .*unverified address: Address verification in prog")
    for address in asked:
        fronts[0].wait_log(rf"to=<{address}>, .*status=(un)?deliver")
    for domain in ("soft.example", "hard.example"):
        v = a.check(f"bob@{domain}", "valid/mailbox_exists", r"250 2\.1\.5 ", "--fresh")
        w.check(v.get("catch_all") != "accepts_everything", f"{domain}: {v.get('catch_all')}")
    a.check("nobody@soft.example", UNDECIDED, r"450 4\.1\.1 .*unverified address: .* said: 550 5\.1\.1 ",
            "--fresh")
    a.check("nobody@hard.example", "invalid/no_mailbox",
            r"550 5\.1\.1 .*undeliverable address: .* said: 550 5\.1\.1 ", "--fresh")
    for local in ("bob", "nobody"):
        a.check(f"{local}@down.example", UNDECIDED,
                r"450 4\.1\.1 .*unverified address: connect to .*Connection refused", "--fresh")
    a.end()
