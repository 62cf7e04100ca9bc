/*
 * What the files of cache/entry share: members of an object, written and read, and the tables, a
 * file each.
 *
 * A reader takes only care to get no wrong value: what is missing is 0 or empty, what is unknown is
 * not seen. cache/entry makes the object again of what was read, and nothing that it finds
 * different then is taken.
 *
 * Threads: plain values.
 */
#ifndef CACHE_ENTRY_PART_H
#define CACHE_ENTRY_PART_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/netaddr.h"
#include "cache/entry.h"
#include "smtp/address.h"
#include "smtp/reply.h"

/* An object that is being made. */
struct entry_out {
    json_t *o;
    bool ok; /* false: out of memory, or there was something that can't be written */
};

/* Takes `value`; NULL is out of memory. */
void entry_put(struct entry_out *out, const char *name, json_t *value);

/* These leave out what is nothing: "", 0, false. Text is reduced to what is readable. */
void entry_put_text(struct entry_out *out, const char *name, const char *text);
void entry_put_number(struct entry_out *out, const char *name, int64_t n);
void entry_put_hash(struct entry_out *out, const char *name, uint64_t hash); /* 16 digits */
void entry_put_flag(struct entry_out *out, const char *name, bool flag);
void entry_put_time(struct entry_out *out, const char *name, int64_t at);
void entry_put_time_ms(struct entry_out *out, const char *name, int64_t at_ms);
void entry_put_ip(struct entry_out *out, const char *name, const struct netaddr *ip);

/* "code", "enhanced" and "text". */
void entry_put_reply(struct entry_out *out, uint16_t code, const struct enhanced_code *enhanced,
                     const char *text);

/* Takes inner->o; one without members is left out. */
void entry_put_inner(struct entry_out *out, const char *name, struct entry_out *inner);

/* An object that is being read. */
struct entry_in {
    const json_t *o;
    const char *within; /* the member it is; "": the whole */
    struct error *err;  /* of the first member that is wrong */
    bool ok;
};

bool entry_has(const struct entry_in *in, const char *name);

/* Unless it is `ok`, `name` is wrong: `why`. */
void entry_check(struct entry_in *in, const char *name, bool ok, const char *why);

/* What entry_put_ makes, and "", 0, false of what is not there. */
const char *entry_get_string(struct entry_in *in, const char *name); /* the object's */
void entry_get_text(struct entry_in *in, const char *name, char *dst, size_t size);
int64_t entry_get_number(struct entry_in *in, const char *name, int64_t max);
uint64_t entry_get_hash(struct entry_in *in, const char *name);
bool entry_get_flag(struct entry_in *in, const char *name);
int64_t entry_get_time(struct entry_in *in, const char *name);
int64_t entry_get_time_ms(struct entry_in *in, const char *name);
void entry_get_ip(struct entry_in *in, const char *name, struct netaddr *out);
void entry_get_reply(struct entry_in *in, uint16_t *code, struct enhanced_code *enhanced,
                     char *text, size_t size);

/* An object in it, for entry_leave() to end with. Its `o` is NULL when there is none. */
struct entry_in entry_enter(struct entry_in *in, const char *name);
void entry_leave(struct entry_in *in, const struct entry_in *inner);

/* The text of an address in the key's form: folded, or not. False, and *why, for other forms. */
bool entry_address_parse(const char *text, struct address *out, const char **why);

/* The address of a record_key(); false when it is none. */
bool entry_address_text(const uint8_t *key, size_t key_len, bool *null_sender,
                        char text[ADDRESS_TEXT_SIZE]);

/*
 * The tables. False when key or value are no record of it; what could not be written is out->ok's.
 */
bool entry_address_put(struct entry_out *out, const uint8_t *key, size_t key_len,
                       const uint8_t *value, size_t value_len);
bool entry_domain_put(struct entry_out *out, const uint8_t *key, size_t key_len,
                      const uint8_t *value, size_t value_len);
bool entry_destination_put(struct entry_out *out, const uint8_t *key, size_t key_len,
                           const uint8_t *value, size_t value_len);
bool entry_due_put(struct entry_out *out, const uint8_t *key, size_t key_len, const uint8_t *value,
                   size_t value_len);

/* All of *entry but its table; of use when in->ok still holds. */
void entry_address_get(struct entry_in *in, struct entry *entry);
void entry_domain_get(struct entry_in *in, struct entry *entry);
void entry_destination_get(struct entry_in *in, struct entry *entry);
void entry_due_get(struct entry_in *in, struct entry *entry);

#endif
