/* SPDX-License-Identifier: MIT */
/*
 * The number reader and writer. The input is one byte that chooses a cut and how much stands before the text, and bytes
 * that are read as a number's text, and as the bits of numbers.
 *
 *   - The result, and the byte that it names, are those of RFC 8259's grammar, however the text is cut.
 *   - The in-line reader, which looks at many bytes before and after a number at once, comes to the same.
 *   - The value has the bits that the C library gives, which rounds correctly; where that is infinite, it is an
 *   overflow.
 *   - What is written is a JSON number, fits its room, reads back to the same bits, and is not longer than it must be.
 *     Many floats written at once are the same text, by every set of instructions that is here.
 */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decimal/block.h"
#include "codec/decimal/fast.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/bits.h"

#define CUTS_ALL 24       /* shorter texts are cut everywhere */
#define BEFORE_MAX 48     /* more than any reader looks back */
#define DOUBLE_CHARS 1100 /* more than any number has when it is printed with a few digits */

/* A type of numbers, by its bits. */
struct type {
	const char *name;
	size_t bytes;
	enum decimal_type type;
	uint64_t (*reference)(const char *text); /* the nearest number's bits, by the C library */
	double (*widen)(uint64_t bits);
	size_t (*write)(uint64_t bits, char *out);
	size_t room;
};

static uint64_t
reference_f32(const char *text)
{
	return bits_of_float(strtof(text, NULL));
}

static uint64_t
reference_f64(const char *text)
{
	return bits_of_double(strtod(text, NULL));
}

static double
strtod_rounded(const char *text, int direction)
{
	const int usual = fegetround();
	double d;

	fesetround(direction);
	d = strtod(text, NULL);
	fesetround(usual);
	return d;
}

/*
 * The C library has no function for halves. Its double, cut off, with its last bit set when anything was cut off
 * (rounding to odd), lies on the same side of every midpoint between halves as the text does, so that it can be rounded
 * again.
 */
static uint64_t
reference_f16(const char *text)
{
	const bool negative = text[0] == '-';
	double d = strtod_rounded(text, FE_TOWARDZERO);
	uint64_t bits;
	int e;

	if (d != strtod_rounded(text, negative ? FE_DOWNWARD : FE_UPWARD))
		d = double_of(bits_of_double(d) | 1);
	d = fabs(d);
	e = d < 0x1p-14 ? -14 : ilogb(d);
	if (e > 15)
		return (uint64_t)negative << 15 | 0x7c00;
	/*
	 * d in units of the last place, to the nearest, ties to even: a sum, because 2^10 of them are the next
	 * exponent.
	 */
	bits = (uint64_t)(e + 14) << 10;
	bits += (uint64_t)nearbyint(ldexp(d, 10 - e));
	return (uint64_t)negative << 15 | bits;
}

static double
widen_f16(uint64_t bits)
{
	return fuzz_half((uint16_t)bits);
}

static double
widen_f32(uint64_t bits)
{
	return (double)float_of((uint32_t)bits);
}

static size_t
write_f32(uint64_t bits, char *out)
{
	return decimal_write_f32(float_of((uint32_t)bits), out);
}

static size_t
write_f64(uint64_t bits, char *out)
{
	return decimal_write_f64(double_of(bits), out);
}

static size_t
write_f16(uint64_t bits, char *out)
{
	return decimal_write_f16((uint16_t)bits, out);
}

static const struct type types[] = {
	{ "half", 2, DECIMAL_F16, reference_f16, widen_f16, write_f16, DECIMAL_F16_BYTES },
	{ "float", 4, DECIMAL_F32, reference_f32, widen_f32, write_f32, DECIMAL_F32_BYTES },
	{ "double", 8, DECIMAL_F64, reference_f64, double_of, write_f64, DECIMAL_F64_BYTES },
};

/* What a reader must say of a text, and the byte that it must name (not of DECIMAL_INCOMPLETE). */
struct verdict {
	enum decimal_result result;
	size_t end;
};

static size_t
skip_digits(const char *text, size_t len, size_t at)
{
	while (at < len && text[at] >= '0' && text[at] <= '9')
		at++;
	return at;
}

/* Digits must stand at `from`; a text that ends there might still have them. */
static bool
digits_missing(const char *text, size_t len, size_t from)
{
	return from < len && skip_digits(text, len, from) == from;
}

