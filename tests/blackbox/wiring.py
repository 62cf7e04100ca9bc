"""The files of contrib/wiring, as they are: a real Postfix with its smtpd in a chroot, calloutd as a
user of its own, unix sockets between them."""
import os
import re
import shutil

from harness import client, daemon, mailworld, peers
from world import answering

WIRING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "contrib", "wiring")
SOCKETS = "/var/spool/postfix/calloutd"
MAIN = """mydestination =
local_recipient_maps =
smtpd_error_sleep_time = 0
{wiring}"""
OPEN = "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n"


def needs_root(function):
    function.needs_root = True
    return function


def read(name):
    with open(os.path.join(WIRING, name), encoding="ascii") as f:
        return f.read()


def postfix(w, wiring):
    """Its smtpd is in the chroot, as Debian has it."""
    front = peers.Postfix(w.workdir, "postfix", mailworld.FRONT_PORT, "front.example.net",
                          MAIN.format(wiring=wiring))
    with open(os.path.join(front.dir, "master.cf"), encoding="ascii") as f:
        text = f.read()
    front.write("master.cf", re.sub(r"(\d inet n - )n( - - smtpd)", r"\1y\2", text))
    return front


def make_socket_directory():
    """As the comment in calloutd.tmpfiles has it; the line for systemd says the same."""
    d, path, mode, user, group, _age = read("calloutd.tmpfiles").splitlines()[-1].split()
    assert (d, path) == ("d", SOCKETS), (d, path)
    os.makedirs(path)
    shutil.chown(path, user, group)
    os.chmod(path, int(mode, 8))


def wired_daemon(w, part="calloutd-postfix.conf", settings=None):
    made = daemon.Daemon(w.build, w.workdir, {"user": '"calloutd"', "policy.listen": None,
                                              "milter.listen": None, "wait": "6s",
                                              **(settings or {})})
    shutil.chown(os.path.join(w.workdir, "state"), "calloutd")
    os.chmod(w.workdir, 0o755)
    with open(made.conf, "a", encoding="utf-8") as f:
        f.write(f'include("{os.path.join(WIRING, part)}")\n')
    made.milter = re.search(r'milter \{\s*listen = "(.*)"', read(part)).group(1)
    return w.run(made)


def flows(w, wiring, log, settings=""):
    """Asked, and refused; without calloutd, taken."""
    peers.prepare(w.workdir)
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    front = postfix(w, read(wiring) + settings)
    front.make_queue()
    make_socket_directory()
    d = wired_daemon(w)
    w.start(front)
    w.matches("with calloutd", mailworld.ask(["bob@example.org"])["bob@example.org"],
              r"^550 5\.1\.1 .*mailbox does not exist")
    d.wait_idle(clients=mailworld.KEPT)
    w.problems += d.stop()
    w.matches("without it", mailworld.ask(["bob@example.org"])["bob@example.org"], "^250 ")
    front.wait_log(log)


@needs_root
def test_policy(w):
    flows(w, "postfix-policy.cf", r"problem talking to server calloutd/policy|connect to .*calloutd")


@needs_root
def test_milter(w):
    flows(w, "postfix-milter.cf", r"connect to Milter service unix:calloutd/milter",
          OPEN)


@needs_root
def test_sendmail(w):
    """Sendmail by its line and by calloutd's part, over the unix socket."""
    peers.prepare(w.workdir)
    w.dns()
    w.servers(answering("550 5.1.1 User unknown", times=1))
    os.makedirs("/run/calloutd")
    shutil.chown("/run/calloutd", "calloutd", "calloutd")
    d = wired_daemon(w, "calloutd-sendmail.conf",
                     {"socket_group": '"smmta"', "policy.listen": "{}"})
    front = w.start(peers.Sendmail(w.workdir, "sendmail", mailworld.FRONT_PORT,
                                   "front.example.net", read("sendmail.mc")))
    w.matches("with calloutd", mailworld.ask(["bob@example.org"])["bob@example.org"],
              r"^550 5\.1\.1 .*mailbox does not exist")
    d.wait_idle()
    w.problems += d.stop()
    w.matches("without it", mailworld.ask(["bob@example.org"])["bob@example.org"], "^250 ")
    front.wait_log("connect to filter|Milter.*calloutd")


@needs_root
def test_others_stay_out(w):
    """The sockets are Postfix's, and calloutd's own."""
    peers.prepare(w.workdir)
    w.dns()
    os.makedirs("/var/spool/postfix")
    make_socket_directory()
    d = wired_daemon(w)
    for name in ("policy", "milter"):
        st = os.stat(os.path.join(SOCKETS, name))
        w.equal(f"mode of {name}", oct(st.st_mode & 0o7777), "0o660")
        w.equal(f"group of {name}", st.st_gid, dict(peers.ACCOUNTS)["postfix"])
    w.equal("alive", client.control_get(d.control, "/healthz")[0], 200)
