"""How gently others are asked: limits of a destination, sessions that are kept, the queue, pauses after
trouble, the breaker, and bulk runs that stop."""
import calendar
import signal
import threading
import time

from harness import client, hostile, namespace

MX, OTHER = "192.0.2.1", "192.0.2.2"
BLOCKED = "550 5.7.1 Your IP is blocked, see our postmaster page"
NO_SUCH = "550 5.1.1 User unknown"
STRANGER = {"client_address": "198.51.100.9"}
POLITE = {"limit.connections": "2", "limit.per_connection": "20", "limit.rate": '"1000/s"',
          "timeout.idle": "30s"}
ONE = {**POLITE, "limit.connections": "1"}
PAUSE_LEAST = 3.75  # seconds: PACE_PAUSE_FIRST without its jitter
ALARM = "error: ALARM: "


def zone(*destinations):
    """Records of (host, address, domain, …): its domains have that host as their MX."""
    return [f"{host}. A {address}" for host, address, *_ in destinations] + \
        [f"{name}. MX 10 {host}." for host, _address, *names in destinations for name in names]


def usual_zone(domains=12):
    """Domains of mx1.big.example, and well.example, which is somebody else's."""
    return zone(("mx1.big.example", MX, *(f"d{n}.example" for n in range(domains))),
                ("mx.calm.example", OTHER, "well.example"))


def world(w, settings, *rules, allowed=(), **options):
    """The server of big.example, and a daemon."""
    server, _calm, d = two_servers(w, settings, *rules, allowed=allowed, **options)
    return server, d


def two_servers(w, settings, *rules, allowed=(), **options):
    """The same with the server of well.example."""
    w.dns(*usual_zone())
    server = w.run(hostile.Server([MX], *rules, **options))
    calm = w.run(hostile.Server([OTHER], name="mx.calm.example"))
    return server, calm, w.daemon(settings, allowed)


def people(count, domains=3, start=0):
    return [f"u{n}@d{n % domains}.example" for n in range(start, start + count)]


def ask(d, recipient, **parameters):
    return client.ask_all(d.control, [recipient], **parameters)[0].verdict


def told(verdict):
    return verdict["status"] + "/" + verdict["reason"]


def kinds(answers):
    return sorted({told(a.verdict) for a in answers})


def destination(d, name="mx/big.example"):
    """What the status says of it; {} where there is nothing to tell."""
    return next((x for x in d.status()["destinations"] if x["name"] == name), {})


def waiting(d):
    return destination(d).get("waiting", 0)


class Asking:
    """Asks in a thread."""

    def __init__(self, d, recipients, connections=100, **parameters):
        self.answers = None
        self._work = lambda: client.ask_all(d.control, recipients, connections, **parameters)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        self.answers = self._work()

    def result(self):
        self._thread.join()
        return self.answers


def quiet(w, d):
    """No callout is under way; sessions may be kept."""
    w.until("nothing is under way", lambda: d.status()["flights"] == 0)


def until_stale(w, verdict):
    due = calendar.timegm(time.strptime(verdict["refresh_at"], "%Y-%m-%dT%H:%M:%SZ"))
    w.until("it is stale", lambda: time.time() >= due)


class Together:
    """Lets so many recipients wait for each other; the last of them is answered by `last`."""

    def __init__(self, count, reply, last):
        self.count, self.reply, self.last, self.conns = count, reply, last, []

    def rcpt(self, conn, _recipient):
        self.conns.append(conn)
        if len(self.conns) < self.count:
            return hostile.SILENCE
        for other in self.conns[:-1]:
            other.speak(self.reply)
        return self.last


class Held:
    """Keeps the first recipient waiting, and with it everything else at that server, until released."""

    def __init__(self):
        self.here, self._released = threading.Event(), threading.Event()

    def rcpt(self, conn, _recipient):
        if not conn.server.recipients:
            self.here.set()
            self._released.wait(hostile.PATIENCE)

    def release(self):
        self._released.set()


def asked(server):
    return [r.address for r in list(server.recipients)]


# Limits


def within_limits(w, server, answers, rate, burst):
    """However slow or fast everybody is: the bucket's worth, and what was on its way."""
    w.equal("answers", kinds(answers), ["valid/mailbox_exists"])
    w.equal("each once", sorted(asked(server)), sorted(a.address for a in answers))
    w.check(server.most_connections() <= 2, f"{server.most_connections()} connections")
    most = max(len(c.recipients) for c in server.connections)
    w.check(most <= 20, f"{most} recipients on one connection")
    for seconds in (0.2, 1, 2):
        most = server.most_recipients(seconds)
        w.check(most <= rate * seconds + burst + 2, f"{most} recipients in {seconds} s")


