"""Who is asked what: exempt maps, the brake, the sender's callout, actions and texts by class."""
import os
import signal

from harness import client, scripted
from world import answering

STRANGER = {"client_address": "198.51.100.9"}
ZONE = ("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1",
        "sender.example. MX 10 mx.sender.example.", "mx.sender.example. A 192.0.2.5",
        "inside.example. MX 10 mx.inside.example.", "mx.inside.example. A 192.0.2.99")
UNKNOWN = "550 5.1.1 User unknown"


def write(w, name, text):
    path = os.path.join(w.workdir, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def policy_ask(recipient, **attributes):
    with client.PolicyClient() as c:
        return c.ask(recipient, **attributes)


def reload(d):
    d.kill(signal.SIGHUP)
    d.wait_notified("READY=1")


def test_exempt(w):
    """Exempt recipients, senders and clients are not called out; SIGHUP reads the maps again."""
    w.dns(*ZONE)
    w.servers(answering(UNKNOWN, times=2))
    rcpt = write(w, "exempt_recipients", "# ours\nvip@example.org\n.corp.example.org\n")
    sender = write(w, "exempt_senders", "@lists.example.net\n<>\n")
    clients = write(w, "exempt_clients", "203.0.113.0/24\n")
    d = w.daemon({"exempt.recipients": f'"{rcpt}"', "exempt.senders": f'"{sender}"',
                  "exempt.clients": f'"{clients}"', "networks": '{"127.0.0.0/8", "203.0.113.0/24"}'},
                 allowed=[r"exempt_recipients:1: .*no address", r"nothing is changed"])
    w.equal("recipient", policy_ask("VIP@Example.org"), "DUNNO")
    w.equal("subdomain", policy_ask("bob@a.corp.example.org"), "DUNNO")
    w.equal("sender", policy_ask("bob@example.org", sender="bounces@lists.example.net"), "DUNNO")
    w.equal("null sender", policy_ask("bob@example.org", sender=""), "DUNNO")
    w.equal("client", policy_ask("bob@example.org", client_address="203.0.113.7"), "DUNNO")
    w.matches("nobody exempt", policy_ask("bob@example.org"), "^550 5.1.1")
    write(w, "exempt_recipients", "vip\n")
    reload(d)
    w.equal("a bad map keeps the old one", policy_ask("vip@example.org"), "DUNNO")
    write(w, "exempt_recipients", "")
    reload(d)
    w.matches("no longer exempt", policy_ask("vip@example.org"), "^550 5.1.1")
    d.wait_idle()


def test_brake(w):
    """Too many invalid recipients: no more callouts for that login, nor that /64; the store still
    answers, and others are still asked for."""
    w.dns(*ZONE)
    w.servers(answering(UNKNOWN, times=6))
    d = w.daemon({"brake.invalid": "3", "brake.share": "60", "networks": '{"2001:db8::/32"}'},
                 allowed=[r"brake: 3 invalid recipients"])
    for n in range(3):
        w.matches(f"joe's {n}", policy_ask(f"n{n}@example.org", sasl_username="joe"), "^550")
    w.matches("the log", d.log(), r"brake: 3 invalid recipients: .* sasl=joe")
    w.equal("joe is not asked for", policy_ask("x@example.org", sasl_username="joe"), "DUNNO")
    w.matches("joe hears what is known", policy_ask("n0@example.org", sasl_username="joe"), "^550")
    for n in range(3):
        w.matches(f"jane's {n}", policy_ask(f"m{n}@example.org", sasl_username="jane"), "^550")
    for n in range(3):
        policy_ask(f"n{n}@example.org", client_address="2001:db8::1")
    w.equal("the /64", policy_ask("x@example.org", client_address="2001:db8::ffff:1"), "DUNNO")
    d.wait_idle()


SENDER = """
S: 220 mx.sender.example ESMTP
C: EHLO probe.example.net
S: 250 mx.sender.example
C: MAIL FROM:<>
S: 250 2.1.0 Ok
C: RCPT TO:<{local}@sender.example>
S: {reply}
C: QUIT
S: 221 2.0.0 Bye
"""


def sender_script(local, reply):
    return scripted.script("192.0.2.5", SENDER.format(local=local, reply=reply))


def test_sender_callout(w):
    """Inbound senders are asked about with MAIL FROM:<>; never the null sender, own domains, own
    probe senders, nor for postmaster."""
    w.dns(*ZONE)
    w.servers(sender_script("bad", UNKNOWN), sender_script("good", "250 2.1.5 Ok"),
              sender_script("slow", "451 4.3.0 Try again"))
    d = w.daemon({"sender_callout.enable": "true", "probe_sender": '"probe@sender.example"',
                  "local_domains": '{"inside.example"}'})

    def ask(sender, recipient="bob@inside.example", **attributes):
        return policy_ask(recipient, sender=sender, **{**STRANGER, **attributes})

    w.matches("unknown sender", ask("bad@sender.example"), r"^550 5\.1\.7 sender address")
    w.matches("sender's domain", ask("bob@nowhere.example"), r"^550 5\.1\.8 sender address")
    w.equal("good sender", ask("good@sender.example"), "DUNNO")
    w.equal("deferred sender", ask("slow@sender.example"), "DUNNO")
    for what, sender in (("null sender", ""), ("own domain", "x@inside.example"),
                         ("own probe sender", "Probe@sender.example"), ("nonsense", "a b c")):
        w.equal(what, ask(sender), "DUNNO")
    w.equal("to postmaster", ask("new@sender.example", "postmaster@inside.example"), "DUNNO")
    w.equal("outbound", ask("new@sender.example", sasl_username="joe"), "DUNNO")
    w.matches("its log line", d.log(), r"callout class=sender action=reject sender=<bad@sender\.e")
    d.wait_idle()


def test_actions_by_class(w):
    """mode, flags and texts by class; a reload changes them."""
    w.dns(*ZONE)
    w.servers(answering(UNKNOWN, times=1), answering("250 2.1.5 Ok", times=1))
    d = w.daemon({'action "outbound".role': "tempfail",
                  "reply.no_mailbox": '"%{recipient}: 100%% gone (%{remote_reply})"'})
    w.equal("text", policy_ask("bob@example.org"),
            "550 5.1.1 bob@example.org: 100% gone (User unknown)")
    w.matches("a flag is stricter", policy_ask("info@example.org"), "^450 ")
    d.write_conf(**{'action "outbound".mode': "monitor"})
    reload(d)
    w.equal("monitored", policy_ask("bob@example.org"), "DUNNO")
    w.matches("its log line", d.log(), r"action=accept would=reject rcpt=<bob@example\.org>")
    d.wait_idle()
