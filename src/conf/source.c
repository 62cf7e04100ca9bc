#include "conf/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/str.h"
#include "conf/file.h"
#include "conf/scan.h"

#define FILE_MAX  (1024U * 1024)
#define INPUT_MAX (4U * 1024 * 1024)
#define FILES_MAX 64
#define DEPTH_MAX 8
#define KEYS_MAX  50000 /* some thousand routes, and each has three keys */
#define PATH_SIZE (SCAN_SECTION_SIZE + SCAN_SECTION_SIZE) /* of "section NUL name NUL" */

struct key {
    UT_hash_handle hh;
    struct source_place at;
    struct source_place *values;
    size_t value_count;
    bool is_section, is_list, is_append;
    const char *name; /* behind the section's */
    char section[];
};

struct source {
    char *text;
    size_t len, size;
    struct source_place *lines; /* of the text, from line 1 */
    size_t line_count;
    size_t whole_len, whole_lines; /* of the text up to the last whole statement */
    struct key *keys;              /* in the order they are first given */
    char *files[FILES_MAX];        /* the names */
    size_t file_count;
    size_t input; /* octets read */
    const struct grammar *grammar;
    struct config_problems *problems;
    bool out_of_memory;
};

/* A file being read, and those that include it. */
struct reading {
    const struct reading *parent;
    const char *file;
    unsigned depth;
    const char *text;
    size_t len;
    dev_t dev; /* these two: which file it is */
    ino_t ino;
};

static void read_file(struct source *s, const char *path, const struct reading *parent,
                      unsigned line);

/* Grows an array by one element, in powers of two; false, and noted, when out of memory. */
static bool grow(struct source *s, void **array, size_t count, size_t size)
{
    void *grown;

    if (count > 0 && (count & (count - 1)) != 0)
        return true;
    grown = realloc(*array, (count == 0 ? 1 : 2 * count) * size);
    if (grown == NULL) {
        s->out_of_memory = true;
        return false;
    }
    *array = grown;
    return true;
}

static void put_octet(struct source *s, char c)
{
    size_t size = s->size == 0 ? 4096 : 2 * s->size;
    char *grown;

    if (s->len + 1 >= s->size) {
        grown = realloc(s->text, size);
        if (grown == NULL) {
            s->out_of_memory = true;
            return;
        }
        s->text = grown;
        s->size = size;
    }
    s->text[s->len++] = c;
    s->text[s->len] = '\0';
}

static void put_quoted(struct source *s, const struct token *t)
{
    size_t at = 0;
    int c;

    put_octet(s, '\'');
    while ((c = token_octet(t, &at)) >= 0) {
        if (c == '\'' || c == '\\')
            put_octet(s, '\\');
        put_octet(s, (char)c);
    }
    put_octet(s, '\'');
}

/* One token, one line. */
static void put_token(struct source *s, const char *file, const struct token *t)
{
    if (!grow(s, (void **)&s->lines, s->line_count, sizeof(s->lines[0])))
        return;
    s->lines[s->line_count++] = (struct source_place){file, t->line};
    if (t->kind == TOKEN_WORD || t->kind == TOKEN_STRING)
        put_quoted(s, t);
    else
        for (size_t i = 0; i < t->len; i++)
            put_octet(s, t->text[i]);
    put_octet(s, '\n');
}

static void mark_whole(struct source *s)
{
    s->whole_len = s->len;
    s->whole_lines = s->line_count;
}

static void drop_half(struct source *s)
{
    s->len = s->whole_len;
    s->line_count = s->whole_lines;
    if (s->text != NULL)
        s->text[s->len] = '\0';
}

/* What a key is looked up by; returns its length. */
static size_t key_path(char path[PATH_SIZE], const char *section, const char *name)
{
    size_t len;

    (void)str_copy(path, SCAN_SECTION_SIZE, section);
    len = strlen(path) + 1;
    (void)str_copy(path + len, SCAN_SECTION_SIZE, name);
    return len + strlen(path + len) + 1;
}

static struct key *find_key(const struct source *s, const char *section, const char *name)
{
    char path[PATH_SIZE];
    size_t len = key_path(path, section, name);
    struct key *k;

    HASH_FIND(hh, s->keys, path, len, k);
    return k;
}

/* NULL, and noted, when out of memory. */
static struct key *new_key(struct source *s, const char *section, const char *name)
{
    char path[PATH_SIZE];
    size_t len = key_path(path, section, name);
    struct key *k = calloc(1, sizeof(*k) + len);

    if (k == NULL) {
        s->out_of_memory = true;
        return NULL;
    }
    memcpy(k->section, path, len);
    k->name = k->section + strlen(k->section) + 1;
    HASH_ADD_KEYPTR(hh, s->keys, k->section, len, k);
    return k;
}