LIMITED = {**POLITE, "limit.rate": '"100/s"', "limit.burst": "5"}


def test_limits_of_a_destination(w):
    """50 domains of one destination have one budget: connections, recipients on each, rate."""
    w.dns(*zone(("mx1.big.example", MX, *(f"d{n}.example" for n in range(50))),
                ("mx2.big.example", OTHER, *(f"d{n}.example" for n in range(50)))))
    server = w.run(hostile.Server([MX, OTHER]))
    d = w.daemon(LIMITED)
    within_limits(w, server, client.ask_all(d.control, people(200, 50), 200, bulk=1), 100, 5)


def test_limits_of_many_hosts(w):
    """The same where each of the domains has an MX of its own there."""
    w.dns(*zone(*((f"mx{n}.big.example", f"192.0.2.{n + 1}", f"d{n}.example") for n in range(50))))
    server = w.run(hostile.Server([f"192.0.2.{n + 1}" for n in range(50)]))
    d = w.daemon(LIMITED)
    within_limits(w, server, client.ask_all(d.control, people(200, 50), 200, bulk=1), 100, 5)


# Kept sessions


def test_kept_session(w):
    """One connection serves recipients of several domains of a destination; RSET, MAIL and RCPT go out
    in one write; it ends by QUIT."""
    ahead = []
    server, d = world(w, POLITE, hostile.On(rset=lambda c, _a: ahead.append(c.ahead)))
    for who in people(6):
        w.equal(who, told(ask(d, who)), "valid/mailbox_exists")
    w.equal("commands behind RSET", ahead, [2] * 5)
    w.equal("commands", server.connections[0].commands,
            [c for n, who in enumerate(people(6))
             for c in ("RSET" if n else "EHLO probe.example.net", "MAIL FROM:<>", f"RCPT TO:<{who}>")])
    w.problems += d.stop()
    server.wait("it ends", lambda: not server.open())
    w.equal("ends", [c.how for c in server.connections], ["quit"])


def test_kept_session_one_by_one(w):
    """The same without PIPELINING: each command waits for the reply to the last."""
    server, d = world(w, POLITE, words=())
    for who in people(6):
        w.equal(who, told(ask(d, who)), "valid/mailbox_exists")
    w.equal("connections", [len(c.recipients) for c in server.connections], [6])


def test_idle_session_ends(w):
    """Whom nobody needs any more for timeout.idle gets QUIT; the next recipient a new connection."""
    server, d = world(w, {**POLITE, "timeout.idle": "200ms"})
    ask(d, "a@d0.example")
    server.wait("it ends", lambda: not server.open())
    ask(d, "b@d1.example")
    server.wait("it ends", lambda: not server.open())
    w.equal("ends", [(c.how, len(c.recipients)) for c in server.connections], [("quit", 1)] * 2)


STALE = {
    "closed at RSET": hostile.On(rset=hostile.HANG_UP),
    "reset at RSET": hostile.On(rset=hostile.RESET),
    "421 at RSET": hostile.On(rset="421 4.4.2 Idle too long"),
    "refused RSET": hostile.On(rset=lambda c, _a: setattr(c, "sender", None) or "502 5.5.1 What?"),
    "closed at MAIL": hostile.On(mail=lambda c, _a: hostile.HANG_UP if c.transactions else None),
    "421 at MAIL": hostile.On(mail=lambda c, _a: "421 4.4.2 Bye" if c.transactions else None),
    "452 at MAIL": hostile.On(mail=lambda c, _a: "452 4.5.3 Enough" if c.transactions else None),
    "closed at RCPT": hostile.On(rcpt=lambda c, _a: hostile.HANG_UP if c.recipients else None),
    "reset at RCPT": hostile.On(rcpt=lambda c, _a: hostile.RESET if c.recipients else None),
}


