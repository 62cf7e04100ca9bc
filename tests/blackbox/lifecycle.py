"""Starting, reloading, ending: by the book and by kill -9, with work going on."""
import os
import signal
import socket
import subprocess
import threading

from harness import client, daemon, scripted
from world import World, answering


def threads(function):
    function.threads = True
    return function


def needs_root(function):
    function.needs_root = True
    return function


class Load:
    """Clients that ask without pause, each for its own recipients; every answer is kept."""

    def __init__(self, clients=8):
        self.answers, self.lost = [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(clients)]
        for t in self._threads:
            t.start()

    def _ask(self, number):
        count = 0
        try:
            with client.PolicyClient() as c:
                while not self._stop.is_set():
                    count += 1
                    answer = c.ask(f"user{number}-{count % 40}@example.org")
                    if not answer:
                        self.lost.append(f"client {number}: closed after {count}")
                        return
                    self.answers.append(answer)
        except OSError as e:
            self.lost.append(f"client {number}: {e}")

    def end(self):
        self._stop.set()
        for t in self._threads:
            t.join(60)
        return any(t.is_alive() for t in self._threads)


def loaded(w: World, allowed=(), cut=""):
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=scripted.ANY, cut=cut))
    return w.daemon({"limit.per_connection": "1"}, allowed)


@threads
def test_reload_good_under_load(w):
    """Twenty reloads while 8 clients ask: every request is answered, none wrongly."""
    d = loaded(w)
    load = Load()
    w.until("some answers", lambda: len(load.answers) > 50)
    for n in range(20):
        d.write_conf(wait=f"{20 + n}s")
        d.kill(signal.SIGHUP)
        d.wait_notified("READY=1")
    before = len(load.answers)
    w.until("answers after the reloads", lambda: len(load.answers) > before + 50)
    w.check(not load.end(), "a client hangs")
    w.equal("lost", load.lost, [])
    w.equal("kinds of answers", {a[:9] for a in load.answers}, {"550 5.1.1"})
    d.wait_idle()


@threads
def test_reload_bad_under_load(w):
    """A bad configuration is named, and the old one goes on."""
    d = loaded(w, allowed=[r"calloutd\.conf:\d+: ", r"reload|configuration"])
    load = Load()
    w.until("some answers", lambda: len(load.answers) > 50)
    d.write_conf(mode="sometimes")
    for _ in range(5):
        d.kill(signal.SIGHUP)
        d.wait_notified("READY=1")
    d.wait_log(r"error: .*calloutd\.conf:\d+: ")
    before = len(load.answers)
    w.until("answers after the reload", lambda: len(load.answers) > before + 50)
    w.check(not load.end(), "a client hangs")
    w.equal("lost", load.lost, [])
    w.equal("kinds of answers", {a[:9] for a in load.answers}, {"550 5.1.1"})
    d.wait_idle()


def test_reload_applies(w):
    """What a reload changes holds for the next request."""
    d = loaded(w)
    with client.PolicyClient() as c:
        w.matches("enforced", c.ask("nobody@example.org"), "^550 5.1.1")
        d.write_conf(mode="monitor")
        d.kill(signal.SIGHUP)
        d.wait_notified("READY=1")
        w.equal("monitored", c.ask("nobody@example.org"), "DUNNO")
    d.wait_log(r"action=accept would=reject rcpt=<nobody@example\.org>")


