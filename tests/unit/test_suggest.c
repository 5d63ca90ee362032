/* SPDX-License-Identifier: MIT */
/* Suggestions: what typing errors and other libraries' words lead to, and what leads to nothing. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const fields[] = { "kind", "convention", "num_features", "eps", "momentum", "averaging", "affine",
	"track_running_stats", "channel_axis", "unbiased_running_var", "virtual_batch_size", "shuffle", "renorm",
	"clip", "datatype", NULL };
static const char *const shaped[] = { "kind", "convention", "normalized_shape", "eps", "elementwise_affine", "bias",
	NULL };
static const char *const kinds[] = { "batch_norm", "layer_norm", "instance_norm", "group_norm", "rms_norm", NULL };
static const char *const datatypes[] = { "FP32", "FP64", "FP16", NULL };
static const char *const options[] = { "--listen", "--store", "--threads", "--max-body", "--max-memory", "--log-level",
	NULL };
static const char *const body[] = { "shape", "datatype", "data", "output", "seed", "lengths", "mask", "sync", NULL };

static const struct {
	const char *word;
	const char *const *names;
	const char *meant; /* NULL: none of them */
} cases[] = {
	{ "epsilon", fields, "eps" },
	{ "Eps", fields, "eps" },
	{ "esp", fields, "eps" },
	{ "momentun", fields, "momentum" },
	{ "mometnum", fields, "momentum" },
	{ "momentums", fields, "momentum" },
	{ "numFeatures", fields, "num_features" },
	{ "features", fields, "num_features" },
	{ "num_channels", fields, "num_features" },
	{ "track_stats", fields, NULL },
	{ "running_stats", fields, "track_running_stats" },
	{ "axis", fields, "channel_axis" },
	{ "dtype", fields, "datatype" },
	{ "num_features", shaped, "normalized_shape" },
	{ "affine", shaped, "elementwise_affine" },
	{ "batchnorm", kinds, "batch_norm" },
	{ "BatchNorm2d", kinds, "batch_norm" },
	{ "LayerNorm", kinds, "layer_norm" },
	{ "layer-norm", kinds, "layer_norm" },
	{ "InstanceNorm1d", kinds, "instance_norm" },
	{ "RMSNorm", kinds, "rms_norm" },
	{ "bn", kinds, "batch_norm" },
	{ "weight_norm", kinds, NULL },
	{ "float32", datatypes, "FP32" },
	{ "fp64", datatypes, "FP64" },
	{ "double", datatypes, "FP64" },
	{ "half", datatypes, "FP16" },
	{ "int8", datatypes, NULL },
	{ "--max_body", options, "--max-body" },
	{ "--thread", options, "--threads" },
	{ "--loglevel", options, "--log-level" },
	{ "--port", options, "--listen" },
	{ "--quiet", options, NULL },
	{ "ouput", body, "output" },
	{ "input", body, "data" },
	{ "rank", body, NULL },
	{ "", body, NULL },
	{ "_", body, NULL },
	{ "x", fields, NULL },
	{ "version", body, NULL },
};

START_TEST(every_case)
{
	char expected[SUGGEST_BYTES], out[SUGGEST_BYTES];

	expected[0] = '\0';
	if (cases[_i].meant != NULL)
		snprintf(expected, sizeof(expected), "; did you mean \"%s\"?", cases[_i].meant);
	ck_assert_msg(strcmp(suggest_among(cases[_i].word, cases[_i].names, out), expected) == 0, "%s%s, not%s",
	    cases[_i].word, out, expected);
}
END_TEST

/*
 * Each name with any one character left out, doubled or exchanged with the next is a typing error of that name, or of a
 * nearer one.
 */
START_TEST(every_single_error)
{
	char word[64], out[SUGGEST_BYTES], expected[SUGGEST_BYTES];
	const char *name = fields[_i];
	const size_t len = strlen(name);

	snprintf(expected, sizeof(expected), "; did you mean \"%s\"?", name);
	for (size_t i = 0; i < len; i++) {
		snprintf(word, sizeof(word), "%.*s%s", (int)i, name, name + i + 1);
		if (len > 3)
			ck_assert_str_eq(suggest_among(word, fields, out), expected);
		snprintf(word, sizeof(word), "%.*s%s", (int)i + 1, name, name + i);
		ck_assert_str_eq(suggest_among(word, fields, out), expected);
		snprintf(word, sizeof(word), "%s", name);
		word[i] = name[i + 1] != '\0' ? name[i + 1] : word[i];
		if (name[i + 1] != '\0')
			word[i + 1] = name[i];
		ck_assert_str_eq(suggest_among(word, fields, out), expected);
	}
}
END_TEST

/* A word of any length and any bytes is looked at within bounds. */
START_TEST(long_words)
{
	char word[300], out[SUGGEST_BYTES];

	memset(word, 'e', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ck_assert_str_eq(suggest_among(word, fields, out), "");
	memset(word, 0xff, 40);
	ck_assert_str_eq(suggest_among(word, fields, out), "");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("suggest");
	TCase *all = tcase_create("names");

	tcase_add_loop_test(all, every_case, 0, COUNT(cases));
	tcase_add_loop_test(all, every_single_error, 0, COUNT(fields) - 1);
	tcase_add_test(all, long_words);
	suite_add_tcase(suite, all);
	return suite;
}
