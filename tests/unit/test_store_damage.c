/* store: octets of values turned over in the file, values that moved to another key, files cut
 * short. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dice.h"
#include "store/envelope.h"
#include "store/store.h"
#include "store_rig.h"
#include "suite.h"

#define RECORDS 3000
#define DAMAGED 1000
#define MARK    8 /* octets that a value begins with, and nothing else has */

static struct store_rig rig;
static struct dice dice;

/* The file as it was when the store was closed. */
static uint8_t *file;
static size_t file_len;

static void setup(void)
{
    rig_init(&rig);
    dice.seed = 1;
}

static void teardown(void)
{
    free(file);
    file = NULL;
    rig_remove(&rig);
}

static size_t length_of(uint32_t n)
{
    return MARK + n % 300 + (n % 10 == 0 ? 4000 : 0);
}

static void fill(uint32_t n, uint8_t *value)
{
    struct dice d = {n};

    for (size_t i = MARK; i < length_of(n); i++)
        value[i] = (uint8_t)dice_throw(&d, 256);
    memcpy(value, "\xC3\xA5\x5C\x9D", 4);
    memcpy(value + 4, &n, sizeof(n));
}

static void put(uint32_t n)
{
    uint8_t value[STORE_VALUE_MAX];

    fill(n, value);
    ck_assert(store_put(rig.store, STORE_TABLE_ADDRESS, &n, sizeof(n), value, length_of(n),
                        INT64_MAX, NULL, NULL));
}

/* Nothing is ever another value than was put. */
static enum store_result get(uint32_t n)
{
    uint8_t value[STORE_VALUE_MAX], wanted[STORE_VALUE_MAX];
    size_t len = 0;
    enum store_result result = store_get(rig.store, STORE_TABLE_ADDRESS, &n, sizeof(n), RIG_NOW,
                                         value, sizeof(value), &len);

    if (result == STORE_OK) {
        fill(n, wanted);
        ck_assert_uint_eq(len, length_of(n));
        ck_assert_mem_eq(value, wanted, len);
    }
    return result;
}

static void read_file(void)
{
    struct stat st;
    int fd = open(rig.data, O_RDONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    file_len = (size_t)st.st_size;
    file = malloc(file_len);
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(read(fd, file, file_len), st.st_size);
    close(fd);
}

/* The first `len` octets of it. */
static void write_file(size_t len)
{
    int fd = open(rig.data, O_WRONLY | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, file, len, 0), (ssize_t)len);
    ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
    close(fd);
}

/* A closed store of RECORDS, with its file read. */
static void fill_store(void)
{
    rig_open(&rig);
    for (uint32_t n = 0; n < RECORDS; n++)
        put(n);
    store_close(&rig.store);
    read_file();
}

/* With its envelope: that of one left over may be under what its page holds now. */
static bool is_value(uint32_t n, const uint8_t *at, size_t room)
{
    struct bytes value;

    if (n >= RECORDS || length_of(n) > room)
        return false;
    return envelope_open((struct bytes){&n, sizeof(n)},
                         (struct bytes){at - ENVELOPE_SIZE, ENVELOPE_SIZE + length_of(n)}, RIG_NOW,
                         &value) == ENVELOPE_OK;
}

/* Calls it for every place in the file where a value is: also where it was before its page moved.
 */
static void for_values(void (*visit)(uint32_t n, uint8_t *value))
{
    for (size_t at = ENVELOPE_SIZE; at + MARK <= file_len; at++) {
        uint32_t n;

        memcpy(&n, file + at + 4, sizeof(n));
        if (memcmp(file + at, "\xC3\xA5\x5C\x9D", 4) == 0 && is_value(n, file + at, file_len - at))
            visit(n, file + at);
    }
}

/*
 * Octets turned over
 */

static struct {
    bool wanted, done;
    size_t at; /* in the sealed value, which begins with the envelope */
    uint8_t bits;
} damage[RECORDS];

static void choose_damage(void)
{
    memset(damage, 0, sizeof(damage));
    for (unsigned chosen = 0; chosen < DAMAGED;) {
        uint32_t n = (uint32_t)dice_throw(&dice, RECORDS);

        if (damage[n].wanted)
            continue;
        damage[n].wanted = true;
        damage[n].at = dice_throw(&dice, ENVELOPE_SIZE + length_of(n));
        damage[n].bits = (uint8_t)(1 + dice_throw(&dice, 255));
        chosen++;
    }
}

static void turn_over(uint32_t n, uint8_t *value)
{
    uint8_t *sealed = value - ENVELOPE_SIZE;

    if (damage[n].wanted)
        sealed[damage[n].at] ^= damage[n].bits;
    damage[n].done = true;
}