/* number = [ minus ] int [ frac ] [ exp ] */
static struct verdict
judge(const char *text, size_t len)
{
	const struct verdict incomplete = { DECIMAL_INCOMPLETE, 0 };
	size_t at = len > 0 && text[0] == '-';

	if (digits_missing(text, len, at))
		return (struct verdict){ DECIMAL_INVALID, at };
	if (at < len && text[at] == '0') {
		at++;
		if (skip_digits(text, len, at) != at)
			return (struct verdict){ DECIMAL_INVALID, at };
	}
	at = skip_digits(text, len, at);
	if (at < len && text[at] == '.') {
		at++;
		if (digits_missing(text, len, at))
			return (struct verdict){ DECIMAL_INVALID, at };
		at = skip_digits(text, len, at);
	}
	if (at < len && (text[at] == 'e' || text[at] == 'E')) {
		at++;
		at += at < len && (text[at] == '+' || text[at] == '-');
		if (digits_missing(text, len, at))
			return (struct verdict){ DECIMAL_INVALID, at };
		at = skip_digits(text, len, at);
	}
	return at == len ? incomplete : (struct verdict){ DECIMAL_OK, at };
}

/* The significant digits of a number's text: without the zeros before and after them. */
static int
count_digits(const char *text)
{
	int count = 0, zeros = 0;

	for (; *text != '\0' && *text != 'e' && *text != 'E'; text++) {
		if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
			continue;
		zeros = *text == '0' ? zeros + 1 : 0;
		count++;
	}
	return count - zeros;
}

static void
check_write(const struct type *type, uint64_t bits)
{
	char shorter[DOUBLE_CHARS], *out = malloc(type->room), *text;
	const double value = type->widen(bits);
	struct verdict v;
	const char *end;
	uint64_t again = 0;
	size_t len;
	int digits;

	fuzz_check(out != NULL, "no memory");
	len = type->write(bits, out);
	fuzz_check(len > 0 && len <= type->room, "%s %a takes %zu bytes", type->name, value, len);
	text = fuzz_text(out, len);
	v = judge(text, len + 1);
	fuzz_check(v.result == DECIMAL_OK && v.end == len, "%s %a is written %s", type->name, value, text);
	fuzz_check(decimal_read(text, text + len + 1, &end, type->type, &again) == DECIMAL_OK && again == bits,
	    "%s %a is written %s", type->name, value, text);
	fuzz_check(type->reference(text) == bits, "%s %a is written %s", type->name, value, text);
	/*
	 * If any text of fewer digits will do, the nearest does (but for powers of two, whose neighbours are not
	 * equally far).
	 */
	digits = count_digits(text);
	if (digits > 1) {
		snprintf(shorter, sizeof(shorter), "%.*e", digits - 2, value);
		fuzz_check(type->reference(shorter) != bits, "%s %s would do for %s", type->name, shorter, text);
	}
	free(text);
	free(out);
}

/* A text, and how many bytes of a list stand before it. */
struct text {
	const char *bytes;
	size_t len;
	size_t before;
};

/* The in-line reader says the same, whatever stands before the text for it to look at. */
static void
check_fast(const struct type *type, const struct text *t, enum decimal_result want, size_t want_end, uint64_t want_bits)
{
	char *block = malloc(t->before + t->len), *p = block + t->before;
	const char *end = NULL;
	uint64_t bits = 0;
	enum decimal_result result;

	fuzz_check(block != NULL || t->before + t->len == 0, "no memory");
	for (size_t i = 0; i < t->before; i++)
		block[i] = i < t->len ? t->bytes[t->len - 1 - i] : '9';
	if (t->len > 0)
		memcpy(p, t->bytes, t->len);
	result = decimal_fast_read(block, p, p + t->len, &end, type->type, &bits);
	fuzz_check(result == want, "%s: in line, %d, not %d", type->name, (int)want, (int)result);
	fuzz_check(want == DECIMAL_INCOMPLETE || end == p + want_end, "%s: in line, ends at %zu", type->name, want_end);
	fuzz_check(want != DECIMAL_OK || bits == want_bits, "%s: in line, %a, not %a", type->name,
	    type->widen(want_bits), type->widen(bits));
	free(block);
}

