"""The milter as its protocol has it: what it asks for, what it stands, and what it makes of
recipients."""
import os
import signal
import socket
import struct

from harness import client, milter, scripted
from world import answering

UNKNOWN = "550 5.1.1 User unknown"
REFUSED = r"^reply 550 5\.1\.1 "
STRANGER = "198.51.100.9"
NOT_SENT, NO_REPLY = "HLNBTU", "CM"  # letters of commands
MUST = 0x01  # a mail server that can leave away nothing but the connection


def held(reply=UNKNOWN, **options):
    """A server that waits for the test before it greets."""
    made = answering(reply, **options)
    made.lines.insert(0, ("S!", "hold"))
    return made


def steps(letters, which):
    return sum(milter.ASK_AWAY[letter][which] for letter in letters)


def decisions(d):
    """The lines about them in the log."""
    return [line for line in d.log().splitlines() if " callout class=" in line]


def still_answers(w, when):
    with milter.session() as c:
        w.matches(when, c.rcpt("<nobody@example.org>"), REFUSED)
        c.quit()


def test_negotiation(w):
    """It asks for connection, sender and recipients, for few macros, and to change nothing; a mail
    server that cannot leave the rest away may send it."""
    w.milter()
    for version, actions, known in ((6, milter.ACTIONS, milter.STEPS),
                                    (7, milter.ACTIONS, milter.STEPS),
                                    (4, milter.V2_ACTIONS, milter.V2_STEPS | 0x380),
                                    (2, milter.V2_ACTIONS, milter.V2_STEPS), (2, 1, MUST)):
        with milter.Connection() as c:
            answer = c.negotiate(version, actions, known)
        what = f"version {version} with {known:#x}"
        w.equal(f"{what}: version", answer.version, min(version, 6))
        w.equal(f"{what}: actions", answer.actions, actions & milter.SETSYMLIST)
        w.equal(f"{what}: steps", answer.steps,
                known & (steps(NOT_SENT, 0) | steps(NO_REPLY, 1)))
        w.equal(f"{what}: lists of macros", sorted(answer.macros),
                ["connect", "eom", "mail", "rcpt"] if version >= 6 else [])
    for name in ("auth_authen", "cert_subject"):
        with milter.Connection() as c:
            w.matches("macros of MAIL", c.negotiate().macros["mail"], rf"\{{{name}\}}")


def test_versions(w):
    """Version 1 is refused; 2, without a step left away and without a macro, does all it has to."""
    w.dns()
    w.servers(answering(UNKNOWN), answering("250 2.1.5 Ok"))
    d = w.milter()
    with milter.Connection() as c:
        c.send(milter.packet("O", struct.pack("!3I", 1, 0x0F, 0x3F)))
        w.check(c.is_closed(), "version 1 got an answer")
    with milter.Connection() as c:
        c.negotiate(2, 1, MUST)
        got = [str(r) for r in (c.connect(), c.helo(), c.mail(), c.rcpt("<nobody@example.org>"),
                                c.rcpt("<bob@example.org>"), c.message())]
        c.quit()
    w.equal("replies", [g[:13] for g in got],
            ["continue"] * 3 + ["reply 550 5.1"] + ["continue"] * 2)
    w.equal("changes", c.changes, [])
    d.wait_log(r"rcpt=<nobody@example\.org> .* client=127\.0\.0\.1$")
    d.wait_idle()


def test_many_messages(w):
    """One connection, many messages, ended in each way there is; nothing of one is in the next."""
    w.dns()
    w.servers(answering(UNKNOWN))
    d = w.milter()
    with milter.Connection() as c:
        c.negotiate()
        for n in range(20):
            c.connect(address=STRANGER)
            for login, expected in ((f"user{n}", REFUSED), ("", "^continue$"), ("joe", REFUSED)):
                c.macros("M", i=f"Q{n}", **({"auth_authen": login} if login else {}))
                c.mail()
                w.matches(f"message {n} of {login!r}", c.rcpt("<nobody@example.org>"), expected)
                if n % 2:
                    w.equal("end of the message", str(c.message()), "continue")
                else:
                    c.abort()
            c.quit_for_new_connection()
        c.quit()
        w.check(c.is_closed(), "QUIT does not close")
    d.wait_log(r"class=outbound action=reject rcpt=<nobody@example\.org> .* client=198\.51\.100\.9 "
               r"sasl=user19 queue_id=Q19$")
    w.equal("of strangers", {"class=inbound action=accept" in line for line in decisions(d)
                             if "sasl=" not in line}, {True})
    d.wait_idle()


