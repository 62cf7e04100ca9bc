"""replies.conf and providers.conf beside calloutd.conf: what an admin changes in them, and what comes
of it."""
import os
import signal
import subprocess

from harness import client, scripted

HERE = os.path.dirname(os.path.abspath(__file__))
ZONE = ("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1")
HELLO = """S: 220 mx1.example.org ESMTP
C: EHLO probe.example.net
S: 250 mx1.example.org
C: MAIL FROM:<>
S: 250 Ok
"""
BYE = """C: QUIT
S: 221 Bye
"""
MADE_UP = "C~ RCPT TO:<[a-z.]+[0-9]*@example\\.org>\n"
OWN_RULE = """rule "gone" {
    provider = ours
    stage    = rcpt
    code     = 550
    pattern  = 'left the building'
    reason   = no_mailbox
    example  = '550 Elvis has left the building'
}
"""


def rcpt(address, reply):
    return f"C: RCPT TO:<{address}>\nS: {reply}\n"


def stock(name):
    with open(os.path.join(HERE, "..", "..", "etc", name), encoding="utf-8") as f:
        return f.read()


def put(w, name, text):
    with open(os.path.join(w.workdir, name), "w", encoding="utf-8") as f:
        f.write(text)


def provider(*lines):
    return ('provider "ours" { mx = "*.example.org" note = "a test"\n' +
            "".join(f"    {line}\n" for line in lines) + "}\n")


def daemon(w, scripts, *lines, settings=None):
    """One that asks the scripts, which are of a provider with these lines."""
    w.dns(*ZONE)
    w.servers(*(scripted.script("192.0.2.1", s) for s in scripts))
    put(w, "providers.conf", provider(*lines))
    return w.daemon({"catch_all.test": "always", **(settings or {})})


def check(w, d, address, verdict, **facts):
    v = w.ctl(d.conf, "check", "--json", address).verdicts[0]
    w.equal(address, f"{v['status']}/{v['reason']}", verdict)
    for key, value in facts.items():
        w.equal(f"{address}: {key}", v.get(key), value)
    d.wait_idle()


def test_masks(w):
    """A 2yz that says nothing is none, and no made-up recipient is wasted on it."""
    d = daemon(w, [HELLO + rcpt("bob@example.org", "250 Ok") + BYE], "accepted = masks")
    check(w, d, "bob@example.org", "unknown/provider_masks", provider="ours", catch_all=None)


def test_late_refusal(w):
    d = daemon(w, [HELLO + rcpt("bob@example.org", "250 Ok") + BYE], "quirks = late_refusal")
    check(w, d, "bob@example.org", "unknown/provider_masks", provider="ours")


def test_honest(w):
    """A 2yz that is worth something needs no test."""
    d = daemon(w, [HELLO + rcpt("bob@example.org", "250 Ok") + BYE], "accepted = honest")
    check(w, d, "bob@example.org", "valid/mailbox_exists", provider="ours", catch_all="selective")


def test_no_made_up(w):
    d = daemon(w, [HELLO + rcpt("bob@example.org", "250 Ok") + BYE], "made_up = false")
    check(w, d, "bob@example.org", "valid/mailbox_exists", provider="ours", catch_all="not_known")


def test_soft_unknown(w):
    """A 4yz is not waited out where unknown users get one."""
    d = daemon(w, [HELLO + rcpt("bob@example.org", "450 4.2.0 try later") + BYE],
               "quirks = soft_unknown")
    check(w, d, "bob@example.org", "unknown/cannot_verify", provider="ours")


def transactions(w, *lines, before, after):
    """Made-up recipients: `before` a RSET, and after it."""
    d = daemon(w, [HELLO + rcpt("bob@example.org", "250 Ok") + (MADE_UP + "S: 250 Ok\n") * before +
                   "C: RSET\nS: 250 Ok\nC: MAIL FROM:<>\nS: 250 Ok\n" +
                   (MADE_UP + "S: 550 5.1.1 User unknown\n") * after + BYE], *lines)
    check(w, d, "bob@example.org", "valid/mailbox_exists", provider="ours", catch_all="selective")


def test_one_recipient(w):
    transactions(w, "quirks = one_recipient", before=0, after=1)


def test_per_transaction(w):
    transactions(w, "per_transaction = 2", before=1, after=1)


def test_own_rule(w):
    """A rule for one provider before the stock ones; the daemon and calloutctl read by it; the log
    says so."""
    d = daemon(w, [HELLO + rcpt("bob@example.org", "550 He has left the building") + BYE] * 2)
    check(w, d, "bob@example.org", "unknown/blocked")
    put(w, "replies.conf", OWN_RULE + stock("replies.conf"))
    put(w, "providers.conf", provider() + stock("providers.conf"))
    d.kill(signal.SIGHUP)
    d.wait_log("reload: done")
    d.wait_log(f"replies are read by {w.workdir}/replies.conf, "
               f"providers known from {w.workdir}/providers.conf")
    w.matches("policy", ask_again(w, d), "^550 5.1.1")
    d.wait_log("provider=ours rule=gone")
    told = w.ctl(d.conf, "classify", "--provider", "ours", "-",
                 stdin="550 She left the building\n")
    w.equal("classify", told.out, "invalid\tno_mailbox\tgone\n")


def ask_again(w, d):
    """By policy service, when nothing is remembered."""
    w.ctl(d.conf, "check", "--json", "--fresh", "bob@example.org")
    with client.PolicyClient() as c:
        return c.ask("bob@example.org")


def test_bad_files(w):
    """They are named by line, nothing is half applied, and -t says the same."""
    wrong = [r"replies\.conf:2: rule a: reason: \"no_mailbx\" is no reason",
             "reload: .*nothing is changed"]
    w.dns(*ZONE)
    d = w.daemon(allowed=wrong)
    put(w, "replies.conf", "rule a {\n    reason = no_mailbx\n    example = '550 x'\n}\n")
    d.kill(signal.SIGHUP)
    for pattern in wrong:
        d.wait_log(pattern)
    checked = subprocess.run([d.program, "-t", "-c", d.conf], capture_output=True, text=True,
                             timeout=60, check=False)
    w.equal("exit of -t", checked.returncode, 78)
    w.matches("-t", checked.stderr, "^" + os.path.join(w.workdir, "") + wrong[0])
    w.equal("alive", client.control_get(d.control, "/healthz")[0], 200)
