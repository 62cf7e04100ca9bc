#include "frontend/milter_filter.h"

#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/netaddr.h"
#include "base/str.h"
#include "frontend/milter_socket.h"
#include "smtp/path.h"

#define TEXT_MAX 1024

/* Steps that are not wanted, and replies that nobody needs to wait for. */
#define STEPS \
    (SMFIP_NOHELO | SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN | \
     SMFIP_NR_CONN | SMFIP_NR_MAIL)

/* A connection of an MTA, with the message that is on it. */
struct milter_conn {
    char client[NETADDR_TEXT_MAX]; /* "" where it has no IP address */
    bool by_smtp;
    char sasl[TEXT_MAX];
    char certificate[TEXT_MAX];
    char sender[TEXT_MAX]; /* where MAIL came; one that is cut is no path, either */
    bool has_sender;
};

/* One RCPT, in the thread that waits for its decision. */
struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t decided;
    const struct decision *decision; /* NULL: not yet */
};

/* libmilter hands its callbacks nothing of ours but what belongs to a connection. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    const struct rcpt_env *env; /* NULL: nothing is decided about */
    const struct listen_spec *spec;
    unsigned busy;  /* recipients being decided about */
    unsigned early; /* those of them that were before milter_filter_stop() */
    bool stopping;
} filter = {.lock = PTHREAD_MUTEX_INITIALIZER, .quiet = PTHREAD_COND_INITIALIZER};

static const struct rcpt_env *enter(bool *early)
{
    const struct rcpt_env *env;

    pthread_mutex_lock(&filter.lock);
    env = filter.env;
    *early = !filter.stopping;
    filter.busy += env != NULL;
    filter.early += env != NULL && *early;
    pthread_mutex_unlock(&filter.lock);
    return env;
}

static void leave(bool early)
{
    pthread_mutex_lock(&filter.lock);
    filter.early -= early;
    if (--filter.busy == 0)
        pthread_cond_broadcast(&filter.quiet);
    pthread_mutex_unlock(&filter.lock);
}

void milter_filter_begin(const struct rcpt_env *env, const struct listen_spec *spec)
{
    pthread_mutex_lock(&filter.lock);
    filter.env = env;
    filter.spec = spec;
    pthread_mutex_unlock(&filter.lock);
}

void milter_filter_stop(void)
{
    pthread_mutex_lock(&filter.lock);
    filter.stopping = true;
    pthread_mutex_unlock(&filter.lock);
}

void milter_filter_end(void)
{
    pthread_mutex_lock(&filter.lock);
    filter.env = NULL;
    while (filter.busy > 0)
        pthread_cond_wait(&filter.quiet, &filter.lock);
    pthread_mutex_unlock(&filter.lock);
}

unsigned milter_filter_early(void)
{
    unsigned early;

    pthread_mutex_lock(&filter.lock);
    early = filter.early;
    pthread_mutex_unlock(&filter.lock);
    return early;
}

/* The value of a macro; "" where the MTA has not sent it. libmilter's prototype lacks a const. */
static const char *macro(SMFICTX *ctx, const char *name)
{
    const char *value = smfi_getsymval(ctx, (char *)name);

    return value != NULL ? value : "";
}

/* The connection's, made when it is first needed. NULL when out of memory. */
static struct milter_conn *connection(SMFICTX *ctx)
{
    struct milter_conn *c = smfi_getpriv(ctx);

    if (c != NULL)
        return c;
    c = calloc(1, sizeof(*c));
    if (c == NULL || smfi_setpriv(ctx, c) != MI_SUCCESS) {
        log_error("milter: out of memory");
        free(c);
        return NULL;
    }
    c->by_smtp = true;
    return c;
}

