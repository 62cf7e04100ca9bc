"""What fails around calloutd: DNS, disk, time. None of it ever rejects a recipient."""
import os
import signal
import subprocess
import time

from harness import client, dns, scripted
from world import answering

TEMPFAIL = {'action "outbound".deferred': "tempfail"}


def test_dead_dns(w):
    """No DNS server answers: known recipients are answered at once, others within `wait`."""
    d_records = ("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1")
    nsd = dns.Nsd(w.workdir, d_records)
    nsd.start()
    w.servers(answering("550 5.1.1 User unknown"))
    d = w.daemon({"wait": "500ms", **TEMPFAIL})
    with client.PolicyClient() as c:
        while not c.ask("nobody@example.org").startswith("550 "):
            pass
        nsd.stop()
        dead = dns.FaultyDns("dead", port=53)
        dead.start()
        w.matches("a known one", c.ask("nobody@example.org"), "^550 5.1.1")
        w.matches("another", c.ask("bob@elsewhere.example"), r"^450 4\.4\.1")
        d.wait_idle(clients=1)
        w.matches("after the callout", c.ask("bob@elsewhere.example"), r"^450 4\.4\.3")
        dead.stop()


def test_full_disk(w):
    """state_dir full: verdicts are given as ever, they are not kept, and the log says so."""
    state = os.path.join(w.workdir, "small")
    os.makedirs(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "tmpfs", state], check=True)
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=300))
    d = w.daemon({"state_dir": f'"{state}"'}, allowed=[r"store", r"No space left"])
    with open(os.path.join(state, "filler"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError:
            pass
    with client.PolicyClient() as c:
        answers = {c.ask(f"user{n}@example.org")[:9] for n in range(300)}
    w.equal("answers", answers, {"550 5.1.1"})
    d.wait_idle()
    d.wait_log(r"(error|warning): .*store")
    w.problems += d.stop()
    subprocess.run(["umount", state], check=True)


def test_damaged_store(w):
    """A store that is no store: said, named, and not destroyed."""
    w.dns()
    state = os.path.join(w.workdir, "state")
    os.makedirs(state)
    with open(os.path.join(state, "store.mdb"), "wb") as f:
        f.write(b"not a database" * 1000)
    from harness import daemon
    d = daemon.Daemon(w.build, w.workdir)
    d.start(wait_ready=False)
    code = d.proc.wait(60)
    w.check(code > 0, f"ended with {code}")
    w.matches("its log", d.log(), r"error: .*store\.mdb")
    with open(os.path.join(state, "store.mdb"), "rb") as f:
        w.check(f.read(14) == b"not a database", "the file was overwritten")
    d.proc = None
    d.notify.close()


def wait_stale(verdict):
    """Until a verdict's refresh time is past."""
    when = verdict["refresh_at"]
    while time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) <= when:
        time.sleep(0.05)


def test_stale_accepting_is_served_and_refreshed(w):
    """Past its refresh time a valid recipient is answered at once, and asked again behind that."""
    w.dns()
    w.servers(answering("250 2.1.5 Ok"), answering("550 5.1.1 Gone now"))
    d = w.daemon({"cache.valid": "{1s, 1h}"})
    first = w.ctl(d.conf, "check", "--json", "bob@example.org").verdicts[0]
    wait_stale(first)
    with client.PolicyClient() as c:
        w.equal("stale", c.ask("bob@example.org"), "DUNNO")
        d.wait_idle(clients=1)
        w.matches("refreshed", c.ask("bob@example.org"), "^550 5.1.1")


def test_stale_rejecting_is_asked_again(w):
    """A stale answer that would reject is not given: the client waits for a new one."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"), answering("250 2.1.5 Welcome back"))
    d = w.daemon({"cache.invalid": "{1s, 1h}"})
    first = w.ctl(d.conf, "check", "--json", "bob@example.org").verdicts[0]
    wait_stale(first)
    with client.PolicyClient() as c:
        w.equal("asked again", c.ask("bob@example.org"), "DUNNO")


def test_stale_rejecting_without_answer(w):
    """... and where no new one comes it is the deferred action, not the old reject."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"), scripted.script("192.0.2.1", "C: QUIT"))
    d = w.daemon({"cache.invalid": "{1s, 1h}", **TEMPFAIL})
    first = w.ctl(d.conf, "check", "--json", "bob@example.org").verdicts[0]
    d.write_conf(**{"timeout.greeting": "300ms"})
    d.kill(signal.SIGHUP)
    d.wait_notified("READY=1")
    wait_stale(first)
    with client.PolicyClient() as c:
        w.matches("no answer", c.ask("bob@example.org"), r"^450 4\.4\.2")


def test_failed_refresh_keeps_valid(w):
    """A refresh that fails does not overwrite a live valid."""
    w.dns()
    w.servers(answering("250 2.1.5 Ok"), answering("451 4.3.0 Not now"))
    d = w.daemon({"cache.valid": "{1s, 1h}", **TEMPFAIL})
    first = w.ctl(d.conf, "check", "--json", "bob@example.org").verdicts[0]
    wait_stale(first)
    with client.PolicyClient() as c:
        w.equal("stale", c.ask("bob@example.org"), "DUNNO")
        d.wait_idle(clients=1)
        w.equal("after the failed refresh", c.ask("bob@example.org"), "DUNNO")


def test_refusal_is_the_destinations(w):
    """A 5yz at the greeting is remembered against the destination, not against the address."""
    w.dns()
    w.servers(scripted.script("192.0.2.1", """
        S: 554 5.7.1 Your address is on a list
        C: QUIT
        S: 221 Bye"""))
    w.daemon(allowed=["ALARM: mx/example.org refuses us"])
    with client.PolicyClient() as c:
        w.equal("the one asked for", c.ask("bob@example.org"), "DUNNO")
        w.equal("another one there", c.ask("alice@example.org"), "DUNNO")
