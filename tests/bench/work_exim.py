"""Recipients that Exim verifies itself (verify = recipient/callout), and the same Exim that asks calloutd's
policy service. What is measured is the whole mail server, so all of it is on one processor."""
import mta
from harness import peers

SETTINGS = "smtp_accept_max = 100\nsmtp_accept_max_nonmail = 1000000\n"
VERIFIES = "  require verify = recipient/callout=60s\n  accept\n"
ASKS = ("  accept condition = ${if match{${readsocket{%s/calloutd}{request=smtpd_access_policy\\n"
        "protocol_state=RCPT\\nprotocol_name=ESMTP\\nclient_address=$sender_host_address\\n"
        "sender=$sender_address\\nrecipient=$local_part@$domain\\n\\n}{60s}}}{action=DUNNO}}\n  defer\n")


def exim(lab, name, port, at_rcpt):
    with lab.on_server_cpu():
        return lab.start(peers.Exim(lab.workdir, name, port, mta.HOSTNAME, "none.example", (), at_rcpt=at_rcpt,
                                    settings=SETTINGS))


def run(lab):
    calloutd = mta.begin_cold(lab, "exim4-daemon-light", "usr/sbin/exim4")
    asking = exim(lab, "asking", 2501, ASKS % mta.RUN)
    verifying = exim(lab, "verifying", 2502, VERIFIES)
    mta.compare(lab, {
        "calloutd": mta.Way(lab, asking.port, asking.proc.pid, calloutd.proc.pid),
        "callout": mta.Way(lab, verifying.port, verifying.proc.pid),
    }, lab.amount(200, 20))
