"""What is measured with: programs on a processor of their own, rounds in turn, rows of figures.

The server that is measured has one processor, everything else (load, DNS, mail servers, who reads the
log, this program) has the other. What is compared is measured in turn, A B A B, and of the rounds'
figures the middle one counts.
"""
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import statistics
import subprocess
import time

from harness import client, daemon, namespace

PATIENCE = 120.0
DECISION = " action="  # in the log line of each
SYSLOGD_QUEUE = 512  # datagrams: as systemd has it, and with it most servers
ENOUGH = 100  # questions, for the later percentiles to mean anything
FIGURES = (("p50", "p50"), ("p95", "p95"), ("p99", "p99"), ("p999", "p99.9"))


class Missing(Exception):
    """What a work needs is not here; says what."""


class Process:
    """A program that says "ready" on a line of its own when it is."""

    def __init__(self, argv, log, env=None):
        self.argv = argv
        with open(log, "ab") as err:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=err, env={**os.environ, **(env or {})})
        self.pid = self.proc.pid
        if not select.select([self.proc.stdout], [], [], PATIENCE)[0] or \
                self.proc.stdout.readline() != b"ready\n":
            self.stop()
            raise RuntimeError(f"{argv[0]} is not ready: see {log}")

    def stop(self):
        """Ends it; what it printed behind "ready"."""
        self.proc.terminate()
        said = self.proc.stdout.read()
        self.proc.wait(PATIENCE)
        return said.decode()


class Background(daemon.Daemon):
    """calloutd as on a server: in the background, so that its log goes where it is told to."""

    pid = None

    def start(self, wait_ready=True):
        with open(self.logfile, "ab") as log:
            subprocess.run([self.program, "-c", self.conf], check=True, stdin=subprocess.DEVNULL,
                           stdout=log, stderr=log, env=self.env, timeout=PATIENCE)
        self.pid = client.listening_process(self.control)
        self._wait_milter()

    def stop(self, number=signal.SIGTERM):
        if self.pid is None:
            return []
        os.kill(self.pid, number)
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f"/proc/{self.pid}"):
            if time.monotonic() > deadline:
                return [f"calloutd did not end on signal {number}"]
            time.sleep(0.02)
        self.pid = None
        return self.log_problems()


class Syslogd:
    """The log_sink in place of /dev/log. Begins before who logs, and is asked when that has ended."""

    def __init__(self, process, log):
        self._process, self._log = process, log

    def problems(self, decisions):
        """What is wrong with what was logged, after so many decisions."""
        lines = int(self._process.stop())
        lost = [] if lines == decisions else [f"{decisions} decisions, {lines} of them in the log"]
        with open(self._log, encoding="utf-8", errors="replace") as f:
            return lost + [f"log: {line}" for line in f.read().splitlines()]


