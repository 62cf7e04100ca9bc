/*
 * What every fuzz target has: the entry that libFuzzer or replay_main.c calls, and what it holds
 * true.
 *
 * Threads: none.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Bytes as they came; 0 always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Also where NDEBUG is defined. */
#define REQUIRE(condition) \
    do { \
        if (!(condition)) \
            abort(); \
    } while (0)

#endif
