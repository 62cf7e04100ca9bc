"""Real MTAs out of contrib/peers' packages, each in a configuration of its own.

They run inside namespace.private_mounts(): /var/spool, /var/lib and /run are empty there, and
the accounts below exist only there.
"""
import glob
import gzip
import os
import re
import shutil
import socket
import subprocess
import sys
import time

from . import namespace

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".peers")
ACCOUNTS = (("postfix", 7101), ("postdrop", 7102), ("Debian-exim", 7103), ("opensmtpd", 7104),
            ("opensmtpq", 7105), ("calloutd", 7106), ("smmta", 7107), ("smmsp", 7108),
            ("dovecot", 7109), ("dovenull", 7110), ("vmail", 7111), ("postgrey", 7112))
PATIENCE = 60.0


def peer(package, path):
    return os.path.realpath(os.path.join(ROOT, package, path))


def prepare(workdir):
    """Once a namespace, before any MTA is started."""
    namespace.private_mounts(workdir, ACCOUNTS)
    namespace.bind_resolv_conf(workdir)
    found = glob.glob(os.path.join(ROOT, "*/usr/lib/*-linux-*")) \
        + glob.glob(os.path.join(ROOT, "*/lib/*-linux-*")) + [peer("postfix", "usr/lib/postfix"), peer("dovecot-lmtpd", "usr/lib/dovecot")]
    namespace.bind_library_cache(workdir, [os.path.realpath(d) for d in found])


def wait_greeting(port, proc, log):
    """Waits until something on 127.0.0.1:port greets."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if proc.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                f = s.makefile("rb")
                if f.readline().startswith(b"220"):
                    s.sendall(b"QUIT\r\n")
                    f.read()
                    return
        except OSError:
            pass
        time.sleep(0.02)
    raise RuntimeError(f"no greeting on port {port}: {_tail(log)}")


def as_installed(package, *argv):
    """A command that finds its modules where they would be if the package was installed."""
    return ["unshare", "--mount", "/bin/sh", "-c",
            'mount -t overlay -o lowerdir="$0":/usr overlay /usr && exec "$@"',
            peer(package, "usr"), *argv]


def _tail(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()[-2000:]
    except OSError:
        return "(no log)"


class Mta:
    """One server process and its log file; `port` on 127.0.0.1."""

    def __init__(self, workdir, name, port):
        self.dir = os.path.join(workdir, name)
        self.port = port
        self.logfile = os.path.join(self.dir, "log")
        self.proc = None
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        return path

    def spawn(self, argv, **kwargs):
        with open(os.path.join(self.dir, "output"), "ab") as out:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                         start_new_session=True, **kwargs)

    def stop(self):
        if self.proc is not None:
            self.proc.terminate()
            try:
                self.proc.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
            self.proc = None

    def wait_log(self, pattern, count=1):
        """Waits until `count` lines of its log match; returns them."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with open(self.logfile, encoding="utf-8", errors="replace") as f:
                found = [line for line in f if re.search(pattern, line)]
            if len(found) >= count:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} lines in the log, not {count}: {pattern}")
            time.sleep(0.02)

    def log(self):
        return _tail(self.logfile) + _tail(os.path.join(self.dir, "output"))


POSTFIX_MAIN = """compatibility_level = 3.6
daemon_directory = {lib}/sbin
command_directory = {sbin}
shlib_directory = {lib}
meta_directory = {dir}
queue_directory = {queue}
data_directory = {data}
maillog_file = {dir}/log
maillog_file_prefixes = /
mail_owner = postfix
setgid_group = postdrop
default_privs = nobody
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
myhostname = {hostname}
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
strict_rfc821_envelopes = no
{extra}
"""
POSTFIX_MASTER = """127.0.0.1:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
qmgr unix n - n 300 1 qmgr
verify unix - - n - 1 verify
ahead unix - - n - - smtp
bounce unix - - n - 0 bounce
error unix - - n - - error
smtp unix - - n - - discard
relay unix - - n - - discard
pickup unix n - n 60 1 pickup
{services}"""


