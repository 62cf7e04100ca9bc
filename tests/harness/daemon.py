"""calloutd under test: a configuration, a process, its log, and nothing left behind."""
import os
import re
import select
import signal
import socket
import subprocess
import time

from . import client, milter

PATIENCE = 60.0
BASE = {
    "helo_name": '"probe.example.net"', "user": '"root"', "log": '"stderr"', "wait": "20s",
    "dns_servers": '{"127.0.0.1:53"}',
    "policy.listen": '{"inet:127.0.0.1:8893"}', "milter.listen": '""', "brake.invalid": "0",
    "catch_all.test": "never",  # a `check` of whom the server accepts would ask for more
    # Politeness is for the tests that are about it: the others ask each server at once, on a
    # connection of its own for each question, and once.
    "limit.connections": "1000", "limit.per_connection": "1000", "limit.rate": '"1000/s"',
    "limit.burst": "100000", "timeout.idle": "0s", "greylist.retry": "{}",
    "cache.confirm_invalid": "0s",  # who is gone is gone at once
    "timeout.connect": "8s", "timeout.greeting": "8s", "timeout.command": "8s",
    "timeout.tls": "8s", "timeout.callout": "30s",
}
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:exitcode=99", "LSAN_OPTIONS": "exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1", "TSAN_OPTIONS": "exitcode=99",
}


def render(settings):
    """{"timeout.greeting": "300ms", 'action "outbound".deferred': "tempfail"} as a file's text."""
    top, sections = [], {}
    for key, value in settings.items():
        section, dot, name = key.rpartition(".")
        if dot:
            sections.setdefault(section, []).append(f"    {name} = {value}\n")
        else:
            top.append(f"{key} = {value}\n")
    return "".join(top) + "".join(f"{s} {{\n{''.join(lines)}}}\n" for s, lines in sections.items())


class Daemon:
    """One calloutd -f. `allowed`: patterns of warnings and errors the test expects in its log."""

    def __init__(self, build, workdir, settings=None, allowed=(), env=None):
        self.build, self.workdir = build, workdir
        self.allowed = list(allowed)
        self.control = os.path.join(workdir, "control")
        self.conf = os.path.join(workdir, "calloutd.conf")
        self.logfile = os.path.join(workdir, "calloutd.log")
        self.env = {**os.environ, **SANITIZERS, **(env or {})}
        self.settings = {**BASE, "state_dir": f'"{workdir}/state"',
                         "control.listen": f'"unix:{self.control}"', **(settings or {})}
        self.milter = (self.settings["milter.listen"] or "").strip('"')
        self.proc = None
        self.baseline = None
        self.program = os.path.join(build, "calloutd")
        self.pass_fds = ()
        self.verbose = True
        os.makedirs(os.path.join(workdir, "state"), exist_ok=True)
        self.write_conf()

    def write_conf(self, **changes):
        self.settings.update(changes)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(render({k: v for k, v in self.settings.items() if v is not None}))

    def start(self, wait_ready=True):
        notify_path = os.path.join(self.workdir, "notify")
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(notify_path)
        os.chmod(notify_path, 0o666)
        with open(self.logfile, "ab") as log:
            self.proc = subprocess.Popen(
                [self.program, "-c", self.conf, "-f", *(["-v"] if self.verbose else [])],
                pass_fds=self.pass_fds,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.env, "NOTIFY_SOCKET": notify_path})
        if wait_ready:
            self.wait_notified("READY=1")
            self._wait_milter()
            self.baseline = self.descriptors()

    def _wait_milter(self):
        """libmilter opens descriptors of its own in a thread; they are there when it answers."""
        family, _, path = self.milter.partition(":")
        if family:
            with milter.Connection(path if family == "unix" else ("127.0.0.1", milter.PORT)) as c:
                c.negotiate()
                c.quit()
                c.is_closed()

    def wait_notified(self, word):
        """Waits until the daemon says `word` to its service manager."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if select.select([self.notify], [], [], 0.05)[0]:
                if word in self.notify.recv(4096).decode("utf-8", "replace").split("\n"):
                    return
            if self.proc.poll() is not None:
                raise AssertionError(f"calloutd ended with {self.proc.returncode} before {word}")
        raise AssertionError(f"calloutd did not say {word}")

    def status(self):
        code, body = client.control_get(self.control, "/v1/status")
        if code != 200 or not isinstance(body, dict):
            raise AssertionError(f"/v1/status: {code} {body}")
        return body

    def descriptors(self):
        fds = f"/proc/{self.proc.pid}/fd"
        out = []
        for fd in os.listdir(fds):
            try:
                out.append(re.sub(r"\[\d+\]", "", os.readlink(os.path.join(fds, fd))))
            except OSError:
                pass
        return sorted(out)

    def wait_idle(self, clients=0):
        """Waits until no flight, session, waiter or descriptor is left, but for the connections
        of `clients` policy clients."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status = self.status()
            busy = {k: status[k] for k in ("flights", "sessions", "waiters") if status[k] != 0}
            fds = self.descriptors()
            if not busy and len(fds) <= len(self.baseline) + clients:
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"left behind: {busy}, descriptors {fds}, "
                                     f"at the start {self.baseline}")
            select.select([], [], [], 0.02)

    def kill(self, number):
        self.proc.send_signal(number)

    def wait_log(self, pattern):
        """Waits for a log line that matches; returns the match."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            m = re.search(pattern, self.log(), re.M)
            if m:
                return m
            select.select([], [], [], 0.02)
        raise AssertionError(f"not in the log: {pattern}")

    def log(self):
        with open(self.logfile, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns the list of what was wrong with its end and its log."""
        if self.proc is None:
            return []
        if self.proc.poll() is None:
            self.proc.send_signal(number)
        try:
            code = self.proc.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            return [f"calloutd did not end on signal {number}"]
        self.proc = None
        self.notify.close()
        expected = -signal.SIGKILL if number == signal.SIGKILL else 0
        ends = [] if code == expected else [f"calloutd ended with {code}, expected {expected}"]
        return ends + self.log_problems()

    def log_problems(self):
        """Lines that are warnings, errors, or not calloutd's (sanitizers, assertions)."""
        allowed = re.compile("|".join(self.allowed)) if self.allowed else None
        return [f"log: {line}" for line in self.log().splitlines()
                if (not line.startswith("calloutd: ") or
                    re.match(r"calloutd: (warning|error):", line))
                and not (allowed and allowed.search(line))][:20]
