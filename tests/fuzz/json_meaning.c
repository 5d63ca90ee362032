/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/json_meaning.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/bits.h"

/* cJSON ends a text at a NUL, which the envelope keeps as its escape. */
static bool
same_text(const char *ours, const char *theirs)
{
	size_t len = strlen(theirs);

	return strncmp(ours, theirs, len) == 0 && (ours[len] == '\0' || strncmp(ours + len, "\\u0000", 6) == 0);
}

/* A number of the envelope: `want` is its value rounded to double, by strtod. */
static void
check_number(const cJSON *ours, double want)
{
	const char *text = envelope_text(ours);
	bool plain = strspn(text, "0123456789") == strlen(text) && strlen(text) < 20;
	uint64_t whole;
	int64_t integer;
	double got;

	fuzz_check((envelope_double(ours, &got) < 0) == (isinf(want) != 0), "envelope_double of %.80s", text);
	fuzz_check(isinf(want) || memcmp(&got, &want, sizeof(got)) == 0, "%.80s is %a, not %a", text, want, got);
	if (envelope_uint64(ours, &whole) == 0) {
		fuzz_check((double)whole == want, "%.80s is no %" PRIu64, text, whole);
		fuzz_check(!plain || whole == strtoull(text, NULL, 10), "%.80s is no %" PRIu64, text, whole);
	} else
		fuzz_check(!plain, "%.80s is a whole number", text);
	if (envelope_int64(ours, &integer) == 0)
		fuzz_check((double)integer == want, "%.80s is no %" PRId64, text, integer);
}

/* The value with these bits. */
static double
value_of_bits(enum datatype datatype, uint64_t bits)
{
	if (datatype == DATATYPE_FP16)
		return fuzz_half((uint16_t)bits);
	if (datatype == DATATYPE_FP64)
		return double_of(bits);
	return (double)float_of((uint32_t)bits);
}

/* A value of a mask, which a float rounds to 1 or 0. */
static void
check_boolean(const struct tensor *t, size_t i, double want)
{
	const unsigned char got = ((const unsigned char *)t->values)[i];

	fuzz_check(got == (got != 0) && fabs(want - got) <= 0x1p-24, "value %zu is %d, not %a", i, got, want);
}

/*
 * One value of a tensor: there is none nearer to `want`, to which cJSON has rounded the text. Where the tensor's type
 * is narrower, the text lay within half a unit of the double's last place of `want`.
 */
static void
check_value(const struct tensor *t, size_t i, double want)
{
	const size_t size = datatype_size(t->datatype);
	const uint64_t sign = UINT64_C(1) << (8 * size - 1);
	const double tolerance = t->datatype == DATATYPE_FP64 ? 0 : ldexp(fabs(want), -53);
	double got, above, below;
	uint64_t bits = 0;

	if (t->datatype == DATATYPE_BOOL) {
		check_boolean(t, i, want);
		return;
	}
	memcpy(&bits, (const char *)t->values + i * size, size);
	got = value_of_bits(t->datatype, bits);
	fuzz_check(isfinite(got) && signbit(got) == signbit(want), "value %zu is %a, not %a", i, want, got);
	bits &= ~sign;
	got = fabs(got);
	want = fabs(want);
	above = value_of_bits(t->datatype, bits + 1);
	below = bits == 0 ? -above : value_of_bits(t->datatype, bits - 1);
	fuzz_check(
	    fabs(got - want) <= fmin(above - want, want - below) + tolerance, "value %zu is %a, not %a", i, want, got);
}

/* A list of a tensor's data, at nesting `level`; moves *next over its values. */
static void
check_data(const struct tensor *t, const cJSON *list, unsigned level, size_t *next)
{
	const size_t want = t->nested ? t->shape[level] : t->count;
	const cJSON *item;
	size_t count = 0;

	fuzz_check(cJSON_IsArray(list) && level < (t->nested ? t->rank : 1), "the data is nested otherwise");
	cJSON_ArrayForEach(item, list)
	{
		count++;
		if (cJSON_IsNumber(item)) {
			fuzz_check(*next < t->count && (!t->nested || level == t->rank - 1), "a value too many");
			check_value(t, (*next)++, item->valuedouble);
		} else if (cJSON_IsBool(item)) {
			fuzz_check(*next < t->count && (!t->nested || level == t->rank - 1), "a value too many");
			check_value(t, (*next)++, cJSON_IsTrue(item) ? 1 : 0);
		} else
			check_data(t, item, level + 1, next);
	}
	fuzz_check(count == want, "a list has %zu elements, not %zu", count, want);
}