class Postfix(Mta):
    """`settings`: lines of main.cf; `services`: of master.cf. Mail that it takes is discarded, as its
    log says, but for what goes by the transport `ahead`."""

    def __init__(self, workdir, name, port, hostname, settings="", services=""):
        super().__init__(workdir, name, port)
        self.queue, self.data = f"/var/spool/{name}", f"/var/lib/{name}"
        self.write("main.cf", POSTFIX_MAIN.format(
            lib=peer("postfix", "usr/lib/postfix"), sbin=peer("postfix", "usr/sbin"),
            dir=self.dir, queue=self.queue, data=self.data, hostname=hostname, extra=settings))
        self.write("master.cf", POSTFIX_MASTER.format(port=port, services=services))

    def make_queue(self):
        for name in ("pid", "etc", "usr"):
            os.makedirs(os.path.join(self.queue, name), exist_ok=True)
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                     "incoming", "private", "saved", "trace", "maildrop", "public"):
            self._owned(os.path.join(self.queue, name))
        self._owned(self.data)

    def start(self):
        self.make_queue()
        self.spawn([peer("postfix", "usr/lib/postfix/sbin/master"), "-c", self.dir, "-d"],
                   env={**os.environ, "MAIL_LOGTAG": "postfix"})
        wait_greeting(self.port, self.proc, self.logfile)

    def submit(self, text, recipients, sender="root@localhost.example"):
        """Mail by sendmail(1), postdrop(1) and pickup(8), as programs of this host send it."""
        subprocess.run([peer("postfix", "usr/sbin/sendmail"), "-C", self.dir, "-f", sender, "-i",
                        "--", *recipients], input=text, text=True, check=True, timeout=PATIENCE)

    def queued(self):
        """The files of mail in the queue, in whatever state."""
        found = []
        for name in ("maildrop", "incoming", "active", "deferred", "defer", "hold", "corrupt"):
            found += [os.path.join(d, f) for d, _dirs, files in os.walk(f"{self.queue}/{name}")
                      for f in files]
        return found

    def _owned(self, path):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o700)
        shutil.chown(path, "postfix")


EXIM = """exim_path = {exim}
spool_directory = {spool}
log_file_path = {dir}/%slog
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
primary_hostname = {hostname}
domainlist local_domains = {domain}
host_lookup =
rfc1413_hosts =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
{settings}acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
begin acl
acl_mail:
{at_mail}  accept
acl_rcpt:
{at_rcpt}  require domains = +local_domains
  require verify = recipient
  accept
begin routers
users:
  driver = accept
  domains = +local_domains
  local_parts = {users}
  transport = nowhere
others:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
remote:
  driver = smtp
"""


class Exim(Mta):
    """`at_mail`, `at_rcpt`: lines of these commands' ACLs, before its own; `settings`: main options.
    Nobody may relay: it talks to others only to verify."""

    def __init__(self, workdir, name, port, hostname, domain, users, at_mail="", at_rcpt="", settings=""):
        super().__init__(workdir, name, port)
        self.exim = peer("exim4-daemon-light", "usr/sbin/exim4")
        self.spool = f"/var/spool/{name}"
        shutil.chown(self.dir, "Debian-exim", "Debian-exim")
        self.conf = self.write("exim.conf", EXIM.format(
            exim=self.exim, spool=self.spool, dir=self.dir, port=port, hostname=hostname,
            domain=domain, users=" : ".join(users), at_mail=at_mail, at_rcpt=at_rcpt,
            settings=settings))
        self.logfile = os.path.join(self.dir, "mainlog")

    def start(self):
        os.makedirs(self.spool, exist_ok=True)
        shutil.chown(self.spool, "Debian-exim", "Debian-exim")
        self.spawn([self.exim, "-C", self.conf, "-bdf", "-oX", str(self.port)])
        wait_greeting(self.port, self.proc, os.path.join(self.dir, "output"))


