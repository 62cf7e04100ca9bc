/* calloutctl cache: what the store knows, and the admin's hands on it. */
#include "ctl/cache.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "base/process.h"
#include "base/str.h"
#include "ctl/options.h"
#include "ctl/output.h"

enum { EXIT_NOTHING = 1 }; /* nothing is known of that; nothing was forgotten */

const char ctl_cache_usage[] =
    "calloutctl [-c FILE] cache get ADDRESS|DOMAIN|DESTINATION [--json] [--standalone]\n"
    "calloutctl [-c FILE] cache list [DOMAIN] [--table TABLE] [--json] [--standalone]\n"
    "calloutctl [-c FILE] cache forget ADDRESS... | --domain DOMAIN... | --destination NAME... "
    "[--standalone]\n"
    "calloutctl [-c FILE] cache export [FILE|-] [--table TABLE] [--standalone]\n"
    "calloutctl [-c FILE] cache import [FILE|-] [--standalone]\n"
    "calloutctl [-c FILE] cache stats [--json] [--standalone]\n";

#define ALL_TABLES ((1U << STORE_TABLE_COUNT) - 1)

struct options {
    bool json, standalone, domain, destination;
    unsigned tables; /* of --table; all without */
    char **args;
    size_t count;
};

struct subcommand {
    const char *name;
    const char *flags; /* letters of the options it has */
    size_t min, max;   /* arguments */
    int (*run)(const struct ctl_env *env, const struct options *o);
};

static int complain(int code, const struct error *err)
{
    fprintf(stderr, "calloutctl: %s\n", err->text);
    return code;
}

/*
 * Arguments
 */

static bool read_address(const char *text, struct cache_filter *out)
{
    const char *why;

    out->is_address = address_parse(text, strlen(text), &out->address, &why);
    if (out->is_address)
        return true;
    fprintf(stderr, "calloutctl: %s: no address: %s\n", text, why);
    return false;
}

static bool read_domain(const char *text, struct cache_filter *out)
{
    const char *why;

    if (address_domain_parse(text, strlen(text), out->domain, &why))
        return true;
    fprintf(stderr, "calloutctl: %s: no domain: %s\n", text, why);
    return false;
}

static bool read_destination(const char *text, struct cache_filter *out)
{
    if (destination_name_valid(text))
        return str_copy(out->destination, sizeof(out->destination), text);
    fprintf(stderr,
            "calloutctl: %s: no destination: mx/NAME, provider/NAME, ip/ADDRESS, unix/PATH or "
            "domain/NAME is wanted\n",
            text);
    return false;
}

static bool read_table(const char *name, unsigned *tables)
{
    enum store_table table;

    if (!entry_table_parse(name, &table)) {
        fprintf(stderr, "calloutctl: %s: no table of the store\n", name);
        return false;
    }
    *tables |= 1U << table;
    return true;
}

/* All of argv, or what is wrong with it is told. */
static int read_options(int argc, char **argv, const struct subcommand *s, struct options *o)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'},        {"standalone", no_argument, NULL, 's'},
        {"domain", no_argument, NULL, 'd'},      {"destination", no_argument, NULL, 'D'},
        {"table", required_argument, NULL, 't'}, {NULL, 0, NULL, 0},
    };
    int c, which = 0;

    optind = 0; /* glibc: start over, options may follow arguments */
    while ((c = ctl_options_next(argc, argv, longs, &which)) != -1) {
        if (c == '?')
            return ctl_usage_error(ctl_cache_usage, NULL);
        if (strchr(s->flags, c) == NULL)
            return ctl_usage_error(ctl_cache_usage, "cache %s has no option --%s", s->name,
                                   longs[which].name);
        o->json |= c == 'j';
        o->standalone |= c == 's';
        o->domain |= c == 'd';
        o->destination |= c == 'D';
        if (c == 't' && !read_table(optarg, &o->tables))
            return ctl_usage_error(ctl_cache_usage, NULL);
    }
    if (o->tables == 0)
        o->tables = ALL_TABLES;
    o->args = argv + optind;
    o->count = (size_t)(argc - optind);
    if (o->count < s->min || o->count > s->max)
        return ctl_usage_error(ctl_cache_usage, "cache %s: too %s arguments", s->name,
                               o->count < s->min ? "few" : "many");
    if (o->domain && o->destination)
        return ctl_usage_error(ctl_cache_usage, "cache %s: --domain and --destination are two ways",
                               s->name);
    return 0;
}

/*
 * get and list
 */

struct printing {
    bool json, blocks;
    uint64_t count;
    int problem; /* errno */
};

static bool on_line(void *arg, const char *line, size_t len)
{
    struct printing *p = arg;
    bool ok = p->count == 0 || !p->blocks || p->json || putchar('\n') != EOF;

    errno = EPROTO; /* where it is not the stream that fails */
    if (p->json)
        ok = ok && fwrite(line, 1, len, stdout) == len;
    else if (p->blocks)
        ok = ok && ctl_cache_print_block(stdout, line, len);
    else
        ok = ok && (p->count > 0 || ctl_cache_print_heading(stdout)) &&
             ctl_cache_print_row(stdout, line, len);
    p->count++;
    p->problem = ok ? 0 : errno;
    return ok;
}

