/* SPDX-License-Identifier: MIT */
/*
 * Padding: what counts is packed, in its order, and unpacked again with zeros between; for every mask of small tensors.
 */
#include "norm/padding.h"

#include <string.h>

#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

#define POSITIONS_MAX 12
#define SIZE_MOST 256

/*
 * A tensor (samples, channels, positions) whose element i is i + 1, as any type has it exactly; padding is not a
 * number.
 */
struct fixture {
	enum norm_real real;
	size_t size;
	unsigned char keep[POSITIONS_MAX];
	size_t start[POSITIONS_MAX + 1];
	struct padding padding;
	double x[SIZE_MOST], packed[SIZE_MOST];
};

static bool
counts(const struct fixture *f, size_t at)
{
	const struct norm_view v = f->padding.view;

	return f->keep[at / (v.feature * v.inner) * v.inner + at % v.inner] != 0;
}

static void
fixture_init(
    struct fixture *f, enum norm_real real, struct norm_view view, size_t samples, size_t together, unsigned bits)
{
	*f = (struct fixture){ .real = real, .size = view_size(view) };
	ck_assert_uint_le(2 * f->size, SIZE_MOST);
	for (size_t i = 0; i < view.outer * view.inner; i++)
		f->keep[i] = bits >> i & 1;
	padding_starts(f->keep, samples, view.outer / samples * view.inner, f->start);
	f->padding = (struct padding){ view, f->keep, samples, together, f->start };
	for (size_t i = 0; i < f->size; i++)
		element_set(real, f->x, i, counts(f, i) ? (double)(i + 1) : NAN);
	memset(f->packed, 0xa5, sizeof(f->packed));
}

/* That nothing was written from element n on. */
static void
check_untouched(const struct fixture *f, const void *x, size_t n)
{
	const unsigned char *bytes = x;
	bool same = true;

	for (size_t i = n * norm_real_size(f->real); i < sizeof(f->packed); i++)
		same = same && bytes[i] == 0xa5;
	ck_assert(same);
}

/* All parts of a pass, from the last to the first: each writes in its place. */
static void
run_each(const struct fixture *f, const struct norm_op *op, const void *x, void *y)
{
	const struct norm_pass pass = {
		.op = op, .real = f->real, .view = f->padding.view, .x = x, .y = y, .padding = &f->padding
	};

	for (size_t i = op->cut(&pass).count; i-- > 0;)
		ck_assert(op->part(&pass, (struct norm_part){ i, i + 1 }));
}

/* Steps keep their order; else it is block by block, and feature by feature of each. */
static void
check_packed(const struct fixture *f)
{
	const struct padding *p = &f->padding;
	const struct norm_view v = p->view;
	const size_t block = v.inner == 1 ? f->size : p->together * (v.outer / p->samples) * v.feature * v.inner;
	size_t n = 0;

	for (size_t first = 0; first < f->size; first += block)
		for (size_t c = 0; c < (v.inner == 1 ? 1 : v.feature); c++)
			for (size_t at = first; at < first + block && at < f->size; at++)
				if ((v.inner == 1 || at / v.inner % v.feature == c) && counts(f, at))
					ck_assert(element_get(f->real, f->packed, n++) == (double)(at + 1));
	ck_assert_uint_eq(n, v.feature * f->start[p->samples]);
	check_untouched(f, f->packed, n);
}

static void
check_unpacked(const struct fixture *f)
{
	double y[SIZE_MOST];

	memset(y, 0xa5, sizeof(y));
	run_each(f, &norm_unpack, f->packed, y);
	for (size_t at = 0; at < f->size; at++) {
		const double value = element_get(f->real, y, at);

		ck_assert(value == (counts(f, at) ? (double)(at + 1) : 0) && !signbit(value));
	}
	check_untouched(f, y, f->size);
}

/* The first value of the channel of element `at` that counts; 0 where none does. */
static double
first_of_channel(const struct fixture *f, size_t at)
{
	const struct norm_view v = f->padding.view;
	const size_t channel = at / v.inner % v.feature;

	for (size_t i = 0; i < f->size; i++)
		if (i / v.inner % v.feature == channel && counts(f, i))
			return (double)(i + 1);
	return 0;
}

/* In place: padding is replaced by a value of its channel, and in the end by 0; what counts stays. */
static void
check_filled(struct fixture *f)
{
	run_each(f, &norm_fill, f->x, f->x);
	for (size_t at = 0; at < f->size; at++)
		ck_assert(
		    element_get(f->real, f->x, at) == (counts(f, at) ? (double)(at + 1) : first_of_channel(f, at)));
	run_each(f, &norm_clear, f->x, f->x);
	for (size_t at = 0; at < f->size; at++)
		ck_assert(element_get(f->real, f->x, at) == (counts(f, at) ? (double)(at + 1) : 0));
}

START_TEST(every_mask)
{
	static const struct {
		struct norm_view view;
		size_t samples;
	} cases[] = { { { 1, 1, 1 }, 1 }, { { 2, 3, 3 }, 2 }, { { 3, 2, 2 }, 3 }, { { 1, 2, 10 }, 1 },
		{ { 4, 2, 2 }, 2 }, { { 4, 3, 1 }, 4 }, { { 6, 3, 1 }, 2 } };

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
		for (size_t together = 1; together <= cases[c].samples; together++)
			for (unsigned bits = 0; bits < 1U << norm_view_count(cases[c].view); bits++) {
				struct fixture f;

				fixture_init(&f, reals[_i], cases[c].view, cases[c].samples, together, bits);
				run_each(&f, &norm_pack, f.x, f.packed);
				check_packed(&f);
				check_unpacked(&f);
				check_filled(&f);
			}
}
END_TEST

/* All parts at once are the parts one by one; stretches longer than a word, that end anywhere in one. */
START_TEST(long_stretches)
{
	enum { POSITIONS = 67, SIZE = 4 * POSITIONS };
	unsigned char keep[2 * POSITIONS];
	float x[SIZE], packed[SIZE], y[SIZE];
	size_t start[3], n;

	for (size_t i = 0; i < SIZE; i++)
		x[i] = (float)(i + 1);
	for (size_t from = 0; from < POSITIONS; from++)
		for (size_t to = from; to <= POSITIONS; to++) {
			const struct padding p = { { 2, 2, POSITIONS }, keep, 2, 2, start };
			struct norm_pass pass = pass_over(&norm_pack, NORM_FLOAT, x, p.view);

			memset(keep, 0, sizeof(keep));
			memset(keep + from, 1, to - from);
			memset(keep + POSITIONS, 1, from);
			padding_starts(keep, 2, POSITIONS, start);
			ck_assert(start[0] == 0 && start[1] == to - from && start[2] == to);
			pass.padding = &p;
			pass.y = packed;
			ck_assert(run(pass));
			pass.op = &norm_unpack;
			pass.x = packed;
			pass.y = y;
			ck_assert(run(pass));
			n = 0;
			for (size_t c = 0; c < 2; c++)
				for (size_t o = 0; o < 2; o++)
					for (size_t i = 0; i < POSITIONS; i++) {
						const size_t at = (o * 2 + c) * POSITIONS + i;
						const bool counted = keep[o * POSITIONS + i];

						ck_assert(y[at] == (counted ? x[at] : 0));
						ck_assert(!counted || packed[n++] == x[at]);
					}
			ck_assert_uint_eq(n, 2 * to);
		}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("padding");
	TCase *t = tcase_create("padding");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, every_mask, 0, REALS);
	tcase_add_test(t, long_stretches);
	suite_add_tcase(s, t);
	return s;
}
