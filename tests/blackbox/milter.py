"""The milter on real mail servers: Postfix and Sendmail ask it, beside a Postfix that asks the policy
service, and all say the same."""
import re

from harness import mailworld, peers
from mail import CERTAIN, DEFERRED, Mail
from world import answering

FILTERED = (mailworld.FRONT_MILTER_PORT, mailworld.SENDMAIL_PORT)
UNKNOWN = "550 5.1.1 User unknown"


def needs_root(function):
    function.needs_root = True
    return function


def codes(answer):
    """Code and enhanced code. Postfix makes 5.1.0 of a policy service's 5.1.10."""
    return " ".join(answer.split()[:2]).replace("5.1.10", "5.1.0")


def bare(answer):
    """Sendmail puts "<recipient>... " before a text."""
    return re.sub(r" <\S*>\.\.\. ", " ", answer, count=1)


class Fronts:
    """A Postfix and a Sendmail that ask the milter; calloutd asks scripted servers."""

    def __init__(self, w, *scripts, postfix="", settings=None):
        self.w = w
        peers.prepare(w.workdir)
        w.dns()
        w.servers(*scripts)
        self.postfix = w.start(mailworld.front_milter(w.workdir, postfix))
        self.sendmail = w.start(mailworld.sendmail(w.workdir))
        self.daemon = w.milter(settings)


@needs_root
def test_same_as_policy_service(w):
    """The same recipients have the same action and codes by whatever way calloutd is asked, and each
    is called out once."""
    m = Mail(w)
    w.start(mailworld.front_milter(w.workdir))
    w.start(mailworld.sendmail(w.workdir))
    d = w.milter({"timeout.greeting": "4s", 'action "outbound".deferred': "tempfail"})
    everyone = [*CERTAIN, *DEFERRED]
    by_policy = mailworld.ask(everyone)
    m.expect("policy service", by_policy, {**CERTAIN, **DEFERRED})
    answers = [mailworld.ask(everyone, port=port) for port in FILTERED]
    for name, got in zip(("Postfix", "Sendmail"), answers):
        for r in everyone:
            w.equal(f"{name}: {r}", codes(got[r]), codes(by_policy[r]))
            if not got[r].startswith("2"):
                w.equal(f"{name}'s text for {r}", bare(got[r]), answers[0][r])
    d.wait_idle(clients=mailworld.KEPT)
    w.equal("connections", m.connections(), [2, 2, 2, 1])
    m.end(d)


@needs_root
def test_mail_flows(w):
    """A session with recipients of all kinds ends in a message for those that were taken."""
    m = Fronts(w, answering(UNKNOWN), answering("250 2.1.5 Ok"), answering("250 2.1.5 Ok"))
    for port in FILTERED:
        with mailworld.Session(port) as s:
            for _ in range(2):
                s.mail()
                got = [s.rcpt(r)[:9] for r in ("nobody@example.org", "bob@example.org",
                                               "alice@example.org", "nobody@example.org")]
                w.equal(f"{port}: recipients", got,
                        ["550 5.1.1", "250 2.1.5", "250 2.1.5", "550 5.1.1"])
                w.matches(f"{port}: the message", s.data(), "^250 2.0.0 ")
            s.end()
    m.postfix.wait_log("status=sent", 4)
    w.equal("queued by Sendmail", m.sendmail.queued(), 2)
    m.daemon.wait_log("queue_id=")
    lines = [line for line in m.daemon.log().splitlines() if " callout class=" in line]
    w.check(lines and all(re.search(r" client=127\.0\.0\.1", line) for line in lines), str(lines))
    m.daemon.wait_idle()


@needs_root
def test_daemon_stops_in_a_session(w):
    """Without calloutd mail flows, also in a session that was begun with it; and it is asked again
    as soon as it is back."""
    m = Fronts(w, answering(UNKNOWN))
    sessions = [mailworld.Session(port) for port in FILTERED]
    for s in sessions:
        s.mail()
        w.matches("before", s.rcpt("nobody@example.org"), "^550 5.1.1 ")
    w.problems += m.daemon.stop()
    for s, port in zip(sessions, FILTERED):
        w.matches(f"{port}: afterwards", s.rcpt("nobody@example.org"), "^250 ")
        w.matches(f"{port}: the message", s.data(), "^250 ")
        s.mail()
        w.matches(f"{port}: the next message", s.rcpt("nobody@example.org"), "^250 ")
        s.end()
        w.matches(f"{port}: the next session",
                  mailworld.ask(["nobody@example.org"], port=port).values(), r"\['250 ")
    m.daemon.start()
    for port in FILTERED:
        w.matches(f"{port}: with calloutd again",
                  mailworld.ask(["nobody@example.org"], port=port).values(), r"\['550 5.1.1 ")
    m.daemon.wait_idle()


@needs_root
def test_stop_answers_those_who_wait(w):
    """SIGTERM while real servers wait for an answer: they get one, and mail flows."""
    server = answering(UNKNOWN, cut="quit")
    server.lines.insert(0, ("S!", "hold"))
    m = Fronts(w, server, settings={"timeout.greeting": "30s"})
    sessions = [mailworld.Session(port) for port in FILTERED]
    for s in sessions:
        s.mail()
        s.smtp.putcmd("RCPT", "TO:<nobody@example.org>")
    w.until("2 waiters", lambda: m.daemon.status()["waiters"] == 2)
    m.daemon.kill(15)
    for s in sessions:
        w.equal("answer", s.smtp.getreply()[0], 250)
        w.matches("the message", s.data(), "^250 ")
        s.end()
    server.released.set()
    w.problems += m.daemon.stop()


@needs_root
def test_submission_on_this_host(w):
    """non_smtpd_milters: nobody is there to hear of a refused recipient. It is taken, the log says
    what would have been, and nothing sticks in the queue."""
    m = Fronts(w, answering(UNKNOWN), answering("451 4.3.0 Later"), answering("250 2.1.5 Ok"),
               postfix=f"non_smtpd_milters = {mailworld.MILTER}",
               settings={'action "outbound".deferred': "tempfail"})
    everyone = ("nobody@example.org", "later@example.org", "bob@example.org", "a" * 65 + "@example.org")
    m.postfix.submit("Subject: test\n\nhello\n", everyone)
    m.postfix.wait_log("status=sent", len(everyone))
    m.postfix.wait_log(": removed")
    w.equal("the queue", m.postfix.queued(), [])
    for recipient, action in (("nobody@", "accept would=reject"), ("later@", "accept would=tempfail"),
                              ("bob@", "accept")):
        m.daemon.wait_log(rf"callout class=outbound action={action} rcpt=<{recipient}example\.org> .*"
                          r"client=127\.0\.0\.1 queue_id=\w+")
    m.daemon.wait_idle()


@needs_root
def test_percent_in_reply(w):
    """A percent sign comes through as one."""
    m = Fronts(w, answering(UNKNOWN),
               settings={"reply.no_mailbox": '"%{recipient}: 100%% unknown, %%s %%d %%n"'})
    for port in FILTERED:
        answer = mailworld.ask(["50%off@example.org"], port=port)["50%off@example.org"]
        w.equal(f"{port}", bare(answer), "550 5.1.1 50%off@example.org: 100% unknown, %s %d %n")
    m.daemon.wait_idle()
