"""Mail servers that follow rules instead of a script: any number of connections and recipients,
each command answered by what the rules say, and all of it recorded with its time, so that a test can
tell how much was asked, how fast, how often and from where.

A rule is an object with methods named after what it answers to: greeting(conn, ""), ehlo(conn, name),
mail(conn, sender), rcpt(conn, recipient), rset(conn, ""), quit(conn, ""). The first rule that does not
answer None decides; where none does the server says yes. `words` of a rule, if it has them, are
announced after EHLO. They are called in the server's own thread, one at a time. An answer is

    "250 2.1.5 Ok"             a reply, lines separated by "\\n"; after 421 and 221 the server closes
    Reply("250 Ok", after=1)   the same a second later; what comes behind it waits
    SILENCE                    nothing, ever
    HANG_UP, RESET             the connection ends without a word

Always wrong, whatever the rules say: DATA or BDAT, words before the client's turn, a bare LF, commands
out of order, and leaving without QUIT a connection that the server kept open and was not silent on.
"""
import asyncio
import collections
import socket
import struct
import threading
import time

PATIENCE = 60.0
OK = "250 2.0.0 Ok"
CLOSING = ("421", "221")
Reply = collections.namedtuple("Reply", "text after then", defaults=(0, None))
SILENCE = Reply("", None)
HANG_UP = Reply("", 0, "close")
RESET = Reply("", 0, "reset")

# One RCPT. `at` and all other times are time.monotonic()'s.
Recipient = collections.namedtuple("Recipient", "address at reply sender helo source connection")


class Connection(asyncio.Protocol):
    """What came of one connection; `how`: "quit", "left" by the client, or "server"."""

    def __init__(self, server):
        self.server = server
        self.recipients, self.commands = [], []
        self.helo = self.sender = self.closed = self.ended = self.how = None
        self.transactions = 0
        self.number = self.source = self.address = self.began = None
        self._transport = None
        self._buf, self._lines = b"", collections.deque()
        self._busy = True      # the client has no turn
        self._silent = False   # it may go without QUIT
        self._greeted = self._over = False

    def connection_made(self, transport):
        self._transport = transport
        self.began = time.monotonic()
        if transport.get_extra_info("socket").family == socket.AF_UNIX:
            self.source, self.address = "", "unix:" + transport.get_extra_info("sockname")
        else:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.source = transport.get_extra_info("peername")[0]
            self.address = transport.get_extra_info("sockname")[0]
        self.number = len(self.server.connections)
        self.server.connections.append(self)
        self._say(self.server.ask("greeting", self, "") or f"220 {self.server.name} ESMTP")
        self.server.tell()

    def data_received(self, data):
        if self._over:
            return
        if not self._greeted or (self._busy and not self.server.pipelining):
            self.wrong(f"spoke before its turn: {data[:100]!r}")
        *lines, self._buf = (self._buf + data).split(b"\n")
        self._lines.extend(lines)
        self._work()
        self.server.tell()

    def connection_lost(self, exc):
        self.ended = time.monotonic()
        if self.how is None:
            self.how = "left"
            if not (self._silent or self.server.forgiving or (self.server.raced and not self.commands)):
                self.wrong("left without QUIT" + (f": {exc}" if exc else ""))
        self.server.tell()

    def wrong(self, text):
        self.server.problems.append(f"{self.address}, connection {self.number}: {text}")

    @property
    def ahead(self):
        """Commands that came together with the one that is being answered."""
        return len(self._lines)

    def speak(self, reply):
        """What it was not told at once, but left in SILENCE for."""
        self._now(Reply(reply))
        if not self._over:
            self._work()

    def hang_up(self, reply):
        """Unasked."""
        if self.how is None:
            self._say(reply)

    def _work(self):
        while self._lines and not self._busy and not self._over:
            line = self._lines.popleft()
            if not line.endswith(b"\r"):
                self.wrong(f"bare LF after {line!r}")
            text = line.rstrip(b"\r").decode("utf-8", "backslashreplace")
            self.commands.append(text)
            verb = text[:4].upper()
            if self._lines and (verb in ("EHLO", "HELO", "QUIT") or not self.server.pipelining):
                self.wrong(f"did not wait for the reply to {text!r}")
            self._say(getattr(self, "_on_" + verb.lower(), self._unknown)(text))

    def _say(self, reply):
        if isinstance(reply, str):
            reply = Reply(reply)
        self._busy = True
        self._silent = reply.after != 0
        if reply.after:
            asyncio.get_running_loop().call_later(reply.after, self._now, reply)
        elif reply.after == 0:
            self._now(reply)

    def _now(self, reply):
        if self._over:
            return
        self._silent = self._busy = False
        self._greeted = True
        then = reply.then or ("close" if reply.text.startswith(CLOSING) else None)
        if then is not None:
            self.closed = time.monotonic()
        if reply.text:
            self._transport.write(wire(reply.text))
        if then is not None:
            self._end(then)
        elif reply.after:
            self._work()  # which is what is going on already where there was no delay
            self.server.tell()

    def _end(self, then):
        self._over = True
        self.how = self.how or "server"
        if then == "reset":
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()

    def _unknown(self, text):
        self.wrong(f"said {text!r}")
        return "500 5.5.1 What?"

    def _on_ehlo(self, text):
        self.helo, self.sender = text[5:], None
        said = self.server.ask("ehlo", self, self.helo)
        return said or "\n".join(["250 " + self.server.name,
                                  *("250 " + w for w in self.server.announced())])

    _on_lhlo = _on_ehlo

    def _on_helo(self, text):
        self.helo, self.sender = text[5:], None
        return self.server.ask("ehlo", self, self.helo) or "250 " + self.server.name

    def _on_mail(self, text):
        if self.helo is None or self.sender is not None:
            self.wrong(f"out of order: {text!r}")
            return "503 5.5.1 Not now"
        sender = path(text)
        said = self.server.ask("mail", self, sender) or "250 2.1.0 Ok"
        if accepts(said):
            self.sender = sender
            self.transactions += 1
        return said

    def _on_rcpt(self, text):
        if self.sender is None:  # right behind a MAIL that was refused: pipelined
            return "503 5.5.1 Need MAIL"
        who = path(text)
        said = self.server.ask("rcpt", self, who) or "250 2.1.5 Ok"
        r = Recipient(who, time.monotonic(), said if isinstance(said, str) else said.text, self.sender,
                      self.helo, self.source, self.number)
        self.recipients.append(r)
        self.server.recipients.append(r)
        self.server.asked_from[self.source] += 1
        return said

    def _on_rset(self, _text):
        said = self.server.ask("rset", self, "") or OK
        if accepts(said):
            self.sender = None
        return said

    def _on_quit(self, _text):
        self.how = "quit"
        return self.server.ask("quit", self, "") or "221 2.0.0 Bye"