/* Which macros are read, and where. An MTA that cannot be told sends those it was configured to. */
static void ask_for_macros(SMFICTX *ctx)
{
    static const struct {
        int stage;
        const char *names;
    } wanted[] = {
        {SMFIM_CONNECT, "{client_addr}"},
        {SMFIM_ENVFROM, "{auth_authen} {cert_subject} {verify} i"},
        {SMFIM_ENVRCPT, "{rcpt_mailer} {rcpt_addr} i"},
        {SMFIM_EOM, "i"},
    };
    char names[128];

    for (size_t n = 0; n < sizeof(wanted) / sizeof(wanted[0]); n++) {
        (void)str_copy(names, sizeof(names), wanted[n].names);
        (void)smfi_setsymlist(ctx, wanted[n].stage, names);
    }
}

/* Of the flags that tell an MTA what not to send only those that it knows are sent back. */
static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *wanted_actions, unsigned long *wanted_steps,
                             unsigned long *none2, unsigned long *none3)
{
    (void)unused2;
    (void)unused3;
    *wanted_actions = actions & SMFIF_SETSYMLIST;
    *wanted_steps = steps & STEPS;
    *none2 = *none3 = 0;
    if (*wanted_actions != 0)
        ask_for_macros(ctx);
    return SMFIS_CONTINUE;
}

static unsigned port_of(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)sa)->sin_port;
    return ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port;
}

/*
 * Mail that Postfix takes from sendmail(1) or qmqp for non_smtpd_milters comes from "localhost",
 * 127.0.0.1, port 0: MILTER_README and cleanup(8) have it so. There a refused recipient is no reply
 * to anybody, but mail that sticks.
 */
static bool is_by_smtp(const char *host, const struct netaddr *ip, unsigned port)
{
    return port != 0 || strcmp(host, "localhost") != 0 || netaddr_scope(ip) != NETADDR_LOOPBACK;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *from)
{
    struct milter_conn *c = connection(ctx);
    const struct sockaddr *sa = (const struct sockaddr *)from;
    struct netaddr ip;

    if (c == NULL)
        return SMFIS_NOREPLY;
    if (sa != NULL && netaddr_from_sockaddr(sa, &ip)) {
        (void)netaddr_format(&ip, c->client);
        c->by_smtp = is_by_smtp(host, &ip, port_of(sa));
    } else {
        (void)str_copy(c->client, sizeof(c->client), macro(ctx, "{client_addr}"));
    }
    return SMFIS_NOREPLY;
}

/* A certificate counts where it was verified: Sendmail says so in {verify}, and Postfix has no
   {cert_subject} else. */
static const char *certificate(SMFICTX *ctx)
{
    const char *verify = macro(ctx, "{verify}");

    return verify[0] == '\0' || strcmp(verify, "OK") == 0 ? macro(ctx, "{cert_subject}") : "";
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    struct milter_conn *c = connection(ctx);

    if (c == NULL)
        return SMFIS_NOREPLY;
    (void)str_copy(c->sasl, sizeof(c->sasl), macro(ctx, "{auth_authen}"));
    (void)str_copy(c->certificate, sizeof(c->certificate), certificate(ctx));
    (void)str_copy(c->sender, sizeof(c->sender), argv[0]);
    c->has_sender = true;
    return SMFIS_NOREPLY;
}

/* Recipients that the MTA takes, refuses or drops by itself, as it calls that. A route counts more:
   whoever made one wants its recipients asked about. */
static bool is_of_the_mta(const char *mailer)
{
    static const char *const mailers[] = {"local", "virtual", "error", "discard", "prog", "*file*"};

    for (size_t i = 0; i < sizeof(mailers) / sizeof(mailers[0]); i++)
        if (strcasecmp(mailer, mailers[i]) == 0)
            return true;
    return false;
}

static void on_decision(void *arg, const struct decision *d)
{
    struct waiting *w = arg;

    pthread_mutex_lock(&w->lock);
    w->decision = d;
    pthread_cond_signal(&w->decided);
    pthread_mutex_unlock(&w->lock);
}

/* The decision, in `r`, comes within the longest wait: see rcpt_decide(). */
static const struct decision *decide(const struct rcpt_env *env, struct rcpt *r)
{
    struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};
    const struct decision *d = rcpt_decide(r, env, verifier_loop(env->verifier), on_decision, &w);

    if (d != NULL)
        return d;
    milter_socket_knock(filter.spec);
    pthread_mutex_lock(&w.lock);
    while (w.decision == NULL)
        pthread_cond_wait(&w.decided, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.decided);
    pthread_mutex_destroy(&w.lock);
    return w.decision;
}

