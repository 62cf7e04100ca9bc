/* The policy protocol as Postfix speaks it (SMTPD_POLICY_README), and how it reads the answers. */
#ifndef POLICY_DIALOGUE_H
#define POLICY_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#define POLICY_QUESTION_SIZE 2048
#define POLICY_REPLY_SIZE    2048

enum policy_reply_kind {
    POLICY_REPLY_DUNNO,
    POLICY_REPLY_4XX,
    POLICY_REPLY_5XX,
    POLICY_REPLY_KINDS,
};

/* What came of one so far; a value. */
struct policy_reply {
    char text[POLICY_REPLY_SIZE]; /* ends with a NUL */
    size_t len;
    enum policy_reply_kind kind; /* once it is whole */
};

/* About a recipient of a mail that an authenticated user sends. Returns its length. */
size_t policy_question(const char *recipient, char out[POLICY_QUESTION_SIZE]);

void policy_reply_reset(struct policy_reply *r);

/*
 * Takes what came. False: that is no answer to one question; *why is a constant. *whole: it is
 * there to its end, and well-formed.
 */
bool policy_reply_feed(struct policy_reply *r, const char *data, size_t len, bool *whole,
                       const char **why);

#endif
