"""How long an answer lives: refreshed behind a use, kept through doubt, asked once more before it is turned."""
import re
import signal
import urllib.parse

from harness import client, hostile

EXISTS, UNKNOWN, LATER = "250 2.1.5 Ok", "550 5.1.1 User unknown", "451 4.3.0 Try again later"
BOB = "bob@example.org"


def policy(recipient):
    with client.PolicyClient() as c:
        return c.ask(recipient)


def ask(d, recipient, **parameters):
    query = urllib.parse.urlencode({"address": recipient, **parameters})
    return client.control_get(d.control, f"/v1/verify?{query}")[1]


def known(d, recipient=BOB):
    """What is known without asking anybody."""
    verdict = ask(d, recipient, probe=0)
    return f"{verdict['status']}/{verdict['reason']}"


class Says:
    """The replies to RCPT, one after the other; the last one stays."""

    def __init__(self, *replies):
        self.replies = list(replies)

    def rcpt(self, _conn, _recipient):
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def start(w, *replies, **settings):
    """A server that says these, one a callout, and a daemon. An answer is stale after a second."""
    w.dns("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1")
    server = w.run(hostile.Server(("192.0.2.1",), Says(*replies)))
    return server, w.daemon({"cache.valid": "{1s, 1h}", "cache.deferred": "{1s, 1h}",
                             "cache.confirm_invalid": "2s",
                             **{k.replace("__", "."): v for k, v in settings.items()}})


def ask_until(w, server, tries, answer):
    """Asks for bob, again and again, until the server was asked `tries` times."""
    def enough():
        w.equal("answer", policy(BOB), answer)
        return len(server.recipients) >= tries
    w.until(f"{tries} tries", enough)


def test_refreshed_behind_a_use(w):
    """An old `valid` is answered at once, and asked about behind that; an unused one is left alone."""
    server, d = start(w, EXISTS)
    w.equal("another", policy("alice@example.org"), "DUNNO")
    ask_until(w, server, 4, "DUNNO")
    d.wait_idle()
    w.equal("asked about", {r.address for r in server.recipients[1:]}, {BOB})


def test_doubt_leaves_a_valid(w):
    """A refresh that is put off, or not answered, leaves the `valid` as it was."""
    server, d = start(w, EXISTS, LATER, hostile.HANG_UP, LATER)
    ask_until(w, server, 4, "DUNNO")
    d.wait_idle()
    w.equal("known", known(d), "valid/mailbox_exists")


def test_asked_once_more_before_it_is_turned(w):
    """The first `no_mailbox` leaves it valid, the daemon asks again by itself, the second turns it."""
    server, d = start(w, EXISTS, UNKNOWN)
    ask_until(w, server, 2, "DUNNO")
    w.until("turned", lambda: known(d) == "invalid/no_mailbox")
    w.equal("tries", len(server.recipients), 3)
    first, second = (r.at for r in server.recipients[1:])
    w.check(second > first + 1, f"asked again after {second - first} s")
    w.matches("answer", policy(BOB), r"^550 5\.1\.1 ")
    said = r"<bob@example\.org> was valid and is said to be no_mailbox: code=550 .* User unknown"
    w.until("it is logged", lambda: len(re.findall(said, d.log())) >= 2)
    w.equal("log lines", len(re.findall(said, d.log())), 2)
    w.equal("of them, to be confirmed", len(re.findall(said + "; it stays valid", d.log())), 1)
    d.wait_idle()
    w.equal("waiting", d.status()["greylisted"], 0)


def test_valid_again(w):
    """What is valid again when it is asked once more was never anything else."""
    server, d = start(w, EXISTS, UNKNOWN, EXISTS)
    ask_until(w, server, 2, "DUNNO")
    w.until("asked again", lambda: len(server.recipients) == 3)
    d.wait_idle()
    w.equal("known", known(d), "valid/mailbox_exists")
    w.equal("waiting", d.status()["greylisted"], 0)


def test_nobody_adds_to_it(w):
    """Between the two answers nobody's question makes a callout."""
    server, d = start(w, EXISTS, UNKNOWN, cache__confirm_invalid="1h")
    ask_until(w, server, 2, "DUNNO")
    d.wait_idle()
    for _ in range(20):
        w.equal("answer", policy(BOB), "DUNNO")
    d.wait_idle()
    w.equal("tries", len(server.recipients), 2)
    w.equal("waiting", d.status()["greylisted"], 1)


def test_killed_in_between(w):
    """That it is to be asked once more outlives kill -9."""
    server, d = start(w, EXISTS, UNKNOWN)
    ask_until(w, server, 2, "DUNNO")
    w.until("planned", lambda: d.status()["greylisted"] == 1)
    d.wait_idle()
    w.problems += d.stop(signal.SIGKILL)
    d.start()
    w.until("turned", lambda: known(d) == "invalid/no_mailbox")
    w.equal("tries", len(server.recipients), 3)


def test_fresh_tells_what_was_said(w):
    """Who asks with `fresh` hears what the server says now; what is kept is still to be confirmed."""
    server, d = start(w, EXISTS, UNKNOWN, cache__confirm_invalid="1h", cache__valid="{1h, 2h}")
    w.equal("answer", policy(BOB), "DUNNO")
    for _ in range(2):
        d.wait_idle()  # who comes before the commit hears the same
        w.equal("fresh", ask(d, BOB, fresh=1)["reason"], "no_mailbox")
        d.wait_idle()
        w.equal("answer", policy(BOB), "DUNNO")
    w.equal("tries", len(server.recipients), 3)
    w.equal("waiting", d.status()["greylisted"], 1)


def test_away_when_it_is_to_be_confirmed(w):
    """A server that is away then confirms nothing; the next word of it does."""
    server, d = start(w, EXISTS, UNKNOWN, hostile.HANG_UP, UNKNOWN)
    ask_until(w, server, 3, "DUNNO")
    d.wait_idle()
    w.equal("known", known(d), "valid/mailbox_exists")
    ask_until(w, server, 4, "DUNNO")
    w.until("turned", lambda: known(d) == "invalid/no_mailbox")
    w.equal("tries", len(server.recipients), 4)


def test_greylisted_when_it_is_to_be_confirmed(w):
    """Greylisting then is waited out, and what comes after it confirms."""
    server, d = start(w, EXISTS, UNKNOWN, "451 4.7.1 Greylisted", UNKNOWN, greylist__retry="{1s, 1s}")
    ask_until(w, server, 2, "DUNNO")
    w.until("turned", lambda: known(d) == "invalid/no_mailbox")
    w.equal("tries", len(server.recipients), 4)
    w.equal("waiting", d.status()["greylisted"], 0)


def test_at_once(w):
    """confirm_invalid = 0s: the first `no_mailbox` is believed."""
    server, d = start(w, EXISTS, UNKNOWN, cache__confirm_invalid="0s")
    ask_until(w, server, 1, "DUNNO")

    def turned():
        policy(BOB)
        return known(d) == "invalid/no_mailbox"
    w.until("turned", turned)
    w.equal("tries", len(server.recipients), 2)


def test_of_our_own_domain(w):
    """A recipient with a route is asked once more, too."""
    server, d = start(w, EXISTS, UNKNOWN, **{'route "example.org"__to': '"[192.0.2.1]"'})
    ask_until(w, server, 2, "DUNNO")
    w.until("turned", lambda: known(d) == "invalid/no_mailbox")
    w.equal("tries", len(server.recipients), 3)
