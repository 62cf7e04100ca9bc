"""Scenario files: a question, the servers it meets, and what must come of it. See ../README.md."""
import os
import re

from . import client, daemon, dns, scripted

DEFAULT_DNS = ("example.org. MX 10 mx1.example.org.", "mx1.example.org. A 192.0.2.1")
STRANGER = {"client_address": "198.51.100.9"}
WORKDIR = "{workdir}"
REPLY_KEYS = ("stage", "code", "enhanced")


class Step:
    """One question: to calloutctl (`ask`, then `want`), or to the policy service (`policy`, and
    `inbound` for a stranger's mail)."""

    def __init__(self, kind, address, options, line):
        self.kind, self.address, self.options, self.line = kind, address, options, line
        self.want = None


class Scenario:
    def __init__(self, path):
        self.path = path
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.steps, self.scripts, self.dns, self.allowed = [], [], [], []
        self.settings, self.unreachable = {}, []
        self.fault = None
        self.ordered = True
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                try:
                    self._line(line.rstrip("\n"), number)
                except (ValueError, IndexError) as e:
                    raise ValueError(f"{path}:{number}: {e}") from None
        if not self.steps or any(s.want is None for s in self.steps):
            raise ValueError(f"{path}: every ask needs its want")

    def _line(self, line, number):
        if line[:2] in ("S:", "C:", "S!", "C!", "C~"):
            self.scripts[-1].add(line[:2], line[3:])
            return
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            return
        getattr(self, "_on_" + word.replace("-", "_"), self._unknown)(rest.strip(), number)

    def _unknown(self, _rest, _number):
        raise ValueError("unknown directive")

    def _on_ask(self, rest, number):
        address, _, options = rest.partition(" --")
        argv = ("--" + options).split() if options else []
        self.steps.append(Step("ask", address, argv, number))

    def _on_want(self, rest, _number):
        verdict, *pairs = re.findall(r'(?:[^\s"]|"[^"]*")+', rest)
        want = dict(p.split("=", 1) for p in pairs)
        want["status"], want["reason"] = verdict.split("/")
        self.steps[-1].want = {k: v.strip('"') for k, v in want.items()}

    def _on_policy(self, rest, number, kind="policy"):
        address, _, action = rest.rpartition(" = ")
        if not address:
            raise ValueError(f"{kind} ADDRESS = ACTION")
        step = Step(kind, address, [], number)
        step.want = action
        self.steps.append(step)

    def _on_inbound(self, rest, number):
        self._on_policy(rest, number, "inbound")

    def _on_config(self, rest, _number):
        key, _, value = rest.partition(" = ")
        self.settings[key.strip()] = value.strip()

    def _on_dns(self, rest, _number):
        self.dns.append(rest)

    def _on_dns_fault(self, rest, _number):
        name, _, count = rest.partition(" ")
        self.fault = (name, int(count or 0))

    def _on_log(self, rest, _number):
        re.compile(rest)
        self.allowed.append(rest)

    def _on_unordered(self, _rest, _number):
        self.ordered = False

    def _on_unreachable(self, rest, _number):
        self.unreachable.append(rest.split())

    def _on_host(self, rest, _number):
        addresses, *more = rest.split()
        times = int(more[1]) if more[:1] == ["times"] else 0 if more[:1] == ["never"] else 1
        self.scripts.append(scripted.Script(scripted.expand_addresses(addresses), times,
                                            full="full" in more))


class Run:
    """One scenario against one build, in the namespace of this process."""

    def __init__(self, scenario, build, workdir, certs):
        self.scenario, self.build, self.workdir = scenario, build, workdir
        settings = {k: v.replace(WORKDIR, workdir) for k, v in scenario.settings.items()}
        for script in scenario.scripts:
            script.addresses = [a.replace(WORKDIR, workdir) for a in script.addresses]
        self.nsd = dns.Nsd(workdir, scenario.dns or DEFAULT_DNS)
        self.relay = None
        if scenario.fault:
            self.relay = dns.FaultyDns(*scenario.fault)
            settings.setdefault("dns_servers", '{"127.0.0.1:5300"}')
        self.servers = scripted.Servers(scenario.scripts, certs, ordered=scenario.ordered)
        self.daemon = daemon.Daemon(build, workdir, settings, scenario.allowed,
                                    {"SSL_CERT_FILE": os.path.join(certs, "ca.pem")})

    def run(self):
        """The list of problems."""
        problems = []
        self.nsd.start()
        if self.relay:
            self.relay.start()
        self.servers.start()
        try:
            self.daemon.start()
            for step in self.scenario.steps:
                problems += self._step(step)
                self.daemon.wait_idle()
        except (AssertionError, OSError) as e:
            problems.append(f"{type(e).__name__}: {e}")
        problems += self.daemon.stop()
        problems += self.servers.stop()
        if self.relay:
            self.relay.stop()
        self.nsd.stop()
        return problems

    def _step(self, step):
        where = f"{self.scenario.path}:{step.line}: "
        if step.kind != "ask":
            who = STRANGER if step.kind == "inbound" else {}
            with client.PolicyClient() as asker:
                action = asker.ask(step.address, **who)
            if action == step.want or action.startswith(step.want + " "):
                return []
            return [f"{where}policy says {action!r}, expected {step.want!r}"]
        result = client.calloutctl(self.build, self.daemon.conf, "check", "--json",
                                   *step.options, step.address)
        if len(result.verdicts) != 1:
            return [f"{where}no verdict from calloutctl: {result}"]
        return [where + p for p in compare(result.verdicts[0], result.code, step.want)]


def compare(verdict, exit_code, want):
    """What differs between calloutctl's JSON and the `want` line."""
    have = dict(verdict)
    reply = verdict.get("reply") or {}
    have.update({k: reply.get(k) for k in REPLY_KEYS})
    have["text"] = reply.get("text")
    have["outbound"] = (verdict.get("action") or {}).get("outbound")
    have["inbound"] = (verdict.get("action") or {}).get("inbound")
    have["exit"] = exit_code
    want = dict(want)
    want.setdefault("exit", {"reject": "1", "tempfail": "2"}.get(have["outbound"], "0"))
    problems = []
    for key, value in want.items():
        got = have.get(key)
        fits = got is None if value == "-" else got is not None and (
            re.search(value, str(got)) if key == "text" else str(got) == value)
        if not fits:
            problems.append(f"{key} is {got!r}, expected {value!r}")
    return problems + ([f"the verdict was {verdict}"] if problems else [])
