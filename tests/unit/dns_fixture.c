#include "dns_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_SIZE 4096
#define NAME_SIZE    1024

struct fixture {
    struct loop *loop;
    struct netaddr ip;
    uint16_t port;
    struct fixture_rule *rules;
    int udp;
    struct event *udp_ev;
    struct evconnlistener *tcp;
    struct bufferevent *clients[16];
    size_t client_count;
    unsigned asked;
};

struct writer {
    uint8_t *buf;
    size_t used, size;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    ck_assert_uint_le(w->used + len, w->size);
    memcpy(w->buf + w->used, bytes, len);
    w->used += len;
}

static void put16(struct writer *w, unsigned v)
{
    uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

    put(w, b, 2);
}

static void put32(struct writer *w, uint32_t v)
{
    put16(w, v >> 16);
    put16(w, v & 0xffff);
}

/* One label of a name in text, with \DDD escapes; returns what follows its dot. */
static const char *put_label(struct writer *w, const char *text)
{
    size_t at = w->used;
    uint8_t byte = 0;

    put(w, &byte, 1);
    for (; *text != '\0' && *text != '.'; text++) {
        byte = (uint8_t)*text;
        if (*text == '\\') {
            byte = (uint8_t)((text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0'));
            text += 3;
        }
        put(w, &byte, 1);
    }
    w->buf[at] = (uint8_t)(w->used - at - 1);
    return *text == '.' ? text + 1 : text;
}

static void put_name(struct writer *w, const char *text)
{
    static const uint8_t root;

    while (*text != '\0' && strcmp(text, ".") != 0)
        text = put_label(w, text);
    put(w, &root, 1);
}

static void put_rdata(struct writer *w, const struct fixture_rr *rr)
{
    struct netaddr ip;

    switch (rr->type) {
    case RR_A:
    case RR_AAAA:
        ck_assert(netaddr_parse(rr->data, &ip));
        put(w, ip.bytes, ip.family == AF_INET ? 4 : 16);
        break;
    case RR_MX:
        put16(w, rr->number);
        put_name(w, rr->data);
        break;
    case RR_SOA:
        put_name(w, "ns.test");
        put_name(w, "hostmaster.test");
        for (int i = 0; i < 4; i++)
            put32(w, 1);
        put32(w, rr->number);
        break;
    default:
        put_name(w, rr->data);
    }
}

static unsigned put_section(struct writer *w, const struct fixture_rule *rule, bool authority)
{
    unsigned count = 0;

    for (size_t i = 0; i < FIXTURE_RRS && rule->rrs[i].owner != NULL; i++) {
        const struct fixture_rr *rr = &rule->rrs[i];
        size_t at;

        if (rr->authority != authority)
            continue;
        put_name(w, rr->owner);
        put16(w, rr->type);
        put16(w, 1);
        put32(w, rr->ttl);
        at = w->used;
        put16(w, 0);
        put_rdata(w, rr);
        w->buf[at] = (uint8_t)((w->used - at - 2) >> 8);
        w->buf[at + 1] = (uint8_t)(w->used - at - 2);
        count++;
    }
    return count;
}

size_t fixture_message(const struct fixture_rule *rule, uint16_t id, uint8_t *buf, size_t size)
{
    struct writer w = {buf, 0, size};
    unsigned answers, authorities;

    put16(&w, id);
    put16(&w, 0x8100U | (rule->not_recursive ? 0 : 0x80U) | (unsigned)rule->rcode);
    put16(&w, 1);
    put32(&w, 0);
    put16(&w, 0);
    put_name(&w, rule->name);
    put16(&w, dns_type_number(rule->type));
    put16(&w, 1);
    answers = put_section(&w, rule, false);
    authorities = put_section(&w, rule, true);
    buf[7] = (uint8_t)answers;
    buf[9] = (uint8_t)authorities;
    return w.used;
}

/* The name of the one question as text, folded. Returns where the type is. */
static size_t question_name(const uint8_t *query, size_t len, char name[NAME_SIZE])
{
    size_t at = 12, used = 0;

    while (at < len && query[at] != 0) {
        for (size_t n = query[at++]; n > 0 && at < len; n--, at++)
            name[used++] = (char)(query[at] | (query[at] >= 'A' && query[at] <= 'Z' ? 0x20 : 0));
        name[used++] = '.';
    }
    name[used > 0 ? used - 1 : 0] = '\0';
    ck_assert_uint_le(at + 5, len);
    return at + 1;
}

static struct fixture_rule *rule_find(struct fixture *f, const char *name, unsigned type)
{
    for (struct fixture_rule *r = f->rules; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0 && dns_type_number(r->type) == type)
            return r;
    return NULL;
}

static size_t reply_unknown(const char *name, unsigned type, uint16_t id, uint8_t *out)
{
    struct fixture_rule rule = {.name = name, .rcode = RCODE_NXDOMAIN};

    rule.type = type == RR_MX ? DNS_MX : type == RR_A ? DNS_A : type == RR_NS ? DNS_NS : DNS_AAAA;
    rule.rrs[0] = (struct fixture_rr)SOA("test", 60, 60);
    return fixture_message(&rule, id, out, MESSAGE_SIZE);
}

/* Returns the length of the reply; 0: none. */
static size_t reply(struct fixture *f, const uint8_t *query, size_t len, bool tcp, uint8_t *out)
{
    char name[NAME_SIZE];
    size_t at = question_name(query, len, name), used;
    unsigned type = (unsigned)(query[at] << 8 | query[at + 1]);
    uint16_t id = (uint16_t)(query[0] << 8 | query[1]);
    struct fixture_rule *rule = rule_find(f, name, type);

    f->asked++;
    if (rule == NULL)
        return reply_unknown(name, type, id, out);
    rule->asked++;
    rule->asked_tcp += tcp;
    if (rule->asked <= rule->drop)
        return 0;
    used = fixture_message(rule, id, out, MESSAGE_SIZE);
    if (rule->asked <= rule->drop + rule->garbage) {
        memset(out + 2, 0xc1, used - 2);
    } else if (rule->truncate && !tcp) {
        out[2] |= 2;
        out[7] = 0;
        used = at + 4;
    }
    return used;
}

/* False when nothing is waiting to be read. */
static bool udp_serve(struct fixture *f)
{
    uint8_t in[MESSAGE_SIZE], out[MESSAGE_SIZE];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof(from);
    ssize_t len = recvfrom(f->udp, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);
    size_t used;

    if (len < 0)
        return false;
    ck_assert_int_gt(len, 12);
    used = reply(f, in, (size_t)len, false, out);
    if (used > 0)
        ck_assert_int_eq(sendto(f->udp, out, used, 0, (struct sockaddr *)&from, from_len),
                         (ssize_t)used);
    return true;
}

static void on_udp(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    while (udp_serve(arg)) {
    }
}

static void on_tcp_read(struct bufferevent *bev, void *arg)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    uint8_t query[MESSAGE_SIZE], out[MESSAGE_SIZE + 2];
    size_t len, used;

    while (evbuffer_copyout(in, query, 2) == 2) {
        len = (size_t)(query[0] << 8 | query[1]);
        ck_assert_uint_le(len + 2, sizeof(query));
        if (evbuffer_get_length(in) < len + 2)
            return;
        evbuffer_remove(in, query, len + 2);
        used = reply(arg, query + 2, len, true, out + 2);
        out[0] = (uint8_t)(used >> 8);
        out[1] = (uint8_t)used;
        if (used > 0)
            bufferevent_write(bev, out, used + 2);
    }
}

static void on_tcp_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa,
                          int sa_len, void *arg)
{
    struct fixture *f = arg;
    struct bufferevent *bev =
        bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);

    (void)sa;
    (void)sa_len;
    ck_assert_ptr_nonnull(bev);
    ck_assert_uint_lt(f->client_count, 16);
    f->clients[f->client_count++] = bev;
    bufferevent_setcb(bev, on_tcp_read, NULL, NULL, f);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void listen_udp(struct fixture *f)
{
    struct sockaddr_storage sa;
    socklen_t len = netaddr_to_sockaddr(&f->ip, f->port, &sa);

    f->udp = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(f->udp, 0);
    ck_assert_int_eq(bind(f->udp, (struct sockaddr *)&sa, len), 0);
    ck_assert_int_eq(getsockname(f->udp, (struct sockaddr *)&sa, &len), 0);
    f->port = ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
                                            : ((struct sockaddr_in6 *)&sa)->sin6_port);
}

