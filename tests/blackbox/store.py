"""The store in trouble: no space left, read-only, full, killed, damaged. Mail is answered all the while,
health says what is wrong, and all is well again when it is over."""
import os
import re
import signal
import subprocess
import threading
import time

import cache
from harness import client, hostile
from lifecycle import needs_root, threads

CANNOT_WRITE = r"error: store \S+: cannot write"
UNKNOWN = "550 5.1.1 User unknown"
FILL = 65536


def no_loop_device():
    """Why an image cannot be mounted here; None: it can."""
    if not os.path.exists("/dev/loop-control"):
        return "needs a loop device"
    for program in ("mkfs.ext4", "chattr"):
        if not any(os.access(os.path.join(d, program), os.X_OK)
                   for d in (*os.environ.get("PATH", "").split(":"), "/sbin", "/usr/sbin")):
            return f"needs {program}"
    return None


def needs_loop(function):
    function.needs_root = True
    function.obstacle = no_loop_device
    return function


def right_answer(recipient):
    return UNKNOWN[:9] if recipient.startswith("no") else "DUNNO"


class Load:
    """Policy clients that ask without pause, each time for somebody new."""

    def __init__(self, name, clients=8):
        self.name, self.count = name, 0
        self.wrong, self.lost = [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(clients)]
        for t in self._threads:
            t.start()

    def _ask(self, number):
        try:
            with client.PolicyClient() as c:
                asked = 0
                while not self._stop.is_set():
                    asked += 1
                    who = f"{'no' if asked % 3 else 'yes'}-{self.name}-{number}-{asked}@example.org"
                    answer = c.ask(who)
                    if not answer:
                        self.lost.append(f"closed on {who}")
                        return
                    if not answer.startswith(right_answer(who)):
                        self.wrong.append(f"{who}: {answer}")
                    self.count += 1
        except OSError as e:
            self.lost.append(f"client {number}: {e}")

    def more(self, w, number=150):
        """Waits for so many more answers."""
        before = self.count
        w.until(f"{number} answers", lambda: self.count >= before + number or self.lost)

    def end(self, w, killed=False):
        self._stop.set()
        for t in self._threads:
            t.join(60)
        w.check(not any(t.is_alive() for t in self._threads), "a client hangs")
        w.equal("wrong answers", self.wrong[:10], [])
        if not killed:
            w.equal("clients that lost the daemon", self.lost, [])


def server(w, **options):
    w.dns()
    return w.run(hostile.Server(["192.0.2.1"], hostile.On(
        rcpt=lambda _conn, who: UNKNOWN if who.startswith("no") else None), **options))


def health(d):
    return client.control_get(d.control, "/healthz")[1].split("\n")


def ask(d, recipients, **parameters):
    return [a.verdict for a in client.ask_all(d.control, recipients, connections=4, **parameters)]


def sources(d, recipients):
    """Where it has them from, without asking anybody."""
    return {v.get("source") for v in ask(d, recipients, probe=0)}


def people(name, count=20):
    return [f"{'no' if n % 2 else 'yes'}-{name}-{n}@example.org" for n in range(count)]


def restart(w, d):
    d.wait_idle()
    w.problems += d.stop()
    d.start()


def learn(w, d, name):
    verdicts = ask(d, people(name))
    w.equal(f"{name}: statuses", {v["status"] for v in verdicts}, {"valid", "invalid"})
    d.wait_idle()


def breaks(w, d, begin):
    """It can't be written in the middle of a load: nobody but the health and the log notices."""
    began = time.monotonic()
    learn(w, d, "known")
    w.equal("health before", health(d), ["ok", ""])
    load = Load("load")
    load.more(w)
    begin()
    w.until("it is noticed", lambda: health(d)[0] == "degraded" or load.lost)
    w.matches("what healthz says", health(d)[1], "store")
    load.more(w)
    w.equal("what was known is known from", sources(d, people("known")), {"store"})
    w.equal("it asks for others", {v["source"] for v in ask(d, people("meanwhile"))}, {"probe"})
    w.equal("health in the end", health(d)[0], "degraded")
    w.check("can write again" not in d.log(), "it was held to be over")
    load.end(w)
    d.wait_log(CANNOT_WRITE)
    lines = len(re.findall(CANNOT_WRITE, d.log()))
    w.check(lines <= 1 + (time.monotonic() - began) / 60, f"{lines} log lines about it")