/* A percent sign in a reply is doubled: Sendmail takes the text for a format, and Postfix follows
   it there. */
static void double_percent(const char *text, char *out, size_t size)
{
    size_t used = 0;

    for (; *text != '\0' && used + 2 < size; text++) {
        if (*text == '%')
            out[used++] = '%';
        out[used++] = *text;
    }
    out[used] = '\0';
}

static sfsistat reply(SMFICTX *ctx, const struct decision *d)
{
    char code[8], enhanced[sizeof(d->enhanced)], text[2 * sizeof(d->text)];

    if (d->action == ACTION_ACCEPT)
        return SMFIS_CONTINUE;
    (void)str_format(code, sizeof(code), "%u", d->code);
    (void)str_copy(enhanced, sizeof(enhanced), d->enhanced);
    double_percent(d->text, text, sizeof(text));
    if (smfi_setreply(ctx, code, enhanced, text) != MI_SUCCESS)
        log_error("milter: libmilter does not take the reply: %s %s %s", code, enhanced, text);
    return d->action == ACTION_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

/*
 * What the client has written, or where that is no address, what the MTA makes of it. MTAs take
 * more than the grammar has, as in <bob (Bob)@example.org>, and some go by a domain inside of
 * quotes, as in <"bob@example.org">.
 */
static enum path_kind read_recipient(SMFICTX *ctx, const char *text, struct address *out)
{
    const char *why, *made;
    enum path_kind kind = path_parse(text, strlen(text), out, &why);
    struct address other;

    if ((kind != PATH_BAD && kind != PATH_LOCAL) || strchr(text, '@') == NULL)
        return kind;
    made = macro(ctx, "{rcpt_addr}");
    /* Postfix quotes it as on the wire, Sendmail does not. */
    if (path_parse(made, strlen(made), &other, &why) != PATH_ADDRESS &&
        (strchr(made, '@') == NULL || !address_from_internal(made, strlen(made), &other, &why)))
        return kind;
    *out = other;
    return PATH_ADDRESS;
}

static enum path_kind read_sender(const char *text, struct address *out)
{
    const char *why;

    return path_parse(text, strlen(text), out, &why);
}

static sfsistat answer(SMFICTX *ctx, const struct rcpt_env *env, const char *text)
{
    struct milter_conn *c = connection(ctx);
    struct address address;
    struct rcpt r = {.queue_id = macro(ctx, "i")};
    char inside[TEXT_MAX];
    const char *from = text;
    size_t len;
    enum path_kind kind = read_recipient(ctx, text, &address);

    if (c == NULL || kind == PATH_LOCAL || kind == PATH_NULL)
        return SMFIS_CONTINUE;
    len = path_inside(&from, strlen(from));
    (void)str_copyn(inside, sizeof(inside), from, len);
    r.text = inside;
    r.client = (struct mail_client){c->sasl, c->certificate, c->client};
    r.unrefusable = !c->by_smtp;
    r.own = is_of_the_mta(macro(ctx, "{rcpt_mailer}"));
    r.sender = c->has_sender ? c->sender : NULL;
    r.read_sender = read_sender;
    r.address = kind == PATH_ADDRESS ? &address : NULL;
    r.domain = address.domain;
    return reply(ctx, decide(env, &r));
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
    bool early;
    const struct rcpt_env *env = enter(&early);
    sfsistat status;

    if (env == NULL)
        return SMFIS_CONTINUE;
    status = answer(ctx, env, argv[0]);
    leave(early);
    return status;
}

static sfsistat on_close(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    (void)smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

bool milter_filter_register(struct error *err)
{
    static char name[] = "calloutd";
    struct smfiDesc desc = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_SETSYMLIST,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    if (smfi_register(desc) == MI_SUCCESS)
        return true;
    error_set(err, "milter: libmilter does not take the filter");
    return false;
}
