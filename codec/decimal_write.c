/*
 * Writing: the shortest digits, and of those the closest, then their layout.
 *
 * Numbers come in no order, so whatever depends on a number's sign, its count of digits or its size is computed, not branched
 * upon: a wrong guess costs more than all the digits together. That is why the digits always start as 9 (float) or 17
 * (double), the zeros at their end are counted instead of divided off, and bytes are stored eight at a time, the later over the
 * earlier. What is rare (zeros, powers of two, exponents) stands apart.
 */
#include "codec/decimal.h"

#include <stdbool.h>

#include "codec/decimal_pow10.h"
#include "codec/decimal_swar.h"

/* digits·10^exponent */
struct decimal {
	uint64_t digits;
	int exponent;
};

/* A finite number's parts as its format stores them. */
struct binary {
	uint64_t fraction;
	int exponent; /* the field */
	int fraction_bits;
	int bias;
};

/*
 * cp·10^k·2^-128, rounded to odd: cut to a whole number, and its lowest bit set when anything was cut off, so that no comparison
 * with a whole number is ever wrong. What is left of the error in the power of ten makes 1, not more.
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
 * The shortest decimal in the interval that reads back as `b`, which is not 0; the closest when there are several. It may end in
 * zeros. This is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020, in the arithmetic of A. Bolz's C++
 * version, Drachennest), figure 4: the interval and the number times 4 in units of 10^k, and its candidates there, s =
 * floor(number) and s + 1, and the two multiples of ten about it; at most one of the latter lies in the interval.
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

/*
 * The same for a float that is neither 0 nor a power of two, in a third of the steps: one product, the number in units of
 * 10^(k+1) with 36 bits after the point, to which half the interval is compared. The constants are good for every float:
 * tests/verify_floats.c tries them all. There are too many doubles for that, and no proof.
 */
static inline struct decimal
shortest_f32(uint32_t bits)
{
	const uint64_t one = UINT64_C(1) << 36;
	const bool normal = (bits & 0x7f800000) != 0;
	const uint64_t c = (bits & 0x7fffff) | (uint64_t)normal << 23;
	const int q = (int)(bits >> 23 & 0xff) + !normal - 150;
	const int k = q * 1262611 >> 22;
	const int h = q + (-(k + 1) * 1741647 >> 19) + 1;
	const uint64_t ten = decimal_pow10_up64(-k - 1);
	const uint64_t number = (uint64_t)((unsigned __int128)ten * (c << (36 + h)) >> 64);
	const uint64_t half = (ten >> (29 - h)) + (~c & 1); /* an even number's interval is closed */
	const uint64_t after = number & (one - 1), rounded = number * 10 + one / 2;
	const uint64_t below = after < half, above = after + half >= one;
	const uint64_t tie = (rounded & (one - 1)) == 0;
	const uint64_t units = (rounded >> 36) - (tie & rounded >> 36), tens = ((number >> 36) + above) * 10;

	return (struct decimal){ units ^ ((units ^ tens) & -(below | above)), k };
}

/* The digits of a number in scientific order, the point after `first`; `rest` and `more` have eight places each. */
struct digits {
	uint64_t rest; /* values, first digit lowest */
	uint64_t more;
	unsigned first;
	int count;    /* without the zeros at the end, `first` included */
	int exponent; /* of the first digit */
};

/* How many of eight values are left when the zeros at the end are gone: a digit in place i has its top bit in 8i+1 to 8i+4. */
static inline int
count_values8(uint64_t values)
{
	return (63 - __builtin_clzll(values << 1 | 1) + 7) >> 3;
}

/* Nine digits of a float, which has 7 to 9, but fewer as a subnormal. */
static inline struct digits
digits_f32(struct decimal d)
{
	static const uint32_t ten[3] = { 1, 10, 100 };
	uint32_t n = (uint32_t)d.digits, first;
	struct digits out;
	int missing;

	while (n < 1000000) {
		n *= 10;
		d.exponent--;
	}
	missing = (n < 10000000) + (n < 100000000);
	d.exponent -= missing;
	n *= ten[missing];
	first = n / 100000000;
	out = (struct digits){ .first = first, .rest = decimal_split8(n - first * 100000000), .exponent = d.exponent + 8 };
	out.count = 1 + count_values8(out.rest);
	return out;
}

