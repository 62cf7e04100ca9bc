"""Our own network, or DNS, is away: it is told from others' faults, nobody is blamed for it, nothing is
remembered of it, and all is well again when it is back."""
import os
import threading
import time

from harness import client, dns, hostile, namespace, wire

COUNT = 12
QUICK = {"timeout.connect": "700ms"}
FAULT_AFTER = 3  # seconds in which nothing worked
NETWORK = r"error: network: no connection to anybody"
DNS = r"error: dns: no DNS answer about anybody"
RELAY = 5300
HALVES = ("192.0.2.0/25", "192.0.2.128/25")  # more than the route that is there
BEHIND_RELAY = {"dns_servers": f'{{"127.0.0.1:{RELAY}"}}'}
QUIET = {**BEHIND_RELAY, "helo_name": '"[203.0.113.250]"'}  # it asks nothing by itself
LITERAL = "helo_name: servers trust an address literal less"


def domains(count=COUNT, first=1):
    """Each with a host of its own."""
    return [f"d{n}.example. MX 10 mx.d{n}.example.\nmx.d{n}.example. A 192.0.2.{n}"
            for n in range(first, first + count)]


def hosts(count=COUNT, first=1):
    return [f"192.0.2.{n}" for n in range(first, first + count)]


def ask(d, address, **parameters):
    return client.ask_all(d.control, [address], **parameters)[0].verdict


def ask_for(d, user, numbers=range(1, COUNT + 1), connections=4, **parameters):
    """One recipient in each of the domains."""
    return [a.verdict for a in client.ask_all(d.control, [f"{user}@d{n}.example" for n in numbers],
                                              connections=connections, **parameters)]


def what(verdict):
    return f"{verdict['status']}/{verdict['reason']}"


def kinds(verdicts):
    return {what(v) for v in verdicts}


def health(d):
    return client.control_get(d.control, "/healthz")[1].split("\n")


def swallow_all():
    for half in HALVES:
        namespace.swallow(half)


def deliver_all():
    for half in HALVES:
        namespace.deliver(half)


def kept(d, user, numbers=range(1, COUNT + 1)):
    """What the store has of them."""
    d.wait_idle()  # what was said just now is committed
    return {what(v) for v in ask_for(d, user, numbers, probe=0) if v["source"] == "store"}


def relay(w):
    made = dns.FaultyDns(port=RELAY)
    made.start()
    w._ends.append(made.stop)
    return made


def is_well_at_first(w, d):
    w.equal("before", kinds(ask_for(d, "known")), {"valid/mailbox_exists"})
    w.equal("health before", health(d), ["ok", ""])


def lose(w, d, numbers=range(1, COUNT + 1), connections=4):
    """Until it is recognised; what was said by then."""
    told = set()

    def recognised():
        told.update(kinds(ask_for(d, "lost", numbers, connections)))
        return health(d)[0] == "degraded"

    w.until("it is recognised", recognised)
    return told


def is_recognised(w, d, pattern, problem, passing):
    """Some are in doubt, and then it is a local fault; it is told everywhere."""
    told = lose(w, d)
    w.check(told <= {"deferred/local_fault", passing}, f"made of it: {told}")
    w.equal("then", kinds(ask_for(d, "later")), {"deferred/local_fault"})
    d.wait_log(pattern)
    said = health(d)
    w.equal("healthz", said[0], "degraded")
    w.matches("what healthz says", said[1], problem)
    status = d.status()
    w.equal("health in the status", (status["health"], len(status["problems"])), ("degraded", 1))
    w.matches("problems in the status", status["problems"][0], problem)
    w.equal("what was known", kinds(ask_for(d, "known")), {"valid/mailbox_exists"})
    w.equal("known from", {v["source"] for v in ask_for(d, "known")}, {"store"})


def is_well_again(w, d):
    """Whoever asks next finds out; of what was said meanwhile nothing was kept."""
    w.until("it answers again", lambda: what(ask(d, "again@d1.example")) == "valid/mailbox_exists")
    w.equal("kept", kept(d, "lost") | kept(d, "later"), set())
    w.equal("after", kinds(ask_for(d, "lost") + ask_for(d, "later")), {"valid/mailbox_exists"})
    w.equal("health after", health(d), ["ok", ""])
    w.equal("destinations in trouble", d.status()["destinations"], [])


