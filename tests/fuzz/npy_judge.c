/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/npy_judge.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define DICT_MAX 16384 /* the longest that the decoder reads */

/*
 * A token of the dict: 's' a string (without its quotes), 'w' a word or number, or the character itself; 0 at the end.
 */
struct token {
	char kind;
	const char *text;
	size_t len;
};

struct tokens {
	const char *p;
	const char *end;
	struct token next;
};

static void
tokens_advance(struct tokens *t)
{
	const char *from;

	while (t->p < t->end && memchr(" \t\r\n", *t->p, 4) != NULL)
		t->p++;
	t->next = (struct token){ 0, t->p, 0 };
	if (t->p == t->end)
		return;
	from = t->p++;
	t->next.kind = *from;
	if (*from == 'u' && t->p < t->end && (*t->p == '\'' || *t->p == '"'))
		from = t->p++;
	t->next.kind = *from;
	if (isalnum((unsigned char)*from) || *from == '_') {
		while (t->p < t->end && (isalnum((unsigned char)*t->p) || *t->p == '_'))
			t->p++;
		t->next = (struct token){ 'w', from, (size_t)(t->p - from) };
	} else if (*from == '\'' || *from == '"') {
		while (t->p < t->end && *t->p != *from)
			t->p++;
		t->next = (struct token){ t->p < t->end ? 's' : '?', from + 1, (size_t)(t->p - from) - 1 };
		t->p += t->p < t->end;
	} else if (*from == 's' || *from == 'w' || *from == '\0')
		t->next.kind = '?';
}

static bool
tokens_take(struct tokens *t, char kind)
{
	if (t->next.kind != kind)
		return false;
	tokens_advance(t);
	return true;
}

/* A string or a word of exactly this text. */
static bool
tokens_take_text(struct tokens *t, char kind, const char *text)
{
	if (strlen(text) != t->next.len || memcmp(t->next.text, text, t->next.len) != 0)
		return false;
	return tokens_take(t, kind);
}

static bool
judge_descr(struct tokens *t, struct npy_judgement *j)
{
	static const struct {
		const char *text;
		enum datatype datatype;
		size_t size;
		bool ordered; /* one of the orders may stand before it */
	} known[] = { { "f4", DATATYPE_FP32, 4, true }, { "f8", DATATYPE_FP64, 8, true },
		{ "f2", DATATYPE_FP16, 2, true }, { "f", DATATYPE_FP32, 4, true }, { "d", DATATYPE_FP64, 8, true },
		{ "e", DATATYPE_FP16, 2, true }, { "V2", DATATYPE_BF16, 2, true },
		{ "float32", DATATYPE_FP32, 4, false }, { "float64", DATATYPE_FP64, 8, false },
		{ "float16", DATATYPE_FP16, 2, false }, { "single", DATATYPE_FP32, 4, false },
		{ "double", DATATYPE_FP64, 8, false }, { "float", DATATYPE_FP64, 8, false },
		{ "half", DATATYPE_FP16, 2, false } };
	static const char *const orders[] = { "", "<", ">", "=", "|" };
	char text[16];

	for (size_t i = 0; i < COUNT(known); i++)
		for (size_t k = 0; k < (known[i].ordered ? COUNT(orders) : 1); k++) {
			snprintf(text, sizeof(text), "%s%s", orders[k], known[i].text);
			if (strcmp(text, ">V2") == 0 || !tokens_take_text(t, 's', text))
				continue;
			j->datatype = known[i].datatype;
			j->size = known[i].size;
			j->big_endian = text[0] == '>';
			return true;
		}
	return false;
}

static bool
judge_fortran_order(struct tokens *t, struct npy_judgement *j)
{
	j->fortran = tokens_take_text(t, 'w', "True");
	return j->fortran || tokens_take_text(t, 'w', "False");
}

