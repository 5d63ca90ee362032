/* SPDX-License-Identifier: MIT */
#include "base/suggest.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The longest known name without its separators; a longer word is cut. */
#define FOLDED_MAX 32

/* The distance of a name that is not suggested. */
#define NOT_NEAR 100u

/* A word within a name ("features") is further away than any typing error that counts. */
#define WITHIN 4u
#define WITHIN_CHARS_MIN 4

/* Names here, and the words that other libraries have for them, folded, with spaces around each. */
static const struct alias {
	const char *name;
	const char *words;
} aliases[] = {
	{ "eps", " epsilon varianceepsilon " },
	{ "channel_axis", " axis dim " },
	{ "momentum", " decay rho " },
	{ "kind", " type layer " },
	{ "affine", " center usebias usescale elementwiseaffine " },
	{ "convention", " framework " },
	{ "num_features", " numchannels channels " },
	{ "num_channels", " numfeatures " },
	{ "normalized_shape", " numfeatures " },
	{ "virtual_batch_size", " ghostbatchsize " },
	{ "elementwise_affine", " affine " },
	{ "batch_norm", " bn " },
	{ "layer_norm", " ln " },
	{ "instance_norm", " in " },
	{ "group_norm", " gn " },
	{ "rms_norm", " rms " },
	{ "pytorch", " torch " },
	{ "keras", " tensorflow tf " },
	{ "flax", " jax " },
	{ "exponential", " ema ewma moving " },
	{ "cumulative", " cma average " },
	{ "pooled", " welford exact " },
	{ "datatype", " dtype " },
	{ "FP32", " float float32 f32 f4 single " },
	{ "FP64", " double float64 f64 f8 " },
	{ "FP16", " half float16 f16 f2 " },
	{ "data", " input inputs tensor values x " },
	{ "input", " x data " },
	{ "grad_output", " grad gradient dy " },
	{ "weight", " gamma scale " },
	{ "bias", " beta shift " },
	{ "running_mean", " mean " },
	{ "running_var", " variance " },
	{ "var", " variance runningvar " },
	{ "mean", " runningmean " },
	{ "count", " n " },
	{ "mode", " training " },
	{ "train", " training " },
	{ "infer", " eval predict " },
	{ "--listen", " port host bind " },
	{ "--store", " db database " },
	{ "--threads", " workers " },
	{ "error", " fatal " },
	{ "text", " plain " },
};

struct folded {
	size_t len;
	char text[FOLDED_MAX];
};

static struct folded
fold(const char *text)
{
	struct folded f = { 0 };

	for (; *text != '\0' && f.len < FOLDED_MAX; text++)
		if (strchr("_-. ", *text) == NULL)
			f.text[f.len++] = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
	return f;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* The edit distance: characters inserted, deleted, replaced, or swapped with the next. */
static unsigned
edits(const struct folded *a, const struct folded *b)
{
	unsigned rows[3][FOLDED_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2], *free_row, cost;

	for (size_t k = 0; k <= b->len; k++)
		last[k] = before[k] = (unsigned)k;
	for (size_t i = 1; i <= a->len; i++) {
		row[0] = (unsigned)i;
		for (size_t k = 1; k <= b->len; k++) {
			cost = a->text[i - 1] != b->text[k - 1];
			row[k] = least(least(last[k] + 1, row[k - 1] + 1), last[k - 1] + cost);
			if (i > 1 && k > 1 && a->text[i - 1] == b->text[k - 2] && a->text[i - 2] == b->text[k - 1])
				row[k] = least(row[k], before[k - 2] + 1);
		}
		free_row = before;
		before = last;
		last = row;
		row = free_row;
	}
	return last[b->len];
}

/* Whether `whole` contains `part`. */
static bool
is_within(const struct folded *part, const struct folded *whole)
{
	if (part->len < WITHIN_CHARS_MIN)
		return false;
	for (size_t i = 0; i + part->len <= whole->len; i++)
		if (memcmp(whole->text + i, part->text, part->len) == 0)
			return true;
	return false;
}

static bool
is_alias(const struct folded *word, const char *name)
{
	char spaced[FOLDED_MAX + 3];

	snprintf(spaced, sizeof(spaced), " %.*s ", (int)word->len, word->text);
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i].name, name) == 0)
			return strstr(aliases[i].words, spaced) != NULL;
	return false;
}

/* Typing errors count up to one, and one for every four characters more. */
static unsigned
distance_of(const char *word, const char *name)
{
	const struct folded a = fold(word), b = fold(name);
	const size_t shorter = a.len < b.len ? a.len : b.len;
	unsigned n;

	if (shorter == 0)
		return NOT_NEAR;
	n = edits(&a, &b);
	if (n == 0)
		return 0;
	if (is_alias(&a, name))
		return 1;
	if (shorter >= 2 && n <= 1 + (shorter - 1) / 4 && n < WITHIN)
		return n;
	return is_within(&a, &b) || is_within(&b, &a) ? WITHIN : NOT_NEAR;
}

void
suggest_begin(struct suggest *s, const char *word)
{
	*s = (struct suggest){ word, NULL, NOT_NEAR };
}

void
suggest_try(struct suggest *s, const char *name)
{
	const unsigned n = distance_of(s->word, name);

	if (n >= s->distance)
		return;
	s->best = name;
	s->distance = n;
}

bool
suggest_is_typing_error(const struct suggest *s)
{
	return s->best != NULL && s->distance < WITHIN;
}

const char *
suggest_text(const struct suggest *s, char out[SUGGEST_BYTES])
{
	out[0] = '\0';
	if (s->best != NULL)
		snprintf(out, SUGGEST_BYTES, "; did you mean \"%s\"?", s->best);
	return out;
}

const char *
suggest_among(const char *word, const char *const *names, char out[SUGGEST_BYTES])
{
	struct suggest s;

	suggest_begin(&s, word);
	for (; *names != NULL; names++)
		suggest_try(&s, *names);
	return suggest_text(&s, out);
}