def test_reload_follows_links(w):
    """A configuration behind a symbolic link: a reload reads what it points to then."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = daemon.Daemon(w.build, w.workdir)
    link = os.path.join(w.workdir, "link.conf")
    os.rename(d.conf, os.path.join(w.workdir, "old.conf"))
    os.symlink("old.conf", link)
    d.write_conf(mode="monitor")
    d.conf = link
    w.run(d)
    with client.PolicyClient() as c:
        w.matches("before", c.ask("nobody@example.org"), "^550 5.1.1")
        os.unlink(link)
        os.symlink("calloutd.conf", link)
        os.unlink(os.path.join(w.workdir, "old.conf"))
        d.kill(signal.SIGHUP)
        d.wait_notified("READY=1")
        w.equal("after", c.ask("nobody@example.org"), "DUNNO")


@threads
def test_term_answers_those_who_wait(w):
    """SIGTERM with 50 clients waiting on a silent MX: 50 answers, exit 0."""
    w.dns()
    w.servers(scripted.script("192.0.2.1", """
        S: 220 mx1.example.org ESMTP
        C: EHLO probe.example.net
        C: QUIT"""))
    d = w.daemon({"timeout.command": "30s"})
    clients = [client.PolicyClient() for _ in range(50)]
    for c in clients:
        c.send("bob@example.org")
    w.until("50 waiters", lambda: d.status()["waiters"] == 50)
    d.wait_log("greeting -> ehlo")
    d.kill(signal.SIGTERM)
    w.equal("answers", [c.receive() for c in clients], ["DUNNO"] * 50)
    try:
        client.PolicyClient().close()
        w.problems.append("a client that comes then is taken")
    except ConnectionRefusedError:
        pass
    for c in clients:
        c.close()
    w.problems += d.stop()


@threads
def test_term_under_load(w):
    """SIGTERM while 8 clients ask: it ends with 0, and what was answered is in the store."""
    d = loaded(w, cut="quit")
    load = Load()
    w.until("some answers", lambda: len(load.answers) > 100)
    d.kill(signal.SIGTERM)
    w.problems += d.stop()
    w.check(not load.end(), "a client hangs")
    w.equal("kinds of answers", {a[:9] for a in load.answers} - {"DUNNO"}, {"550 5.1.1"})
    d.start()
    result = w.ctl(d.conf, "check", "--json", "--no-probe", "user0-1@example.org")
    w.equal("after the restart", [v.get("source") for v in result.verdicts], ["store"])


@threads
def test_kill_under_load(w):
    """kill -9 while 8 clients ask: the store opens again, and what was committed is there."""
    d = loaded(w, cut="killed")
    with client.PolicyClient() as c:
        c.ask("early@example.org")
    d.wait_idle()
    for _ in range(3):
        load = Load()
        w.until("some answers", lambda: len(load.answers) > 60)
        w.problems += d.stop(signal.SIGKILL)
        w.check(not load.end(), "a client hangs")
        d.start()
    result = w.ctl(d.conf, "check", "--json", "--no-probe", "early@example.org")
    w.equal("after the restarts", [v.get("source") for v in result.verdicts], ["store"])


def test_background(w):
    """Without -f, and without stdin and stdout: the start returns once it serves. What keeps a
    second one from starting is told on the terminal."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = daemon.Daemon(w.build, w.workdir, {"log": "syslog"})
    start = ["/bin/sh", "-c", 'exec "$0" -c "$1" <&- >&-', d.program, d.conf]
    for expected, pattern in ((0, "^$"), (69, "calloutd: listen .*in use")):
        result = subprocess.run(start, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        w.equal("exit code", result.returncode, expected)
        w.matches("stderr", result.stderr, pattern)
    with client.PolicyClient() as c:
        w.matches("its answer", c.ask("nobody@example.org"), "^550 5.1.1")
    pid = client.listening_process(d.control)
    os.kill(pid, signal.SIGTERM)
    w.until("its end", lambda: not os.path.exists(f"/proc/{pid}"))


def test_out_of_descriptors(w):
    """More clients than descriptors: told once a second, and over when they have gone."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = daemon.Daemon(w.build, w.workdir, allowed=[r"(control|policy): accept: Too many open",
                                                   "cannot read this host's addresses",
                                                   "only 60 descriptors"])
    wrapper = os.path.join(w.workdir, "limited")
    with open(wrapper, "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\nulimit -n 60\nexec {w.build}/calloutd "$@"\n')
    os.chmod(wrapper, 0o755)
    d.program = wrapper
    w.run(d)
    for what, connect in (("control", lambda s: s.connect(d.control)),
                          ("policy", lambda s: s.connect(("127.0.0.1", 8893)))):
        family = socket.AF_UNIX if what == "control" else socket.AF_INET
        crowd = [socket.socket(family) for _ in range(100)]
        for s in crowd:
            connect(s)
        d.wait_log(f"{what}: accept: Too many open files; trying again")
        for s in crowd:
            s.close()
        d.wait_idle()
    with client.PolicyClient() as c:
        w.matches("afterwards", c.ask("nobody@example.org"), "^550 5.1.1")


def test_second_daemon(w):
    """A second daemon on the same store or sockets gives up, and the first does not notice."""
    d = loaded(w)
    second = daemon.Daemon(w.build, os.path.join(w.workdir, "second"),
                           {"policy.listen": '{"inet:127.0.0.1:8899"}',
                            "state_dir": f'"{w.workdir}/state"'})
    second.start(wait_ready=False)
    code = second.proc.wait(60)
    w.check(code not in (0, None) and code > 0, f"the second daemon ended with {code}")
    w.matches("its log", second.log(), r"error: .*state")
    second.proc = None
    second.notify.close()
    with client.PolicyClient() as c:
        w.matches("the first", c.ask("nobody@example.org"), "^550 5.1.1")
    d.wait_idle()


def test_config_check(w):
    """calloutd -t: 0, or 78 with FILE:LINE for every problem."""
    good = daemon.Daemon(w.build, w.workdir)
    program = os.path.join(w.build, "calloutd")
    result = subprocess.run([program, "-t", "-c", good.conf], capture_output=True, text=True,
                            check=False, timeout=60)
    w.equal("a good one", (result.returncode, result.stderr), (0, ""))
    bad = os.path.join(w.workdir, "bad.conf")
    with open(bad, "w", encoding="ascii") as f:
        f.write('helo_name = "mail.example.net"\nwait = 6parsecs\nnetworks = {"10.0.0.1/8"}\n'
                'mode = sometimes\n')
    result = subprocess.run([program, "-t", "-c", bad], capture_output=True, text=True,
                            check=False, timeout=60)
    w.equal("exit code of a bad one", result.returncode, 78)
    for line in (2, 3, 4):
        w.matches("its problems", result.stderr, rf"bad\.conf:{line}: ")
    result = subprocess.run([program, "-t", "-c", "/nonexistent.conf"], capture_output=True,
                            text=True, check=False, timeout=60)
    w.check(result.returncode >= 64, f"a missing file: exit code {result.returncode}")


def test_socket_activation(w):
    """Listening sockets taken over from the service manager (sd_listen_fds(3))."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    listener = socket.create_server(("127.0.0.1", 8893))
    early = client.PolicyClient()
    early.send("nobody@example.org")
    d = daemon.Daemon(w.build, w.workdir)
    wrapper = os.path.join(w.workdir, "activated")
    with open(wrapper, "w", encoding="ascii") as f:
        f.write(f'#!/bin/sh\nexec 3<&{listener.fileno()}\nexport LISTEN_PID=$$ LISTEN_FDS=1\n'
                f'exec {w.build}/calloutd "$@"\n')
    os.chmod(wrapper, 0o755)
    d.program = wrapper
    d.pass_fds = (listener.fileno(),)
    d.start()
    listener.close()
    w.matches("a client that came before the daemon", early.receive(), "^550 5.1.1")
    early.close()
    w.problems += d.stop()


@needs_root
def test_privileges(w):
    """Started as root, every thread runs as `user`, and the store is that user's."""
    from harness import peers
    peers.prepare(w.workdir)
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    os.chown(os.path.join(w.workdir), 0, 0)
    state = os.path.join(w.workdir, "state")
    os.makedirs(state, exist_ok=True)
    os.chown(state, 7106, 7106)
    d = w.daemon({"user": '"calloutd"'})
    for task in os.listdir(f"/proc/{d.proc.pid}/task"):
        with open(f"/proc/{d.proc.pid}/task/{task}/status", encoding="ascii") as f:
            ids = [line.split()[1:] for line in f if line.startswith(("Uid:", "Gid:"))]
        w.equal(f"ids of thread {task}", ids, [["7106"] * 4] * 2)
    with client.PolicyClient() as c:
        w.matches("its answer", c.ask("nobody@example.org"), "^550 5.1.1")
    for name in os.listdir(state):
        w.equal(f"owner of {name}", os.stat(os.path.join(state, name)).st_uid, 7106)
