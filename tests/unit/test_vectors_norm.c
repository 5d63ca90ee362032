/* SPDX-License-Identifier: MIT */
/*
 * The golden vectors (tests/vectors/README.md) straight through norm/: float32 inputs, expected results from PyTorch in
 * float64. Run from the top of the repository.
 */
#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "norm/update.h"
#include "tests/unit/norm_reference.h"
#include "tests/unit/norm_run.h"
#include "tests/unit/unit.h"

/* Half a unit is the rounding to float32; the rest is room for the double arithmetic on both sides. */
#define BOUND_ULPS 2
/* Running statistics: the mean relative to the larger of itself and the deviation, the variance to itself. */
#define BOUND_STATISTICS 1e-12

struct tensor {
	struct norm_view view;
	size_t size;
	float *data;
};

/* A batch norm layer as the test keeps it. */
struct layer {
	size_t features;
	double eps;
	double *weight;
	double *bias;
	struct update update;
	struct statistics now;
	struct statistics next;
};

static cJSON *
json_load(const char *name)
{
	char path[128];
	char *text;
	cJSON *json;
	long size;
	FILE *f;

	snprintf(path, sizeof(path), "tests/vectors/%s", name);
	f = fopen(path, "rb");
	ck_assert_msg(f != NULL, "cannot open %s", path);
	ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	rewind(f);
	ck_assert_int_gt(size, 0);
	text = calloc(1, (size_t)size + 1);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(fread(text, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	json = cJSON_Parse(text);
	ck_assert_msg(json != NULL, "%s is not JSON", path);
	free(text);
	return json;
}

static const cJSON *
json_get(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

	ck_assert_msg(item != NULL, "no \"%s\"", key);
	return item;
}

/* A list of numbers; NULL for null. */
static double *
json_doubles(const cJSON *list)
{
	double *x;
	const cJSON *item;
	size_t i = 0;

	if (cJSON_IsNull(list))
		return NULL;
	x = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*x));
	ck_assert_ptr_nonnull(x);
	cJSON_ArrayForEach(item, list) x[i++] = item->valuedouble;
	return x;
}

/* As (N, C, inner). */
static struct tensor
tensor_from(const cJSON *json)
{
	struct tensor t = { .view = { 1, 1, 1 }, .size = 1 };
	const cJSON *item;
	size_t rank = 0;

	cJSON_ArrayForEach(item, json_get(json, "shape"))
	{
		*(rank == 0 ? &t.view.outer : rank == 1 ? &t.view.feature : &t.view.inner) *= (size_t)item->valueint;
		t.size *= (size_t)item->valueint;
		rank++;
	}
	t.data = calloc(t.size + 1, sizeof(*t.data));
	ck_assert_ptr_nonnull(t.data);
	t.size = 0;
	cJSON_ArrayForEach(item, json_get(json, "data")) t.data[t.size++] = (float)item->valuedouble;
	ck_assert_uint_eq(t.size, view_size(t.view));
	return t;
}

/* The largest error of y in feature f, in float32 units in the last place of the feature's largest expected |y|. */
static double
feature_ulps(const float *y, const double *expected, struct norm_view v, size_t f)
{
	double error = 0, largest = 0;
	size_t o, i, at;

	for (o = 0; o < v.outer; o++)
		for (i = 0; i < v.inner; i++) {
			at = (o * v.feature + f) * v.inner + i;
			error = fmax(error, fabs((double)y[at] - expected[at]));
			largest = fmax(largest, fabs(expected[at]));
		}
	return error / ulp(NORM_FLOAT, largest);
}

static double
tensor_ulps(const float *y, const double *expected, struct norm_view v)
{
	double worst = 0;
	size_t f;

	for (f = 0; f < v.feature; f++)
		worst = fmax(worst, feature_ulps(y, expected, v, f));
	return worst;
}

/* Ours against the reference; and, where PyTorch's own float32 result stands beside it, ours is the nearer one. */
static void
check_output(const char *name, const cJSON *holder, const struct tensor *y, struct norm_view v)
{
	const cJSON *single = cJSON_GetObjectItemCaseSensitive(holder, "pytorch_float32_output");
	double *expected = json_doubles(json_get(json_get(holder, "output"), "data"));
	double ours = tensor_ulps(y->data, expected, v), theirs;
	struct tensor pytorch;

	ck_assert_msg(ours <= BOUND_ULPS, "%s: off by %g ulp", name, ours);
	if (single != NULL) {
		pytorch = tensor_from(single);
		theirs = tensor_ulps(pytorch.data, expected, v);
		ck_assert_msg(ours < theirs, "%s: off by %g ulp, PyTorch's float32 by %g", name, ours, theirs);
		free(pytorch.data);
	}
	free(expected);
}

static double *
doubles_filled(size_t n, double value)
{
	double *x = calloc(n, sizeof(*x));
	size_t i;

	ck_assert_ptr_nonnull(x);
	for (i = 0; i < n; i++)
		x[i] = value;
	return x;
}

