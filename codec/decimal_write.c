/*
 * Writing: Schubfach finds the shortest digits, and of those the closest (R. Giulietti, "The Schubfach way to render doubles",
 * 2020, with the arithmetic of A. Bolz's C++ version, Drachennest); then they are laid out.
 *
 * Numbers come in no order, so whatever depends on a number's sign, its count of digits or its size is computed, not branched
 * upon: a wrong guess costs more than all the digits together. That is why the digits always start as 9 (float) or 17
 * (double), the zeros at their end are counted instead of divided off, and bytes are stored eight at a time, the later over the earlier.
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
 * cp·10^k·2^-64 (float) or ·2^-128 (double), rounded to odd: cut to a whole number, and its lowest bit set when anything was cut
 * off, so that no comparison with a whole number is ever wrong. What is left of the error in the power of ten makes 1, not more.
 */
static inline uint64_t
scale(uint64_t cp, int k, bool wide)
{
	struct decimal_pow10 ten;
	unsigned __int128 low, high;

	if (!wide) {
		high = (unsigned __int128)decimal_pow10_up64(k) * cp;
		return (uint64_t)(high >> 64) | ((uint32_t)(high >> 32) > 1);
	}
	ten = decimal_pow10_up(k);
	low = (unsigned __int128)ten.lo * cp;
	high = (unsigned __int128)ten.hi * cp + (uint64_t)(low >> 64);
	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/*
 * The shortest decimal in the interval that reads back as `b`, which is not 0; the closest when there are several. It may end in
 * zeros. Named as in Giulietti's figure 4: the interval and the number times 4 in units of 10^k, and its candidates there,
 * s = floor(number) and s + 1, and the two multiples of ten about it; at most one of the latter lies in the interval.
 */
static inline struct decimal
shortest(struct binary b, bool wide)
{
	const bool normal = b.exponent != 0;
	const bool irregular = b.fraction == 0 && b.exponent > 1; /* the neighbour below is closer than the one above */
	const uint64_t c = b.fraction | (uint64_t)normal << b.fraction_bits;
	const int q = b.exponent + !normal - b.bias - b.fraction_bits;
	/* floor(log10(2^q)) or, irregular, floor(log10(3/4·2^q)); floor(log2(10^-k)). */
	const int k = (q * 1262611 - irregular * 524031) >> 22;
	const int h = q + ((-k * 1741647) >> 19) + 1;
	const uint64_t odd = c & 1; /* an odd number's interval is open: ties go to even */
	const uint64_t lower = scale((4 * c - 2 + irregular) << h, -k, wide) + odd;
	const uint64_t middle = scale(4 * c << h, -k, wide);
	const uint64_t upper = scale((4 * c + 2) << h, -k, wide) - odd;
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

/* ddd.ddd, 0.00ddd or ddd000 for -5 <= exponent <= 7 and no more than 9 digits. */
static inline size_t
layout_short(const struct digits *d, char *out)
{
	const int small = -(d->exponent < 0); /* all ones or none */
	const int zeros = -d->exponent & small, before = d->exponent & ~small;
	const int start = zeros - small;
	const uint64_t rest = d->rest | DECIMAL_EIGHT('0');

	memcpy(out, "0.000000", 8);
	out[start] = (char)('0' + d->first);
	decimal_store8(out + start + 1, rest);
	out[before + 1] = '.';
	/* Behind the point once more, what stands there. For a small number these are the same bytes at the same place. */
	decimal_store8(out + zeros + before + 2, rest >> 8 * before);
	return (size_t)(d->count <= d->exponent + 1 ? d->exponent + 1 : zeros + d->count + 1);
}

/* All digits, one after another, and zeros up to 24. */
static inline void
store_digits(const struct digits *d, char *out)
{
	out[0] = (char)('0' + d->first);
	decimal_store8(out + 1, d->rest | DECIMAL_EIGHT('0'));
	decimal_store8(out + 9, d->more | DECIMAL_EIGHT('0'));
	memcpy(out + 17, "0000000", 7);
}

/* The same for any number of digits and -5 <= exponent <= 20. */
static size_t
layout_plain(const struct digits *d, char *out)
{
	char after[24];
	int before = d->exponent;

	if (before < 0) {
		memcpy(out, "0.000000", 8);
		store_digits(d, out + 1 - before);
		return (size_t)(1 - before + d->count);
	}
	store_digits(d, out);
	if (d->count <= before + 1)
		return (size_t)before + 1;
	memcpy(after, out + before + 1, 16);
	out[before + 1] = '.';
	memcpy(out + before + 2, after, 16);
	return (size_t)d->count + 1;
}

/* d.ddde-dd, de-dd */
static size_t
layout_scientific(const struct digits *d, char *out)
{
	int e = d->exponent;
	char *p = out;

	store_digits(d, out + 1);
	out[0] = out[1];
	out[1] = '.';
	p += d->count > 1 ? d->count + 1 : 1;
	*p++ = 'e';
	if (e < 0) {
		*p++ = '-';
		e = -e;
	}
	if (e >= 100)
		*p++ = (char)('0' + e / 100);
	if (e >= 10)
		*p++ = (char)('0' + e / 10 % 10);
	*p++ = (char)('0' + e % 10);
	return (size_t)(p - out);
}

/* decimal.h says which layout a number gets. */
static size_t
layout(const struct digits *d, char *out)
{
	int scientific = d->count + (d->count > 1) + 3;

	if (d->exponent < -5 || d->exponent > 20 || (d->exponent >= 16 && d->exponent + 1 > scientific))
		return layout_scientific(d, out);
	return layout_plain(d, out);
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
	if (bits << 1 == 0) {
		out[0] = '0';
		return 1 + negative;
	}
	d = digits_f32(shortest((struct binary){ bits & 0x7fffff, bits >> 23 & 0xff, 23, 127 }, false));
	if (d.exponent >= -5 && d.exponent <= 7)
		return layout_short(&d, out) + negative;
	return layout(&d, out) + negative;
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
	d = digits_f64(shortest((struct binary){ bits & fraction, bits >> 52 & 0x7ff, 52, 1023 }, true));
	return layout(&d, out) + negative;
}
