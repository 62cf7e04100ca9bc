"""The DNS of a test: a real nsd that serves one root zone, and a relay before it that misbehaves."""
import glob
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

PEER = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                     "..", "..", ".peers", "nsd"))
PATIENCE = 60.0
DEFAULT_TTL = 300
ROOT = """$ORIGIN .
$TTL {ttl}
@ 60 IN SOA a.root-servers.test. hostmaster.root-servers.test. 1 3600 600 86400 60
@ IN NS a.root-servers.test.
a.root-servers.test. IN A 203.0.113.53
probe.example.net. IN A 203.0.113.250
"""
# Without a limit to the rate of answers: it would be 200 a second to one client, the others dropped.
NSD_CONF = """server:
    rrl-ratelimit: 0
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    pidfile: ""
    zonesdir: "{dir}"
    zonelistfile: "{dir}/nsd.zonelist"
    xfrdfile: "{dir}/nsd.xfrd"
    xfrdir: "{dir}"
    logfile: "{dir}/nsd.log"
{extra}remote-control:
    control-enable: no
zone:
    name: "."
    zonefile: "root.zone"
"""
FAULTS = ("dead", "hold", "drop", "truncate", "garbage", "refuse", "spoof", "servfail", "lie")
ROOT_SOA = b"\0" + struct.pack("!2HIH", 6, 1, 3600, 22) + b"\0\0" + struct.pack("!5I", 1, 1, 1, 1, 3600)


