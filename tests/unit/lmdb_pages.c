/*
 * Of LMDB 0.9 on 64-bit machines, in its own byte order:
 * file = meta meta page*                   the newer meta holds; pages are numbered from 0
 * page = number:8 pad:2 kind:2 (lower:2 upper:2 | pages:4) place:2* node*
 * node = lo:2 hi:2 flags:2 key_len:2 key data
 *        branch: lo, hi and flags are the number of the page below. leaf: lo and hi the length of
 * data; by the flags data is the number of its first overflow page, or a tree tree = pad:4 flags:2
 * depth:2 branch:8 leaf:8 overflow:8 entries:8 root:8 meta = page's head, magic:4 version:4
 * address:8 size:8 free:tree main:tree last_page:8 txn:8 free list: its records are a count and as
 * many numbers of pages, 8 octets each
 */
#include "lmdb_pages.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC        0xBEEFC0DE
#define HEAD         16
#define NODE_HEAD    8
#define TREE         48
#define AT_KIND      10
#define AT_LOWER     12
#define AT_PAGES     12
#define AT_FREE      24 /* in a meta, behind the page's head */
#define AT_MAIN      (AT_FREE + TREE)
#define AT_LAST_PAGE (AT_MAIN + TREE)
#define AT_TXN       (AT_LAST_PAGE + 8)
#define AT_ROOT      40 /* in a tree */
#define BRANCH       1
#define LEAF         2
#define OVERFLOW     4
#define BIG_DATA     1
#define SUB_TREE     2
#define NO_PAGE      UINT64_MAX

struct pages {
    const uint8_t *file;
    size_t len;
    size_t size; /* of a page */
    uint64_t last;
    uint8_t *taken; /* by page */
    const char *problem;
};

enum tree_kind { TREE_MAIN, TREE_FREE, TREE_RECORDS };

static uint64_t number_at(const uint8_t *in, size_t octets)
{
    uint64_t n = 0;

    memcpy(&n, in, octets); /* a little-endian machine's */
    return n;
}

static bool fail(struct pages *p, const char *problem)
{
    if (p->problem == NULL)
        p->problem = problem;
    return false;
}

static bool take(struct pages *p, uint64_t page, uint64_t count)
{
    if (page < 2 || page > p->last || count == 0 || count > p->last - page + 1)
        return fail(p, "a number that no page has");
    for (uint64_t i = 0; i < count; i++)
        if (p->taken[page + i]++ != 0)
            return fail(p, "a page is used twice, or is both used and free");
    return true;
}

/* The page, which is of that kind and becomes taken with all that belong to it. */
static const uint8_t *take_page(struct pages *p, uint64_t number, unsigned kinds)
{
    uint64_t kind, count = 1;
    const uint8_t *page;

    if (number > p->last || (number + 1) * p->size > p->len) {
        fail(p, "a page in use is behind the end of the file");
        return NULL;
    }
    page = p->file + number * p->size;
    kind = number_at(page + AT_KIND, 2);
    if (number_at(page, 8) != number || (kind & kinds) == 0) {
        fail(p, "a page is not what it should be");
        return NULL;
    }
    if ((kind & OVERFLOW) != 0)
        count = number_at(page + AT_PAGES, 4);
    if (!take(p, number, count))
        return NULL;
    if ((number + count) * p->size <= p->len)
        return page;
    fail(p, "a page in use is behind the end of the file");
    return NULL;
}

static bool check_free(struct pages *p, const uint8_t *data, size_t len)
{
    uint64_t count = len < 8 ? 0 : number_at(data, 8);

    if (len < 8 || count > len / 8 - 1)
        return fail(p, "a record of the list of free pages is too short");
    for (uint64_t i = 1; i <= count; i++)
        if (!take(p, number_at(data + 8 * i, 8), 1))
            return false;
    return true;
}

static bool check_tree(struct pages *p, const uint8_t *tree, enum tree_kind kind);