def is_well_again(w, d, says_so=True):
    """By itself; what is learned is kept again."""
    w.until("it is well again", lambda: health(d) == ["ok", ""])
    if says_so:
        d.wait_log("can write again")
    learn(w, d, "later")
    restart(w, d)
    for name in ("known", "later"):
        w.equal(f"{name}, after a restart", sources(d, people(name)), {"store"})
    w.equal("health after", health(d), ["ok", ""])


def small_disk(w, size="3m"):
    """state_dir is all there is on it."""
    state = os.path.join(w.workdir, "state")
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", state], check=True)
    return state


def fill_up(path):
    """To the last octet."""
    size = FILL
    with open(path, "wb", buffering=0) as f:
        while size:
            try:
                f.write(bytes(size))
            except OSError:
                size //= 2


@threads
def test_disk_full(w):
    """No space is left, in the middle of a load; then there is."""
    state = small_disk(w)
    server(w)
    d = w.daemon(allowed=[CANNOT_WRITE])
    filler = os.path.join(state, "filler")
    breaks(w, d, lambda: fill_up(filler))
    os.unlink(filler)
    is_well_again(w, d)


@threads
def test_disk_full_and_killed(w):
    """It is killed while no space is left, and starts where there is none."""
    state = small_disk(w)
    server(w).forgiving = True
    d = w.daemon(allowed=[CANNOT_WRITE])
    filler = os.path.join(state, "filler")
    breaks(w, d, lambda: fill_up(filler))
    load = Load("killed")
    load.more(w)
    w.problems += d.stop(signal.SIGKILL)
    load.end(w, killed=True)
    d.start()
    w.equal("known, after kill -9", sources(d, people("known")), {"store"})
    load = Load("again")
    load.more(w)
    load.end(w)
    os.unlink(filler)
    is_well_again(w, d)


def test_slow_commits_hold_nobody_up(w):
    """Who has an answer that is not committed yet takes nobody's place."""
    server(w)
    d = w.daemon({"cache.commit_interval": "1s", "limit.total": "1", "limit.max_waiting": "1"})
    names = [f"yes-{n}@example.org" for n in range(12)]
    with client.PolicyClient() as c:
        w.equal("answers", {c.ask(name) for name in names}, {"DUNNO"})
    d.wait_idle()
    w.equal("sources", sources(d, names), {"store"})
    w.check("overload" not in d.log(), "somebody was told overload")


def image(w):
    """A file system of its own; the device that it is on."""
    state, path = os.path.join(w.workdir, "state"), os.path.join(w.workdir, "image")
    os.makedirs(state)
    with open(path, "wb") as f:
        f.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", path], check=True)
    mount(w)
    return state


def mount(w):
    subprocess.run(["mount", "-o", "loop,errors=remount-ro", os.path.join(w.workdir, "image"),
                    os.path.join(w.workdir, "state")], check=True)


def device(state):
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return next(line.split()[0] for line in f if line.split()[1] == state)


def find_error(state):
    """The kernel is told that it found an error in the file system: it goes read-only at once, under
    all files that are open, until it is mounted anew."""
    with open(f"/sys/fs/ext4/{os.path.basename(device(state))}/trigger_fs_error", "w",
              encoding="ascii") as f:
        f.write("found by a test")


@threads
@needs_loop
def test_read_only(w):
    """The file system goes read-only in the middle of a load. No file system comes back from that under
    open files: it is mounted anew, and the daemon started."""
    state = image(w)
    server(w)
    d = w.daemon(allowed=[CANNOT_WRITE, "is not forgotten"])
    breaks(w, d, lambda: find_error(state))
    w.equal("forgetting", cache.request(d, "DELETE", cache.ENTRIES, domain="example.org")[0], 503)
    d.wait_log(r"error: cache: example\.org is not forgotten, .*: the store failed$")
    d.wait_idle()
    w.problems += d.stop()
    d.start(wait_ready=False)
    w.check(d.proc.wait(60) > 0, "it starts where it can't write")
    d.wait_log(r"error: store \S+: .*Read-only file system")
    d.allowed.append("Read-only file system")
    d.notify.close()
    subprocess.run(["umount", state], check=True)
    mount(w)
    d.start()
    is_well_again(w, d, says_so=False)


