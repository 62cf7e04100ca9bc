/*
 * Local parts that nobody has, to learn what a domain does with recipients that do not exist. They
 * look like people's, so that no server takes them for what they are, and are drawn from so many
 * that no domain is asked about one twice. Pure but for its source of random numbers.
 *
 * Threads: any.
 */
#ifndef CALLOUT_MADE_UP_H
#define CALLOUT_MADE_UP_H

#include <stddef.h>
#include <stdint.h>

#define MADE_UP_SIZE 65

/* Uniform in [0, bound). */
typedef uint32_t (*made_up_random)(uint32_t bound);

/* The one with this number: the first, 0, has digits in it, the second is of two words, and so in
   turn. A dot-string of ASCII letters and digits. */
void made_up_local(unsigned number, made_up_random random, char out[MADE_UP_SIZE]);

#endif