def test_session_lost_when_asked(w):
    """A kept session that is of no use any more, however that shows, is no failure of the recipient,
    who is asked about on a fresh one."""
    server, d = world(w, POLITE)
    for number, (how, rule) in enumerate(STALE.items()):
        server.hang_up()
        w.until("no session is kept", lambda: d.status()["sessions"] == 0)
        w.equal("before", told(ask(d, f"a{number}@d0.example")), "valid/mailbox_exists")
        before = len(server.connections)
        server.rules = [rule]
        w.equal(how, told(ask(d, f"b{number}@d1.example")), "valid/mailbox_exists")
        server.rules = []
        for n in range(6):
            w.equal(f"after {how}", told(ask(d, f"c{number}@d{n}.example")), "valid/mailbox_exists")
        w.equal(f"{how}: recipients of the fresh one", recipients(server)[before:], [7])
    w.equal("trouble", destination(d), {})


def test_session_lost_meanwhile(w):
    """The same where the server goes between two recipients."""
    server, d = world(w, POLITE)
    for n, how in enumerate((hostile.HANG_UP, hostile.RESET, "421 4.4.2 Idle too long",
                             "421 4.3.2 Restarting")):
        w.equal("before", told(ask(d, f"a{n}@d0.example")), "valid/mailbox_exists")
        server.hang_up(how)
        w.equal(f"after {how!r}", told(ask(d, f"b{n}@d1.example")), "valid/mailbox_exists")
        server.hang_up()
        w.until("noticed", lambda: d.status()["sessions"] == 0)
    w.equal("trouble", destination(d), {})


def test_deadline_on_a_kept_session(w):
    """Silence on a kept session until the callout's time is over is a timeout; no new session is made in
    vain."""
    silent = hostile.On(rcpt=lambda _c, who: hostile.SILENCE if who.startswith("b@") else None)
    server, d = world(w, {**POLITE, "timeout.callout": "3s"}, silent)
    w.equal("answered", told(ask(d, "a@d0.example")), "valid/mailbox_exists")
    w.equal("silence", told(ask(d, "b@d1.example")), "deferred/timeout")
    quiet(w, d)
    w.equal("recipients", [len(c.recipients) for c in server.connections], [2])


def ask_in_turn(w, d, count, **parameters):
    for who in people(count):
        w.equal(who, told(ask(d, who, **parameters)), "valid/mailbox_exists")


def recipients(server):
    return [len(c.recipients) for c in server.connections]


def test_server_limits_transactions(w):
    """MAILMAX is kept to (RFC 9422)."""
    server, d = world(w, POLITE, hostile.Limits(mails=3))
    ask_in_turn(w, d, 7)
    w.equal("transactions", [c.transactions for c in server.connections], [3, 3, 1])


def test_server_limits_domains(w):
    """RCPTDOMAINMAX is kept to; the session goes on for the domains it has heard of."""
    server, d = world(w, ONE, hostile.Limits(domains=1))
    for who in ("a@d0.example", "b@d0.example", "c@d1.example", "d@d1.example", "e@d0.example"):
        w.equal(who, told(ask(d, who)), "valid/mailbox_exists")
    w.equal("recipients", recipients(server), [2, 2, 1])


def test_server_limits_recipients(w):
    """RCPTMAX is kept to: made-up recipients are asked about in transactions of their own."""
    rule = hostile.On(rcpt=lambda _c, r: None if r.startswith("u") else NO_SUCH)
    server, d = world(w, {**POLITE, "catch_all.test": "always"}, hostile.Limits(recipients=1), rule)
    ask_in_turn(w, d, 3)
    w.check(len(server.recipients) > 3, "no made-up ones")
    w.equal("transactions", sum(c.transactions for c in server.connections), len(server.recipients))


def test_refusals_end_a_session(w):
    """After five recipients that do not exist a session is not used any more."""
    server, d = world(w, POLITE, hostile.On(rcpt=NO_SUCH))
    for who in people(12):
        w.equal(who, told(ask(d, who)), "invalid/no_mailbox")
    w.equal("recipients", recipients(server), [5, 5, 2])


def test_per_connection(w):
    """So many recipients and no more on a connection; a reload changes that, also of kept sessions."""
    server, d = world(w, {**POLITE, "limit.per_connection": "3"})
    ask_in_turn(w, d, 8)
    w.equal("recipients", recipients(server), [3, 3, 2])
    d.write_conf(**{"limit.per_connection": "5"})
    d.kill(signal.SIGHUP)
    d.wait_log("reload: done")
    for who in people(4, start=8):
        ask(d, who)
    w.equal("after the reload", recipients(server), [3, 3, 5, 1])


