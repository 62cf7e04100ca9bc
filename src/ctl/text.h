/*
 * JSON as people read it: what the subcommands' tables and screens are made of.
 *
 * Threads: any; plain functions.
 */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A member's text; "" where there is none. */
const char *ctl_text_of(const json_t *o, const char *key);

/* A member `reply` that no server gave: the DNS alone has spoken. */
bool ctl_text_is_dns(const json_t *reply);

/* "rcpt: 550 5.1.1 User unknown", "greeting: timeout", "dns: NXDOMAIN": a member `reply`. NULL:
   "". */
void ctl_text_reply(const json_t *reply, char *buf, size_t size);

/* Columns are characters wide, not bytes. */
int ctl_text_width(const char *text);

/* Bytes of `text` that are no more than `width` columns. */
size_t ctl_text_cut(const char *text, int width);

/* Bytes of its first line of no more than `width` columns: up to a blank, or to the middle
   of a word that is longer. */
size_t ctl_text_line(const char *text, int width);

/* "42 s", "3 h 12 min", "12 d" in buf; of what is less than nothing as well. Returns `buf`. */
#define CTL_TEXT_SPAN_SIZE 32
const char *ctl_text_span(int64_t seconds, char buf[CTL_TEXT_SPAN_SIZE]);

/* "512 B", "3.2 MiB". Returns `buf`. */
#define CTL_TEXT_BYTES_SIZE 32
const char *ctl_text_bytes(json_int_t bytes, char buf[CTL_TEXT_BYTES_SIZE]);

/* " (3 h ago)", " (in 2 d 20 h)" where `text` is a time, else "". Returns `buf`. */
const char *ctl_text_when(const char *text, int64_t now, char buf[CTL_TEXT_SPAN_SIZE]);

#endif
