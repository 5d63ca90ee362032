/*
 * decimal_read_f16, _f32 and _f64 for a loop over millions of numbers: the ordinary number is read here, in line, and all
 * others by a call. In line, because `end` is where the next number starts: through memory it would hold up every number by a
 * store and a load.
 *
 * The ordinary number ends within 16 bytes, has no exponent and fewer than eight digits before its point. It is read without a
 * branch that depends on its sign or on how many digits it has, for those are what nobody can predict.
 */
#ifndef CODEC_DECIMAL_FAST_H
#define CODEC_DECIMAL_FAST_H

#include <float.h>
#include <stdbool.h>

#include "codec/decimal.h"
#include "codec/decimal_swar.h"

_Static_assert(FLT_EVAL_METHOD == 0, "a double operation must round to double, once");

/* What those below do, for any number. */
enum decimal_result decimal_read_any_f16(const char *p, const char *limit, const char **end, uint16_t *bits) MUST_CHECK;
enum decimal_result decimal_read_any_f32(const char *p, const char *limit, const char **end, float *value) MUST_CHECK;
enum decimal_result decimal_read_any_f64(const char *p, const char *limit, const char **end, double *value) MUST_CHECK;

/* (-1)^negative · mantissa / 10^fraction, mantissa < 10^15, fraction <= 14. */
struct decimal_ordinary {
	uint64_t mantissa;
	unsigned fraction;
	bool negative;
};

/* Returns the byte after the number, or NULL when it is not an ordinary one; then it may be any other, cut or wrong. */
static inline const char *
decimal_read_ordinary(const char *p, const char *limit, struct decimal_ordinary *n)
{
	static const uint32_t ten[8] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000 };
	uint64_t head, tail, head_marks, marks, before;
	unsigned sign, point, count, head_count, strange;

	if (limit - p < 16)
		return NULL;
	head = decimal_values8(decimal_load8(p));
	tail = decimal_values8(decimal_load8(p + 8));
	sign = *p == '-';
	head_marks = decimal_strangers8(head) & ~((uint64_t)sign << 7);
	if (head_marks == 0)
		return NULL;
	head &= ~((uint64_t)sign * 0xff);
	point = decimal_first8(head_marks);
	strange = (point == sign) | ((point > sign + 1) & (p[sign] == '0'));
	count = point;
	n->fraction = 0;
	if (p[point] == '.') {
		head_marks &= head_marks - 1;
		marks = head_marks != 0 ? head_marks : decimal_strangers8(tail);
		if (marks == 0)
			return NULL;
		count = decimal_first8(marks) + (head_marks != 0 ? 0 : 8);
		n->fraction = count - point - 1;
		strange |= n->fraction == 0;
		/* The digits before the point move over it, and leave a zero in front. */
		before = (UINT64_C(1) << 8 * point) - 1;
		head = (head & before) << 8 | (head & ~(before << 8 | 0xff));
	}
	if (strange | ((p[count] | 0x20) == 'e'))
		return NULL;
	head_count = count < 8 ? count : 8;
	n->mantissa =
	    decimal_join8(head << (64 - 8 * head_count)) * ten[count - head_count] + decimal_join(tail, count - head_count);
	n->negative = sign;
	return p + count;
}

/* The number's size rounded to double: both operands are exact, so the division rounds once (Clinger 1990). */
static inline double
decimal_ordinary_f64(const struct decimal_ordinary *n)
{
	static const double ten[15] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14 };

	return (double)(int64_t)n->mantissa / ten[n->fraction];
}

/*
 * By way of a double, which is as good as straight to float: rounding to double keeps the order, and all midpoints between
 * floats are doubles, so a number can end on the wrong side of one only by becoming one. Those are left to the exact reader.
 * From 10^-14 to 10^15 a float is normal: its midpoints are the doubles with one 1 and 28 zeros below the float's bits.
 */
static inline enum decimal_result
decimal_fast_read_f32(const char *p, const char *limit, const char **end, float *value)
{
	struct decimal_ordinary n;
	const char *after = decimal_read_ordinary(p, limit, &n);
	enum decimal_result result;
	uint64_t wide_bits;
	uint32_t bits;
	double wide;
	float narrow;

	if (after != NULL) {
		wide = decimal_ordinary_f64(&n);
		memcpy(&wide_bits, &wide, sizeof(wide_bits));
		if ((wide_bits & 0x1fffffff) != 0x10000000) {
			narrow = (float)wide;
			memcpy(&bits, &narrow, sizeof(bits));
			bits |= (uint32_t)n.negative << 31;
			memcpy(value, &bits, sizeof(bits));
			*end = after;
			return DECIMAL_OK;
		}
	}
	/* Locals of this call alone, so that the caller's `end` can stay in a register. */
	result = decimal_read_any_f32(p, limit, &after, &narrow);
	*end = after;
	if (result == DECIMAL_OK)
		*value = narrow;
	return result;
}

static inline enum decimal_result
decimal_fast_read_f64(const char *p, const char *limit, const char **end, double *value)
{
	struct decimal_ordinary n;
	const char *after = decimal_read_ordinary(p, limit, &n);
	enum decimal_result result;
	uint64_t bits;
	double wide;

	if (after != NULL) {
		wide = decimal_ordinary_f64(&n);
		memcpy(&bits, &wide, sizeof(bits));
		bits |= (uint64_t)n.negative << 63;
		memcpy(value, &bits, sizeof(bits));
		*end = after;
		return DECIMAL_OK;
	}
	result = decimal_read_any_f64(p, limit, &after, &wide);
	*end = after;
	if (result == DECIMAL_OK)
		*value = wide;
	return result;
}

/*
 * Straight from the double's bits, which are rounded where float16 is normal; zero is zero. All else, also what may be a midpoint
 * as above, is left to the exact reader. Returns whether it was not.
 */
static inline bool
decimal_ordinary_f16(double wide, uint16_t *bits)
{
	const double smallest_normal = 0x1p-14, overflows = 65520;
	uint64_t wide_bits;

	memcpy(&wide_bits, &wide, sizeof(wide_bits));
	if (!(wide >= smallest_normal && wide < overflows) || (wide_bits & 0x3ffffffffff) == 0x20000000000) {
		*bits = 0;
		return wide_bits == 0;
	}
	*bits = (uint16_t)(((wide_bits + 0x20000000000) >> 42) - ((1023 - 15) << 10));
	return true;
}

static inline enum decimal_result
decimal_fast_read_f16(const char *p, const char *limit, const char **end, uint16_t *value)
{
	struct decimal_ordinary n;
	const char *after = decimal_read_ordinary(p, limit, &n);
	enum decimal_result result;
	uint16_t bits;

	if (after != NULL && decimal_ordinary_f16(decimal_ordinary_f64(&n), &bits)) {
		*value = (uint16_t)(bits | n.negative << 15);
		*end = after;
		return DECIMAL_OK;
	}
	result = decimal_read_any_f16(p, limit, &after, &bits);
	*end = after;
	if (result == DECIMAL_OK)
		*value = bits;
	return result;
}

#endif