def network_fault(w, begin, end, passing):
    w.dns(*domains())
    server = w.run(hostile.Server(hosts(), raced=True))
    d = w.daemon(QUICK, allowed=[NETWORK])
    is_well_at_first(w, d)
    begin(server)
    is_recognised(w, d, NETWORK, "^no connection to anybody: ", passing)
    end(server)
    is_well_again(w, d)
    d.wait_log("network: connections are made again")


def test_no_route(w):
    """The outside is gone, at once: ENETUNREACH for all."""
    network_fault(w, lambda s: namespace.public_down(), lambda s: namespace.public_up(),
                  "deferred/unreachable")


def test_packets_lost(w):
    """Nothing comes back from anybody."""
    network_fault(w, lambda s: swallow_all(), lambda s: deliver_all(), "deferred/unreachable")


def test_every_port_closed(w):
    """Somebody on the way refuses every connection."""
    network_fault(w, lambda s: s.refuse(), lambda s: s.listen(), "deferred/unreachable")


def test_sessions_under_way(w):
    """Sessions that the fault catches half-way are not held against those they were with."""
    w.dns(*domains())
    server = w.run(hostile.Server(hosts(), hostile.On(rcpt=hostile.SILENCE), raced=True))
    d = w.daemon({**QUICK, "timeout.command": "9s"}, allowed=[NETWORK])
    with client.PolicyClient() as asker:
        asker.send("caught@d1.example")
        server.wait("it is asked", lambda: server.tries("caught@d1.example"))
        swallow_all()
        lose(w, d, range(2, COUNT + 1), connections=COUNT)
        d.wait_log(NETWORK)
        asker.receive()
    w.equal("kept", kept(d, "caught", [1]), set())
    deliver_all()
    server.rules = []
    w.until("it answers again", lambda: what(ask(d, "again@d2.example")) == "valid/mailbox_exists")
    w.equal("after", what(ask(d, "caught@d1.example")), "valid/mailbox_exists")


def test_caught_when_it_ends(w):
    """Attempts that began while the network was away, and fail when it is back, are not held against
    those they were made to."""
    w.dns(*domains())
    w.run(hostile.Server(hosts(), raced=True))
    seen = w.run(wire.Wire())
    d = w.daemon({"timeout.connect": "2s"}, allowed=[NETWORK])
    swallow_all()
    lose(w, d, connections=COUNT)
    before = len(seen.attempts)
    with client.PolicyClient() as asker:
        asker.send("caught@d1.example")
        w.until("it is tried", lambda: seen.attempts[before:])
        namespace.make_unreachable("192.0.2.1")  # a route of its own that outlives the other
        deliver_all()
        w.until("it answers again", lambda: what(ask(d, "again@d2.example")) == "valid/mailbox_exists")
        asker.receive()
    namespace.deliver("192.0.2.1")
    w.equal("kept", kept(d, "caught", [1]), set())
    w.equal("after", what(ask(d, "caught@d1.example")), "valid/mailbox_exists")


def test_everything_gone(w):
    """Not even loopback is there. A route to a unix socket works on."""
    store = os.path.join(w.workdir, "store")
    w.dns(*domains())
    w.run(hostile.Server(hosts(), raced=True))
    w.run(hostile.Server(["unix:" + store]))
    ours = 'route "ours.example".'
    d = w.daemon({**QUICK, ours + "to": f'"unix:{store}"', ours + "protocol": "lmtp"},
                 allowed=[NETWORK, DNS])
    is_well_at_first(w, d)
    namespace.loopback_down()
    told = lose(w, d)
    w.check(told <= {"deferred/local_fault", "deferred/dns_error", "deferred/unreachable"},
            f"made of it: {told}")
    w.equal("healthz", health(d)[0], "degraded")
    w.equal("ours", what(ask(d, "bob@ours.example")), "valid/mailbox_exists")
    w.equal("what was known", kinds(ask_for(d, "known")), {"valid/mailbox_exists"})
    namespace.loopback_up()
    w.until("it answers again", lambda: what(ask(d, "again@d1.example")) == "valid/mailbox_exists")
    w.equal("kept", kept(d, "lost"), set())
    w.until("all do", lambda: kinds(ask_for(d, "lost")) == {"valid/mailbox_exists"})
    w.equal("health after", health(d), ["ok", ""])


