"""A small internet of mail: a real Postfix that asks calloutd, and the servers of the recipients'
domains, real ones behind relays that count and listen, and scripted ones."""
import smtplib

from . import peers, relay, scripted

REAL = (("postfix.example", "192.0.2.11", 2511), ("exim.example", "192.0.2.12", 2512),
        ("opensmtpd.example", "192.0.2.13", 2513))
USERS = ("alice", "bob")
FRONT_PORT = 2500
KEPT = 1000  # policy connections that the front Postfix keeps open for later, at most
FRONT = """mydestination =
local_recipient_maps =
smtpd_recipient_restrictions =
    check_policy_service {{ inet:127.0.0.1:8893, timeout=60s, default_action=DUNNO }},
    permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_recipient_limit = 2000
{extra}"""
RECORDS = [f"{domain}. MX 10 mx.{domain}.\nmx.{domain}. A {address}" for domain, address, _ in REAL]


def records(*more):
    """Zone lines of the real domains, and `more`."""
    return [line for r in RECORDS for line in r.split("\n")] + list(more)


def front(workdir, extra=""):
    """The Postfix that clients talk to."""
    return peers.Postfix(workdir, "front", FRONT_PORT, "front.example.net",
                         FRONT.format(extra=extra))


def postfix_mx(workdir, certs=None):
    tls = "" if certs is None else (f"smtpd_tls_security_level = may\n"
                                    f"smtpd_tls_chain_files = {certs}/good.key, {certs}/good.pem\n")
    domain, _address, port = REAL[0]
    users = " ".join(f"{{ {u} = x }}" for u in USERS)
    return peers.Postfix(workdir, "postfix", port, f"mx.{domain}",
                         f"mydestination = {domain}\nlocal_recipient_maps = inline:{{ {users} }}\n"
                         + tls)


def exim_mx(workdir):
    domain, _address, port = REAL[1]
    return peers.Exim(workdir, "exim", port, f"mx.{domain}", domain, USERS)


def opensmtpd_mx(workdir):
    domain, _address, port = REAL[2]
    return peers.OpenSmtpd(workdir, "opensmtpd", port, f"mx.{domain}", domain, USERS)


def tap(number):
    """The relay that is the real MX number `number` to the outside."""
    _domain, address, port = REAL[number]
    return relay.Tap(address, port)


def mute(address, times=scripted.ANY):
    """Takes connections and never greets."""
    return scripted.script(address, "C: QUIT", times=times)


def ask(recipients, sender="sender@example.net"):
    """One SMTP session with the front Postfix: {recipient: "550 5.1.1 text"}. No DATA."""
    answers = {}
    with smtplib.SMTP("127.0.0.1", FRONT_PORT, local_hostname="client.example.net",
                      timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        for recipient in recipients:
            smtp.putcmd("RCPT", f"TO:<{recipient}>")
            code, text = smtp.getreply()
            answers[recipient] = f"{code} {text.decode('utf-8', 'replace')}"
        smtp.rset()
    return answers
