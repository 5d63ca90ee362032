/* SPDX-License-Identifier: MIT */
#include "layer/layer_digest.h"

#include <string.h>

#include "base/bytes.h"
#include "layer/field_types.h"

#define LAYER_TITLE "normd layer 1"
#define VERSION_TITLE "normd version 1"

/* What a value begins with. */
enum tag {
	TAG_NULL = 'n',
	TAG_TRUE = 't',
	TAG_NUMBER = 'd',
	TAG_COUNT = 'u',
	TAG_TEXT = 's',
	TAG_LIST = 'l',
	TAG_REPEATED = 'r',
	TAG_OBJECT = 'o'
};

/* A number as a value, in a list or by itself. */
#define NUMBER_BYTES ((size_t)9)

/* Numbers are gathered before they are hashed: a whole number of SHA-256's blocks of 64 bytes. */
#define NUMBERS_AT_ONCE ((size_t)64)

static void
add_tag(struct sha256 *s, enum tag tag)
{
	sha256_add(s, &(unsigned char){ (unsigned char)tag }, 1);
}

static void
add_length(struct sha256 *s, uint64_t length)
{
	unsigned char bytes[8];

	bytes_put_le64(bytes, length);
	sha256_add(s, bytes, sizeof(bytes));
}

/* Tags that are followed by a length, a count or a whole number. */
static void
add_head(struct sha256 *s, enum tag tag, uint64_t length)
{
	add_tag(s, tag);
	add_length(s, length);
}

/* A text without a tag: a key, or a name. */
static void
add_name(struct sha256 *s, const char *name)
{
	const size_t len = strlen(name);

	add_length(s, len);
	sha256_add(s, name, len);
}

static void
put_number(unsigned char out[NUMBER_BYTES], double number)
{
	out[0] = TAG_NUMBER;
	bytes_put_doubles(out + 1, &number, 1);
}

static void
add_number(struct sha256 *s, double number)
{
	unsigned char bytes[NUMBER_BYTES];

	put_number(bytes, number);
	sha256_add(s, bytes, sizeof(bytes));
}

/* `n` times the same number: a definition of a few bytes may have 2^40 parameters, all of them 1. */
static void
add_repeated(struct sha256 *s, double number, size_t n)
{
	add_head(s, n > 1 ? TAG_REPEATED : TAG_LIST, n);
	if (n > 0)
		add_number(s, number);
}

/* Of bits, not of numbers: 0 and -0 are two. */
static bool
all_equal(const double *values, size_t n)
{
	return n < 2 || memcmp(values, values + 1, (n - 1) * sizeof(*values)) == 0;
}

static void
add_numbers(struct sha256 *s, const double *values, size_t n)
{
	unsigned char bytes[NUMBERS_AT_ONCE * NUMBER_BYTES];
	size_t i = 0, part;

	if (all_equal(values, n)) {
		add_repeated(s, n > 0 ? values[0] : 0, n);
		return;
	}
	add_head(s, TAG_LIST, n);
	for (; n > 0; n -= part) {
		part = n < NUMBERS_AT_ONCE ? n : NUMBERS_AT_ONCE;
		for (size_t end = i + part, at = 0; i < end; at += NUMBER_BYTES)
			put_number(bytes + at, values[i++]);
		sha256_add(s, bytes, part * NUMBER_BYTES);
	}
}

/* A list of the layer's: null where it has none or its length is open; NULL stands for `n` times `fallback`. */
static void
add_values(struct sha256 *s, bool present, const double *values, size_t n, double fallback)
{
	if (!present || n == 0)
		add_tag(s, TAG_NULL);
	else if (values == NULL)
		add_repeated(s, fallback, n);
	else
		add_numbers(s, values, n);
}

static void
add_extents(struct sha256 *s, const size_t *extents, unsigned count)
{
	double numbers[TENSOR_RANK_MAX];

	for (unsigned i = 0; i < count; i++)
		numbers[i] = (double)extents[i];
	add_numbers(s, numbers, count);
}

static void
add_pair(struct sha256 *s, const struct field_member pair[2])
{
	const bool swap = strcmp(pair[0].name, pair[1].name) > 0;

	add_head(s, TAG_OBJECT, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct field_member *m = &pair[swap ? 1 - i : i];

		add_name(s, m->name);
		add_number(s, m->number);
	}
}

