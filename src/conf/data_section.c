#include "conf/data_section.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

#define SHOWN_MAX 200 /* octets of a value in a message: what is wrong with it comes behind */

bool data_text_parse(struct data_text *d, const struct grammar *g, const char *name,
                     const char *text, size_t len)
{
    d->source = source_read_text(name, text, len, g, d->problems);
    if (d->source == NULL)
        return false;
    d->language = language_new(g);
    if (d->language == NULL) {
        problems_add(d->problems, name, 0, "out of memory");
        return false;
    }
    grammar_check(g, d->source, d->problems);
    language_parse(d->language, d->source, d->problems);
    return true;
}

void data_text_free(struct data_text *d)
{
    language_free(&d->language);
    source_free(&d->source);
}

static struct source_place place_of(const struct data_section *s)
{
    struct source_key k;

    return source_find(s->from->source, "", s->name, &k) ? k.at : source_line(s->from->source, 0);
}

void data_section_get(const struct data_text *d, size_t index, struct data_section *out)
{
    out->from = d;
    out->values = language_titled(d->language, d->kind, (unsigned)index, &out->title);
    (void)str_format(out->name, sizeof(out->name), "%s%c%s", d->kind, GRAMMAR_TITLE_SEP,
                     out->title);
}

size_t data_section_count(const struct data_text *d, size_t max)
{
    size_t count = language_title_count(d->language, d->kind);
    struct data_section first_out;

    if (count <= max)
        return count;
    data_section_get(d, max, &first_out);
    data_section_problem(&first_out, "is one too many (%zu at most)", max);
    return max;
}

bool data_section_given(const struct data_section *s, const char *key)
{
    struct source_key k;

    return source_find(s->from->source, s->name, key, &k);
}

void data_section_read(const struct data_section *s, const struct data_key *keys, size_t count,
                       void *into)
{
    struct error err = {""};

    for (size_t i = 0; i < count; i++) {
        const char *name = keys[i].key.name;
        unsigned values = language_value_count(s->values, name);

        for (unsigned v = 0; v < values; v++)
            if (!keys[i].set(into, language_value(s->values, name, v), &err))
                data_value_problem(s, name, v, "%s", err.text);
    }
}

bool data_section_has(const struct data_section *s, const char *key)
{
    struct source_key k;

    return source_find(s->from->source, s->name, key, &k) && k.value_count > 0;
}

unsigned data_section_line(const struct data_section *s, const char *title)
{
    char name[SCAN_SECTION_SIZE];
    struct source_key k;

    return str_format(name, sizeof(name), "%s%c%s", s->from->kind, GRAMMAR_TITLE_SEP, title) &&
                   source_find(s->from->source, "", name, &k)
               ? k.at.line
               : 0;
}

void data_section_problem(const struct data_section *s, const char *fmt, ...)
{
    struct source_place at = place_of(s);
    char message[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    problems_add(s->from->problems, at.file, at.line, "%.*s: %s", SHOWN_MAX, s->name, message);
}

static void tell_value(const struct data_section *s, const char *key, unsigned index,
                       const char *message, bool is_warning)
{
    struct source_place at = source_value(s->from->source, s->name, key, index);
    const char *value = language_value(s->values, key, index);

    (is_warning ? problems_warn : problems_add)(
        s->from->problems, at.file, at.line, "%.*s%s%s: \"%.*s\" %s", SHOWN_MAX, s->name,
        source_joint(s->name), key, SHOWN_MAX, value, message);
}

void data_value_problem(const struct data_section *s, const char *key, unsigned index,
                        const char *fmt, ...)
{
    char message[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    tell_value(s, key, index, message, false);
}

void data_value_warn(const struct data_section *s, const char *key, unsigned index, const char *fmt,
                     ...)
{
    char message[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    tell_value(s, key, index, message, true);
}
