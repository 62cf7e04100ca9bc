"""Real mail servers as they are measured: nothing slows them down but what is measured."""
import os

from harness import namespace, peers

RUN = "/run/bench"  # sockets that Postfix can reach
HOSTNAME = "mta.example.net"
QUICK = """mydestination =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000000000
smtpd_hard_error_limit = 1000000000
smtpd_junk_command_limit = 1000000000
smtpd_recipient_limit = 1000000
in_flow_delay = 0
"""


def missing(package, program):
    """Why a server cannot be measured here; None where it can."""
    if not namespace.is_real_root():
        return "real mail servers need root"
    if not os.path.exists(peers.peer(package, program)):
        return f"{package} is not there: contrib/peers {package}"
    return None


def prepare(lab):
    """Once a work, before what listens in RUN is started."""
    os.chmod(lab.workdir, 0o755)
    peers.prepare(lab.workdir)
    os.makedirs(RUN)


def restricted(port, restrictions, **settings):
    """A service of master.cf: an smtpd at `port` whose recipients come by `restrictions`."""
    options = {"smtpd_recipient_restrictions": restrictions, **settings}
    return f"127.0.0.1:{port} inet n - n - - smtpd\n" + "".join(
        f"    -o {{ {name} = {value} }}\n" for name, value in options.items())


def asks(path):
    """Restrictions: the policy server at the unix socket decides."""
    return f"check_policy_service {{ unix:{path}, timeout=60s }}, permit_mynetworks, reject"


def postfix(lab, services, settings=""):
    """With an smtpd more that takes everybody, and `services` made by restricted()."""
    return peers.Postfix(lab.workdir, "postfix", 2500, HOSTNAME, QUICK + settings, "".join(services))
