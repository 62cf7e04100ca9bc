#include "callout/facts.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/str.h"
#include "smtp/address.h"

struct refusal {
    char domain[ADDRESS_DOMAIN_MAX + 1];
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

void facts_answered(struct facts *f, const char *domain)
{
    struct refusal *r;

    HASH_FIND_STR(f->refusals, domain, r);
    if (r != NULL)
        forget(f, r);
}

void facts_refused(struct facts *f, const char *domain, const struct verdict *v, int64_t until)
{
    struct refusal *r;

    facts_answered(f, domain);
    if (HASH_COUNT(f->refusals) >= f->max)
        forget(f, f->refusals);
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return; /* costs a callout that could have been spared */
    (void)str_copy(r->domain, sizeof(r->domain), domain);
    r->verdict = *v;
    r->until = until;
    HASH_ADD_STR(f->refusals, domain, r);
}

bool facts_recall(struct facts *f, const char *domain, int64_t now, struct verdict *out)
{
    struct refusal *r;

    HASH_FIND_STR(f->refusals, domain, r);
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
