/*
 * Values as they are written in the configuration: durations, sizes, numbers, addresses. Pure.
 * Each is false with a message for "VALUE: message" where the text is no such value.
 *
 * Threads: any.
 */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "dns/resolver.h"

/* What limits may be at most, a provider's and those of everybody else. */
#define LIMIT_CONNECTIONS_MAX 1000
#define LIMIT_RECIPIENTS_MAX  10000
#define LIMIT_BURST_MAX       100000

struct value_word {
    const char *name; /* NULL ends a list */
    int value;
};

/* One of a few words. */
bool value_word(const char *text, const struct value_word *words, int *out, struct error *err);

/* Any text that fits into `out` of `size`. */
bool value_text(const char *text, char *out, size_t size, struct error *err);

/* number unit; unit = ms / s / m / h / d. In milliseconds, within [min, max]. */
bool value_duration(const char *text, int64_t min, int64_t max, int64_t *ms, struct error *err);

/* number [unit]; unit = KiB / MiB / GiB / TiB. In octets, within [min, max]. */
bool value_size(const char *text, uint64_t min, uint64_t max, uint64_t *size, struct error *err);

/* Decimal digits, within [min, max]. */
bool value_number(const char *text, uint64_t min, uint64_t max, uint64_t *n, struct error *err);

/* "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"; port 53 by default. */
bool value_server(const char *text, struct resolver_server *out, struct error *err);

/* true / yes / on / false / no / off. */
bool value_bool(const char *text, bool *out, struct error *err);

/* number "/" unit; unit = s / m / h. In thousandths of one a second, from 1 to 1000000. */
bool value_rate(const char *text, unsigned *milli, struct error *err);

/* A file mode in octal, 0 to 0777. */
bool value_mode(const char *text, unsigned *mode, struct error *err);

/* A domain, in lower case A-labels, into `out` of `size`. */
bool value_domain(const char *text, char *out, size_t size, struct error *err);

#endif
