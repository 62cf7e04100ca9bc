#include "conf/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "conf/token.h"

#define FILE_MAX   (1024U * 1024)
#define TEXT_MAX   (4U * 1024 * 1024)
#define FILES_MAX  64
#define DEPTH_MAX  8
#define NAME_SIZE  128
#define VALUES_MAX 100000

struct key {
    char section[NAME_SIZE], name[NAME_SIZE];
    struct source_place at;
    struct source_place *values;
    size_t value_count;
    bool is_list, is_section;
};

struct source {
    char *text;
    size_t len;
    struct source_place *lines; /* of the assembled text, from line 1 */
    size_t line_count;
    struct key *keys;
    size_t key_count;
    char *files[FILES_MAX]; /* the names; freed with the source */
    size_t file_count;
    struct config_problems *problems; /* while reading */
};

/*
 * What may come next.
 *
 *   statement = key ( "=" / "+=" ) ( value / "{" [ value *( "," value ) ] "}" )
 *             / name [ title ] "{" *statement "}"
 *             / include "(" string ")"
 */
enum expect {
    EXPECT_STATEMENT,
    EXPECT_AFTER_WORD,  /* "=", "+=", a title, or "{" */
    EXPECT_AFTER_TITLE, /* "{" */
    EXPECT_VALUE,
    EXPECT_ITEM,       /* a value of a list, or its end */
    EXPECT_AFTER_ITEM, /* "," or the end of the list */
    EXPECT_NOTHING,    /* the file has a syntax error, which has been told */
};

/* What the scan of one file is at. */
struct scan {
    struct source *source;
    const char *file;
    unsigned depth; /* of includes */
    enum expect expect;
    char section[NAME_SIZE]; /* "" at top level */
    unsigned section_line;
    char word[NAME_SIZE]; /* the last word that may turn out to be a key or a section */
    char title[NAME_SIZE];
    unsigned word_line;
    struct key *key; /* whose values come; NULL: of none that counts */
};

static bool read_file(struct source *s, const char *path, unsigned depth,
                      const struct source_place *from);

/* Grows an array by one element, in powers of two. */
static void *grow(void *array, size_t count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return array;
    return realloc(array, (count == 0 ? 1 : 2 * count) * size);
}

static bool add_text(struct source *s, const char *text, size_t len)
{
    char *grown;

    if (s->len + len > TEXT_MAX)
        return false;
    grown = realloc(s->text, s->len + len + 1);
    if (grown == NULL)
        return false;
    s->text = grown;
    memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = '\0';
    return true;
}

/* Takes over part of a file; every line end in it is a line of the assembled text. */
static bool add_part(struct source *s, const char *file, unsigned *line, const char *text,
                     size_t len)
{
    for (size_t i = 0; i < len; i++) {
        struct source_place *grown;

        if (text[i] != '\n')
            continue;
        grown = grow(s->lines, s->line_count, sizeof(s->lines[0]));
        if (grown == NULL)
            return false;
        s->lines = grown;
        s->lines[s->line_count++] = (struct source_place){file, (*line)++};
    }
    return add_text(s, text, len);
}

static struct key *find_key(const struct source *s, const char *section, const char *name)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (strcmp(s->keys[i].name, name) == 0 && strcmp(s->keys[i].section, section) == 0)
            return &s->keys[i];
    return NULL;
}

/* Notes a key or section; one that is there already is a problem. NULL: then, or out of memory. */
static struct key *add_key(struct scan *c, const char *section, const char *name, unsigned line)
{
    struct source *s = c->source;
    struct key *k = find_key(s, section, name), *grown;

    if (k != NULL) {
        problems_add(s->problems, c->file, line, "%s%s%s is given twice, first at %s:%u", section,
                     section[0] != '\0' ? "." : "", name, k->at.file, k->at.line);
        return NULL;
    }
    grown = grow(s->keys, s->key_count, sizeof(s->keys[0]));
    if (grown == NULL)
        return NULL;
    s->keys = grown;
    k = &s->keys[s->key_count++];
    memset(k, 0, sizeof(*k));
    (void)str_copy(k->section, sizeof(k->section), section);
    (void)str_copy(k->name, sizeof(k->name), name);
    k->at = (struct source_place){c->file, line};
    return k;
}

static void add_value(struct scan *c, unsigned line)
{
    struct source_place *grown;
    struct key *k = c->key;

    if (k == NULL || k->value_count >= VALUES_MAX)
        return;
    grown = grow(k->values, k->value_count, sizeof(k->values[0]));
    if (grown == NULL)
        return;
    k->values = grown;
    k->values[k->value_count++] = (struct source_place){c->file, line};
}

static void syntax_error(struct scan *c, const struct token *t, const char *wanted)
{
    if (t->kind == TOKEN_BROKEN)
        problems_add(c->source->problems, c->file, t->line, "a string or comment without its end");
    else if (t->kind == TOKEN_END)
        problems_add(c->source->problems, c->file, t->line, "end of file, where %s should be",
                     wanted);
    else
        problems_add(c->source->problems, c->file, t->line, "\"%.*s\", where %s should be",
                     t->len < 40 ? (int)t->len : 40, t->text, wanted);
    c->expect = EXPECT_NOTHING;
}

