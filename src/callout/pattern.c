#include "callout/pattern.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/*
 * What a match may cost: steps, nested choices, KiB of heap. A search for words in a reply of 1024
 * octets takes hundreds of steps, at times thousands. What takes more than these tries the text in
 * all ways that there are.
 */
#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 10000
#define HEAP_LIMIT  1024

/* \C could stop within a character. */
#define OPTIONS \
    (PCRE2_CASELESS | PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C)

struct pattern {
    pcre2_code *code;
    pcre2_match_context *limits; /* never changed once made, so that threads may share it */
};

static bool refuse(struct error *err, int code, size_t octet)
{
    PCRE2_UCHAR why[128];

    if (pcre2_get_error_message(code, why, sizeof(why)) == PCRE2_ERROR_BADDATA)
        why[0] = '\0';
    error_set(err, "is no pattern: %s at octet %zu", (const char *)why, octet);
    return false;
}

static bool compile(struct pattern *p, const char *text, struct error *err)
{
    size_t len = strnlen(text, PATTERN_MAX + 1), octet = 0;
    int code = 0;

    if (len == 0) {
        error_set(err, "is no pattern: empty, it would fit everything");
        return false;
    }
    if (len > PATTERN_MAX) {
        error_set(err, "is no pattern: more than %d octets", PATTERN_MAX);
        return false;
    }
    p->code = pcre2_compile((PCRE2_SPTR)text, len, OPTIONS, &code, &octet, NULL);
    if (p->code == NULL)
        return refuse(err, code, octet);
    /* Where there is none, or no memory may be executed, the interpreter does the same. */
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    return true;
}

static bool set_limits(struct pattern *p)
{
    p->limits = pcre2_match_context_create(NULL);
    if (p->limits == NULL)
        return false;
    (void)pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    (void)pcre2_set_depth_limit(p->limits, DEPTH_LIMIT);
    (void)pcre2_set_heap_limit(p->limits, HEAP_LIMIT);
    return true;
}

bool pattern_new(struct pattern **pp, const char *text, struct error *err)
{
    struct pattern *p = calloc(1, sizeof(*p));

    *pp = NULL;
    if (p == NULL || !set_limits(p)) {
        error_set(err, "out of memory");
        pattern_free(&p);
        return false;
    }
    if (!compile(p, text, err)) {
        pattern_free(&p);
        return false;
    }
    *pp = p;
    return true;
}

void pattern_free(struct pattern **pp)
{
    struct pattern *p = *pp;

    *pp = NULL;
    if (p == NULL)
        return;
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    free(p);
}

/* A room is nothing but PCRE2's match data. */
struct pattern_room *pattern_room_new(void)
{
    return (struct pattern_room *)pcre2_match_data_create(1, NULL);
}

void pattern_room_free(struct pattern_room **room)
{
    pcre2_match_data_free((pcre2_match_data *)*room);
    *room = NULL;
}

bool pattern_matches_in(struct pattern_room *room, const struct pattern *p, const char *text,
                        size_t len)
{
    pcre2_match_data *found = (pcre2_match_data *)room;
    int n;

    if (found == NULL)
        return false;
    n = pcre2_match(p->code, (PCRE2_SPTR)text, len, 0, 0, found, p->limits);
    if (n == PCRE2_ERROR_JIT_STACKLIMIT) /* JIT's stack is smaller than the heap we allow */
        n = pcre2_match(p->code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_JIT, found, p->limits);
    return n >= 0; /* 0: found, but for the groups, which nobody asks for */
}

bool pattern_matches(const struct pattern *p, const char *text, size_t len)
{
    struct pattern_room *room = pattern_room_new();
    bool matches = pattern_matches_in(room, p, text, len);

    pattern_room_free(&room);
    return matches;
}
