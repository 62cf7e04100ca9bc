"""Scripted SMTP servers: each connection follows one script, line by line, and reports what went
differently. A script is both what the server does and what it expects to hear.

    S: 250 2.1.0 OK         the server says this line
    C: MAIL FROM:<>         the client says exactly this line next
    S! ACTION …             the server does something else, see ACTIONS
    C~ RCPT TO:<.*>         the client's next line matches this pattern
    C! close REASON         the client goes without QUIT, which is right here because of REASON

After the last line the client has to close, unless the server did. Always wrong, whatever the
script says: DATA or BDAT, words before the client's turn, a bare LF, and a connection that the
server kept open and that did not end in QUIT.
"""
import codecs
import os
import re
import select
import socket
import ssl
import struct
import threading
import time

PATIENCE = 60.0  # seconds until a hung conversation counts as failed
LINE_MAX = 65536
ANY = -1


class Script:
    """What happens on the connections made to any of `addresses` ("unix:/PATH" is a socket in the
    file system): one connection per script, or `times` of them; 0: nobody may connect; ANY: it does not matter how many. `full`: the listen
    queue is full, SYNs are dropped. `cut`: the daemon is stopped in between, so that QUIT may come
    early ("quit"), or the connection may just end ("killed")."""

    def __init__(self, addresses, times=1, full=False, cut=""):
        self.addresses, self.times, self.full, self.cut = addresses, times, full, cut
        self.lines = []
        self.used = 0
        self.released = threading.Event()

    def add(self, who, text):
        if who == "S!" and text.split(None, 1)[0] not in ACTIONS:
            raise ValueError(f"unknown action: {text}")
        if who == "C!" and (not text.startswith("close ") or len(text) < 8):
            raise ValueError("C! wants: close REASON")
        self.lines.append((who, text))

    def __str__(self):
        return ",".join(self.addresses)


def script(addresses, text, **options):
    """A Script out of lines as in a scenario file."""
    made = Script(expand_addresses(addresses), **options)
    for line in text.strip().splitlines():
        line = line.strip()
        made.add(line[:2], line[3:])
    return made


class Problem(Exception):
    """The conversation went differently."""


class CutShort(Exception):
    """The conversation ended early, and it may."""


class Conversation:
    """One connection following one script."""

    def __init__(self, sock, script, certs):
        self.sock, self.script, self.certs = sock, script, certs
        self.address = address_of(sock)
        self.buf = b""
        self.transcript = []
        self.commands = []
        self.quit = self.ended = self.gone = False
        self.problem = None
        sock.settimeout(PATIENCE)
        send_at_once(sock)

    def run(self):
        try:
            for who, text in self.script.lines:
                self._step(who, text)
                if self.ended:
                    break
            else:
                self._expect_end()
        except CutShort:
            pass
        except Problem as e:
            self.problem = str(e)
        except OSError as e:
            self.problem = f"{type(e).__name__}: {e}"
        finally:
            self.sock.close()

    def _step(self, who, text):
        if who == "S:":
            self._in_turn()
            self.note("S", text)
            self.send(text.encode("utf-8") + b"\r\n")
        elif who in ("C:", "C~"):
            self._expect_line(text, who == "C~")
        elif who == "S!":
            name, _, rest = text.partition(" ")
            self.note("S!", text)
            ACTIONS[name](self, rest)
        else:
            self.quit = True  # not said, and rightly so

    def note(self, who, text):
        self.transcript.append(f"{who}: {text}")

    def send(self, data):
        """What nobody reads any more is not an error of the server's."""
        if self.gone:
            return
        try:
            self.sock.sendall(data)
        except OSError:
            self.gone = True

    def readable(self, seconds):
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0:
            return True
        return ready([self.sock], seconds=seconds) != []

    def receive(self):
        """More bytes into the buffer; False when the client has gone."""
        try:
            data = self.sock.recv(4096)
        except TimeoutError:
            raise Problem(f"nothing heard for {PATIENCE:.0f} s") from None
        except OSError:
            data = b""
        if not data:
            self.gone = True
        self.buf += data
        return bool(data)

    def _in_turn(self):
        if not self.buf and not self.gone and self.readable(0):
            self.receive()
        if self.buf and self.script.cut:
            self._line()
        if self.buf:
            raise Problem(f"the client spoke before its turn: {self.buf[:200]!r}")

    def _line(self):
        while b"\n" not in self.buf:
            if len(self.buf) > LINE_MAX:
                raise Problem("the client sent an overlong line")
            if not self.receive():
                if self.script.cut == "killed":
                    raise CutShort
                return None
        line, self.buf = self.buf.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise Problem(f"bare LF after {line!r}")
        text = line[:-1].decode("utf-8", "backslashreplace")
        self.note("C", text)
        self.commands.append(text)
        if text[:4].upper() in ("DATA", "BDAT"):
            raise Problem(f"the client said {text!r}")
        if self.script.cut and text == "QUIT":
            self.send(b"221 2.0.0 Bye\r\n")
            raise CutShort
        return text

    def _expect_line(self, want, pattern=False):
        got = self._line()
        if got is None:
            raise Problem(f"closed where {want!r} was expected")
        if not (re.fullmatch(want, got) if pattern else got == want):
            raise Problem(f"said {got!r} where {want!r} was expected")
        if got == "QUIT":
            self.quit = True

    def _expect_end(self):
        got = self._line()
        if got is not None or self.buf:
            raise Problem(f"said {got or self.buf!r} after the end of the script")
        self.note("C!", "close")
        if not self.quit:
            raise Problem("ended without QUIT")


