/* SPDX-License-Identifier: MIT */
#include "tests/verify_floats_codec.h"

#include <string.h>

#include "codec/decimal/block.h"
#include "codec/decimal/fast.h"

static bool
has_bits(float value, uint32_t bits)
{
	return memcmp(&value, &bits, sizeof(bits)) == 0;
}

bool
verify_read_f32(const char *text, size_t len, uint32_t bits)
{
	/*
	 * Before the number what a list has before it, behind it as many characters as the in-line reader wants to see.
	 */
	static const char before[] = "12345678,987654321,", behind[] = ",1.5,2.5,3.5,4.5";
	char list[sizeof(before) + 40 + sizeof(behind)], *number = list + sizeof(before) - 1,
							 *limit = number + len + sizeof(behind) - 1;
	const char *end = NULL;
	float value = 0;

	memcpy(list, before, sizeof(before) - 1);
	memcpy(number, text, len);
	memcpy(number + len, behind, sizeof(behind) - 1);
	if (decimal_read(number, limit, &end, DECIMAL_F32, &value) != DECIMAL_OK || end != number + len ||
	    !has_bits(value, bits))
		return false;
	value = 0;
	return decimal_fast_read(list, number, limit, &end, DECIMAL_F32, &value) == DECIMAL_OK && end == number + len &&
	    has_bits(value, bits);
}

bool
verify_list_f32(const uint32_t bits[VERIFY_LIST])
{
	char want[VERIFY_LIST * (DECIMAL_F32_BYTES + 1)], got[sizeof(want)], *end = want;
	const struct decimal_block_set *set;
	float values[VERIFY_LIST];
	bool same = true;

	memcpy(values, bits, sizeof(values));
	for (size_t i = 0; i < VERIFY_LIST; i++) {
		end += decimal_write_f32(values[i], end);
		*end++ = ',';
	}
	for (size_t at = 0; (set = decimal_block_usable(at)) != NULL; at++) {
		char *got_end = decimal_block_write_f32(set, values, VERIFY_LIST, got);

		same &= got_end - got == end - want && memcmp(want, got, (size_t)(end - want)) == 0;
	}
	return same;
}