def test_learned_recipients_per_connection(w):
    """A server that ends sessions after so many recipients is not brought to it again."""
    server, d = world(w, POLITE, hostile.Counted(hostile.after(3), "421 4.7.0 Enough", of="connection"))
    ask_in_turn(w, d, 3)
    w.equal("one too many", told(ask(d, "x@d0.example")), "deferred/rate_limited")
    w.until("the pause ends", lambda: told(ask(d, "x@d0.example")) == "valid/mailbox_exists")
    for who in people(8, start=3):
        w.equal(who, told(ask(d, who)), "valid/mailbox_exists")
    w.equal("recipients", recipients(server), [4, 3, 3, 3])


def test_reload_with_kept_sessions(w):
    """With another helo_name a session of before is not used any more."""
    server, d = world(w, POLITE, allowed=["does not resolve"])
    ask(d, "a@d0.example")
    d.write_conf(helo_name='"other.example.net"')
    d.kill(signal.SIGHUP)
    d.wait_log("reload: done")
    w.equal("answer", told(ask(d, "b@d0.example")), "valid/mailbox_exists")
    w.equal("HELO", [(r.address, r.helo) for r in server.recipients],
            [("a@d0.example", "probe.example.net"), ("b@d0.example", "other.example.net")])


# The queue


class Queue:
    """At a server that takes its time over the first recipient, with one connection, others wait."""

    def __init__(self, w, d, server):
        self.w, self.d, self.server = w, d, server
        self.held, self.askings = Held(), []
        self.count = 0
        server.rules = [self.held]

    def begin(self, **parameters):
        """The first of them is at the server."""
        self.askings.append(Asking(self.d, ["first@d0.example"], **parameters))
        self.held.here.wait(hostile.PATIENCE)

    def join(self, *recipients, **parameters):
        """These in this order; returns when they wait."""
        for who in recipients:
            self.askings.append(Asking(self.d, [who], **parameters))
            self.count += 1
            self.w.until(f"{who} waits", lambda: waiting(self.d) == self.count)

    def end(self):
        """Lets it go on; what became of each."""
        self.held.release()
        return [told(a.verdict) for asking in self.askings for a in asking.result()]


def test_who_goes_first(w):
    """Whom somebody waits for is asked before refreshes of what is known, and those before bulk."""
    server, d = world(w, {**ONE, "cache.valid": "{1s, 31d}"})
    known = ask(d, "known@d0.example")
    until_stale(w, known)
    server.recipients.clear()
    q = Queue(w, d, server)
    q.begin(bulk=1)
    q.join("b1@d0.example", "b2@d1.example", bulk=1)
    w.equal("stale", ask(d, "known@d0.example")["source"], "store")
    q.count += 1
    q.join("i1@d2.example", "i2@d0.example")
    q.join("b3@d0.example", bulk=1)
    w.equal("answers", q.end(), ["valid/mailbox_exists"] * 6)
    quiet(w, d)
    w.equal("order", [who.split("@")[0] for who in asked(server)],
            ["first", "i1", "i2", "known", "b1", "b2", "b3"])


def test_hurry(w):
    """Who joins the callout of a bulk run, and waits for it, takes it to the front."""
    server, d = world(w, ONE)
    q = Queue(w, d, server)
    q.begin(bulk=1)
    q.join(*(f"b{n}@d0.example" for n in range(4)), bulk=1)
    q.askings.append(Asking(d, ["b3@d0.example"]))
    w.until("it has joined", lambda: d.status()["waiters"] == 6)
    w.equal("answers", q.end(), ["valid/mailbox_exists"] * 6)
    w.equal("order", [who.split("@")[0] for who in asked(server)], ["first", "b3", "b0", "b1", "b2"])


def test_reload_amid_the_queue(w):
    """Who is at the server, and who waits, goes on by what held when they came, however often that is
    replaced meanwhile; who comes then is asked about by what holds then."""
    server, d = world(w, ONE, allowed=["does not resolve|takes no mail"])
    q = Queue(w, d, server)
    q.begin()
    q.join("b@d0.example", "c@d1.example")
    for name in ("x", "y"):
        with open(f"{w.workdir}/providers.conf", "w", encoding="utf-8") as f:
            f.write(f'provider "{name}" {{ mx = "*.big.example" note = "a test" }}\n')
        d.write_conf(helo_name=f'"{name}.example.net"', probe_sender=f'"probe@{name}.example.net"')
        before = d.log().count("reload: done")
        d.kill(signal.SIGHUP)
        w.until("reloaded", lambda: d.log().count("reload: done") > before)
    w.equal("answers", q.end(), ["valid/mailbox_exists"] * 3)
    w.equal("after", told(ask(d, "d@d2.example")), "valid/mailbox_exists")
    w.equal("HELO", [(r.address.split("@")[0], r.helo) for r in list(server.recipients)],
            [(who, "probe.example.net") for who in ("first", "b", "c")] + [("d", "y.example.net")])