static bool is_value(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_STRING;
}

static void open_section(struct scan *c)
{
    (void)str_format(c->section, sizeof(c->section), "%s%s%s", c->word,
                     c->title[0] != '\0' ? " " : "", c->title);
    c->section_line = c->word_line;
    c->key = add_key(c, "", c->section, c->word_line);
    if (c->key != NULL)
        c->key->is_section = true;
    c->expect = EXPECT_STATEMENT;
}

static void take_statement(struct scan *c, const struct token *t)
{
    if (t->kind == TOKEN_WORD) {
        (void)str_copyn(c->word, sizeof(c->word), t->text, t->len);
        c->title[0] = '\0';
        c->word_line = t->line;
        c->expect = EXPECT_AFTER_WORD;
    } else if (t->kind == TOKEN_CLOSE && c->section[0] != '\0') {
        c->section[0] = '\0';
    } else if (t->kind != TOKEN_END) {
        syntax_error(c, t, "a key");
    } else if (c->section[0] != '\0') {
        problems_add(c->source->problems, c->file, c->section_line, "section %s has no end",
                     c->section);
    }
}

static void take_after_word(struct scan *c, const struct token *t)
{
    bool top = c->section[0] == '\0';

    if (t->kind == TOKEN_ASSIGN) {
        c->key = add_key(c, c->section, c->word, c->word_line);
        c->expect = EXPECT_VALUE;
    } else if (t->kind == TOKEN_OPEN && top) {
        open_section(c);
    } else if (is_value(t) && top && c->expect == EXPECT_AFTER_WORD) {
        (void)str_copyn(c->title, sizeof(c->title), t->text, t->len);
        c->expect = EXPECT_AFTER_TITLE;
    } else {
        syntax_error(c, t, top ? "\"=\" or \"{\"" : "\"=\"");
    }
}

static void take_value(struct scan *c, const struct token *t)
{
    if (is_value(t)) {
        add_value(c, t->line);
        c->expect = c->expect == EXPECT_VALUE ? EXPECT_STATEMENT : EXPECT_AFTER_ITEM;
    } else if (t->kind == TOKEN_OPEN && c->expect == EXPECT_VALUE) {
        if (c->key != NULL)
            c->key->is_list = true;
        c->expect = EXPECT_ITEM;
    } else if (t->kind == TOKEN_CLOSE && c->expect == EXPECT_ITEM) {
        c->expect = EXPECT_STATEMENT;
    } else {
        syntax_error(c, t, "a value");
    }
}

static void take_after_item(struct scan *c, const struct token *t)
{
    if (t->kind == TOKEN_OTHER && t->text[0] == ',')
        c->expect = EXPECT_ITEM;
    else if (t->kind == TOKEN_CLOSE)
        c->expect = EXPECT_STATEMENT;
    else
        syntax_error(c, t, "\",\" or \"}\"");
}

static void take_token(struct scan *c, const struct token *t)
{
    switch (c->expect) {
    case EXPECT_STATEMENT:
        take_statement(c, t);
        break;
    case EXPECT_AFTER_WORD:
        take_after_word(c, t);
        break;
    case EXPECT_AFTER_TITLE:
        if (t->kind == TOKEN_OPEN)
            open_section(c);
        else
            syntax_error(c, t, "\"{\"");
        break;
    case EXPECT_VALUE:
    case EXPECT_ITEM:
        take_value(c, t);
        break;
    case EXPECT_AFTER_ITEM:
        take_after_item(c, t);
        break;
    case EXPECT_NOTHING:
        break;
    }
}

/* include ( "file" ): true when that is what comes; `t` is the word, then the last token of it. */
static bool read_include(struct scan *c, struct tokens *in, struct token *t, struct token *name)
{
    struct tokens ahead = *in;
    struct token open, close;

    if (c->expect != EXPECT_STATEMENT || c->section[0] != '\0' || t->kind != TOKEN_WORD ||
        t->len != 7 || memcmp(t->text, "include", 7) != 0)
        return false;
    token_next(&ahead, &open);
    token_next(&ahead, name);
    token_next(&ahead, &close);
    if (open.kind != TOKEN_OTHER || open.text[0] != '(' || name->kind != TOKEN_STRING ||
        close.kind != TOKEN_OTHER || close.text[0] != ')')
        return false; /* then "include" is an unknown key, or followed by what is no "=" */
    *in = ahead;
    return true;
}

static bool include_file(struct scan *c, const struct token *name)
{
    struct source_place from = {c->file, name->line};
    const char *slash = strrchr(c->file, '/');
    size_t dir =
        slash != NULL && name->len > 0 && name->text[0] != '/' ? (size_t)(slash - c->file) + 1 : 0;
    char path[1024];

    if (!str_format(path, sizeof(path), "%.*s%.*s", (int)dir, c->file, (int)name->len,
                    name->text)) {
        problems_add(c->source->problems, from.file, from.line, "the path is too long");
        return false;
    }
    return read_file(c->source, path, c->depth + 1, &from);
}