/* Reads a text that may be cut where it ends. */
static void
check_read(const struct type *type, const struct text *t)
{
	char *block = fuzz_copy(t->bytes, t->len), *number;
	struct verdict want = judge(t->bytes, t->len);
	const char *end = NULL;
	uint64_t bits = 0, reference;
	enum decimal_result result = decimal_read(block, block + t->len, &end, type->type, &bits);

	if (want.result == DECIMAL_OK) {
		number = fuzz_text(t->bytes, want.end);
		reference = type->reference(number);
		if (isinf(type->widen(reference)))
			want.result = DECIMAL_OVERFLOW;
		else {
			fuzz_check(bits == reference, "%s %s is %a, not %a", type->name, number, type->widen(reference),
			    type->widen(bits));
			check_write(type, bits);
		}
		free(number);
	}
	fuzz_check(result == want.result, "%s: %d, not %d", type->name, (int)want.result, (int)result);
	fuzz_check(result == DECIMAL_INCOMPLETE || end == block + want.end, "%s: ends at %zu", type->name, want.end);
	free(block);
	check_fast(type, t, want.result, want.end, bits);
}

static void
check_beginning(const struct type *type, const struct text *t, size_t len)
{
	check_read(type, &(struct text){ t->bytes, len, t->before });
}

static void
check_cuts(const struct type *type, const struct text *t, uint8_t cut)
{
	const struct verdict v = judge(t->bytes, t->len);

	check_read(type, t);
	if (t->len > 0)
		check_beginning(type, t, cut % t->len);
	for (size_t i = v.end; v.result != DECIMAL_INCOMPLETE && i < t->len && i < v.end + 2; i++)
		check_beginning(type, t, i);
	for (size_t i = 0; t->len <= CUTS_ALL && i < t->len; i++)
		check_beginning(type, t, i);
}

/* The text goes on as lists do, far enough to be looked at many bytes at once. */
static void
check_followed(const struct type *type, const struct text *t)
{
	static const char rest[] = ",0.5, -7.25e-3,12345678.9,[1]],\"\":1e5}";
	struct text whole = { .len = t->len + sizeof(rest) - 1, .before = t->before };
	char *bytes = malloc(whole.len);

	fuzz_check(bytes != NULL, "no memory");
	memcpy(bytes, t->bytes, t->len);
	memcpy(bytes + t->len, rest, sizeof(rest) - 1);
	whole.bytes = bytes;
	check_read(type, &whole);
	free(bytes);
}

static void
check_bits(const struct type *type, const char *bytes, size_t len)
{
	uint64_t bits = 0;

	if (len < type->bytes)
		return;
	memcpy(&bits, bytes, type->bytes);
	if (isfinite(type->widen(bits)))
		check_write(type, bits);
}

/* The floats with these bits, or something finite where they have none; to be freed. */
static float *
finite_floats(const char *bytes, size_t n)
{
	float *values = malloc(n * sizeof(*values));

	fuzz_check(values != NULL, "no memory");
	for (size_t i = 0; i < n; i++) {
		memcpy(values + i, bytes + i * sizeof(*values), sizeof(*values));
		if (!isfinite(values[i]))
			values[i] = (float)i;
	}
	return values;
}

/* Writes `n` floats, a comma after each; a NUL after all. To be freed. */
static char *
write_floats(const struct decimal_block_set *set, const float *values, size_t n)
{
	char *room = malloc(n * (DECIMAL_F32_BYTES + 1)), *text;

	fuzz_check(room != NULL, "no memory");
	text = fuzz_text(room, (size_t)(decimal_block_write_f32(set, values, n, room) - room));
	free(room);
	return text;
}

static void
check_blocks(const char *bytes, size_t len)
{
	const size_t n = len / sizeof(float);
	float *values;
	char *want, *text;
	const struct decimal_block_set *set;

	if (n == 0)
		return;
	values = finite_floats(bytes, n);
	want = write_floats(NULL, values, n);
	for (size_t i = 0; (set = decimal_block_usable(i)) != NULL; i++) {
		text = write_floats(set, values, n);
		fuzz_check(strcmp(text, want) == 0, "%s writes %s, not %s", set->name, text, want);
		free(text);
	}
	free(want);
	free(values);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct text t;
	char *copy;

	if (len < 1)
		return 0;
	copy = fuzz_copy(bytes + 1, len - 1);
	t = (struct text){ .bytes = copy, .len = len - 1, .before = bytes[0] % BEFORE_MAX };
	for (size_t i = 0; i < COUNT(types); i++) {
		check_cuts(&types[i], &t, bytes[0]);
		check_followed(&types[i], &t);
		check_bits(&types[i], t.bytes, t.len);
	}
	check_blocks(t.bytes, t.len);
	free(copy);
	return 0;
}
