"""calloutctl cache and calloutctl status: the admin's hands on the store, with a daemon and without."""
import json
import os
import re
import signal
import stat
import subprocess
import sys

from harness import client, daemon, hostile
from lifecycle import needs_root
from world import answering

TABLES = ("address", "domain", "destination", "due")
RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"
DATAERR, USAGE, UNAVAILABLE, CANTCREAT, IOERR, TEMPFAIL = 65, 64, 69, 73, 74, 75
EVERYTHING = {"catch_all.test": "always", "greylist.retry": "{1h}",
              "probe_sender_fallback": '"p@probe.example.net"'}


class Everything:
    """Who is greylisted, who accepts everything, who does not hear the null sender."""

    def mail(self, conn, sender):
        return "550 5.7.1 No null sender" if conn.address == "192.0.2.3" and not sender else None

    def rcpt(self, conn, recipient):
        if recipient.endswith("@grey.example"):
            return "451 4.7.1 Greylisted"
        known = recipient.startswith(("bob@", "alice@")) or recipient.endswith("@all.example")
        return None if known else "550 5.1.1 User unknown"


def filled(w):
    """A daemon whose store has something in each table."""
    domains = ("example.org", "all.example", "fussy.example", "grey.example")
    w.dns(*(f"{d}. MX 10 mx{n}.{d}." for n, d in enumerate(domains, 1)),
          *(f"mx{n}.{d}. A 192.0.2.{n}" for n, d in enumerate(domains, 1)),
          "probe.example.net. A 203.0.113.250", "probe.example.net. MX 10 probe.example.net.")
    w.run(hostile.Server([f"192.0.2.{n}" for n in range(1, 5)], Everything()))
    d = w.daemon(EVERYTHING)
    client.ask_all(d.control, [f"{u}@{d}" for u in ("bob", "alice", "nobody") for d in domains])
    d.wait_idle()
    return d


def entries(w, d, *argv):
    """The entries that `list` gives."""
    return w.ctl(d.conf, "cache", "list", "--json", *argv).verdicts


def stats(d):
    return client.control_get(d.control, "/v1/cache/stats")[1]


def fails(w, result, code, pattern):
    """An error says what it is, and on stderr only."""
    w.equal("exit", (result.code, result.out), (code, ""))
    w.matches("what it says", result.err, pattern)


def other_daemon(w, name, start=True):
    """One of the same build, with an empty store of its own."""
    workdir = os.path.join(w.workdir, name)
    os.mkdir(workdir)
    made = daemon.Daemon(w.build, workdir, {"policy.listen": '{"inet:127.0.0.1:8899"}'})
    return w.run(made) if start else made


def made_up(w, d, count):
    """Lines of so many addresses that differ in their name only, as export writes them."""
    line = w.ctl(d.conf, "cache", "get", "--json", "bob@example.org").out.splitlines()[0]
    return [line.replace('"bob@', f'"u{n:06}@') for n in range(count)]


