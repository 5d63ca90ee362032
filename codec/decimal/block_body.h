/* SPDX-License-Identifier: MIT */
/*
 * A set's function `digits`. Each set includes this once, with SET, SET_NAME and LANES (64-bit lanes in a vector)
 * defined. The steps are those of shortest_f32 and decimal_split8, which have the comments; but a product of 64 by 24
 * bits is made of two products of 32 by 24 bits, which fit a lane.
 */
#include <string.h>

#include "codec/decimal/pow10.h"

typedef uint64_t lanes __attribute__((vector_size(8 * LANES)));
typedef int64_t signed_lanes __attribute__((vector_size(8 * LANES)));
typedef uint32_t lanes_of_4 __attribute__((vector_size(8 * LANES)));
typedef uint16_t lanes_of_2 __attribute__((vector_size(8 * LANES)));

static inline lanes
lanes_load(const uint64_t *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void
lanes_store(uint64_t *p, lanes v)
{
	memcpy(p, &v, sizeof(v));
}

/* decimal_split8 of every lane. The first division is by 3518437209 = ceil(2^45 / 10000), exact below 2^27. */
static inline lanes
split8(lanes number)
{
	lanes fours = number * 3518437209 >> 45, hundreds, pairs, tens;

	fours += (number - (lanes)((lanes_of_4)fours * 10000)) << 32;
	hundreds = (lanes)((lanes_of_4)fours * 10486 >> 20);
	pairs = hundreds + ((fours - (lanes)((lanes_of_4)hundreds * 100)) << 16);
	tens = (lanes)((lanes_of_2)pairs * 103 >> 10);
	return tens + ((pairs - (lanes)((lanes_of_2)tens * 10)) << 8);
}

/* For each float its significand, its unit's `ten`, and its `k` with `shift` above it. */
struct looked_up {
	uint64_t c[DECIMAL_BLOCK];
	uint64_t ten[DECIMAL_BLOCK];
	uint64_t k_shift[DECIMAL_BLOCK];
};

static inline void
look_up(const float *values, struct looked_up *out)
{
	const struct decimal_unit *unit;
	uint32_t bits, field;

	for (int i = 0; i < DECIMAL_BLOCK; i++) {
		memcpy(&bits, values + i, sizeof(bits));
		field = bits >> 23 & 0xff;
		unit = &decimal_unit_f32[field == 0xff ? 0 : field];
		out->c[i] = (bits & 0x7fffff) | 0x800000;
		out->ten[i] = unit->ten;
		out->k_shift[i] = (uint32_t)unit->k | (uint64_t)(uint32_t)unit->shift << 32;
	}
}

static inline void
digits_at(const struct looked_up *in, size_t i, struct decimal_block *out)
{
	const uint64_t one = UINT64_C(1) << 36;
	const lanes c = lanes_load(in->c + i), ten = lanes_load(in->ten + i), k_shift = lanes_load(in->k_shift + i);
	const lanes shift = k_shift >> 32; /* 33 to 36 */
	const lanes number = ((ten >> 32) * c << (shift - 32)) + ((ten & 0xffffffff) * c >> (64 - shift));
	const lanes half = (ten >> (65 - shift)) + (~c & 1); /* an even number's interval is closed */
	const lanes upper = number + half, whole = upper >> 36, behind = number & (one - 1);
	const lanes after = (behind << 3) + (behind << 1);
	const lanes more = (lanes)((signed_lanes)(upper & (one - 1)) >= (signed_lanes)(half + half));
	const lanes last = (after + (one / 2 - 1) + (after >> 36 & 1)) >> 36; /* ties to even */
	const lanes missing = -((lanes)((signed_lanes)whole < 10000000) + (lanes)((signed_lanes)whole < 1000000));
	const lanes exponent = k_shift + 8 - missing;
	const lanes below_one = (lanes)((signed_lanes)(k_shift << 32) < 0),
		    near = (lanes)((signed_lanes)((exponent + 5) << 32) >= 0);

	lanes_store(out->values + i, split8(whole) >> (missing << 3));
	lanes_store(out->last + i, last & more);
	lanes_store(out->missing + i, missing);
	lanes_store(out->exponent + i, exponent);
	/* Zeros, subnormals, infinity and NaN are looked up as numbers far below 1, and so are not near. */
	lanes_store(out->usual + i, below_one & near & (lanes)(c != 0x800000));
}

static void
digits(const float *values, struct decimal_block *out)
{
	struct looked_up in;

	look_up(values, &in);
	for (size_t i = 0; i < DECIMAL_BLOCK; i += LANES)
		digits_at(&in, i, out);
}

const struct decimal_block_set SET = { SET_NAME, digits };
