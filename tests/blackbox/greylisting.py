"""Greylisting waited out: real greylisters, the whole schedule, and what comes in between."""
import re
import signal

from harness import client, hostile, mailworld, peers

TEMPFAIL = {'action "outbound".deferred': "tempfail"}
POSTGREY_PORT = 10023
POSTGREY = f"""smtpd_recipient_restrictions =
    reject_unauth_destination, check_policy_service inet:127.0.0.1:{POSTGREY_PORT}
smtpd_relay_restrictions =
"""
# As Debian's greylistd has it put into Exim's configuration. Null senders are not greylisted.
GREYLISTD = """  defer
    message = $sender_host_address is not yet authorized to deliver \\
              mail from <$sender_address> to <$local_part@$domain>. \\
              Please try later.
    !senders = :
    domains = +local_domains
    verify = recipient
    condition = ${{readsocket{{{socket}}}{{--grey $sender_host_address $sender_address \\
                 $local_part@$domain}}{{5s}}{{}}{{false}}}}
"""


def needs_root(function):
    function.needs_root = True
    return function


def policy(recipient, **attributes):
    with client.PolicyClient() as c:
        return c.ask(recipient, **attributes)


def known(w, d, recipient):
    """What is known without asking anybody, as "status/reason"."""
    v = w.ctl(d.conf, "check", "--json", "--no-probe", recipient).verdicts[0]
    return f"{v['status']}/{v['reason']}"


class Greylisting:
    """A real server that greylists for `DELAY` seconds, behind a relay that counts."""

    DELAY, RETRY = 3, "{1s, 3s, 3s}"

    def __init__(self, w, number):
        self.w = w
        self.domain = mailworld.REAL[number][0]
        peers.prepare(w.workdir)
        w.dns(*mailworld.records())
        self.tap = mailworld.tap(number)
        w._ends.append(self.tap.stop)

    def tries(self, user):
        """Their times."""
        said = f"RCPT TO:<{user}@{self.domain}>".upper()
        return [at for at, lines in list(zip(self.tap.began, self.tap.sessions))
                for line in list(lines) if line.upper() == said]

    def show(self, settings=None):
        """The first recipient learns the delay, before and after kill -9; the second goes by it."""
        w = self.w
        bob, alice, nobody = (f"{u}@{self.domain}" for u in ("bob", "alice", "nobody"))
        d = w.daemon({**TEMPFAIL, "greylist.retry": self.RETRY, **(settings or {})})
        w.matches("the first time", policy(bob), r"^450 4\.7\.1")
        w.equal("own retries", {policy(bob)[:9] for _ in range(20)}, {"450 4.7.1"})
        w.until("asked again", lambda: len(self.tries("bob")) == 2)
        d.wait_idle()
        w.problems += d.stop(signal.SIGKILL)
        d.start()
        w.until("let in", lambda: known(w, d, bob) == "valid/mailbox_exists")
        w.equal("answer then", policy(bob), "DUNNO")
        tries = self.tries("bob")
        late = tries[1] - tries[0] >= self.DELAY
        w.equal("tries", len(tries), 2 if late else 3)
        w.matches("another", policy(alice), r"^450 4\.7\.1")
        w.matches("an unknown one", policy(nobody), r"^(450 4\.7\.1|550 5\.1\.1)")
        w.until("let in", lambda: known(w, d, alice) == "valid/mailbox_exists")
        tries = self.tries("alice")
        w.equal("tries of another", len(tries), 2)
        w.check(tries[1] - tries[0] >= self.DELAY, "not by the delay that was learned")
        w.until("not let in", lambda: known(w, d, nobody) == "invalid/no_mailbox")
        d.wait_idle()
        w.equal("left", d.status()["greylisted"], 0)
        w.problems += self.tap.problems()


@needs_root
def test_postgrey(w):
    """Postfix with postgrey: deferred, then valid by itself; the delay is learned; kill -9 loses nothing."""
    g = Greylisting(w, 0)
    w.start(peers.Postgrey(w.workdir, "postgrey", POSTGREY_PORT, g.DELAY))
    w.start(mailworld.postfix_mx(w.workdir, settings=POSTGREY))
    g.show()


@needs_root
def test_greylistd(w):
    """Exim with greylistd, which does so to senders that are not null."""
    g = Greylisting(w, 1)
    grey = w.start(peers.Greylistd(w.workdir, "greylistd", g.DELAY))
    w.start(mailworld.exim_mx(w.workdir, at_rcpt=GREYLISTD.format(socket=grey.socket)))
    g.show({"probe_sender": '"bob@opensmtpd.example"'})