def dns_fault(w, fault, passing="deferred/dns_error"):
    """Domains whose answers are not in the cache."""
    w.dns(*domains(), *domains(40, COUNT + 1))
    faulty = relay(w)
    w.run(hostile.Server(hosts(COUNT + 40), raced=True))
    d = w.daemon({**BEHIND_RELAY, "timeout.callout": "3s"}, allowed=[DNS])
    is_well_at_first(w, d)
    faulty.become(fault)
    new = range(COUNT + 1, COUNT + 9)
    told = lose(w, d, new, connections=8)
    w.check(told <= {"deferred/local_fault", passing}, f"made of it: {told}")
    d.wait_log(DNS)
    said = health(d)
    w.equal("healthz", said[0], "degraded")
    w.matches("what healthz says", said[1], "^no DNS answer about anybody")
    w.equal("problems", d.status()["problems"], said[1:2])
    w.equal("later", kinds(ask_for(d, "lost", range(COUNT + 9, COUNT + 17), connections=8)),
            {"deferred/local_fault"})
    w.equal("what was known", kinds(ask_for(d, "known")), {"valid/mailbox_exists"})
    if fault != "lie":  # what a liar said is forgotten, all of it
        w.equal("hosts that are known", kinds(ask_for(d, "new")), {"valid/mailbox_exists"})
    faulty.become()
    lost = range(COUNT + 1, COUNT + 17)
    w.equal("kept", kept(d, "lost", lost), set())
    w.until("all are answered", lambda: kinds(ask_for(d, "lost", lost)) == {"valid/mailbox_exists"})
    w.equal("health after", health(d), ["ok", ""])
    d.wait_log("dns: answers again")


def test_resolver_dead(w):
    """It says nothing any more."""
    dns_fault(w, "dead")


def test_resolver_lies(w):
    """It denies every name, also the root: none of them is thought not to exist."""
    dns_fault(w, "lie", "deferred/local_fault")


def test_resolver_fails(w):
    """SERVFAIL for everything."""
    dns_fault(w, "servfail")


def test_resolver_refuses(w):
    """REFUSED for everything."""
    dns_fault(w, "refuse")


def test_lying_resolver_on_a_quiet_daemon(w):
    """The first question of all, and the DNS denies the name: it has to know the root before it is
    believed; and nothing it said is remembered."""
    w.dns(*domains(1))
    faulty = relay(w)
    w.run(hostile.Server(hosts(1)))
    faulty.become("lie")
    d = w.daemon(BEHIND_RELAY, allowed=[DNS, "helo_name: .* does not resolve"])
    w.equal("the verdict", what(ask(d, "bob@d1.example")), "deferred/local_fault")
    faulty.become()
    w.equal("later", what(ask(d, "bob@d1.example")), "valid/mailbox_exists")


def root_asked(faulty):
    """NS of the root."""
    return faulty.asked.get(b"\0\0\2\0\1", 0)


def test_no_domain_on_a_quiet_daemon(w):
    """A domain that does not exist is invalid/no_domain, once the root was asked for."""
    w.dns()
    faulty = relay(w)
    d = w.daemon(QUIET, allowed=[LITERAL])
    w.equal("the verdict", what(ask(d, "bob@nowhere.example")), "invalid/no_domain")
    w.equal("the root was asked for", root_asked(faulty), 1)
    w.equal("again", what(ask(d, "carol@nowhere.example")), "invalid/no_domain")


