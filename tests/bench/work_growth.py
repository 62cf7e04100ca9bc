"""Whether it costs more to know much: a lookup and a start with a big store, a callout with many
destinations known.

RECORDS (of the environment) is how big the store is: 1m, or "10m", which takes some 6 GB and some minutes.
"""
import itertools
import os
import subprocess
import time

from harness import daemon, dns

FLAT = 1.3
FIRST, ADDRESSES = "198.51.100.1", 250
FEW = 10  # destinations
AT_ONCE = 100
REST = 0.3  # seconds: the last QUITs
SETTINGS = {
    "limit.per_connection": "1", "limit.total": "2000", "limit.max_waiting": "2000",
    # An answer that is no answer of the remote server's shows.
    'action "outbound".unknown': "tempfail", 'action "outbound".deferred': "tempfail",
}


def zone(domains):
    """Each with an MX of its own: a destination is named by the registrable domain of its MX."""
    network, _, host = FIRST.rpartition(".")
    for n in range(domains):
        yield f"d{n}.example. IN MX 10 mx.d{n}.example."
        yield f"mx.d{n}.example. IN A {network}.{int(host) + n % ADDRESSES}"


def lookups(lab, stores):
    """store_fill's stores, by how many are in each."""
    argv = [f(count) for count in stores for f in (lambda c: os.path.join(stores[c], "state"), str)]
    with lab.on_server_cpu():
        said = subprocess.run([lab.program("store"), "compare", *argv, str(lab.amount(50000, 2000))],
                              check=True, capture_output=True, text=True).stdout
    took, kind = {}, ""
    for words in map(str.split, said.splitlines()):
        if words[1:2] == ["ratio"]:
            kind, took[words[0]] = words[0], []
        elif words[:1] in (["small"], ["big"]):
            took[kind].append(float(words[1]))
    few, many = stores
    lab.row(f"growth: a decision with {many} recipients known, beside {few}",
            took["decision"][1] / took["decision"][0], FLAT, most=True)
    for kind, (small, big) in took.items():
        print(f"{'':20}{kind:<12} {small:,.0f} ns, {big:,.0f} ns ({big / small:.2f} ×)", flush=True)


def starts(lab, stores):
    daemons = {count: daemon.Daemon(lab.build, directory, {
        "policy.listen": f'{{"unix:{directory}/policy"}}', "cache.size": '"64GiB"'})
               for count, directory in stores.items()}

    def start(count):
        made = daemons[count]
        with lab.on_server_cpu():
            began = time.monotonic()
            made.start(wait_ready=False)
        made.wait_notified("READY=1")
        took = time.monotonic() - began
        lab.problems.extend(made.stop())
        return {"ms": took * 1000}

    took = lab.in_turn(**{count: lambda count=count: start(count) for count in stores})
    few, many = stores
    lab.row(f"growth: start with {many} recipients known, beside {few}",
            took[many]["ms"] / took[few]["ms"], FLAT, most=True)
    print(f"{'':20}{took[few]['ms']:.1f} ms, {took[many]['ms']:.1f} ms", flush=True)


class Caller:
    """A calloutd that knows so many destinations."""

    def __init__(self, lab, known):
        directory = os.path.join(lab.workdir, f"known-{known}")
        self.lab, self.known = lab, known
        self.socket = os.path.join(directory, "policy")
        self.daemon = lab.daemon({**SETTINGS, "policy.listen": f'{{"unix:{self.socket}"}}'},
                                 directory=directory)
        self.ask(0, known, known)

    def ask(self, first, count, domains):
        """Of each of so many recipients, a callout."""
        sample = self.lab.load("load_policy", "-u", "-s", first, "-c", min(AT_ONCE, count), "-n", count,
                               "-f", "u%u@d%u.example", "-d", domains, self.socket,
                               server=self.daemon.proc.pid, rest=REST)
        actions = sample.pop("actions")
        if actions["DUNNO"] != count:
            raise RuntimeError(f"not all are accepted: {actions}")
        return sample


def callouts(lab):
    many, count = lab.amount(100000, 1000), lab.amount(1000, 100)
    lab.start(dns.Nsd(lab.workdir, list(zone(many))))
    lab.helper("fake_mx", "-N", f"{FIRST}+{ADDRESSES}")
    with_few, with_many = Caller(lab, FEW), Caller(lab, many)
    numbers = itertools.count(start=many, step=count)
    took = lab.in_turn(few=lambda: with_few.ask(next(numbers), count, FEW),
                       many=lambda: with_many.ask(next(numbers), count, FEW))
    lab.row(f"growth: CPU of a callout with {many:,} destinations known, beside {FEW}",
            took["many"]["cpu_us"] / took["few"]["cpu_us"], FLAT, most=True)
    lab.detail("few", took["few"])
    lab.detail("many", took["many"])


def run(lab):
    counts = ("10k", os.environ.get("RECORDS", "1m")) if not lab.brief else ("1k", "10k")
    stores = {count: os.path.join(lab.workdir, f"store-{count}") for count in counts}
    for count, directory in stores.items():
        lab.store(os.path.join(directory, "state"), count)
    lookups(lab, stores)
    starts(lab, stores)
    callouts(lab)
