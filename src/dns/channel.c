/* From 1.34 on ares_query() is marked deprecated; what replaces it is not in 1.18. */
#define CARES_NO_DEPRECATED

#include "dns/channel.h"

#include <ares.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define TRY_MS_DEFAULT 2000
#define TRY_MS_LEAST   250 /* 1.34 waits no shorter for a server */
#define CSV_SIZE       (RESOLVER_SERVERS_MAX * (NETADDR_TEXT_MAX + sizeof("[]:65535,")))

#define WATCHES_MAX 64 /* c-ares has one UDP and one TCP socket a server */

/*
 * Since 1.31 c-ares shortens the wait for a server by how quick it has been, to no less than 250 ms
 * and doubling from there, which tells nothing of a question that must be looked up far away: more
 * tries make up for it.
 */
#if ARES_VERSION >= 0x011f00
#define TRIES 6
#else
#define TRIES 3
#endif

/*
 * A channel of c-ares. Two are needed to know a refusal to answer from silence. The checked one
 * goes on to the next server after a SERVFAIL or REFUSED, but 1.18 then reports ECONNREFUSED in the
 * end; the plain one hands over what the first server to answer says. With several servers the
 * checked one is asked first, and the plain one where that ended so; with one server the plain one.
 */
struct side {
    struct loop *loop;
    ares_channel ares;
    struct loop_timer *timer;           /* armed whenever anything is pending, */
    int64_t due;                        /* and when it fires, clock_mono_ms */
    struct event *watches[WATCHES_MAX]; /* sockets c-ares wants to know about */
};

enum { CHECKED, PLAIN, SIDES };

struct dns_channel {
    struct side sides[SIDES];
    bool several;
    size_t pending;
};

struct ask {
    struct dns_channel *channel;
    char name[DNS_NAME_SIZE];
    enum dns_type type;
    int side; /* that is being asked */
    dns_channel_cb cb;
    void *arg;
};

static void timer_arm(struct side *s, int64_t ms)
{
    s->due = clock_mono_ms() + ms;
    loop_timer_arm(s->timer, ms);
}

static void timer_adjust(struct side *s)
{
    struct timeval tv, *next = ares_timeout(s->ares, NULL, &tv);
    int64_t ms;

    if (next == NULL)
        return;
    ms = (int64_t)next->tv_sec * 1000 + next->tv_usec / 1000;
    timer_arm(s, ms + 1); /* c-ares cuts to whole milliseconds */
}

/*
 * After a question was sent or answered. ares_timeout() walks all questions, so it is not asked
 * each time, but at the soonest that any of them can be due.
 */
static void timer_ensure(struct side *s)
{
    if (!loop_timer_armed(s->timer) || s->due > clock_mono_ms() + TRY_MS_LEAST)
        timer_arm(s, TRY_MS_LEAST);
}