def act_close(conv, _rest):
    conv.ended = True


def act_reset(conv, _rest):
    conv.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conv.ended = True


def act_raw(conv, rest):
    conv.send(unescape(rest))


def act_drip(conv, rest):
    """drip MS TEXT: one byte every MS milliseconds, until the client speaks or goes."""
    ms, _, text = rest.partition(" ")
    for byte in unescape(text):
        if conv.gone or conv.readable(int(ms) / 1000):
            return
        conv.send(bytes([byte]))


def act_endless(conv, rest):
    """endless TEXT: again and again, until the client speaks or goes."""
    _pour(conv, unescape(rest) * 64, None)


def act_fill(conv, rest):
    """fill COUNT CHAR: that many of it, fewer if the client speaks or goes."""
    count, _, char = rest.partition(" ")
    _pour(conv, unescape(char) * 65536, int(count))


def _pour(conv, block, count):
    deadline = time.monotonic() + PATIENCE
    conv.sock.setblocking(False)
    while not conv.gone and (count is None or count > 0):
        ready([conv.sock], [conv.sock], PATIENCE)
        if conv.readable(0) or time.monotonic() > deadline:
            break
        try:
            sent = conv.sock.send(block if count is None else block[:count])
        except BlockingIOError:
            continue
        except OSError:
            conv.gone = True
            break
        count = None if count is None else count - sent
    conv.sock.settimeout(PATIENCE)
    if time.monotonic() > deadline:
        raise Problem("the client took everything and never gave up")


def act_tls(conv, rest):
    """tls CERT [old] [fails]: the server's side of a handshake. old: TLS 1.1 at most.
    fails: the client has to break it off; the connection is over then."""
    label, *more = rest.split()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(conv.certs, label + ".pem"),
                            os.path.join(conv.certs, label + ".key"))
    if "old" in more:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    try:
        conv.sock = context.wrap_socket(conv.sock, server_side=True,
                                        suppress_ragged_eofs=True)
    except (ssl.SSLError, ConnectionError) as e:
        conv.note("*", f"handshake: {e}")
        if "fails" not in more:
            raise Problem(f"TLS handshake failed: {e}") from None
        conv.ended = True
        return
    if "fails" in more:
        raise Problem("the TLS handshake was to fail")
    conv.sock.settimeout(PATIENCE)
    conv.note("*", f"{conv.sock.version()}")


def act_garble(conv, _rest):
    """Answers the ClientHello with something that is not TLS. The connection is over then."""
    if not conv.receive():
        raise Problem("closed where a ClientHello was expected")
    if conv.buf[:1] != b"\x16":
        raise Problem(f"no ClientHello: {conv.buf[:40]!r}")
    conv.buf = b""
    conv.send(b"\x00garbage" * 50)
    while conv.receive():
        conv.buf = b""
    conv.ended = True


def act_mute(conv, _rest):
    """Reads the ClientHello and says nothing until the client goes. The connection is over then."""
    while conv.receive():
        conv.buf = b""
    conv.ended = True


def act_hold(conv, _rest):
    """Waits until the test releases the script."""
    if not conv.script.released.wait(PATIENCE):
        raise Problem("never released")


ACTIONS = {"hold": act_hold, "close": act_close, "reset": act_reset, "raw": act_raw, "drip": act_drip,
           "endless": act_endless, "fill": act_fill, "tls": act_tls, "garble": act_garble,
           "mute": act_mute}