OPENSMTPD = """table users {{ {users} }}
listen on 127.0.0.1 port {port} hostname {hostname}
action nowhere maildir "{dir}/mail" virtual {{ {virtual} }}
match from any for domain "{domain}" rcpt-to <users> action nowhere
{extra}"""


class OpenSmtpd(Mta):
    """`settings`: more lines of smtpd.conf."""

    def __init__(self, workdir, name, port, hostname, domain, users, settings=""):
        super().__init__(workdir, name, port)
        self.conf = self.write("smtpd.conf", OPENSMTPD.format(
            port=port, hostname=hostname, domain=domain, dir=self.dir, extra=settings,
            users=", ".join(f"{u}@{domain}" for u in users), virtual=", ".join(f"{u} = nobody" for u in users)))
        os.chmod(self.conf, 0o600)

    def start(self):
        for path, mode in (("/var/spool/smtpd", 0o711), ("/var/lib/opensmtpd", 0o755),
                           ("/var/lib/opensmtpd/empty", 0o755)):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, mode)
        self.spawn([peer("opensmtpd", "usr/sbin/smtpd"), "-d", "-f", self.conf])
        wait_greeting(self.port, self.proc, os.path.join(self.dir, "output"))


SENDMAIL = """divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
define(`QUEUE_DIR', `{queue}')dnl
define(`STATUS_FILE', `')dnl
define(`ALIAS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`confPID_FILE', `{queue}/pid')dnl
define(`confCW_FILE', `')dnl
define(`confCT_FILE', `')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confRUN_AS_USER', `smmta:smmta')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDELAY_LA', `0')dnl
define(`confTO_IDENT', `0')dnl
define(`confLOG_LEVEL', `14')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
RELAY_DOMAIN(`127')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr={address}, Port={port}')dnl
{extra}
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


class Sendmail(Mta):
    """`settings`: lines of sendmail.mc. Clients in 127.0.0.0/8 may relay; mail stays in the queue."""

    def __init__(self, workdir, name, port, hostname, settings="", address="127.0.0.1"):
        super().__init__(workdir, name, port)
        self.hostname, self.queue = hostname, f"/var/spool/{name}"
        self.conf = os.path.join(self.dir, "sendmail.cf")
        mc = self.write("sendmail.mc", SENDMAIL.format(
            dir=self.dir, queue=self.queue, hostname=hostname, address=address, port=port,
            extra=settings))
        cf = peer("sendmail-bin", "usr/share/sendmail/cf")
        with open(self.conf, "w", encoding="ascii") as out:
            subprocess.run(["m4", f"-D_CF_DIR_={cf}/", f"{cf}/m4/cf.m4", mc], stdout=out, check=True)

    def start(self):
        os.makedirs(self.queue, exist_ok=True)
        os.chmod(self.queue, 0o700)
        shutil.chown(self.queue, "smmta", "smmta")
        shutil.chown(self.dir, "smmta", "smmta")
        # Before it reads its configuration it waits a minute for this host to have a full name.
        self.spawn(["unshare", "--uts", "/bin/sh", "-c", 'hostname "$0" && exec "$@"', self.hostname,
                    peer("sendmail-bin", "usr/libexec/sendmail/sendmail"), "-D", self.logfile,
                    "-d89.8", "-C", self.conf, "-bD"])
        wait_greeting(self.port, self.proc, self.logfile)

    def queued(self):
        """The number of messages in the queue."""
        return len(glob.glob(os.path.join(self.queue, "qf*")))


DOVECOT = """base_dir = /run/{name}
log_path = {dir}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
hostname = {hostname}
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
mail_uid = vmail
mail_gid = vmail
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
{extra}"""


# What the two generations of it call differently.
DOVECOT_23 = """mail_location = maildir:/var/spool/{name}/%n
auth_username_format = %Ln
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
"""
DOVECOT_24 = """dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
mail_driver = maildir
mail_path = /var/spool/{name}/%{{user|username}}
auth_username_format = %{{user|username|lower}}
userdb passwd-file {{
  passwd_file_path = {dir}/users
}}
passdb passwd-file {{
  passwd_file_path = {dir}/users
}}
"""


def dovecot_version():
    """As in its package's changelog: dovecot (1:2.4.1+dfsg1-6) ..."""
    with gzip.open(peer("dovecot-lmtpd", "usr/share/doc/dovecot-core/changelog.Debian.gz")) as f:
        major, minor = re.match(rb"dovecot \(\d+:(\d+)\.(\d+)", f.readline()).groups()
    return int(major), int(minor)


