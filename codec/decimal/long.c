/* SPDX-License-Identifier: MIT */
/* The steps of fast.h over twice the characters, with an exponent, and a mantissa that decimal_round must round. */
#include "codec/decimal.h"

#include <stdbool.h>

#include "codec/decimal/lanes.h"
#include "codec/decimal/round.h"

#define LANES 16
#define WINDOW 32

/* A window's characters. */
struct window {
	decimal_lanes first;
	decimal_lanes second;
};

/* (-1)^negative · mantissa · 10^exponent */
struct long_number {
	uint64_t mantissa;
	int exponent;
	bool negative;
};

static inline uint32_t
marks_of(decimal_lanes first, decimal_lanes second)
{
	return decimal_lanes_bits(first) | decimal_lanes_bits(second) << LANES;
}

static inline uint32_t
stops_of(struct window w)
{
	return marks_of((decimal_lanes)(w.first == ',') | (decimal_lanes)(w.first == ']'),
	    (decimal_lanes)(w.second == ',') | (decimal_lanes)(w.second == ']'));
}

static inline uint32_t
others_of(struct window w)
{
	return marks_of((decimal_lanes)((w.first ^ '0') > 9), (decimal_lanes)((w.second ^ '0') > 9));
}

static inline uint32_t
letters_of(struct window w)
{
	return marks_of((decimal_lanes)((w.first | 0x20) == 'e'), (decimal_lanes)((w.second | 0x20) == 'e'));
}

/* [+-]digits up to `end`, at most three digits. */
static inline bool
read_exponent(const char *p, const char *end, int *exponent)
{
	const bool negative = *p == '-';
	int e = 0;

	p += *p == '-' || *p == '+';
	if (end - p < 1 || end - p > 3)
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		e = e * 10 + (*p - '0');
	}
	*exponent = negative ? -e : e;
	return true;
}

static inline unsigned
within_lanes(unsigned count)
{
	return count < LANES ? count : LANES;
}

/* The number of the last `digits` of the 16 digits before `end`, without a point that has `behind` digits behind it. */
static inline uint64_t
join_before(const char *end, unsigned behind, unsigned digits)
{
	const decimal_lanes mask = decimal_lanes_last(behind);
	decimal_lanes text = (decimal_lanes_load(end - LANES) & mask) | (decimal_lanes_load(end - LANES - 1) & ~mask);

	return decimal_lanes_join((text ^ '0') & decimal_lanes_last(digits));
}

/* The mantissa of the `digits` digits before `end`. False: they are too many. */
static inline bool
join_digits(const char *end, unsigned behind, unsigned digits, uint64_t *mantissa)
{
	const unsigned behind_more = behind > LANES ? behind - LANES : 0, more = digits > LANES ? digits - LANES : 0;
	uint64_t high = join_before(end - LANES, within_lanes(behind_more), more);

	*mantissa = high * decimal_ten[LANES] + join_before(end, within_lanes(behind), within_lanes(digits));
	return high < 1000;
}

/* Returns the byte after the long number at `p`, or NULL: it is not one. */
static inline const char *
read_long(const char *floor, const char *p, const char *limit, struct long_number *n)
{
	struct window w;
	uint32_t stops, others, letters;
	unsigned sign, count, point, fraction = 0;
	const char *end;

	if (limit - p < WINDOW || p - floor <= WINDOW || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return NULL;
	w = (struct window){ decimal_lanes_load(p), decimal_lanes_load(p + LANES) };
	stops = stops_of(w);
	if (stops == 0)
		return NULL;
	count = (unsigned)__builtin_ctz(stops);
	end = p + count;
	sign = *p == '-';
	others = others_of(w) & (stops - 1) & ~stops & ~sign;
	letters = letters_of(w) & others;
	n->exponent = 0;
	if (letters != 0) {
		count = (unsigned)__builtin_ctz(letters);
		others &= (UINT32_C(1) << count) - 1;
		if (!read_exponent(p + count + 1, end, &n->exponent))
			return NULL;
	}
	point = count;
	if (others != 0) {
		point = (unsigned)__builtin_ctz(others);
		fraction = count - point - 1;
		if ((others & (others - 1)) != 0 || p[point] != '.' || fraction == 0)
			return NULL;
	}
	if ((point == sign) | ((point > sign + 1) & (p[sign] == '0')))
		return NULL;
	n->exponent -= (int)fraction;
	n->negative = sign;
	/* Without a point everything is behind it. */
	if (!join_digits(p + count, others != 0 ? fraction : WINDOW, count - sign - (others != 0), &n->mantissa))
		return NULL;
	return end;
}

/* Rounds and stores the number. False: it overflows. `type` is a constant. */
static ALWAYS_INLINE bool
store_long(const struct long_number *n, enum decimal_type type, void *value)
{
	const struct decimal_format *f = &decimal_formats[type];
	const uint64_t bits = decimal_round(n->mantissa, n->exponent, f);

	if (bits == decimal_infinity(f))
		return false;
	decimal_store(type, bits, n->negative, value);
	return true;
}

enum decimal_result
decimal_long_read(
    const char *floor, const char *p, const char *limit, const char **end, enum decimal_type type, void *value)
{
	struct long_number n;
	const char *after = read_long(floor, p, limit, &n);

	if (after == NULL ||
	    !(type == DECIMAL_F64       ? store_long(&n, DECIMAL_F64, value) :
		    type == DECIMAL_F32 ? store_long(&n, DECIMAL_F32, value) :
					  store_long(&n, DECIMAL_F16, value)))
		return decimal_read(p, limit, end, type, value);
	*end = after;
	return DECIMAL_OK;
}