static struct layer
layer_from(const cJSON *json)
{
	const cJSON *definition = json_get(json, "definition"), *momentum = json_get(definition, "momentum");
	struct layer l = { .features = (size_t)json_get(definition, "num_features")->valueint };

	l.eps = json_get(definition, "eps")->valuedouble;
	l.weight = json_doubles(json_get(json, "weight"));
	l.bias = json_doubles(json_get(json, "bias"));
	l.update.averaging = cJSON_IsNull(momentum) ? AVERAGING_CUMULATIVE : AVERAGING_EXPONENTIAL;
	l.update.momentum = momentum->valuedouble;
	l.update.ddof = 1;
	l.update.features = l.features;
	l.now =
	    (struct statistics){ l.features, 0, 0, doubles_filled(l.features, 0), doubles_filled(l.features, 1), 0 };
	l.next = (struct statistics){ 0, 0, 0, doubles_filled(l.features, 0), doubles_filled(l.features, 0), 0 };
	return l;
}

static void
layer_free(struct layer *l)
{
	free(l->weight);
	free(l->bias);
	free(l->now.mean);
	free(l->now.var);
	free(l->next.mean);
	free(l->next.var);
}

/* Normalizes t in place by the batch's moments and updates the running ones. */
static void
layer_train(struct layer *l, struct tensor *t)
{
	double *mean = doubles_filled(l->features, 0), *var = doubles_filled(l->features, 0);
	struct statistics swap = l->now;

	run_moments(NORM_FLOAT, t->data, t->view, mean, var);
	l->update.count = norm_view_count(t->view);
	l->update.mean = mean;
	l->update.var = var;
	ck_assert_int_eq(update_apply(&l->now, &l->update, &l->next), UPDATE_APPLIED);
	l->now = l->next;
	l->next = swap;
	normalize_rstd(var, l->eps, l->features, var);
	ck_assert(
	    run_by(&norm_by_feature, NORM_FLOAT, t->data, t->view, (struct norm_by){ mean, var, l->weight, l->bias }));
	free(mean);
	free(var);
}

static void
check_statistics(const char *name, const struct layer *l, const cJSON *step)
{
	double *mean = json_doubles(json_get(step, "running_mean")), *var = json_doubles(json_get(step, "running_var"));
	size_t f;

	ck_assert_uint_eq(l->now.num_batches_tracked, (uint64_t)json_get(step, "num_batches_tracked")->valueint);
	for (f = 0; f < l->features; f++) {
		ck_assert_msg(fabs(l->now.mean[f] - mean[f]) <= BOUND_STATISTICS * fmax(fabs(mean[f]), sqrt(var[f])),
		    "%s: running mean %.17g, not %.17g", name, l->now.mean[f], mean[f]);
		ck_assert_msg(fabs(l->now.var[f] - var[f]) <= BOUND_STATISTICS * var[f],
		    "%s: running variance %.17g, not %.17g", name, l->now.var[f], var[f]);
	}
	free(mean);
	free(var);
}

/* Normalizes the input of `holder` by the layer's statistics and compares. */
static void
check_inference(const char *name, const struct layer *l, const cJSON *holder)
{
	struct tensor x = tensor_from(json_get(holder, "input"));
	double *rstd = doubles_filled(l->features, 0);

	normalize_rstd(l->now.var, l->eps, l->features, rstd);
	ck_assert(run_by(
	    &norm_by_feature, NORM_FLOAT, x.data, x.view, (struct norm_by){ l->now.mean, rstd, l->weight, l->bias }));
	check_output(name, holder, &x, x.view);
	free(x.data);
	free(rstd);
}

static void
check_batch_norm(const cJSON *json)
{
	const char *name = json_get(json, "name")->valuestring;
	struct layer l = layer_from(json);
	struct tensor x;
	const cJSON *step;

	cJSON_ArrayForEach(step, json_get(json, "steps"))
	{
		x = tensor_from(json_get(step, "train"));
		layer_train(&l, &x);
		check_output(name, step, &x, x.view);
		check_statistics(name, &l, step);
		free(x.data);
	}
	check_inference(name, &l, json_get(json, "infer"));
	layer_free(&l);
}

static bool
is_kind(const cJSON *definition, const char *kind)
{
	return strcmp(json_get(definition, "kind")->valuestring, kind) == 0;
}

/* The eps of a definition; null is what the datatype has between 1 and the next number. */
static double
eps_of(const cJSON *definition)
{
	const cJSON *eps = json_get(definition, "eps");

	return cJSON_IsNull(eps) ? (double)FLT_EPSILON : eps->valuedouble;
}

