#!/usr/bin/python3
"""calloutd at work: demo.py BUILDDIR. A private network with DNS, mail servers and a Postfix that
asks calloutd; one SMTP session; a table of what became of its recipients, and why."""
import os
import re
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True

from harness import daemon, dns, mailworld, namespace, peers, report, scripted  # noqa: E402

DIALOGUE = """
S: 220 {mx} ESMTP
C: EHLO probe.example.net
S: 250-{mx}
S: 250 PIPELINING
C: MAIL FROM:<>
C~ RCPT TO:<.*>
S: 250 2.1.0 Ok
S: {reply}
C: QUIT
S: 221 2.0.0 Bye
"""
SCRIPTED = {
    "full.example": ("192.0.2.21", "552 5.2.2 Mailbox full"),
    "grey.example": ("192.0.2.22", "451 4.7.1 Greylisted, come back in five minutes"),
    "closed.example": ("192.0.2.23", "550 5.2.1 The account has been closed"),
}
REFUSING = """
S: 554 5.7.1 Your address is on our blocklist
C: QUIT
S: 221 2.0.0 Bye
"""
ZONE = [
    "nullmx.example. MX 0 .", "broken.example. SERVFAIL",
    "dead.example. MX 10 mx.dead.example.", "mx.dead.example. A 192.0.2.24",
    "mute.example. MX 10 mx.mute.example.", "mx.mute.example. A 192.0.2.25",
    "blocking.example. MX 10 mx.blocking.example.", "mx.blocking.example. A 192.0.2.26",
]
RECIPIENTS = (
    "alice@postfix.example", "nobody@postfix.example", "bob@full.example", "bob@closed.example",
    "bob@grey.example", "bob@blocking.example", "bob@nowhere.example", "bob@nullmx.example",
    "bob@broken.example", "bob@dead.example", "bob@mute.example",
)


class Demo:
    def __init__(self, build, workdir):
        self.ends = []
        peers.prepare(workdir)
        zone = list(mailworld.records(*ZONE))
        scripts = [mailworld.mute("192.0.2.25"),
                   scripted.script("192.0.2.26", REFUSING, times=scripted.ANY)]
        for domain, (address, reply) in SCRIPTED.items():
            zone += [f"{domain}. MX 10 mx.{domain}.", f"mx.{domain}. A {address}"]
            scripts.append(scripted.script(
                address, DIALOGUE.format(mx=f"mx.{domain}", reply=reply), times=scripted.ANY))
        self.servers = scripted.Servers(scripts, None, ordered=False)
        state = os.path.join(workdir, "state")
        os.makedirs(state)
        shutil.chown(state, "calloutd")
        self.daemon = daemon.Daemon(build, workdir, {
            "user": '"calloutd"', 'action "outbound".deferred': "tempfail",
            "timeout.greeting": "2s"})
        self.mx = mailworld.postfix_mx(workdir)
        for part in (dns.Nsd(workdir, zone), self.servers, self.mx, mailworld.front(workdir),
                     self.daemon):
            part.start()
            self.ends.append(part.stop)
        self.tap = mailworld.tap(0)
        self.ends.append(self.tap.stop)

    def connections(self):
        return len(self.servers.conversations) + self.tap.connections()

    def end(self):
        problems = []
        while self.ends:
            problems += self.ends.pop()() or []
        return problems + self.tap.problems()


def reasons(log):
    """{recipient: {key: value}} from the daemon's own log, the last word on each."""
    out = {}
    for line in log.splitlines():
        if " callout class=" in line:
            fields = {k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}
            out[fields["rcpt"].strip("<>")] = fields
    return out


def evidence(fields):
    if "stage" in fields:
        said = fields.get("code") or fields.get("failure", "")
        return f"{fields['mx']} at {fields['stage']}: {said} {fields.get('dsn', '')}".rstrip()
    return fields.get("detail", "")


def table(answers, why):
    rows = [("RECIPIENT", "THE SMTP CLIENT HEARS", "STATUS", "REASON", "BECAUSE")]
    for recipient, answer in answers.items():
        fields = why.get(recipient, {})
        heard = {"2": "accepted", "4": "tempfailed", "5": "rejected"}[answer[0]]
        rows.append((recipient, f"{heard:<10} {' '.join(answer.split()[:2])}",
                     fields.get("status", ""), fields.get("reason", ""), evidence(fields)))
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip() for r in rows)


def show(demo):
    print('\nOne SMTP session with a Postfix that asks calloutd at RCPT TO; "deferred = tempfail" is set'
          " to show it:\n", flush=True)
    answers = mailworld.ask(RECIPIENTS)
    for recipient in RECIPIENTS:
        demo.daemon.wait_log(re.escape(f"rcpt=<{recipient}>"))
    print(table(answers, reasons(demo.daemon.log())))
    demo.daemon.wait_idle(clients=mailworld.KEPT)
    asked = demo.connections()
    began = time.monotonic()
    again = mailworld.ask(RECIPIENTS)
    took = time.monotonic() - began
    demo.daemon.wait_idle(clients=mailworld.KEPT)
    print(f"\n{asked} connections were made to the recipients' mail servers. The same session once"
          f" more: {sum(again[r][:3] == answers[r][:3] for r in answers)} of {len(answers)} answers"
          f" the same, {demo.connections() - asked} new connections, {took * 1000:.0f} ms.")


def main():
    namespace.enter()
    workdir = report.work_directory()
    print("Starting DNS, mail servers and calloutd in a private network ...", flush=True)
    demo = Demo(os.path.abspath(sys.argv[1]), workdir)
    try:
        show(demo)
    finally:
        problems = demo.end()
    if problems:
        print("\n".join(problems), file=sys.stderr)
        print(f"logs: {workdir}", file=sys.stderr)
        return 1
    shutil.rmtree(workdir)
    print("No server saw DATA; every session ended in QUIT.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
