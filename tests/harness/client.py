"""Those who ask calloutd: policy clients, the control socket, calloutctl."""
import asyncio
import collections
import http.client
import json
import os
import socket
import struct
import subprocess
import time
import urllib.parse

ATTRIBUTES = {
    "request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
    "client_address": "127.0.0.1", "client_name": "localhost", "helo_name": "client.example",
    "sender": "me@example.com", "instance": "1.2.3", "queue_id": "", "sasl_username": "",
}


def policy_request(recipient, **attributes):
    lines = {**ATTRIBUTES, "recipient": recipient, **attributes}
    return "".join(f"{k}={v}\n" for k, v in lines.items()).encode("utf-8") + b"\n"


class PolicyClient:
    """One policy connection; any number of requests, one after the other."""

    def __init__(self, host="127.0.0.1", port=8893, timeout=60):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        self.file = self.sock.makefile("rb")

    def send(self, recipient, **attributes):
        self.sock.sendall(policy_request(recipient, **attributes))

    def receive(self):
        """The action, without "action="; "" when the daemon closed."""
        line = self.file.readline()
        if not line:
            return ""
        if not line.startswith(b"action=") or self.file.readline() != b"\n":
            raise AssertionError(f"not a policy answer: {line!r}")
        return line[7:].decode("ascii").rstrip("\n")

    def ask(self, recipient, **attributes):
        self.send(recipient, **attributes)
        return self.receive()

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.close()


def listening_process(path):
    """Who listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        return struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


class ControlConnection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def control_request(path, method, url, body=None):
    """(status code, parsed JSON or text) of one request."""
    conn = ControlConnection(path)
    try:
        conn.request(method, url, body=body, headers={"Connection": "close"})
        answer = conn.getresponse()
        text = answer.read().decode("utf-8")
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text
    finally:
        conn.close()


def control_get(path, url):
    return control_request(path, "GET", url)


# One of ask_all(): the HTTP status, the parsed JSON, and time.monotonic() of the question and answer.
Answer = collections.namedtuple("Answer", "address code verdict asked answered")


def ask_all(path, addresses, connections=1, **parameters):
    """Asks the control socket about all of them, on so many connections that are kept open, each of
    which asks on as soon as it has its answer. `parameters` are those of /v1/verify. In the order
    of `addresses`."""
    return asyncio.run(_ask_all(path, list(addresses), connections, parameters))


async def _ask_all(path, addresses, connections, parameters):
    answers, left = [None] * len(addresses), iter(enumerate(addresses))

    async def asker():
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            for number, address in left:
                query = urllib.parse.urlencode({"address": address, **parameters})
                asked = time.monotonic()
                writer.write(f"GET /v1/verify?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                code, body = await _response(reader)
                answers[number] = Answer(address, code, json.loads(body), asked, time.monotonic())
        finally:
            writer.close()

    await asyncio.gather(*(asker() for _ in range(min(connections, len(addresses)))))
    return answers


async def _response(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), await reader.readexactly(int(fields["content-length"]))


class CtlResult:
    """What calloutctl said; `verdicts` are its JSON lines."""

    def __init__(self, proc):
        self.code, self.out, self.err = proc.returncode, proc.stdout, proc.stderr
        self.verdicts = []
        for line in self.out.splitlines():
            try:
                self.verdicts.append(json.loads(line))
            except ValueError:
                pass

    def __str__(self):
        return f"exit {self.code}\n{self.out}{self.err}"


def calloutctl(build, conf, *argv, stdin="", prefix=(), tmpdir=None):
    env = {**os.environ, "TMPDIR": tmpdir} if tmpdir else None
    proc = subprocess.run([*prefix, os.path.join(build, "calloutctl"), "-c", conf, *argv], env=env,
                          input=stdin, text=True, capture_output=True, timeout=180, check=False)
    return CtlResult(proc)
