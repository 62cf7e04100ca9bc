/*
 * The Postfix policy delegation protocol, requests only (SMTPD_POLICY_README): name=value lines,
 * an empty line ends a request. Pure: the connection sees that there is an empty line, this reads
 * what is before it.
 *
 * Threads: a plain value.
 */
#ifndef FRONTEND_POLICY_REQUEST_H
#define FRONTEND_POLICY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define POLICY_REQUEST_MAX   65536 /* bytes of one request, with its empty line */
#define POLICY_ATTRIBUTE_MAX 1023  /* bytes of a kept value; longer ones are cut */

/* The attributes that are read; others are ignored. Absent ones are "". X(name) */
#define POLICY_ATTRIBUTES(X) \
    X(request) \
    X(protocol_state) \
    X(recipient) \
    X(sender) \
    X(sasl_username) \
    X(ccert_fingerprint) \
    X(client_address) \
    X(instance) \
    X(queue_id)

struct policy_request {
#define X(name) const char *name;
    POLICY_ATTRIBUTES(X)
#undef X
    bool recipient_cut; /* and with that no address any more */
};

/*
 * Reads the first request of `data`, up to its empty line; returns its length with that. The values
 * stay where they are in `data`, each ended by a NUL in its place. 0: close the connection; *why is
 * a constant reason ("line without =", "NUL byte", "not an smtpd_access_policy
 * request", "recipient given twice", "no empty line").
 */
size_t policy_request_parse(char *data, size_t len, struct policy_request *out, const char **why);

#endif
