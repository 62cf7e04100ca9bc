/*
 * How it stands with a destination, for status and health.
 *
 * Threads: a plain value.
 */
#ifndef CALLOUT_GATE_REPORT_H
#define CALLOUT_GATE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "callout/breaker.h"
#include "callout/destination.h"
#include "callout/verdict.h"

struct gate_report {
    char name[DESTINATION_NAME_SIZE];
    enum breaker_state breaker;
    unsigned level;   /* of callout/pace */
    int64_t until;    /* seconds since the epoch: of the pause, or the breaker; 0: none */
    unsigned waiting; /* turns */
    unsigned connections;
    bool bulk_pauses;
    enum verdict_reason why; /* of the last trouble */
    char refusal[256];       /* the reply that opened the breaker */
};

#endif
