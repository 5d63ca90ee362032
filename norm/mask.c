#include "norm/mask.h"

#include <math.h>
#include <string.h>

#include "norm/element.h"

size_t
mask_count(const unsigned char *mask, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += mask[i] != 0;
	return count;
}

/* The elements, of `bytes` each, of a stretch that count; returns the end of what was written. */
static unsigned char *
pack(const unsigned char *x, size_t bytes, const unsigned char *mask, size_t n, unsigned char *out)
{
	size_t from, to;

	/* Whole stretches at a time: padding mostly stands at the end. */
	for (from = 0; from < n; from = to) {
		for (to = from; to < n && mask[to] != 0; to++)
			;
		memcpy(out, x + from * bytes, (to - from) * bytes);
		out += (to - from) * bytes;
		for (; to < n && mask[to] == 0; to++)
			;
	}
	return out;
}

struct norm_view
mask_packed_view(struct norm_view view, size_t count)
{
	return view.inner == 1 ? (struct norm_view){ count, view.feature, 1 } : (struct norm_view){ 1, view.feature, count };
}

void
mask_pack_features(enum norm_real real, const void *x, struct norm_view view, const unsigned char *mask,
    struct norm_part features, size_t count, void *packed)
{
	const size_t bytes = norm_real_size(real);
	const unsigned char *at = x;
	unsigned char *out = (unsigned char *)packed + features.first * count * bytes;

	for (size_t f = features.first; f < features.end; f++)
		for (size_t o = 0; o < view.outer; o++)
			out = pack(
			    at + (o * view.feature + f) * view.inner * bytes, bytes, mask + o * view.inner, view.inner, out);
}

/* A step is what the mask has a byte for. */
void
mask_pack_steps(enum norm_real real, const void *x, struct norm_view view, const unsigned char *mask, void *packed)
{
	(void)pack(x, view.feature * norm_real_size(real), mask, view.outer, packed);
}

size_t
mask_pack_run(enum norm_real real, const void *x, size_t first, size_t n, size_t channels, size_t positions,
    const unsigned char *mask, void *packed)
{
	const size_t bytes = norm_real_size(real);
	const unsigned char *at = x;
	unsigned char *out = packed;
	size_t part;

	for (size_t i = 0; i < n; i += part) {
		const size_t element = first + i, position = element % positions;
		const size_t sample = element / (channels * positions);

		part = positions - position < n - i ? positions - position : n - i;
		out = pack(at + i * bytes, bytes, mask + sample * positions + position, part, out);
	}
	return (size_t)(out - (unsigned char *)packed) / bytes;
}

/* One element at a time: padding is not what time is spent on. */
static double
load(enum norm_real real, const void *x, size_t i)
{
	switch (real) {
	case NORM_FLOAT:
		return load_float(((const float *)x)[i]);
	case NORM_DOUBLE:
		return load_double(((const double *)x)[i]);
	case NORM_HALF:
		return load_half(((const uint16_t *)x)[i]);
	case NORM_BFLOAT:
		return load_bfloat(((const uint16_t *)x)[i]);
	}
	return 0;
}

static void
store(enum norm_real real, void *x, size_t i, double value)
{
	switch (real) {
	case NORM_FLOAT:
		((float *)x)[i] = store_float(value);
		break;
	case NORM_DOUBLE:
		((double *)x)[i] = store_double(value);
		break;
	case NORM_HALF:
		((uint16_t *)x)[i] = store_half(value);
		break;
	case NORM_BFLOAT:
		((uint16_t *)x)[i] = store_bfloat(value);
		break;
	}
}

static bool
is_finite(enum norm_real real, const void *x, size_t i)
{
	return excess_double(load(real, x, i)) == 0;
}

double
mask_padding_largest(enum norm_real real, const void *x, struct norm_view view, const unsigned char *mask)
{
	double largest = 0, value;
	size_t at = 0;

	for (size_t o = 0; o < view.outer; o++)
		for (size_t f = 0; f < view.feature; f++)
			for (size_t i = 0; i < view.inner; i++, at++) {
				value = mask[o * view.inner + i] != 0 ? 0 : load(real, x, at);
				value = value < 0 ? -value : value;
				if (!(value <= largest))
					largest = excess_double(value) == 0 ? value : HUGE_VAL;
			}
	return largest;
}

bool
mask_scale_features(
    enum norm_real real, void *x, const void *was, struct norm_view view, const unsigned char *mask, const double *factor)
{
	bool finite = true;
	size_t at = 0;

	for (size_t o = 0; o < view.outer; o++)
		for (size_t f = 0; f < view.feature; f++)
			for (size_t i = 0; i < view.inner; i++, at++) {
				if (mask[o * view.inner + i] == 0)
					store(real, x, at, factor[f] * load(real, was, at));
				finite &= is_finite(real, x, at);
			}
	return finite;
}

bool
mask_scale_run(enum norm_real real, void *x, const void *was, size_t first, size_t n, size_t channels, size_t positions,
    const unsigned char *mask, double factor, const double *weight)
{
	bool finite = true;

	for (size_t i = 0; i < n; i++) {
		const size_t element = first + i;

		if (mask[element / (channels * positions) * positions + element % positions] == 0)
			store(real, x, i, factor * (weight != NULL ? weight[i] : 1) * load(real, was, i));
		finite &= is_finite(real, x, i);
	}
	return finite;
}