def one(w, settings=None, allowed=()):
    """A daemon that knows of bob@example.org, and nothing else."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = w.daemon(settings, allowed)
    w.ctl(d.conf, "check", "bob@example.org")
    d.wait_idle()
    return d


# get

def test_get(w):
    """What is known of an address, when, how, from which MX, with which reply; the same without the
    daemon."""
    d = one(w)
    result = w.ctl(d.conf, "cache", "get", "Bob@Example.ORG")
    w.equal("exit", (result.code, result.err), (0, ""))
    for line in (r"address: bob@example\.org", "status: invalid", "reason: no_mailbox",
                 "source: probe", rf"probed_at: {RFC3339} \(\d+ s ago\)",
                 rf"refresh_at: {RFC3339} \(in .*\)", rf"expires_at: {RFC3339} \(in .*\)",
                 r"mx: mx1\.example\.org", r"ip: 192\.0\.2\.1",
                 r"reply: rcpt: 550 5\.1\.1 User unknown", "rule: .+"):
        w.matches("block", result.out, rf"(?m)^{line}$")
    before = w.ctl(d.conf, "cache", "get", "--json", "bob@example.org")
    w.equal("tables", [v["table"] for v in before.verdicts], ["address"])
    w.problems += d.stop()
    after = w.ctl(d.conf, "cache", "get", "--json", "bob@example.org")
    w.equal("without the daemon", (after.out, after.err), (before.out, ""))


def test_get_all_of_it(w):
    """An address with when it is asked again and its domain's facts; a domain's facts."""
    d = filled(w)
    for what, tables in (("bob@example.org", {"address", "domain"}),
                         ("bob@grey.example", {"address", "due"}),
                         ("example.org", {"domain"})):
        got = w.ctl(d.conf, "cache", "get", "--json", what)
        w.equal(f"tables of {what}", {v["table"] for v in got.verdicts}, tables)
        blocks = w.ctl(d.conf, "cache", "get", what).out.split("\n\n")
        w.equal(f"blocks of {what}", len(blocks), len(got.verdicts))


def test_get_nothing(w):
    """What is not known, and what is no address."""
    d = one(w)
    for argv in ([], ["--standalone"]):
        if argv:
            w.problems += d.stop()
        fails(w, w.ctl(d.conf, "cache", "get", "alice@example.org", *argv), 1,
              "nothing is known of alice@example.org")
        fails(w, w.ctl(d.conf, "cache", "get", "nowhere.test", *argv), 1, "nothing is known")
        fails(w, w.ctl(d.conf, "cache", "get", "a b@example.org", *argv), DATAERR, "no address")
        fails(w, w.ctl(d.conf, "cache", "get", "-x.example", *argv), USAGE, "usage")
        fails(w, w.ctl(d.conf, "cache", "get", "x_y z.example", *argv), DATAERR, "no domain")


def test_get_dns(w):
    """What the DNS has said is no reply of a server."""
    d = one(w)
    w.ctl(d.conf, "check", "bob@nowhere.test")
    w.until("in the store", lambda: stats(d)["entries"]["address"] == 2)
    w.matches("block", w.ctl(d.conf, "cache", "get", "bob@nowhere.test").out, "(?m)^dns: NXDOMAIN$")


# list and forget

def test_list(w):
    """A line an entry; of one domain, of some tables; with the daemon and without."""
    d = filled(w)
    everything = entries(w, d)
    w.equal("tables", {e["table"] for e in everything}, set(TABLES))
    for table in TABLES:
        w.equal(table, entries(w, d, "--table", table),
                [e for e in everything if e["table"] == table])
    w.equal("two tables", entries(w, d, "--table", "due", "--table", "address"),
            [e for e in everything if e["table"] in ("due", "address")])
    of_domain = entries(w, d, "all.example")
    w.check(of_domain and all(e.get("domain") == "all.example" or
                              e.get("address", "").endswith("@all.example")
                              for e in of_domain), f"of all.example: {of_domain}")
    w.equal("of no domain we know", entries(w, d, "nowhere.test"), [])
    lines = w.ctl(d.conf, "cache", "list").out.splitlines()
    w.equal("lines", len(lines), 1 + len(everything))
    w.matches("heading", lines[0], r"^TABLE +NAME +STATUS")
    w.matches("a row", "\n".join(lines), r"(?m)^address +nobody@example\.org +invalid +no_mailbox "
              rf"+probe +{RFC3339} +{RFC3339} +mx1\.example\.org +rcpt: 550 5\.1\.1 User unknown$")
    w.problems += d.stop()
    w.equal("without the daemon", entries(w, d), everything)


def test_forget(w):
    """Addresses, and domains with all there is of them; says how many; U-labels, literals."""
    d = filled(w)
    for argv, count, unknown in (
            (["bob@example.org"], 1, []), (["bob@example.org"], 0, ["bob@example.org"]),
            (["Alice@EXAMPLE.org", "x@nowhere.test", "nobody@example.org"], 2, ["x@nowhere.test"]),
            (["bob@grey.example"], 2, []), (["--domain", "nowhere.test"], 0, ["nowhere.test"]),
            (["--domain", "bücher.example", "[192.0.2.1]"], 0, ["bücher.example", "[192.0.2.1]"])):
        result = w.ctl(d.conf, "cache", "forget", *argv)
        w.equal(f"forget {argv}", (result.code, result.out, result.err),
                (0 if count else 1, f"forgotten: {count}\n",
                 "".join(f"calloutctl: nothing is known of {what}\n" for what in unknown)))
    w.equal("left of it", {e["table"] for e in entries(w, d, "example.org")}, {"domain"})
    count = len(entries(w, d, "all.example")) + len(entries(w, d, "grey.example"))
    w.problems += d.stop()
    result = w.ctl(d.conf, "cache", "forget", "--domain", "all.example", "Grey.Example")
    w.equal("without the daemon", (result.code, result.out), (0, f"forgotten: {count}\n"))
    w.equal("left", entries(w, d, "all.example") + entries(w, d, "grey.example"), [])
    result = w.ctl(d.conf, "cache", "forget", "--domain", "10.0.0.1")  # an address can be of it
    w.equal("digits", (result.code, result.out), (1, "forgotten: 0\n"))
    for argv, pattern in ((["--domain", "fussy.example", "bob@fussy.example"], "no domain"),
                          (["bob@fussy.example", "fussy.example"], "no address")):
        fails(w, w.ctl(d.conf, "cache", "forget", *argv), DATAERR, pattern)
    w.check(entries(w, d, "fussy.example"), "something was forgotten although an argument was wrong")


def test_destination(w):
    """Who refuses us: get points to where that is seen, shows it, and forget is the way out."""
    w.dns()
    server = w.run(hostile.Server(["192.0.2.1"], hostile.On(greeting="554 5.7.1 Blocked, see why")))
    d = w.daemon(allowed=["refuses us"])
    w.matches("blocked", w.ctl(d.conf, "check", "bob@example.org").out, "unknown +blocked")
    w.until("in the store", lambda: stats(d)["entries"]["destination"] == 1)
    fails(w, w.ctl(d.conf, "cache", "get", "bob@example.org"), 1, r'(?s)nothing is known.*"calloutctl status"')
    w.matches("status", w.ctl(d.conf, "status").out, "(?m)^mx/example.org +open ")
    result = w.ctl(d.conf, "cache", "get", "mx/example.org")
    w.equal("exit", (result.code, result.err), (0, ""))
    for line in ("destination: mx/example.org", "breaker.state: open", "breaker.code: 554",
                 "breaker.text: Blocked, see why"):
        w.matches("block", result.out, f"(?m)^{line}$")
    server.rules = []
    w.matches("still", w.ctl(d.conf, "check", "bob@example.org").out, "unknown +blocked")
    result = w.ctl(d.conf, "cache", "forget", "--destination", "mx/example.org", "mx/example.com")
    w.equal("forget", (result.code, result.out, result.err),
            (0, "forgotten: 1\n", "calloutctl: nothing is known of mx/example.com\n"))
    w.until("health", lambda: d.status()["health"] == "ok")
    w.matches("asked again", w.ctl(d.conf, "check", "bob@example.org").out, "valid +mailbox_exists")
    for name in ("mx/", "example.org", "here/example.org"):
        fails(w, w.ctl(d.conf, "cache", "forget", "--destination", name), DATAERR, "no destination")
    w.problems += d.stop()
    fails(w, w.ctl(d.conf, "cache", "get", "ip/192.0.2.1"), 1, "nothing is known of ip/192.0.2.1\n$")
    w.equal("without the daemon", w.ctl(d.conf, "cache", "forget", "--destination",
                                        "domain/example.org").out, "forgotten: 0\n")


# export and import

def test_export_import(w):
    """Export, import into an empty store, export: the same, octet for octet, both ways."""
    d = filled(w)
    first = os.path.join(w.workdir, "first")
    w.equal("export", str(w.ctl(d.conf, "cache", "export", first)), "exit 0\n")
    with open(first, encoding="utf-8") as f:
        text = f.read()
    w.equal("tables", {json.loads(line)["table"] for line in text.splitlines()}, set(TABLES))
    w.equal("to standard output", w.ctl(d.conf, "cache", "export").out, text)
    w.equal("two tables", w.ctl(d.conf, "cache", "export", "--table", "address", "--table", "domain").out,
            "".join(line + "\n" for line in text.splitlines()
                    if json.loads(line)["table"] in ("address", "domain")))
    w.problems += d.stop()
    w.equal("without the daemon", w.ctl(d.conf, "cache", "export", "-").out, text)
    said = f"taken {len(text.splitlines())}, expired 0, refused 0, failed 0\n"
    beside = other_daemon(w, "beside")
    w.equal("import", str(w.ctl(beside.conf, "cache", "import", first)), f"exit 0\n{said}")
    w.equal("again", w.ctl(beside.conf, "cache", "export").out, text)
    alone = other_daemon(w, "alone", start=False)
    w.equal("import alone", str(w.ctl(alone.conf, "cache", "import", "-", stdin=text)),
            f"exit 0\n{said}")
    w.equal("again, alone", w.ctl(alone.conf, "cache", "export").out, text)


def test_export_file(w):
    """Only a complete file takes the place of what was there, and is nobody else's to read."""
    d = one(w)
    directory = os.path.join(w.workdir, "backup")
    os.mkdir(directory)
    path = os.path.join(directory, "store.jsonl")
    with open(path, "w", encoding="utf-8") as f:
        f.write("what was there\n")
    os.chmod(path, 0o644)
    w.equal("export", w.ctl(d.conf, "cache", "export", path).code, 0)
    w.equal("mode", stat.S_IMODE(os.stat(path).st_mode), 0o600)
    w.equal("files", os.listdir(directory), ["store.jsonl"])
    fails(w, w.ctl(d.conf, "cache", "export", os.path.join(directory, "no", "x")), CANTCREAT,
          "No such file")
    fails(w, w.ctl(d.conf, "cache", "export", "/dev/full"), IOERR, "/dev/full: No space left")
    w.problems += d.stop()
    os.rename(os.path.join(w.workdir, "state"), os.path.join(w.workdir, "elsewhere"))
    fails(w, w.ctl(d.conf, "cache", "export", path), UNAVAILABLE, "state")
    w.equal("files then", os.listdir(directory), ["store.jsonl"])
    with open(path, encoding="utf-8") as f:
        w.matches("what is there", f.read(), r'^\{"table":"address".*\}\n$')


