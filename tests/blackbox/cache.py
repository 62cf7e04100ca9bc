"""The store by the control API: what is known, forgotten, taken out and put back."""
import json
import socket
import urllib.parse

from harness import client, daemon, hostile

ENTRIES = "/v1/cache/entries"
TEMPFAIL = {'action "outbound".deferred': "tempfail"}
BODY_MAX = 65536
SLOW = 20000  # entries: far more than what socket buffers hold


def target(path, parameters):
    """A parameter whose value is a list is given several times."""
    return path + ("?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else "")


def request(d, method, path, body=None, **parameters):
    """(status code, parsed JSON or text)."""
    return client.control_request(d.control, method, target(path, parameters), body)


def export(d, **parameters):
    """The lines, as they came."""
    conn = client.ControlConnection(d.control)
    try:
        conn.request("GET", target(ENTRIES, parameters))
        answer = conn.getresponse()
        text = answer.read().decode("utf-8")
        if answer.status != 200 or answer.getheader("Content-Type") != "application/x-ndjson":
            raise AssertionError(f"{target(ENTRIES, parameters)}: {answer.status} {text}")
        return text.splitlines()
    finally:
        conn.close()


def entries(d, **parameters):
    return [json.loads(line) for line in export(d, **parameters)]


def tables(listed):
    return sorted(e["table"] for e in listed)


def forget(d, **parameters):
    """How many."""
    code, body = request(d, "DELETE", ENTRIES, **parameters)
    if code != 200:
        raise AssertionError(f"forget {parameters}: {code} {body}")
    return body["forgotten"]


def load(d, lines):
    """Imports in bodies as long as they may be; the counts of all."""
    total, body, first, number = {}, b"", 1, 0

    def send():
        code, counts = request(d, "POST", "/v1/cache/import", body=body, first_line=first)
        if code != 200:
            raise AssertionError(f"import: {code} {counts}")
        for key, value in counts.items():
            total[key] = total.get(key, 0) + value if key != "problem" else value

    for number, line in enumerate(lines, 1):
        octets = line.encode("utf-8") + b"\n"
        if len(body) + len(octets) > BODY_MAX:
            send()
            body, first = b"", number
        body += octets
    send()
    return total


def ask(d, recipient, **parameters):
    query = urllib.parse.urlencode({"address": recipient, **parameters})
    return client.control_get(d.control, f"/v1/verify?{query}")[1]


def brief(verdict):
    return f"{verdict['status']}/{verdict['reason']}/{verdict['source']}"


def start(w, *rules, settings=None, **options):
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "example.net. MX 10 mx1.example.org.")
    server = w.run(hostile.Server(["192.0.2.1"], *rules, **options))
    return server, w.daemon({**TEMPFAIL, **(settings or {})})


def known(d, *recipients):
    """Asks about them and waits until all of it is in the store."""
    for recipient in recipients:
        ask(d, recipient)
    d.wait_idle()


NO_CAROL = hostile.On(rcpt=lambda _c, r: "550 5.1.1 No such user" if r.startswith("carol") else None)


