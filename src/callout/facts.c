#include "callout/facts.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/str.h"
#include "callout/destination.h"
#include "smtp/address.h"

#define KEY_SIZE (ADDRESS_DOMAIN_MAX + 3)

struct refusal {
    char key[KEY_SIZE];
    struct verdict verdict;
    int64_t until;
    UT_hash_handle hh; /* iterates in the order of insertion: the oldest first */
};

struct facts {
    struct refusal *refusals;
    unsigned max;
};

struct facts *facts_new(unsigned max)
{
    struct facts *f = calloc(1, sizeof(*f));

    if (f != NULL)
        f->max = max;
    return f;
}

static void forget(struct facts *f, struct refusal *r)
{
    HASH_DEL(f->refusals, r);
    free(r);
}

void facts_free(struct facts **fp)
{
    struct facts *f = *fp;
    struct refusal *r, *tmp;

    if (f == NULL)
        return;
    HASH_ITER (hh, f->refusals, r, tmp)
        forget(f, r);
    free(f);
    *fp = NULL;
}

static struct refusal *find(const struct facts *f, const char *domain, bool null_sender,
                            char key[KEY_SIZE])
{
    struct refusal *r;

    (void)str_copy(key, KEY_SIZE, "<>");
    (void)str_copy(key + (null_sender ? 2 : 0), ADDRESS_DOMAIN_MAX + 1, domain);
    HASH_FIND_STR(f->refusals, key, r);
    return r;
}

void facts_answered(struct facts *f, const char *domain, bool null_sender)
{
    char key[KEY_SIZE];
    struct refusal *r = find(f, domain, null_sender, key);

    if (r != NULL)
        forget(f, r);
}

void facts_refused(struct facts *f, const char *domain, bool null_sender, const struct verdict *v,
                   int64_t until)
{
    char key[KEY_SIZE];
    struct refusal *r = find(f, domain, null_sender, key);

    if (r != NULL)
        forget(f, r);
    if (HASH_COUNT(f->refusals) >= f->max)
        forget(f, f->refusals);
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return; /* costs a callout that could have been spared */
    memcpy(r->key, key, sizeof(r->key));
    r->verdict = *v;
    r->until = until;
    HASH_ADD_STR(f->refusals, key, r);
}

static bool was_said_at(const struct evidence *ev, const char *destination,
                        const struct provider *provider)
{
    const struct mx_candidate host = {.name = ev->mx, .ip = ev->ip};
    char name[DESTINATION_NAME_SIZE];

    destination_name(&host, provider, name);
    return strcmp(name, destination) == 0;
}

/* By either name: a provider's host that is asked by a route is nobody's. */
void facts_forget(struct facts *f, const char *destination, const struct providers *providers)
{
    struct refusal *r, *tmp;

    HASH_ITER (hh, f->refusals, r, tmp) {
        const struct evidence *ev = &r->verdict.evidence;

        if (was_said_at(ev, destination, providers_of_host(providers, ev->mx)) ||
            was_said_at(ev, destination, NULL))
            forget(f, r);
    }
}

bool facts_recall(struct facts *f, const char *domain, bool null_sender, int64_t now,
                  struct verdict *out)
{
    char key[KEY_SIZE];
    struct refusal *r = find(f, domain, null_sender, key);

    if (r == NULL)
        return false;
    if (now >= r->until) {
        forget(f, r);
        return false;
    }
    *out = r->verdict;
    out->source = SOURCE_STORE;
    out->ms = 0;
    if (out->evidence.stage == SMTP_STAGE_RCPT)
        out->evidence.text[0] = '\0'; /* may name the recipient it was said about */
    return true;
}