@needs_root
def test_export_as_another(w):
    """Root becomes the daemon's user before it makes the file; who it was is said where that may not."""
    w.dns()
    state, closed = (os.path.join(w.workdir, n) for n in ("state", "closed"))
    os.makedirs(state)
    os.mkdir(closed, 0o700)
    os.chown(state, 65534, 65534)
    os.chmod(w.workdir, 0o711)
    d = daemon.Daemon(w.build, w.workdir, {"user": '"nobody"'})
    fails(w, w.ctl(d.conf, "cache", "export", os.path.join(closed, "file")), CANTCREAT,
          "closed/file: Permission denied to nobody\n$")
    w.equal("export", str(w.ctl(d.conf, "cache", "export", os.path.join(state, "file"))), "exit 0\n")


@needs_root
def test_socket_of_others(w):
    """A socket that is not ours to use, even one that nobody listens on: what does without is told."""
    d = one(w)
    w.problems += d.stop(signal.SIGKILL)
    os.chmod(w.workdir, 0o755)
    os.chmod(d.control, 0o600)
    as_nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    fails(w, w.ctl(d.conf, "cache", "stats", prefix=as_nobody), UNAVAILABLE,
          "Permission denied: .* --standalone")


def test_export_links(w):
    """A link stays one, and what it leads to is replaced; standard output by its name is written to."""
    d = one(w)
    text = w.ctl(d.conf, "cache", "export").out
    place, link, out = (os.path.join(w.workdir, n) for n in ("place", "link", "out"))
    with open(place, "w", encoding="utf-8") as f:
        f.write("what was there\n")
    os.symlink("place", link)
    w.equal("export", str(w.ctl(d.conf, "cache", "export", link)), "exit 0\n")
    w.check(os.path.islink(link), "the link is gone")
    stdout = os.path.join(w.workdir, "stdout")
    os.symlink("/proc/self/fd/1", stdout)
    with open(out, "wb") as f:
        f.write(b"before\n")
        f.flush()
        subprocess.run([os.path.join(w.build, "calloutctl"), "-c", d.conf, "cache", "export", stdout],
                       stdout=f, check=True)
    w.equal("that link", os.readlink(stdout), "/proc/self/fd/1")
    for path, want in ((place, text), (out, "before\n" + text)):
        with open(path, encoding="utf-8") as f:
            w.equal(path, f.read(), want)


