/* SPDX-License-Identifier: MIT */
/* Reads of Python only what numpy.save and similar programs write: strings without escapes, True, False, tuples. */
#include "codec/npy_header.h"

#include <stdio.h>
#include <string.h>

#include "codec/excerpt.h"

/* The dict's text, and the place up to which it is read. */
struct npy_text {
	const char *start;
	const char *p;
	const char *end;
	uint64_t start_at; /* in the file */
	struct err *err;
};

static uint64_t
text_at(const struct npy_text *t)
{
	return t->start_at + (uint64_t)(t->p - t->start);
}

static int
text_expected(const struct npy_text *t, const char *what)
{
	return err_fail_at(t->err, ERR_BAD_NPY, text_at(t), "the header: expected %s", what);
}

static void
text_skip_space(struct npy_text *t)
{
	while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r'))
		t->p++;
}

/* Takes `c`, perhaps after white space. Returns whether it was there. */
static bool
text_take(struct npy_text *t, char c)
{
	text_skip_space(t);
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

/* Takes a word, perhaps after white space. Returns whether it was there. */
static bool
text_take_word(struct npy_text *t, const char *word)
{
	size_t len = strlen(word);

	text_skip_space(t);
	if ((size_t)(t->end - t->p) < len || memcmp(t->p, word, len) != 0)
		return false;
	t->p += len;
	return true;
}

/* A string in single or double quotes, perhaps with Python 2's u before it; *text and *len are its contents. */
static int
text_string(struct npy_text *t, const char *what, const char **text, size_t *len)
{
	char quote;
	const char *close;

	text_skip_space(t);
	t->p += t->end - t->p > 1 && *t->p == 'u' && (t->p[1] == '\'' || t->p[1] == '"');
	quote = t->p < t->end ? *t->p : '\0';
	if (quote != '\'' && quote != '"')
		return text_expected(t, what);
	t->p++;
	close = memchr(t->p, quote, (size_t)(t->end - t->p));
	if (close == NULL)
		return text_expected(t, "a string that ends");
	*text = t->p;
	*len = (size_t)(close - t->p);
	t->p = close + 1;
	return 0;
}

/* What numpy.dtype() accepts: a code, after a byte order or none, or a name. A datatype's first row is written. */
struct npy_descr {
	const char *name; /* without the byte order */
	enum datatype datatype;
	bool ordered; /* may have a byte order before it */
};

static const struct npy_descr descrs[] = {
	{ "f4", DATATYPE_FP32, true },
	{ "f", DATATYPE_FP32, true },
	{ "float32", DATATYPE_FP32, false },
	{ "single", DATATYPE_FP32, false },
	{ "f8", DATATYPE_FP64, true },
	{ "d", DATATYPE_FP64, true },
	{ "float64", DATATYPE_FP64, false },
	{ "float", DATATYPE_FP64, false },
	{ "double", DATATYPE_FP64, false },
	{ "f2", DATATYPE_FP16, true },
	{ "e", DATATYPE_FP16, true },
	{ "float16", DATATYPE_FP16, false },
	{ "half", DATATYPE_FP16, false },
	{ "V2", DATATYPE_BF16, true },
};

static const char native_order = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>';

static const struct npy_descr *
find_descr(const char *name, size_t len, bool ordered)
{
	for (size_t i = 0; i < sizeof(descrs) / sizeof(descrs[0]); i++)
		if ((descrs[i].ordered || !ordered) && strlen(descrs[i].name) == len &&
		    memcmp(descrs[i].name, name, len) == 0)
			return &descrs[i];
	return NULL;
}

/* The row of a descr, and its byte order; NULL: it is not supported. */
static const struct npy_descr *
parse_descr(const char *text, size_t len, char *order)
{
	const bool ordered = len > 0 && memchr("<>=|", text[0], 4) != NULL;
	const struct npy_descr *d = find_descr(text + ordered, len - ordered, ordered);

	*order = ordered && (text[0] == '<' || text[0] == '>') ? text[0] : native_order;
	if (d == NULL || d->datatype != DATATYPE_BF16)
		return d;
	/* Bytes without a type have no order: numpy writes bfloat16 lowest byte first. */
	if (ordered && text[0] == '>')
		return NULL;
	*order = '<';
	return d;
}

static int
read_descr(struct npy_text *t, struct npy_header *h)
{
	uint64_t at;
	const char *text;
	const struct npy_descr *d;
	size_t len;
	char quote[EXCERPT_BYTES], order;

	text_skip_space(t);
	at = text_at(t);
	if (t->p < t->end && (*t->p == '[' || *t->p == '('))
		return err_fail_at(
		    t->err, ERR_BAD_NPY, at, "arrays of records are not supported, only arrays of floats");
	if (text_string(t, "a datatype such as '<f4'", &text, &len) < 0)
		return -1;
	d = parse_descr(text, len, &order);
	if (d != NULL) {
		h->datatype = d->datatype;
		h->swapped = order != native_order;
		return 0;
	}
	return err_fail_at(t->err, ERR_BAD_NPY, at,
	    "the datatype %s is not supported; supported are f2, f4, f8 ('<' or '>'), and V2 for "
	    "bfloat16; x.astype('<f4') converts",
	    excerpt_text(text, len, quote));
}

static int
read_fortran_order(struct npy_text *t, struct npy_header *h)
{
	h->fortran = text_take_word(t, "True");
	return h->fortran || text_take_word(t, "False") ? 0 : text_expected(t, "True or False");
}

static int
read_extent(struct npy_text *t, struct npy_header *h)
{
	const char *first;
	size_t extent = 0;
	bool overflow = false;

	text_skip_space(t);
	if (t->p < t->end && *t->p == '-')
		return err_fail_at(t->err, ERR_BAD_NPY, text_at(t), "the shape has a negative extent");
	for (first = t->p; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++)
		overflow |= __builtin_mul_overflow(extent, (size_t)10, &extent) ||
		    __builtin_add_overflow(extent, (size_t)(*t->p - '0'), &extent);
	if (t->p == first || (t->p - first > 1 && *first == '0'))
		return text_expected(t, "a whole number");
	if (overflow)
		return err_fail_at(t->err, ERR_BAD_NPY, text_at(t), "an extent of the shape overflows");
	if (t->p < t->end && *t->p == 'L')
		t->p++;
	if (h->rank == TENSOR_RANK_MAX)
		return err_fail_at(
		    t->err, ERR_BAD_NPY, text_at(t), "the shape has more than %d extents", TENSOR_RANK_MAX);
	h->shape[h->rank++] = extent;
	return 0;
}

/* The number of values. An overflow is found even if an extent is 0. */
static int
count_values(struct npy_text *t, struct npy_header *h)
{
	bool empty = false;

	h->count = 1;
	for (unsigned i = 0; i < h->rank; i++) {
		empty |= h->shape[i] == 0;
		if (h->shape[i] != 0 &&
		    (__builtin_mul_overflow(h->count, h->shape[i], &h->count) || h->count > SIZE_MAX / sizeof(double)))
			return err_fail_at(t->err, ERR_BAD_NPY, text_at(t), "the number of values is too large");
	}
	if (empty)
		h->count = 0;
	return 0;
}

/* (), (3,), (3, 4) or (3, 4,). (3) is not a tuple in Python. */
static int
read_shape(struct npy_text *t, struct npy_header *h)
{
	bool comma = true;

	h->rank = 0;
	if (!text_take(t, '('))
		return text_expected(t, "a tuple such as (3, 4)");
	while (!text_take(t, ')')) {
		if (!comma)
			return text_expected(t, "',' or ')'");
		if (read_extent(t, h) < 0)
			return -1;
		comma = text_take(t, ',');
		if (!comma && h->rank == 1)
			return text_expected(t, "',' in a tuple of one");
	}
	if (h->rank == 0)
		return err_fail_at(
		    t->err, ERR_BAD_NPY, text_at(t), "a tensor has at least one extent; this array has none");
	return count_values(t, h);
}

struct npy_key {
	const char *name;
	int (*read)(struct npy_text *t, struct npy_header *h);
};

static const struct npy_key keys[] = {
	{ "descr", read_descr },
	{ "fortran_order", read_fortran_order },
	{ "shape", read_shape },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* A key with its value; `seen` has a bit for each key. */
static int
read_member(struct npy_text *t, struct npy_header *h, unsigned *seen)
{
	const char *text;
	size_t len, i = 0;
	uint64_t at;
	char quote[EXCERPT_BYTES];

	text_skip_space(t);
	at = text_at(t);
	if (text_string(t, "a key in quotes", &text, &len) < 0)
		return -1;
	while (i < KEY_COUNT && (strlen(keys[i].name) != len || memcmp(keys[i].name, text, len) != 0))
		i++;
	if (i == KEY_COUNT || (*seen & 1u << i) != 0)
		return err_fail_at(t->err, ERR_BAD_NPY, at, "the header's key %s %s", excerpt_text(text, len, quote),
		    i == KEY_COUNT ? "is not known" : "is given twice");
	*seen |= 1u << i;
	if (!text_take(t, ':'))
		return text_expected(t, "':' after the key");
	return keys[i].read(t, h);
}

int
npy_header_parse(const char *text, size_t len, uint64_t at, struct npy_header *out, struct err *e)
{
	struct npy_text t = { text, text, text + len, at, e };
	bool comma = true;
	unsigned seen = 0;

	*out = (struct npy_header){ 0 };
	if (!text_take(&t, '{'))
		return text_expected(&t, "a dict");
	while (!text_take(&t, '}')) {
		if (!comma)
			return text_expected(&t, "',' or '}'");
		if (read_member(&t, out, &seen) < 0)
			return -1;
		comma = text_take(&t, ',');
	}
	text_skip_space(&t);
	if (t.p != t.end)
		return text_expected(&t, "nothing but spaces");
	for (size_t i = 0; i < KEY_COUNT; i++)
		if ((seen & 1u << i) == 0)
			return err_fail_at(e, ERR_BAD_NPY, at, "the header has no '%s'", keys[i].name);
	return 0;
}

static const char *
descr_of(enum datatype datatype)
{
	size_t i = 0;

	while (descrs[i].datatype != datatype)
		i++;
	return descrs[i].name;
}

size_t
npy_header_format(const struct tensor *t, char out[NPY_HEADER_MAX])
{
	const size_t dict_at = NPY_MAGIC_BYTES + 4;
	size_t len = dict_at, padded;

	len += (size_t)snprintf(out + len, NPY_HEADER_MAX - len, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
	    t->datatype == DATATYPE_BF16 ? '<' : native_order, descr_of(t->datatype));
	for (unsigned i = 0; i < t->rank; i++)
		len += (size_t)snprintf(out + len, NPY_HEADER_MAX - len,
		    i == 0     ? "%zu," :
			i == 1 ? " %zu" :
				 ", %zu",
		    t->shape[i]);
	len += (size_t)snprintf(out + len, NPY_HEADER_MAX - len, "), }");
	padded = (len + 1 + 63) / 64 * 64;
	memset(out + len, ' ', padded - len);
	out[padded - 1] = '\n';
	memcpy(out, NPY_MAGIC "\x01\x00", NPY_MAGIC_BYTES + 2);
	out[NPY_MAGIC_BYTES + 2] = (char)((padded - dict_at) & 0xff);
	out[NPY_MAGIC_BYTES + 3] = (char)((padded - dict_at) >> 8);
	return padded;
}
