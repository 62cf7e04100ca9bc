"""calloutctl: by the daemon, by an engine of its own, and its text tools."""
import os
import re

from harness import daemon, scripted
from world import answering


def test_exit_codes(w):
    """0 accept, 1 reject, 2 tempfail; the worst of several decides."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
          "broken.example. SERVFAIL")
    w.servers(answering("250 2.1.5 Ok"))
    d = w.daemon({'action "outbound".deferred': "tempfail"})
    for argv, code in ((["bob@example.org"], 0), (["bob@nowhere.test"], 1),
                       (["bob@broken.example"], 2),
                       (["bob@example.org", "bob@broken.example"], 2),
                       (["bob@broken.example", "bob@nowhere.test"], 1)):
        w.equal(f"check {' '.join(argv)}", w.ctl(d.conf, "check", *argv).code, code)
    w.check(w.ctl(d.conf, "check").code >= 64, "check without an address is no error")
    w.check(w.ctl(d.conf, "chekc", "bob@example.org").code >= 64, "an unknown command is no error")


def test_table_and_trace(w):
    """For people: a table, and the dialogue under --trace."""
    w.dns()
    w.servers(answering("550 5.1.1 No such user here"))
    d = w.daemon()
    result = w.ctl(d.conf, "check", "--trace", "nobody@example.org")
    w.matches("table", result.out, r"(?m)^nobody@example\.org\s+invalid\s+no_mailbox\s+reject")
    for line in ("EHLO probe.example.net", "MAIL FROM:<>", "RCPT TO:<nobody@example.org>",
                 "550 5.1.1 No such user here"):
        w.check(line in result.out, f"{line!r} is not in the trace: {result.out}")


def test_fresh(w):
    """--fresh asks again although the store knows."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"), answering("250 2.1.5 Ok"))
    d = w.daemon()
    got = []
    for options in ([], [], ["--fresh"], []):
        got.append(w.ctl(d.conf, "check", "--json", *options, "bob@example.org")
                   .verdicts[0]["status"])
        d.wait_idle()
    w.equal("statuses", got, ["invalid", "invalid", "valid", "valid"])


def test_standalone(w):
    """With no daemon: the same engine and the same store, which a daemon then finds."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = daemon.Daemon(w.build, w.workdir)
    first = w.ctl(d.conf, "check", "--json", "nobody@example.org")
    w.equal("first", [(v["status"], v["source"]) for v in first.verdicts], [("invalid", "probe")])
    second = w.ctl(d.conf, "check", "--json", "nobody@example.org")
    w.equal("second", [(v["status"], v["source"]) for v in second.verdicts],
            [("invalid", "store")])
    d.start()
    third = w.ctl(d.conf, "check", "--json", "nobody@example.org")
    w.equal("by the daemon", [v["source"] for v in third.verdicts], ["store"])
    w.problems += d.stop()


def test_standalone_beside_daemon(w):
    """--standalone while the daemon has the store: a throwaway one, and it says so."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"), answering("250 2.1.5 Ok"))
    d = w.daemon()
    w.ctl(d.conf, "check", "bob@example.org")
    scratch = os.path.join(w.workdir, "scratch")
    os.mkdir(scratch)
    os.chmod(scratch, 0o777)
    result = w.ctl(d.conf, "check", "--json", "--standalone", "bob@example.org", tmpdir=scratch)
    w.equal("standalone", [(v["status"], v["source"]) for v in result.verdicts],
            [("valid", "probe")])
    w.check(result.err != "", "it does not say that its store is thrown away")
    w.equal("left behind", os.listdir(scratch), [])


def test_standalone_without_state_dir(w):
    """A state_dir that can't be opened: the same, with the path named."""
    w.dns()
    w.servers(answering("250 2.1.5 Ok"))
    d = daemon.Daemon(w.build, w.workdir, {"state_dir": '"/proc/nowhere"'})
    result = w.ctl(d.conf, "check", "--json", "bob@example.org")
    w.equal("verdict", [v["status"] for v in result.verdicts], ["valid"])
    w.matches("what it says", result.err, "/proc/nowhere")


def test_trace_standalone_tls(w):
    """TLS under the tool's own engine."""
    w.dns()
    w.servers(scripted.script("192.0.2.1", """
        S: 220 mx1.example.org ESMTP
        C: EHLO probe.example.net
        S: 250-mx1.example.org
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 Ready
        S! tls good
        C: EHLO probe.example.net
        S: 250 mx1.example.org
        C: MAIL FROM:<>
        S: 250 Ok
        C: RCPT TO:<bob@example.org>
        S: 250 Ok
        C: QUIT
        S: 221 Bye"""))
    d = daemon.Daemon(w.build, w.workdir)
    result = w.ctl(d.conf, "check", "--json", "bob@example.org")
    w.equal("tls", [v.get("tls") for v in result.verdicts], ["TLSv1.3"])


def test_json_facts(w):
    """Times are RFC 3339 UTC, absent facts are left out."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = w.daemon()
    v = w.ctl(d.conf, "check", "--json", "Nobody@Example.ORG").verdicts[0]
    for key in ("probed_at", "refresh_at", "expires_at"):
        w.matches(key, v.get(key), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
    w.equal("address", v["address"], "Nobody@Example.ORG")
    w.equal("canonical", v["canonical"], "nobody@example.org")
    w.equal("action", v["action"], {"outbound": "reject", "inbound": "reject"})
    w.equal("reply", {k: str(v["reply"].get(k)) for k in ("stage", "code", "enhanced", "text")},
            {"stage": "rcpt", "code": "550", "enhanced": "5.1.1", "text": "User unknown"})
    for key in ("tls", "score", "suggestion", "provider"):
        w.check(key not in v, f"{key} is there: {v.get(key)!r}")
    v = w.ctl(d.conf, "check", "--json", "--no-probe", "jürgen@bücher.example").verdicts[0]
    w.equal("SMTPUTF8", (v["address"], v["canonical"]),
            ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"))
    v = w.ctl(d.conf, "check", "--json", "a" * 3000 + "@example.org").verdicts[0]
    w.equal("a very long one", v["reason"], "bad_syntax")
    result = w.ctl(d.conf, "check", "a" * 30000 + "@example.org")
    w.check(result.code >= 64 and "too long" in result.err, f"much too long: {result.err!r}")
    v = w.ctl(d.conf, "check", "--json", "a@b@c").verdicts[0]
    w.check("mx" not in v and "reply" not in v, f"facts that nobody knows: {v}")


def test_parse(w):
    """calloutctl parse: one line in, one line out."""
    d = daemon.Daemon(w.build, w.workdir)
    lines = ("bob@example.org", "Bob@EXAMPLE.org", '"a b"@example.org', "a..b@example.org",
             "bob@bücher.example", "bob@[192.0.2.1]", "bob", "bob@-x.example", "")
    result = w.ctl(d.conf, "parse", "-", stdin="".join(line + "\n" for line in lines))
    got = result.out.splitlines()
    w.equal("lines", len(got), len(lines))
    w.equal("kinds", [g.split("\t")[0] for g in got],
            ["valid", "valid", "valid", "invalid", "valid", "valid", "invalid", "invalid",
             "invalid"])
    w.equal("canonical", [g.split("\t")[1] for g in got if g.startswith("valid")],
            ["bob@example.org", "bob@example.org", '"a b"@example.org',
             "bob@xn--bcher-kva.example", "bob@[192.0.2.1]"])
    w.check(all(re.fullmatch(r"invalid\t.+", g) for g in got if g.startswith("invalid")),
            f"no reasons: {got}")
    w.equal("exit code", result.code, 0)
