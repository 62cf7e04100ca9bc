#include "frontend/control_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/log.h"
#include "base/str.h"
#include "cache/forget.h"
#include "cache/key.h"

/*
 * Which entries are meant
 */

static unsigned how_often(const struct evkeyvalq *params, const char *name)
{
    const struct evkeyval *p;
    unsigned count = 0;

    for (p = TAILQ_FIRST(params); p != NULL; p = TAILQ_NEXT(p, next))
        count += strcmp(p->key, name) == 0;
    return count;
}

static bool read_address(const char *text, struct cache_filter *filter, struct error *err)
{
    const char *why;

    filter->is_address = address_parse(text, strlen(text), &filter->address, &why);
    if (!filter->is_address)
        error_set(err, "address: %s", why);
    return filter->is_address;
}

static bool read_domain(const char *text, struct cache_filter *filter, struct error *err)
{
    const char *why;
    bool ok = address_domain_parse(text, strlen(text), filter->domain, &why);

    if (!ok)
        error_set(err, "domain: %s", why);
    return ok;
}

static bool read_destination(const char *text, struct cache_filter *filter, struct error *err)
{
    bool ok = destination_name_valid(text) &&
              str_copy(filter->destination, sizeof(filter->destination), text);

    if (!ok)
        error_set(err, "destination: mx/NAME, provider/NAME, ip/ADDRESS, unix/PATH or domain/NAME "
                       "is wanted");
    return ok;
}

bool control_cache_parameters(struct evhttp_request *rq, const char *const *known,
                              struct evkeyvalq *params, struct cache_filter *filter,
                              struct error *err)
{
    const char *address, *domain, *destination;

    memset(filter, 0, sizeof(*filter));
    if (!control_parameters(rq, params)) {
        error_set(err, "the parameters cannot be read");
        return false;
    }
    if (!control_only_known(params, known, err))
        return false;
    if (how_often(params, "address") + how_often(params, "domain") +
            how_often(params, "destination") >
        1) {
        error_set(err, "one address, one domain or one destination is wanted, not several");
        return false;
    }
    address = evhttp_find_header(params, "address");
    domain = evhttp_find_header(params, "domain");
    destination = evhttp_find_header(params, "destination");
    return (address == NULL || read_address(address, filter, err)) &&
           (domain == NULL || read_domain(domain, filter, err)) &&
           (destination == NULL || read_destination(destination, filter, err));
}

/*
 * Forgetting
 */

struct forgetting {
    struct control_wait wait;
    struct cache_filter filter;
    bool ok;
    uint64_t count;
};

static void forgetting_free(struct control_wait *w)
{
    free(w);
}

/* The engine, too: else it would go by what it has in memory. */
static void reread(struct verifier *v, const struct cache_filter *what)
{
    struct cache_key keys[CACHE_KEYS_MAX];
    unsigned count = what->is_address ? cache_keys(&what->address, keys) : 0;

    for (unsigned i = 0; i < count; i++)
        verifier_reread(v, STORE_TABLE_DUE, keys[i].bytes, keys[i].len);
    if (what->destination[0] != '\0')
        verifier_reread(v, STORE_TABLE_DESTINATION, what->destination, strlen(what->destination));
    else if (!what->is_address)
        verifier_reread_domain(v, what->domain);
}

static void tell(const struct forgetting *f)
{
    const struct cache_filter *what = &f->filter;
    const char *name = what->is_address ? what->address.canonical : what->domain;
    char safe[DESTINATION_NAME_SIZE + ADDRESS_TEXT_SIZE];

    if (what->destination[0] != '\0')
        name = what->destination;
    str_readable(safe, sizeof(safe), name, strlen(name));
    if (f->ok)
        log_info("cache: forgot %llu record%s of %s", (unsigned long long)f->count,
                 f->count == 1 ? "" : "s", safe);
    else
        log_error("cache: %s is not forgotten, or not all of it: the store failed", safe);
}

static void answer(void *arg)
{
    struct forgetting *f = arg;

    tell(f);
    reread(f->wait.control->fe->rcpt.verifier, &f->filter);
    if (f->ok)
        control_wait_answer(&f->wait, HTTP_OK, "OK",
                            json_pack("{s:I}", "forgotten", (json_int_t)f->count));
    else
        control_wait_answer(&f->wait, HTTP_SERVUNAVAIL, "Service Unavailable",
                            json_pack("{s:s}", "error", "the store cannot be written"));
}

/* In the store's thread. */
static void on_forgotten(void *arg, bool ok, uint64_t count)
{
    struct forgetting *f = arg;

    f->ok = ok;
    f->count = count;
    loop_post(f->wait.control->fe->loop, answer, f);
}

static void begin(struct control *c, struct evhttp_request *rq, const struct cache_filter *filter)
{
    struct forgetting *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        control_no_memory(rq);
        return;
    }
    f->wait.release = forgetting_free;
    f->filter = *filter;
    control_wait_begin(&f->wait, c, rq);
    if (!cache_forget(c->fe->store, filter, on_forgotten, f))
        on_forgotten(f, false, 0);
}

void control_cache_forget(struct control *c, struct evhttp_request *rq)
{
    static const char *const known[] = {"address", "domain", "destination", NULL};
    struct cache_filter filter;
    struct evkeyvalq params;
    struct error err;

    if (!control_cache_parameters(rq, known, &params, &filter, &err))
        control_bad_request(rq, err.text);
    else if (!filter.is_address && filter.domain[0] == '\0' && filter.destination[0] == '\0')
        control_bad_request(rq, "an address, a domain or a destination is wanted");
    else
        begin(c, rq, &filter);
    evhttp_clear_headers(&params);
}
