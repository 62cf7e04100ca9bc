"""A private network, and for root also private mounts, to test in.

Nothing outside of it is reachable, and nothing in it survives the process. The documentation
networks, and one of the private ones, are local without being configured on an interface ("AnyIP"
routes): every address in them can be bound and connected to, while getifaddrs(3), and so calloutd, sees only 127.0.0.1,
::1 and the two addresses of THIS_HOST.
"""
import ctypes
import os
import subprocess
import sys

NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.20.30.0/24")
NETWORK6 = "2001:db8::/32"
THIS_HOST = ("203.0.113.250", "2001:db8:ffff::250")
PIT = "pit"
INSIDE = "CALLOUTD_TEST_NAMESPACE"
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000


def enter():
    """Runs this program again inside new network and mount namespaces; returns inside of them.
    Root becomes nobody's namespace owner; others become root of a user namespace of their own."""
    if os.environ.get(INSIDE):
        setup_network()
        return
    env = dict(os.environ)
    env[INSIDE] = "root" if os.getuid() == 0 else "user"
    flags = "-nm" if os.getuid() == 0 else "-Urnm"
    os.execvpe("unshare", ["unshare", flags, sys.executable, *sys.argv], env)


def is_real_root():
    """True where other user ids and mounts can be used, not only the mapped root."""
    return os.environ.get(INSIDE) == "root"


def new_network():
    """Moves the calling process into new namespaces once more: a fresh network, and mounts that
    the others do not see."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _run("mount", "--make-rprivate", "/")
    setup_network()


def setup_network():
    _ip("-4", ["link set lo up", *_routes("add", NETWORKS), f"address add {THIS_HOST[0]}/32 dev lo"])
    if not _has_ipv6():
        return
    with open("/proc/sys/net/ipv6/ip_nonlocal_bind", "w", encoding="ascii") as f:
        f.write("1")
    _ip("-6", [*_routes("add", (NETWORK6,)), f"address add {THIS_HOST[1]}/128 dev lo nodad"])


def _has_ipv6():
    return os.path.exists("/proc/sys/net/ipv6/ip_nonlocal_bind")


def _routes(what, networks):
    return [f"route {what} local {net} dev lo" for net in networks]


def make_unreachable(address, how="unreachable"):
    """`how`: unreachable, prohibit or blackhole, as ip-route(8) has them: connect(2) fails at
    once."""
    _ip(_family(address), [f"route add {how} {address} table local"])


def swallow(address):
    """What is sent to this address, or network, is lost without a word: connect(2) goes on until
    somebody's patience ends, and connections that are there get no further. (A packet that comes back
    in over lo for somebody who is not this host is not forwarded. IPv6 has no such routes by lo: there
    it is a wire that nobody is at the end of.)"""
    if ":" in address:
        _dig_pit()
    _ip(_family(address), [f"route add unicast {address} dev {PIT if ':' in address else 'lo'} table local"])


def _dig_pit():
    if os.path.exists(f"/proc/sys/net/ipv6/conf/{PIT}"):
        return
    _ip("-6", [f"link add {PIT} type veth peer name {PIT}-end",
               *(f"link set {end} addrgenmode none arp off up" for end in (PIT, PIT + "-end"))])


def deliver(address):
    """The end of swallow(), or of make_unreachable()."""
    _ip(_family(address), [f"route del {address} table local"])


def public_down():
    """Takes all hosts but this one away: there is no route to them. DNS and clients at loopback
    addresses stay."""
    _ip("-4", _routes("del", NETWORKS))
    if _has_ipv6():
        _ip("-6", _routes("del", (NETWORK6,)))


def public_up():
    _ip("-4", _routes("add", NETWORKS))
    if _has_ipv6():
        _ip("-6", _routes("add", (NETWORK6,)))


def loopback_down():
    """The whole network is gone, also the DNS at 127.0.0.1; unix sockets work."""
    _ip("-4", ["link set lo down"])


def loopback_up():
    """As it was before, without what make_unreachable() and swallow() did."""
    _ip("-4", ["link set lo up", *_routes("replace", NETWORKS)])
    if _has_ipv6():
        _ip("-6", [*_routes("replace", (NETWORK6,)), f"address replace {THIS_HOST[1]}/128 dev lo nodad"])


def _family(address):
    return "-6" if ":" in address else "-4"


def _ip(family, lines):
    result = subprocess.run(["ip", family, "-batch", "-"], input="\n".join(lines) + "\n",
                            text=True, capture_output=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"ip {family}: {result.stderr.strip()}")


def private_mounts(workdir, accounts):
    """For real MTAs with compiled-in paths: an empty /var/spool, /var/lib and /run, and users that
    exist only in here. accounts: (name, uid) pairs, each with a group of its own."""
    for path in ("/var/spool", "/var/lib", "/run"):
        _run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", path)
    passwd, group = [], []
    for name, uid in accounts:
        passwd.append(f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n")
        group.append(f"{name}:x:{uid}:\n")
    _append_bound("/etc/passwd", passwd, workdir)
    _append_bound("/etc/group", group, workdir)


def private_dev(workdir):
    """A /dev with what programs need and nothing else, in which a /dev/log can be made. Anybody may:
    no device is made, those that are there are mounted."""
    dev = os.path.join(workdir, "dev")
    os.makedirs(dev, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", dev)
    for name in ("null", "zero", "full", "random", "urandom"):
        with open(os.path.join(dev, name), "wb"):
            pass
        _run("mount", "--bind", f"/dev/{name}", os.path.join(dev, name))
    os.symlink("/proc/self/fd", os.path.join(dev, "fd"))
    _run("mount", "--rbind", dev, "/dev")


def bind_resolv_conf(workdir):
    """Makes the test's DNS server this host's resolver."""
    text = "nameserver 127.0.0.1\n"
    path = os.path.realpath("/etc/resolv.conf")
    if not os.path.exists(path):  # a symlink into /run, which is empty by now
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return
    copy = os.path.join(workdir, "resolv.conf")
    with open(copy, "w", encoding="ascii") as f:
        f.write(text)
    os.chmod(copy, 0o644)
    _run("mount", "--bind", copy, path)


def bind_library_cache(workdir, directories):
    """Makes the dynamic linker find libraries in `directories` too, as if they were installed."""
    conf = os.path.join(workdir, "ld.so.conf")
    cache = os.path.join(workdir, "ld.so.cache")
    with open(conf, "w", encoding="ascii") as f:
        f.write("include /etc/ld.so.conf\n" + "".join(d + "\n" for d in directories))
    _run("/sbin/ldconfig", "-X", "-f", conf, "-C", cache)
    os.chmod(cache, 0o644)
    _run("mount", "--bind", cache, "/etc/ld.so.cache")


def _append_bound(path, lines, workdir):
    copy = os.path.join(workdir, os.path.basename(path))
    with open(path, encoding="utf-8") as f:
        have = f.read().splitlines(keepends=True)
    names = {line.split(":", 1)[0] for line in lines}
    have = [line for line in have if line.split(":", 1)[0] not in names]
    with open(copy, "w", encoding="utf-8") as f:
        f.writelines(have + lines)
    os.chmod(copy, 0o644)
    _run("mount", "--bind", copy, path)


def _run(*argv):
    subprocess.run(argv, check=True)