def test_no_turn_in_time(w):
    """Whose turn does not come within timeout.callout is deferred/rate_limited, and asked about the next
    time: nothing of it is stored."""
    server, d = world(w, {**ONE, "limit.rate": '"1/m"', "limit.burst": "1", "timeout.callout": "20s"})
    w.equal("the first", told(ask(d, "a@d0.example")), "valid/mailbox_exists")
    verdict = ask(d, "b@d0.example")
    w.equal("the next", told(verdict), "deferred/rate_limited")
    w.matches("detail", verdict["detail"], "^no turn at mx/big.example in time$")
    w.equal("the same at another destination", told(ask(d, "b@nowhere.example")), "invalid/no_domain")
    d.write_conf(**{"limit.rate": '"1000/s"', "limit.burst": "100"})
    d.kill(signal.SIGHUP)
    d.wait_log("reload: done")
    w.equal("once more", told(ask(d, "b@d0.example")), "valid/mailbox_exists")
    w.equal("asked", asked(server), ["a@d0.example", "b@d0.example"])
    quiet(w, d)


def test_deadline_of_a_waiter(w):
    """A client's own deadline in the queue ends its wait, not its callout's."""
    server, d = world(w, {**ONE, "wait": "300ms"})
    q = Queue(w, d, server)
    q.begin()
    with client.PolicyClient() as c:
        w.equal("policy", c.ask("a@d1.example"), "DUNNO")
    d.wait_log("rcpt=<a@d1.example> status=deferred reason=pending")
    w.equal("still waits", waiting(d), 1)
    q.end()
    w.until("asked", lambda: "a@d1.example" in asked(server))
    quiet(w, d)


def test_max_waiting(w):
    """More than that wait for nothing: they are told overload."""
    server, d = world(w, {**ONE, "limit.max_waiting": "3"}, allowed=["max_waiting: 3 clients wait"])
    q = Queue(w, d, server)
    q.begin()
    q.join("a@d0.example", "b@d0.example")
    w.equal("one more", told(ask(d, "c@d0.example")), "unknown/overload")
    w.equal("answers", q.end(), ["valid/mailbox_exists"] * 3)


def test_total_over_kept_sessions(w):
    """A session that is only kept makes room for another destination where `total` is used up."""
    server, calm, d = two_servers(w, {**POLITE, "limit.total": "1"})
    for who, at in (("a@d0.example", server), ("b@well.example", calm), ("c@d0.example", server)):
        w.equal(who, told(ask(d, who)), "valid/mailbox_exists")
        for s in (server, calm):  # which hear of the end of a connection by and by
            s.wait("one is open, at the one that was asked", lambda s=s: len(s.open()) == (s is at))
    w.check(hostile.most_at_one_time(server.connections + calm.connections) == 1, "two at a time")


def test_total_is_shared(w):
    """Where `total` is used up, a destination with a long queue does not keep out another."""
    server, calm, d = two_servers(w, {**ONE, "limit.total": "1"})
    q = Queue(w, d, server)
    q.begin()
    q.join(*(f"q{n}@d{n % 3}.example" for n in range(60)))
    q.askings.append(Asking(d, ["a@well.example"]))
    w.until("it waits", lambda: waiting_at_all(d) == 61)
    q.held.release()
    w.equal("answers", sorted(set(q.end())), ["valid/mailbox_exists"])
    w.check(calm.recipients[0].at < server.recipients[-1].at, "only after the whole queue")
    most = hostile.most_at_one_time(server.connections + calm.connections)
    w.check(most == 1, f"{most} connections")


def waiting_at_all(d):
    return sum(x["waiting"] for x in d.status()["destinations"])


# Trouble


TROUBLE = {
    "421": hostile.Counted(hostile.after(10), "421 4.7.0 Too much mail from you", of="connection"),
    "421 4.7.28": hostile.Counted(hostile.after(5), "421 4.7.28 Rate limit exceeded"),
    "450 4.7.28": hostile.Counted(hostile.after(5), "450 4.7.28 Rate limit exceeded"),
}