static void free_keys(struct source *s)
{
    struct key *k = s->keys, *next;

    HASH_CLEAR(hh, s->keys);
    for (; k != NULL; k = next) {
        next = k->hh.next;
        free(k->values);
        free(k);
    }
}

/* Notes a key or section; the first place stays its. NULL: no room. */
static struct key *add_key(struct source *s, const char *section, const char *name,
                           struct source_place at)
{
    struct key *k = find_key(s, section, name);

    if (k != NULL) {
        problems_add(s->problems, at.file, at.line, "%s%s%s is given twice, first at %s:%u",
                     section, source_joint(section), name, k->at.file, k->at.line);
        return k;
    }
    if (HASH_COUNT(s->keys) == KEYS_MAX) {
        problems_add(s->problems, at.file, at.line, "more than %d keys", KEYS_MAX);
        return NULL;
    }
    k = new_key(s, section, name);
    if (k != NULL)
        k->at = at;
    return k;
}

static void add_value(struct source *s, struct key *k, struct source_place at)
{
    if (grow(s, (void **)&k->values, k->value_count, sizeof(k->values[0])))
        k->values[k->value_count++] = at;
}

/* `k` is the key whose values come, NULL when they do not count; returns what it is from now on. */
static struct key *note_event(struct source *s, const char *file, const struct scan *c,
                              enum scan_event event, unsigned line, struct key *k)
{
    switch (event) {
    case SCAN_SECTION:
        k = add_key(s, "", c->section, (struct source_place){file, c->section_line});
        if (k != NULL)
            k->is_section = true;
        return NULL;
    case SCAN_KEY:
    case SCAN_APPEND:
        k = add_key(s, c->section, c->name, (struct source_place){file, c->name_line});
        if (k != NULL && event == SCAN_KEY)
            k->value_count = 0; /* where given twice, the last values count, as with libConfuse */
        else if (k != NULL)
            k->is_append = true;
        break;
    case SCAN_LIST:
        if (k != NULL)
            k->is_list = true;
        break;
    case SCAN_VALUE:
        if (k != NULL)
            add_value(s, k, (struct source_place){file, line});
        break;
    case SCAN_NOTHING:
    case SCAN_INCLUDE:
    case SCAN_ERROR:
        break;
    }
    return k;
}

/* Relative to the including file. */
static void include_file(struct source *s, const struct reading *from, const struct token *name)
{
    const char *slash = strrchr(from->file, '/');
    char path[4096];
    size_t len = 0, at = 0;
    int c = token_octet(name, &at);

    if (c != '/' && slash != NULL) {
        len = (size_t)(slash - from->file) + 1;
        memcpy(path, from->file, len); /* that file was opened: its name is shorter */
    }
    for (; c >= 0 && len + 1 < sizeof(path); c = token_octet(name, &at))
        path[len++] = (char)c;
    path[len] = '\0';
    if (c >= 0)
        problems_add(s->problems, from->file, name->line, "the path is too long");
    else
        read_file(s, path, from, name->line);
}

/* The byte order mark that some editors put at the beginning of UTF-8. */
static size_t mark_length(const char *text, size_t len)
{
    static const char mark[3] = "\xef\xbb\xbf";

    return len >= sizeof(mark) && memcmp(text, mark, sizeof(mark)) == 0 ? sizeof(mark) : 0;
}

/* Goes through one file, token by token, up to its end or the first syntax error. */
static void scan_text(struct source *s, const struct reading *r)
{
    size_t skipped = mark_length(r->text, r->len);
    struct tokens in = {.text = r->text + skipped, .len = r->len - skipped, .line = 1};
    struct scan c = {.expect = EXPECT_STATEMENT};
    enum scan_event event;
    bool unknown = false; /* the section that is being read */
    struct key *key = NULL;
    struct token t;

    do {
        token_next(&in, &t);
        event = scan_token(&c, &t);
        if (event == SCAN_ERROR) {
            problems_add(s->problems, r->file, c.line, "%s", c.message);
            break;
        }
        key = note_event(s, r->file, &c, event, t.line, key);
        if (t.kind != TOKEN_END)
            put_token(s, r->file, &t);
        if (event == SCAN_INCLUDE) {
            drop_half(s);
            if (s->grammar->includes)
                include_file(s, r, &c.file);
            else
                problems_add(s->problems, r->file, c.name_line,
                             "include: files of this kind include none");
        }
        if (event == SCAN_SECTION)
            unknown = !grammar_has_section(s->grammar, c.section);
        if (scan_at_top(&c) && unknown)
            drop_half(s);
        if (scan_at_top(&c)) {
            mark_whole(s);
            unknown = false;
        }
    } while (t.kind != TOKEN_END && !s->out_of_memory);
    drop_half(s);
}

