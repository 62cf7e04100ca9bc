/*
 * The statements of the configuration's language, one token at a time.
 *
 *   statement = key ( "=" / "+=" ) ( value / "{" [ value *( "," value ) [ "," ] ] "}" )
 *             / name [ title ] "{" *statement "}"     only at top level
 *             / "include" "(" value ")"               only at top level
 *
 * Threads: none. Pure; a plain value. Zeroes are the start of a file.
 */
#ifndef CONF_SCAN_H
#define CONF_SCAN_H

#include <stdbool.h>

#include "conf/token.h"

#define SCAN_NAME_SIZE    128 /* longer names are cut: none is that long */
#define SCAN_TITLE_SIZE   512 /* longer titles are errors */
#define SCAN_SECTION_SIZE (SCAN_NAME_SIZE + SCAN_TITLE_SIZE)

enum scan_expect {
    EXPECT_STATEMENT,
    EXPECT_AFTER_NAME,  /* "=", "+=", a title, "{" or "(" */
    EXPECT_AFTER_TITLE, /* "{" */
    EXPECT_VALUE,
    EXPECT_ITEM,       /* a value of a list, or its end */
    EXPECT_AFTER_ITEM, /* "," or the end of the list */
    EXPECT_INCLUDE,    /* a file name */
    EXPECT_AFTER_INCLUDE,
};

enum scan_event {
    SCAN_NOTHING,
    SCAN_KEY,     /* `name` in `section` gets a value */
    SCAN_APPEND,  /* the same, by "+=" */
    SCAN_SECTION, /* `section` begins */
    SCAN_LIST,    /* the key's value is a list */
    SCAN_VALUE,   /* the token is a value */
    SCAN_INCLUDE, /* `file` is to be read here */
    SCAN_ERROR,   /* `message`; there is no going on */
};

struct scan {
    enum scan_expect expect;
    char section[SCAN_SECTION_SIZE]; /* "" at top level; "action outbound" with a title */
    char name[SCAN_NAME_SIZE];       /* of the key, or of the section that may begin */
    char title[SCAN_TITLE_SIZE];
    unsigned section_line, name_line, last_line; /* the latter of the token before */
    struct token file;                           /* points into the text */
    char message[256];                           /* of SCAN_ERROR */
    unsigned line;                               /* which that is about */
};

/* Takes one token; the last is TOKEN_END. */
enum scan_event scan_token(struct scan *c, const struct token *t);

/* Between two statements of the top level. */
bool scan_at_top(const struct scan *c);

#endif