class DovecotLmtp(Mta):
    """LMTP on 127.0.0.1:port, and on the unix socket `socket`."""

    def __init__(self, workdir, name, port, hostname, users, settings=""):
        super().__init__(workdir, name, port)
        self.socket = f"/run/{name}/lmtp"
        self.write("users", "".join(f"{u}::7111:7111::/var/spool/{name}/{u}::\n" for u in users))
        form = DOVECOT_24 + DOVECOT if dovecot_version() >= (2, 4) else DOVECOT + DOVECOT_23
        self.conf = self.write("dovecot.conf", form.format(
            name=name, dir=self.dir, port=port, hostname=hostname, extra=settings))

    def start(self):
        self.spawn(as_installed("dovecot-lmtpd", "/usr/sbin/dovecot", "-F", "-c", self.conf))
        wait_greeting(self.port, self.proc, self.logfile)


class Postgrey(Mta):
    """A policy server on 127.0.0.1:port that greylists for `delay` seconds."""

    def __init__(self, workdir, name, port, delay):
        super().__init__(workdir, name, port)
        self.delay = delay
        self.logfile = os.path.join(self.dir, "output")

    def start(self):
        data = f"/var/lib/{os.path.basename(self.dir)}"
        os.makedirs(data)
        shutil.chown(data, "postgrey", "postgrey")
        self.spawn(as_installed(
            "postgrey", "/usr/sbin/postgrey", f"--inet=127.0.0.1:{self.port}", f"--dbdir={data}",
            f"--delay={self.delay}", "--user=postgrey", "--group=postgrey", "--hostname=mx.example",
            f"--pidfile={data}/pid", "--whitelist-clients=/dev/null",
            "--whitelist-recipients=/dev/null"))
        wait_for(self, "its port", lambda: _listens(self.port))


GREYLISTD = """[timeouts]
retryMin = {delay}
[socket]
path = {dir}/socket
owner = root:root
mode = 0666
[data]
statefile = {dir}/states
tripletfile = {dir}/triplets
"""


class Greylistd(Mta):
    """greylistd(8), as Exim asks it on the unix socket `socket`."""

    def __init__(self, workdir, name, delay):
        super().__init__(workdir, name, None)
        self.socket = os.path.join(self.dir, "socket")
        os.makedirs(os.path.join(self.dir, "etc", "greylistd"))
        self.write("etc/greylistd/config", GREYLISTD.format(dir=self.dir, delay=delay))

    def start(self):
        # It reads no other file than /etc/greylistd/config.
        self.spawn(["unshare", "--mount", "/bin/sh", "-c",
                    'mount -t overlay -o lowerdir="$0":/etc overlay /etc && exec "$@"',
                    os.path.join(self.dir, "etc"), sys.executable,
                    peer("greylistd", "usr/sbin/greylistd")])
        wait_for(self, "its socket", lambda: os.path.exists(self.socket))


def wait_for(mta, what, condition):
    """Until condition() is true of one that does not greet."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if mta.proc.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{what} is not there: {_tail(os.path.join(mta.dir, 'output'))}")
        time.sleep(0.02)


def _listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False