class Nsd:
    """records: zone file lines with absolute names. A line "NAME SERVFAIL" makes everything at and
    below NAME fail: a zone that is configured but can't be loaded."""

    def __init__(self, workdir, records, port=53):
        self.port = port
        self.dir = os.path.join(workdir, f"nsd-{port}")
        self.proc = None
        os.makedirs(self.dir, exist_ok=True)
        broken = [r.split()[0] for r in records if r.split()[1:] == ["SERVFAIL"]]
        with open(os.path.join(self.dir, "root.zone"), "w", encoding="ascii") as f:
            f.write(ROOT.format(ttl=DEFAULT_TTL))
            f.writelines(r + "\n" for r in records if r.split()[1:] != ["SERVFAIL"])
        extra = '    database: ""\n' if _nsd_version() < (4, 8) else ""
        with open(os.path.join(self.dir, "nsd.conf"), "w", encoding="ascii") as f:
            f.write(NSD_CONF.format(port=port, dir=self.dir, extra=extra))
            for zone in broken:
                f.write(f'zone:\n    name: "{zone}"\n    zonefile: "missing.zone"\n')

    def start(self):
        self.proc = subprocess.Popen(
            [_program(), "-d", "-c", os.path.join(self.dir, "nsd.conf")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=_environment())
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.proc.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nsd does not answer: {self.log()}")

    def stop(self):
        if self.proc is not None:
            self.proc.terminate()
            self.proc.wait(PATIENCE)
            self.proc = None

    def log(self):
        try:
            with open(os.path.join(self.dir, "nsd.log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return "(no log)"

    def _answers(self):
        query = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\0" + struct.pack("!2H", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            s.connect(("127.0.0.1", self.port))
            try:
                s.send(query)
                answer = s.recv(4096)
            except ConnectionRefusedError:
                select.select([], [], [], 0.02)
                return False
            except OSError:
                return False
        return len(answer) > 12 and answer[3] & 15 == 0 and answer[7] > 0


class FaultyDns:
    """Passes queries on to the server at `upstream`, except for one fault of FAULTS:
    dead (never answers), drop N (ignores the first N times a question is asked), truncate (UDP
    answers are cut, TCP is whole), garbage, refuse, spoof (a wrong answer with a wrong id first),
    servfail, lie (no name exists, not even the root, and that for an hour), hold (what is asked is
    answered when it has become something else, and by that). None: no fault."""

    def __init__(self, fault=None, count=0, port=5300, upstream=53):
        self._wake, self._woken = socket.socketpair()
        self.become(fault, count)
        self.port, self.upstream = port, upstream
        self.asked = {}
        self.over_tcp = 0
        self._held = []
        self._stop = threading.Event()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", port))
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind(("127.0.0.1", port))
        self._tcp.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def become(self, fault=None, count=0):
        """Also while it runs: from the next query on."""
        if fault is not None and fault not in FAULTS:
            raise ValueError(f"unknown DNS fault {fault}")
        self.count, self.fault = count, fault
        self._wake.send(b"x")

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._wake.send(b"x")
        self._thread.join(PATIENCE)
        for s in (self._udp, self._tcp, self._wake, self._woken):
            s.close()

    def _run(self):
        while not self._stop.is_set():
            ready, _, _ = select.select([self._udp, self._tcp, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(1)
                held, self._held = self._held, []
                for query, peer in held:
                    self._answer(query, peer)
            if self._udp in ready:
                query, peer = self._udp.recvfrom(65535)
                question = _question(query)
                self.asked[question] = self.asked.get(question, 0) + 1
                self._answer(query, peer)
            if self._tcp in ready:
                self._serve_tcp(self._tcp.accept()[0])

    def _serve_tcp(self, conn):
        with conn:
            conn.settimeout(PATIENCE)
            try:
                size = _read_exactly(conn, 2)
                query = _read_exactly(conn, struct.unpack("!H", size)[0])
            except OSError:
                return
            self.over_tcp += 1
            if self.fault in (None, "truncate"):
                answer = self._ask(query)
                conn.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, query, peer):
        if self.fault == "hold":
            self._held.append((query, peer))
            return
        for answer in self._answers(query):
            self._udp.sendto(answer, peer)

    def _answers(self, query):
        question = _question(query)
        if self.fault == "dead" or (self.fault == "drop" and self.asked[question] <= self.count):
            return []
        if self.fault == "garbage":
            return [query[:2] + b"\x84\x00\x00\x01\xff\xff\x00\x00\x00\x00" + b"\xc0" * 40]
        if self.fault == "refuse":
            return [query[:2] + b"\x80\x05\0\1" + b"\0" * 6 + question]
        if self.fault == "servfail":
            return [query[:2] + b"\x81\x82\0\1" + b"\0" * 6 + question]
        if self.fault == "lie":
            return [query[:2] + b"\x81\x83\0\1\0\0\0\1\0\0" + question + ROOT_SOA]
        answer = self._ask(query)
        if self.fault == "truncate":
            return [answer[:2] + bytes([answer[2] | 2]) + answer[3:6] + b"\0" * 6 + question]
        if self.fault == "spoof":
            wrong = bytes([query[0] ^ 0xFF, query[1] ^ 0xFF])
            return [wrong + b"\x84\x03" + query[4:6] + b"\0" * 6 + question, answer]
        return [answer]

    def _ask(self, query):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(PATIENCE)
            s.connect(("127.0.0.1", self.upstream))
            s.send(query)
            return s.recv(65535)


def _question(query):
    end = 12
    while query[end] != 0:
        end += 1 + query[end]
    return query[12:end + 5]


def _read_exactly(conn, size):
    data = b""
    while len(data) < size:
        piece = conn.recv(size - len(data))
        if not piece:
            raise OSError("closed")
        data += piece
    return data


def _program():
    """The nsd that contrib/peers unpacked, or one that is installed."""
    unpacked = os.path.join(PEER, "usr/sbin/nsd")
    return unpacked if os.path.exists(unpacked) else "nsd"


def _environment():
    found = glob.glob(os.path.join(PEER, "usr/lib/*-linux-*"))
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(found)} if found else None


def _nsd_version():
    out = subprocess.run([_program(), "-v"], capture_output=True, text=True, check=False,
                         env=_environment())
    m = re.search(r"version (\d+)\.(\d+)", out.stderr + out.stdout)
    return (int(m.group(1)), int(m.group(2))) if m else (0, 0)
