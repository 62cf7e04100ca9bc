"""The policy service: many clients, long-lived clients, bad clients."""
import resource
import socket

from harness import client, scripted
from world import answering

CLOSED = r"policy: connection closed"


def threads(function):
    function.threads = True
    return function


@threads
def test_one_callout_for_200_clients(w):
    """200 connections ask for one unknown recipient at once: one SMTP connection, one answer."""
    w.dns()
    held = scripted.script("192.0.2.1", """
        S! hold
        S: 220 mx1.example.org ESMTP
        C: EHLO probe.example.net
        S: 250 mx1.example.org
        C: MAIL FROM:<>
        S: 250 2.1.0 Ok
        C: RCPT TO:<nobody@example.org>
        S: 550 5.1.1 User unknown
        C: QUIT
        S: 221 2.0.0 Bye""")
    w.servers(held)
    d = w.daemon()
    clients = [client.PolicyClient() for _ in range(200)]
    for c in clients:
        c.send("nobody@example.org")
    w.until("200 waiters", lambda: d.status()["waiters"] == 200)
    w.equal("flights", d.status()["flights"], 1)
    held.released.set()
    answers = {c.receive() for c in clients}
    w.equal("different answers", len(answers), 1)
    w.matches("the answer", answers, r"550 5\.1\.1")
    for c in clients:
        c.close()
    d.wait_idle()


def test_2000_idle_clients(w):
    """2,000 connections stay open, idle, and each still gets its answer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = w.daemon()
    clients = [client.PolicyClient() for _ in range(2000)]
    with client.PolicyClient() as c:
        w.matches("an active client among 2,000 idle ones", c.ask("nobody@example.org"), "^550 ")
    for c in clients:
        c.send("nobody@example.org")
    w.equal("answers", {c.receive()[:9] for c in clients}, {"550 5.1.1"})
    for c in clients:
        c.close()
    d.wait_idle()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_requests_on_one_connection(w):
    """500 requests written at once are answered in order."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    w.daemon()
    with client.PolicyClient() as c:
        c.ask("nobody@example.org")
        asked = [client.policy_request("nobody@example.org") if n % 2 else
                 client.policy_request("nobody@example.org", protocol_state="DATA")
                 for n in range(500)]
        c.sock.sendall(b"".join(asked))
        got = [c.receive()[:5] for _ in range(500)]
    w.equal("answers in order", got, ["DUNNO", "550 5"] * 250)


def test_request_in_pieces(w):
    """A request that comes byte by byte is one request."""
    w.dns()
    w.servers(answering("250 2.1.5 Ok"))
    w.daemon()
    with client.PolicyClient() as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in client.policy_request("bob@example.org"):
            c.sock.sendall(bytes([byte]))
        w.equal("answer", c.receive(), "DUNNO")


def test_bad_clients_hurt_only_themselves(w):
    """Garbage, half a request, 10 MB, a client that goes: logged, closed, and no other notices."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown"))
    d = w.daemon(allowed=[CLOSED])
    good = client.PolicyClient()
    w.matches("before", good.ask("nobody@example.org"), "^550 ")
    for name, data in (("garbage", b"\x16\x03\x01\x02\x00 GET / HTTP/1.1\n\n"),
                       ("NUL", b"request=smtpd_access_policy\nrecipient=a\0b@c\n\n"),
                       ("other request", b"request=junk_policy\n\n"),
                       ("no equals sign", b"request=smtpd_access_policy\nrecipient\n\n"),
                       ("10 MB", b"recipient=" + b"a" * 10_000_000)):
        bad = client.PolicyClient()
        try:
            bad.sock.sendall(data)
            w.equal(f"answer to {name}", bad.file.read(), b"")
        except OSError:
            pass  # closed while we were still sending, or reset with our data unread
        bad.close()
        w.matches(f"after {name}", good.ask("nobody@example.org"), "^550 ")
    half = client.PolicyClient()
    half.sock.sendall(client.policy_request("nobody@example.org")[:-1])
    half.sock.shutdown(socket.SHUT_WR)
    w.equal("answer to half a request", half.file.read(), b"")
    half.close()
    w.matches("after half a request", good.ask("nobody@example.org"), "^550 ")
    good.close()
    d.wait_idle()
    w.problems += d.stop()
    w.equal("logged reasons", d.log().count("policy: connection closed"), 6)


def test_answers_before_a_bad_request(w):
    """What was asked before the garbage, in the same write, is answered."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    w.daemon(allowed=[CLOSED])
    with client.PolicyClient() as c:
        c.ask("nobody@example.org")
        c.sock.sendall(client.policy_request("nobody@example.org") + b"garbage\n\n")
        w.matches("answer", c.receive(), "^550 5.1.1")
        w.equal("what follows", c.file.read(), b"")


