"""Politeness where several things meet."""
from harness import client, hostile

REAL = {"limit.connections": "2", "limit.per_connection": "20", "timeout.idle": "5s",
        "catch_all.test": "auto"}


def reasons(answers):
    return sorted({a.verdict["reason"] for a in answers})


def test_other_destination_has_its_own_breaker(w):
    """Who was at one destination does not get into another that refuses us."""
    w.dns("example.com. MX 10 mx.example.com.", "mx.example.com. A 192.0.2.2",
          "example.org. MX 10 mx1.example.org.", "example.org. MX 20 mx.example.com.",
          "mx1.example.org. A 192.0.2.1")
    busy = w.run(hostile.Server(["192.0.2.1"], hostile.On(greeting="450 4.3.2 Not now")))
    refuser = w.run(hostile.Server(["192.0.2.2"], hostile.On(
        greeting="554 5.7.1 Your address is on our block list")))
    d = w.daemon(allowed=["ALARM"])
    client.ask_all(d.control, ["anna@example.com"])
    client.ask_all(d.control, ["bob@example.org"])
    w.equal("asked", (len(busy.connections), len(refuser.connections)), (1, 1))
    d.wait_idle()


def test_queue_is_no_trouble(w):
    """Turns that come too late are not begun, and not held against the destination."""
    w.dns()
    server = w.run(hostile.Server(["192.0.2.1"], hostile.On(
        greeting=hostile.Reply("220 mx1.example.org ESMTP", after=1))))
    server.forgiving = True
    d = w.daemon({"limit.rate": '"2/s"', "limit.burst": "1", "timeout.callout": "6s"})
    answers = client.ask_all(d.control, [f"u{i}@example.org" for i in range(60)], connections=60)
    w.equal("reasons", reasons(answers), ["mailbox_exists", "rate_limited"])
    again = client.ask_all(d.control, ["late@example.org"])
    w.equal("afterwards", reasons(again), ["mailbox_exists"])
    d.wait_idle()


def test_made_up_are_no_bulk(w):
    """A list of recipients who all exist does not pause for those that we made up."""
    names = [f"d{i}.example" for i in range(40)]
    w.dns(*(f"{n}. MX 10 mx1.example.org." for n in names), "mx1.example.org. A 192.0.2.1")
    w.run(hostile.Server(["192.0.2.1"], hostile.On(
        rcpt=lambda _c, who: None if who.startswith("bob@") else "550 5.1.1 User unknown")))
    d = w.daemon(REAL | {"limit.rate": '"1000/s"'})
    answers = client.ask_all(d.control, ["bob@" + n for n in names], bulk=1)
    w.equal("reasons", reasons(answers), ["mailbox_exists"])
    d.wait_idle()


def test_made_up_count_on_a_connection(w):
    w.dns()
    server = w.run(hostile.Server(["192.0.2.1"]))
    d = w.daemon(REAL | {"limit.per_connection": "1"})
    client.ask_all(d.control, ["bob@example.org"])
    w.equal("recipients", max(len(c.recipients) for c in server.connections), 1)
    d.wait_idle()


def test_resting_source(w):
    """Who waits already does not come from a source that rests by now."""
    names = [f"d{i}.example" for i in range(40)]
    w.dns(*(f"{n}. MX 10 mx1.example.org." for n in names), "mx1.example.org. A 192.0.2.1")
    server = w.run(hostile.Server(["192.0.2.1"], hostile.On(
        rcpt=lambda c, _who: "450 4.7.1 Too much from you" if c.source == "10.20.30.1" else None)))
    d = w.daemon({"source_addresses": '{"10.20.30.1", "10.20.30.2"}', "limit.connections": "2",
                  "limit.rate": '"20/s"', "limit.burst": "1"})
    client.ask_all(d.control, ["bob@" + n for n in names], connections=40)
    if server.asked_from["10.20.30.1"] > 3:
        w.problems.append(f"asked from: {server.asked_from}")
    d.wait_idle()


def test_421_of_the_first_host(w):
    """421 slows the destination, also where another host of it has the answer."""
    w.dns("example.org. MX 10 mx1.example.org.", "example.org. MX 20 mx2.example.org.",
          "mx1.example.org. A 192.0.2.1", "mx2.example.org. A 192.0.2.2")
    first = w.run(hostile.Server(["192.0.2.1"], hostile.On(greeting="421 4.7.0 Too fast")))
    w.run(hostile.Server(["192.0.2.2"]))
    d = w.daemon()
    for i in range(3):
        client.ask_all(d.control, [f"u{i}@example.org"])
    w.equal("connections", len(first.connections), 1)
    d.wait_idle()


def test_a_route_and_its_neighbour(w):
    """Trouble with a stranger is not held against a server of our own beside it, nor hidden by it."""
    w.dns("mail.example.com. A 192.0.2.1", "example.net. MX 10 mx2.example.com.",
          "mx2.example.com. A 192.0.2.2")
    w.run(hostile.Server(["192.0.2.1"]))
    stranger = w.run(hostile.Server(["192.0.2.2"], hostile.On(greeting="421 4.7.0 Too fast")))
    d = w.daemon({'route "example.org".to': '"mail.example.com"'})
    for i in range(3):
        client.ask_all(d.control, [f"u{i}@example.net"])
        ours = client.ask_all(d.control, [f"u{i}@example.org"])
        w.equal("ours", reasons(ours), ["mailbox_exists"])
    w.equal("connections to the stranger", len(stranger.connections), 1)
    d.wait_idle()