def test_dropped_in_rcpt(w):
    """Connections that end while their callout goes on leave nothing, and its answer is kept."""
    w.dns()
    server = held()
    w.servers(server)
    d = w.milter({"timeout.greeting": "30s"})
    waiting = [milter.session() for _ in range(12)]
    for c in waiting:
        c.send(milter.packet("R", milter.strings("<nobody@example.org>")))
    w.until("12 waiters", lambda: d.status()["waiters"] == 12)
    for n, c in enumerate(waiting):
        if n % 3 == 1:
            c.abort()
        elif n % 3 == 2:  # a reset
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    server.released.set()
    d.wait_idle()
    still_answers(w, "the next one")
    d.wait_idle()


def test_pending(w):
    """An answer comes when `wait` is over; the callout goes on behind it."""
    w.dns()
    server = held()
    w.servers(server)
    d = w.milter({"wait": "100ms", 'action "outbound".deferred': "tempfail"})
    with milter.session() as c:
        w.matches("while it goes on", c.rcpt("<nobody@example.org>"), r"^reply 450 4\.4\.1 ")
        server.released.set()
        d.wait_log("ready -> quit")
        w.until("no flight", lambda: d.status()["flights"] == 0)
        w.matches("when it is known", c.rcpt("<nobody@example.org>"), REFUSED)
    d.wait_idle()


NONSENSE = (
    ("nothing", b""), ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("a packet of 4 GiB", b"\xff\xff\xff\xffO"), ("an empty packet", b"\0\0\0\0"),
    ("half a packet", milter.packet("O", b"\0\0\0\6")), ("half a length", b"\0\0"),
    ("a recipient first", milter.packet("R", b"<nobody@example.org>\0")),
    ("an unknown command", milter.packet("~", b"x")), ("bytes", bytes(range(256)) * 40),
)
AFTER_NEGOTIATION = (
    ("a recipient before the sender", milter.packet("R", b"<nobody@example.org>\0")),
    ("no NUL in the recipient", milter.packet("M", b"<me@example.com>\0")
     + milter.packet("R", b"<nobody@example.org>")),
    ("an empty recipient", milter.packet("M", b"<me@example.com>\0") + milter.packet("R")),
    ("an empty sender", milter.packet("M")),
    ("no NUL in a macro", milter.packet("D", b"M{auth_authen}\0joe")),
    ("macros of no command", milter.packet("D")),
    ("no address", milter.packet("C", b"localhost\0" + b"4\x9c")),
    ("no such address", milter.packet("C", milter.connect_info("mx", "4", "not an address"))),
    ("no such family", milter.packet("C", milter.connect_info("mx", "9", "127.0.0.1"))),
    ("two negotiations", milter.packet("O", struct.pack("!3I", 6, 0, 0)) * 3),
    ("a cut recipient", milter.packet("M", b"<me@example.com>\0")
     + milter.packet("R", b"<nobody@example.org>\0")[:12]),
)


def test_nonsense(w):
    """Whatever comes hurts its own connection only."""
    w.dns()
    w.servers(answering(UNKNOWN, times=1))
    d = w.milter()
    with milter.session() as good:
        w.matches("before", good.rcpt("<nobody@example.org>"), REFUSED)
        cases = [(name, b"", data) for name, data in NONSENSE]
        cases += [(name, milter.packet("O", struct.pack("!3I", 6, 0, 0)), data)
                  for name, data in AFTER_NEGOTIATION]
        for name, negotiation, data in cases:
            with milter.Connection() as bad:
                try:
                    bad.send(negotiation + data)
                    bad.sock.shutdown(socket.SHUT_WR)
                    while bad.sock.recv(4096):
                        pass
                except OSError:
                    pass  # closed with our data unread
            w.matches(f"after {name}", good.rcpt("<nobody@example.org>"), REFUSED)
        good.quit()
    d.wait_idle()


