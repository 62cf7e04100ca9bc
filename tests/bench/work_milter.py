"""The milter, where the answer is in the store, beside a filter that accepts everybody unseen."""
import os

from lab import rate

BOUND = 0.90


def run(lab):
    count = lab.amount("1m", "10k")
    recipients = lab.amount("60k", "1k")
    nobody, ours = (os.path.join(lab.workdir, name) for name in ("null", "milter"))
    lab.store(os.path.join(lab.workdir, "state"), count)
    daemon = lab.daemon({"milter.listen": f'"unix:{ours}"'})
    null = lab.measured("null_milter", f"unix:{nobody}")

    def side(path, pid, connections):
        return lambda: lab.load("load_milter", "-c", connections, "-n", recipients, "-p", count,
                                path, server=pid)

    for connections in (16, 64):
        figures = lab.in_turn(null=side(nobody, null.pid, connections),
                              calloutd=side(ours, daemon.proc.pid, connections))
        lab.row(f"milter, in the store, {connections} connections: rate, of the null filter's",
                rate(figures["calloutd"]) / rate(figures["null"]), BOUND)
        for name, sample in figures.items():
            lab.detail(name, sample)
    asked = daemon.status()
    print(asked)