/* False when the port that UDP was given is not free for TCP. */
static bool listen_tcp(struct fixture *f)
{
    struct sockaddr_storage sa;
    socklen_t len = netaddr_to_sockaddr(&f->ip, f->port, &sa);

    f->tcp = evconnlistener_new_bind(loop_base(f->loop), on_tcp_accept, f,
                                     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 8,
                                     (struct sockaddr *)&sa, (int)len);
    return f->tcp != NULL;
}

struct fixture *fixture_new(struct loop *loop, const char *ip, uint16_t port,
                            struct fixture_rule *rules)
{
    struct fixture *f = calloc(1, sizeof(*f));

    ck_assert_ptr_nonnull(f);
    f->loop = loop;
    f->rules = rules;
    for (struct fixture_rule *r = rules; r->name != NULL; r++)
        r->asked = r->asked_tcp = 0;
    ck_assert(netaddr_parse(ip, &f->ip));
    for (int tries = 0; f->tcp == NULL; tries++) {
        ck_assert_int_lt(tries, 20);
        f->port = port;
        listen_udp(f);
        if (!listen_tcp(f))
            close(f->udp);
    }
    f->udp_ev = event_new(loop_base(loop), f->udp, EV_READ | EV_PERSIST, on_udp, f);
    ck_assert_ptr_nonnull(f->udp_ev);
    event_add(f->udp_ev, NULL);
    return f;
}

uint16_t fixture_port(const struct fixture *f)
{
    return f->port;
}

unsigned fixture_asked(const struct fixture *f)
{
    return f->asked;
}

void fixture_free(struct fixture **fp)
{
    struct fixture *f = *fp;

    if (f == NULL)
        return;
    for (size_t i = 0; i < f->client_count; i++)
        bufferevent_free(f->clients[i]);
    evconnlistener_free(f->tcp);
    event_free(f->udp_ev);
    close(f->udp);
    free(f);
    *fp = NULL;
}

struct resolver_opts fixture_opts(const struct fixture *f)
{
    struct resolver_opts o = {.server_count = 1};

    o.servers[0] = (struct resolver_server){f->ip, f->port};
    return o;
}
