/* store/envelope: sealing, opening, and every way of damage. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store/envelope.h"
#include "suite.h"

#define NOW 1700000000

static const struct bytes key = {"example.com\0joe", 15};

static struct bytes seal(uint8_t *buf, const char *value, int64_t expires)
{
    size_t len = strlen(value);

    envelope_seal(key, (struct bytes){value, len}, expires, buf);
    return (struct bytes){buf, ENVELOPE_SIZE + len};
}

START_TEST(opens_what_was_sealed)
{
    uint8_t buf[64];
    struct bytes value, sealed = seal(buf, "a value", NOW + 1);

    ck_assert_int_eq(envelope_open(key, sealed, NOW, &value), ENVELOPE_OK);
    ck_assert_uint_eq(value.len, 7);
    ck_assert_mem_eq(value.data, "a value", 7);
    sealed = seal(buf, "", INT64_MAX);
    ck_assert_int_eq(envelope_open(key, sealed, NOW, &value), ENVELOPE_OK);
    ck_assert_uint_eq(value.len, 0);
    envelope_seal(key, (struct bytes){NULL, 0}, NOW + 1, buf);
    ck_assert_int_eq(envelope_open(key, sealed, NOW, &value), ENVELOPE_OK);
}
END_TEST

START_TEST(expires_at_its_second)
{
    uint8_t buf[64];
    struct bytes value, sealed = seal(buf, "x", NOW);

    ck_assert_int_eq(envelope_open(key, sealed, NOW - 1, &value), ENVELOPE_OK);
    ck_assert_int_eq(envelope_open(key, sealed, NOW, &value), ENVELOPE_EXPIRED);
    ck_assert_int_eq(envelope_open(key, sealed, INT64_MAX, &value), ENVELOPE_EXPIRED);
    sealed = seal(buf, "x", INT64_MIN);
    ck_assert_int_eq(envelope_open(key, sealed, INT64_MIN, &value), ENVELOPE_EXPIRED);
    sealed = seal(buf, "x", -1);
    ck_assert_int_eq(envelope_open(key, sealed, -2, &value), ENVELOPE_OK);
}
END_TEST

START_TEST(every_flipped_bit_shows)
{
    uint8_t buf[64];
    struct bytes value, sealed = seal(buf, "some value", NOW + 1);

    for (size_t bit = 0; bit < sealed.len * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_int_eq(envelope_open(key, sealed, NOW, &value), ENVELOPE_BAD);
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(envelope_open(key, sealed, NOW, &value), ENVELOPE_OK);
}
END_TEST

START_TEST(every_cut_shows)
{
    uint8_t buf[64];
    struct bytes value, sealed = seal(buf, "some value", NOW + 1);

    for (size_t len = 0; len < sealed.len; len++) {
        uint8_t *exact = malloc(len + 1);

        ck_assert_ptr_nonnull(exact);
        memcpy(exact, buf, len);
        ck_assert_int_eq(envelope_open(key, (struct bytes){exact, len}, NOW, &value), ENVELOPE_BAD);
        free(exact);
    }
}
END_TEST

START_TEST(belongs_to_its_key)
{
    uint8_t buf[64];
    struct bytes value, sealed = seal(buf, "some value", NOW + 1);

    ck_assert_int_eq(envelope_open((struct bytes){"example.com\0jim", 15}, sealed, NOW, &value),
                     ENVELOPE_BAD);
}
END_TEST

/* Stores made before must be read after: the octets are a format. */
START_TEST(layout_is_fixed)
{
    static const uint8_t tail[] = {1, 0x15, 0xcd, 0x5b, 0x07, 0, 0, 0, 0, 'v'};
    uint8_t buf[64];
    struct bytes sealed = seal(buf, "v", 123456789);

    ck_assert_uint_eq(sealed.len, 8 + sizeof(tail));
    ck_assert_mem_eq(buf + 8, tail, sizeof(tail));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_envelope");
    TCase *tc = tcase_create("envelope");

    tcase_add_test(tc, opens_what_was_sealed);
    tcase_add_test(tc, expires_at_its_second);
    tcase_add_test(tc, every_flipped_bit_shows);
    tcase_add_test(tc, every_cut_shows);
    tcase_add_test(tc, belongs_to_its_key);
    tcase_add_test(tc, layout_is_fixed);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