class Server:
    """One mail server on all of `addresses`, IP addresses or "unix:/PATH". `raced`: connections on
    which the client said nothing are right, for they may have lost a race."""

    def __init__(self, addresses, *rules, words=("PIPELINING",), port=25, name="mx1.example.org",
                 raced=False):
        self.addresses, self.words, self.port, self.name = list(addresses), words, port, name
        self.rules = list(rules)  # may be replaced at any time
        self.raced = raced
        self.forgiving = False  # set where the client is killed
        self.connections, self.recipients, self.problems = [], [], []
        self.asked_from = collections.Counter()  # recipients, by source
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listening = []

    # What the connections use, in the server's thread.

    def ask(self, what, conn, argument):
        for rule in self.rules:
            answer = getattr(rule, what, None)
            said = answer(conn, argument) if answer else None
            if said is not None:
                return said
        return None

    def announced(self):
        return [*self.words, *(w for rule in self.rules for w in getattr(rule, "words", ()))]

    @property
    def pipelining(self):
        return "PIPELINING" in self.announced()

    def tell(self):
        with self._changed:
            self._changed.notify_all()

    # What tests use.

    def start(self):
        self._thread.start()
        self.listen()

    def listen(self):
        """Again, after refuse()."""
        self._call(self._listen())

    def refuse(self):
        """Nobody can connect from now on. Connections go on."""
        self._call(self._refuse())

    def hang_up(self, reply=HANG_UP):
        """On all connections there are, as from a server that restarts."""
        self._call(self._hang_up(reply))

    def wait(self, what, condition):
        """Until condition() is true, looked at whenever something happens here; nothing does
        meanwhile."""
        with self._changed:
            if not self._changed.wait_for(condition, PATIENCE):
                raise AssertionError(f"in vain: {what}")

    def stop(self):
        """Waits for the connections to end, and returns what was wrong."""
        try:
            self.wait("connections end", lambda: not self.open())
        except AssertionError:
            self.problems += [f"{c.address}, connection {c.number} hangs" for c in self.open()]
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        return self.problems

    def open(self):
        return [c for c in list(self.connections) if c.ended is None]

    def most_connections(self, **attributes):
        """At one time; of those with such a source, address, …"""
        return most_at_one_time(self._those(self.connections, attributes))

    def most_recipients(self, seconds, **attributes):
        """In any time as long as that."""
        times = sorted(r.at for r in self._those(self.recipients, attributes))
        most = first = 0
        for i, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, i - first + 1)
        return most

    def tries(self, recipient):
        return [r for r in list(self.recipients) if r.address == recipient]

    def transcript(self):
        return "\n".join(f"  {c.address} from {c.source}: {c.how}\n    " + "\n    ".join(c.commands)
                         for c in list(self.connections))

    @staticmethod
    def _those(things, attributes):
        return [t for t in list(things) if all(getattr(t, k) == v for k, v in attributes.items())]

    def _call(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    async def _listen(self):
        for address in self.addresses:
            if address.startswith("unix:"):
                made = self._loop.create_unix_server(lambda: Connection(self), address[5:], backlog=1024)
            else:
                made = self._loop.create_server(lambda: Connection(self), address, self.port,
                                                backlog=1024, reuse_address=True)
            self._listening.append(await made)

    async def _refuse(self):
        for server in self._listening:
            server.close()
        self._listening = []

    async def _hang_up(self, reply):
        for conn in self.open():
            conn.hang_up(reply)


def most_at_one_time(connections):
    """Over when the server closes, which another server may hear of before this one has."""
    events = []
    for c in connections:
        events += [(c.began, 1), (c.closed or c.ended or float("inf"), -1)]
    most = now = 0
    for _at, step in sorted(events):
        now += step
        most = max(most, now)
    return most


# Rules.


class On:
    """On(rcpt="550 5.1.1 No", mail=lambda conn, sender: …): always that."""

    def __init__(self, **answers):
        for what, answer in answers.items():
            setattr(self, what, answer if callable(answer) else lambda _c, _a, said=answer: said)


class Counted:
    """Recipients by their number, from 1: after(30) are those behind the thirtieth. `of`: counted
    for the whole "server", each "connection" or each "source", whatever they are answered."""

    def __init__(self, when, reply, of="server"):
        self.when, self.reply, self.of = when, reply, of

    def rcpt(self, conn, _recipient):
        before = {"server": len(conn.server.recipients), "connection": len(conn.recipients),
                  "source": conn.server.asked_from[conn.source]}[self.of]
        return self.reply if self.when(before + 1) else None


def at(*numbers):
    return lambda n: n in numbers


def after(number):
    return lambda n: n > number


def every(number):
    return lambda n: n % number == 0


class Greylister:
    """451 until `seconds` after the first try of what it knows a client by."""

    def __init__(self, seconds, reply="451 4.7.1 Greylisted, try again later",
                 known_by=lambda conn, recipient: (conn.source, conn.sender, recipient)):
        self.seconds, self.reply, self.known_by = seconds, reply, known_by
        self.first = {}

    def rcpt(self, conn, recipient):
        now = time.monotonic()
        since = self.first.setdefault(self.known_by(conn, recipient), now)
        return self.reply if now < since + self.seconds else None


class Crowded:
    """No more connections at a time than that."""

    def __init__(self, connections, reply="421 4.7.0 Too many connections"):
        self.connections, self.reply = connections, reply

    def greeting(self, conn, _name):
        return self.reply if len(conn.server.open()) > self.connections else None


class Limits:
    """Announces limits (RFC 9422); it is wrong not to keep to them."""

    def __init__(self, mails=None, recipients=None, domains=None):
        self.mails, self.recipients, self.domains = mails, recipients, domains
        given = (("MAILMAX", mails), ("RCPTMAX", recipients), ("RCPTDOMAINMAX", domains))
        self.words = ["LIMITS " + " ".join(f"{k}={v}" for k, v in given if v is not None)]
        self.in_transaction = {}

    def mail(self, conn, _sender):
        self.in_transaction[conn.number] = 0
        if self.mails is not None and conn.transactions == self.mails:
            conn.wrong("over MAILMAX")
            return "421 4.5.3 Too many transactions"
        return None

    def rcpt(self, conn, recipient):
        self.in_transaction[conn.number] += 1
        domains = {domain(r.address) for r in conn.recipients} | {domain(recipient)}
        if self.recipients is not None and self.in_transaction[conn.number] > self.recipients:
            conn.wrong("over RCPTMAX")
            return "452 4.5.3 Too many recipients"
        if self.domains is not None and len(domains) > self.domains:
            conn.wrong("over RCPTDOMAINMAX")
            return "452 4.5.3 Too many domains"
        return None


def domain(address):
    return address.rpartition("@")[2].lower()


def path(command):
    """What stands in the angle brackets of MAIL or RCPT."""
    return command[command.index("<") + 1:command.rindex(">")] if "<" in command else command


def accepts(reply):
    return (reply if isinstance(reply, str) else reply.text).startswith("2")


def wire(text):
    """Lines, each with its code; all but the last with a hyphen behind it."""
    lines = text.split("\n")
    return "".join(f"{line[:3]}{'-' if i < len(lines) - 1 else ' '}{line[4:]}\r\n"
                   for i, line in enumerate(lines)).encode("utf-8")