/* Seventeen digits of a double, which has 16 or 17, but fewer as a subnormal. */
static inline struct digits
digits_f64(struct decimal d)
{
	const uint64_t top = UINT64_C(10000000000000000);
	uint64_t n = d.digits, first;
	struct digits out;
	int missing;

	while (n < top / 10) {
		n *= 10;
		d.exponent--;
	}
	missing = n < top;
	d.exponent -= missing;
	n += n * 9 & -(uint64_t)missing;
	first = n / top;
	n -= first * top;
	out = (struct digits){ .first = (unsigned)first, .exponent = d.exponent + 16 };
	out.rest = decimal_split8((uint32_t)(n / 100000000));
	out.more = decimal_split8((uint32_t)(n % 100000000));
	out.count = 1 + (out.more != 0 ? 8 + count_values8(out.more) : count_values8(out.rest));
	return out;
}

/*
 * ddd.ddd, 0.00ddd or ddd000 for -5 <= exponent <= 7. `wide`, a constant wherever this is inlined: there are digits in `more`.
 * What is stored behind the point is, for a number below 1, the same bytes at the same place once more.
 */
static inline size_t
layout_usual(struct digits d, bool wide, char *out)
{
	const int small = -(d.exponent < 0); /* all ones or none */
	const int zeros = -d.exponent & small, before = d.exponent & ~small;
	const int start = zeros - small;
	const uint64_t rest = d.rest | DECIMAL_EIGHT('0'), more = d.more | DECIMAL_EIGHT('0');
	char *behind = out + zeros + before + 2;

	memcpy(out, "0.000000", 8);
	out[start] = (char)('0' + d.first);
	decimal_store8(out + start + 1, rest);
	out[before + 1] = '.';
	decimal_store8(behind, rest >> 8 * before | (wide ? more << 8 << (56 - 8 * before) : 0));
	if (wide)
		decimal_store8(behind + 8, more >> 8 * before);
	return (size_t)(d.count <= d.exponent + 1 ? d.exponent + 1 : zeros + d.count + 1);
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
	int e = d->exponent;

	store_digits(d, out + 1);
	out[0] = out[1];
	out[1] = '.';
	*p++ = 'e';
	*p = '-';
	p += e < 0;
	e = e < 0 ? -e : e;
	if (e >= 100)
		*p++ = (char)('0' + e / 100);
	if (e >= 10)
		*p++ = (char)('0' + e / 10 % 10);
	*p++ = (char)('0' + e % 10);
	return (size_t)(p - out);
}

/* Any layout; decimal.h says which a number gets. */
static size_t
layout(struct digits d, char *out)
{
	int scientific = d.count + (d.count > 1) + 3;

	if (d.exponent >= -5 && d.exponent <= 7)
		return layout_usual(d, true, out);
	if (d.exponent < 0 || d.exponent > 20 || (d.exponent >= 16 && d.exponent + 1 > scientific))
		return layout_scientific(&d, out);
	return layout_large(&d, out);
}

/* 0 and the powers of two. */
static size_t
write_power_f32(uint32_t bits, char *out)
{
	if (bits << 1 == 0) {
		out[0] = '0';
		return 1;
	}
	return layout(digits_f32(shortest((struct binary){ bits & 0x7fffff, bits >> 23 & 0xff, 23, 127 })), out);
}

size_t
decimal_write_f32(float value, char *out)
{
	struct digits d;
	uint32_t bits, negative;

	memcpy(&bits, &value, sizeof(bits));
	negative = bits >> 31;
	out[0] = '-';
	out += negative;
	if ((bits & 0x7fffff) == 0)
		return write_power_f32(bits, out) + negative;
	d = digits_f32(shortest_f32(bits));
	if (d.exponent >= -5 && d.exponent <= 7)
		return layout_usual(d, false, out) + negative;
	return layout(d, out) + negative;
}

size_t
decimal_write_f64(double value, char *out)
{
	const uint64_t fraction = (UINT64_C(1) << 52) - 1;
	struct digits d;
	uint64_t bits, negative;

	memcpy(&bits, &value, sizeof(bits));
	negative = bits >> 63;
	out[0] = '-';
	out += negative;
	if (bits << 1 == 0) {
		out[0] = '0';
		return 1 + negative;
	}
	d = digits_f64(shortest((struct binary){ bits & fraction, bits >> 52 & 0x7ff, 52, 1023 }));
	if (d.exponent >= -5 && d.exponent <= 7)
		return layout_usual(d, true, out) + negative;
	return layout(d, out) + negative;
}