class Neighbour:
    """Somebody else's recipients, asked about all the time."""

    def __init__(self, w, d):
        self.w, self.d = w, d
        self._stop = threading.Event()
        self.answers = []
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self):
        n = 0
        while not self._stop.is_set():
            self.answers.append(client.ask_all(self.d.control, [f"n{n % 100}@well.example"], fresh=1)[0])
            n += 1

    def end(self):
        self._stop.set()
        self._thread.join()
        self.w.equal("the neighbour's", kinds(self.answers), ["valid/mailbox_exists"])


def slowed_down(w, rule):
    """Who slows us down has peace for a while, and less at a time after it; nothing becomes invalid, and
    others do not notice."""
    server, d = world(w, POLITE, rule)
    calm = Neighbour(w, d)
    answers = client.ask_all(d.control, people(60), 4)
    began = time.monotonic()
    w.equal("answers", kinds(answers), ["deferred/rate_limited", "valid/mailbox_exists"])
    x = destination(d)
    w.equal("status", [x.get("level"), x.get("breaker"), x.get("reason"), "until" in x],
            [1, "closed", "rate_limited", True])
    before = len(server.recipients)
    said = max(r.at for r in server.recipients if not hostile.accepts(r.reply))
    verdict = ask(d, "x@d0.example")
    w.equal("in the pause", [told(verdict), verdict["source"]], ["deferred/rate_limited", "store"])
    w.check(began > said + PAUSE_LEAST or len(server.recipients) == before, "asked in the pause")
    server.rules = []
    w.until("the pause ends", lambda: told(ask(d, "x@d0.example")) == "valid/mailbox_exists")
    w.check(server.tries("x@d0.example")[0].at >= said + PAUSE_LEAST, "too early")
    w.equal("then", kinds(client.ask_all(d.control, people(9, start=60), 9)), ["valid/mailbox_exists"])
    w.equal("level", destination(d), {})
    d.wait_log("mx/big.example: level 0 again")
    calm.end()


def test_421(w):
    """A server that says 421 after 10 recipients of a session."""
    slowed_down(w, TROUBLE["421"])


def test_throttle_421(w):
    """One that says 421 4.7.28 at some time."""
    slowed_down(w, TROUBLE["421 4.7.28"])


def test_throttle_450(w):
    """One that says 450 4.7.28 and goes on listening."""
    slowed_down(w, TROUBLE["450 4.7.28"])


def test_queue_in_trouble(w):
    """Those who wait when trouble comes are answered at once."""
    server, d = world(w, ONE)
    q = Queue(w, d, server)
    server.rules = [q.held, hostile.On(rcpt="421 4.7.28 Rate limit exceeded")]
    q.begin()
    q.join(*people(5))
    q.join(*people(5, start=5), bulk=1)
    w.equal("answers", q.end(), ["deferred/rate_limited"] * 11)
    w.equal("asked", asked(server), ["first@d0.example"])


def test_pause_widens(w):
    """Trouble after the pause makes a longer one, and leaves less."""
    server, d = world(w, POLITE, hostile.On(greeting="421 4.7.0 Too many connections"))
    ask(d, "a@d0.example")
    w.equal("level", destination(d)["level"], 1)
    first = len(server.connections)
    w.until("asked once more", lambda: ask(d, "b@d0.example") and len(server.connections) > first)
    w.until("level 2", lambda: destination(d).get("level") == 2)
    at = [c.began for c in server.connections]
    w.check(at[first] - at[first - 1] >= PAUSE_LEAST, f"too early: {at}")
    m = d.wait_log(r"mx/big\.example slows us down: .* level=2")
    w.check(m, "not in the log")
    w.equal("asked", asked(server), [])


def test_no_connection(w):
    """The second callout in a row that came to no connection makes a pause, while others can be connected
    to, one connection for each recipient; it is not held against them."""
    server, d = world(w, {**POLITE, "timeout.connect": "1s", "limit.per_connection": "1"})
    namespace.swallow(MX)
    calm = Neighbour(w, d)
    w.equal("answers", kinds(client.ask_all(d.control, people(2), 2)), ["deferred/unreachable"])
    x = destination(d)
    w.equal("status", [x.get("level"), x.get("reason")], [1, "unreachable"])
    namespace.deliver(MX)
    w.equal("in the pause", told(ask(d, "x@d0.example", fresh=1)), "deferred/unreachable")
    w.equal("connections", len(server.connections), 0)
    w.until("the pause ends", lambda: told(ask(d, "x@d0.example", fresh=1)) == "valid/mailbox_exists")
    calm.end()