static int print_entries(const struct ctl_env *env, const struct options *o,
                         const struct cache_filter *filter, struct printing *p)
{
    struct ctl_cache c;
    struct error err = {""};
    int code = ctl_cache_open(&c, env, o->standalone, &err);

    if (code == 0)
        code = c.way->list(&c, filter, on_line, p, &err);
    if (p->problem == 0 && fflush(stdout) != 0)
        p->problem = errno;
    if (p->problem != 0)
        code = ctl_output_failed("-", p->problem);
    else if (code != 0)
        code = complain(code, &err);
    ctl_cache_close(&c);
    return code;
}

/* A domain has no '/', and an address has an '@'. */
static bool read_any(const char *text, struct cache_filter *out)
{
    *out = (struct cache_filter){.tables = ALL_TABLES};
    if (strchr(text, '@') != NULL)
        return read_address(text, out);
    if (strchr(text, '/') != NULL)
        return read_destination(text, out);
    out->tables = 1U << STORE_TABLE_DOMAIN | 1U << STORE_TABLE_DESTINATION;
    return read_domain(text, out);
}

static void tell_unknown(const char *text)
{
    fprintf(stderr, "calloutctl: nothing is known of %s\n", text);
}

static int get(const struct ctl_env *env, const struct options *o)
{
    struct printing p = {.json = o->json, .blocks = true};
    struct cache_filter filter;
    int code;

    if (!read_any(o->args[0], &filter))
        return EX_DATAERR;
    code = print_entries(env, o, &filter, &p);
    if (code != 0 || p.count > 0)
        return code;
    tell_unknown(o->args[0]);
    if (filter.destination[0] == '\0')
        fprintf(stderr, "calloutctl: whether its destination refuses us is in \"calloutctl "
                        "status\"; \"calloutctl cache get\" takes the name that stands there\n");
    return EXIT_NOTHING;
}

static int list(const struct ctl_env *env, const struct options *o)
{
    struct cache_filter filter = {.tables = o->tables};
    struct printing p = {.json = o->json};

    if (o->count > 0 && !read_domain(o->args[0], &filter))
        return EX_DATAERR;
    return print_entries(env, o, &filter, &p);
}

/*
 * forget, stats, export, import
 */

static bool read_what(const struct options *o, const char *text, struct cache_filter *out)
{
    memset(out, 0, sizeof(*out));
    if (o->destination)
        return read_destination(text, out);
    return o->domain ? read_domain(text, out) : read_address(text, out);
}

static int forget_all(struct ctl_cache *c, const struct options *o, struct error *err)
{
    struct cache_filter what;
    uint64_t total = 0, n;
    int code = 0;

    for (size_t i = 0; code == 0 && i < o->count; i++) {
        n = 0;
        code = read_what(o, o->args[i], &what) ? c->way->forget(c, &what, &n, err) : EX_DATAERR;
        if (code == 0 && n == 0)
            tell_unknown(o->args[i]);
        total += n;
    }
    printf("forgotten: %llu\n", (unsigned long long)total);
    return code == 0 && total == 0 ? EXIT_NOTHING : code;
}

static int forget(const struct ctl_env *env, const struct options *o)
{
    struct cache_filter what;
    struct ctl_cache c;
    struct error err = {""};
    int code;

    for (size_t i = 0; i < o->count; i++)
        if (!read_what(o, o->args[i], &what)) /* before anything is forgotten */
            return EX_DATAERR;
    code = ctl_cache_open(&c, env, o->standalone, &err);
    if (code == 0)
        code = forget_all(&c, o, &err);
    ctl_cache_close(&c);
    if (code != 0 && code != EXIT_NOTHING)
        return complain(code, &err);
    return ctl_output_flush(code);
}

static int stats(const struct ctl_env *env, const struct options *o)
{
    struct ctl_cache c;
    struct error err = {""};
    json_t *answer = NULL;
    int code = ctl_cache_open(&c, env, o->standalone, &err);

    if (code == 0)
        code = c.way->stats(&c, &answer, &err);
    ctl_cache_close(&c);
    if (code != 0)
        return complain(code, &err);
    if (o->json) {
        code = ctl_output_json(answer);
    } else {
        (void)ctl_cache_print_stats(stdout, answer);
        code = ctl_output_flush(0);
    }
    json_decref(answer);
    return code;
}

static const char *path_of(const struct options *o)
{
    return o->count > 0 ? o->args[0] : "-";
}

static int export(const struct ctl_env *env, const struct options *o)
{
    return ctl_cache_export(env, o->standalone, o->tables, path_of(o));
}

static int import(const struct ctl_env *env, const struct options *o)
{
    return ctl_cache_import(env, o->standalone, path_of(o));
}

int ctl_cache(const struct ctl_env *env, int argc, char **argv)
{
    static const struct subcommand all[] = {
        {"get", "js", 1, 1, get},
        {"list", "jst", 0, 1, list},
        {"forget", "sdD", 1, SIZE_MAX, forget},
        {"export", "st", 0, 1, export},
        {"import", "s", 0, 1, import},
        {"stats", "js", 0, 0, stats},
    };
    struct options o = {.args = argv};
    int code;

    process_ignore_sigpipe();
    if (argc < 2)
        return ctl_usage_error(ctl_cache_usage, "cache: a subcommand is wanted");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(argv[1], all[i].name) != 0)
            continue;
        code = read_options(argc - 1, argv + 1, &all[i], &o);
        return code != 0 ? code : all[i].run(env, &o);
    }
    return ctl_usage_error(ctl_cache_usage, "cache: no such subcommand: %s", argv[1]);
}
