#include "population.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define HOUR    INT64_C(3600)
#define DAY     (24 * HOUR)
#define LASTING DAY

#define DOMAINS 250001

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const char *const first_names[] = {
    "anna",  "bruno", "carla",  "david",  "elena",  "felix", "greta",  "hugo",
    "ines",  "jonas", "karin",  "lukas",  "maria",  "nils",  "olivia", "paul",
    "quinn", "rosa",  "stefan", "teresa", "ulrich", "vera",
};
static const char *const last_names[] = {
    "adams",  "berger", "castro",    "dubois",   "eriksen", "fischer",    "garcia", "hansen",
    "ivanov", "jensen", "keller",    "lindberg", "moreau",  "novakova",   "olsen",  "petersen",
    "quist",  "rossi",  "schneider", "taylor",   "ullman",  "vandenberg", "weber",
};
static const char *const tops[] = {"com", "org", "net", "co", "de", "info"};

/* How a mail system answers, and who it is; %s is the recipient. */
struct manner {
    unsigned share; /* of a thousand */
    enum verdict_reason reason;
    uint16_t code;
    struct enhanced_code enhanced;
    int64_t life;
    const char *mx, *provider, *rule, *text;
};

static const struct manner manners[] = {
    {330,
     REASON_MAILBOX_EXISTS,
     250,
     {2, 1, 5},
     31 * DAY,
     "mx%u.mail-in.example.net",
     "",
     "",
     "Ok"},
    {220,
     REASON_MAILBOX_EXISTS,
     250,
     {2, 1, 5},
     31 * DAY,
     "aspmx%u.mx.example.com",
     "google",
     "",
     "OK 4fb4d7f45d1cf-5d0a1b2c3d4si7654321edb.123 - gsmtp"},
    {150,
     REASON_MAILBOX_EXISTS,
     250,
     {2, 1, 5},
     31 * DAY,
     "tenant-%u.mail.protection.example.com",
     "microsoft365",
     "",
     "Recipient OK"},
    {60,
     REASON_NO_MAILBOX,
     550,
     {5, 1, 1},
     3 * DAY,
     "mx%u.mail-in.example.net",
     "",
     "unknown-user",
     "<%s>: Recipient address rejected: User unknown in virtual mailbox table"},
    {50,
     REASON_NO_MAILBOX,
     550,
     {5, 1, 1},
     3 * DAY,
     "aspmx%u.mx.example.com",
     "google",
     "enhanced-no-mailbox",
     "The email account that you tried to reach does not exist. Please try double-checking the "
     "recipient's email address for typos or unnecessary spaces."},
    {40,
     REASON_NO_MAILBOX,
     550,
     {5, 4, 1},
     3 * DAY,
     "tenant-%u.mail.protection.example.com",
     "microsoft365",
     "microsoft365-access-denied",
     "Recipient address rejected: Access denied. For more information see the pages on error "
     "codes"},
    {60,
     REASON_ACCEPTS_EVERYTHING,
     250,
     {2, 1, 5},
     31 * DAY,
     "mail%u.hosting.example.org",
     "",
     "",
     "Accepted"},
    {50,
     REASON_CANNOT_VERIFY,
     252,
     {2, 0, 0},
     12 * HOUR,
     "in%u.smtp.example.net",
     "",
     "",
     "Cannot VRFY user, but will accept message and attempt delivery"},
    {40,
     REASON_GREYLISTED,
     450,
     {4, 2, 0},
     1 * HOUR,
     "mx%u.mail-in.example.net",
     "",
     "greylisted",
     "<%s>: Recipient address rejected: Greylisted for 300 seconds"},
};

uint64_t population_random(uint64_t number, uint64_t salt)
{
    uint64_t n = number * UINT64_C(0x9e3779b97f4a7c15) + salt * UINT64_C(0xd1b54a32d192ed03);

    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    return n ^ n >> 31;
}

/* In [0, 1). */
static double share(uint64_t number, uint64_t salt)
{
    return (double)(population_random(number, salt) >> 11) / (double)(UINT64_C(1) << 53);
}