def test_client_goes_while_it_waits(w):
    """The callout goes on without the client, and its answer is stored."""
    w.dns()
    held = answering("550 5.1.1 User unknown")
    held.lines.insert(0, ("S!", "hold"))
    w.servers(held)
    d = w.daemon()
    c = client.PolicyClient()
    c.send("nobody@example.org")
    w.until("one waiter", lambda: d.status()["waiters"] == 1)
    c.close()
    held.released.set()
    d.wait_idle()
    with client.PolicyClient() as other:
        w.matches("the next one", other.ask("nobody@example.org"), "^550 5.1.1")


def test_half_closed_clients(w):
    """Who has said all, several requests at once, and ends its side gets all answers, and then the end."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    d = w.daemon()
    with client.PolicyClient() as c:
        c.sock.sendall(3 * client.policy_request("nobody@example.org"))
        c.sock.shutdown(socket.SHUT_WR)
        w.equal("answers", {c.receive()[:9] for _ in range(3)}, {"550 5.1.1"})
        w.equal("what follows", c.file.read(), b"")
    d.wait_idle()


def test_stop_with_answers_unread(w):
    """Who does not read its answers is worked for no more, and does not keep calloutd from ending."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    d = w.daemon(allowed=["stop: clients did not take their answers in time"])
    reader, deaf = client.PolicyClient(), client.PolicyClient()
    reader.ask("nobody@example.org")
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sock.settimeout(2)
    try:
        while True:
            deaf.sock.sendall(100 * client.policy_request("nobody@example.org", protocol_state="DATA"))
    except OSError:
        pass
    w.matches("an answer beside it", reader.ask("nobody@example.org"), "^550 5.1.1")
    w.problems += d.stop()
    w.equal("what the reader gets", reader.file.read(), b"")
    reader.close()
    deaf.close()


def test_not_for_us(w):
    """Other protocol states, no recipient, own domains, inbound mail: DUNNO, and no callout,
    whatever is to be done about what is unknown."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=0))
    w.daemon({"local_domains": '{"own.example"}', 'action "outbound".unknown': "reject",
              'action "inbound".unknown': "tempfail"})
    with client.PolicyClient() as c:
        for attributes in ({"protocol_state": "CONNECT", "recipient": ""}, {"recipient": ""},
                           {"recipient": "postmaster"}, {"protocol_state": "DATA"},
                           {"recipient": "a@"}, {"recipient": "@"}, {"recipient": "a@."},
                           {"recipient": "a@own.example"}, {"recipient": "a b@OWN.example."},
                           {"recipient": "a" * 65 + "@own.example"},
                           {"client_address": "198.51.100.77"},
                           {"client_address": "198.51.100.77", "recipient": "a" * 65 + "@x"}):
            recipient = attributes.pop("recipient", "nobody@example.org")
            w.equal(f"{recipient} {attributes}", c.ask(recipient, **attributes), "DUNNO")
        w.matches("a long sender", c.ask("x@" + "y" * 300, sender="a" * 4000), "^553 5.1.3")
        w.matches("a long recipient", c.ask("a" * 4000 + "@example.org"), "^553 5.1.3")


def test_classes(w):
    """Outbound: authenticated by password or certificate, or a client of `networks`."""
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    d = w.daemon({"networks": '{"192.0.2.0/24", "2001:db8:1::/48"}'})
    with client.PolicyClient() as c:
        for attributes in ({"client_address": "192.0.2.77"},
                           {"client_address": "2001:db8:1::7"},
                           {"client_address": "198.51.100.7", "sasl_username": "alice"},
                           {"client_address": "198.51.100.7", "ccert_fingerprint": "AB:CD"}):
            w.matches(str(attributes), c.ask("nobody@example.org", **attributes), "^550 5.1.1")
        w.equal("a stranger", c.ask("nobody@example.org", client_address="198.51.100.7"), "DUNNO")
    d.wait_log(r"class=outbound action=reject rcpt=<nobody@example\.org> status=invalid "
               r"reason=no_mailbox source=probe stage=rcpt code=550 dsn=5\.1\.1 "
               r"mx=mx1\.example\.org ip=192\.0\.2\.1 rule=\S+ ms=\d+ client=192\.0\.2\.77")
    d.wait_log(r"client=198\.51\.100\.7 sasl=alice")


def test_unix_listener(w):
    """A unix socket with the configured mode; a stale file is replaced; gone at the end."""
    import os
    path = os.path.join(w.workdir, "policy")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(path)
    stale.close()
    w.dns()
    w.servers(answering("250 2.1.5 Ok"))
    d = w.daemon({"policy.listen": f'{{"unix:{path}", "inet:[::1]:8893"}}', "socket_mode": "0600"})
    w.equal("mode", oct(os.stat(path).st_mode & 0o777), "0o600")
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.sendall(client.policy_request("bob@example.org"))
    w.equal("over unix", s.makefile().readline(), "action=DUNNO\n")
    s.close()
    with client.PolicyClient("::1") as c:
        w.equal("over IPv6", c.ask("bob@example.org"), "DUNNO")
    w.problems += d.stop()
    w.check(not os.path.exists(path), "the unix socket was left behind")