def test_export_interrupted(w):
    """Ended in the middle: nothing is left beside what was there."""
    d = one(w)
    w.ctl(d.conf, "cache", "import", stdin="\n".join(made_up(w, d, 5000)))
    directory = os.path.join(w.workdir, "backup")
    os.mkdir(directory)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(d.proc.pid, signal.SIGSTOP)  # so that it takes as long as we like
        proc = subprocess.Popen([os.path.join(w.build, "calloutctl"), "-c", d.conf, "cache",
                                 "export", os.path.join(directory, "store.jsonl")])
        w.until("begun", lambda: os.listdir(directory))
        proc.send_signal(number)
        w.equal("ended by", proc.wait(), -number)
        os.kill(d.proc.pid, signal.SIGCONT)
        w.equal("left", os.listdir(directory), [])
    d.wait_idle()


def test_import_refuses(w):
    """What is no entry is counted, and the first is told with its line; the others are taken."""
    d = one(w)
    good = made_up(w, d, 4)
    late = re.sub(r'"(probed_at|refresh_at|expires_at)":"\d{4}', r'"\1":"2001', good[3])
    lines = [good[0], "", good[1], "{", "x" * 100000, good[2].replace("invalid", "unheard"), late,
             good[2]]
    path = os.path.join(w.workdir, "lines")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines))
    for argv in ([], ["--standalone"]):
        if argv:
            w.problems += d.stop()
        result = w.ctl(d.conf, "cache", "import", path, *argv)
        w.equal("import", (result.code, result.out),
                (DATAERR, "taken 3, expired 1, refused 3, failed 0\n"))
        w.matches("the first", result.err, rf"^{path}:4: [^\n]+\n$")
    fails(w, w.ctl(d.conf, "cache", "import", path + "x"), 66, "No such file")


