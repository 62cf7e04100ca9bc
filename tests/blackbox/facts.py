"""What is known of domains and destinations, and of ourselves."""
import signal
import threading

from harness import client, scripted

STRANGER = {"client_address": "198.51.100.9"}
ZONE = ("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1")
HELLO = """S: 220 mx1.example.org ESMTP
C: EHLO probe.example.net
S: 250 mx1.example.org
"""
BYE = """C: QUIT
S: 221 Bye
"""
NO_NULL = HELLO + "C: MAIL FROM:<>\nS: 550 5.7.1 Null sender not accepted here\n" + BYE
FALLBACK = HELLO + """C: MAIL FROM:<p@probe.example.net>
S: 250 Ok
C: RCPT TO:<bob@example.org>
S: 550 5.1.1 User unknown
""" + BYE
ACCEPTED = HELLO + """C: MAIL FROM:<>
S: 250 Ok
C: RCPT TO:<bob@example.org>
S: 250 Ok
C~ RCPT TO:<.*
"""


# What is not known yet is not taken for known.
ALWAYS = {"catch_all.test": "always", 'action "outbound".deferred': "tempfail"}


def ask(recipient, **attributes):
    with client.PolicyClient() as c:
        return c.ask(recipient, **attributes)


def in_thread(answers, what, *args, **kwargs):
    thread = threading.Thread(target=lambda: answers.append(what(*args, **kwargs)))
    thread.start()
    return thread


def test_sender_callout_apart(w):
    """A refusal of a sender's callout, which has no fallback, says nothing of what that would hear."""
    w.dns(*ZONE)
    w.servers(*(scripted.script("192.0.2.1", s) for s in (NO_NULL, NO_NULL, FALLBACK)))
    d = w.daemon({"sender_callout.enable": "true", "local_domains": '{"inside.example"}',
                  "probe_sender_fallback": '"p@probe.example.net"'})
    w.equal("sender", ask("x@inside.example", sender="anna@example.org", **STRANGER), "DUNNO")
    w.matches("recipient", ask("bob@example.org"), "^550 5.1.1")
    d.wait_idle()


def test_reload_in_a_test(w):
    """The rules are read again while a made-up recipient is asked about."""
    w.dns(*ZONE)
    server = scripted.script("192.0.2.1", ACCEPTED + "S! hold\nS: 550 5.1.1 User unknown\n" + BYE)
    w.servers(server)
    d = w.daemon(ALWAYS)
    answers = []
    thread = in_thread(answers, ask, "bob@example.org")
    d.wait_log("ready -> rcpt")
    for _ in range(5):
        d.kill(signal.SIGHUP)
        d.wait_notified("READY=1")
    server.released.set()
    thread.join()
    w.equal("answer", answers, ["DUNNO"])
    d.wait_idle()


def test_one_callout_for_both(w):
    """Mail joins the callout that somebody made by hand, who wanted to know more."""
    w.dns(*ZONE)
    server = scripted.script("192.0.2.1", ACCEPTED + "S! hold\nS: 550 5.1.1 User unknown\n" + BYE)
    w.servers(server)
    d = w.daemon({"catch_all.test": "auto"})
    answers = []
    by_hand = in_thread([], w.ctl, d.conf, "check", "--json", "bob@example.org")
    d.wait_log("ready -> rcpt")
    by_mail = in_thread(answers, ask, "bob@example.org")
    w.until("both wait", lambda: d.status()["waiters"] == 2)
    server.released.set()
    by_hand.join()
    by_mail.join()
    w.equal("answer", answers, ["DUNNO"])
    d.wait_idle()


def test_stop_in_a_test(w):
    """Who waits hears what is known of the recipient, or pending; the server hears QUIT."""
    w.dns(*ZONE)
    w.servers(scripted.script("192.0.2.1", ACCEPTED + BYE))
    d = w.daemon(ALWAYS)
    answers = []
    thread = in_thread(answers, ask, "bob@example.org")
    d.wait_log("ready -> rcpt")
    w.problems += d.stop()
    thread.join()
    w.equal("answer", answers, ["DUNNO"])


def test_health(w):
    """What is wrong with us is told, until a reload has put it right."""
    w.dns(*ZONE)
    unknown = r"helo_name: nowhere\.example\.net does not resolve"
    d = w.daemon({"helo_name": '"nowhere.example.net"'}, allowed=[unknown])
    d.wait_log(unknown)
    w.matches("status", str(d.status()), r"'health': 'degraded', 'problems': \['" + unknown)
    w.matches("healthz", str(client.control_get(d.control, "/healthz")[1]), r"^degraded\n" + unknown)
    d.write_conf(helo_name='"probe.example.net"')
    d.kill(signal.SIGHUP)
    d.wait_log("reload: done")
    w.until("healthy", lambda: d.status()["health"] == "ok")
