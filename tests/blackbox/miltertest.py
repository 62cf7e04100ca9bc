"""What miltertest(8), the milter tester of OpenDKIM, makes of it: the scripts in miltertest/."""
import os
import subprocess

from harness import milter, peers
from world import answering

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "miltertest")


def needs_root(function):
    function.needs_root = True
    return function


@needs_root
def test_scripts(w):
    peers.prepare(w.workdir)
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"), answering("250 2.1.5 Ok"))
    d = w.milter()
    with milter.session() as c:
        c.rcpt("<nobody@example.org>")
        c.rcpt("<bob@example.org>")
    with open(os.path.join(HERE, "common.lua"), encoding="ascii") as f:
        common = f.read()
    for name in sorted(os.listdir(HERE)):
        if name == "common.lua":
            continue
        with open(os.path.join(HERE, name), encoding="ascii") as f:
            result = subprocess.run(
                [peers.peer("miltertest", "usr/bin/miltertest"), "-w",
                 "-D", f"SOCKET=inet:{milter.PORT}@127.0.0.1"], input=common + f.read(),
                capture_output=True, text=True, timeout=120, check=False)
        w.equal(name, (result.returncode, result.stdout), (0, ""))
        d.wait_idle()
