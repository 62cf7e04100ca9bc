"""A small internet of mail: a real Postfix that asks calloutd, and the servers of the recipients'
domains, real ones behind relays that count and listen, and scripted ones."""
import smtplib

from . import peers, relay, scripted

REAL = (("postfix.example", "192.0.2.11", 2511), ("exim.example", "192.0.2.12", 2512),
        ("opensmtpd.example", "192.0.2.13", 2513))
USERS = ("alice", "bob")
FRONT_PORT, FRONT_MILTER_PORT, SENDMAIL_PORT = 2500, 2501, 2502
MILTER = "{ inet:127.0.0.1:8894, connect_timeout=20s, command_timeout=120s, default_action=accept }"
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
FRONT_MILTER = """mydestination =
local_recipient_maps =
smtpd_milters = {milter}
smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
{extra}"""
SENDMAIL = """INPUT_MAIL_FILTER(`calloutd', `S=inet:8894@127.0.0.1, T=C:20s;S:60s;R:120s;E:5m')dnl
{extra}"""
RECORDS = [f"{domain}. MX 10 mx.{domain}.\nmx.{domain}. A {address}" for domain, address, _ in REAL]


def records(*more):
    """Zone lines of the real domains, and `more`."""
    return [line for r in RECORDS for line in r.split("\n")] + list(more)


def front(workdir, extra=""):
    """The Postfix that clients talk to."""
    return peers.Postfix(workdir, "front", FRONT_PORT, "front.example.net",
                         FRONT.format(extra=extra))


def front_milter(workdir, extra=""):
    """The same by its milter protocol."""
    return peers.Postfix(workdir, "frontm", FRONT_MILTER_PORT, "frontm.example.net",
                         FRONT_MILTER.format(milter=MILTER, extra=extra))


def sendmail(workdir, extra=""):
    return peers.Sendmail(workdir, "sendmail", SENDMAIL_PORT, "sendmail.example.net",
                          SENDMAIL.format(extra=extra))


def postfix_mx(workdir, certs=None, settings=""):
    tls = "" if certs is None else (f"smtpd_tls_security_level = may\n"
                                    f"smtpd_tls_chain_files = {certs}/good.key, {certs}/good.pem\n")
    domain, _address, port = REAL[0]
    users = " ".join(f"{{ {u} = x }}" for u in USERS)
    return peers.Postfix(workdir, "postfix", port, f"mx.{domain}",
                         f"mydestination = {domain}\nlocal_recipient_maps = inline:{{ {users} }}\n"
                         + tls + settings)


def exim_mx(workdir, at_rcpt=""):
    domain, _address, port = REAL[1]
    return peers.Exim(workdir, "exim", port, f"mx.{domain}", domain, USERS, at_rcpt=at_rcpt)


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


class Session:
    """One SMTP session with an MTA of this host: any number of messages."""

    def __init__(self, port=FRONT_PORT, client="127.0.0.1"):
        self.smtp = smtplib.SMTP("127.0.0.1", port, "client.example.net", 120, (client, 0))
        self.smtp.ehlo()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.smtp.close()

    def mail(self, sender="sender@example.net"):
        return self._answer(self.smtp.mail(sender))

    def rcpt(self, recipient):
        """As "550 5.1.1 text"."""
        self.smtp.putcmd("RCPT", f"TO:<{recipient}>")
        return self._answer(self.smtp.getreply())

    def data(self, text="Subject: test\n\nhello\n"):
        return self._answer(self.smtp.data(text))

    def end(self):
        self.smtp.rset()
        self.smtp.quit()

    @staticmethod
    def _answer(reply):
        return f"{reply[0]} {reply[1].decode('utf-8', 'replace')}"


def ask(recipients, sender="sender@example.net", port=FRONT_PORT, client="127.0.0.1"):
    """One SMTP session: {recipient: "550 5.1.1 text"}. No DATA."""
    with Session(port, client) as session:
        session.mail(sender)
        answers = {r: session.rcpt(r) for r in recipients}
        session.end()
    return answers