static bool check_leaf(struct pages *p, const uint8_t *node, size_t room, enum tree_kind kind)
{
    size_t len = number_at(node, 4), flags = number_at(node + 4, 2);
    size_t head = NODE_HEAD + number_at(node + 6, 2);
    const uint8_t *data = node + head;

    if (head > room || ((flags & BIG_DATA) != 0 ? 8 : len) > room - head)
        return fail(p, "a record leaves its page");
    if ((flags & BIG_DATA) != 0) {
        const uint8_t *page = take_page(p, number_at(data, 8), OVERFLOW);

        if (page == NULL)
            return false;
        if (HEAD + len > number_at(page + AT_PAGES, 4) * p->size)
            return fail(p, "a record is longer than its pages");
        data = page + HEAD;
    }
    if (kind == TREE_FREE)
        return check_free(p, data, len);
    if ((flags & SUB_TREE) == 0)
        return true;
    if (kind != TREE_MAIN || len != TREE)
        return fail(p, "a table is where none should be");
    return check_tree(p, data, TREE_RECORDS);
}

static bool check_page(struct pages *p, uint64_t number, unsigned depth, enum tree_kind kind)
{
    const uint8_t *page = take_page(p, number, depth > 1 ? BRANCH : LEAF);
    size_t places;

    if (page == NULL)
        return false;
    places = number_at(page + AT_LOWER, 2);
    if (places < HEAD || places > p->size)
        return fail(p, "a page's directory leaves it");
    for (size_t at = HEAD; at + 2 <= places; at += 2) {
        size_t place = number_at(page + at, 2);
        const uint8_t *node = page + place;

        if (place < places || place > p->size - NODE_HEAD)
            return fail(p, "a record leaves its page");
        if (depth > 1 ? !check_page(p, number_at(node, 6), depth - 1, kind)
                      : !check_leaf(p, node, p->size - place, kind))
            return false;
    }
    return true;
}

static bool check_tree(struct pages *p, const uint8_t *tree, enum tree_kind kind)
{
    uint64_t root = number_at(tree + AT_ROOT, 8), depth = number_at(tree + 6, 2);

    if (root == NO_PAGE)
        return true;
    if (depth < 1 || depth > 32)
        return fail(p, "a table's depth is out of reason");
    return check_page(p, root, (unsigned)depth, kind);
}

static const uint8_t *newer_meta(const uint8_t *file, size_t len, size_t size)
{
    const uint8_t *best = NULL;

    for (size_t i = 0; i < 2; i++) {
        const uint8_t *meta = file + i * size + HEAD;

        if ((i + 1) * size > len || number_at(meta, 4) != MAGIC)
            return NULL;
        if (best == NULL || number_at(meta + AT_TXN, 8) > number_at(best + AT_TXN, 8))
            best = meta;
    }
    return best;
}

static void check_all(struct pages *p, const uint8_t *meta)
{
    if (!check_tree(p, meta + AT_FREE, TREE_FREE) || !check_tree(p, meta + AT_MAIN, TREE_MAIN))
        return;
    for (uint64_t i = 2; i <= p->last; i++)
        if (p->taken[i] == 0)
            fail(p, "a page is neither used nor free");
}

const char *lmdb_pages_check(const uint8_t *file, size_t len)
{
    struct pages p = {.file = file, .len = len};
    const uint8_t *meta;

    if (len < HEAD + AT_TXN + 8)
        return "no room for a meta page";
    p.size = number_at(file + HEAD + AT_FREE, 4); /* kept in the pad of the first tree */
    if (p.size < 512 || p.size > 65536)
        return "its pages are of no reasonable size";
    meta = newer_meta(file, len, p.size);
    if (meta == NULL)
        return "a meta page is damaged";
    p.last = number_at(meta + AT_LAST_PAGE, 8);
    if (p.last > 1u << 24)
        return "its last page is out of reason";
    p.taken = calloc(p.last + 1, 1);
    if (p.taken == NULL)
        return "out of memory";
    check_all(&p, meta);
    free(p.taken);
    return p.problem;
}