def test_entries(w):
    """Of an address, of a domain, of tables: with what it is known from and when."""
    _server, d = start(w, NO_CAROL)
    w.equal("at first", export(d), [])
    known(d, "bob@example.org", "Carol@Example.org", "carol@example.net")
    bob = entries(d, address="bob@example.org", table="address")
    w.equal("of bob", [(e["address"], e["status"], e["reason"], e["source"], e["reply"]["code"],
                        e["mx"], e["ip"]) for e in bob],
            [("bob@example.org", "valid", "mailbox_exists", "probe", 250, "mx1.example.org",
              "192.0.2.1")])
    for key in ("probed_at", "refresh_at", "expires_at"):
        w.matches(key, bob[0].get(key), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    w.equal("capitals", len(entries(d, address="CAROL@example.ORG", table="address")), 1)
    w.equal("of a domain", sorted(e["address"] for e in entries(d, domain="Example.ORG")
                                  if e["table"] == "address"),
            ["bob@example.org", "carol@example.org"])
    w.equal("of tables", set(tables(entries(d, table=["address", "due"]))), {"address"})
    w.equal("of all", [e["address"] for e in entries(d) if e["table"] == "address"],
            ["carol@example.net", "bob@example.org", "carol@example.org"])
    w.equal("of nobody", export(d, address="nobody@nowhere.example"), [])
    w.equal("of a part of a name", export(d, domain="example.o"), [])
    w.equal("of a longer name", export(d, domain="a.example.org"), [])


def test_errors(w):
    """What is meant is said, or nothing is done."""
    _server, d = start(w)
    known(d, "bob@example.org")
    before = export(d)
    for method, path, parameters, code, pattern in (
            ("GET", ENTRIES, {"address": "bob"}, 400, "address: no @"),
            ("GET", ENTRIES, {"domain": "a..b"}, 400, "domain: "),
            ("GET", ENTRIES, {"domain": "bob@example.org"}, 400, "domain: "),
            ("GET", ENTRIES, {"domain": "x" * 300}, 400, "domain: "),
            ("GET", ENTRIES, {"table": "adress"}, 400, "table: address, domain, "),
            ("GET", ENTRIES, {"adress": "bob@example.org"}, 400, "unknown parameter: adress"),
            ("GET", ENTRIES, {"address": "bob@example.org", "domain": "example.org"}, 400, "one "),
            ("GET", ENTRIES, {"destination": "example.org"}, 400, "destination: mx/NAME, "),
            ("GET", ENTRIES, {"destination": "mx/" + "x" * 300}, 400, "destination: "),
            ("DELETE", ENTRIES, {}, 400, "an address, a domain or a destination is wanted"),
            ("DELETE", ENTRIES, {"destination": "mx/a.example", "domain": "a.example"}, 400, "one "),
            ("DELETE", ENTRIES, {"adress": "bob@example.org"}, 400, "unknown parameter: adress"),
            ("DELETE", ENTRIES, {"domain": "example.org", "table": "due"}, 400,
             "unknown parameter: table"),
            ("DELETE", ENTRIES, {"address": "bob@example.org", "domain": "example.org"}, 400, "one "),
            ("DELETE", ENTRIES, {"domain": ["example.net", "example.org"]}, 400, "one "),
            ("DELETE", ENTRIES, {"domain": "example.org\0.example.net"}, 400, "cannot be read"),
            ("POST", "/v1/cache/import", {"first_line": "0"}, 400, "first_line: "),
            ("POST", "/v1/cache/import", {"first_line": "-1"}, 400, "first_line: "),
            ("POST", "/v1/cache/import", {"first_line": "99999999999999999999"}, 400, "first_line: "),
            ("POST", ENTRIES, {}, 405, "known here: GET, DELETE"),
            ("GET", "/v1/cache/import", {}, 405, "known here: POST"),
            ("DELETE", "/v1/cache/stats", {}, 405, "known here: GET"),
            ("GET", "/v1/cache", {}, 404, "no such resource")):
        got, body = request(d, method, path, **parameters)
        w.equal(f"{method} {path} {parameters}", got, code)
        w.matches(f"{method} {path} {parameters}", body["error"], pattern)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(d.control)
        sock.sendall(b"HEAD /healthz HTTP/1.1\r\n\r\nHEAD /x HTTP/1.1\r\nConnection: close\r\n\r\n")
        heads = sock.makefile("rb").read().split(b"\r\n\r\n")
    w.equal("HEAD", [h.split()[1:2] for h in heads], [[b"405"], [b"404"], []])
    conn = client.ControlConnection(d.control)
    conn.putrequest("POST", "/v1/cache/import")
    conn.putheader("Content-Length", str(BODY_MAX + 1))
    conn.endheaders()  # it need not hear the body
    w.equal("too long a body", conn.getresponse().status, 413)
    conn.close()
    w.equal("afterwards", export(d), before)


def test_forget(w):
    """Forgotten is asked again, and only that."""
    server, d = start(w, NO_CAROL)
    everybody = ("bob@example.org", "carol@example.org", "carol@example.net")
    known(d, *everybody)
    w.equal("one", forget(d, address="BOB@example.org"), 1)
    d.wait_log(r"cache: forgot 1 record of bob@example\.org$")
    w.equal("once more", forget(d, address="bob@example.org"), 0)
    w.equal("then", [brief(ask(d, r)) for r in everybody],
            ["valid/mailbox_exists/probe", "invalid/no_mailbox/store", "invalid/no_mailbox/store"])
    d.wait_idle()
    there = len(export(d, domain="example.org"))
    w.equal("a domain", forget(d, domain="example.org"), there)
    d.wait_log(rf"cache: forgot {there} records of example\.org$")
    w.equal("left of it", export(d, domain="example.org"), [])
    w.equal("then", [brief(ask(d, r)) for r in everybody],
            ["valid/mailbox_exists/probe", "invalid/no_mailbox/probe", "invalid/no_mailbox/store"])
    w.equal("tries", [len(server.tries(r)) for r in everybody], [3, 2, 1])


def test_forget_destination(w):
    """One that refuses us: shown by its name; forgotten, it is asked again at once."""
    server, d = start(w, hostile.On(greeting="554 5.7.1 Your IP is blocked"))
    d.allowed += ["refuses us"]
    w.equal("blocked", brief(ask(d, "bob@example.org")), "unknown/blocked/probe")
    w.until("in the store", lambda: entries(d, destination="mx/example.org"))
    w.equal("of the address", entries(d, address="bob@example.org"), [])
    w.equal("of the destination", [(e["destination"], e["breaker"]["state"], e["breaker"]["code"])
                                   for e in entries(d, destination="mx/example.org")],
            [("mx/example.org", "open", 554)])
    w.equal("of others", entries(d, destination="mx/example.net"), [])
    server.rules = []
    w.equal("without a callout", brief(ask(d, "bob@example.org")), "unknown/blocked/store")
    w.equal("forgotten", forget(d, destination="mx/example.org"), 1)
    d.wait_log(r"cache: forgot 1 record of mx/example\.org$")
    w.until("health", lambda: client.control_get(d.control, "/healthz")[1] == "ok\n")
    w.equal("then", brief(ask(d, "bob@example.org")), "valid/mailbox_exists/probe")
    w.equal("nothing is left to forget", forget(d, destination="mx/example.com"), 0)


def test_forget_catch_all(w):
    """What a domain does with those who do not exist goes with the domain, also from memory."""
    server, d = start(w, settings={"catch_all.test": "always"})
    known(d, "bob@example.org")
    made_up = len(server.recipients) - 1
    w.check(made_up > 0, "nobody made up was asked about")
    known(d, "alice@example.org")
    w.equal("known of the domain", len(server.recipients), made_up + 2)
    w.equal("its facts", [e["catch_all"] for e in entries(d, domain="example.org", table="domain")],
            ["accepts_everything"])
    forget(d, domain="example.org")
    known(d, "alice@example.org")
    w.equal("found out again", len(server.recipients), 2 * made_up + 3)


def test_forget_reprobe(w):
    """Forgotten is not asked again by itself; somebody else of that domain is."""
    server, d = start(w, hostile.On(rcpt="451 4.7.1 Greylisted"), settings={"greylist.retry": "{3s}"})
    known(d, "bob@example.org", "alice@example.org", "carol@example.net")
    w.equal("scheduled", [e["address"] for e in entries(d, table="due")],
            ["carol@example.net", "alice@example.org", "bob@example.org"])
    w.equal("bob", forget(d, address="bob@example.org"), 2)
    w.check(forget(d, domain="example.net") >= 2, "carol was not forgotten")
    w.until("in memory, too", lambda: d.status()["greylisted"] == 1)
    server.wait("alice is asked again", lambda: len(server.tries("alice@example.org")) == 2)
    w.until("that was all", lambda: d.status()["greylisted"] == 0)
    d.wait_idle()
    w.equal("tries", [len(server.tries(r)) for r in ("bob@example.org", "carol@example.net")], [1, 1])


def test_import(w):
    """An export in an empty store: it answers from it, and exports the same."""
    server, d = start(w, NO_CAROL, settings={"catch_all.test": "always", "greylist.retry": "{1h}"})
    everybody = ("bob@example.org", "carol@example.org", '"a b"@example.net', "jürgen@example.net")
    known(d, *everybody)
    asked, lines = len(server.recipients), export(d)
    w.problems += d.stop()
    other = daemon.Daemon(w.build, w.workdir, {**d.settings, "state_dir": f'"{w.workdir}/other"'})
    w.run(other)
    w.equal("nothing", export(other), [])
    counts = load(other, lines)
    w.equal("imported", counts, {"taken": len(lines), "expired": 0, "refused": 0, "failed": 0})
    other.wait_log(f"cache: import of lines 1 to {len(lines)}: taken={len(lines)} expired=0 refused=0 "
                   "failed=0$")
    w.equal("exported", export(other), lines)
    w.equal("answers", {ask(other, r)["source"] for r in everybody}, {"store"})
    w.equal("asked", len(server.recipients), asked)


def test_import_wrong(w):
    """Each wrong line is counted, the first is named; the others are taken."""
    _server, d = start(w)
    known(d, "bob@example.org")
    line = export(d, table="address")[0]
    alice = line.replace('"bob@', '"alice@')
    over = json.dumps({**json.loads(line), "expires_at": "2001-01-01T00:00:00Z"},
                      separators=(",", ":"))
    for wrong in ("garbage", "{", "[]", "null", "[" * 10000, '{"table":"nosuch"}', "{}", line + "}",
                  line.replace("bob@", "bob"), line.replace('"table"', '"tabel"'), "\0", "ü\0",
                  line.replace("bob", "b\\u0000b"), line[:-1], line.replace("valid", "perhaps"),
                  " " * 17000 + line):
        body = f"\n{alice}\n{wrong}\n".encode("utf-8")
        code, counts = request(d, "POST", "/v1/cache/import", body=body, first_line=7)
        w.equal(f"{wrong[:60]!r}", (code, counts.get("taken"), counts.get("refused")), (200, 1, 1))
        w.matches(f"{wrong[:60]!r}", counts.get("problem"), "^line 9: .")
    w.equal("expired", load(d, [over, line]), {"taken": 1, "expired": 1, "refused": 0, "failed": 0})
    w.equal("octets that are no text",
            request(d, "POST", "/v1/cache/import", body=b"\xff\xfe\n")[1]["refused"], 1)
    w.equal("nothing", load(d, []), {"taken": 0, "expired": 0, "refused": 0, "failed": 0})
    w.equal("then", sorted(e["address"] for e in entries(d, table="address")),
            ["alice@example.org", "bob@example.org"])


def fill(d, count):
    """So many addresses of example.net."""
    known(d, "bob@example.org")
    line = export(d, table="address")[0]
    counts = load(d, (line.replace('"bob@example.org"', f'"user-{n:06}@example.net"')
                      for n in range(count)))
    if counts["taken"] != count:
        raise AssertionError(f"import: {counts}")


class SlowReader:
    """Asks for all entries and reads when it is told to."""

    def __init__(self, d):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(d.control)
        self.sock.sendall(f"GET {ENTRIES} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        if not self.sock.recv(100).startswith(b"HTTP/1.1 200"):
            raise AssertionError("no list")

    def rest(self):
        """How much more there was, and how it ended: the last chunk, or without."""
        total, end = 0, b""
        try:
            while not end.endswith(b"\r\n0\r\n\r\n"):
                got = self.sock.recv(65536)
                if not got:
                    return total, "cut"
                total, end = total + len(got), (end + got)[-7:]
        except ConnectionResetError:
            return total, "cut"
        return total, "whole"

    def close(self):
        self.sock.close()


def memory(d):
    """Kilobytes."""
    with open(f"/proc/{d.proc.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))


def test_slow_readers(w):
    """Big lists that nobody reads hold up nobody, and cost little memory; then they are whole."""
    _server, d = start(w)
    fill(d, SLOW)
    whole = sum(len(line) + 1 for line in export(d))
    before = memory(d)
    readers = [SlowReader(d) for _ in range(20)]
    with client.PolicyClient() as c:
        for n in range(2000):
            w.equal("answer meanwhile", c.ask(f"user-{n:06}@example.net"), "DUNNO")
    w.check(memory(d) - before < len(readers) * whole // 2048, f"from {before} to {memory(d)} kB")
    for reader in readers[10:]:
        reader.close()
    for total, end in [r.rest() for r in readers[:10]]:
        w.check(end == "whole" and total >= whole, f"{end}, {total} of {whole}")
    for reader in readers[:10]:
        reader.close()
    d.wait_idle()


def test_sends_ahead(w):
    """Who sends on and on while his list is being written is not read; then it is all answered."""
    _server, d = start(w)
    fill(d, SLOW)
    before = memory(d)
    reader = SlowReader(d)
    question = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader.sock.settimeout(0.5)
    sent = 0
    try:
        while sent < 50 << 20:
            sent += reader.sock.send(question * 1000)
    except TimeoutError:
        pass
    w.check(sent < 5 << 20, f"{sent} octets were read ahead")
    w.check(memory(d) - before < 5000, f"from {before} to {memory(d)} kB")
    reader.sock.settimeout(60)
    answers = b""
    while answers.count(b"\r\n\r\nok\n") < sent // len(question):
        answers += reader.sock.recv(1 << 20)
    reader.close()
    d.wait_idle()


def test_export_under_load(w):
    """While others are asked about and forgotten: what was there all the time is there once."""
    _server, d = start(w)
    fill(d, 3000)
    reader = client.ControlConnection(d.control)
    reader.request("GET", ENTRIES + "?table=address")
    answer = reader.getresponse()
    lines = [answer.readline()]
    client.ask_all(d.control, [f"new-{n}@example.net" for n in range(200)], connections=20)
    forget(d, domain="example.org")
    lines += answer.readlines()
    reader.close()
    listed = [json.loads(line)["address"] for line in lines]
    w.equal("in order", listed, sorted(set(listed)))
    w.equal("of before", len([a for a in listed if a.startswith("user-")]), 3000)
    d.wait_idle()


def test_stop_with_slow_reader(w):
    """The end waits for no list, and its client sees that it is not all."""
    _server, d = start(w)
    fill(d, SLOW)
    readers = [SlowReader(d) for _ in range(3)]
    w.problems += d.stop()
    w.equal("ends", {r.rest()[1] for r in readers}, {"cut"})
    for reader in readers:
        reader.close()


def test_gone(w):
    """Clients that leave before their answer."""
    _server, d = start(w)
    fill(d, 200)
    body = ("\n".join(export(d)) + "\n").encode("utf-8")[:BODY_MAX]
    for n in range(20):
        for head, rest in ((f"DELETE {ENTRIES}?domain=example.net", b""),
                           (f"GET {ENTRIES}", b""),
                           ("GET /v1/verify?address=bob@example.org", b""),
                           ("POST /v1/cache/import", body)):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.connect(d.control)
            sock.sendall(f"{head} HTTP/1.1\r\nHost: localhost\r\n"
                         f"Content-Length: {len(rest)}\r\n\r\n".encode() + rest)
            sock.close()
    d.wait_idle()
    w.equal("lives", client.control_get(d.control, "/healthz"), (200, "ok\n"))


def test_stats(w):
    """How much there is, and how it is asked."""
    _server, d = start(w, NO_CAROL)
    known(d, "bob@example.org", "carol@example.org")
    known(d, "bob@example.org")
    code, stats = request(d, "GET", "/v1/cache/stats")
    w.equal("stats", code, 200)
    w.equal("addresses", stats["entries"]["address"], 2)
    w.check(stats["committed"] >= 2 and stats["used"] <= stats["size"], f"{stats}")
    w.matches("the next to expire", stats["next_expiry"], r"Z$")
    w.check("failing" not in stats, f"{stats}")
    status = d.status()
    w.equal("in the status", status["store"]["entries"], stats["entries"])
    w.equal("asked", status["asked"], {"store": 1, "stale": 0, "asked": 2})
    w.equal("callouts", status["callouts"], 2)
    w.matches("since", status["began_at"], r"Z$")
    w.check("seconds" in status["window"], f"{status['window']}")
