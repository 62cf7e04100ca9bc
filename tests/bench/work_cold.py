"""Recipients of whom nothing is known: what a callout takes beside the network's round trips.

Politeness is not what is measured: a destination may have any number of connections and recipients
(BASE in harness/daemon.py), `total` and `max_waiting` are above a batch, no session is kept but where
that is the question, and nobody is asked about made-up recipients, for the bare client asks one
question, too. The DNS is cold where a single callout is measured, and answered by nsd; for the batches
calloutd knows the MX of their 200 destinations after the first.
"""
import itertools
import os
import signal
import time

from harness import dns

from lab import cpu_seconds, rate

DESTINATIONS = 200
FAR_MS = 50
NEAR, FAR = "203.0.113.1", "198.51.100.1"  # answer at once, and after FAR_MS
STRANGERS = 1000  # domains that are met once, with the far servers
SETTLED = 0.3  # seconds: the last QUITs and the commit are done
SETTINGS = {
    "limit.total": "2000", "limit.max_waiting": "2000",
    # An answer that is no answer of the remote server's shows.
    'action "outbound".unknown': "tempfail", 'action "outbound".deferred': "tempfail",
}


def zone():
    def domain(name, first, number):
        network, _, host = first.rpartition(".")
        return (f"{name}.example. IN MX 10 mx.{name}.example.",
                f"mx.{name}.example. IN A {network}.{int(host) + number % DESTINATIONS}")

    names = [(f"near{n}", NEAR, n) for n in range(DESTINATIONS)]
    names += [(f"far{n}", FAR, n) for n in range(DESTINATIONS)]
    names += [(f"stranger{n}", FAR, n) for n in range(STRANGERS)]
    return [line for name in names for line in domain(*name)]


class Cold:
    """calloutd, its remote servers, and the bare client that asks the same ones."""

    def __init__(self, lab):
        self.lab = lab
        self.socket = os.path.join(lab.workdir, "policy")
        self.numbers = itertools.count(step=STRANGERS)  # a multiple of every number of domains
        lab.start(dns.Nsd(lab.workdir, zone()))
        lab.helper("fake_mx", "-N", f"{NEAR}+{DESTINATIONS}")
        lab.helper("fake_mx", "-d", FAR_MS, "-N", f"{FAR}+{DESTINATIONS}")
        self.daemon = lab.daemon({**SETTINGS, "policy.listen": f'{{"unix:{self.socket}"}}'})

    def ask(self, names, domains, count, at_once, start=None):
        """Recipients that nobody was asked about before."""
        first = next(self.numbers) if start is None else start
        sample = self.lab.load("load_policy", "-u", "-s", first, "-c", at_once, "-n", count,
                               "-f", f"u%u@{names}%u.example", "-d", domains, self.socket)
        actions = sample.pop("actions")
        if actions["DUNNO"] != count:
            raise RuntimeError(f"not all of {names}%u.example accept: {actions}")
        return sample

    def ask_and_count(self, names, count):
        pid = self.daemon.proc.pid
        before = cpu_seconds(pid)
        sample = self.ask(names, DESTINATIONS, count, count)
        time.sleep(SETTLED)
        sample["cpu_us"] = (cpu_seconds(pid) - before) * 1e6 / count
        return sample

    def bare(self, first, count, at_once):
        with self.lab.on_server_cpu():
            return self.lab.load("bare_callout", "-c", at_once, "-n", count, "-a", f"{first}+{DESTINATIONS}")

    def keep_sessions(self):
        self.daemon.write_conf(**{"timeout.idle": "30s"})
        self.daemon.kill(signal.SIGHUP)
        self.daemon.wait_notified("READY=1")


def one(cold):
    """One at a time, each at a domain of its own that nothing is known of."""
    lab = cold.lab
    count = lab.amount(8, 2)
    met = itertools.count(step=count)
    took = lab.in_turn(calloutd=lambda: cold.ask("stranger", STRANGERS, count, 1, next(met)),
                       bare=lambda: cold.bare(FAR, count, 1))
    lab.row(f"cold: one recipient, {FAR_MS} ms a reply: latency, calloutd / bare client",
            took["calloutd"]["p50"] / took["bare"]["p50"], 1.05, most=True)
    lab.detail("calloutd", took["calloutd"])
    lab.detail("bare", took["bare"])


def one_more(cold):
    """One at a time on the session that is open there."""
    lab = cold.lab
    took = lab.in_turn(calloutd=lambda: cold.ask("far", 1, lab.amount(8, 2), 1))
    lab.row(f"cold: on an open session, {FAR_MS} ms a reply: latency / one wait",
            took["calloutd"]["p50"] / (FAR_MS * 1e6), 1.1, most=True)
    lab.detail("calloutd", took["calloutd"])


def many(cold, names, first, delay_ms):
    lab = cold.lab
    count = lab.amount(1000, 200)
    did = lab.in_turn(calloutd=lambda: cold.ask_and_count(names, count),
                      bare=lambda: cold.bare(first, count, count))
    what = f"cold: {count:,} at once, {DESTINATIONS} destinations, {delay_ms} ms a reply"
    lab.row(f"{what}: rate, calloutd / bare client", rate(did["calloutd"]) / rate(did["bare"]), 0.7)
    lab.row(f"{what}: CPU per 1,000", did["calloutd"]["cpu_us"], 150, most=True, unit="ms")
    lab.detail("calloutd", did["calloutd"])
    lab.detail("bare", did["bare"])


def run(lab):
    cold = Cold(lab)
    one(cold)
    many(cold, "near", NEAR, 0)
    many(cold, "far", FAR, FAR_MS)
    cold.keep_sessions()
    one_more(cold)
