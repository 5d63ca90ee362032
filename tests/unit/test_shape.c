/* SPDX-License-Identifier: MIT */
/* The shape that is said of a layer's tensors: for each kind, and that such tensors fit the layer. */
#include "tests/unit/unit.h"

#include <string.h>

#include "layer/call.h"
#include "layer/shape.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ANY SHAPE_ANY

static const struct definition batch = { .kind = KIND_BATCH_NORM, .channel_axis = 1 };
static const struct definition instance = { .kind = KIND_INSTANCE_NORM, .channel_axis = 1 };
static const struct definition group = { .kind = KIND_GROUP_NORM, .channel_axis = 1, .num_groups = 2 };
static const struct definition layer = { .kind = KIND_LAYER_NORM, .normalized_rank = 2, .normalized_shape = { 5, 3 } };
static const struct definition rms = { .kind = KIND_RMS_NORM, .normalized_rank = 1, .normalized_shape = { 7 } };

static const struct {
	const struct definition *definition;
	int channel_axis; /* of batch_norm */
	size_t features;
	unsigned rank;
	int64_t extents[5];
} cases[] = {
	{ &batch, 1, 6, 2, { ANY, 6 } },
	{ &batch, 1, 0, 2, { ANY, ANY } },
	{ &batch, -1, 6, 2, { ANY, 6 } },
	{ &batch, 0, 6, 2, { 6, ANY } },
	{ &batch, 2, 6, 3, { ANY, ANY, 6 } },
	{ &batch, 4, 6, 5, { ANY, ANY, ANY, ANY, 6 } },
	{ &batch, -2, 6, 3, { ANY, 6, ANY } },
	{ &batch, -4, 6, 5, { ANY, 6, ANY, ANY, ANY } },
	{ &batch, -5, 6, 5, { 6, ANY, ANY, ANY, ANY } },
	{ &instance, 1, 6, 3, { ANY, 6, ANY } },
	{ &group, 1, 6, 3, { ANY, 6, ANY } },
	{ &layer, 1, 0, 3, { ANY, 5, 3 } },
	{ &rms, 1, 0, 2, { ANY, 7 } },
};

START_TEST(shapes)
{
	struct definition d = *cases[_i].definition;
	struct layer_shape shape;

	if (d.kind == KIND_BATCH_NORM)
		d.channel_axis = cases[_i].channel_axis;
	layer_shape_of(&d, cases[_i].features, &shape);
	ck_assert_uint_eq(shape.rank, cases[_i].rank);
	for (unsigned i = 0; i < shape.rank; i++)
		ck_assert_int_eq(shape.extents[i], cases[_i].extents[i]);
}
END_TEST

/* A tensor of that shape is what the layer takes, whatever stands for the extents that vary. */
START_TEST(a_tensor_of_the_shape_fits)
{
	struct definition d = *cases[_i].definition;
	struct tensor t = { .datatype = DATATYPE_FP32 };
	struct layer_shape shape;
	struct call c = { .definition = &d, .tensor = &t, .statistics.features = cases[_i].features };
	struct err e = { 0 };

	if (d.kind == KIND_BATCH_NORM)
		d.channel_axis = cases[_i].channel_axis;
	layer_shape_of(&d, cases[_i].features, &shape);
	for (size_t any = 1; any <= 4; any += 3) {
		t.rank = shape.rank;
		for (unsigned i = 0; i < shape.rank; i++)
			t.shape[i] = shape.extents[i] == SHAPE_ANY ? any : (size_t)shape.extents[i];
		ck_assert_msg(call_fit(&c, &e) == 0, "%s", e.detail);
	}
}
END_TEST

START_TEST(a_normalized_shape_of_the_highest_rank)
{
	struct definition d = { .kind = KIND_LAYER_NORM, .normalized_rank = TENSOR_RANK_MAX };
	struct layer_shape shape;

	for (unsigned i = 0; i < TENSOR_RANK_MAX; i++)
		d.normalized_shape[i] = i + 1;
	layer_shape_of(&d, 0, &shape);
	ck_assert_uint_eq(shape.rank, TENSOR_RANK_MAX);
	for (unsigned i = 0; i < TENSOR_RANK_MAX; i++)
		ck_assert_int_eq(shape.extents[i], i + 1);
	d.normalized_rank--;
	layer_shape_of(&d, 0, &shape);
	ck_assert_uint_eq(shape.rank, TENSOR_RANK_MAX);
	ck_assert_int_eq(shape.extents[0], SHAPE_ANY);
	ck_assert_int_eq(shape.extents[1], 1);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *suite = suite_create("shape");
	TCase *all = tcase_create("shape");

	tcase_add_loop_test(all, shapes, 0, COUNT(cases));
	tcase_add_loop_test(all, a_tensor_of_the_shape_fits, 0, COUNT(cases));
	tcase_add_test(all, a_normalized_shape_of_the_highest_rank);
	suite_add_tcase(suite, all);
	return suite;
}
