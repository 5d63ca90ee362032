/* SPDX-License-Identifier: MIT */
#include "codec/safetensors_values.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/float16.h"

void
safetensors_values_init(struct safetensors_values *v, uint64_t data_at, struct budget_share *memory)
{
	*v = (struct safetensors_values){ .memory = memory, .data_at = data_at };
	buf_init(&v->kept, SIZE_MAX);
	buf_count(&v->kept, memory);
}

static size_t
kept_count(const struct safetensors_values *v)
{
	return v->kept.len / sizeof(struct values_to);
}

static const struct values_to *
kept_tensors(const struct safetensors_values *v)
{
	return (const struct values_to *)(void *)v->kept.bytes;
}

void
safetensors_values_fini(struct safetensors_values *v)
{
	if (v->order != NULL)
		budget_give(v->memory, kept_count(v) * sizeof(*v->order));
	free(v->order);
	buf_fini(&v->kept);
}

static size_t
size_of(enum safetensors_dtype dtype)
{
	return safetensors_dtype_bits(dtype) / 8;
}

int
safetensors_values_keep(struct safetensors_values *v, const struct values_to *to, struct err *e)
{
	buf_add(&v->kept, to, sizeof(*to));
	if (v->kept.refused > 0)
		return budget_refuse(v->memory, v->kept.refused, e);
	return v->kept.failed ? err_fail_memory(e) : 0;
}

/* The first bytes of data come: sorts what is kept by its place. */
static int
values_sort(struct safetensors_values *v, struct err *e)
{
	const size_t n = kept_count(v), bytes = n * sizeof(*v->order);

	if (budget_ask(v->memory, bytes, e) < 0)
		return -1;
	v->order = malloc(bytes);
	if (v->order == NULL) {
		budget_give(v->memory, bytes);
		return err_fail_memory(e);
	}
	for (size_t i = 0; i < n; i++)
		v->order[i] = (struct sort_item){ .key = kept_tensors(v)[i].begin, .at = (uint32_t)i };
	sort_items(v->order, n);
	return 0;
}

/* Little-endian. */
static uint64_t
load_bits(const unsigned char *in, size_t size)
{
	uint64_t bits = 0;

	for (size_t i = size; i-- > 0;)
		bits = bits << 8 | in[i];
	return bits;
}

static void
load_doubles(enum safetensors_dtype dtype, const unsigned char *in, size_t n, double *out)
{
	switch (dtype) {
	case SAFETENSORS_F16:
		for (size_t i = 0; i < n; i++)
			out[i] = load_half((uint16_t)load_bits(in + 2 * i, 2));
		break;
	case SAFETENSORS_BF16:
		for (size_t i = 0; i < n; i++)
			out[i] = load_bfloat((uint16_t)load_bits(in + 2 * i, 2));
		break;
	case SAFETENSORS_F32:
		for (size_t i = 0; i < n; i++)
			out[i] = (double)float_from_bits((uint32_t)load_bits(in + 4 * i, 4));
		break;
	default:
		bytes_get_doubles(out, in, n);
	}
}

/* `n` values from the offset `at` of the file. */
static int
load_wholes(enum safetensors_dtype dtype, const unsigned char *in, size_t n, uint64_t *out, uint64_t at, struct err *e)
{
	const size_t size = size_of(dtype);

	assert(size > 0);
	for (size_t i = 0; i < n; i++) {
		out[i] = load_bits(in + size * i, size);
		if (safetensors_dtype_is_signed(dtype) && out[i] >> (8 * size - 1) != 0)
			return err_fail_at(e, ERR_BAD_SAFETENSORS, at + size * i,
			    "expected a whole number that is at least 0, not %" PRId64,
			    (int64_t)(out[i] | -(UINT64_C(1) << (8 * size - 1))));
	}
	return 0;
}

/* `n` values of tensor `k`, the first of which begins at the offset `at` of the data. */
static int
take_whole_values(const struct safetensors_values *v, const struct values_to *k, uint64_t at,
    const unsigned char *bytes, size_t n, struct err *e)
{
	const size_t first = (size_t)((at - k->begin) / size_of(k->dtype));

	if (k->wholes != NULL)
		return load_wholes(k->dtype, bytes, n, k->wholes + first, v->data_at + at, e);
	load_doubles(k->dtype, bytes, n, k->doubles + first);
	return 0;
}

/* Bytes of tensor `k`, no more than it has. The first and the last value may be cut. */
static int
take_values(
    struct safetensors_values *v, const struct values_to *k, const unsigned char *bytes, size_t len, struct err *e)
{
	const size_t size = size_of(k->dtype), begun = (size_t)((v->taken - k->begin) % size);
	size_t rest = begun > 0 ? size - begun : 0, whole, tail;

	rest = rest < len ? rest : len;
	memcpy(v->cut + begun, bytes, rest);
	if (rest > 0 && begun + rest == size && take_whole_values(v, k, v->taken - begun, v->cut, 1, e) < 0)
		return -1;
	whole = (len - rest) / size;
	if (whole > 0 && take_whole_values(v, k, v->taken + rest, bytes + rest, whole, e) < 0)
		return -1;
	tail = len - rest - whole * size;
	if (tail > 0)
		memcpy(v->cut, bytes + len - tail, tail);
	return 0;
}

/* The kept tensor that has the next byte, or comes after it; NULL: none does. */
static const struct values_to *
next_kept(struct safetensors_values *v)
{
	const struct values_to *k;

	for (; v->order != NULL && v->next < kept_count(v); v->next++) {
		k = &kept_tensors(v)[v->order[v->next].at];
		if (k->begin + k->bytes > v->taken)
			return k;
	}
	return NULL;
}

int
safetensors_values_feed(struct safetensors_values *v, const char *bytes, size_t len, struct err *e)
{
	const struct values_to *k;
	uint64_t part;

	if (v->order == NULL && v->kept.len > 0 && values_sort(v, e) < 0)
		return -1;
	for (; len > 0; bytes += part, len -= (size_t)part, v->taken += part) {
		k = next_kept(v);
		part = len;
		if (k != NULL && k->begin > v->taken) {
			part = k->begin - v->taken < len ? k->begin - v->taken : len;
		} else if (k != NULL) {
			part = k->begin + k->bytes - v->taken < len ? k->begin + k->bytes - v->taken : len;
			if (take_values(v, k, (const unsigned char *)bytes, (size_t)part, e) < 0)
				return -1;
		}
	}
	return 0;
}
