#include "mx_dialogue.h"

#include <string.h>
#include <strings.h>

static const char *reply(struct mx_dialogue *d, const char *text)
{
    size_t len = strlen(text);

    if (len > sizeof(d->out) - d->out_len)
        return "too much at once";
    memcpy(d->out + d->out_len, text, len);
    d->out_len += len;
    return NULL;
}

void mx_begin(struct mx_dialogue *d)
{
    d->in_len = d->out_len = 0;
    d->recipients = 0;
    d->greeted = d->in_transaction = d->secured = d->pipelining = false;
    d->must_hear = true;
    d->next = MX_GO_ON;
    (void)reply(d, "220 mx.example ESMTP\r\n");
}

void mx_secured(struct mx_dialogue *d)
{
    d->greeted = d->pipelining = false;
    d->secured = true;
    d->next = MX_GO_ON;
}

static const char *hear_ehlo(struct mx_dialogue *d, const struct mx_opts *opts, const char *name)
{
    bool starttls = opts->starttls && !d->secured;

    if (*name == '\0')
        return "EHLO without a name";
    d->greeted = true;
    d->in_transaction = false;
    d->pipelining = opts->pipelining;
    d->must_hear = true;
    (void)reply(d, "250-mx.example\r\n250-SIZE 10485760\r\n");
    if (opts->pipelining)
        (void)reply(d, "250-PIPELINING\r\n");
    if (starttls)
        (void)reply(d, "250-STARTTLS\r\n");
    return reply(d, "250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
}

static const char *hear_starttls(struct mx_dialogue *d, const struct mx_opts *opts,
                                 const char *rest)
{
    if (!opts->starttls || d->secured || !d->greeted || *rest != '\0')
        return "STARTTLS out of place";
    d->must_hear = true;
    d->next = MX_START_TLS;
    return reply(d, "220 2.0.0 Go ahead\r\n");
}

/* "<ADDRESS>" and, of a sender, parameters. */
static bool is_path(const char *text)
{
    return text[0] == '<' && strchr(text, '>') != NULL;
}

static const char *hear_mail(struct mx_dialogue *d, const struct mx_opts *opts, const char *path)
{
    (void)opts;
    if (!d->greeted || d->in_transaction || !is_path(path))
        return "MAIL out of place";
    d->in_transaction = true;
    return reply(d, "250 2.1.0 Ok\r\n");
}

static const char *hear_rcpt(struct mx_dialogue *d, const struct mx_opts *opts, const char *path)
{
    const char *wrong;

    if (!d->in_transaction || !is_path(path) || strchr(path, '@') == NULL)
        return "RCPT out of place";
    d->recipients++;
    wrong = reply(d, opts->rcpt_reply);
    return wrong != NULL ? wrong : reply(d, "\r\n");
}

static const char *hear_rset(struct mx_dialogue *d, const struct mx_opts *opts, const char *rest)
{
    (void)opts;
    if (*rest != '\0')
        return "RSET and more";
    d->in_transaction = false;
    return reply(d, "250 2.0.0 Ok\r\n");
}

static const char *hear_quit(struct mx_dialogue *d, const struct mx_opts *opts, const char *rest)
{
    (void)opts;
    if (*rest != '\0')
        return "QUIT and more";
    d->must_hear = true;
    d->next = MX_CLOSE;
    return reply(d, "221 2.0.0 Bye\r\n");
}

static const char *hear_line(struct mx_dialogue *d, const struct mx_opts *opts, const char *line)
{
    static const struct {
        const char *verb;
        const char *(*hear)(struct mx_dialogue *d, const struct mx_opts *opts, const char *rest);
    } commands[] = {
        {"RCPT TO:", hear_rcpt}, {"MAIL FROM:", hear_mail},   {"QUIT", hear_quit},
        {"EHLO ", hear_ehlo},    {"STARTTLS", hear_starttls}, {"RSET", hear_rset},
    };

    if (d->out_len > 0 && (d->must_hear || !d->pipelining))
        return "the client spoke before its turn";
    d->must_hear = false;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        size_t len = strlen(commands[i].verb);

        if (strncasecmp(line, commands[i].verb, len) == 0)
            return commands[i].hear(d, opts, line + len);
    }
    return "no such command here";
}

const char *mx_hear(struct mx_dialogue *d, const struct mx_opts *opts, size_t len)
{
    const char *wrong = NULL;
    size_t from = 0;
    char *lf;

    d->in_len += len;
    while (wrong == NULL && (lf = memchr(d->in + from, '\n', d->in_len - from)) != NULL) {
        char *line = d->in + from;

        from = (size_t)(lf - d->in) + 1;
        if (lf == line || lf[-1] != '\r' || memchr(line, '\0', (size_t)(lf - line)) != NULL)
            return "no line that ends in CRLF";
        lf[-1] = '\0';
        wrong = hear_line(d, opts, line);
    }
    d->in_len -= from;
    memmove(d->in, d->in + from, d->in_len);
    return wrong != NULL || d->in_len < sizeof(d->in) ? wrong : "an overlong line";
}

void mx_sent(struct mx_dialogue *d, size_t len)
{
    d->out_len -= len;
    memmove(d->out, d->out + len, d->out_len);
}
