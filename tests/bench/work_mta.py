"""What calloutd costs a real Postfix where it knows the answer: 10 sessions, each recipient of the store.

What is measured is calloutd, and the null policy server: they have their processor, and Postfix, which
is the load here, has the other; then all have the same one, as where a mail server has no more.
"""
import os

import mta
from lab import rate

BOUND = 0.95
PORTS = {"calloutd": 2501, "null": 2502}
# What is rejected is a line in Postfix's log, which the null server has no part in.
SETTINGS = {**mta.CALLOUTD, **{f'action "outbound".{status}': "accept"
                               for status in ("invalid", "unknown", "deferred")}}


def run(lab):
    mta.need(("postfix", "usr/sbin/postfix"))
    people = lab.amount("1m", "10k")
    mta.prepare(lab)
    lab.store(f"{lab.workdir}/state", people)
    log = lab.syslogd()
    calloutd = lab.background(SETTINGS)
    null = lab.measured("null_policy", f"{mta.RUN}/null")
    os.chmod(f"{mta.RUN}/null", 0o666)
    postfix = lab.start(mta.postfix(lab, [mta.restricted(port, mta.asks(f"{mta.RUN}/{name}"))
                                          for name, port in PORTS.items()]))
    pids = {"calloutd": calloutd.pid, "null": null.pid}
    decisions = 0

    def ask(name, count):
        nonlocal decisions
        before = mta.tree_seconds(postfix.proc.pid)
        sample = lab.load("load_smtp", "-c", mta.SESSIONS, "-n", count, "-p", people,
                          f"127.0.0.1:{PORTS[name]}", server=pids[name])
        if sample["accepted"] != sample["count"]:
            raise RuntimeError(f"by way of {name} not all were accepted: {sample}")
        sample["postfix_us"] = (mta.tree_seconds(postfix.proc.pid) - before) * 1e6 / count
        decisions += sample["count"] if name == "calloutd" else 0
        return sample

    def compare(how):
        found = lab.in_turn(**{name: lambda name=name: ask(name, lab.amount(10000, 1000))
                               for name in PORTS})
        lab.row(f"Postfix, 10 sessions, {how}: rate, with calloutd / with the null policy server",
                rate(found["calloutd"]) / rate(found["null"]), BOUND)
        for name, sample in found.items():
            lab.detail(name, sample, Postfix_CPU=f"{sample['postfix_us']:.1f} ms per 1,000")

    for name in PORTS:
        ask(name, mta.SESSIONS)
    compare("the policy server apart")
    for pid in pids.values():
        move(pid, lab.load_cpu)
    compare("all on one processor")
    lab.problems += calloutd.stop() + log.problems(decisions)


def move(pid, cpu):
    """All threads of a process."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {cpu})
