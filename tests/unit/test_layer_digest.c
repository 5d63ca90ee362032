/* SPDX-License-Identifier: MIT */
/*
 * Digests of layers and versions: the example of docs/DIGESTS.md, what must and what must not make a difference, and
 * lists of many values. tests/integration/test_digests.py computes them a second time, for every kind.
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "layer/layer_digest.h"

#define FEATURES 2

/* The layer of the example, without its number of features, which a batch has fixed. */
static const struct definition example = { .kind = KIND_INSTANCE_NORM,
	.eps = 1e-5,
	.affine = true,
	.bias = true,
	.track_running_stats = true,
	.momentum = 0.1,
	.channel_axis = 1 };

/* What a digest is made of, to be changed by a test. */
struct layer {
	struct definition d;
	double weight[FEATURES], bias[FEATURES], mean[FEATURES], var[FEATURES];
	struct statistics statistics;
};

static void
begin(struct layer *l)
{
	*l = (struct layer){ .d = example, { 1, 0.5 }, { 0, 0 }, { 0.5, -0.0 }, { 1.5, 2 } };
	l->statistics =
	    (struct statistics){ .features = FEATURES, .num_batches_tracked = 3, .mean = l->mean, .var = l->var };
}

/* In one of four buffers, so that a few texts can be compared. */
static const char *
digest_of(const struct definition *d, const struct statistics *s, const double *weight, const double *bias)
{
	static char texts[4][SHA256_TEXT_BYTES];
	static unsigned next;
	char *text = texts[next++ % 4];
	unsigned char digest[SHA256_BYTES];

	layer_digest(d, s, weight, bias, digest);
	sha256_format(digest, text);
	return text;
}

static const char *
digested(const struct layer *l)
{
	return digest_of(&l->d, &l->statistics, l->weight, l->bias);
}

#define EXAMPLE_DIGEST "sha256:a2fae0dcd3512641fbf6388663301e94cf2336a723b9064662073f6cec09a336"

START_TEST(the_example)
{
	struct layer l;

	begin(&l);
	ck_assert_str_eq(digested(&l), EXAMPLE_DIGEST);
	/* Whether the definition or a batch has set the number of features makes no difference. */
	l.d.num_features = FEATURES;
	ck_assert_str_eq(digested(&l), EXAMPLE_DIGEST);
	/* Nor whether a default is stored. */
	ck_assert_str_eq(digest_of(&l.d, &l.statistics, l.weight, NULL), EXAMPLE_DIGEST);
}
END_TEST

START_TEST(defaults)
{
	struct layer l;
	struct statistics none = { .features = FEATURES };
	const char *text;

	begin(&l);
	for (unsigned i = 0; i < FEATURES; i++) {
		l.weight[i] = l.var[i] = 1;
		l.bias[i] = l.mean[i] = 0;
	}
	l.statistics.num_batches_tracked = 0;
	text = digested(&l);
	ck_assert_str_eq(text, digest_of(&l.d, &none, NULL, NULL));
	l.bias[1] = -0.0;
	ck_assert_str_ne(text, digested(&l));
	none.features = 0;
	ck_assert_str_ne(text, digest_of(&l.d, &none, NULL, NULL));
}
END_TEST

/* Each bit of the state makes a difference. */
START_TEST(differences)
{
	struct layer l;
	double *const lists[] = { l.weight, l.bias, l.mean, l.var };
	unsigned char *bytes;

	for (unsigned list = 0; list < 4; list++)
		for (unsigned i = 0; i < FEATURES; i++)
			for (unsigned bit = 0; bit < 64; bit++) {
				begin(&l);
				bytes = (unsigned char *)&lists[list][i];
				bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
				ck_assert_str_ne(digested(&l), EXAMPLE_DIGEST);
			}
	begin(&l);
	l.statistics.num_batches_tracked = (uint64_t)1 << 53;
	ck_assert_str_ne(digested(&l), EXAMPLE_DIGEST);
	l.statistics.num_batches_tracked++;
	ck_assert_str_ne(digested(&l),
	    digest_of(&l.d,
		&(struct statistics){
		    .features = FEATURES, .num_batches_tracked = (uint64_t)1 << 53, .mean = l.mean, .var = l.var },
		l.weight, l.bias));
}
END_TEST

/* The counts of pooled and decayed averaging count, those of the others do not. */
START_TEST(counts)
{
	static const bool counted[AVERAGINGS][2] = {
		[AVERAGING_POOLED] = { true, false },
		[AVERAGING_DECAYED] = { false, true },
	};
	struct layer l;
	const char *text;

	for (enum averaging a = AVERAGING_EXPONENTIAL; a < AVERAGINGS; a++) {
		begin(&l);
		l.d.kind = KIND_BATCH_NORM;
		l.d.averaging = a;
		text = digested(&l);
		l.statistics.count = 7;
		ck_assert_int_eq(strcmp(text, digested(&l)) != 0, counted[a][0]);
		l.statistics.count = 0;
		l.statistics.decayed_count = 0.5;
		ck_assert_int_eq(strcmp(text, digested(&l)) != 0, counted[a][1]);
	}
}
END_TEST

/* A list that is hashed in several parts: its last value counts, and so does that it is the only other one. */
START_TEST(long_lists)
{
	const size_t n = 1000;
	struct definition d = { .kind = KIND_LAYER_NORM, .eps = 1e-5, .affine = true, .normalized_rank = 1 };
	const struct statistics none = { 0 };
	double *ones = malloc(n * sizeof(*ones));
	char text[SHA256_TEXT_BYTES];

	ck_assert(ones != NULL);
	d.normalized_shape[0] = n;
	for (size_t i = 0; i < n; i++)
		ones[i] = 1;
	strcpy(text, digest_of(&d, &none, NULL, NULL));
	ck_assert_str_eq(text, digest_of(&d, &none, ones, NULL));
	for (size_t i = 0; i < n; i++) {
		ones[i] = 1.5;
		ck_assert_str_ne(text, digest_of(&d, &none, ones, NULL));
		ones[i] = 1;
	}
	free(ones);

	/* 2^40 ones take no longer than two. */
	d.normalized_shape[0] = (size_t)1 << 40;
	ck_assert_str_ne(text, digest_of(&d, &none, NULL, NULL));
}
END_TEST

START_TEST(versions)
{
	unsigned char digest[SHA256_BYTES] = { 0 };
	char text[SHA256_TEXT_BYTES];
	struct version_digest v;

	version_digest_begin(&v);
	version_digest_end(&v, digest);
	sha256_format(digest, text);
	ck_assert_str_eq(text, "sha256:50dc9e2876e18bbb56b962ec550792aee4908c012df6a3d1909bc086827705ff");

	version_digest_begin(&v);
	ck_assert(sha256_parse("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest));
	version_digest_add(&v, "a", digest);
	ck_assert(sha256_parse(EXAMPLE_DIGEST, digest));
	version_digest_add(&v, "bn1", digest);
	version_digest_end(&v, digest);
	sha256_format(digest, text);
	ck_assert_str_eq(text, "sha256:7ebf9d95747b99ca566735b89aea8b7a5ef4f67c258891c1b2a431212ada046e");
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("layer_digest");
	TCase *all = tcase_create("digests");

	tcase_add_test(all, the_example);
	tcase_add_test(all, defaults);
	tcase_add_test(all, differences);
	tcase_add_test(all, counts);
	tcase_add_test(all, long_lists);
	tcase_add_test(all, versions);
	suite_add_tcase(suite, all);
	return suite;
}
