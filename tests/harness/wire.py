"""What calloutd tries to connect to, also where nothing answers: the SYNs, each once however often it
is sent again."""
import collections
import ipaddress
import select
import socket
import struct
import threading
import time

ETH_P_ALL, SYN, ACK = 3, 0x02, 0x10
PATIENCE = 60.0

STAMP = struct.Struct("@qq")  # struct timespec of a 64-bit system
SO_TIMESTAMPNS = 35           # not in Python's socket module

# `at`: as time.monotonic(), as in harness/hostile.py; when it was sent, not when it was read.
Attempt = collections.namedtuple("Attempt", "at source destination")


def wall_ahead():
    """Of time.monotonic(); not taken where something came between the two clocks."""
    while True:
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        if after - before < 0.001:
            return wall - before


class Wire:
    """Listens from the time it is made on. Needs what makes a network namespace."""

    def __init__(self, port=25):
        self.port = port
        self._attempts = []
        self._seen = set()
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._end.send(b"x")
        self._thread.join(PATIENCE)
        for s in (self._socket, self._end, self._ended):
            s.close()
        return []

    @property
    def attempts(self):
        """All that were made until now."""
        with self._lock:
            self._read_all()
            return list(self._attempts)

    def order(self):
        """Of the destinations."""
        return [a.destination for a in self.attempts]

    def to(self, *destinations):
        return [a for a in self.attempts if a.destination in destinations]

    def _run(self):
        while True:
            ready, _, _ = select.select([self._socket, self._ended], [], [])
            if self._ended in ready:
                return
            with self._lock:
                self._read_all()

    def _read_all(self):
        while True:
            try:
                packet, stamps, _, _ = self._socket.recvmsg(256, socket.CMSG_SPACE(STAMP.size),
                                                            socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:  # lo was taken down
                continue
            seconds, ns = STAMP.unpack(stamps[0][2])
            self._read(packet, seconds + ns / 1e9 - wall_ahead())

    def _read(self, packet, now):
        version = packet[0] >> 4
        if version == 4 and packet[9] == socket.IPPROTO_TCP:
            source, destination, tcp = packet[12:16], packet[16:20], packet[(packet[0] & 15) * 4:]
        elif version == 6 and packet[6] == socket.IPPROTO_TCP:
            source, destination, tcp = packet[8:24], packet[24:40], packet[40:]
        else:
            return
        from_port, to_port = struct.unpack("!2H", tcp[:4])
        key = (source, from_port, destination)
        if tcp[13] & (SYN | ACK) == SYN and to_port == self.port and key not in self._seen:
            self._seen.add(key)
            self._attempts.append(Attempt(now, str(ipaddress.ip_address(source)),
                                         str(ipaddress.ip_address(destination))))
