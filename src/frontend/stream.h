/*
 * A client's stream socket: what it sent, in one piece, and what it is told. An answer costs one
 * read and one write; the writes are done together at the end of a turn of the loop, so that
 * whoever waits for more than one answer is woken once for them.
 *
 * Threads: the loop's only. Ownership: the descriptor is the stream's from stream_open() on.
 */
#ifndef FRONTEND_STREAM_H
#define FRONTEND_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"

struct event; /* libevent's */

/* Octets in one piece: those from `from` until `until` are there. */
struct stream_octets {
    char *at;
    size_t size, from, until;
};

/* To be read: `eof` and `broken`. The rest is private. */
struct stream {
    int fd;   /* -1: closed */
    bool eof; /* the client sends no more; it may still read */
    bool broken;
    bool held, deaf; /* deaf: `readable` is not waited for */
    struct event *readable, *writable;
    struct stream_octets input, unsent;
    size_t most; /* octets of the input */
    loop_fn on_ready;
    void *arg;
};

/*
 * Keeps at most `most` octets of input. on_ready(arg) is called when there is more of it or it has
 * ended, when all that was to be sent has gone, and when the connection broke; it may close the
 * stream. False when out of memory: then `fd` is still the caller's.
 */
bool stream_open(struct stream *s, struct loop *l, int fd, size_t most, loop_fn on_ready,
                 void *arg);

/* What was to be sent goes out before, as far as the socket takes it. May be called twice. */
void stream_close(struct stream *s);

/* What there is of the input; NULL before there was any. It stays where it is until it is dropped
   or on_ready() is called again, and is the caller's to write to. */
char *stream_input(const struct stream *s, size_t *len);

/* The first `len` octets of the input were dealt with. */
void stream_drop(struct stream *s, size_t len);

/* While it is held, no more input is taken: what is there stays where it is. */
void stream_hold(struct stream *s, bool held);

/* It goes out at the end of the turn of the loop, never inside this call. The stream is broken when
   more than 1 MiB would be unsent. */
void stream_send(struct stream *s, const char *data, size_t len);

/* How many octets are still to be written. */
size_t stream_unsent(const struct stream *s);

#endif
