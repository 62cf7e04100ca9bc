"""What calloutd costs a real Postfix where it knows the answer: 10 sessions, each recipient of the store."""
import os

import mta
from lab import rate

SESSIONS = 10
BOUND = 0.95
PORTS = {"calloutd": 2501, "null": 2502}
SETTINGS = {
    "policy.listen": f'{{"unix:{mta.RUN}/calloutd"}}', "socket_mode": "0666",
    # What is rejected is a line in Postfix's log, which the null server has no part in.
    'action "outbound".invalid': "accept",
}


def run(lab):
    why = mta.missing("postfix", "usr/sbin/postfix")
    if why:
        print(why)
        return
    count = lab.amount("1m", "10k")
    mta.prepare(lab)
    lab.store(f"{lab.workdir}/state", count)
    lab.daemon(SETTINGS)
    lab.measured("null_policy", f"{mta.RUN}/null")
    os.chmod(f"{mta.RUN}/null", 0o666)
    lab.start(mta.postfix(lab, [mta.restricted(port, mta.asks(f"{mta.RUN}/{name}"))
                                for name, port in PORTS.items()]))

    def load(name, recipients):
        sample = lab.load("load_smtp", "-c", SESSIONS, "-n", recipients, "-p", count,
                          f"127.0.0.1:{PORTS[name]}")
        if sample["accepted"] != sample["count"]:
            raise RuntimeError(f"by way of {name} not all were accepted: {sample}")
        return sample

    for name in PORTS:
        load(name, SESSIONS)
    found = lab.in_turn(**{name: lambda name=name: load(name, lab.amount(20000, 1000)) for name in PORTS})
    lab.row("Postfix that asks calloutd / the null policy server, 10 sessions: rate",
            rate(found["calloutd"]) / rate(found["null"]), BOUND)
    for name, sample in found.items():
        lab.detail(name, sample)
