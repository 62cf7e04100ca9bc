"""The MTA's side of the milter protocol, as <libmilter/mfdef.h> has it.

A packet is a length of 4 octets, a letter, and that letter's payload. Strings in it end in NUL.
"""
import collections
import socket
import struct
import time

PORT = 8894
VERSION = 6
ACTIONS, STEPS = 0x1FF, 0x1FFFFF  # all there are (SMFI_CURR_ACTS, SMFI_CURR_PROT)
V2_ACTIONS, V2_STEPS = 0x3F, 0x7F
SETSYMLIST = 0x100
PACKET_MAX = 1 << 20
STAGES = ("connect", "helo", "mail", "rcpt", "data", "eom", "eoh")  # of lists of macros

# What a filter may ask away: letter of the command -> (do not send it, do not wait for a reply).
ASK_AWAY = {"C": (0x01, 0x1000), "H": (0x02, 0x2000), "M": (0x04, 0x4000), "R": (0x08, 0x8000),
            "B": (0x10, 0x80000), "L": (0x20, 0x80), "N": (0x40, 0x40000), "U": (0x100, 0x20000),
            "T": (0x200, 0x10000)}
FINAL = {"c": "continue", "a": "accept", "r": "reject", "t": "tempfail", "d": "discard", "s": "skip",
         "f": "conn_fail", "4": "shutdown", "y": "reply"}
PROGRESS = "p"

Reply = collections.namedtuple("Reply", "kind text ms")
Reply.__str__ = lambda self: f"{self.kind} {self.text}".rstrip()
Negotiated = collections.namedtuple("Negotiated", "version actions steps macros")


def packet(letter, payload=b""):
    return struct.pack("!I", 1 + len(payload)) + letter.encode("ascii") + payload


def strings(*parts):
    """Each with its NUL; str is UTF-8."""
    return b"".join((p.encode("utf-8") if isinstance(p, str) else p) + b"\0" for p in parts)


def connect_info(host, family="4", address="", port=0):
    """`family`: 4, 6, L (a unix socket; `address` is its path) or U (unknown)."""
    if family == "U":
        return strings(host) + b"U"
    return strings(host) + family.encode("ascii") + struct.pack("!H", port) + strings(address)


def parse_negotiated(payload):
    """`macros`: {stage: names} that the filter asked for."""
    version, actions, steps = struct.unpack("!3I", payload[:12])
    rest, macros = payload[12:], {}
    while rest:
        names, _, after = rest[4:].partition(b"\0")
        macros[STAGES[struct.unpack("!I", rest[:4])[0]]] = names.decode("ascii")
        rest = after
    return Negotiated(version, actions, steps, macros)


class Closed(Exception):
    """The other side closed the connection."""


def receive(sock):
    """The next packet: (letter, payload). Raises Closed."""
    size, = struct.unpack("!I", _exactly(sock, 4))
    if not 0 < size <= PACKET_MAX:
        raise AssertionError(f"a packet of {size} octets")
    data = _exactly(sock, size)
    return data[:1].decode("latin-1"), data[1:]


def _exactly(sock, size):
    data = b""
    while len(data) < size:
        try:
            piece = sock.recv(size - len(data))
        except ConnectionError:
            piece = b""
        if not piece:
            raise Closed(f"after {len(data)} of {size} octets")
        data += piece
    return data


class Connection:
    """One connection of an MTA to the filter at `address`: (host, port), or a unix socket's path.
    What the filter asked away is not sent, and its Reply is "unasked"; where it announced not to
    reply it is "none"."""

    def __init__(self, address=("127.0.0.1", PORT), timeout=120):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        if family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.steps = 0
        self.changes = []  # what the filter did to a message, as (letter, payload)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def receive(self):
        return receive(self.sock)

    def is_closed(self):
        """Waits until the filter closes; false where it says something instead."""
        try:
            return not self.sock.recv(1)
        except ConnectionError:
            return True

    def negotiate(self, version=VERSION, actions=ACTIONS, steps=STEPS):
        self.send(packet("O", struct.pack("!3I", version, actions, steps)))
        letter, payload = self.receive()
        if letter != "O" or len(payload) < 12:
            raise AssertionError(f"no negotiation: {letter!r} {payload!r}")
        answer = parse_negotiated(payload)
        self.steps = answer.steps
        return answer

    def macros(self, command, **values):
        """Of the command with that letter. auth_authen=x is {auth_authen}; i=x is i."""
        parts = [p for name, value in values.items()
                 for p in (name if len(name) == 1 else f"{{{name}}}", value)]
        self.send(packet("D", command.encode("ascii") + strings(*parts)))

    def command(self, letter, payload=b""):
        unwanted, unanswered = ASK_AWAY.get(letter, (0, 0))
        if self.steps & unwanted:
            return Reply("unasked", "", 0)
        self.send(packet(letter, payload))
        return Reply("none", "", 0) if self.steps & unanswered else self.answer()

    def answer(self):
        """The Reply to the command before."""
        began = time.monotonic()
        while True:
            letter, payload = self.receive()
            if letter in FINAL:
                text = payload.rstrip(b"\0").decode("utf-8", "backslashreplace")
                return Reply(FINAL[letter], text, round((time.monotonic() - began) * 1000))
            if letter != PROGRESS:
                self.changes.append((letter, payload))

    def connect(self, host="localhost", family="4", address="127.0.0.1", port=40000):
        return self.command("C", connect_info(host, family, address, port))

    def helo(self, name="client.example"):
        return self.command("H", strings(name))

    def mail(self, sender="<me@example.com>", *arguments):
        return self.command("M", strings(sender, *arguments))

    def rcpt(self, recipient, *arguments):
        return self.command("R", strings(recipient, *arguments))

    def data(self):
        return self.command("T")

    def header(self, name, value):
        return self.command("L", strings(name, value))

    def end_of_headers(self):
        return self.command("N")

    def body(self, data):
        return self.command("B", data)

    def end_of_message(self):
        return self.command("E")

    def unknown(self, line):
        return self.command("U", strings(line))

    def message(self):
        """All from DATA on; the Reply to the end of it."""
        self.data()
        self.header("Subject", "test")
        self.end_of_headers()
        self.body(b"hello\r\n")
        return self.end_of_message()

    def abort(self):
        """Ends the message. There is no reply to this, nor to the next two."""
        self.send(packet("A"))

    def quit(self):
        self.send(packet("Q"))

    def quit_for_new_connection(self):
        self.send(packet("K"))


def session(address=("127.0.0.1", PORT), client="127.0.0.1", sender="<me@example.com>", **macros):
    """A Connection that is ready for its recipients; `macros` are those of MAIL."""
    made = Connection(address)
    made.negotiate()
    made.connect(address=client)
    made.helo()
    if macros:
        made.macros("M", **macros)
    made.mail(sender)
    return made