static void on_timer(void *arg)
{
    struct side *s = arg;
    struct timeval tv;

    ares_process_fd(s->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (ares_timeout(s->ares, NULL, &tv) == NULL) /* 1.34 closes a socket only when it next looks */
        ares_process_fd(s->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    timer_adjust(s);
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct side *s = arg;

    ares_process_fd(s->ares, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    timer_ensure(s);
}

/* The watch of a socket, or with -1 a free one. NULL: there is none. */
static struct event **watch_find(struct side *s, ares_socket_t fd)
{
    for (size_t i = 0; i < WATCHES_MAX; i++)
        if ((s->watches[i] != NULL ? event_get_fd(s->watches[i]) : -1) == fd)
            return &s->watches[i];
    return NULL;
}

static void watch_drop(struct event **w)
{
    if (*w != NULL)
        event_free(*w);
    *w = NULL;
}

/*
 * c-ares says what it wants of a socket; neither means it is about to be closed. Without memory
 * for the event its answer is not seen, and the timer ends the question as a timeout.
 */
static void on_sock_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct side *s = arg;
    struct event **w = watch_find(s, fd);
    int what = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

    if (w != NULL)
        watch_drop(w);
    else
        w = watch_find(s, -1);
    if (what == 0 || w == NULL)
        return;
    *w = event_new(loop_base(s->loop), fd, (short)(what | EV_PERSIST), on_socket, s);
    if (*w != NULL && event_add(*w, NULL) != 0)
        watch_drop(w);
}

int dns_channel_try_ms(const struct resolver_opts *opts)
{
    return opts->try_ms > 0 ? opts->try_ms : TRY_MS_DEFAULT;
}

const char *dns_channel_conf_path(const struct resolver_opts *opts)
{
    return opts->resolv_conf[0] != '\0' ? opts->resolv_conf : "/etc/resolv.conf";
}

/* "192.0.2.53:53,[2001:db8::53]:53" */
static void servers_csv(const struct resolver_opts *opts, char csv[CSV_SIZE])
{
    char ip[NETADDR_TEXT_MAX];
    size_t used = 0;

    csv[0] = '\0';
    for (size_t i = 0; i < opts->server_count; i++) {
        const struct resolver_server *s = &opts->servers[i];
        bool v6 = s->ip.family == AF_INET6;

        str_format(csv + used, CSV_SIZE - used, "%s%s%s%s:%u", i > 0 ? "," : "", v6 ? "[" : "",
                   netaddr_format(&s->ip, ip), v6 ? "]" : "", s->port);
        used += strlen(csv + used);
    }
}

static int ares_start(struct side *s, const struct resolver_opts *opts, int flags)
{
    static char nowhere[] = "/dev/null"; /* named servers do not depend on resolv.conf */
    char path[sizeof(opts->resolv_conf)];
    struct ares_options o = {.flags = flags,
                             .timeout = dns_channel_try_ms(opts),
                             .tries = TRIES,
                             .udp_port = opts->port,
                             .tcp_port = opts->port,
                             .sock_state_cb = on_sock_state,
                             .sock_state_cb_data = s};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
               ARES_OPT_RESOLVCONF;

    str_copy(path, sizeof(path), dns_channel_conf_path(opts));
    o.resolvconf_path = opts->server_count > 0 ? nowhere : path;
    if (opts->port != 0)
        mask |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
#ifdef ARES_OPT_MAXTIMEOUTMS
    mask |= ARES_OPT_MAXTIMEOUTMS;
    o.maxtimeout = o.timeout;
#endif
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* with 0: off, there is a better one above */
#endif
    return ares_init_options(&s->ares, &o, mask);
}

static int side_open(struct side *s, struct loop *loop, const struct resolver_opts *opts, int flags)
{
    char csv[CSV_SIZE];
    int rc;

    s->loop = loop;
    s->timer = loop_timer_new(loop, on_timer, s);
    if (s->timer == NULL)
        return ARES_ENOMEM;
    rc = ares_start(s, opts, flags);
    if (rc != ARES_SUCCESS || opts->server_count == 0)
        return rc;
    servers_csv(opts, csv);
    return ares_set_servers_ports_csv(s->ares, csv);
}

static void side_close(struct side *s)
{
    if (s->ares != NULL)
        ares_destroy(s->ares);
    s->ares = NULL;
    for (size_t i = 0; i < WATCHES_MAX; i++)
        watch_drop(&s->watches[i]);
    loop_timer_free(&s->timer);
}

static bool several_servers(ares_channel ares)
{
    struct ares_addr_node *servers = NULL;
    bool several;

    if (ares_get_servers(ares, &servers) != ARES_SUCCESS)
        return true;
    several = servers != NULL && servers->next != NULL;
    ares_free_data(servers);
    return several;
}

bool dns_channel_open(struct dns_channel **cp, struct loop *loop, const struct resolver_opts *opts,
                      struct error *err)
{
    struct dns_channel *c = calloc(1, sizeof(*c));
    int rc = ARES_ENOMEM;

    *cp = c;
    if (c != NULL)
        rc = side_open(&c->sides[PLAIN], loop, opts, ARES_FLAG_NOCHECKRESP);
    if (rc == ARES_SUCCESS)
        c->several = several_servers(c->sides[PLAIN].ares);
    if (rc == ARES_SUCCESS && c->several)
        rc = side_open(&c->sides[CHECKED], loop, opts, 0);
    if (rc == ARES_SUCCESS)
        return true;
    error_set(err, "c-ares does not start: %s", ares_strerror(rc));
    dns_channel_close(cp);
    return false;
}

static enum dns_status status_of(int rc)
{
    switch (rc) {
    case ARES_ENOTFOUND: /* without a message: c-ares itself refuses .onion (RFC 7686) */
    case ARES_EBADNAME:  /* no name the DNS can hold */
        return DNS_NXDOMAIN;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED: /* also: no route to any server */
        return DNS_TIMEOUT;
    case ARES_ENOMEM:
        return DNS_LOCAL;
    default:
        return DNS_SERVFAIL;
    }
}

static void ask_send(struct ask *a);

static void on_answer(void *arg, int rc, int timeouts, unsigned char *msg, int len)
{
    struct ask *a = arg;

    (void)timeouts;
    if (a->side == CHECKED && rc == ARES_ECONNREFUSED) {
        a->side = PLAIN;
        ask_send(a);
        return;
    }
    a->channel->pending--;
    if (rc != ARES_SUCCESS && rc != ARES_ENODATA && rc != ARES_ENOTFOUND)
        msg = NULL;
    a->cb(a->arg, status_of(rc), msg, msg != NULL && len > 0 ? (size_t)len : 0);
    free(a);
}

/* May end in on_answer() at once. */
static void ask_send(struct ask *a)
{
    struct side *s = &a->channel->sides[a->side];

    ares_query(s->ares, a->name[0] != '\0' ? a->name : ".", 1 /* IN */, dns_type_number(a->type),
               on_answer, a);
    timer_ensure(s);
}

void dns_channel_ask(struct dns_channel *c, const char *name, enum dns_type type, dns_channel_cb cb,
                     void *arg)
{
    struct ask *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        cb(arg, DNS_LOCAL, NULL, 0);
        return;
    }
    a->channel = c;
    str_copy(a->name, sizeof(a->name), name);
    a->type = type;
    a->side = c->several ? CHECKED : PLAIN;
    a->cb = cb;
    a->arg = arg;
    c->pending++;
    ask_send(a);
}

size_t dns_channel_pending(const struct dns_channel *c)
{
    return c->pending;
}

void dns_channel_close(struct dns_channel **cp)
{
    struct dns_channel *c = *cp;

    if (c == NULL)
        return;
    side_close(&c->sides[CHECKED]);
    side_close(&c->sides[PLAIN]);
    free(c);
    *cp = NULL;
}