# A process has, for a moment, the memory of the one that it is a copy of: so by a small one.
MEASURE = """import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, file=sys.stderr)"""


def measured(w, d, out, *argv):
    """Exit code and the most memory (KiB) it had."""
    with open(out, "wb") as f:
        proc = subprocess.run([sys.executable, "-S", "-c", MEASURE,
                               os.path.join(w.build, "calloutctl"), "-c", d.conf, *argv],
                              stdout=f, stderr=subprocess.PIPE, text=True, check=True,
                              env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
    return (int(n) for n in proc.stderr.split()[-2:])


def test_memory(w):
    """Twenty thousand entries take no more memory than two thousand, each way."""
    d = one(w)
    lines = made_up(w, d, 20000)
    most = {}
    for count in (2000, 20000):
        path, out = (os.path.join(w.workdir, f"{n}{count}") for n in ("lines", "out"))
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in lines[:count])
        for argv in (["import", path], ["export"], ["list"]):
            code, most[count, argv[0]] = measured(w, d, out, "cache", *argv)
            w.equal(f"{argv[0]} of {count}", code, 0)
    w.equal("entries", len(entries(w, d)), 20001)
    w.problems += d.stop()
    _, least = measured(w, d, out, "cache", "stats")
    mapped = os.stat(os.path.join(w.workdir, "state", "store.mdb")).st_size // 1024
    for argv in (["export"], ["list"]):
        code, alone = measured(w, d, out, "cache", *argv)
        w.equal(f"{argv[0]} alone", code, 0)
        with open(out, "rb") as f:
            w.check(sum(1 for _ in f) >= 20001, f"{argv[0]} alone: not all of it")
        w.check(alone < least + mapped + 8000,
                f"{argv[0]} alone: {alone} KiB, with nothing to tell {least} KiB")
    for what in ("import", "export", "list"):
        w.check(most[20000, what] < most[2000, what] + 2000,
                f"{what}: {most[2000, what]} KiB, then {most[20000, what]} KiB")


