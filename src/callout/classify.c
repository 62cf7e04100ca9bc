#include "callout/classify.h"

#include <stddef.h>
#include <string.h>

#include "base/str.h"

#define UNREAD VERDICT_REASON_COUNT /* this step has no opinion */

/*
 * What words can tell: concepts, to keep a refusal that is about us from being read as one of the
 * recipient. A term matches where a word begins with it, and when it ends in a space, only where
 * the word ends too.
 */
static const char *const greylist_terms[] = {"greylist",  "graylist",  "grey list",
                                             "gray list", "grey-list", NULL};

/* Our address, name or reputation: what no server says of a mailbox that is not there. */
static const char *const listing_terms[] = {
    "spam ",      "spammer",    "spamhaus",      "spamcop",    "block list",  "block listed",
    "blocklist",  "block-list", "black list",    "blacklist",  "black-list",  "denylist",
    "dnsbl",      "rbl ",       "listed at ",    "listed by ", "listed in ",  "listed on ",
    "reputation", "blocked by", "blocked using", "ip address", "your ip ",    "sending ip ",
    "this ip ",   "rdns ",      "reverse dns",   "ptr ",       "helo ",       "ehlo ",
    "spf ",       "dkim ",      "dmarc ",        "client ",    "unsolicited", NULL};

/* MAIL FROM. Servers that verify senders quote `550 5.1.1 user unknown` about ours at RCPT. */
static const char *const sender_terms[] = {
    "sender verif",   "sender address", "sender reject",     "sender denied",  "sender domain",
    "sender email",   "bad sender",     "unverified sender", "invalid sender", "envelope sender",
    "domain of send", "null sender",    "empty sender",      "envelope from",  "mail from ",
    "mailfrom ",      "from address",   "badmailfrom ",      "return path",    NULL};

static const char *const rate_terms[] = {"too many",    "too much",       "too fast",  "rate ",
                                         "ratelimit",   "throttl",        "frequency", "volume ",
                                         "connections", "limit exceeded", "slow down", NULL};

static const char *const full_terms[] = {
    "quota ",        "overquota",          "mailbox full",  "mailbox is full",
    "inbox is full", "storage allocation", "storage space", NULL};

static const char *const relay_terms[] = {"relay access", "relaying",  "relay not", "relay denied",
                                          "to relay",     "rcpthosts", NULL};

/* Who we are or are not. */
static const char *const credential_terms[] = {"authent", "auth ",     "login",  "password",
                                               "tls ",    "starttls ", "cert",   "ip ",
                                               "forge",   "encrypt",   "tenant", NULL};

/* A rule, the message or the moment: beside these a basic code is no evidence. */
static const char *const policy_terms[] = {
    "polic",     "sender ", "relay",   "denied",   "blocked",   "banned",   "prohibit",
    "permi",     "allow",   "authori", "welcome",  "message ",  "content",  "virus",
    "protocol",  "connect", "later ",  "temporar", "forbidden", "security", "smtputf8",
    "violation", "spam",    "abuse",   NULL};

static const char *const recipient_terms[] = {"user",  "mailbox",  "mail box",   "recipient",
                                              "rcpt",  "address",  "account",    "inbox",
                                              "alias", "customer", "local part", NULL};

static const char *const access_denied_terms[] = {"access denied", NULL};

