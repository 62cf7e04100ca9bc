/*
 * The dialogue of a callout as text, for those who asked to see it: bounded, one line a line.
 *
 * Threads: the engine loop's only. Every function takes NULL for "nobody asked".
 */
#ifndef CALLOUT_TRACE_H
#define CALLOUT_TRACE_H

#define TRACE_MAX 16384 /* bytes; what comes later is left out, and said so */

struct trace;

/* NULL when out of memory: then there is no trace. */
struct trace *trace_new(void);
void trace_free(struct trace **t);

/* dir: '>' sent, '<' received, '*' remark; `line` is printable. */
void trace_add(struct trace *t, char dir, const char *line);

/* NULL for a NULL trace. */
const char *trace_text(const struct trace *t);

#endif