class Lab:
    """`rounds`: how often each side is measured; `brief`: only to see that all of it works."""

    def __init__(self, build, workdir, stores, rounds, brief):
        self.build, self.workdir, self.stores = build, workdir, stores
        self.rounds, self.brief = rounds, brief
        cpus = sorted(os.sched_getaffinity(0))
        self.server_cpu, self.load_cpu = cpus[0], cpus[-1]
        self.problems = []
        self._ends = []
        _set_affinity(self.load_cpu)
        _raise_files()

    def program(self, name):
        return os.path.join(self.build, "tests/bench", name)

    def amount(self, full, brief):
        """How much of something: less where only the working is tested."""
        return brief if self.brief else full

    @contextlib.contextmanager
    def on_server_cpu(self):
        """What is started in here is what is measured."""
        _set_affinity(self.server_cpu)
        try:
            yield
        finally:
            _set_affinity(self.load_cpu)

    def start(self, thing):
        """Something with start() and stop(), which may be called where it did not come to start."""
        self._ends.append(thing.stop)
        thing.start()
        return thing

    def measured(self, *argv, env=None):
        """A server to be measured, or its reference."""
        with self.on_server_cpu():
            return self._spawn(argv, env)

    def helper(self, *argv, env=None):
        """A program beside it, which is not."""
        return self._spawn(argv, env)

    def _spawn(self, argv, env):
        argv = (self.program(argv[0]), *map(str, argv[1:]))
        log = os.path.join(self.workdir, os.path.basename(argv[0]) + ".log")
        made = Process(argv, log, env)
        self._ends.append(lambda: self._stop(made))
        return made

    def _stop(self, made):
        made.stop()
        if made.proc.returncode not in (0, -signal.SIGTERM):
            self.problems.append(f"{os.path.basename(made.argv[0])} ended with {made.proc.returncode}")

    def daemon(self, settings, allowed=(), directory=None):
        """calloutd, measured. Without debug lines, which nobody has by default. `directory`: of its own,
        where there are several."""
        made = daemon.Daemon(self.build, directory or self.workdir, settings, allowed)
        made.verbose = False
        with self.on_server_cpu():
            made.start()
        self._ends.append(lambda: self.problems.extend(made.stop()))
        return made

    def background(self, settings):
        """calloutd, measured, with "log" for what stands in `settings`; what that is by default
        needs syslogd() first. `pid` is its process."""
        made = Background(self.build, self.workdir, {"log": '"syslog"', **settings})
        self._ends.append(lambda: self.problems.extend(made.stop()))
        with self.on_server_cpu():
            made.start()
        return made

    def syslogd(self):
        """A /dev/log of this work's own, read by log_sink."""
        queue = "/proc/sys/net/unix/max_dgram_qlen"
        if os.path.exists(queue):  # not below a user namespace
            with open(queue, "w", encoding="ascii") as f:
                f.write(str(SYSLOGD_QUEUE))
        namespace.private_dev(self.workdir)
        return Syslogd(self.helper("log_sink", "-w", DECISION, "/dev/log"),
                       os.path.join(self.workdir, "log_sink.log"))

    def store(self, directory, count):
        """Puts a store with `count` records of population.h into `directory`: a copy of one that all
        works of this run have in common."""
        made = os.path.join(self.stores, str(count))
        if not os.path.exists(made):
            shutil.rmtree(made + ".new", ignore_errors=True)  # of one that was interrupted
            os.makedirs(made + ".new")
            filled = subprocess.run([self.program("store_fill"), "-d", made + ".new", "-n", str(count)],
                                    check=False, capture_output=True, text=True)
            if filled.returncode != 0:
                raise RuntimeError(f"store_fill -n {count}: {filled.stderr.strip()}")
            os.rename(made + ".new", made)
        shutil.copytree(made, directory, dirs_exist_ok=True)

    def load(self, *argv, server=None, rest=0.0):
        """Runs a load to its end: what it prints is a JSON object (quantiles_print). With the process
        that is measured as `server`: also what that used, cpu_us for one of what was done. `rest`:
        seconds that it has for what comes after its last answer."""
        before = cpu_seconds(server) if server else 0
        result = subprocess.run([self.program(argv[0]), *map(str, argv[1:])], check=False,
                                capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))}: {result.stderr.strip()}")
        sample = json.loads(result.stdout)
        if server:
            time.sleep(rest)
            sample["cpu_us"] = (cpu_seconds(server) - before) * 1e6 / sample["count"]
        return sample

    def in_turn(self, **sides):
        """Each side is a function that returns a sample; once for nothing, then `rounds` times in
        turn. The samples of each side's rounds as one, each figure the middle one."""
        samples = {name: [] for name in sides}
        for n in range(-1 if not self.brief else 0, self.rounds):
            for name, measure in sides.items():
                sample = measure()
                if n >= 0:
                    samples[name].append(sample)
        return {name: middle(of) for name, of in samples.items()}

    def row(self, work, ratio, bound, most=False, unit="×"):
        """One line: the ratio, the bound it is to reach (or, with `most`, not to pass)."""
        reached = ratio <= bound if most else ratio >= bound
        sign = "≤" if most else "≥"
        verdict = "ok" if reached else "SHORT"
        print(f"{ratio:8.3f} {unit:<2} {sign} {bound:<6g} {verdict:<6} {work}", flush=True)

    def ratio(self, work, ratio):
        """The same where nothing is to be reached."""
        print(f"{ratio:8.3f} ×{'':18}{work}", flush=True)

    def detail(self, what, sample, **more):
        """What the ratios were made of."""
        rate = sample["count"] / sample["seconds"]
        figures = FIGURES if sample["count"] >= ENOUGH else (("p50", "p50"), ("max", "longest"))
        parts = [f"{rate:,.0f}/s"] + [f"{name} {microseconds(sample[key])}" for key, name in figures]
        if "cpu_us" in sample:
            parts.append(f"CPU {sample['cpu_us']:.1f} ms per 1,000")
        parts += [f"{key.replace('_', ' ')} {value}" for key, value in more.items()]
        print(f"{'':20}{what:<12} {'  '.join(parts)}", flush=True)

    def end(self):
        """Stops everything, last started first, also what a signal has ended already."""
        while self._ends:
            try:
                self._ends.pop()()
            except Exception as e:
                self.problems.append(f"at the end: {e}")


def middle(samples):
    """The middle one of each figure; what is no figure is left out."""
    return {key: statistics.median(s[key] for s in samples) for key, value in samples[0].items()
            if isinstance(value, (int, float))}


def rate(sample):
    return sample["count"] / sample["seconds"]


def busy(sample):
    """How much of its processor the one that is measured used: where that is little, the load, or
    somebody else, was what took so long."""
    return f"{rate(sample) * sample['cpu_us'] / 1e4:.0f} %"


def by_processor(mine, best):
    """The ratio of rates where no load is too slow for either: of what their processor takes."""
    return best["cpu_us"] / mine["cpu_us"]


def microseconds(ns):
    if ns < 10e3:
        return f"{ns / 1e3:.1f} µs"
    return f"{ns / 1e3:,.0f} µs" if ns < 10e6 else f"{ns / 1e6:,.0f} ms"


def cpu_seconds(pid):
    """What all threads of a process have used: its CPU clock, as clock_getcpuclockid(3) has it."""
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid):
    """Bytes of RAM: `anonymous` is its own, `file` is the store's map and programs."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f)
    return {name: int(fields[key].split()[0]) * 1024
            for name, key in (("anonymous", "RssAnon"), ("file", "RssFile"))}


def _set_affinity(cpu):
    os.sched_setaffinity(0, {cpu})


def _raise_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
