/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/safetensors_judge.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_judge.h"

#define HEADER_MAX 100000000

/* The fewest characters of a tensor that is right, and of a pair of the metadata. */
#define TENSOR_LEAST 45
#define PAIR_LEAST 5

static const struct {
	const char *name;
	unsigned bits;
} types[] = { { "BOOL", 8 }, { "F4", 4 }, { "F6_E2M3", 6 }, { "F6_E3M2", 6 }, { "U8", 8 }, { "I8", 8 },
	{ "F8_E5M2", 8 }, { "F8_E4M3", 8 }, { "F8_E8M0", 8 }, { "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 }, { "I16", 16 },
	{ "U16", 16 }, { "F16", 16 }, { "BF16", 16 }, { "I32", 32 }, { "U32", 32 }, { "F32", 32 }, { "C64", 64 },
	{ "F64", 64 }, { "I64", 64 }, { "U64", 64 } };

/* A place in a text that json_judge has found valid, so that little needs to be checked. */
struct text {
	const char *p;
	const char *end;
};

static void
skip_space(struct text *t)
{
	while (t->p < t->end && strchr(" \t\r\n", *t->p) != NULL && *t->p != '\0')
		t->p++;
}

static bool
take(struct text *t, char c)
{
	skip_space(t);
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

static unsigned
hex4(const char *p)
{
	char digits[5] = { p[0], p[1], p[2], p[3], '\0' };

	return (unsigned)strtoul(digits, NULL, 16);
}

static void
put_utf8(struct judged_text *out, unsigned code)
{
	if (code < 0x80) {
		out->bytes[out->len++] = (char)code;
		return;
	}
	if (code >= 0x10000)
		out->bytes[out->len++] = (char)(0xf0 | code >> 18);
	if (code >= 0x800)
		out->bytes[out->len++] =
		    (char)((code >= 0x10000 ? 0x80 : 0xe0) | (code >> 12 & (code >= 0x10000 ? 63 : 15)));
	out->bytes[out->len++] = (char)((code >= 0x800 ? 0x80 : 0xc0) | (code >> 6 & (code >= 0x800 ? 63 : 31)));
	out->bytes[out->len++] = (char)(0x80 | (code & 63));
}

/* The character of an escape, after its backslash. */
static unsigned
take_escape(struct text *t)
{
	const char c = *t->p++;
	unsigned code;

	if (c != 'u')
		return (unsigned)(c == 'b' ? '\b' :
			c == 'f'           ? '\f' :
			c == 'n'           ? '\n' :
			c == 'r'           ? '\r' :
			c == 't'           ? '\t' :
					     c);
	code = hex4(t->p);
	t->p += 4;
	if (code >= 0xd800 && code < 0xdc00) {
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(t->p + 2) - 0xdc00);
		t->p += 6;
	}
	return code;
}

/* A string, if there is one. To be freed. */
static bool
take_string(struct text *t, struct judged_text *out)
{
	if (!take(t, '"'))
		return false;
	*out = (struct judged_text){ .bytes = malloc((size_t)(t->end - t->p) + 1) };
	fuzz_check(out->bytes != NULL, "no memory");
	while (*t->p != '"')
		if (*t->p == '\\') {
			t->p++;
			put_utf8(out, take_escape(t));
		} else {
			out->bytes[out->len++] = *t->p++;
		}
	t->p++;
	return true;
}

/* Any value. */
static void
skip_value(struct text *t)
{
	struct judged_text string;
	unsigned depth = 0;

	do {
		skip_space(t);
		if (*t->p == '"') {
			take_string(t, &string);
			free(string.bytes);
			continue;
		}
		depth += *t->p == '[' || *t->p == '{';
		depth -= *t->p == ']' || *t->p == '}';
		if (strchr("[]{},:", *t->p) != NULL)
			t->p++;
		else
			while (t->p < t->end && strchr("[]{},: \t\r\n\"", *t->p) == NULL)
				t->p++;
	} while (depth > 0);
}

static bool
text_is(const struct judged_text *text, const char *word)
{
	return text->len == strlen(word) && memcmp(text->bytes, word, text->len) == 0;
}

static bool
texts_equal(const struct judged_text *a, const struct judged_text *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Digits alone, up to 2^64 - 1. */
static bool
take_whole(struct text *t, uint64_t *value)
{
	unsigned __int128 whole = 0;

	skip_space(t);
	if (!isdigit((unsigned char)*t->p))
		return false;
	for (; isdigit((unsigned char)*t->p); t->p++)
		if (whole <= UINT64_MAX)
			whole = whole * 10 + (unsigned)(*t->p - '0');
	*value = (uint64_t)whole;
	return whole <= UINT64_MAX && strchr(".eE", *t->p) == NULL;
}

static bool
judge_dtype(struct text *t, struct judged_tensor *tensor)
{
	struct judged_text name;

	if (!take_string(t, &name))
		return false;
	for (size_t i = 0; i < COUNT(types); i++)
		if (text_is(&name, types[i].name)) {
			tensor->dtype = types[i].name;
			tensor->bits = types[i].bits;
		}
	free(name.bytes);
	return tensor->dtype != NULL;
}

/* The reference multiplies in order, and refuses an overflow even before an extent of 0. */
static bool
judge_shape(struct text *t, struct judged_tensor *tensor, bool *overflow)
{
	uint64_t extent;
	unsigned __int128 count = 1;

	if (!take(t, '['))
		return false;
	if (take(t, ']')) {
		tensor->count = 1;
		return true;
	}
	do {
		if (!take_whole(t, &extent))
			return false;
		if (tensor->rank < COUNT(tensor->shape))
			tensor->shape[tensor->rank] = extent;
		tensor->rank++;
		if (!*overflow)
			count *= extent;
		*overflow |= count > UINT64_MAX;
	} while (take(t, ','));
	tensor->count = (uint64_t)count;
	return take(t, ']');
}

static bool
judge_offsets(struct text *t, struct judged_tensor *tensor)
{
	return take(t, '[') && take_whole(t, &tensor->begin) && take(t, ',') && take_whole(t, &tensor->end) &&
	    take(t, ']');
}

static bool
judge_member(struct text *t, struct judged_tensor *tensor, const struct judged_text *key, unsigned seen[3])
{
	bool overflow = false;

	if (text_is(key, "dtype"))
		return seen[0]++ == 0 && judge_dtype(t, tensor);
	if (text_is(key, "shape"))
		return seen[1]++ == 0 && judge_shape(t, tensor, &overflow) && !overflow;
	if (text_is(key, "data_offsets"))
		return seen[2]++ == 0 && judge_offsets(t, tensor);
	skip_value(t);
	return true;
}

static bool
judge_tensor(struct text *t, struct judged_tensor *tensor)
{
	struct judged_text key = { 0 };
	unsigned seen[3] = { 0 };
	unsigned __int128 bits;
	bool good;

	if (!take(t, '{') || take(t, '}'))
		return false;
	do {
		good = take_string(t, &key) && take(t, ':') && judge_member(t, tensor, &key, seen);
		free(key.bytes);
	} while (good && take(t, ','));
	if (!good || !take(t, '}') || seen[0] != 1 || seen[1] != 1 || seen[2] != 1)
		return false;
	bits = (unsigned __int128)tensor->count * tensor->bits;
	return bits <= UINT64_MAX && bits % 8 == 0 && tensor->end >= tensor->begin &&
	    tensor->end - tensor->begin == bits / 8;
}

static bool
judge_metadata(struct text *t, struct safetensors_judgement *j)
{
	skip_space(t);
	if (*t->p == 'n') {
		skip_value(t);
		return true;
	}
	if (!take(t, '{'))
		return false;
	if (take(t, '}'))
		return true;
	do {
		take_string(t, &j->keys[j->pairs]);
		j->pairs++;
		if (!take(t, ':') || !take_string(t, &j->texts[j->pairs - 1]))
			return false;
		for (size_t i = 0; i + 1 < j->pairs; i++)
			if (texts_equal(&j->keys[i], &j->keys[j->pairs - 1]))
				return false;
	} while (take(t, ','));
	return take(t, '}');
}

static bool
judge_root(struct text *t, struct safetensors_judgement *j)
{
	struct judged_text key;
	bool metadata = false;

	if (!take(t, '{'))
		return false;
	if (take(t, '}'))
		return true;
	do {
		take_string(t, &key);
		take(t, ':');
		if (text_is(&key, "__metadata__")) {
			free(key.bytes);
			if (metadata || !judge_metadata(t, j))
				return false;
			metadata = true;
			continue;
		}
		j->tensors[j->count++].name = key;
		if (!judge_tensor(t, &j->tensors[j->count - 1]))
			return false;
		for (size_t i = 0; i + 1 < j->count; i++)
			if (texts_equal(&j->tensors[i].name, &key))
				return false;
	} while (take(t, ','));
	return take(t, '}');
}

static int
by_place(const void *left, const void *right)
{
	const struct judged_tensor *a = *(const struct judged_tensor *const *)left,
				   *b = *(const struct judged_tensor *const *)right;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* The data of all tensors is all of the data. */
static bool
judge_places(const struct safetensors_judgement *j, size_t data_len)
{
	const struct judged_tensor **sorted = malloc((j->count + 1) * sizeof(*sorted));
	uint64_t at = 0;
	bool good = true;

	fuzz_check(sorted != NULL, "no memory");
	for (size_t i = 0; i < j->count; i++)
		sorted[i] = &j->tensors[i];
	qsort(sorted, j->count, sizeof(*sorted), by_place);
	for (size_t i = 0; i < j->count && good; i++) {
		good = sorted[i]->begin == at;
		at = sorted[i]->end;
	}
	free(sorted);
	return good && at == data_len;
}

static bool
judge_file(const char *file, size_t len, unsigned depth_max, struct safetensors_judgement *j)
{
	struct json_judgement json;
	struct text t;
	uint64_t n = 0;
	const char *last;

	if (len < 8)
		return false;
	for (size_t i = 0; i < 8; i++)
		n |= (uint64_t)(unsigned char)file[i] << 8 * i;
	if (n == 0 || n > HEADER_MAX || n > len - 8 || file[8] != '{')
		return false;
	j->data_at = 8 + (size_t)n;
	for (last = file + j->data_at - 1; *last == ' ';)
		last--;
	json = json_judge(file + 8, (size_t)n);
	if (*last != '}' || !json.valid || json.depth > depth_max)
		return false;
	t = (struct text){ file + 8, last + 1 };
	return judge_root(&t, j) && judge_places(j, len - j->data_at);
}

struct safetensors_judgement *
safetensors_judge(const char *file, size_t len, unsigned depth_max)
{
	struct safetensors_judgement *j = calloc(1, sizeof(*j));

	fuzz_check(j != NULL, "no memory");
	j->tensors = calloc(len / TENSOR_LEAST + 2, sizeof(*j->tensors));
	j->keys = calloc(len / PAIR_LEAST + 2, sizeof(*j->keys));
	j->texts = calloc(len / PAIR_LEAST + 2, sizeof(*j->texts));
	fuzz_check(j->tensors != NULL && j->keys != NULL && j->texts != NULL, "no memory");
	j->valid = judge_file(file, len, depth_max, j);
	return j;
}

void
safetensors_judgement_free(struct safetensors_judgement *j)
{
	for (size_t i = 0; i < j->count; i++)
		free(j->tensors[i].name.bytes);
	for (size_t i = 0; i < j->pairs; i++) {
		free(j->keys[i].bytes);
		free(j->texts[i].bytes);
	}
	free(j->tensors);
	free(j->keys);
	free(j->texts);
	free(j);
}

static uint64_t
bits_at(const char *data, unsigned bytes)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < bytes; i++)
		bits |= (uint64_t)(unsigned char)data[i] << 8 * i;
	return bits;
}

/* IEEE 754, by its definition: sign, exponent, fraction. */
static double
float_of(uint64_t bits, int fraction_bits, int exponent_bits)
{
	const uint64_t fraction = bits & ((UINT64_C(1) << fraction_bits) - 1);
	const int ones = (1 << exponent_bits) - 1, exponent = (int)(bits >> fraction_bits) & ones, bias = ones >> 1;
	double magnitude;

	if (exponent == ones)
		magnitude = fraction == 0 ? INFINITY : NAN;
	else
		magnitude = ldexp((double)(fraction | (uint64_t)(exponent > 0) << fraction_bits),
		    (exponent > 0 ? exponent : 1) - bias - fraction_bits);
	return bits >> (fraction_bits + exponent_bits) != 0 ? -magnitude : magnitude;
}

double
safetensors_judge_double(const struct judged_tensor *t, const char *data, size_t i)
{
	const uint64_t bits = bits_at(data + t->begin + i * (t->bits / 8), t->bits / 8);
	const int exponent_bits = t->bits == 64 ? 11 : strcmp(t->dtype, "F16") == 0 ? 5 : 8;

	return float_of(bits, (int)t->bits - 1 - exponent_bits, exponent_bits);
}

__int128
safetensors_judge_whole(const struct judged_tensor *t, const char *data, size_t i)
{
	const __int128 bits = bits_at(data + t->begin + i * (t->bits / 8), t->bits / 8);

	return t->dtype[0] == 'I' && bits >> (t->bits - 1) != 0 ? bits - ((__int128)1 << t->bits) : bits;
}