/* A whole number, perhaps with Python 2's L. */
static bool
judge_extent(struct tokens *t, struct npy_judgement *j)
{
	const struct token number = t->next;
	size_t len = number.len;
	unsigned __int128 extent = 0;

	if (!tokens_take(t, 'w'))
		return false;
	if (len > 1 && number.text[len - 1] == 'L')
		len--;
	if (len > 1 && number.text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)number.text[i]))
			return false;
		if (extent <= SIZE_MAX)
			extent = extent * 10 + (unsigned)(number.text[i] - '0');
	}
	j->overflow |= extent > SIZE_MAX;
	if (j->rank < TENSOR_RANK_MAX)
		j->shape[j->rank] = (size_t)extent;
	j->rank++;
	return true;
}

/* In Python a tuple of one needs its comma. */
static bool
judge_shape(struct tokens *t, struct npy_judgement *j)
{
	bool comma = false;

	if (!tokens_take(t, '('))
		return false;
	while (t->next.kind != ')') {
		if ((j->rank > 0 && !comma) || !judge_extent(t, j))
			return false;
		comma = tokens_take(t, ',');
	}
	return tokens_take(t, ')') && (comma || j->rank != 1);
}

/* {'key': value, ...} with each of the keys once. */
static bool
judge_dict(struct tokens *t, struct npy_judgement *j)
{
	static bool (*const values[])(
	    struct tokens * t, struct npy_judgement * j) = { judge_descr, judge_fortran_order, judge_shape };
	static const char *const keys[] = { "descr", "fortran_order", "shape" };
	bool seen[COUNT(keys)] = { false };
	size_t key;

	if (!tokens_take(t, '{'))
		return false;
	do {
		for (key = 0; key < COUNT(keys) && !tokens_take_text(t, 's', keys[key]); key++)
			;
		if (key == COUNT(keys) || seen[key] || !tokens_take(t, ':') || !values[key](t, j))
			return false;
		seen[key] = true;
	} while (tokens_take(t, ',') && t->next.kind != '}');
	return tokens_take(t, '}') && t->next.kind == 0 && t->p == t->end && seen[0] && seen[1] && seen[2];
}

static void
judge_count(struct npy_judgement *j)
{
	unsigned __int128 product = 1;
	bool empty = false;

	for (unsigned i = 0; i < j->rank && i < TENSOR_RANK_MAX; i++) {
		empty |= j->shape[i] == 0;
		if (j->shape[i] != 0 && product <= SIZE_MAX)
			product *= j->shape[i];
	}
	j->overflow |= product > SIZE_MAX / sizeof(double);
	j->count = empty ? 0 : (size_t)product;
}

struct npy_judgement
npy_judge(const char *file, size_t len)
{
	static const char magic[] = "\x93NUMPY";
	struct npy_judgement j = { 0 };
	struct tokens t;
	size_t length = 0, width;

	if (len < 8 || memcmp(file, magic, 6) != 0 || file[6] < 1 || file[6] > 3 || file[7] != 0)
		return j;
	width = file[6] == 1 ? 2 : 4;
	if (len < 8 + width)
		return j;
	for (size_t i = 0; i < width; i++)
		length += (size_t)(unsigned char)file[8 + i] << 8 * i;
	j.data_at = 8 + width + length;
	if (length > DICT_MAX || j.data_at > len)
		return j;
	t = (struct tokens){ .p = file + 8 + width, .end = file + j.data_at };
	tokens_advance(&t);
	j.valid = judge_dict(&t, &j);
	judge_count(&j);
	return j;
}

size_t
npy_judge_place(const struct npy_judgement *j, size_t i)
{
	size_t place = 0, stride[TENSOR_RANK_MAX], step = 1;

	if (!j->fortran)
		return i;
	for (unsigned d = 0; d < j->rank; d++) {
		stride[d] = step;
		step *= j->shape[d];
	}
	for (unsigned d = j->rank; d-- > 0;) {
		place += i % j->shape[d] * stride[d];
		i /= j->shape[d];
	}
	return place;
}
