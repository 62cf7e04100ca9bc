#include "conf/provider_file.h"

#include "base/str.h"
#include "conf/data_section.h"
#include "conf/values.h"

#define KIND          "provider"
#define HOSTS_MAX     64
#define GREETINGS_MAX 8

/* What the keys are read into: the provider is in its set from the beginning. */
struct draft {
    struct providers *set;
    struct provider *provider;
};

static bool add_host(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return providers_add_host(d->set, d->provider, value, err);
}

static bool add_greeting(void *into, const char *value, struct error *err)
{
    struct draft *d = into;
    struct pattern *pattern;

    return pattern_new(&pattern, value, err) &&
           providers_add_greeting(d->set, d->provider, pattern, err);
}

static bool set_accepted(void *into, const char *value, struct error *err)
{
    static const struct value_word words[] = {
#define X(id, name) {name, PROVIDER_##id},
        PROVIDER_WORTHS(X)
#undef X
            {NULL, 0}};
    struct draft *d = into;
    int n;

    if (!value_word(value, words, &n, err))
        return false;
    d->provider->accepted = (enum provider_worth)n;
    return true;
}

static bool set_made_up(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return value_bool(value, &d->provider->made_up, err);
}

static bool add_quirk(void *into, const char *value, struct error *err)
{
    static const struct value_word words[] = {
#define X(id, name) {name, PROVIDER_QUIRK_##id},
        PROVIDER_QUIRKS(X)
#undef X
            {NULL, 0}};
    struct draft *d = into;
    int n;

    if (!value_word(value, words, &n, err))
        return false;
    d->provider->quirks |= 1U << n;
    return true;
}

static bool read_count(const char *value, unsigned max, unsigned *out, struct error *err)
{
    uint64_t n;

    if (!value_number(value, 1, max, &n, err))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool set_connections(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return read_count(value, LIMIT_CONNECTIONS_MAX, &d->provider->limits.connections, err);
}

static bool set_per_connection(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return read_count(value, LIMIT_RECIPIENTS_MAX, &d->provider->limits.per_connection, err);
}

static bool set_per_transaction(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return read_count(value, LIMIT_RECIPIENTS_MAX, &d->provider->limits.per_transaction, err);
}

static bool set_rate(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return value_rate(value, &d->provider->limits.rate_milli, err);
}

static bool set_burst(void *into, const char *value, struct error *err)
{
    struct draft *d = into;

    return read_count(value, LIMIT_BURST_MAX, &d->provider->limits.burst, err);
}

/* For people. */
static bool pass_note(void *into, const char *value, struct error *err)
{
    (void)into;
    if (value[0] != '\0')
        return true;
    error_set(err, "is empty: why all this, and where it is known from");
    return false;
}

#define ONE(nm)  .section = KIND " *", .name = nm
#define LIST(nm) ONE(nm), .list = true, .one_or_list = true

static const struct data_key keys[] = {
    {{LIST("mx"), .max = HOSTS_MAX}, add_host},
    {{LIST("greeting"), .max = GREETINGS_MAX}, add_greeting},
    {{ONE("accepted")}, set_accepted},
    {{ONE("made_up")}, set_made_up},
    {{LIST("quirks")}, add_quirk},
    {{ONE("connections")}, set_connections},
    {{ONE("per_connection")}, set_per_connection},
    {{ONE("per_transaction")}, set_per_transaction},
    {{ONE("rate")}, set_rate},
    {{ONE("burst")}, set_burst},
    {{ONE("note")}, pass_note},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static bool grammar_key_at(size_t index, struct grammar_key *out)
{
    if (index >= KEY_COUNT)
        return false;
    *out = keys[index].key;
    return true;
}

static const char *const titles[] = {KIND " \"name\"", NULL};

const struct grammar provider_file_grammar = {.key = grammar_key_at, .titles = titles};

static void read_provider(const struct data_section *s, struct providers *set)
{
    struct provider one = {.accepted = PROVIDER_VARIES, .made_up = true};
    struct draft d = {.set = set};
    struct error err = {""};

    if (!data_section_has(s, "mx") && !data_section_has(s, "greeting"))
        data_section_problem(s, "\"mx\" is missing, and \"greeting\": what it is known by");
    if (!data_section_has(s, "note"))
        data_section_problem(s, "\"note\" is missing: why, and where it is known from");
    if (!str_copy(one.name, sizeof(one.name), s->title))
        error_set(&err, "its name is longer than %zu octets", sizeof(one.name) - 1);
    else
        d.provider = providers_add(set, &one, &err);
    if (d.provider == NULL)
        data_section_problem(s, "%s", err.text);
    else
        data_section_read(s, keys, KEY_COUNT, &d);
}

static void read_providers(const struct data_text *d, struct providers *set)
{
    size_t count = data_section_count(d, PROVIDERS_MAX);
    struct data_section s;

    for (size_t i = 0; i < count; i++) {
        data_section_get(d, i, &s);
        read_provider(&s, set);
    }
}

struct providers *provider_file_read(const char *name, const char *text, size_t len,
                                     struct config_problems *problems)
{
    struct data_text d = {.kind = KIND, .problems = problems};
    struct providers *set = providers_new();
    size_t before = problems->errors;

    if (set == NULL)
        problems_add(problems, name, 0, "out of memory");
    else if (data_text_parse(&d, &provider_file_grammar, name, text, len))
        read_providers(&d, set);
    data_text_free(&d);
    if (problems->errors > before)
        providers_unref(&set);
    return set;
}
