#include "client_rig.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

const struct address rig_mailbox = {.local = "u", .domain = "d.example"};
const struct address rig_other = {.local = "v", .domain = "d.example"};

static void on_state(void *arg, enum client_state from, enum client_state to)
{
    struct rig *r = arg;
    size_t n = strlen(r->states);

    ck_assert_int_ne(from, CLIENT_CLOSED);
    ck_assert_int_eq(r->c.state, to);
    snprintf(r->states + n, sizeof(r->states) - n, "%s ", client_state_name(to));
}

static void on_trace(void *arg, char dir, const char *line)
{
    struct rig *r = arg;
    size_t n = strlen(r->traced);

    snprintf(r->traced + n, sizeof(r->traced) - n, "%c%s\n", dir, line);
}

void rig_init(struct rig *r, enum rig_tls tls)
{
    const struct client_opts opts = {
        .helo_name = "me.example",
        .sender = "",
        .recipient = &rig_mailbox,
        .starttls = tls != NONE,
        .tls_required = tls == ENCRYPT,
        .lmtp = tls == LMTP,
        .on_state = on_state,
        .on_trace = on_trace,
        .arg = r,
    };

    *r = (struct rig){0};
    client_init(&r->c, &opts);
}

/* After every step: what was said is whole commands, never DATA; a closed client has an outcome. */
void rig_step(struct rig *r)
{
    char out[CLIENT_OUT_MAX];
    size_t n, had = strlen(r->said);

    if (r->c.state == CLIENT_READY && !r->more)
        client_quit(&r->c);
    n = client_take(&r->c, out);

    ck_assert_uint_eq(r->c.out_len, 0);
    ck_assert_uint_lt(had + n, sizeof(r->said));
    memcpy(r->said + had, out, n);
    r->said[had + n] = '\0';
    ck_assert(n == 0 || (n > 2 && memcmp(out + n - 2, "\r\n", 2) == 0));
    ck_assert_ptr_null(strstr(r->said, "DATA"));
    ck_assert(r->c.state != CLIENT_CLOSED || r->c.has_outcome);
    ck_assert(r->c.state != CLIENT_QUIT || r->c.has_outcome);
    if (r->c.has_outcome && r->c.outcome.failure == SMTP_FAILURE_NONE)
        ck_assert_uint_ge(r->c.outcome.reply.code, 200);
    else
        ck_assert(!r->c.has_outcome || r->c.outcome.reply.code == 0);
}

static void expect_said(struct rig *r, const char *line)
{
    char crlf[CLIENT_COMMAND_MAX];
    size_t n = (size_t)snprintf(crlf, sizeof(crlf), "%s\r\n", line);

    ck_assert_msg(strncmp(r->said, crlf, n) == 0, "expected '%s', said '%s'", line, r->said);
    memmove(r->said, r->said + n, strlen(r->said + n) + 1);
}

void rig_expect_outcome(const struct rig *r, const char *want)
{
    const struct outcome *o = &r->c.outcome;
    char have[64] = "none";

    if (r->c.has_outcome && o->failure == SMTP_FAILURE_NONE)
        snprintf(have, sizeof(have), "%s %u", smtp_stage_name(o->stage), (unsigned)o->reply.code);
    else if (r->c.has_outcome)
        snprintf(have, sizeof(have), "%s %s", smtp_stage_name(o->stage),
                 smtp_failure_name(o->failure));
    ck_assert_str_eq(have, want);
}

void rig_event(struct rig *r, const char *event)
{
    if (strcmp(event, "connected") == 0)
        client_connected(&r->c);
    else if (strcmp(event, "secured") == 0)
        client_secured(&r->c, "TLSv1.3");
    else if (strcmp(event, "tls failed") == 0)
        client_lost(&r->c, SMTP_FAILURE_TLS, "wrong version number");
    else if (strcmp(event, "eof") == 0)
        client_lost(&r->c, SMTP_FAILURE_CLOSED, "");
    else if (strcmp(event, "deadline") == 0)
        client_timeout(&r->c, "");
    else if (strcmp(event, "more") == 0)
        r->more = true;
    else if (strcmp(event, "ask") == 0 || strcmp(event, "ask anew") == 0)
        client_ask(&r->c, "", &rig_other, strcmp(event, "ask") != 0);
    else if (strcmp(event, "enough") == 0)
        client_quit(&r->c);
    else
        ck_abort_msg("no such event: %s", event);
    rig_step(r);
}

static void add_heard(char *heard, size_t size, const char *text)
{
    size_t have = strlen(heard), n = strlen(text);

    if (n > 0 && text[n - 1] == '\\')
        snprintf(heard + have, size - have, "%.*s", (int)(n - 1), text);
    else
        snprintf(heard + have, size - have, "%s\r\n", text);
}

void rig_run(struct rig *r, const char *const *script)
{
    char heard[8192] = "";

    for (bool more = true; more; script++) {
        size_t n = strlen(heard);

        more = *script != NULL;
        if (more && **script == '<') {
            ck_assert_str_eq(r->said, "");
            add_heard(heard, sizeof(heard), *script + 1);
            continue;
        }
        if (n > 0) {
            client_receive(&r->c, heard, n);
            rig_step(r);
            heard[0] = '\0';
        }
        if (more && **script == '>')
            expect_said(r, *script + 1);
        else if (more && **script == '=')
            rig_expect_outcome(r, *script + 1);
        else if (more)
            rig_event(r, *script + 1);
    }
    ck_assert_str_eq(r->said, "");
}