static void do_damage(void)
{
    choose_damage();
    for_values(turn_over);
    for (uint32_t n = 0; n < RECORDS; n++)
        ck_assert(damage[n].done);
    write_file(file_len);
}

/* Where the log goes meanwhile. */
struct hearing {
    FILE *text;
    int stderr_fd;
};

static void listen_to_log(struct hearing *h)
{
    h->text = tmpfile();
    ck_assert_ptr_nonnull(h->text);
    h->stderr_fd = dup(STDERR_FILENO);
    ck_assert_int_ge(h->stderr_fd, 0);
    ck_assert_int_ge(dup2(fileno(h->text), STDERR_FILENO), 0);
}

/* Ends it; the number of lines that say `what`, and no other was heard. */
static unsigned heard(struct hearing *h, const char *what)
{
    unsigned lines = 0;
    char line[2048];

    ck_assert_int_ge(dup2(h->stderr_fd, STDERR_FILENO), 0);
    close(h->stderr_fd);
    rewind(h->text);
    for (; fgets(line, sizeof(line), h->text) != NULL; lines++)
        ck_assert_msg(strstr(line, what) != NULL, "%s", line);
    (void)fclose(h->text);
    return lines;
}

static bool count_record(void *arg, const void *key, size_t key_len, const void *value,
                         size_t value_len)
{
    unsigned *count = arg;
    uint32_t n;

    ck_assert_uint_eq(key_len, sizeof(n));
    memcpy(&n, key, sizeof(n));
    ck_assert_uint_lt(n, RECORDS);
    ck_assert(!damage[n].wanted);
    ck_assert_uint_eq(value_len, length_of(n));
    ck_assert_mem_eq((const uint8_t *)value + 4, &n, sizeof(n));
    ++*count;
    return true;
}

static void all_are(bool healed)
{
    for (uint32_t n = 0; n < RECORDS; n++)
        ck_assert_int_eq(get(n), damage[n].wanted && !healed ? STORE_BAD : STORE_OK);
}

START_TEST(a_damaged_value_is_none)
{
    struct hearing hearing;
    unsigned walked = 0;

    fill_store();
    do_damage();
    rig_open(&rig);
    listen_to_log(&hearing);
    all_are(false);
    ck_assert(store_each(rig.store, STORE_TABLE_ADDRESS, RIG_NOW, count_record, &walked));
    ck_assert_uint_eq(walked, RECORDS - DAMAGED);
    ck_assert_uint_eq(heard(&hearing, "it is damaged"), 1);
}
END_TEST

START_TEST(a_put_heals)
{
    fill_store();
    do_damage();
    rig_open(&rig);
    for (uint32_t n = 0; n < RECORDS; n++)
        if (damage[n].wanted)
            put(n);
    store_flush(rig.store);
    all_are(true);
    store_close(&rig.store);
    rig_open(&rig);
    all_are(true);
}
END_TEST

START_TEST(the_damaged_can_be_deleted)
{
    unsigned walked = 0;

    fill_store();
    do_damage();
    rig_open(&rig);
    for (uint32_t n = 0; n < RECORDS; n++)
        if (damage[n].wanted)
            ck_assert(store_delete(rig.store, STORE_TABLE_ADDRESS, &n, sizeof(n), NULL, NULL));
    store_flush(rig.store);
    for (uint32_t n = 0; n < RECORDS; n++)
        ck_assert_int_eq(get(n), damage[n].wanted ? STORE_MISS : STORE_OK);
    ck_assert(store_each(rig.store, STORE_TABLE_ADDRESS, RIG_NOW, count_record, &walked));
    ck_assert_uint_eq(walked, RECORDS - DAMAGED);
}
END_TEST

START_TEST(the_damaged_can_be_forgotten)
{
    uint64_t count = 0;

    fill_store();
    do_damage();
    rig_open(&rig);
    for (unsigned first = 0; first < 256; first++) {
        uint8_t prefix = (uint8_t)first;

        ck_assert(store_forget(rig.store, STORE_TABLE_ADDRESS, &prefix, 1, &count, NULL, NULL));
        store_flush(rig.store);
    }
    for (uint32_t n = 0; n < RECORDS; n++)
        ck_assert_int_eq(get(n), STORE_MISS);
}
END_TEST

/*
 * LMDB's node of a record: four octets of the value's length, two of flags, two of the key's
 * length, the key, the value.
 */
#define AT_KEY(value)      ((value)-ENVELOPE_SIZE - sizeof(uint32_t))
#define AT_KEY_LEN(value)  (AT_KEY(value) - 2)
#define AT_DATA_LEN(value) (AT_KEY(value) - 8)

