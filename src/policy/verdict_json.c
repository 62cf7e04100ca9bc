#include "policy/verdict_json.h"

#include <string.h>

#include "base/rfc3339.h"
#include "base/str.h"

static void set_text(json_t *o, const char *key, const char *text)
{
    char safe[1024];

    if (text == NULL || text[0] == '\0')
        return;
    str_printable(safe, sizeof(safe), text, strlen(text));
    (void)json_object_set_new(o, key, json_string(safe));
}

/* What was asked about, in its own script: else it could not be found again. */
static void set_address(json_t *o, const char *key, const char *text)
{
    char safe[1024];

    if (text == NULL)
        return;
    str_readable(safe, sizeof(safe), text, strlen(text));
    (void)json_object_set_new(o, key, json_string(safe));
}

static void set_canonical(json_t *o, const struct policy_opts *opts, const struct address *a)
{
    struct address key;

    if (a == NULL)
        return;
    key = *a;
    if (!opts->fold_local_part)
        address_keep_case(&key);
    set_address(o, "canonical", key.canonical);
}

void verdict_json_time(json_t *o, const char *key, int64_t at)
{
    char text[RFC3339_SIZE];

    if (at != 0)
        set_text(o, key, rfc3339_format(at, text));
}

static void set_flags(json_t *o, const struct address *a)
{
    json_t *flags = json_array();
    unsigned set = a != NULL ? address_flags(a) : 0;

    for (int f = 0; f < ADDRESS_FLAG_COUNT; f++)
        if ((set & (1U << f)) != 0)
            (void)json_array_append_new(flags,
                                        json_string(address_flag_name((enum address_flag)f)));
    (void)json_object_set_new(o, "flags", flags);
}

/* Of a recipient: nobody asks here about a sender. */
static void set_actions(json_t *o, const struct policy_opts *opts, const struct address *a,
                        const struct verdict *v)
{
    static const enum mail_class classes[] = {CLASS_OUTBOUND, CLASS_INBOUND};
    struct decision_about about = {.address = a};
    json_t *actions = json_object();
    struct decision d;

    if (a != NULL)
        about.route = route_find(opts->routes, a->domain);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        about.mail_class = classes[i];
        decision_make(&opts->decision, &about, v, &d);
        set_text(actions, mail_class_name(classes[i]), action_name(d.would));
    }
    (void)json_object_set_new(o, "action", actions);
}

static void set_reply(json_t *o, const struct evidence *ev)
{
    json_t *reply = json_object();
    char enhanced[16];

    set_text(reply, "stage", smtp_stage_name(ev->stage));
    if (ev->code != 0)
        (void)json_object_set_new(reply, "code", json_integer(ev->code));
    else
        set_text(reply, "failure", smtp_failure_name(ev->failure));
    if (ev->enhanced.cls != 0) {
        (void)str_format(enhanced, sizeof(enhanced), "%u.%u.%u", ev->enhanced.cls,
                         ev->enhanced.subject, ev->enhanced.detail);
        set_text(reply, "enhanced", enhanced);
    }
    set_text(reply, "text", ev->text);
    set_text(reply, "rule", ev->rule);
    (void)json_object_set_new(o, "reply", reply);
}

static void set_evidence(json_t *o, const struct verdict *v)
{
    const struct evidence *ev = &v->evidence;
    char ip[NETADDR_TEXT_MAX];

    if (ev->mx[0] == '\0' && ev->ip.family == AF_UNSPEC) { /* the DNS alone has spoken */
        set_text(o, "detail", ev->text);
        return;
    }
    set_reply(o, ev);
    set_text(o, "mx", ev->mx);
    set_text(o, "ip", netaddr_format(&ev->ip, ip));
    set_text(o, "tls", ev->tls);
    set_text(o, "provider", ev->provider);
    if (ev->catch_all != CATCH_ALL_UNTESTED)
        set_text(o, "catch_all", catch_all_fact_name(ev->catch_all));
}

json_t *verdict_json(const struct policy_opts *opts, const char *asked,
                     const struct address *address, const char *detail, const struct verdict *v)
{
    json_t *o = json_object();

    set_address(o, "address", asked);
    set_canonical(o, opts, address);
    set_text(o, "status", verdict_status_name(v->status));
    set_text(o, "reason", verdict_reason_name(v->reason));
    set_flags(o, address);
    set_actions(o, opts, address, v);
    if (v->has_evidence)
        set_evidence(o, v);
    set_text(o, "detail", detail);
    set_text(o, "source", verdict_source_name(v->source));
    verdict_json_time(o, "probed_at", v->probed_at);
    verdict_json_time(o, "refresh_at", v->refresh_at);
    verdict_json_time(o, "expires_at", v->expires_at);
    (void)json_object_set_new(o, "ms", json_integer(v->ms));
    return o;
}
