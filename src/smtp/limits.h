/*
 * What a server allows in one session by its LIMITS (RFC 9422), and how much of it is used up.
 * Pure. What somebody who is told of no limit sends is counted as well: TLS may bring one.
 *
 * Threads: a plain value.
 */
#ifndef SMTP_LIMITS_H
#define SMTP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMITS_DOMAINS_MAX \
    16 /* different ones remembered; where a limit is told, there are no more */

/* Zero-initialise to start. */
struct limits {
    uint32_t mail_max;   /* transactions in a session; 0 here and below: not told */
    uint32_t rcpt_max;   /* recipients in a transaction */
    uint32_t domain_max; /* different domains of recipients in a session */
    uint32_t mails;      /* said so far */
    uint32_t rcpts;      /* in the transaction under way */
    size_t domain_count;
    uint64_t domains[LIMITS_DOMAINS_MAX]; /* hashes */
};

/* EHLO is said: what was told before does not hold any more. What was used stays used. */
void limits_forget(struct limits *l);

/*
 * The parameters of an EHLO line:
 *
 *   params = *( SP name [ "=" value ] )
 *   value  = 1*6DIGIT, above 0
 *
 * Unknown names and what does not fit the grammar are ignored; of a limit told twice the lower
 * counts.
 */
void limits_learn(struct limits *l, const char *params);

/* MAIL is said; RCPT is said, in the last MAIL's transaction. Domains are as in struct address. */
void limits_use_mail(struct limits *l);
void limits_use_rcpt(struct limits *l, const char *domain);

/* Whether RCPT may be said, in a transaction of its own or in the one under way. */
bool limits_allow(const struct limits *l, const char *domain, bool new_transaction);

#endif
