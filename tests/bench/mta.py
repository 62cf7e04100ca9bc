"""Real mail servers as they are measured: nothing slows them down but what is measured."""
import contextlib
import os
import time

from harness import dns, namespace, peers

from lab import Missing, cpu_seconds, middle

SESSIONS = 10
RUN = "/run/bench"  # sockets that mail servers can reach
HOSTNAME = "mta.example.net"
# No limits, no pauses; and no verdict of calloutd's but the remote servers'.
QUICK = """mydestination =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000000000
smtpd_hard_error_limit = 1000000000
smtpd_junk_command_limit = 1000000000
smtpd_recipient_limit = 1000000
in_flow_delay = 0
"""
CALLOUTD = {
    "policy.listen": f'{{"unix:{RUN}/calloutd"}}', "socket_mode": "0666",
    'action "outbound".unknown': "tempfail", 'action "outbound".deferred': "tempfail",
}
DESTINATIONS = 50
REMOTE = {"near": ("198.51.100.", 0), "far": ("203.0.113.", 50)}  # addresses, ms before a reply
AGAIN = 10  # times the same recipients are named once they are known: that is quick
SETTLED = 1.0  # seconds: the last QUITs are said, and children have ended


def need(*programs):
    """Raises Missing where what stands in .peers as (package, program) cannot be measured here."""
    if not namespace.is_real_root():
        raise Missing("needs root")
    gone = [package for package, program in programs if not os.path.exists(peers.peer(package, program))]
    if gone:
        raise Missing(f"not unpacked by contrib/peers: {' '.join(gone)}")


def prepare(lab):
    """Once a work, before what listens in RUN is started."""
    os.chmod(lab.workdir, 0o755)
    peers.prepare(lab.workdir)
    os.makedirs(RUN)


def restricted(port, restrictions, **settings):
    """A service of master.cf: an smtpd at `port` whose recipients come by `restrictions`."""
    options = {"smtpd_recipient_restrictions": restrictions, **settings}
    return f"127.0.0.1:{port} inet n - n - - smtpd\n" + "".join(
        f"    -o {{ {name} = {value} }}\n" for name, value in options.items())


def asks(path):
    """Restrictions: the policy server at the unix socket decides."""
    return f"check_policy_service {{ unix:{path}, timeout=60s }}, permit_mynetworks, reject"


def postfix(lab, services, settings=""):
    """With an smtpd more that takes everybody, and `services` made by restricted()."""
    return peers.Postfix(lab.workdir, "postfix", 2500, HOSTNAME, QUICK + settings, "".join(services))


def start_remote(lab):
    """The servers of DESTINATIONS domains, nearN.example and farN.example, and their DNS."""
    records = []
    for name, (network, delay) in REMOTE.items():
        for n in range(DESTINATIONS):
            records += [f"{name}{n}.example. MX 10 mx.{name}{n}.example.",
                        f"mx.{name}{n}.example. A {network}{n + 1}"]
        lab.helper("fake_mx", "-d", delay, "-N", f"{network}1+{DESTINATIONS}")
    lab.start(dns.Nsd(lab.workdir, records))


def begin_cold(lab, package, program):
    """The remote servers and calloutd."""
    need((package, program), ("nsd", "usr/sbin/nsd"))
    prepare(lab)
    start_remote(lab)
    return lab.daemon(CALLOUTD)


class Way:
    """One way to have recipients verified: a mail server's port, and all that works for it, by pid."""

    def __init__(self, lab, port, *pids):
        self.lab, self.port, self.pids = lab, port, pids

    def ask(self, where, first, count, times=1):
        """Recipients with these numbers; `decided`, for what is deferred will come again."""
        before = self._cpu()
        found = middle([self._load(where, first, count) for _ in range(times)])
        time.sleep(SETTLED)
        found["cpu_us"] = (self._cpu() - before) * 1e6 / (count * times)
        found["decided"] = (found["accepted"] + found["rejected"]) / found["seconds"]
        return found

    def _load(self, where, first, count):
        return self.lab.load("load_smtp", "-c", SESSIONS, "-n", count, "-r", 10, "-u", "-s", first,
                             "-f", f"u%u@{where}%u.example", "-d", DESTINATIONS, f"127.0.0.1:{self.port}")

    def _cpu(self):
        return sum(map(tree_seconds, self.pids))


def compare(lab, ways, count):
    """Fresh recipients, and the same again, by each of `ways`, of which the first is ours. One round
    of them: it takes long, and the differences are great."""
    first = 0
    for way in ways.values():  # has its processes then
        way.ask("near", first, SESSIONS)
        first += SESSIONS
    for where in REMOTE:
        cold, known = {}, {}
        for name, way in ways.items():
            cold[name] = way.ask(where, first, count)
            known[name] = way.ask(where, first, count, AGAIN)
            first += count
        _table(lab, f"not known, {REMOTE[where][1]} ms a reply", cold)
        _table(lab, "known by now", known)


def _table(lab, what, found):
    ours, *others = found
    for other in others:
        lab.ratio(f"{what}: decided a second, {ours} / {other}",
                  found[ours]["decided"] / max(found[other]["decided"], 1e-9))
    for name, sample in found.items():
        lab.detail(name, sample, decided=f"{sample['decided']:,.1f}/s", deferred=f"{sample['deferred']:.0f}")


def tree_seconds(pid):
    """What a process and all its children have used, as far as they live or were waited for."""
    ended, children = {}, {}
    for one in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{one}/stat", encoding="utf-8", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            continue  # has just ended
        ended[one] = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        children.setdefault(int(fields[1]), []).append(one)
    total, family = 0, [pid]
    while family:
        one = family.pop()
        with contextlib.suppress(OSError):
            total += cpu_seconds(one) + ended[one]
        family += children.get(one, [])
    return total
