"""Call-ahead on real mail servers: domains of our own behind Dovecot's LMTP and behind Exim, asked
about by the policy service and by the milter."""
import re

from harness import mailworld, peers

USERS = ("alice", "bob")
OUTSIDE = "198.51.100.7"
LMTP_PORT, EXIM_PORT = 2424, 2512
DOMAINS = ("lmtp.example", "unix.example", "exim.example")
HIDDEN = r"127\.0\.0\.1|inside\.example|[Dd]ovecot|[Ee]xim|doesn't exist|LMTP|/run/"
RELAY = "relay_domains = " + ", ".join(DOMAINS)


def needs_root(function):
    function.needs_root = True
    return function


def route(domain, to, protocol="smtp", outage=None):
    section = f'route "{domain}".'
    return {f"{section}to": f'"{to}"', f"{section}protocol": protocol,
            **({f"{section}outage": outage} if outage else {})}


class Backends:
    """The stores, two front MTAs, and calloutd between them."""

    def __init__(self, w, outage=None):
        self.w = w
        peers.prepare(w.workdir)
        w.dns()
        self.dovecot = peers.DovecotLmtp(w.workdir, "dovecot", LMTP_PORT, "store.inside.example", USERS)
        self.exim = peers.Exim(w.workdir, "exim", EXIM_PORT, "exim.inside.example", DOMAINS[2], USERS)
        self.start()
        w.start(mailworld.front(w.workdir, RELAY))
        w.start(mailworld.front_milter(w.workdir, RELAY))
        self.daemon = w.milter({
            **route(DOMAINS[0], f"[127.0.0.1]:{LMTP_PORT}", "lmtp", outage),
            **route(DOMAINS[1], f"unix:{self.dovecot.socket}", "lmtp", outage),
            **route(DOMAINS[2], f"[127.0.0.1]:{EXIM_PORT}", "smtp", outage)})

    def start(self):
        for mta in (self.dovecot, self.exim):
            self.w.start(mta)

    def stop(self):
        for mta in (self.dovecot, self.exim):
            mta.stop()

    def expect(self, when, locals_, pattern, **options):
        """What a stranger hears of these at every domain, by policy service and by milter."""
        everyone = [f"{local}@{domain}" for domain in DOMAINS for local in locals_]
        for port in (mailworld.FRONT_PORT, mailworld.FRONT_MILTER_PORT):
            for r, answer in mailworld.ask(everyone, port=port, client=OUTSIDE, **options).items():
                self.w.matches(f"{when}: {r} on {port}", answer, pattern)
                self.w.check(not re.search(HIDDEN, answer.replace(r, "")),
                             f"{when}: {r} on {port}: tells too much: {answer}")


@needs_root
def test_known_and_unknown(w):
    """Known users are taken and unknown ones refused, whichever way they are asked about; with the
    backends stopped the known still are, and of the unknown nobody can tell."""
    b = Backends(w)
    b.expect("up", USERS, "^250 ")
    b.expect("up", ["nobody", "Nobody"], r"^550 5\.1\.1 ")
    b.expect("up", ["postmaster", "abuse"], "^250 ")
    b.daemon.wait_log(r"class=inbound action=reject rcpt=<nobody@lmtp\.example> status=invalid "
                      r"reason=no_mailbox source=probe stage=rcpt code=550 .*client=198\.51\.100\.7")
    b.daemon.wait_idle(clients=mailworld.KEPT)
    b.stop()
    b.expect("down", USERS, "^250 ")
    b.expect("down", ["carol", "dave"], r"^450 4\.4\.1 ")
    b.expect("down", ["postmaster", "abuse"], "^250 ")
    b.daemon.wait_idle(clients=mailworld.KEPT)
    for mta in (b.dovecot, b.exim):
        w.check(not re.search(r"\bDATA\b", mta.log()), "a backend saw DATA")


@needs_root
def test_case_and_detail_are_the_backends(w):
    """What a local part means is the backend's to say: it hears it as it was given."""
    b = Backends(w)
    b.expect("up", ["Alice", "BOB"], "^250 ")
    b.daemon.wait_idle(clients=mailworld.KEPT)


@needs_root
def test_outage_accept(w):
    """outage = accept: what nobody can tell is taken."""
    b = Backends(w, "accept")
    b.expect("up", ["nobody"], r"^550 5\.1\.1 ")
    b.stop()
    b.expect("down", ["carol"], "^250 ")
    b.daemon.wait_idle(clients=mailworld.KEPT)


@needs_root
def test_outage_tempfail(w):
    """outage = tempfail: it is asked to come back, also where `deferred` would be taken."""
    b = Backends(w, "tempfail")
    b.daemon.write_conf(**{'action "inbound".deferred': "accept"})
    b.daemon.kill(1)
    b.daemon.wait_notified("READY=1")
    b.expect("up", ["bob"], "^250 ")
    b.stop()
    b.expect("down", ["bob"], "^250 ")
    b.expect("down", ["carol"], r"^450 4\.4\.1 ")
    b.daemon.wait_idle(clients=mailworld.KEPT)


@needs_root
def test_outbound_too(w):
    """The recipients of a routed domain are asked about there whoever writes to them; other domains
    are no business of strangers."""
    b = Backends(w)
    for port in (mailworld.FRONT_PORT, mailworld.FRONT_MILTER_PORT):
        answers = mailworld.ask(["bob@lmtp.example", "nobody@exim.example"], port=port)
        w.equal(f"codes on {port}", [a[:3] for a in answers.values()], ["250", "550"])
        w.matches(f"a stranger on {port}", mailworld.ask(["bob@example.org"], port=port, client=OUTSIDE)
                  .values(), r"[45]54 .*Relay access denied")
    b.daemon.wait_idle(clients=mailworld.KEPT)