def test_one_root_serves_many(w):
    """Many domains that do not exist, at once: each is invalid/no_domain, few questions for the
    root."""
    count = 100
    w.dns()
    faulty = relay(w)
    d = w.daemon({**QUIET, "limit.max_waiting": "1000"}, allowed=[LITERAL])
    answers = []
    faulty.become("hold")
    asking = threading.Thread(target=lambda: answers.extend(client.ask_all(
        d.control, [f"bob@n{n}.example" for n in range(count)], connections=count)))
    asking.start()
    w.until("all are asked", lambda: len(faulty.asked) == count)
    faulty.become()
    asking.join()
    w.equal("verdicts", {what(a.verdict) for a in answers}, {"invalid/no_domain"})
    asked = root_asked(faulty)
    w.check(0 < asked <= count // 4, f"the root was asked for {asked} times")


def test_lie_begins_while_others_are_answered(w):
    """From one question to the next the DNS denies all names: nobody is taken for one that does not
    exist because others were answered a moment before."""
    w.dns(*domains(100))
    faulty = relay(w)
    w.run(hostile.Server(hosts(100), raced=True))
    d = w.daemon({**BEHIND_RELAY, "limit.max_waiting": "1000"}, allowed=[DNS])
    told = set()

    def lie_soon(question, real=faulty._ask):
        if len(faulty.asked) > 60:
            faulty.become("lie")
        return real(question)

    faulty._ask = lie_soon
    told |= kinds(ask_for(d, "bob", range(1, 101), connections=50))
    w.check("valid/mailbox_exists" in told and "deferred/local_fault" in told, f"not half-way: {told}")
    w.check(not any(t.startswith("invalid") for t in told), f"told: {told}")
    faulty.become()
    faulty._ask = dns.FaultyDns._ask.__get__(faulty)
    w.equal("kept", kept(d, "bob", range(1, 101)), {"valid/mailbox_exists"})


def test_one_dead_destination(w):
    """Dead to everybody who asks for it, and however often: it is theirs, and nobody else's
    trouble."""
    w.dns(*domains())
    w.run(hostile.Server(hosts(COUNT - 1, 2), raced=True))
    d = w.daemon(QUICK)
    for n in range(20):
        v = ask(d, f"u{n}@d1.example", fresh=1)
        w.check(what(v) in ("deferred/unreachable", "deferred/timeout"), f"told: {what(v)}")
    w.equal("health", health(d), ["ok", ""])
    w.equal("others", kinds(ask_for(d, "bob", range(2, COUNT + 1))), {"valid/mailbox_exists"})


def test_dead_ones_among_the_living(w):
    """Many domains in a row are dead, while others are answered: no fault of ours."""
    w.dns(*domains(40), *domains(20, 101))
    w.run(hostile.Server(hosts(20, 101), raced=True))
    d = w.daemon(QUICK)
    for n in range(1, 41):
        told = what(ask(d, f"bob@d{n}.example"))
        w.equal("a dead one", told, "deferred/unreachable")
        if n % 4 == 0:
            w.equal("a living one", what(ask(d, f"u{n}@d101.example")), "valid/mailbox_exists")
    w.equal("health", health(d), ["ok", ""])


def test_refused_ones_in_a_row(w):
    """... also where those in a row refuse so quickly that nobody else is answered in between."""
    w.dns(*domains(40), *domains(1, 101))
    w.run(hostile.Server(hosts(1, 101), raced=True))
    d = w.daemon(QUICK)
    for n in range(4):
        began = time.monotonic()
        w.equal("a living one", what(ask(d, f"u{n}@d101.example")), "valid/mailbox_exists")
        ten = range(10 * n + 1, 10 * n + 11)
        told, said = kinds(ask_for(d, "bob", ten)), health(d)
        if time.monotonic() < began + FAULT_AFTER:  # else it may be one, and rightly
            w.equal("dead ones", told, {"deferred/unreachable"})
            w.equal("health", said, ["ok", ""])


def test_routes_go_on(w):
    """Domains of our own are asked about at servers on this host while the outside is gone, and what
    is wrong with those is no fault of the network."""
    w.dns(*domains())
    w.run(hostile.Server(hosts(), raced=True))
    inside = w.run(hostile.Server(["127.0.0.2"], port=2500))
    settings = {f'route "ours{n}.example".to': f'"[127.0.0.{n}]:2500"' for n in range(2, 10)}
    d = w.daemon({**QUICK, **settings}, allowed=[NETWORK])
    for n in range(3, 10):  # nobody is there
        w.equal("a dead one of ours", what(ask(d, f"u{n}@ours{n}.example")), "deferred/unreachable")
    w.equal("health", health(d), ["ok", ""])
    namespace.public_down()
    lose(w, d)
    w.equal("outside", kinds(ask_for(d, "later")), {"deferred/local_fault"})
    for n in range(5):
        w.equal("ours", what(ask(d, f"u{n}@ours2.example")), "valid/mailbox_exists")
    w.equal("asked", len(inside.recipients), 5)
    w.equal("it is not over by that", health(d)[0], "degraded")
    namespace.public_up()
