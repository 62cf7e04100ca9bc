"""A relay in front of a real MTA that counts its connections and reads what the client says."""
import socket
import threading
import time

from . import scripted


class Tap:
    """Listens on address:25, passes on to 127.0.0.1:upstream."""

    def __init__(self, address, upstream, port=25):
        self.address, self.upstream, self.port = address, upstream, port
        self.sessions = []  # one list of lines a connection; "(TLS)" where it became opaque
        self.began = []     # time.monotonic() of each
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(1024)
        self._threads = []
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def connections(self):
        return len(self.sessions)

    def asked(self):
        """The recipients of all RCPTs, in no order that means anything."""
        return [line[9:-1] for lines in self.sessions for line in lines
                if line.upper().startswith("RCPT TO:<")]

    def stop(self):
        self._wake.send(b"x")
        self._acceptor.join(scripted.PATIENCE)
        for t in self._threads:
            t.join(scripted.PATIENCE)
        for s in (self._listener, self._wake, self._woken):
            s.close()

    def problems(self):
        """Sessions with DATA, and sessions that did not end in QUIT."""
        found = []
        for lines in self.sessions:
            verbs = [line[:4].upper() for line in lines]
            if "DATA" in verbs or "BDAT" in verbs:
                found.append(f"{self.address} saw DATA: {lines}")
            if "(TLS" not in verbs and verbs[-1:] != ["QUIT"]:
                found.append(f"{self.address}: session without QUIT: {lines}")
        return found

    def _accept(self):
        while True:
            woken = scripted.ready([self._listener, self._woken])
            if self._listener not in woken:
                return
            sock, _peer = self._listener.accept()
            lines = []
            self.began.append(time.monotonic())
            self.sessions.append(lines)
            thread = threading.Thread(target=self._pass, args=(sock, lines), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pass(self, client, lines):
        with client, socket.create_connection(("127.0.0.1", self.upstream)) as server:
            for s in (client, server):
                scripted.send_at_once(s)
            pending = b""
            while True:
                woken = scripted.ready([client, server], seconds=60)
                if not woken:
                    lines.append("(hung)")
                    return
                for here, there in ((client, server), (server, client)):
                    if here not in woken:
                        continue
                    try:
                        data = here.recv(65536)
                        if here is client:  # first, or its answer might be there before it is noted
                            pending = _note(lines, pending + data)
                        there.sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        return


def _note(lines, data):
    if lines[-1:] == ["(TLS)"]:
        return b""
    *whole, rest = data.split(b"\n")
    for line in whole:
        lines.append(line.rstrip(b"\r").decode("utf-8", "backslashreplace"))
        if lines[-1].upper() == "STARTTLS":
            lines.append("(TLS)")
            return b""
    return rest