def test_daemon_killed_in_import(w):
    """kill -9 of the daemon in the middle of an import: what was said to be taken is there."""
    d = one(w)
    lines = made_up(w, d, 6000)
    proc = subprocess.Popen([os.path.join(w.build, "calloutctl"), "-c", d.conf, "cache", "import"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)
    proc.stdin.write("".join(line + "\n" for line in lines[:3000]))
    proc.stdin.flush()
    w.until("half of it", lambda: stats(d)["entries"]["address"] > 2000)
    w.problems += d.stop(signal.SIGKILL)
    out, err = proc.communicate("".join(line + "\n" for line in lines[3000:]))
    w.equal("exit", proc.returncode, TEMPFAIL)
    taken = int(re.match(r"taken (\d+), expired 0, refused 0, failed 0\n$", out).group(1))
    w.check(2000 < taken < 6000, f"taken: {taken}")
    said = int(re.search(r"from line (\d+) of - on", err).group(1))
    w.equal("where to go on", said, taken + 1)
    d.start()
    known = {e["address"] for e in entries(w, d)}
    missing = [n for n in range(taken) if f"u{n:06}@example.org" not in known]
    w.equal("missing", missing, [])


def test_daemon_killed_in_export(w):
    """kill -9 of the daemon in the middle of an export: an error, and what was there stays."""
    d = one(w)
    w.ctl(d.conf, "cache", "import", stdin="\n".join(made_up(w, d, 8000)))
    path = os.path.join(w.workdir, "file")
    with open(path, "w", encoding="utf-8") as f:
        f.write("what was there\n")
    tool = [os.path.join(w.build, "calloutctl"), "-c", d.conf, "cache", "export"]
    proc = subprocess.Popen(tool, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    proc.stdout.readline()
    os.kill(d.proc.pid, signal.SIGSTOP)
    beside = subprocess.Popen([*tool, path], stderr=subprocess.PIPE, text=True)
    w.until("begun", lambda: any(n.startswith("file.") for n in os.listdir(w.workdir)))
    w.problems += d.stop(signal.SIGKILL)
    out, err = proc.communicate()
    w.equal("exit", proc.returncode, TEMPFAIL)
    w.check(len(out.splitlines()) < 8000, "it was whole")
    w.matches("what it says", err, "^calloutctl: control socket: the answer breaks off")
    beside.communicate()
    w.equal("exit, to a file", beside.returncode, TEMPFAIL)
    w.equal("files", [n for n in os.listdir(w.workdir) if n.startswith("file")], ["file"])
    with open(path, encoding="utf-8") as f:
        w.equal("what is there", f.read(), "what was there\n")


def test_tool_killed_in_import(w):
    """kill -9 of the tool in the middle: the daemon keeps what it took, and is asked as before."""
    d = one(w)
    lines = made_up(w, d, 3000)
    proc = subprocess.Popen([os.path.join(w.build, "calloutctl"), "-c", d.conf, "cache", "import"],
                            stdin=subprocess.PIPE, text=True)
    proc.stdin.write("".join(line + "\n" for line in lines))
    proc.stdin.flush()
    w.until("half of it", lambda: stats(d)["entries"]["address"] > 2000)
    proc.kill()
    proc.wait()
    proc.stdin.close()
    d.wait_idle()
    w.check(len(entries(w, d)) > 2000, "it forgot what it took")


def test_import_into_full_store(w):
    """A file that may not grow: what was committed is counted, the rest failed, and where to go on."""
    d = one(w)
    lines = made_up(w, d, 6000)
    w.problems += d.stop()
    blocks = os.stat(os.path.join(w.workdir, "state", "store.mdb")).st_size // 512 + 2000
    result = w.ctl(d.conf, "cache", "import", stdin="\n".join(lines), prefix=(
        "sh", "-c", f"trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"", "sh"))
    w.equal("exit", result.code, TEMPFAIL)
    m = re.match(r"taken (\d+), expired 0, refused 0, failed (\d+)\n$", result.out)
    w.check(m and int(m.group(1)) > 0 and int(m.group(2)) > 0, f"counts: {result}")
    w.matches("where to go on", result.err, r"the store cannot keep them now; .* from line \d+ of -")
    known = len(entries(w, d))
    w.check(m and known >= int(m.group(1)), f"{known} entries, and it said {result.out}")
    result = w.ctl(d.conf, "cache", "import", stdin="\n".join(lines))
    w.equal("once more", result.out, "taken 6000, expired 0, refused 0, failed 0\n")


# Streams, errors

def test_no_streams(w):
    """Streams that are closed: what is opened next is not taken for one of them."""
    d = one(w)
    w.problems += d.stop()
    lock = os.path.join(w.workdir, "state", "store.lock")
    before, text = os.stat(lock).st_size, w.ctl(d.conf, "cache", "export").out
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        for argv in (("list",), ("get", "alice@example.org"), ("stats",)):
            w.ctl(d.conf, "cache", *argv, prefix=("sh", "-c", f'exec "$@" {closed}', "sh"))
    w.equal("the lock", os.stat(lock).st_size, before)
    w.equal("the store", w.ctl(d.conf, "cache", "export").out, text)


def test_control_characters(w):
    """A terminal gets none, not even out of an address that has some."""
    d = one(w)
    line = made_up(w, d, 1)[0].replace('"u000000@', '"a\u009b31mb@')
    w.equal("import", w.ctl(d.conf, "cache", "import", stdin=line).code, 0)
    for argv in (["get", "a\u009b31mb@example.org"], ["list"]):
        out = w.ctl(d.conf, "cache", *argv).out
        w.matches(argv[0], out, r"a\?\?31mb@example\.org")
        w.check("\u009b" not in out, f"{argv}: {out!r}")
    w.equal("as it is", json.loads(w.ctl(d.conf, "cache", "get", "--json", "a\u009b31mb@example.org")
                                   .out)["address"], "a\u009b31mb@example.org")


def test_closed_output(w):
    """A reader who has had enough: no message. A full device: one."""
    d = one(w)
    w.ctl(d.conf, "cache", "import", stdin="\n".join(made_up(w, d, 5000)))
    for argv in (["list"], ["export"], ["list", "--json"]):
        proc = subprocess.Popen([os.path.join(w.build, "calloutctl"), "-c", d.conf, "cache", *argv],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        proc.stdout.readline()
        proc.stdout.close()
        w.equal(f"{argv}, closed", proc.stderr.read(), "")
        proc.stderr.close()
        w.check(proc.wait() != 0, f"{argv}: as if all had been written")
    for argv in (["cache", "get", "bob@example.org"], ["cache", "list"], ["cache", "export"],
                 ["cache", "stats"], ["cache", "forget", "bob@example.org"], ["status"],
                 ["check", "--no-probe", "bob@example.org"]):
        with open("/dev/full", "w", encoding="utf-8") as full:
            proc = subprocess.run([os.path.join(w.build, "calloutctl"), "-c", d.conf, *argv],
                                  stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        w.equal(f"{argv}, full", proc.returncode, IOERR)
        w.matches(f"{argv}, full", proc.stderr, "standard output: No space left on device")
    d.wait_idle()


def test_help(w):
    """Asked for, usage is an answer, and needs no configuration."""
    missing = os.path.join(w.workdir, "missing.conf")
    for argv in (["--help"], *([name, "--help"] for name in ("check", "cache", "status", "parse",
                                                             "classify")), ["cache", "get", "--help"]):
        result = w.ctl(missing, *argv)
        w.equal(f"{argv}", (result.code, result.err), (0, ""))
        w.matches(f"{argv}", result.out, rf"^usage: calloutctl (.*\n)*.*{argv[0]}")


def test_what_is_wrong(w):
    """A line about that, and then the usage."""
    d = one(w)
    for argv, said in ((["foo"], "no such subcommand: foo"), (["cache"], "cache: a subcommand is wanted"),
                       (["cache", "foo"], "cache: no such subcommand: foo"),
                       (["cache", "list", "--foo"], "unrecognized option '--foo'"),
                       (["cache", "get", "--table", "due", "a@a.example"],
                        "cache get has no option --table"),
                       (["cache", "get"], "cache get: too few arguments"),
                       (["cache", "list", "a.example", "b.example"], "cache list: too many arguments"),
                       (["cache", "forget", "--domain", "--destination", "a.example"],
                        "cache forget: --domain and --destination are two ways"),
                       (["status", "now"], "status: too many arguments"),
                       (["status", "--foo"], "unrecognized option '--foo'"),
                       (["check"], "check: an address is wanted"),
                       (["classify", "--foo"], "unrecognized option '--foo'")):
        result = w.ctl(d.conf, *argv)
        w.equal(f"{argv}", (result.code, result.out), (USAGE, ""))
        w.matches(f"{argv}", result.err, rf"^calloutctl: {said}\nusage: calloutctl ")


def test_wrong_arguments(w):
    """Usage, and nothing is done."""
    d = one(w)
    for argv in ([], ["got"], ["get"], ["get", "a@example.org", "b@example.org"],
                 ["get", "--table", "due", "a@example.org"], ["list", "--table", "nowhere"],
                 ["list", "a.example", "b.example"], ["list", "--domain"], ["forget"],
                 ["forget", "--domain"], ["forget", "--json", "bob@example.org"],
                 ["export", "a", "b"], ["export", "--json"], ["import", "a", "b"],
                 ["stats", "now"]):
        fails(w, w.ctl(d.conf, "cache", *argv), USAGE, "usage: calloutctl")
    fails(w, w.ctl(d.conf, "status", "now"), USAGE, "usage: calloutctl")
    w.equal("entries", len(entries(w, d)), 1)


def test_in_use(w):
    """--standalone beside a daemon: an error that says so, and no other store."""
    d = one(w)
    for argv in (["list"], ["stats"], ["get", "bob@example.org"], ["export"],
                 ["import", "/dev/null"]):
        fails(w, w.ctl(d.conf, "cache", *argv, "--standalone"), UNAVAILABLE, "process")
    w.equal("entries", len(entries(w, d)), 1)


def test_stats(w):
    """How much there is, in numbers and for people; with the daemon and without."""
    d = filled(w)
    counts = {t: len(entries(w, d, "--table", t)) for t in TABLES}
    for argv in ([], ["--standalone"]):
        if argv:
            w.problems += d.stop()
        got = w.ctl(d.conf, "cache", "stats", "--json", *argv).verdicts[0]
        w.equal("entries", got["entries"], counts)
        w.check(0 < got["used"] <= got["file"] and got["used"] < got["size"], f"sizes: {got}")
        w.matches("next expiry", got["next_expiry"], f"^{RFC3339}$")
        w.check("failing" not in got, f"failing: {got}")
        text = w.ctl(d.conf, "cache", "stats", *argv).out
        for line in (f"address: {counts['address']}", r"used: .* of 4\.0 GiB \(0\.\d %\), \d+ B an entry",
                     rf"next_expiry: {RFC3339} \(in .*\)", r"commits: \d+"):
            w.matches("text", text, rf"(?m)^{line}$")


# status

def test_status(w):
    """One screen of at most 80 columns: health, what was asked, the store, who is in trouble."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          *(f"d{n}.example. MX 10 mx.d{n}.example." for n in range(20)),
          *(f"mx.d{n}.example. A 192.0.2.{n + 10}" for n in range(20)))
    refusal = "554 5.7.1 " + "Your address is on a blocklist, see https://bl.example/why " * 4
    w.run(hostile.Server(["192.0.2.1"]))
    w.run(hostile.Server([f"192.0.2.{n + 10}" for n in range(20)],
                         hostile.On(greeting=refusal.strip())))
    d = w.daemon(allowed=["refuses us", "blocked"])
    w.ctl(d.conf, "check", "bob@example.org")
    w.until("kept", lambda: stats(d)["entries"]["address"] == 1)
    w.ctl(d.conf, "check", "bob@example.org")
    client.ask_all(d.control, [f"bob@d{n}.example" for n in range(20)])
    d.wait_idle()
    answer = w.ctl(d.conf, "status", "--json").verdicts[0]
    w.equal("--json", set(answer), set(d.status()))
    result = w.ctl(d.conf, "status")
    w.equal("exit", (result.code, result.err), (0, ""))
    lines = result.out.splitlines()
    w.check(all(len(line) <= 80 for line in lines), f"wider than 80:\n{result.out}")
    w.matches("health", lines[0], r"^calloutd \S+: (ok|degraded), since " + RFC3339)
    problem = next(p for p in answer["problems"] if "refuses us" in p)
    w.check(f"  ! {problem}" in re.sub(r"\n    ", " ", result.out), f"not in full: {problem}\n{result.out}")
    for line in (r"questions +22, 1 of them from the store, 0 stale", r"callouts +21",
                 r"under way +0 flights",
                 r"to be asked again: 0$", r"store +\d+ entries, .* of 4\.0 GiB",
                 r"DESTINATION +STATE +FOR +WAITING +WHY",
                 r"\S+ +open +\d+ min( \d+ s)? +0  Your address .*\.\.\.", r"and 5 more"):
        w.matches("screen", result.out, rf"(?m)^{line}")


def test_status_without_daemon(w):
    """No daemon: an error that says so."""
    d = daemon.Daemon(w.build, w.workdir)
    fails(w, w.ctl(d.conf, "status"), UNAVAILABLE, "control: no daemon is running there")
    fails(w, w.ctl(d.conf, "status", "--json"), UNAVAILABLE, "no daemon")