EAI = """
S: 220 mx1.eai.example ESMTP
C: EHLO probe.example.net
S: 250-mx1.eai.example
S: 250 SMTPUTF8
C: MAIL FROM:<> SMTPUTF8
S: 250 2.1.0 Ok
C: RCPT TO:<j\u00fcrgen@eai.example>
S: 550 5.1.1 User unknown
C: QUIT
S: 221 2.0.0 Bye
"""
LONG = "a" * 65 + "@example.org"
FORMS = (  # recipient, reply, and what the log says of it; "": nothing
    ("<nobody@example.org>", REFUSED, "rcpt=<nobody@example.org> status=invalid"),
    ("nobody@example.org", REFUSED, "rcpt=<nobody@example.org> status=invalid"),
    ("<Nobody@EXAMPLE.org>", REFUSED, "rcpt=<Nobody@EXAMPLE.org> status=invalid"),
    ("<@a.example,@b.example:nobody@example.org>", REFUSED, ":nobody@example.org> status=invalid"),
    ("<nobody@example.org.>", REFUSED, "rcpt=<nobody@example.org.> status=invalid"),
    ('<"no body"@example.org>', REFUSED, "body"),
    ('<"a\\"b\\\\c@d"@example.org>', REFUSED, "@d"),
    ("<100%@example.org>", REFUSED, "rcpt=<100%@example.org>"),
    ("<no+body@[192.0.2.1]>", REFUSED, "rcpt=<no+body@[192.0.2.1]>"),
    ("<j\u00fcrgen@eai.example>", REFUSED, "rgen@eai.example> status=invalid"),
    ("<j\u00fcrgen@b\u00fccher.example>", r"^reply 550 5\.1\.2 ", "reason=no_domain"),
    (f"<{LONG}>", r"^reply 553 5\.1\.3 ", f"rcpt=<{LONG}> status=invalid reason=bad_syntax"),
    ("<a@b@example.org>", r"^reply 553 5\.1\.3 ", "rcpt=<a@b@example.org>"),
    ("<bob@own.example>", "^continue$", "rcpt=<bob@own.example> status=unknown reason=skipped"),
    ("<bob@OWN.example.>", "^continue$", "status=unknown reason=skipped"),
    ("<bob>", "^continue$", ""), ("bob", "^continue$", ""), ("<postmaster>", "^continue$", ""),
    ("<>", "^continue$", ""),
)