class Servers:
    """All scripted hosts of a test, on port `port` of their addresses, and on unix sockets."""

    def __init__(self, scripts, certs, port=25, ordered=True):
        self.scripts, self.certs, self.port, self.ordered = scripts, certs, port, ordered
        self.conversations = []
        self.strangers = []
        self._listeners, self._fillers, self._threads = [], [], []
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept_all, daemon=True)

    def start(self):
        for address in dict.fromkeys(a for s in self.scripts for a in s.addresses):
            full = any(s.full for s in self.scripts if address in s.addresses)
            self._listen(address, full)
        self._acceptor.start()

    def _listen(self, address, full):
        family, where = place(address, self.port)
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(where)
        s.listen(0 if full else 1024)
        if not full:
            self._listeners.append(s)
            return
        self._fillers.append(s)
        for _ in range(3):
            filler = socket.socket(family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(where)
            self._fillers.append(filler)

    def _accept_all(self):
        """Until it is woken and nobody waits any more: who came before stop() counts."""
        while True:
            woken = ready([*self._listeners, self._woken])
            if woken == [self._woken]:
                return
            for listener in woken:
                if listener is not self._woken:
                    sock, _peer = listener.accept()
                    self._converse(sock, address_of(listener))

    def _converse(self, sock, address):
        with self._lock:
            script = next((s for s in self.scripts
                           if address in s.addresses and s.used != s.times), None)
            if script is None:
                self.strangers.append(address)
                sock.close()
                return
            script.used += 1
            conv = Conversation(sock, script, self.certs)
            self.conversations.append(conv)
        thread = threading.Thread(target=conv.run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self):
        """Waits for the conversations, and returns what went wrong in them."""
        for thread in self._threads:
            thread.join(PATIENCE)
        self._wake.send(b"x")
        self._acceptor.join(PATIENCE)
        for thread in self._threads:  # those that only then were accepted
            thread.join(PATIENCE)
        for s in (*self._listeners, *self._fillers, self._wake, self._woken):
            s.close()
        hung = ["a conversation hangs"] if any(t.is_alive() for t in self._threads) else []
        return hung + self._problems()

    def _problems(self):
        found = [f"{c.address}: {c.problem}" for c in self.conversations if c.problem]
        found += [f"{a}: one connection more than expected" for a in self.strangers]
        found += [f"{s}: {s.used} connections, expected {s.times}"
                  for s in self.scripts if not s.full and s.times not in (ANY, s.used)]
        order = [self.scripts.index(c.script) for c in self.conversations]
        if self.ordered and order != sorted(order):
            found.append("connections in another order than expected: "
                         + " ".join(c.address for c in self.conversations))
        return found

    def transcript(self):
        out = []
        for c in self.conversations:
            out.append(f"  connection to {c.address}")
            out += [f"    {line}" for line in c.transcript]
        return "\n".join(out)


def ready(readers, writers=(), seconds=None):
    """Those of `readers` that can be read, or ended; returns also when one of `writers` can be
    written. select(2) without its limit on descriptors."""
    poll = select.poll()
    events = {s.fileno(): select.POLLIN for s in readers}
    for s in writers:
        events[s.fileno()] = events.get(s.fileno(), 0) | select.POLLOUT
    for fd, mask in events.items():
        poll.register(fd, mask)
    got = {fd for fd, mask in poll.poll(None if seconds is None else seconds * 1000)
           if mask & ~select.POLLOUT}
    return [s for s in readers if s.fileno() in got]


def send_at_once(sock):
    """Else a second line waits until the other side has acknowledged the first: 40 ms."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def place(address, port):
    """The family, and what bind(2) is given."""
    if address.startswith("unix:"):
        return socket.AF_UNIX, address[5:]
    return socket.AF_INET6 if ":" in address else socket.AF_INET, (address, port)


def address_of(sock):
    """The other way round: as in Script.addresses."""
    name = sock.getsockname()
    return "unix:" + name if sock.family == socket.AF_UNIX else name[0]


def unescape(text):
    return codecs.decode(text.encode("latin-1", "backslashreplace"), "unicode_escape") \
        .encode("latin-1")


def expand_addresses(text):
    """"192.0.2.1,192.0.2.5-9" -> the addresses; a range in the last octet only."""
    out = []
    for item in text.split(","):
        if "-" in item and ":" not in item:
            first, last = item.split("-")
            prefix, start = first.rsplit(".", 1)
            out += [f"{prefix}.{n}" for n in range(int(start), int(last) + 1)]
        else:
            out.append(item)
    return out
