"""Answers out of the store by the milter protocol, and a filter of libmilter that accepts all."""
import os

from lab import busy, by_processor, memory, rate


def run(lab):
    people = lab.amount("1m", "10k")
    lab.store(os.path.join(lab.workdir, "state"), people)
    log = lab.syslogd()
    ours, null = (os.path.join(lab.workdir, name) for name in ("milter", "null"))
    calloutd = lab.background({"milter.listen": f'"unix:{ours}"', "wait": "8s"})
    reference = lab.measured("null_milter", null)
    decisions = 0

    def ask(path, pid, connections):
        nonlocal decisions
        sample = lab.load("load_milter", "-c", connections, "-n", lab.amount(30000, 1000),
                          "-p", people, path, server=pid)
        decisions += sample["count"] if path == ours else 0
        return sample

    for connections in (16, 64):
        of = lab.in_turn(calloutd=lambda c=connections: ask(ours, calloutd.pid, c),
                         null=lambda c=connections: ask(null, reference.pid, c))
        mine, best = of["calloutd"], of["null"]
        lab.row(f"milter, {connections} connections: rate, calloutd / null libmilter filter",
                rate(mine) / rate(best), 0.9)
        lab.ratio("the same, by what their processor takes", by_processor(mine, best))
        lab.detail("calloutd", mine, busy=busy(mine),
                   RSS=f"{memory(calloutd.pid)['anonymous'] / 2**20:.1f} MiB")
        lab.detail("null", best, busy=busy(best))
    callouts = calloutd.status()["callouts"]
    lab.problems += calloutd.stop() + log.problems(decisions)
    if callouts > 0:
        lab.problems.append(f"{callouts} callouts were made: the answer was not in the store")
