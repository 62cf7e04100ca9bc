"""Thousands of callouts whose servers take their time: what they take of memory, and what answers out of
the store cost meanwhile.

Each callout waits for a greeting, for the answer to EHLO, and for that to MAIL and RCPT. While all of them
do, who asks about recipients that are known is answered as fast as before: the load is the same, idle and
in flight, with one connection and with sixteen. Politeness is not what is measured: there are no limits
that a destination would reach.
"""
import json
import os
import subprocess
import time

from harness import dns

from lab import memory, middle

DESTINATIONS = 250
FIRST = "198.51.100.1"
ROOM = 64 << 20  # octets of RAM beside the store's map
KNOWN = "10k"
CONNECTIONS = (1, 16)
SLICE = 1  # second of the load
PATIENCE = 60.0
SETTINGS = {
    "limit.total": "6000", "limit.max_waiting": "6000", "wait": "90s",
    "timeout.connect": "60s", "timeout.greeting": "60s", "timeout.command": "60s",
    "timeout.callout": "120s",
    # An answer that is no answer of the remote server's shows.
    'action "outbound".unknown': "tempfail", 'action "outbound".deferred': "tempfail",
}


def zone():
    network, _, host = FIRST.rpartition(".")
    for n in range(DESTINATIONS):
        yield f"d{n}.example. IN MX 10 mx.d{n}.example."
        yield f"mx.d{n}.example. IN A {network}.{int(host) + n}"


class Flights:
    """So many callouts, of whom nobody has an answer before `stop`."""

    def __init__(self, lab, socket, count):
        self.count = count
        self.proc = subprocess.Popen(
            [lab.program("load_policy"), "-u", "-c", str(count), "-n", str(count), "-f", "u%u@d%u.example",
             "-d", str(DESTINATIONS), socket], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def are_up(self, daemon):
        """Waits until each has a session of its own, and its server is at work."""
        deadline = time.monotonic() + PATIENCE
        while (status := daemon.status())["sessions"] < self.count:
            if self.proc.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{status['sessions']} sessions, not {self.count}")
            time.sleep(0.05)

    def are_all_up(self, daemon):
        return daemon.status()["flights"] == self.count

    def land(self):
        said, wrong = self.proc.communicate(timeout=PATIENCE)
        if self.proc.returncode != 0:
            raise RuntimeError(f"load_policy: {wrong.strip()}")
        actions = json.loads(said)["actions"]
        if actions["DUNNO"] != self.count:
            raise RuntimeError(f"not all are accepted: {actions}")


class Known:
    """The load of answers that are known."""

    def __init__(self, lab, socket):
        self.lab, self.socket = lab, socket
        self.samples = {}

    def ask(self, when, counts=lambda: True):
        """One slice each, of which those count after which `counts` is true."""
        for connections in CONNECTIONS:
            sample = self.lab.load("load_policy", "-c", connections, "-t", SLICE, "-p", KNOWN, self.socket)
            del sample["actions"]
            if counts():
                self.samples.setdefault((when, connections), []).append(sample)

    def rows(self):
        for connections in CONNECTIONS:
            if ("in flight", connections) not in self.samples:
                raise RuntimeError("the callouts had landed before anything was asked meanwhile")
            idle, flying = (middle(self.samples[when, connections]) for when in ("idle", "in flight"))
            self.lab.row(f"flight: known answers meanwhile, {connections} at a time: p99 / idle p99",
                         flying["p99"] / idle["p99"], 2, most=True)
            self.lab.detail("idle", idle)
            self.lab.detail("in flight", flying)


def run(lab):
    count, delay = lab.amount(5000, 200), lab.amount(10, 3)
    rounds = lab.amount(lab.rounds, 1)
    socket = os.path.join(lab.workdir, "policy")
    lab.store(os.path.join(lab.workdir, "state"), KNOWN)
    lab.start(dns.Nsd(lab.workdir, list(zone())))
    lab.helper("fake_mx", "-d", delay * 1000, "-N", f"{FIRST}+{DESTINATIONS}")
    daemon = lab.daemon({**SETTINGS, "policy.listen": f'{{"unix:{socket}"}}'})
    known = Known(lab, socket)
    for _ in range(rounds):
        known.ask("idle")
    before = memory(daemon.proc.pid)["anonymous"]
    flights = Flights(lab, socket, count)
    flights.are_up(daemon)
    used = 0
    for _ in range(rounds):
        used = max(used, memory(daemon.proc.pid)["anonymous"])
        known.ask("in flight", lambda: flights.are_all_up(daemon))
    flights.land()
    for _ in range(rounds):
        known.ask("idle")
    lab.row(f"flight: {count:,} callouts in flight: RAM beside the store's map", used / (1 << 20),
            ROOM >> 20, most=True, unit="MiB")
    print(f"{'':20}{before / (1 << 20):.1f} MiB before; {(used - before) / count / 1024:.1f} KiB a callout, "
          "its waiter and the waiter's connection", flush=True)
    known.rows()