/* NULL: there is nothing against reading it. */
static const char *refusal(const struct source *s, const struct reading *r)
{
    for (const struct reading *p = r->parent; p != NULL; p = p->parent)
        if (p->dev == r->dev && p->ino == r->ino)
            return "includes itself";
    if (r->depth > DEPTH_MAX)
        return "is included too deep";
    if (s->file_count == FILES_MAX)
        return "is one file too many";
    return s->input + r->len > INPUT_MAX ? "makes it longer than 4 MiB" : NULL;
}

/* NULL, or why not. */
static const char *take_text(struct source *s, struct reading *r)
{
    char *name = strdup(r->file);

    if (name == NULL)
        return "out of memory";
    r->file = s->files[s->file_count++] = name;
    s->input += r->len;
    scan_text(s, r);
    return NULL;
}

/* `line` is that of the include() in the parent. */
static void read_file(struct source *s, const char *path, const struct reading *parent,
                      unsigned line)
{
    struct reading r = {
        .parent = parent,
        .file = path,
        .depth = parent != NULL ? parent->depth + 1 : 0,
    };
    struct file_text content;
    struct error err;
    const char *why = err.text;

    if (file_read(path, FILE_MAX, &content, &err)) {
        r.text = content.text;
        r.len = content.len;
        r.dev = content.dev;
        r.ino = content.ino;
        why = refusal(s, &r);
        if (why == NULL)
            why = take_text(s, &r);
    }
    if (why != NULL && parent != NULL)
        problems_add(s->problems, parent->file, line, "include: %s: %s", path, why);
    else if (why != NULL)
        problems_add(s->problems, path, 0, "%s", why);
    free(content.text);
}

static struct source *source_new(const char *name, const struct grammar *g,
                                 struct config_problems *problems)
{
    struct source *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        problems_add(problems, name, 0, "out of memory");
        return NULL;
    }
    s->grammar = g;
    s->problems = problems;
    return s;
}

/* NULL where nothing of it can be used. */
static struct source *finished(struct source *s, const char *name)
{
    if (s->out_of_memory)
        problems_add(s->problems, name, 0, "out of memory");
    if (s->out_of_memory || s->file_count == 0)
        source_free(&s);
    return s;
}

struct source *source_read(const char *path, const struct grammar *g,
                           struct config_problems *problems)
{
    struct source *s = source_new(path, g, problems);

    if (s == NULL)
        return NULL;
    read_file(s, path, NULL, 0);
    return finished(s, path);
}

struct source *source_read_text(const char *name, const char *text, size_t len,
                                const struct grammar *g, struct config_problems *problems)
{
    struct source *s = source_new(name, g, problems);
    struct reading r = {.file = name, .text = text, .len = len};
    const char *why;

    if (s == NULL)
        return NULL;
    why = take_text(s, &r);
    if (why != NULL)
        problems_add(problems, name, 0, "%s", why);
    return finished(s, name);
}

void source_free(struct source **sp)
{
    struct source *s = *sp;

    if (s == NULL)
        return;
    free_keys(s);
    for (size_t i = 0; i < s->file_count; i++)
        free(s->files[i]);
    free(s->lines);
    free(s->text);
    free(s);
    *sp = NULL;
}

const char *source_text(const struct source *s)
{
    return s->text != NULL ? s->text : "";
}

struct source_place source_line(const struct source *s, unsigned line)
{
    if (line == 0 || s->line_count == 0)
        return (struct source_place){s->files[0], 0};
    return s->lines[line <= s->line_count ? line - 1 : s->line_count - 1];
}

static struct source_key describe(const struct key *k)
{
    return (struct source_key){
        k->section, k->name, k->at, k->is_section, k->is_list, k->is_append, k->value_count,
    };
}

void source_each_key(const struct source *s, void (*fn)(void *arg, const struct source_key *k),
                     void *arg)
{
    for (const struct key *k = s->keys; k != NULL; k = k->hh.next) {
        struct source_key described = describe(k);

        fn(arg, &described);
    }
}

bool source_find(const struct source *s, const char *section, const char *name,
                 struct source_key *out)
{
    const struct key *k = find_key(s, section, name);

    if (k != NULL)
        *out = describe(k);
    return k != NULL;
}

const char *source_joint(const char *section)
{
    if (section[0] == '\0')
        return "";
    return strchr(section, ' ') == NULL ? "." : ": ";
}

struct source_place source_value(const struct source *s, const char *section, const char *name,
                                 size_t index)
{
    const struct key *k = find_key(s, section, name);

    if (k == NULL)
        return source_line(s, 0);
    return index < k->value_count ? k->values[index] : k->at;
}
