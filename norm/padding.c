/* SPDX-License-Identifier: MIT */
#include "norm/padding.h"

#include <string.h>

#include "norm/kernels/columns.h"
#include "norm/pass.h"

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

/* Steps are cut at samples, runs at features of blocks of samples. */
static struct norm_cut
cut_padding(const struct norm_pass *pass)
{
	const struct padding *p = pass->padding;

	if (p->view.inner == 1)
		return (struct norm_cut){ p->samples, 1 };
	return (struct norm_cut){ p->view.feature * cut_most(p->samples, p->together), 1 };
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
 * Packs or unpacks `n` elements of `bytes` bytes, by whole stretches, because padding is mostly at the end. Returns how
 * many of them are values.
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

/* Writes `n` copies of the element at `value`, or zeros if it is NULL. */
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

/* Replaces the padding among `n` elements by `value`, or zeros if it is NULL. */
static void
fill_run(unsigned char *x, const unsigned char *value, size_t bytes, const unsigned char *keep, size_t n)
{
	for (size_t from = 0, to; from < n; from = to) {
		to = stretch_end(keep, from, n);
		if (keep[from] == 0)
			repeat(x + from * bytes, value, bytes, to - from);
	}
}

/* Feature i % feature of block i / feature. `first` is the position whose values replace padding; NULL: zeros. */
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

static bool
fill(const struct norm_pass *pass, struct norm_part part, const size_t *first)
{
	const struct padding *p = pass->padding;
	const size_t bytes = norm_real_size(pass->real), step = p->view.feature * bytes,
		     positions = p->view.outer / p->samples;
	unsigned char *x = pass->y;

	if (p->view.inner == 1)
		fill_run(x + part.first * positions * step, first == NULL ? NULL : x + *first * step, step,
		    p->keep + part.first * positions, (part.end - part.first) * positions);
	else
		for (; part.first < part.end; part.first++)
			fill_feature(p, part.first, bytes, first, x);
	return true;
}

static bool
fill_part(const struct norm_pass *pass, struct norm_part part)
{
	const struct padding *p = pass->padding;
	const size_t positions = norm_view_count(p->view);
	const size_t first = positions > 0 && p->keep[0] == 0 ? stretch_end(p->keep, 0, positions) : 0;

	return fill(pass, part, first == positions ? NULL : &first);
}

static bool
clear_part(const struct norm_pass *pass, struct norm_part part)
{
	return fill(pass, part, NULL);
}

const struct norm_op norm_fill = { .part = fill_part, .cut = cut_padding };
const struct norm_op norm_clear = { .part = clear_part, .cut = cut_padding };

/* Steps of whole samples, each step as one element. */
static ALWAYS_INLINE void
move_steps(bool unpack, const struct norm_pass *pass, struct norm_part samples)
{
	const struct padding *p = pass->padding;
	const size_t bytes = p->view.feature * norm_real_size(pass->real);
	const size_t positions = p->view.outer / p->samples, first = samples.first * positions;
	const size_t packed = p->start[samples.first];
	const unsigned char *in = pass->x;
	unsigned char *out = pass->y;

	(void)move_run(unpack, in + (unpack ? packed : first) * bytes, out + (unpack ? first : packed) * bytes, bytes,
	    p->keep + first, (samples.end - samples.first) * positions);
}

/* Feature i % feature of block i / feature. */
static ALWAYS_INLINE void
move_feature(bool unpack, const struct norm_pass *pass, size_t i)
{
	const struct padding *p = pass->padding;
	const size_t feature = i % p->view.feature, runs = p->view.outer / p->samples,
		     bytes = norm_real_size(pass->real);
	const size_t first = i / p->view.feature * p->together, end = columns_min(first + p->together, p->samples);
	size_t packed = p->start[first] * p->view.feature + feature * (p->start[end] - p->start[first]);
	const unsigned char *in = pass->x;
	unsigned char *out = pass->y;

	for (size_t o = first * runs; o < end * runs; o++) {
		const size_t at = (o * p->view.feature + feature) * p->view.inner;

		packed += move_run(unpack, in + (unpack ? packed : at) * bytes, out + (unpack ? at : packed) * bytes,
		    bytes, p->keep + o * p->view.inner, p->view.inner);
	}
}

static ALWAYS_INLINE bool
move(bool unpack, const struct norm_pass *pass, struct norm_part part)
{
	if (pass->padding->view.inner == 1)
		move_steps(unpack, pass, part);
	else
		for (; part.first < part.end; part.first++)
			move_feature(unpack, pass, part.first);
	return true;
}

static bool
pack_part(const struct norm_pass *pass, struct norm_part part)
{
	return move(false, pass, part);
}

static bool
unpack_part(const struct norm_pass *pass, struct norm_part part)
{
	return move(true, pass, part);
}

const struct norm_op norm_pack = { .part = pack_part, .cut = cut_padding };
const struct norm_op norm_unpack = { .part = unpack_part, .cut = cut_padding };