def committed(w, d):
    """What was stored until now has reached the disk."""
    w.until("it is in the store", lambda: ask(d, "any@nowhere.example")["source"] == "store")


def killed(w, d, *servers):
    for s in servers:
        s.forgiving = True
    w.problems += d.stop(signal.SIGKILL)


def test_pause_survives(w):
    """kill -9 does not end a pause."""
    server, d = world(w, POLITE, hostile.On(rcpt="450 4.7.28 Rate limit exceeded"))
    w.equal("before", told(ask(d, "a@d0.example")), "deferred/rate_limited")
    d.wait_log("level=1")
    committed(w, d)
    killed(w, d, server)
    said = server.recipients[0].at
    d.start()
    w.equal("after", told(ask(d, "b@d0.example")), "deferred/rate_limited")
    w.check(time.monotonic() > said + PAUSE_LEAST or len(server.recipients) == 1, "asked in the pause")
    w.equal("level", destination(d).get("level"), 1)


# The breaker


def breaker_is_open(w, d, stage, text):
    d.wait_log(ALARM + "mx/big.example refuses us: no callouts there for [0-9]+ s: "
               f"mx=mx1.big.example stage={stage} code=55[04]: {text}")
    x = destination(d)
    w.equal("status", [x.get("breaker"), x.get("reply"), "until" in x], ["open", text, True])
    w.matches("healthz", client.control_get(d.control, "/healthz")[1],
              f"^degraded\\n(.*\\n)*mx/big.example refuses us: {text}")


def test_blocked_at_the_greeting(w):
    """Who refuses us at the greeting is left alone: at once, also after kill -9, with an alarm. What is
    known is still told, and others are still asked. Nothing of it is held against a recipient."""
    text = "Your IP is blocked"
    server, d = world(w, POLITE, hostile.On(greeting="554 5.7.1 " + text), allowed=[ALARM])
    server.rules.append(server.rules.pop())
    w.equal("blocked", told(ask(d, "a@d0.example")), "unknown/blocked")
    breaker_is_open(w, d, "greeting", text)
    server.rules = []
    committed(w, d)
    killed(w, d, server)
    d.start()
    calm = Neighbour(w, d)
    w.equal("status", destination(d).get("breaker"), "open")  # before anybody asks there
    verdict = ask(d, "b@d1.example")
    w.equal("after kill -9", [told(verdict), verdict["source"], verdict["reply"]["text"]],
            ["unknown/blocked", "store", text])
    w.equal("connections", len(server.connections), 1)
    w.equal("asked on purpose", told(ask(d, "b@d1.example", fresh=1)), "valid/mailbox_exists")
    d.wait_log("mx/big.example takes us again")
    w.equal("the next one", told(ask(d, "c@d2.example")), "valid/mailbox_exists")
    calm.end()


def test_blocked_at_rcpt(w):
    """Refusals of us at RCPT: the second in a row opens the breaker."""
    server, d = world(w, ONE, hostile.Counted(hostile.after(30), BLOCKED), allowed=[ALARM])
    calm = Neighbour(w, d)
    answers = client.ask_all(d.control, people(60), 4)
    w.equal("answers", kinds(answers), ["unknown/blocked", "valid/mailbox_exists"])
    w.equal("asked", len(server.recipients), 32)
    breaker_is_open(w, d, "rcpt", BLOCKED[10:])
    w.equal("store", told(ask(d, asked(server)[0])), "valid/mailbox_exists")
    server.wait("they end", lambda: not server.open())
    w.equal("ends", {c.how for c in server.connections}, {"quit"})
    calm.end()


def test_one_refusal_between(w):
    """A refusal of us at RCPT between answers is one domain's own."""
    server, d = world(w, POLITE, hostile.Counted(hostile.every(2), BLOCKED))
    got = [told(ask(d, f"u{n}@d{n}.example")) for n in range(8)]
    w.equal("answers", got, ["valid/mailbox_exists", "unknown/blocked"] * 4)
    w.equal("trouble", destination(d), {})