/* The slot of a tensor, whose text is the slot's index. */
static size_t
slot_of(const cJSON *tensor)
{
	return strtoul(envelope_text(tensor), NULL, 10);
}

static void
check_tensor(struct json_scan *s, const cJSON *ours, const cJSON *theirs)
{
	const struct tensor *t = json_scan_tensor(s, slot_of(ours));
	size_t next = 0;

	fuzz_check(t != NULL, "the envelope names a tensor that is not there");
	check_data(t, theirs, 0, &next);
	fuzz_check(next == t->count, "the tensor has %zu values, the document %zu", t->count, next);
}

/* What an object says of the tensor that is its `data`. */
static void
check_declared(const struct tensor *t, const cJSON *object)
{
	const cJSON *shape = envelope_get(object, "shape"), *datatype = envelope_get(object, "datatype");
	const cJSON *extent = envelope_first(shape);
	uint64_t want;

	fuzz_check(shape != NULL || t->nested, "no shape, but not nested");
	for (unsigned i = 0; shape != NULL && i < t->rank; i++, extent = envelope_next(extent)) {
		fuzz_check(extent != NULL && envelope_uint64(extent, &want) == 0,
		    "the tensor has another rank than its shape");
		fuzz_check(t->shape[i] == want, "the tensor has another shape");
	}
	fuzz_check(shape == NULL || extent == NULL, "the tensor has another rank than its shape");
	fuzz_check(datatype == NULL || t->datatype == DATATYPE_BOOL ||
		strcmp(datatype_name(t->datatype), envelope_text(datatype)) == 0,
	    "another datatype");
}

static void
check_node(struct json_scan *s, const cJSON *ours, const cJSON *theirs)
{
	enum envelope_type type = envelope_type(ours);
	const cJSON *object = ours;

	fuzz_check((type == ENVELOPE_NULL) == cJSON_IsNull(theirs), "null");
	fuzz_check((type == ENVELOPE_BOOL) == cJSON_IsBool(theirs), "bool");
	fuzz_check(type != ENVELOPE_BOOL || envelope_bool(ours) == cJSON_IsTrue(theirs), "true, false");
	fuzz_check((type == ENVELOPE_STRING) == cJSON_IsString(theirs), "string");
	fuzz_check(
	    type != ENVELOPE_STRING || same_text(envelope_text(ours), theirs->valuestring), "a string's contents");
	fuzz_check((type == ENVELOPE_NUMBER) == cJSON_IsNumber(theirs), "number");
	if (type == ENVELOPE_NUMBER)
		check_number(ours, theirs->valuedouble);
	fuzz_check((type == ENVELOPE_OBJECT) == cJSON_IsObject(theirs), "object");
	fuzz_check((type == ENVELOPE_ARRAY || type == ENVELOPE_TENSOR) == cJSON_IsArray(theirs), "array");
	if (type == ENVELOPE_TENSOR)
		check_tensor(s, ours, theirs);
	if (type != ENVELOPE_OBJECT && type != ENVELOPE_ARRAY)
		return;
	ours = envelope_first(ours);
	for (theirs = theirs->child; theirs != NULL && ours != NULL;
	     theirs = theirs->next, ours = envelope_next(ours)) {
		fuzz_check(type == ENVELOPE_ARRAY || same_text(envelope_key(ours), theirs->string), "a key");
		check_node(s, ours, theirs);
		if (type == ENVELOPE_OBJECT && envelope_type(ours) == ENVELOPE_TENSOR &&
		    strcmp(envelope_key(ours), "data") == 0)
			check_declared(json_scan_tensor(s, slot_of(ours)), object);
	}
	fuzz_check(ours == NULL && theirs == NULL, "the number of members");
}

void
json_meaning_check(struct json_scan *s, const cJSON *tree)
{
	check_node(s, json_scan_envelope(s), tree);
}
