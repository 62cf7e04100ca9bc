"""The milter under 300 connections at once. What times were measured is in the file `times` of the
test's directory (run -k); none is asserted."""
import os
import signal
import statistics
import threading

from harness import milter, scripted
from world import answering

CONNECTIONS = 300
UNKNOWN = "550 5.1.1 User unknown"
SLOW = ("slow1.example", "slow2.example", "slow3.example")
ZONE = ["example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1"]
ZONE += [line for n, domain in enumerate(SLOW)
         for line in (f"{domain}. MX 10 mx.{domain}.", f"mx.{domain}. A 192.0.2.{n + 2}")]
HITS = [f"<known{n}@example.org>" for n in range(20)]
MISSES = [f"<new{n}@example.org>" for n in range(60)]
NOBODIES = [f"<nobody@{domain}>" for domain in SLOW]
# Nobody is to be answered just because a slow machine took long.
PATIENT = {"wait": "100s", "timeout.greeting": "100s", "timeout.command": "100s",
           "timeout.callout": "120s", "limit.per_connection": "1"}


def threads(function):
    function.threads = True
    return function


class Load:
    """Connections that ask, each in a thread of its own, what `recipients(number)` yields. `answers`
    and `times` (ms) by recipient; `lost`: connections that ended, and at what recipient."""

    def __init__(self, recipients, connections=CONNECTIONS):
        self.recipients = recipients
        self.answers, self.times, self.lost = {}, {}, []
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,), daemon=True)
                         for n in range(connections)]
        for t in self._threads:
            t.start()

    def _ask(self, number):
        recipient = None
        try:
            with milter.session(client="127.0.0.1") as c:
                for recipient in self.recipients(number):
                    if self.stop.is_set():
                        break
                    answer = c.rcpt(recipient)
                    self.answers.setdefault(recipient, []).append(str(answer)[:15])
                    self.times.setdefault(recipient, []).append(answer.ms)
                c.quit()
        except (OSError, milter.Closed) as e:
            self.lost.append(f"{number}: {recipient}: {e}")

    def count(self):
        return sum(len(a) for a in list(self.answers.values()))

    def kinds(self):
        return {a for answers in self.answers.values() for a in answers}

    def running(self):
        return sum(t.is_alive() for t in self._threads)

    def end(self):
        """True when a thread hangs."""
        self.stop.set()
        for t in self._threads:
            t.join(120)
        return self.running() > 0

    def report(self, w, title):
        with open(os.path.join(w.workdir, "times"), "a", encoding="ascii") as f:
            for name, group in (("hits", HITS), ("misses", MISSES), ("slow", NOBODIES)):
                times = [t for r in group for t in self.times.get(r, [])]
                if times:
                    f.write(f"{title}: {name}: {len(times)} recipients, median "
                            f"{statistics.median(times):.0f} ms, longest {max(times)} ms\n")


def prepared(w, cut=""):
    """A server for any number of recipients, silent ones that wait for the test, and a daemon that
    knows HITS already."""
    w.dns(*ZONE)
    fast = answering(UNKNOWN, times=scripted.ANY, cut=cut)
    silent = [answering(UNKNOWN, address=f"192.0.2.{n + 2}", times=scripted.ANY, cut=cut)
              for n in range(len(SLOW))]
    for s in silent:
        s.lines.insert(0, ("S!", "hold"))
    w.servers(fast, *silent, ordered=False)
    d = w.milter(PATIENT)
    with milter.session() as c:
        for r in HITS:
            w.matches(r, c.rcpt(r), "^reply 550 5.1.1 ")
    return d, fast, silent


@threads
def test_300_connections(w):
    """300 connections, of which 30 wait for silent servers: the others are answered meanwhile; a
    recipient is asked about once, and nothing is left behind."""
    d, fast, silent = prepared(w)

    def recipients(number):
        yield from (HITS[number % 20], MISSES[number % 60], MISSES[(number + 1) % 60],
                    HITS[(number + 7) % 20])
        if number < 30:
            yield NOBODIES[number % 3]

    load = Load(recipients)
    w.until("30 waiters", lambda: d.status()["waiters"] == 30 and load.running() == 30)
    with milter.session() as c:
        w.matches("one more", c.rcpt(HITS[0]), "^reply 550 5.1.1 ")
    for s in silent:
        s.released.set()
    w.check(not load.end(), "a connection hangs")
    w.equal("lost", load.lost, [])
    w.equal("answers", load.count(), 4 * CONNECTIONS + 30)
    w.equal("kinds of answers", load.kinds(), {"reply 550 5.1.1"})
    w.equal("callouts", [s.used for s in (fast, *silent)], [len(HITS) + len(MISSES), 1, 1, 1])
    load.report(w, "300 connections")
    d.wait_idle()


def endless(number):
    """New recipients now and then, known ones else, a few a second: it is not the machine that is
    under test."""
    pace = threading.Event()
    while True:
        for n in range(len(MISSES)):
            yield HITS[(number + n) % 20] if n % 5 else MISSES[(number + n) % 60]
            pace.wait(0.1)


@threads
def test_reloads_and_end_under_load(w):
    """A thousand reloads while 300 connections ask, and at last SIGTERM: who waits gets an answer,
    and it ends with 0."""
    d, fast, silent = prepared(w, cut="quit")
    load = Load(endless)
    w.until("answers", lambda: load.count() > CONNECTIONS)
    with milter.session() as one:
        for n in range(1000):
            d.kill(signal.SIGHUP)
            d.wait_notified("READY=1")
            if n % 100 == 99:
                w.matches(f"after {n + 1} reloads", one.rcpt(HITS[0]), "^reply 550 5.1.1 ")
    w.equal("lost", load.lost, [])
    w.check(fast.used <= len(HITS) + len(MISSES), f"{fast.used} callouts")
    waiting = [milter.session() for _ in range(60)]
    for n, c in enumerate(waiting):
        c.send(milter.packet("R", milter.strings(NOBODIES[n % 3])))
    w.until("60 waiters", lambda: d.status()["waiters"] == 60)
    d.kill(signal.SIGTERM)
    w.equal("answers of those who wait", {c.answer().kind for c in waiting}, {"continue"})
    w.check(not load.end(), "a connection hangs")
    w.equal("kinds of answers", load.kinds() - {"continue"}, {"reply 550 5.1.1"})
    for s in silent:
        s.released.set()
    w.problems += d.stop()
    load.report(w, "1000 reloads")
    with open(os.path.join(w.workdir, "times"), "a", encoding="ascii") as f:
        f.write(f"{load.count()} answers, {len(load.lost)} connections ended with the daemon\n")


def known(number):
    while True:
        yield HITS[number % 20]


@threads
def test_ends_under_load(w):
    """SIGTERM while 150 connections ask for known recipients without a pause, again and again: it
    ends with 0 each time, and says nothing wrong."""
    d = prepared(w)[0]
    for _ in range(6):
        load = Load(known, 150)
        w.until("answers", lambda made=load: made.count() > 600)
        w.problems += d.stop()
        w.check(not load.end(), "a connection hangs")
        w.equal("kinds of answers", load.kinds() - {"continue"}, {"reply 550 5.1.1"})
        if w.problems:
            return
        d.start()
    with milter.session() as c:
        w.matches("at last", c.rcpt(HITS[0]), "^reply 550 5.1.1 ")
    d.wait_idle()
