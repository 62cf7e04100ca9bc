#include "policy_dialogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that Postfix 3.7 sends at RCPT, in its order; most of it is of no use to anybody. */
#define BEFORE \
    "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n" \
    "client_address=192.0.2.1\nclient_name=client.example\nclient_port=43210\n" \
    "reverse_client_name=client.example\nserver_address=192.0.2.25\nserver_port=587\n" \
    "helo_name=client.example\nsender=somebody@sender.example\nrecipient="
#define AFTER \
    "\nrecipient_count=0\nqueue_id=\ninstance=1234.5f3a2b1c.d4e5f.0\nsize=2345\netrn_domain=\n" \
    "stress=\nsasl_method=PLAIN\nsasl_username=somebody\nsasl_sender=\nccert_subject=\n" \
    "ccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n" \
    "encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n" \
    "encryption_keysize=256\npolicy_context=\ncompatibility_level=3.6\n" \
    "mail_version=3.7.11\n\n"

size_t policy_question(const char *recipient, char out[POLICY_QUESTION_SIZE])
{
    const size_t before = sizeof(BEFORE) - 1, after = sizeof(AFTER) - 1;
    size_t len = strlen(recipient);

    if (before + len + after > POLICY_QUESTION_SIZE) {
        fprintf(stderr, "%s: too long\n", recipient);
        exit(EXIT_FAILURE);
    }
    memcpy(out, BEFORE, before);
    memcpy(out + before, recipient, len);
    memcpy(out + before + len, AFTER, after);
    return before + len + after;
}

void policy_reply_reset(struct policy_reply *r)
{
    r->len = 0;
    r->text[0] = '\0';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 1*3digit "." 1*3digit; what follows, or NULL */
static const char *subject_and_detail(const char *p)
{
    for (int part = 0; part < 2; part++) {
        int digits = 0;

        for (; digits < 3 && digit(*p); p++)
            digits++;
        if (digits == 0 || (part == 0 && *p++ != '.'))
            return NULL;
    }
    return p;
}

/* action = ("4" / "5") 2digit SP code "." subject "." detail SP 1*text, codes of one class
   (RFC 3463). */
static bool is_refusal(const char *action, enum policy_reply_kind *kind)
{
    const char *p = action;

    if ((p[0] != '4' && p[0] != '5') || !digit(p[1]) || !digit(p[2]) || p[3] != ' ' ||
        p[4] != p[0] || p[5] != '.')
        return false;
    *kind = p[0] == '4' ? POLICY_REPLY_4XX : POLICY_REPLY_5XX;
    p = subject_and_detail(p + 6);
    if (p == NULL || *p++ != ' ' || *p == '\0')
        return false;
    for (; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return true;
}

/* reply = "action=" action LF LF */
static const char *check(struct policy_reply *r)
{
    static const char begin[] = "action=";
    char *end = r->text + r->len - 2;
    const char *action = r->text + sizeof(begin) - 1;

    if (strncmp(r->text, begin, sizeof(begin) - 1) != 0)
        return "no action";
    *end = '\0';
    r->kind = POLICY_REPLY_DUNNO;
    if (strcmp(action, "DUNNO") != 0 && !is_refusal(action, &r->kind))
        return "not DUNNO, and no reply code with text";
    return NULL;
}

bool policy_reply_feed(struct policy_reply *r, const char *data, size_t len, bool *whole,
                       const char **why)
{
    const char *end;

    *whole = false;
    *why = "too long";
    if (len >= sizeof(r->text) - r->len)
        return false;
    memcpy(r->text + r->len, data, len);
    r->len += len;
    r->text[r->len] = '\0';
    end = strstr(r->text, "\n\n");
    if (end == NULL)
        return true;
    *why = end + 2 != r->text + r->len ? "more than one answer" : check(r);
    *whole = *why == NULL;
    return *whole;
}
