"""Recipients that Postfix verifies itself (reject_unverified_recipient, verify(8)), and the same Postfix
that asks calloutd. What is measured is the whole mail server, so all of it is on one processor."""
import mta

VERIFIES = "reject_unverified_recipient, permit_mynetworks, reject"
SETTINGS = "address_verify_default_transport = ahead\n"
# Kept connections, as Postfix has it by default.
CACHE = "scache unix - - n - 1 scache\n"


def run(lab):
    calloutd = mta.begin_cold(lab, "postfix", "usr/sbin/postfix")
    with lab.on_server_cpu():
        postfix = lab.start(mta.postfix(lab, [
            mta.restricted(2501, mta.asks(f"{mta.RUN}/calloutd")),
            mta.restricted(2502, VERIFIES),
            mta.restricted(2503, VERIFIES, address_verify_poll_delay="1s"),
            CACHE], SETTINGS))
    pid = postfix.proc.pid
    mta.compare(lab, {
        "calloutd": mta.Way(lab, 2501, pid, calloutd.proc.pid),
        "verify(8)": mta.Way(lab, 2502, pid),
        "polled by 1 s": mta.Way(lab, 2503, pid),
    }, lab.amount(100, 20))
