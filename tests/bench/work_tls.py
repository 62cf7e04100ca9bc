"""Callouts with STARTTLS: what the handshakes cost, and what is saved where sessions are resumed.

Nobody waits (no delay, no limits, a connection for each recipient), so what is compared is CPU. All at
once, hardly anybody has a session to go on with, for the servers are new ones each time; a few at once,
all but the first have. How many calloutd resumes is its own affair: the bare client is measured with full
handshakes and with resumed ones, and compared is what as many of each would have cost it.
"""
import contextlib
import itertools
import json
import os

from harness import certs, dns

HOSTS = 50
FIRST = "198.51.100.1"
REST = 0.3  # seconds: the last QUITs
SETTINGS = {
    "tls": "may", "limit.per_connection": "1", "limit.total": "2000", "limit.max_waiting": "2000",
    # An answer that is no answer of the remote server's shows.
    'action "outbound".unknown': "tempfail", 'action "outbound".deferred': "tempfail",
}


def zone():
    for n in range(HOSTS):
        network, _, host = FIRST.rpartition(".")
        yield f"d{n}.example. IN MX 10 mx.d{n}.example."
        yield f"mx.d{n}.example. IN A {network}.{int(host) + n}"


class Handshakes:
    def __init__(self, lab):
        self.lab = lab
        self.count = lab.amount(1000, 100)
        self.numbers = itertools.count(step=self.count)
        self.socket = os.path.join(lab.workdir, "policy")
        self.certificate = certs.make(os.path.join(lab.workdir, "certs"), "mx.d0.example")
        lab.start(dns.Nsd(lab.workdir, list(zone())))
        self.daemon = lab.daemon({**SETTINGS, "policy.listen": f'{{"unix:{self.socket}"}}'})

    @contextlib.contextmanager
    def servers(self, sample):
        """Puts into the sample how many handshakes they saw, and resumed."""
        made = self.lab.helper("fake_mx", "-N", f"{FIRST}+{HOSTS}", "-t",
                               f"{self.certificate}/good.pem,{self.certificate}/good.key")
        yield
        saw = json.loads(made.stop())
        sample.update(resumed=saw["resumed"], full=saw["handshakes"] - saw["resumed"])
        if (saw["recipients"], saw["handshakes"]) != (self.count, self.count):
            raise RuntimeError(f"not {self.count} callouts with TLS: {saw}")

    def calloutd(self, at_once):
        sample = {}
        with self.servers(sample):
            sample.update(self.lab.load(
                "load_policy", "-u", "-s", next(self.numbers), "-c", at_once, "-n", self.count,
                "-f", "u%u@d%u.example", "-d", HOSTS, self.socket,
                server=self.daemon.proc.pid, rest=REST))
        actions = sample.pop("actions")
        if actions["DUNNO"] != self.count:
            raise RuntimeError(f"not all are accepted: {actions}")
        return sample

    def bare(self, at_once, *options):
        sample = {}
        with self.servers(sample), self.lab.on_server_cpu():
            sample.update(self.lab.load("bare_callout", "-t", *options, "-c", at_once, "-n", self.count,
                                        "-a", f"{FIRST}+{HOSTS}"))
        return sample


def run(lab):
    h = Handshakes(lab)
    took = lab.in_turn(calloutd=lambda: h.calloutd(h.count), bare=lambda: h.bare(h.count),
                       calloutd_again=lambda: h.calloutd(HOSTS), bare_again=lambda: h.bare(HOSTS, "-R"))
    full, again = took["bare"]["cpu_us"], took["bare_again"]
    saved = (full - again["cpu_us"]) * h.count / again["resumed"]
    for name, at_once in (("calloutd", h.count), ("calloutd_again", HOSTS)):
        same = full - saved * took[name]["resumed"] / h.count
        lab.row(f"tls: {h.count:,} callouts, {HOSTS} hosts, {at_once:,} at once: CPU, calloutd / bare client "
                "with the same handshakes", took[name]["cpu_us"] / same, 1.5, most=True)
    for name, sample in took.items():
        lab.detail(name.replace("_again", f", {HOSTS}"), sample, full=f"{sample['full']:.0f}",
                   resumed=f"{sample['resumed']:.0f}")
    print(f"{'':20}a full handshake costs the bare client {saved:,.0f} µs more than a resumed one", flush=True)
