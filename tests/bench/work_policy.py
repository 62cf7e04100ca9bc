"""Answers out of the store by the policy protocol, and a server that has only one answer."""
import os

from lab import busy, by_processor, memory, rate

CONNECTIONS = 16


def run(lab):
    people = lab.amount("1m", "10k")
    state = os.path.join(lab.workdir, "state")
    lab.store(state, people)
    with lab.on_server_cpu():
        raw = lab.load("store", "get", state, people)
    log = lab.syslogd()
    ours, null = (os.path.join(lab.workdir, name) for name in ("policy", "null"))
    calloutd = lab.background({"policy.listen": f'{{"unix:{ours}"}}'})
    reference = lab.measured("null_policy", null)
    ask = ("load_policy", "-c", CONNECTIONS, "-n", lab.amount(100000, 2000), "-p", people)
    decisions = 0

    def at_calloutd():
        nonlocal decisions
        sample = lab.load(*ask, ours, server=calloutd.pid)
        decisions += sample["count"]
        return sample

    of = lab.in_turn(calloutd=at_calloutd,
                     null=lambda: lab.load(*ask, null, server=reference.pid))
    mine, best = of["calloutd"], of["null"]
    lab.row("policy: rate, calloutd / null policy server", rate(mine) / rate(best), 0.5)
    lab.ratio("the same, by what their processor takes", by_processor(mine, best))
    lab.row("policy: p99, calloutd / null policy server", mine["p99"] / best["p99"], 2, most=True)
    lab.row("policy: CPU a request, calloutd - null policy server", mine["cpu_us"] - best["cpu_us"],
            5, most=True, unit="µs")
    lab.detail("calloutd", mine, busy=busy(mine),
               RSS=f"{memory(calloutd.pid)['anonymous'] / 2**20:.1f} MiB")
    lab.detail("null", best, busy=busy(best))
    lab.detail("mdb_get", raw)
    lab.problems += calloutd.stop() + log.problems(decisions)
