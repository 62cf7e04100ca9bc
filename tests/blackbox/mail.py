"""The main job, on real mail servers: Postfix asks, and Postfix, Exim and OpenSMTPD are asked."""
import re
import signal

from harness import mailworld, peers, scripted

DEAD = ("dead.example. MX 10 mx1.dead.example.", "dead.example. MX 20 mx2.dead.example.",
        "mx1.dead.example. A 192.0.2.91", "mx2.dead.example. A 192.0.2.92")
OTHERS = ("null.example. MX 0 .", "broken.example. SERVFAIL",
          "mute.example. MX 10 mx.mute.example.", "mx.mute.example. A 192.0.2.93",
          "a.null.example. A 192.0.2.99")
LONG = "a" * 65 + "@postfix.example"

CERTAIN = {
    "bob@postfix.example": r"250 2\.1\.5 ",
    "bob@exim.example": r"250 2\.1\.5 ",
    "bob@opensmtpd.example": r"250 2\.1\.5 ",
    "nobody@postfix.example": r"550 5\.1\.1 ",
    "nobody@exim.example": r"550 5\.1\.1 ",
    "nobody@opensmtpd.example": r"550 5\.1\.1 ",
    "bob@nowhere.example": r"550 5\.1\.2 ",
    "bob@null.example": r"556 5\.1\.(10|0) ",
    LONG: r"553 5\.1\.3 ",
}
DEFERRED = {
    "bob@broken.example": r"450 4\.4\.3 ",
    "bob@dead.example": r"450 4\.4\.1 ",
    "bob@mute.example": r"450 4\.4\.2 ",
}


def needs_root(function):
    function.needs_root = True
    return function


class Mail:
    """The servers, and what was seen of them."""

    def __init__(self, w, tls=False):
        self.w = w
        peers.prepare(w.workdir)
        w.dns(*mailworld.records(*DEAD, *OTHERS))
        self.mute = mailworld.mute("192.0.2.93")
        self.scripted = w.servers(self.mute, ordered=False)
        self.mx = [mailworld.postfix_mx(w.workdir, w.certs if tls else None),
                   mailworld.exim_mx(w.workdir), mailworld.opensmtpd_mx(w.workdir)]
        for mta in self.mx:
            w.start(mta)
        self.taps = [mailworld.tap(n) for n in range(len(self.mx))]
        for tap in self.taps:
            w._ends.append(tap.stop)
        self.front = w.start(mailworld.front(w.workdir))

    def connections(self):
        return [t.connections() for t in self.taps] + [self.mute.used]

    def expect(self, when, answers, expected):
        for recipient, pattern in expected.items():
            got = answers[recipient]
            self.w.check(re.match(pattern, got), f"{when}: {recipient}: {got!r}, not {pattern}")

    def end(self, daemon):
        """No DATA, and QUIT at the end of every session: by the relays and by the MTAs' logs."""
        self.front.stop()
        daemon.wait_idle()
        for tap in self.taps:
            self.w.problems += tap.problems()
        log = self.mx[0].log()
        self.w.check("data=" not in log, "Postfix saw DATA")
        for line in log.splitlines():
            if "disconnect from" in line:
                self.w.matches("Postfix's summary of a session", line, r"quit=1")
        self.w.check("lost connection" not in log, f"Postfix lost a connection: {log}")


@needs_root
def test_answers_and_store(w):
    """250, 550, 556, 553 as they should be; the second time, and after kill -9, without asking."""
    m = Mail(w)
    d = w.daemon({"timeout.greeting": "4s"})
    everyone = [*CERTAIN, *DEFERRED]
    accepted = {r: r"250 " for r in DEFERRED}
    first = mailworld.ask(everyone)
    m.expect("first", first, {**CERTAIN, **accepted})
    d.wait_idle(clients=mailworld.KEPT)
    asked = m.connections()
    w.equal("connections", asked, [2, 2, 2, 1])
    second = mailworld.ask(everyone)
    w.equal("the second time", second, first)
    d.wait_idle(clients=mailworld.KEPT)
    w.equal("connections then", m.connections(), asked)
    w.problems += d.stop(signal.SIGKILL)
    d.start()
    third = mailworld.ask(everyone)
    w.equal("after kill -9", third, first)
    d.write_conf(**{'action "outbound".deferred': "tempfail"})
    d.kill(signal.SIGHUP)
    d.wait_notified("READY=1")
    fourth = mailworld.ask(everyone)
    m.expect("with deferred = tempfail", fourth, {**CERTAIN, **DEFERRED})
    d.wait_idle(clients=mailworld.KEPT)
    w.equal("connections in the end", m.connections(), asked)
    m.end(d)


@needs_root
def test_pending_then_known(w):
    """`wait` ends before the callout does: 450 4.4.1, and the callout goes on behind it."""
    m = Mail(w)
    d = w.daemon({"wait": "300ms", "timeout.greeting": "2s",
                  'action "outbound".deferred': "tempfail"})
    got = mailworld.ask(["bob@mute.example"])
    m.expect("while it goes on", got, {"bob@mute.example": r"450 4\.4\.1 "})
    w.equal("flights", d.status()["flights"], 1)
    d.wait_idle(clients=mailworld.KEPT)
    got = mailworld.ask(["bob@mute.example"])
    m.expect("when it is known", got, {"bob@mute.example": r"450 4\.4\.2 "})
    w.equal("connections", m.connections()[3], 1)
    m.end(d)


@needs_root
def test_tls(w):
    """STARTTLS with a real Postfix."""
    m = Mail(w, tls=True)
    d = w.daemon()
    m.expect("under TLS", mailworld.ask(["bob@postfix.example", "nobody@postfix.example"]),
             {k: v for k, v in CERTAIN.items() if k.endswith("@postfix.example") and k != LONG})
    d.wait_idle(clients=mailworld.KEPT)
    m.mx[0].wait_log(r"ehlo=2 starttls=1 mail=1 rcpt=1 quit=1")
    d.wait_log(r"rcpt=<bob@postfix\.example> .*tls=TLSv1\.3")
    m.end(d)


@needs_root
def test_without_daemon(w):
    """default_action = DUNNO: where calloutd does not run, mail flows."""
    m = Mail(w)
    w.equal("answers", {a[:3] for a in mailworld.ask(["bob@postfix.example"]).values()}, {"250"})
    w.equal("connections", m.connections(), [0, 0, 0, 0])


@needs_root
def test_many_sessions(w):
    """40 SMTP sessions with the front at once: each of 39 recipients is asked about once."""
    import threading
    m = Mail(w)
    d = w.daemon()
    results = []

    def session(number):
        results.append(mailworld.ask([f"user{n}@{d}" for n in range(number % 7, number % 7 + 7)
                                      for d, _a, _p in mailworld.REAL]))

    threads = [threading.Thread(target=session, args=(n,)) for n in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    w.equal("sessions", len(results), 40)
    codes = {a[:9] for r in results for a in r.values()}
    w.equal("answers", codes, {"550 5.1.1"})
    d.wait_idle(clients=mailworld.KEPT)
    for tap, (domain, _address, _port) in zip(m.taps, mailworld.REAL):
        # who finds all connections in use is asked on one of them: of those there may be fewer
        w.equal(f"asked at {domain}", sorted(tap.asked()),
                sorted(f"user{n}@{domain}" for n in range(13)))
    m.end(d)