static void check_string(struct scan *c, const struct token *t)
{
    size_t at = token_bad_escape(t);

    if (at < t->len)
        problems_add(c->source->problems, c->file, t->line,
                     "\"\\%c\" in double quotes loses its backslash: write it in single quotes",
                     t->text[at + 1]);
}

/* Goes through one file, token by token, and takes its text over with includes put in place. */
static bool scan_text(struct scan *c, const char *text, size_t len)
{
    struct tokens in = {.text = text, .len = len, .line = 1};
    size_t taken = 0;
    unsigned line = 1;
    struct token t, name;

    for (;;) {
        token_next(&in, &t);
        if (t.kind == TOKEN_STRING)
            check_string(c, &t);
        if (!read_include(c, &in, &t, &name)) {
            take_token(c, &t);
            if (t.kind == TOKEN_END || t.kind == TOKEN_BROKEN)
                break;
            continue;
        }
        if (!add_part(c->source, c->file, &line, text + taken, t.start - taken) ||
            !add_part(c->source, c->file, &(unsigned){line}, "\n", 1) || !include_file(c, &name))
            return false;
        taken = in.pos;
        line = in.line;
    }
    return add_part(c->source, c->file, &line, text + taken, len - taken) &&
           add_part(c->source, c->file, &line, "\n", 1);
}

/* The whole file, NUL-terminated; NULL with `why`. */
static char *load_file(const char *path, size_t *len, const char **why)
{
    FILE *f = fopen(path, "re");
    char *text = malloc(FILE_MAX + 1);

    *why = NULL;
    *len = 0;
    if (f == NULL || text == NULL) {
        *why = strerror(errno);
    } else {
        *len = fread(text, 1, FILE_MAX + 1, f);
        if (ferror(f))
            *why = strerror(errno);
        else if (*len > FILE_MAX)
            *why = "longer than 1 MiB";
        else if (memchr(text, '\0', *len) != NULL)
            *why = "has a NUL octet";
    }
    if (f != NULL)
        fclose(f);
    if (*why == NULL)
        return text;
    free(text);
    return NULL;
}

static bool refuse_file(struct source *s, const struct source_place *from, const char *path,
                        const char *why)
{
    if (from != NULL)
        problems_add(s->problems, from->file, from->line, "%s: %s", path, why);
    else
        problems_add(s->problems, path, 0, "%s", why);
    return false;
}

static bool read_file(struct source *s, const char *path, unsigned depth,
                      const struct source_place *from)
{
    struct scan c = {.source = s, .depth = depth};
    const char *why;
    char *text;
    size_t len;
    bool ok;

    if (depth > DEPTH_MAX || s->file_count == FILES_MAX)
        return refuse_file(s, from, path, "too many includes: does it include itself?");
    text = load_file(path, &len, &why);
    if (text == NULL)
        return refuse_file(s, from, path, why);
    c.file = s->files[s->file_count] = strdup(path);
    ok = c.file != NULL;
    s->file_count += ok;
    ok = ok && scan_text(&c, text, len);
    free(text);
    if (!ok && s->problems->errors == 0)
        return refuse_file(s, from, path, "longer than 4 MiB with what it includes");
    return ok;
}

struct source *source_read(const char *path, struct config_problems *problems)
{
    struct source *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        problems_add(problems, path, 0, "out of memory");
        return NULL;
    }
    s->problems = problems;
    if (!read_file(s, path, 0, NULL))
        source_free(&s);
    return s;
}

void source_free(struct source **sp)
{
    struct source *s = *sp;

    if (s == NULL)
        return;
    for (size_t i = 0; i < s->key_count; i++)
        free(s->keys[i].values);
    for (size_t i = 0; i < s->file_count; i++)
        free(s->files[i]);
    free(s->keys);
    free(s->lines);
    free(s->text);
    free(s);
    *sp = NULL;
}

const char *source_text(const struct source *s)
{
    return s->text;
}

struct source_place source_line(const struct source *s, unsigned line)
{
    if (line == 0 || s->line_count == 0)
        return (struct source_place){s->files[0], 0};
    return s->lines[line <= s->line_count ? line - 1 : s->line_count - 1];
}

void source_each_key(const struct source *s, void (*fn)(void *arg, const struct source_key *k),
                     void *arg)
{
    for (size_t i = 0; i < s->key_count; i++) {
        const struct key *k = &s->keys[i];
        struct source_key known = {k->section, k->name, k->at, k->is_list, k->is_section};

        fn(arg, &known);
    }
}

struct source_place source_find(const struct source *s, const char *section, const char *key,
                                size_t index)
{
    const struct key *k = find_key(s, section, key);

    if (k == NULL)
        return (struct source_place){NULL, 0};
    return index < k->value_count ? k->values[index] : k->at;
}