/* By rows; the view says which values were one. */
static struct norm_view
normalize_shaped(const cJSON *definition, struct tensor *x, const double *weight, const double *bias)
{
	const cJSON *item;
	size_t size = 1;

	cJSON_ArrayForEach(item, json_get(definition, "normalized_shape")) size *= (size_t)item->valueint;
	ck_assert(run_rows(NORM_FLOAT, x->data, x->size / size, size, is_kind(definition, "layer_norm"),
	    eps_of(definition), affine(weight, bias)));
	return (struct norm_view){ 1, x->size / size, size };
}

/* By groups of channels, of which an instance is the smallest. */
static struct norm_view
normalize_grouped(const cJSON *definition, struct tensor *x, const double *weight, const double *bias)
{
	const cJSON *clip = cJSON_GetObjectItemCaseSensitive(definition, "clip");
	const size_t groups =
	    is_kind(definition, "group_norm") ? (size_t)json_get(definition, "num_groups")->valueint : x->view.feature;

	ck_assert(run_groups(NORM_FLOAT, x->data, x->view, groups, eps_of(definition), affine(weight, bias)));
	if (clip != NULL && !cJSON_IsNull(clip))
		run_clip(NORM_FLOAT, x->data, x->size, clip->valuedouble);
	return (struct norm_view){ 1, x->view.outer * groups, x->view.feature / groups * x->view.inner };
}

/* The kinds that normalize each sample by itself. */
static void
check_by_sample(const cJSON *json)
{
	const cJSON *definition = json_get(json, "definition"), *infer = json_get(json, "infer");
	struct tensor x = tensor_from(json_get(infer, "input"));
	double *weight = json_doubles(json_get(json, "weight")), *bias = json_doubles(json_get(json, "bias"));
	const bool shaped = cJSON_GetObjectItemCaseSensitive(definition, "normalized_shape") != NULL;
	const struct norm_view slices = (shaped ? normalize_shaped : normalize_grouped)(definition, &x, weight, bias);

	check_output(json_get(json, "name")->valuestring, infer, &x, slices);
	free(x.data);
	free(weight);
	free(bias);
}

static void
check_file(const char *file)
{
	cJSON *all = json_load(file);
	const cJSON *json;

	ck_assert_int_gt(cJSON_GetArraySize(all), 0);
	cJSON_ArrayForEach(json, all)
	{
		const cJSON *definition = json_get(json, "definition");

		if (is_kind(definition, "batch_norm"))
			check_batch_norm(json);
		else if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(definition, "track_running_stats")))
			check_by_sample(json); /* those that track are tested over HTTP */
	}
	cJSON_Delete(all);
}

START_TEST(batch_norm)
{
	check_file("batch_norm.json");
}
END_TEST

START_TEST(layer_norm)
{
	check_file("layer_norm.json");
}
END_TEST

START_TEST(instance_norm)
{
	check_file("instance_norm.json");
}
END_TEST

START_TEST(group_norm)
{
	check_file("group_norm.json");
}
END_TEST

START_TEST(rms_norm)
{
	check_file("rms_norm.json");
}
END_TEST

START_TEST(nearer_than_float32_at_a_large_mean)
{
	check_file("large_mean.json");
}
END_TEST

/* One layer that PyTorch exported for the ONNX backend tests; all of it float32, with that suite's tolerance. */
static void
check_exported(const cJSON *json)
{
	struct tensor x = tensor_from(json_get(json, "input"));
	double *weight = json_doubles(json_get(json, "weight")), *bias = json_doubles(json_get(json, "bias"));
	double *mean = json_doubles(json_get(json, "running_mean")),
	       *rstd = json_doubles(json_get(json, "running_var"));
	double *expected = json_doubles(json_get(json_get(json, "output"), "data"));
	size_t i;

	normalize_rstd(rstd, json_get(json, "eps")->valuedouble, x.view.feature, rstd);
	ck_assert(run_by(&norm_by_feature, NORM_FLOAT, x.data, x.view, (struct norm_by){ mean, rstd, weight, bias }));
	for (i = 0; i < x.size; i++)
		ck_assert_double_le(fabs((double)x.data[i] - expected[i]), 1e-7 + 1e-3 * fabs(expected[i]));
	free(x.data);
	free(weight);
	free(bias);
	free(mean);
	free(rstd);
	free(expected);
}

START_TEST(exported_by_pytorch)
{
	cJSON *all = json_load("batchnorm_eval_from_pytorch.json");
	const cJSON *json;

	ck_assert_int_eq(cJSON_GetArraySize(all), 5);
	cJSON_ArrayForEach(json, all) check_exported(json);
	cJSON_Delete(all);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("vectors_norm");
	TCase *t = tcase_create("vectors_norm");

	tcase_add_test(t, batch_norm);
	tcase_add_test(t, layer_norm);
	tcase_add_test(t, instance_norm);
	tcase_add_test(t, group_norm);
	tcase_add_test(t, rms_norm);
	tcase_add_test(t, nearer_than_float32_at_a_large_mean);
	tcase_add_test(t, exported_by_pytorch);
	suite_add_tcase(s, t);
	return s;
}
