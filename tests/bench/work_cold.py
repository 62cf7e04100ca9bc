"""Recipients of whom nothing is known: what a callout takes beside the network's round trips.

Politeness is not what is measured: a destination may have any number of connections and recipients
(BASE in harness/daemon.py), `total` and `max_waiting` are above a batch, no session is kept but where
that is the question, and nobody is asked about made-up recipients, for the bare client asks one
question, too. The domains are new each time, and so is what the DNS says of them (MX, A, AAAA, by nsd);
only on the open session all that is known but the recipient.
"""
import itertools
import os
import signal

from harness import dns

from lab import busy, by_processor, rate

DESTINATIONS = 200
FAR_MS = 50
NEAR, FAR = "203.0.113.1", "198.51.100.1"  # answer at once, and after FAR_MS
SETTLED = 0.3  # seconds: the last QUITs and the commit are done
SETTINGS = {
    "limit.total": "2000", "limit.max_waiting": "2000",
    # An answer that is no answer of the remote server's shows.
    'action "outbound".unknown': "tempfail", 'action "outbound".deferred': "tempfail",
}


def zone(times):
    """Names of domains for so many times, each domain at a server of its own."""
    for name, first in (("near", NEAR), ("far", FAR)):
        network, _, host = first.rpartition(".")
        for nth in range(times):
            for n in range(DESTINATIONS):
                domain = f"{name}{n}-{nth}.example."
                yield f"{domain} IN MX 10 mx.{domain}"
                yield f"mx.{domain} IN A {network}.{int(host) + n}"


class Cold:
    """calloutd, its remote servers, and the bare client that asks the same ones."""

    def __init__(self, lab):
        self.lab = lab
        self.socket = os.path.join(lab.workdir, "policy")
        self.times = itertools.count()
        lab.start(dns.Nsd(lab.workdir, list(zone(3 * (lab.rounds + 1) + 1))))
        lab.helper("fake_mx", "-N", f"{NEAR}+{DESTINATIONS}")
        lab.helper("fake_mx", "-d", FAR_MS, "-N", f"{FAR}+{DESTINATIONS}")
        self.daemon = lab.daemon({**SETTINGS, "policy.listen": f'{{"unix:{self.socket}"}}'})

    def ask(self, where, count, at_once, first=0, domains=DESTINATIONS):
        sample = self.lab.load("load_policy", "-u", "-s", first, "-c", at_once, "-n", count,
                               "-f", f"u%u@{where}.example", "-d", domains, self.socket,
                               server=self.daemon.proc.pid, rest=SETTLED)
        actions = sample.pop("actions")
        if actions["DUNNO"] != count:
            raise RuntimeError(f"not all of {where}.example accept: {actions}")
        return sample

    def ask_strangers(self, name, count, at_once):
        """At domains of whom nothing is known."""
        return self.ask(f"{name}%u-{next(self.times)}", count, at_once)

    def bare(self, first, count, at_once):
        with self.lab.on_server_cpu():
            return self.lab.load("bare_callout", "-c", at_once, "-n", count, "-a", f"{first}+{DESTINATIONS}")

    def keep_sessions(self):
        self.daemon.write_conf(**{"timeout.idle": "30s"})
        self.daemon.kill(signal.SIGHUP)
        self.daemon.wait_notified("READY=1")


def one(cold):
    """One at a time, each at a domain of its own."""
    lab = cold.lab
    count = lab.amount(8, 2)
    took = lab.in_turn(calloutd=lambda: cold.ask_strangers("far", count, 1),
                       bare=lambda: cold.bare(FAR, count, 1))
    lab.row(f"cold: one recipient, {FAR_MS} ms a reply: latency, calloutd / bare client",
            took["calloutd"]["p50"] / took["bare"]["p50"], 1.05, most=True)
    lab.detail("calloutd", took["calloutd"])
    lab.detail("bare", took["bare"])


def one_more(cold):
    """One at a time on the session that is open there."""
    lab = cold.lab
    count = lab.amount(8, 2)
    there, numbers = f"far%u-{next(cold.times)}", itertools.count(1, count)
    cold.keep_sessions()
    cold.ask(there, 1, 1, domains=1)
    took = lab.in_turn(calloutd=lambda: cold.ask(there, count, 1, next(numbers), domains=1))
    lab.row(f"cold: on an open session, {FAR_MS} ms a reply: latency / one wait",
            took["calloutd"]["p50"] / (FAR_MS * 1e6), 1.1, most=True)
    lab.detail("calloutd", took["calloutd"])


def many(cold, name, first, delay_ms):
    lab = cold.lab
    count = lab.amount(1000, 200)
    did = lab.in_turn(calloutd=lambda: cold.ask_strangers(name, count, count),
                      bare=lambda: cold.bare(first, count, count))
    what = f"cold: {count:,} at once, {DESTINATIONS} destinations, {delay_ms} ms a reply"
    lab.row(f"{what}: rate, calloutd / bare client", rate(did["calloutd"]) / rate(did["bare"]), 0.7)
    lab.ratio("the same, by what their processor takes", by_processor(did["calloutd"], did["bare"]))
    lab.row(f"{what}: CPU per 1,000", did["calloutd"]["cpu_us"], 150, most=True, unit="ms")
    for name, sample in did.items():
        lab.detail(name, sample, busy=busy(sample))


def run(lab):
    cold = Cold(lab)
    one(cold)
    many(cold, "near", NEAR, 0)
    many(cold, "far", FAR, FAR_MS)
    one_more(cold)
