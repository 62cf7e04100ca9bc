"""What a blackbox test is made of: the parts of harness, started and stopped together."""
import re
import select
import time

from harness import client, daemon, dns, milter, scripted

PATIENCE = 60.0


class World:
    """Everything of one test; `problems` collects what is wrong. `certs`: their directory."""

    def __init__(self, build, workdir, certs):
        self.build, self.workdir, self.certs = build, workdir, certs
        self.problems = []
        self._ends = []

    def dns(self, *records):
        server = dns.Nsd(self.workdir, records or ("example.org. MX 10 mx1.example.org.",
                                                   "mx1.example.org. A 192.0.2.1"))
        server.start()
        self._ends.append(server.stop)
        return server

    def servers(self, *scripts, ordered=True):
        made = scripted.Servers(list(scripts), self.certs, ordered=ordered)
        made.start()
        self._ends.append(lambda: self.problems.extend(made.stop()))
        return made

    def daemon(self, settings=None, allowed=(), env=None):
        return self.run(daemon.Daemon(self.build, self.workdir, settings, allowed, env))

    def milter(self, settings=None, allowed=()):
        """A daemon that is also a milter. Its clients wait longer than is good for Sendmail."""
        return self.daemon({"milter.listen": f'"inet:{milter.PORT}@127.0.0.1"', **(settings or {})},
                           ["wait: Sendmail gives up", *allowed])

    def run(self, made):
        self._ends.append(lambda: self.problems.extend(made.stop()))
        made.start()
        return made

    def start(self, thing):
        """An MTA or a relay."""
        thing.start()
        self._ends.append(thing.stop)
        return thing

    def ctl(self, conf, *argv, **kwargs):
        return client.calloutctl(self.build, conf, *argv, **kwargs)

    def check(self, ok, text):
        if not ok:
            self.problems.append(text)
        return ok

    def equal(self, what, got, expected):
        return self.check(got == expected, f"{what}: {got!r}, expected {expected!r}")

    def matches(self, what, got, pattern):
        return self.check(re.search(pattern, str(got)), f"{what}: {got!r} does not match {pattern}")

    def until(self, what, condition):
        """Waits until condition() is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"in vain: {what}")
            select.select([], [], [], 0.01)

    def end(self):
        """Stops everything, last started first."""
        while self._ends:
            self._ends.pop()()


ANSWERING = """
S: 220 mx1.example.org ESMTP
C: EHLO probe.example.net
S: 250-mx1.example.org
S: 250 PIPELINING
C: MAIL FROM:<>
C~ RCPT TO:<.*>
S: 250 2.1.0 Ok
S: {reply}
C: QUIT
S: 221 2.0.0 Bye
"""


def answering(reply, address="192.0.2.1", **options):
    """A script that answers any RCPT with `reply`."""
    return scripted.script(address, ANSWERING.format(reply=reply), **options)