@threads
@needs_loop
def test_immutable(w):
    """Every write is refused in the middle of a load; then they are not any more."""
    state = image(w)
    data = os.path.join(state, "store.mdb")
    server(w)
    d = w.daemon(allowed=[CANNOT_WRITE])
    breaks(w, d, lambda: subprocess.run(["chattr", "+i", data], check=True))
    subprocess.run(["chattr", "-i", data], check=True)
    is_well_again(w, d)


def test_tiny_store(w):
    """Far more is asked for than there is room for: what expires soonest goes, and it is no fault. Where
    a thread stands still that reads, what goes makes no room as yet; then little is lost, and it is told."""
    server(w)
    d = w.daemon({"cache.size": "1MiB"}, allowed=[CANNOT_WRITE + ".* it is full, as cache.size bounds it"])
    for n in range(8):
        verdicts = ask(d, people(f"load{n}", 500))
        w.equal("statuses", {v["status"] for v in verdicts}, {"valid", "invalid"})
        d.wait_idle()  # a tiny store is a slow one
    w.until("it is well", lambda: health(d) == ["ok", ""])
    lost = sum(int(n) for n in re.findall(r"can write again; (\d+) changes were lost", d.log()))
    w.check(lost <= 40, f"of 4,000 recipients {lost} are lost")
    w.check(sources(d, people("load0", 500)) != {"store"}, "more is kept than there is room for")
    learn(w, d, "newest")
    w.check("store" in sources(d, people("newest")), "nothing of the newest is kept")
    restart(w, d)
    w.check("store" in sources(d, people("newest")), "nothing of it is kept over a restart")


@threads
def test_killed_again_and_again(w):
    """kill -9 under load, 20 times: it starts each time, and what was known stays known."""
    server(w).forgiving = True
    d = w.daemon()
    for n in range(20):
        learn(w, d, f"round{n}")
        load = Load(f"load{n}")
        load.more(w, 40 + 7 * n)
        w.problems += d.stop(signal.SIGKILL)
        load.end(w, killed=True)
        d.start()
    w.equal("health", health(d), ["ok", ""])
    w.equal("known", sources(d, [who for n in range(20) for who in people(f"round{n}")]), {"store"})


def stopped(w, d, recipients):
    """Knows them, and was ended in peace; its data file."""
    ask(d, recipients)
    d.wait_idle()
    w.problems += d.stop()
    return os.path.join(w.workdir, "state", "store.mdb")


def test_damaged_record(w):
    """A record whose octets changed on the disk is none: who is in it is asked for again."""
    server_ = server(w)
    d = w.daemon(allowed=[r"error: store \S+: ignored the value of .*: it is damaged"])
    path = stopped(w, d, ["no-bob@example.org", "no-jim@example.org"])
    with open(path, "rb") as f:
        octets = f.read()
    said = [m.start() for m in re.finditer(rb"User unknown", octets)]
    w.check(len(said) >= 2, f"found {len(said)} records")
    with open(path, "r+b") as f:
        for at in said:
            f.seek(at)
            f.write(b"u")
    server_.rules = []  # everybody exists by now
    d.start()
    with client.PolicyClient() as c:
        w.equal("the first", c.ask("no-bob@example.org"), "DUNNO")
        w.equal("the second", c.ask("no-jim@example.org"), "DUNNO")
        w.equal("the first again", c.ask("no-bob@example.org"), "DUNNO")
    w.equal("tries", [len(server_.tries(f"no-{who}@example.org")) for who in ("bob", "jim")], [2, 2])
    d.wait_log("it is damaged")
    w.equal("log lines", d.log().count("it is damaged"), 1)
    w.equal("health", health(d), ["ok", ""])
    d.wait_idle()


def test_cut_short(w):
    """A data file that lost its end: it does not start, and says why and what to do."""
    server(w)
    d = w.daemon()
    path = stopped(w, d, people("known", 200))
    os.truncate(path, os.path.getsize(path) // 2)
    d.start(wait_ready=False)
    w.equal("exit code", d.proc.wait(60), 69)
    w.matches("its log", d.log(), rf"error: store {re.escape(path)}: was cut short: .*; move it away to "
                                  "start afresh")
    d.allowed.append("was cut short")
    d.notify.close()
    os.unlink(path)
    d.start()
    w.check("store" not in sources(d, people("known")), "it knows what it can not")