/* The fourth power of an even distribution: one domain has four in a hundred. */
static void domain_name(uint64_t number, char *out, size_t size)
{
    double u = share(number, 1);
    uint64_t n = (uint64_t)(u * u * u * u * DOMAINS);
    uint64_t r = population_random(n, 2);

    (void)str_format(out, size, "%s%s-%llu.%s.example", last_names[r % COUNT(last_names)],
                     r & 0x10000 ? "-group" : "", (unsigned long long)n,
                     tops[(r >> 32) % COUNT(tops)]);
}

void population_address(const struct population *p, uint64_t number, struct address *out)
{
    char domain[128], text[ADDRESS_TEXT_SIZE];
    uint64_t r = population_random(number, 3);
    const char *why;

    if (p->domain == NULL)
        domain_name(number, domain, sizeof(domain));
    (void)str_format(text, sizeof(text), "%s.%s%llu@%s", first_names[r % COUNT(first_names)],
                     last_names[(r >> 32) % COUNT(last_names)], (unsigned long long)number,
                     p->domain != NULL ? p->domain : domain);
    if (!address_parse(text, strlen(text), out, &why)) {
        fprintf(stderr, "%s: %s\n", text, why);
        exit(EXIT_FAILURE);
    }
}

static const struct manner *pick_manner(uint64_t number)
{
    unsigned n = (unsigned)(population_random(number, 4) % 1000);
    size_t i = 0;

    while (i + 1 < COUNT(manners) && n >= manners[i].share)
        n -= manners[i++].share;
    return &manners[i];
}

/* `pattern` has one %s or %u, or none. */
static void fill_in(char *out, size_t size, const char *pattern, const char *word)
{
    const char *at = strchr(pattern, '%');

    if (at == NULL)
        (void)str_copy(out, size, pattern);
    else
        (void)str_format(out, size, "%.*s%s%s", (int)(at - pattern), pattern, word, at + 2);
}

static void set_evidence(struct evidence *e, const struct manner *m, const struct address *a,
                         uint64_t number)
{
    uint64_t r = population_random(number, 5);
    char host[16];

    (void)str_format(host, sizeof(host), "%u", (unsigned)(r % 1000));
    e->stage = SMTP_STAGE_RCPT;
    e->code = m->code;
    e->enhanced = m->enhanced;
    fill_in(e->text, sizeof(e->text), m->text, a->canonical);
    fill_in(e->mx, sizeof(e->mx), m->mx, host);
    e->ip = (struct netaddr){.family = AF_INET, .bytes = {192, 0, 2, (uint8_t)(r >> 32)}};
    (void)str_copy(e->tls, sizeof(e->tls), r & 0x700 ? "TLSv1.3" : "");
    (void)str_copy(e->provider, sizeof(e->provider), m->provider);
    (void)str_copy(e->rule, sizeof(e->rule), m->rule);
}

bool population_lasts(uint64_t number)
{
    return pick_manner(number)->life > LASTING;
}

void population_record(uint64_t number, const struct address *a, int64_t now, int64_t expires,
                       struct record *out)
{
    const struct manner *m = pick_manner(number);
    int64_t life = m->life - (int64_t)(share(number, 6) * (double)m->life / 10);
    int64_t least = m->life > LASTING ? LASTING : 0;
    struct verdict *v = &out->verdict;

    memset(out, 0, sizeof(*out));
    verdict_init(v, m->reason, SOURCE_PROBE);
    v->has_evidence = true;
    set_evidence(&v->evidence, m, a, number);
    v->probed_at = now - (int64_t)(share(number, 7) * (double)(life - least));
    v->expires_at = expires != 0 ? expires : v->probed_at + life;
    v->refresh_at = v->expires_at;
}

bool population_count(const char *text, uint64_t *out)
{
    char *end;
    unsigned long long n;

    if (text[0] < '0' || text[0] > '9')
        return false;
    n = strtoull(text, &end, 10);
    if (*end == 'k' || *end == 'm')
        n *= *end++ == 'k' ? 1000 : 1000000;
    *out = n;
    return *end == '\0' && n > 0;
}
