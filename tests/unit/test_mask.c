/* Padding: what counts is packed, in its order; what does not is scaled, alone; for every mask of small tensors. */
#include "norm/mask.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/unit.h"

#define POSITIONS_MAX 12

/* A tensor (samples, channels, positions) whose element i is i + 1, as any type has it exactly. */
struct fixture {
	enum norm_real real;
	struct norm_view view;
	size_t size;
	unsigned char mask[POSITIONS_MAX];
	double x[256], packed[256];
};

static struct fixture
fixture_of(enum norm_real real, struct norm_view view, unsigned bits)
{
	struct fixture f = { .real = real, .view = view, .size = view_size(view) };

	ck_assert_uint_le(f.size, 128);
	for (size_t i = 0; i < f.size; i++)
		element_set(real, f.x, i, (double)(i + 1));
	/* Any byte but 0 counts. */
	for (size_t i = 0; i < view.outer * view.inner; i++)
		f.mask[i] = bits >> i & 1 ? (unsigned char)(1 + 100 * (i % 2)) : 0;
	memset(f.packed, 0xa5, sizeof(f.packed));
	return f;
}

static bool
counts(const struct fixture *f, size_t at)
{
	const size_t sample = at / (f->view.feature * f->view.inner);

	return f->mask[sample * f->view.inner + at % f->view.inner] != 0;
}

/* That nothing was written from element n on. */
static void
check_untouched(const struct fixture *f, size_t n)
{
	const unsigned char *bytes = (const unsigned char *)f->packed;
	bool same = true;

	for (size_t i = n * norm_real_size(f->real); i < sizeof(f->packed); i++)
		same = same && bytes[i] == 0xa5;
	ck_assert(same);
}

static void
check_pack_features(struct fixture *f)
{
	const size_t count = mask_count(f->mask, f->view.outer * f->view.inner);
	size_t n = 0;

	/* From the last feature to the first: each in its place. */
	for (size_t c = f->view.feature; c-- > 0;)
		mask_pack_features(f->real, f->x, f->view, f->mask, (struct norm_part){ c, c + 1 }, count, f->packed);
	for (size_t c = 0; c < f->view.feature; c++)
		for (size_t at = 0; at < f->size; at++)
			if (at / f->view.inner % f->view.feature == c && counts(f, at))
				ck_assert(element_get(f->real, f->packed, n++) == (double)(at + 1));
	ck_assert_uint_eq(n, f->view.feature * count);
	check_untouched(f, n);
}

/* Step by step they keep their order. */
static void
check_pack_steps(struct fixture *f)
{
	size_t n = 0;

	memset(f->packed, 0xa5, sizeof(f->packed));
	mask_pack_steps(f->real, f->x, f->view, f->mask, f->packed);
	for (size_t at = 0; at < f->size; at++)
		if (counts(f, at))
			ck_assert(element_get(f->real, f->packed, n++) == (double)(at + 1));
	check_untouched(f, n);
}

/* Every run of the tensor, wherever it begins and ends. */
static void
check_pack_runs(struct fixture *f)
{
	const unsigned char *x = (const unsigned char *)f->x;
	size_t n, i;
	bool same;

	for (size_t first = 0; first < f->size; first++)
		for (size_t length = 1; length <= f->size - first; length++) {
			memset(f->packed, 0xa5, sizeof(f->packed));
			n = mask_pack_run(f->real, x + first * norm_real_size(f->real), first, length, f->view.feature,
			    f->view.inner, f->mask, f->packed);
			check_untouched(f, n);
			same = true;
			i = 0;
			for (size_t at = first; at < first + length; at++)
				if (counts(f, at))
					same = i < n && same && element_get(f->real, f->packed, i++) == (double)(at + 1);
			ck_assert(same && i == n);
		}
}

static const struct norm_view views[] = { { 1, 1, 1 }, { 2, 3, 3 }, { 3, 2, 2 }, { 1, 2, 5 }, { 4, 3, 1 } };
#define VIEWS (sizeof(views) / sizeof(views[0]))

START_TEST(every_mask_packs)
{
	for (size_t v = 0; v < VIEWS; v++)
		for (unsigned bits = 0; bits < 1U << (views[v].outer * views[v].inner); bits++) {
			struct fixture f = fixture_of(reals[_i], views[v], bits);

			check_pack_features(&f);
			if (f.view.inner == 1)
				check_pack_steps(&f);
			check_pack_runs(&f);
		}
}
END_TEST

