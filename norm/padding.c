/* SPDX-License-Identifier: MIT */
#include "norm/padding.h"

#include <string.h>

#include "norm/kernels/columns.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

void
padding_starts(const unsigned char *keep, size_t samples, size_t positions, size_t *start)
{
	size_t count = 0;

	for (size_t s = 0; s < samples; s++, keep += positions) {
		start[s] = count;
		for (size_t i = 0; i < positions; i++)
			count += keep[i];
	}
	start[samples] = count;
}

size_t
padding_parts(const struct padding *p)
{
	if (p->view.inner == 1)
		return p->samples;
	return p->view.feature * (p->samples / p->together + (p->samples % p->together != 0));
}

/* The end of the stretch of equal bytes that begins with keep[from]. */
static inline size_t
stretch_end(const unsigned char *keep, size_t from, size_t n)
{
	const unsigned char value = keep[from];
	const uint64_t all = value * UINT64_C(0x0101010101010101);
	uint64_t eight;

	for (; n - from >= sizeof(eight); from += sizeof(eight)) {
		memcpy(&eight, keep + from, sizeof(eight));
		if (eight != all)
			break;
	}
	while (from < n && keep[from] == value)
		from++;
	return from;
}

/*
 * Packs or unpacks `n` elements of `bytes` each, of which those count that `keep` says. Whole stretches at a time:
 * padding mostly stands at the end. Returns how many count.
 */
static ALWAYS_INLINE size_t
move_run(bool unpack, const unsigned char *in, unsigned char *out, size_t bytes, const unsigned char *keep, size_t n)
{
	size_t from, to, counted = 0;

	for (from = 0; from < n; from = to) {
		to = stretch_end(keep, from, n);
		if (keep[from] != 0) {
			memcpy(out + (unpack ? from : counted) * bytes, in + (unpack ? counted : from) * bytes,
			    (to - from) * bytes);
			counted += to - from;
		} else if (unpack) {
			memset(out + from * bytes, 0, (to - from) * bytes);
		}
	}
	return counted;
}

/* Writes `n` elements, all of them as the one at `value`; NULL: zeros. */
static inline void
repeat(unsigned char *out, const unsigned char *value, size_t bytes, size_t n)
{
	size_t done = bytes;

	if (value == NULL) {
		memset(out, 0, n * bytes);
		return;
	}
	memcpy(out, value, bytes);
	for (size_t more; done < n * bytes; done += more) {
		more = columns_min(done, n * bytes - done);
		memcpy(out + done, out, more);
	}
}

/* The padding among `n` elements becomes as `value` is. */
static void
fill_run(unsigned char *x, const unsigned char *value, size_t bytes, const unsigned char *keep, size_t n)
{
	for (size_t from = 0, to; from < n; from = to) {
		to = stretch_end(keep, from, n);
		if (keep[from] == 0)
			repeat(x + from * bytes, value, bytes, to - from);
	}
}

/* Feature by feature; `first`, where there are values to be repeated, is the position that has them. */
static void
fill_feature(const struct padding *p, size_t i, size_t bytes, const size_t *first, unsigned char *x)
{
	const size_t feature = i % p->view.feature, runs = p->view.outer / p->samples, inner = p->view.inner;
	const size_t begin = i / p->view.feature * p->together, end = columns_min(begin + p->together, p->samples);
	const unsigned char *value = NULL;

	if (first != NULL)
		value = x + ((*first / inner * p->view.feature + feature) * inner + *first % inner) * bytes;
	for (size_t o = begin * runs; o < end * runs; o++)
		fill_run(x + (o * p->view.feature + feature) * inner * bytes, value, bytes, p->keep + o * inner, inner);
}

static void
fill_part(enum norm_real real, const struct padding *p, struct norm_part part, const size_t *first, unsigned char *x)
{
	const size_t bytes = norm_real_size(real), step = p->view.feature * bytes,
		     positions = p->view.outer / p->samples;

	if (p->view.inner == 1)
		fill_run(x + part.first * positions * step, first == NULL ? NULL : x + *first * step, step,
		    p->keep + part.first * positions, (part.end - part.first) * positions);
	else
		for (; part.first < part.end; part.first++)
			fill_feature(p, part.first, bytes, first, x);
}

void
padding_fill(enum norm_real real, const struct padding *p, struct norm_part part, void *x)
{
	const size_t positions = norm_view_count(p->view);
	const size_t first = positions > 0 && p->keep[0] == 0 ? stretch_end(p->keep, 0, positions) : 0;

	fill_part(real, p, part, first == positions ? NULL : &first, x);
}

void
padding_clear(enum norm_real real, const struct padding *p, struct norm_part part, void *x)
{
	fill_part(real, p, part, NULL, x);
}

/* Steps of whole samples, each step as one element. */
static ALWAYS_INLINE void
move_steps(bool unpack, const struct padding *p, struct norm_part samples, size_t bytes, const unsigned char *in,
    unsigned char *out)
{
	const size_t positions = p->view.outer / p->samples, first = samples.first * positions;
	const size_t packed = p->start[samples.first];

	(void)move_run(unpack, in + (unpack ? packed : first) * bytes, out + (unpack ? first : packed) * bytes, bytes,
	    p->keep + first, (samples.end - samples.first) * positions);
}

/* One feature of a block: number `i` of them all. */
static ALWAYS_INLINE void
move_feature(bool unpack, const struct padding *p, size_t i, size_t bytes, const unsigned char *in, unsigned char *out)
{
	const size_t feature = i % p->view.feature, runs = p->view.outer / p->samples;
	const size_t first = i / p->view.feature * p->together, end = columns_min(first + p->together, p->samples);
	size_t packed = p->start[first] * p->view.feature + feature * (p->start[end] - p->start[first]);

	for (size_t o = first * runs; o < end * runs; o++) {
		const size_t at = (o * p->view.feature + feature) * p->view.inner;

		packed += move_run(unpack, in + (unpack ? packed : at) * bytes, out + (unpack ? at : packed) * bytes,
		    bytes, p->keep + o * p->view.inner, p->view.inner);
	}
}

static ALWAYS_INLINE void
move_part(bool unpack, enum norm_real real, const struct padding *p, struct norm_part part, const unsigned char *in,
    unsigned char *out)
{
	const size_t bytes = norm_real_size(real);

	if (p->view.inner == 1)
		move_steps(unpack, p, part, p->view.feature * bytes, in, out);
	else
		for (; part.first < part.end; part.first++)
			move_feature(unpack, p, part.first, bytes, in, out);
}

void
padding_pack(enum norm_real real, const struct padding *p, struct norm_part part, const void *x, void *packed)
{
	move_part(false, real, p, part, x, packed);
}

void
padding_unpack(enum norm_real real, const struct padding *p, struct norm_part part, const void *packed, void *x)
{
	move_part(true, real, p, part, packed, x);
}