def test_recipients(w):
    """Every form a recipient may have, bare and with ESMTP arguments behind it."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "eai.example. MX 10 mx1.eai.example.", "mx1.eai.example. A 192.0.2.2")
    w.servers(answering(UNKNOWN, times=scripted.ANY), scripted.script("192.0.2.2", EAI),
              ordered=False)
    d = w.milter({"local_domains": '{"own.example"}'})
    lines = 0
    with milter.session() as c:
        for recipient, expected, said in FORMS:
            for arguments in ((), ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;someone@else.example")):
                w.matches(f"{recipient} {arguments}", c.rcpt(recipient, *arguments), expected)
                if said:
                    lines += 1
                    w.until(f"the log of {recipient}", lambda n=lines: decisions(d)[n - 1:])
                    w.check(said in decisions(d)[lines - 1], f"{recipient}: {decisions(d)[-1]}")
    w.equal("decisions", len(decisions(d)), lines)
    d.wait_idle()


def test_what_the_mta_says(w):
    """{rcpt_addr} for what is no address as it was written; {rcpt_mailer} for the MTA's own
    recipients, but not against a route."""
    w.dns()
    servers = w.servers(answering(UNKNOWN, times=4), answering(UNKNOWN, address="192.0.2.9"), ordered=False)
    d = w.milter({'route "routed.example".to': '"[192.0.2.9]"'})
    with milter.session() as c:
        for text, made, mailer, expected in (
                ("<bob (Bob)@example.org>", "bob@example.org", "smtp", REFUSED),
                ('<"carl@example.org">', "carl@example.org", "smtp", REFUSED),
                ("<dot.@example.org>", '"dot."@example.org', "smtp", REFUSED),
                ("<.dot@example.org>", ".dot@example.org", "smtp", REFUSED),
                ("<postmaster>", "postmaster@example.org", "smtp", "^continue$"),
                ("<dan@example.org>", "dan@example.org", "virtual", "^continue$"),
                ("<eve@routed.example>", "eve@routed.example", "virtual", REFUSED)):
            c.macros("R", rcpt_addr=made, rcpt_mailer=mailer)
            w.matches(f"{text} {mailer}", c.rcpt(text), expected)
    for said in ('"dot."@example.org', '".dot"@example.org'):
        w.check(any(f"RCPT TO:<{said}>" in talk.commands for talk in servers.conversations), said)
    d.wait_idle()


def test_percent_in_reply(w):
    """Sendmail and Postfix take a reply for a format: percent signs in it are doubled."""
    w.dns()
    w.servers(answering("550 5.1.1 100% wrong: %s%n %d"))
    d = w.milter({"reply.no_mailbox": '"50%% of %{recipient}: %{remote_reply}"'})
    with milter.session() as c:
        w.equal("reply", c.rcpt("<100%s@example.org>").text,
                "550 5.1.1 50%% of 100%%s@example.org: 100%% wrong: %%s%%n %%d")
    d.wait_idle()


def test_client_addresses(w):
    """Whether it is outbound, by the address or, where a connection has none, by {client_addr}."""
    w.dns()
    w.servers(answering(UNKNOWN))
    d = w.milter({"networks": '{"192.0.2.0/24", "2001:db8:1::/48"}'})
    for connect, client_addr, outbound in (
            (("mx", "4", "192.0.2.7", 25), "", True), (("mx", "4", "198.51.100.9", 25), "", False),
            (("mx", "6", "IPv6:2001:db8:1::7", 25), "", True),
            (("mx", "6", "IPv6:2001:db8:2::7", 25), "", False),
            (("mx", "L", "/run/client"), "", False), (("mx", "U"), "", False),
            (("mx", "U"), "192.0.2.7", True), (("mx", "U"), "198.51.100.9", False)):
        with milter.Connection() as c:
            c.negotiate()
            if client_addr:
                c.macros("C", client_addr=client_addr)
            c.connect(*connect)
            c.mail()
            w.matches(f"{connect} {client_addr}", c.rcpt("<nobody@example.org>"),
                      REFUSED if outbound else "^continue$")
    d.wait_idle()


def test_unix_socket(w):
    """A unix socket of the configured mode, in place of a stale one; gone at the end."""
    path = os.path.join(w.workdir, "milter")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    w.dns()
    w.servers(answering(UNKNOWN))
    d = w.milter({"milter.listen": f'"unix:{path}"', "socket_mode": "0600"})
    w.equal("mode", oct(os.stat(path).st_mode & 0o777), "0o600")
    with milter.session(path) as c:
        w.matches("over unix", c.rcpt("<nobody@example.org>"), REFUSED)
    d.wait_idle()
    w.problems += d.stop()
    w.check(not os.path.exists(path), "the unix socket was left behind")


def test_reload(w):
    """What a reload changes holds for the next recipient of a connection that is open."""
    w.dns()
    w.servers(answering(UNKNOWN))
    d = w.milter()
    with milter.session() as c:
        w.matches("enforced", c.rcpt("<nobody@example.org>"), REFUSED)
        d.write_conf(mode="monitor")
        d.kill(signal.SIGHUP)
        d.wait_notified("READY=1")
        w.equal("monitored", str(c.rcpt("<nobody@example.org>")), "continue")
        with client.PolicyClient() as p:
            w.equal("by the policy service", p.ask("nobody@example.org"), "DUNNO")
    d.wait_idle()