static void
add_field_value(struct sha256 *s, struct field_value v)
{
	switch (v.type) {
	case FIELD_VALUE_NULL:
		break; /* left out, like false */
	case FIELD_VALUE_BOOL:
		add_tag(s, TAG_TRUE);
		break;
	case FIELD_VALUE_WHOLE:
		add_number(s, (double)v.whole);
		break;
	case FIELD_VALUE_NUMBER:
		add_number(s, v.number);
		break;
	case FIELD_VALUE_TEXT:
		add_tag(s, TAG_TEXT);
		add_name(s, v.text);
		break;
	case FIELD_VALUE_EXTENTS:
		add_extents(s, v.extents.list, v.extents.count);
		break;
	case FIELD_VALUE_PAIR:
		add_pair(s, v.pair);
		break;
	}
}

/*
 * Null and false are left out, so that the digests of layers stay what they are when a release adds a field: null or
 * false is then what those layers have.
 */
static bool
is_left_out(const struct definition *d, const struct definition_field *f)
{
	const struct field_value v = field_value(f, d);

	return v.type == FIELD_VALUE_NULL || (v.type == FIELD_VALUE_BOOL && !v.truth);
}

/* The fields that are not left out, in the order of the bytes of their names. Returns how many there are. */
static size_t
sort_fields(const struct definition *d, const struct definition_field *out[DEFINITION_FIELDS_MAX])
{
	size_t count = 0, at;

	for (const struct definition_field *f = definition_fields; f < definition_fields_end; f++) {
		if (!definition_has_field(d, f) || is_left_out(d, f))
			continue;
		for (at = count++; at > 0 && strcmp(out[at - 1]->name, f->name) > 0; at--)
			out[at] = out[at - 1];
		out[at] = f;
	}
	return count;
}

static void
add_definition(struct sha256 *s, const struct definition *d)
{
	const struct definition_field *sorted[DEFINITION_FIELDS_MAX];
	const size_t count = sort_fields(d, sorted);

	add_head(s, TAG_OBJECT, count);
	for (size_t i = 0; i < count; i++) {
		add_name(s, sorted[i]->name);
		add_field_value(s, field_value(sorted[i], d));
	}
}

static void
add_counts(struct sha256 *s, const struct definition *d, const struct statistics *statistics)
{
	if (!d->track_running_stats) {
		add_tag(s, TAG_NULL);
		add_tag(s, TAG_NULL);
		return;
	}
	add_head(s, TAG_COUNT, statistics->num_batches_tracked);
	if (d->averaging == AVERAGING_POOLED)
		add_head(s, TAG_COUNT, statistics->count);
	else if (d->averaging == AVERAGING_DECAYED)
		add_number(s, statistics->decayed_count);
	else
		add_tag(s, TAG_NULL);
}

void
layer_digest(const struct definition *d, const struct statistics *statistics, const double *weight, const double *bias,
    unsigned char out[SHA256_BYTES])
{
	const struct definition shown = definition_with_features(d, statistics->features);
	const size_t parameters = definition_parameter_count(d, statistics->features);
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, LAYER_TITLE, strlen(LAYER_TITLE));
	add_definition(&s, &shown);
	add_values(&s, d->affine, weight, parameters, 1);
	add_values(&s, d->bias, bias, parameters, 0);
	add_values(&s, d->track_running_stats, statistics->mean, statistics->features, 0);
	add_values(&s, d->track_running_stats, statistics->var, statistics->features, 1);
	add_counts(&s, d, statistics);
	sha256_end(&s, out);
}

void
version_digest_begin(struct version_digest *v)
{
	sha256_begin(&v->sha);
	sha256_add(&v->sha, VERSION_TITLE, strlen(VERSION_TITLE));
}

void
version_digest_add(struct version_digest *v, const char *layer, const unsigned char digest[SHA256_BYTES])
{
	add_name(&v->sha, layer);
	sha256_add(&v->sha, digest, SHA256_BYTES);
}

void
version_digest_end(struct version_digest *v, unsigned char out[SHA256_BYTES])
{
	sha256_end(&v->sha, out);
}