static void break_node(uint32_t n, uint8_t *value)
{
    static const uint8_t zeros[4] = {0}, ones[4] = {0xff, 0xff, 0xff, 0xff};

    if (!damage[n].wanted || length_of(n) > 4000) /* those are on pages of their own */
        return;
    switch (n % 4) {
    case 0:
        memcpy(AT_KEY(value), zeros, 4);
        break;
    case 1:
        memcpy(AT_KEY(value), ones, 4);
        break;
    case 2:
        memcpy(AT_KEY_LEN(value), zeros, 2);
        break;
    default:
        memcpy(AT_DATA_LEN(value), ones, 4);
    }
}

struct seen {
    bool is[RECORDS];
    unsigned count;
};

static bool see(void *arg, const void *key, size_t key_len, const void *value, size_t value_len)
{
    struct seen *seen = arg;
    uint32_t n;

    (void)value;
    ck_assert_uint_eq(key_len, sizeof(n));
    memcpy(&n, key, sizeof(n));
    ck_assert_uint_lt(n, RECORDS);
    ck_assert_uint_eq(value_len, length_of(n));
    ck_assert(!seen->is[n]);
    seen->is[n] = true;
    seen->count++;
    return true;
}

START_TEST(damaged_keys_and_lengths_lead_nowhere)
{
    static const unsigned most[] = {1, 3, 1000};
    struct store_place place = {.ended = false};
    static struct seen seen;
    unsigned pages = 0;

    fill_store();
    choose_damage();
    for_values(break_node);
    write_file(file_len);
    rig_open(&rig);
    memset(&seen, 0, sizeof(seen));
    while (!place.ended && store_page(rig.store, STORE_TABLE_ADDRESS, NULL, 0, RIG_NOW, most[_i],
                                      &place, see, &seen))
        ck_assert_uint_le(++pages, 2 * RECORDS);
    if (most[_i] == 1000)
        ck_assert_uint_gt(seen.count, (RECORDS - DAMAGED) / 2);
    for (uint32_t n = 0; n < RECORDS; n++)
        (void)get(n);
}
END_TEST

/* Values of another record, whole and of the same length. */
static uint8_t *places[RECORDS];

static void note_place(uint32_t n, uint8_t *value)
{
    places[n] = value;
}

static void exchange(uint8_t *a, uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t octet = a[i];

        a[i] = b[i];
        b[i] = octet;
    }
}

START_TEST(a_value_under_another_key_is_none)
{
    unsigned distance = 300, bad = 0; /* of records whose values are equally long */

    fill_store();
    for_values(note_place);
    for (uint32_t n = 0; n < distance; n++)
        exchange(places[n] - ENVELOPE_SIZE, places[n + distance] - ENVELOPE_SIZE,
                 ENVELOPE_SIZE + length_of(n));
    write_file(file_len);
    rig_open(&rig);
    for (uint32_t n = 0; n < RECORDS; n++)
        bad += get(n) == STORE_BAD;
    ck_assert_uint_gt(bad, distance); /* some were exchanged where they are no more */
    ck_assert_uint_le(bad, 2 * distance);
}
END_TEST

/*
 * Files cut short
 */

static void is_whole_or_refused(size_t len, unsigned *whole)
{
    struct error err = {""};

    write_file(len);
    if (store_open(&rig.store, &rig.opts, NULL, &err)) {
        for (uint32_t n = 0; n < RECORDS; n++)
            ck_assert_int_eq(get(n), STORE_OK);
        store_close(&rig.store);
        ++*whole;
        return;
    }
    ck_assert_msg(strstr(err.text, rig.data) != NULL &&
                      strstr(err.text, "move it away to start afresh") != NULL,
                  "cut to %zu: %s", len, err.text);
}

START_TEST(a_file_cut_anywhere_is_refused_or_whole)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned whole = 0;

    fill_store();
    ck_assert_uint_gt(file_len, 300 * page);
    for (size_t len = file_len; len > 0; len -= page)
        is_whole_or_refused(len, &whole);
    for (unsigned i = 0; i < 200; i++)
        is_whole_or_refused(1 + dice_throw(&dice, file_len), &whole);
    ck_assert_uint_ge(whole, 1);
    is_whole_or_refused(file_len, &whole);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_damage");
    TCase *tc = tcase_create("damage");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, a_damaged_value_is_none);
    tcase_add_test(tc, a_put_heals);
    tcase_add_test(tc, the_damaged_can_be_deleted);
    tcase_add_test(tc, the_damaged_can_be_forgotten);
    tcase_add_loop_test(tc, damaged_keys_and_lengths_lead_nowhere, 0, 3);
    tcase_add_test(tc, a_value_under_another_key_is_none);
    tcase_add_test(tc, a_file_cut_anywhere_is_refused_or_whole);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