def lost_meanwhile(w, reply, **options):
    """Of three kept sessions two hear this; the third is lost behind that, with its recipient. What the
    three hear."""
    server, d = world(w, {**POLITE, "limit.connections": "3"}, Together(3, "250 Ok", "250 Ok"), **options)
    w.equal("before", kinds(client.ask_all(d.control, people(3), 3)), ["valid/mailbox_exists"])
    w.equal("connections", len(server.open()), 3)
    server.rules = [Together(3, reply, hostile.SILENCE)]
    asking = Asking(d, people(3, start=3))
    server.wait("all are asked", lambda: len(server.recipients) == 6)
    w.until("there is trouble", lambda: "until" in destination(d))
    server.rules = []
    server.hang_up()
    answers = asking.result()
    w.equal("connections", len(server.connections), 3)
    return [told(a.verdict) for a in answers]


def test_lost_while_blocked(w):
    """A session that is lost when the breaker has just opened is not made again."""
    w.equal("answers", lost_meanwhile(w, BLOCKED, allowed=[ALARM]), ["unknown/blocked"] * 3)


def test_lost_in_a_pause(w):
    """Nor in a pause."""
    w.equal("answers", lost_meanwhile(w, "450 4.7.28 Rate limit exceeded"), ["deferred/rate_limited"] * 3)


def test_another_source_does_not_get_round(w):
    """What refuses one of our addresses is not asked from another."""
    sources = ("203.0.113.10", "203.0.113.11", "203.0.113.12")
    settings = {**POLITE, "source_addresses": "{" + ", ".join(f'"{s}"' for s in sources) + "}"}
    server, d = world(w, settings, hostile.On(greeting="554 5.7.1 Your IP is blocked"), allowed=[ALARM])
    answers = [ask(d, who) for who in people(30)]
    w.equal("answers", sorted({told(v) for v in answers}), ["unknown/blocked"])
    w.equal("connections", len(server.connections), 1)
    w.check(server.connections[0].source in sources, f"from {server.connections[0].source}")


# Bulk


def test_bulk_pauses(w):
    """A bulk run stops where more than 20 % of the last 50 recipients do not exist, and says so; who
    asks for one recipient is still answered."""
    rule = hostile.Counted(hostile.every(4), NO_SUCH)
    server, d = world(w, POLITE, rule, allowed=["warning: bulk: pauses at mx/big.example for 600 s: of the "
                                                "last 50 recipients 1[0-9] do not exist"])
    answers = client.ask_all(d.control, people(100), 2, bulk=1)
    kept = [told(a.verdict) for a in answers]
    w.check(50 <= len(server.recipients) <= 53, f"{len(server.recipients)} asked")
    w.equal("told to wait", kept.count("deferred/rate_limited"), 100 - len(server.recipients))
    w.matches("detail", answers[-1].verdict["detail"], "^bulk pauses at mx/big.example: ")
    d.wait_log("warning: bulk: pauses at mx/big.example")
    w.equal("status", destination(d)["bulk_pauses"], True)
    server.rules = []
    w.equal("interactive", told(ask(d, "x@d0.example")), "valid/mailbox_exists")
    w.equal("bulk", told(ask(d, "y@d0.example", bulk=1)), "deferred/rate_limited")
    w.equal("the same, not for bulk", told(ask(d, "y@d0.example")), "valid/mailbox_exists")


def test_bulk_goes_on(w):
    """With 20 % and less it does not stop."""
    server, d = world(w, POLITE, hostile.Counted(hostile.every(5), NO_SUCH))
    client.ask_all(d.control, people(100), 2, bulk=1)
    w.equal("asked", len(server.recipients), 100)


# Third parties


def test_no_third_parties(w):
    """Mail of strangers makes no callout but to domains of our own, whatever the store knows."""
    ours = w.run(hostile.Server(["192.0.2.3"]))
    server, d = world(w, {**POLITE, "route \"ours.example\".to": '"[192.0.2.3]:25"',
                          "cache.valid": "{1s, 31d}"})
    until_stale(w, ask(d, "known@d0.example"))
    with client.PolicyClient() as c:
        for who in ("known@d0.example", "a@d1.example", "b@well.example"):
            w.equal(who, c.ask(who, sender="x@d2.example", **STRANGER), "DUNNO")
        w.equal("ours", c.ask("bob@ours.example", sender="x@d2.example", **STRANGER), "DUNNO")
    quiet(w, d)
    w.equal("asked", [asked(server), asked(ours)], [["known@d0.example"], ["bob@ours.example"]])