/* Lower-case copy of the text in which whatever holds an @ is blank: it may be named anything. */
static void words_of(const char *text, char words[REPLY_TEXT_MAX])
{
    size_t i = 0, end = strnlen(text, REPLY_TEXT_MAX - 1);

    while (i < end) {
        size_t len = strcspn(text + i, " <>()[]\"',;:");
        bool address = memchr(text + i, '@', len) != NULL;

        for (size_t stop = i + len; i < stop && i < end; i++)
            words[i] = address ? ' ' : text[i];
        if (i < end) {
            words[i] = text[i];
            i++;
        }
    }
    words[end] = '\0';
    str_lower(words);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool says_term(const char *words, const char *term)
{
    size_t len = strlen(term);
    bool whole = term[len - 1] == ' ';

    if (whole)
        len--;
    for (const char *p = words; *p != '\0'; p++) {
        if (strncmp(p, term, len) != 0 || (p > words && is_word(p[-1])))
            continue;
        if (!whole || !is_word(p[len]))
            return true;
    }
    return false;
}

static bool says(const char *words, const char *const *terms)
{
    for (; *terms != NULL; terms++)
        if (says_term(words, *terms))
            return true;
    return false;
}

static bool says_doubt(const char *words)
{
    return says(words, credential_terms) || says(words, policy_terms);
}

static bool enhanced_is(const struct smtp_reply *r, unsigned subject, unsigned detail)
{
    return r->enhanced.cls != 0 && r->enhanced.subject == subject && r->enhanced.detail == detail;
}

static enum verdict_reason read_failure(const struct outcome *o)
{
    switch (o->failure) {
    case SMTP_FAILURE_REFUSED:
    case SMTP_FAILURE_UNREACHABLE:
    case SMTP_FAILURE_CLOSED: /* however late: nobody has answered */
        return REASON_UNREACHABLE;
    case SMTP_FAILURE_TIMEOUT:
        return o->stage == SMTP_STAGE_CONNECT ? REASON_UNREACHABLE : REASON_TIMEOUT;
    case SMTP_FAILURE_TLS:
        return REASON_TLS_FAILED;
    case SMTP_FAILURE_SMTPUTF8:
        return REASON_SMTPUTF8_UNSUPPORTED;
    case SMTP_FAILURE_LOCAL:
        return REASON_LOCAL_FAULT;
    case SMTP_FAILURE_NONE:
    case SMTP_FAILURE_PROTOCOL:
        break;
    }
    return REASON_PROTOCOL_ERROR;
}

/* What is no statement about the recipient, at any stage and with any code. */
static enum verdict_reason read_words(const struct smtp_reply *r, const char *words)
{
    if (r->code < 500 && says(words, greylist_terms))
        return REASON_GREYLISTED;
    if (says(words, listing_terms))
        return REASON_BLOCKED;
    if (says(words, sender_terms) || enhanced_is(r, 1, 7) || enhanced_is(r, 1, 8))
        return REASON_SENDER_REFUSED;
    if (says(words, rate_terms) || enhanced_is(r, 5, 3))
        return REASON_RATE_LIMITED;
    return UNREAD;
}

/* 4yz, 5yz before RCPT: never about the recipient. */
static enum verdict_reason read_early(enum smtp_stage stage, const struct smtp_reply *r,
                                      const char *words)
{
    enum verdict_reason said = read_words(r, words);
    bool credentials = r->code == 530 || r->code == 535 || r->code == 538;

    if (r->code < 500 && said != UNREAD)
        return said;
    if (r->code < 500 && stage == SMTP_STAGE_STARTTLS)
        return REASON_TLS_FAILED;
    if (r->code < 500)
        return r->enhanced.subject == 7 ? REASON_RATE_LIMITED : REASON_SERVER_ERROR;
    if (stage != SMTP_STAGE_MAIL || credentials || r->enhanced.subject == 7)
        return REASON_BLOCKED;
    if (said != UNREAD)
        return said;
    return r->code <= 503 && r->enhanced.subject != 1 ? REASON_PROTOCOL_ERROR
                                                      : REASON_SENDER_REFUSED;
}

/* Of the server's disk (X.3.1) words may say the same. */
static bool mailbox_full(const struct smtp_reply *r, const char *words)
{
    return enhanced_is(r, 2, 2) || (r->enhanced.subject <= 2 && says(words, full_terms));
}

/*
 * 4yz at RCPT: the leading code decides, whatever 5yz is quoted behind it. An X.7.1 without a word
 * about us is a greylister's.
 */
static enum verdict_reason read_transient(const struct smtp_reply *r, const char *words)
{
    if (mailbox_full(r, words))
        return REASON_MAILBOX_FULL;
    if (r->enhanced.subject != 7 || says(words, relay_terms))
        return REASON_SERVER_ERROR;
    if (enhanced_is(r, 7, 1) && (r->code == 450 || r->code == 451))
        return REASON_GREYLISTED;
    return REASON_RATE_LIMITED;
}

/* RFC 3463 and its registry, as far as servers mean it; UNREAD where only the basic code tells. */
static enum verdict_reason read_enhanced(const struct smtp_reply *r, const char *words)
{
    bool mailbox_code = r->code == 550 || r->code == 554;

    switch (r->enhanced.subject * 1000 + r->enhanced.detail) {
    case 0:
    case 1000:
    case 2000:
    case 5000:
        return UNREAD;
    case 1001:
        return r->code == 552 ? UNREAD : REASON_NO_MAILBOX;
    case 1002:
        return mailbox_code ? REASON_NO_DOMAIN : UNREAD;
    case 1003:
        return REASON_BAD_SYNTAX;
    case 1006:
        return REASON_MOVED;
    case 1010: /* Exchange's recipient not found, except where RFC 7505's own code stands before */
        return r->code == 556 ? REASON_NULL_MX : REASON_NO_MAILBOX;
    case 2001:
        return REASON_MAILBOX_DISABLED;
    case 4001: /* Microsoft's directory lookup at the edge */
        return r->code == 550 && says(words, access_denied_terms) && says(words, recipient_terms)
                   ? REASON_NO_MAILBOX
                   : REASON_CANNOT_VERIFY;
    case 6007:
        return REASON_SMTPUTF8_UNSUPPORTED;
    default:
        break;
    }
    if (r->enhanced.subject == 5)
        return REASON_PROTOCOL_ERROR;
    return r->enhanced.subject >= 6 ? REASON_BLOCKED : REASON_CANNOT_VERIFY;
}

/* RFC 5321 section 4.2.3. */
static enum verdict_reason read_code(const struct smtp_reply *r, const char *words)
{
    bool doubt = says_doubt(words);

    switch (r->code) {
    case 500:
    case 501:
    case 502:
    case 503:
    case 504:
    case 553:
    case 555:
        return doubt ? REASON_BLOCKED : REASON_PROTOCOL_ERROR;
    case 550:
        if (doubt)
            return REASON_BLOCKED;
        return words[0] == '\0' || says(words, recipient_terms) ? REASON_NO_MAILBOX
                                                                : REASON_CANNOT_VERIFY;
    case 551:
        return doubt ? REASON_BLOCKED : REASON_MOVED;
    case 552:
        return doubt ? REASON_BLOCKED : REASON_MAILBOX_FULL;
    case 556:
        return REASON_NULL_MX;
    default:
        return doubt || !says(words, recipient_terms) ? REASON_BLOCKED : REASON_CANNOT_VERIFY;
    }
}

/* 5yz at RCPT that speaks of the recipient, or may. */
static enum verdict_reason read_permanent(const struct smtp_reply *r, const char *words)
{
    bool tells_relay = r->enhanced.subject == 0 || r->enhanced.subject == 7;
    enum verdict_reason said;

    if (mailbox_full(r, words))
        return REASON_MAILBOX_FULL;
    if (tells_relay && says(words, relay_terms))
        return says(words, credential_terms) ? REASON_BLOCKED : REASON_NO_DOMAIN;
    said = read_enhanced(r, words);
    return said != UNREAD ? said : read_code(r, words);
}

enum verdict_reason classify_outcome(const struct outcome *o)
{
    const struct smtp_reply *r = &o->reply;
    char words[REPLY_TEXT_MAX];
    enum verdict_reason said;

    if (o->failure != SMTP_FAILURE_NONE)
        return read_failure(o);
    words_of(r->text, words);
    if (r->code >= 400 && o->stage != SMTP_STAGE_RCPT)
        return read_early(o->stage, r, words);
    if (r->code >= 300 && r->code < 400)
        return REASON_PROTOCOL_ERROR;
    if (r->code < 300) {
        if (o->stage != SMTP_STAGE_RCPT || r->code < 200)
            return REASON_PROTOCOL_ERROR;
        return r->code == 251   ? REASON_FORWARDED
               : r->code == 252 ? REASON_CANNOT_VERIFY
                                : REASON_MAILBOX_EXISTS;
    }
    said = read_words(r, words);
    if (said != UNREAD)
        return said;
    return r->code < 500 ? read_transient(r, words) : read_permanent(r, words);
}
