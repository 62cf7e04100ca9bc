#include "smtp/limits.h"

#include <string.h>
#include <strings.h>

#include "base/hash.h"

void limits_forget(struct limits *l)
{
    l->mail_max = l->rcpt_max = l->domain_max = 0;
}

/* 0 where it is no value. */
static uint32_t value_of(const char *s, size_t len)
{
    uint32_t n = 0;

    if (len > 6)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return 0;
        n = n * 10 + (uint32_t)(s[i] - '0');
    }
    return n;
}

static void learn(struct limits *l, const char *name, size_t name_len, uint32_t value)
{
    const struct {
        const char *name;
        uint32_t *max;
    } known[] = {
        {"MAILMAX", &l->mail_max},
        {"RCPTMAX", &l->rcpt_max},
        {"RCPTDOMAINMAX", &l->domain_max},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].name) == name_len && strncasecmp(name, known[i].name, name_len) == 0 &&
            (*known[i].max == 0 || value < *known[i].max))
            *known[i].max = value;
}

void limits_learn(struct limits *l, const char *params)
{
    while (*params != '\0') {
        size_t len = strcspn(params, " "), name_len = strcspn(params, " =");

        if (name_len < len) {
            uint32_t value = value_of(params + name_len + 1, len - name_len - 1);

            if (value > 0)
                learn(l, params, name_len, value);
        }
        params += len;
        params += strspn(params, " ");
    }
}

static bool knows_domain(const struct limits *l, uint64_t hash)
{
    for (size_t i = 0; i < l->domain_count; i++)
        if (l->domains[i] == hash)
            return true;
    return false;
}

void limits_use_mail(struct limits *l)
{
    l->mails++;
    l->rcpts = 0;
}

void limits_use_rcpt(struct limits *l, const char *domain)
{
    uint64_t hash = hash_bytes(domain, strlen(domain));

    l->rcpts++;
    if (l->domain_count < LIMITS_DOMAINS_MAX && !knows_domain(l, hash))
        l->domains[l->domain_count++] = hash;
}

static bool allows_domain(const struct limits *l, const char *domain)
{
    return l->domain_max == 0 || knows_domain(l, hash_bytes(domain, strlen(domain))) ||
           (l->domain_count < l->domain_max && l->domain_count < LIMITS_DOMAINS_MAX);
}

bool limits_allow(const struct limits *l, const char *domain, bool new_transaction)
{
    if (new_transaction && l->mail_max != 0 && l->mails >= l->mail_max)
        return false;
    if (!new_transaction && l->rcpt_max != 0 && l->rcpts >= l->rcpt_max)
        return false;
    return allows_domain(l, domain);
}