START_TEST(every_mask_scales_padding_alone)
{
	static const double factor[] = { 2, -0.5, 4 };
	double weight[32], was[256];

	for (size_t i = 0; i < 32; i++)
		weight[i] = (double)(i % 3) - 1;
	for (size_t v = 0; v < VIEWS; v++)
		for (unsigned bits = 0; bits < 1U << (views[v].outer * views[v].inner); bits++) {
			struct fixture f = fixture_of(reals[_i], views[v], bits), run = f, plain = f;
			const size_t row = f.size / f.view.outer;

			for (size_t i = 0; i < f.size; i++)
				element_set(f.real, was, i, (double)(i % 7));
			ck_assert(mask_scale_features(f.real, f.x, was, f.view, f.mask, factor));
			for (size_t r = 0; r < f.view.outer; r++) {
				const size_t at = r * row * norm_real_size(f.real);
				unsigned char *of_was = (unsigned char *)was + at;

				ck_assert(mask_scale_run(f.real, (unsigned char *)run.x + at, of_was, r * row, row,
				    f.view.feature, f.view.inner, f.mask, 3, weight));
				ck_assert(mask_scale_run(f.real, (unsigned char *)plain.x + at, of_was, r * row, row,
				    f.view.feature, f.view.inner, f.mask, 3, NULL));
			}
			for (size_t i = 0; i < f.size; i++) {
				const double x = (double)(i + 1), w = (double)(i % 7);

				ck_assert(element_get(f.real, f.x, i) ==
				    (counts(&f, i) ? x : w * factor[i / f.view.inner % f.view.feature]));
				ck_assert(element_get(f.real, run.x, i) == (counts(&f, i) ? x : 3 * w * weight[i % row]));
				ck_assert(element_get(f.real, plain.x, i) == (counts(&f, i) ? x : 3 * w));
			}
		}
}
END_TEST

/* Wherever it stands, in what counts or in padding; what was overwritten does not matter. */
START_TEST(scaling_tells_what_is_not_finite)
{
	static const double factor[] = { 1, 1, 1 };
	struct fixture good = fixture_of(reals[_i], (struct norm_view){ 2, 3, 3 }, 0x2d), f;
	double was[256];

	memcpy(was, good.x, sizeof(was));
	for (size_t i = 0; i < good.size; i++) {
		f = good;
		element_set(f.real, f.x, i, i % 2 == 0 ? INFINITY : NAN);
		ck_assert(mask_scale_features(f.real, f.x, was, f.view, f.mask, factor) == !counts(&f, i));
		f = good;
		element_set(f.real, f.x, i, i % 2 == 0 ? INFINITY : NAN);
		ck_assert(mask_scale_run(f.real, f.x, was, 0, f.size, 3, 3, f.mask, 1, NULL) == !counts(&f, i));
		f = good;
		element_set(f.real, was, i, NAN);
		ck_assert(mask_scale_features(f.real, f.x, was, f.view, f.mask, factor) == counts(&f, i));
		element_set(f.real, was, i, 1);
	}
}
END_TEST

START_TEST(the_largest_padding)
{
	struct fixture f = fixture_of(reals[_i], (struct norm_view){ 2, 3, 3 }, 0x2d);

	ck_assert(mask_padding_largest(f.real, f.x, f.view, f.mask) == 17); /* of sample 1, position 1; the 18th counts */
	element_set(f.real, f.x, 1, -40);
	element_set(f.real, f.x, 0, 90);
	ck_assert(mask_padding_largest(f.real, f.x, f.view, f.mask) == 40);
	element_set(f.real, f.x, 1, NAN);
	ck_assert(isinf(mask_padding_largest(f.real, f.x, f.view, f.mask)));
	element_set(f.real, f.x, 1, -INFINITY);
	ck_assert(isinf(mask_padding_largest(f.real, f.x, f.view, f.mask)));
	memset(f.mask, 1, sizeof(f.mask));
	ck_assert(mask_padding_largest(f.real, f.x, f.view, f.mask) == 0);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("mask");
	TCase *t = tcase_create("mask");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, every_mask_packs, 0, REALS);
	tcase_add_loop_test(t, every_mask_scales_padding_alone, 0, REALS);
	tcase_add_loop_test(t, scaling_tells_what_is_not_finite, 0, REALS);
	tcase_add_loop_test(t, the_largest_padding, 0, REALS);
	suite_add_tcase(s, t);
	return s;
}
