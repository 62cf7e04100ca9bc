/*
 * A disk whose power may fail. The functions that write to files are this program's own (disk_log.c
 * defines them, and a shared library finds those of the program first): what is done to one file is
 * recorded. From the record come images of what a loss of power at any point may leave: all that
 * was synced before, and of what was not any part, in sectors of 512 octets. Nothing is really
 * synced.
 */
#ifndef DISK_LOG_H
#define DISK_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_SECTOR 512

struct disk_image {
    uint8_t *bytes; /* behind `len` all zero */
    size_t len;
    size_t room;
    bool absent; /* there is no such file */
};

/* The path is as /proc/self/fd says it. What is in the file now, if it is there, is on the disk. If
   it is not, it may be made as PATH.new and renamed; its name is in doubt until its directory is
   synced.
 */
void disk_log_begin(const char *path);

/* Ends the recording; what was recorded is kept. */
void disk_log_end(void);
void disk_log_free(void);

/* How many events there are by now. */
size_t disk_log_count(void);

/* Whether what an event did is on the disk with it. */
bool disk_log_is_sync(size_t event);

/* The disk after a number of events. */
struct disk_replay {
    bool ignore_syncs; /* a disk that only says that it has written; set before the first step */
    struct disk_image image;  /* what is surely there */
    bool named, named_surely; /* the file is there */
    size_t at;                /* events that are over */
    size_t synced;            /* of the events from here on those are in doubt that aren't syncs */
};

void disk_replay_begin(struct disk_replay *r);
void disk_replay_to(struct disk_replay *r, size_t count);
void disk_replay_free(struct disk_replay *r);

/* What may be left: in doubt by `seed`; 0: none of it, 1: all of it. */
void disk_replay_lose_power(const struct disk_replay *r, uint64_t seed, struct disk_image *out);
void disk_image_free(struct disk_image *i);

#endif
