/*
 * What a process has to see to before it opens its first socket.
 *
 * Threads: call before any is started; process_raise_descriptors() after log_open(), too.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>

/*
 * Opens stdin, stdout and stderr where they are closed: what is opened next would get their number,
 * and be taken for them. False when that fails.
 */
bool process_open_standard(void);

/* A peer that is gone is an error of write(2), not the end. */
void process_ignore_sigpipe(void);

/* As many descriptors as the administrator lets us have; fewer than `wanted` are worth a warning.
 */
void process_raise_descriptors(unsigned wanted);

#endif
