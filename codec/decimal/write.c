/* SPDX-License-Identifier: MIT */
/* Writes any number: finds the shortest digits, of those the closest, pads them to 17, and lays them out. */
#include "codec/decimal.h"

#include <stdbool.h>

#include "codec/decimal/pow10.h"
#include "codec/decimal/swar.h"
#include "codec/decimal/write.h"

/* The parts of a finite number as its format stores them. */
struct binary {
	uint64_t fraction;
	int exponent; /* the field */
	int fraction_bits;
	int bias;
};

/* digits·10^exponent, 0 < digits < 10^17. */
struct decimal {
	uint64_t digits;
	int exponent;
};

/*
 * cp·10^k·2^-128, rounded to odd: cut to a whole number whose lowest bit is set if anything was cut off, so that no
 * comparison with a whole number is wrong. The error of the power of ten makes at most 1.
 */
static inline uint64_t
scale(uint64_t cp, int k)
{
	const struct decimal_pow10 ten = decimal_pow10_up(k);
	const unsigned __int128 low = (unsigned __int128)ten.lo * cp;
	const unsigned __int128 high = (unsigned __int128)ten.hi * cp + (uint64_t)(low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/*
 * The shortest decimal in the interval that reads back as `b`, which is not 0; the closest if there are several. It may
 * end in zeros. This is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020, in the arithmetic of
 * A. Bolz's C++ version, Drachennest), figure 4: the interval and the number times 4 in units of 10^k, and its
 * candidates there, s = floor(number) and s + 1, and the two multiples of ten about it; at most one of the latter lies
 * in the interval.
 */
static inline struct decimal
shortest(struct binary b)
{
	const bool normal = b.exponent != 0;
	const bool irregular = b.fraction == 0 && b.exponent > 1; /* the neighbour below is closer than the one above */
	const uint64_t c = b.fraction | (uint64_t)normal << b.fraction_bits;
	const int q = b.exponent + !normal - b.bias - b.fraction_bits;
	/* floor(log10(2^q)) or, irregular, floor(log10(3/4·2^q)); floor(log2(10^-k)). */
	const int k = (q * 1262611 - irregular * 524031) >> 22;
	const int h = q + ((-k * 1741647) >> 19) + 1;
	const uint64_t odd = c & 1; /* an odd number's interval is open: ties go to even */
	const uint64_t lower = scale((4 * c - 2 + irregular) << h, -k) + odd;
	const uint64_t middle = scale(4 * c << h, -k);
	const uint64_t upper = scale((4 * c + 2) << h, -k) - odd;
	const uint64_t s = middle / 4, tens = s / 10 * 10, half = 4 * s + 2;
	const uint64_t tens_above = 4 * tens + 40 <= upper, tens_alone = (lower <= 4 * tens) ^ tens_above;
	const uint64_t closer_above = (middle > half) | ((middle == half) & s);
	const uint64_t above = (4 * s + 4 <= upper) & (closer_above | (lower > 4 * s));
	const uint64_t units = s + above, whole_tens = tens + 10 * tens_above;

	return (struct decimal){ units ^ ((units ^ whole_tens) & -tens_alone), k };
}

/* The digits of a number in scientific order, the point after `first`; `rest` and `more` have eight places each. */
struct digits {
	uint64_t rest; /* values, first digit lowest */
	uint64_t more;
	unsigned first;
	int count;    /* without the zeros at the end, `first` included */
	int exponent; /* of the first digit */
};

/* How many decimal digits `n` has, 0 < n < 10^19. */
static inline int
count_digits(uint64_t n)
{
	const int about = (64 - __builtin_clzll(n)) * 1233 >> 12; /* log10(2) */

	return about + (n >= decimal_ten[about]);
}

/* Seventeen digits of any number. A double has 17 or 16, a subnormal and a float have fewer. */
static inline struct digits
digits_from_decimal(struct decimal d)
{
	const uint64_t top = UINT64_C(10000000000000000);
	uint64_t n = d.digits, first;
	struct digits out;
	int missing, more;

	if (n < top / 10) {
		more = 16 - count_digits(n);
		n *= decimal_ten[more];
		d.exponent -= more;
	}
	missing = n < top;
	d.exponent -= missing;
	n += n * 9 & -(uint64_t)missing;
	first = n / top;
	n -= first * top;
	out = (struct digits){ .first = (unsigned)first, .exponent = d.exponent + 16 };
	out.rest = decimal_split8((uint32_t)(n / 100000000));
	out.more = decimal_split8((uint32_t)(n % 100000000));
	out.count = 1 + (out.more != 0 ? 8 + decimal_count8(out.more) : decimal_count8(out.rest));
	return out;
}

/* ddd.ddd, 0.00ddd or ddd000 for -5 <= exponent <= 7, without branches; below 1 as in decimal_layout_usual. */
static inline size_t
layout_usual(const struct digits *d, char *out)
{
	const int small = -(d->exponent < 0); /* all ones or none */
	const int zeros = -d->exponent & small, before = d->exponent & ~small;
	const int start = zeros - small;
	const uint64_t rest = d->rest | DECIMAL_EIGHT('0'), more = d->more | DECIMAL_EIGHT('0');
	char *behind = out + zeros + before + 2;

	memcpy(out, "0.000000", 8);
	out[start] = (char)('0' + d->first);
	decimal_store8(out + start + 1, rest);
	out[before + 1] = '.';
	decimal_store8(behind, rest >> 8 * before | more << 8 << (56 - 8 * before));
	decimal_store8(behind + 8, more >> 8 * before);
	return (size_t)(d->count <= d->exponent + 1 ? d->exponent + 1 : zeros + d->count + 1);
}

/* All digits, one after another, and zeros up to 24. */
static void
store_digits(const struct digits *d, char *out)
{
	out[0] = (char)('0' + d->first);
	decimal_store8(out + 1, d->rest | DECIMAL_EIGHT('0'));
	decimal_store8(out + 9, d->more | DECIMAL_EIGHT('0'));
	memcpy(out + 17, "0000000", 7);
}

/* ddd.ddd or ddd000 for 0 <= exponent <= 20. */
static size_t
layout_large(const struct digits *d, char *out)
{
	int before = d->exponent + 1;

	store_digits(d, out);
	if (d->count <= before)
		return (size_t)before;
	memmove(out + before + 1, out + before, 16);
	out[before] = '.';
	return (size_t)d->count + 1;
}

/* d.ddde-dd, de-dd */
static size_t
layout_scientific(const struct digits *d, char *out)
{
	char *p = out + (d->count > 1 ? d->count + 1 : 1);

	store_digits(d, out + 1);
	out[0] = out[1];
	out[1] = '.';
	return (size_t)(decimal_write_exponent(p, d->exponent) - out);
}

static size_t
write_decimal(struct decimal decimal, char *out, size_t before)
{
	const struct digits d = digits_from_decimal(decimal);
	const int scientific = d.count + (d.count > 1) + 3;

	if (d.exponent >= -5 && d.exponent <= 7)
		return before + layout_usual(&d, out);
	if (d.exponent < 0 || d.exponent > 20 || (d.exponent >= 16 && d.exponent + 1 > scientific))
		return before + layout_scientific(&d, out);
	return before + layout_large(&d, out);
}

/* A finite number of any type, without its sign. */
static inline size_t
write_binary(struct binary b, char *out, size_t before)
{
	if (b.fraction == 0 && b.exponent == 0) {
		out[0] = '0';
		return before + 1;
	}
	return write_decimal(shortest(b), out, before);
}

size_t
decimal_write_f16(uint16_t bits, char *out)
{
	size_t negative = bits >> 15;

	out[0] = '-';
	out += negative;
	return write_binary((struct binary){ bits & 0x3ff, bits >> 10 & 0x1f, 10, 15 }, out, negative);
}

size_t
decimal_write_any_f32(uint32_t bits, char *out, size_t before)
{
	return write_binary((struct binary){ bits & 0x7fffff, (int)(bits >> 23), 23, 127 }, out, before);
}

size_t
decimal_write_f64(double value, char *out)
{
	const uint64_t fraction = (UINT64_C(1) << 52) - 1;
	uint64_t bits, negative;

	memcpy(&bits, &value, sizeof(bits));
	negative = bits >> 63;
	out[0] = '-';
	out += negative;
	return write_binary((struct binary){ bits & fraction, bits >> 52 & 0x7ff, 52, 1023 }, out, negative);
}
