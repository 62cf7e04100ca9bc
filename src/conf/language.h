/*
 * libConfuse, in its fence: a grammar as a language of its, a text parsed by it, and what the keys
 * in it are given. What is wrong with the text has been told by conf/source before.
 *
 * Threads: one, for as long as a struct language is there. What is handed out is owned by it.
 */
#ifndef CONF_LANGUAGE_H
#define CONF_LANGUAGE_H

#include "conf/grammar.h"
#include "conf/problems.h"
#include "conf/source.h"

struct language;

/* libConfuse's: a section as it is given. NULL where a text has none such. */
struct cfg_t;

/* NULL when out of memory. */
struct language *language_new(const struct grammar *g);
void language_free(struct language **l); /* sets *l to NULL; NULL is allowed */

/* Once. Should libConfuse find anything wrong that was not told, that is a problem. */
void language_parse(struct language *l, const struct source *s, struct config_problems *problems);

/* By its name as in the grammar: "", "cache", "action outbound"; not one with any title. */
struct cfg_t *language_section(const struct language *l, const char *name);

/* The sections "name TITLE", in the order given. */
unsigned language_title_count(const struct language *l, const char *name);
struct cfg_t *language_titled(const struct language *l, const char *name, unsigned index,
                              const char **title);

/* The values of a key: 0 where it is not given, or no section is. */
unsigned language_value_count(struct cfg_t *section, const char *key);
const char *language_value(struct cfg_t *section, const char *key, unsigned index);

#endif
