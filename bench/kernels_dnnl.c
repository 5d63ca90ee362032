/* SPDX-License-Identifier: MIT */
#include "bench/kernels_dnnl.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#define EPS 1e-5F

#define ARGUMENTS_MAX 9

/*
 * What a primitive is run with. The first arguments are the caller's arrays: x, then y in one role or two; the others
 * are its own.
 */
struct dnnl_race {
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_primitive_t primitive;
	dnnl_exec_arg_t arguments[ARGUMENTS_MAX];
	float *own[ARGUMENTS_MAX]; /* the array of each; NULL: it is the caller's */
	size_t count, callers;
};

/* How x and y lie, and the statistics and parameters, which are of one dimension. */
struct layout {
	dnnl_memory_desc_t data, statistics, parameters;
};

static void
check(dnnl_status_t status, const char *what)
{
	if (status == dnnl_success)
		return;
	fprintf(stderr, "kernels: oneDNN cannot %s (%d)\n", what, (int)status);
	exit(1);
}

static struct dnnl_race *
race_new(void)
{
	struct dnnl_race *r = calloc(1, sizeof(*r));

	if (r == NULL)
		check(dnnl_out_of_memory, "start");
	check(dnnl_engine_create(&r->engine, dnnl_cpu, 0), "make an engine");
	check(dnnl_stream_create(&r->stream, r->engine, dnnl_stream_default_flags), "make a stream");
	return r;
}

/* The next argument: `role` is a DNNL_ARG. */
static void
add_argument(struct dnnl_race *r, int role, const dnnl_memory_desc_t *md, float *array)
{
	r->own[r->count] = array;
	r->arguments[r->count].arg = role;
	check(
	    dnnl_memory_create(&r->arguments[r->count].memory, md, r->engine, array != NULL ? array : DNNL_MEMORY_NONE),
	    "hold an array");
	r->count++;
}

static void
add_callers(struct dnnl_race *r, int role, const dnnl_memory_desc_t *md)
{
	add_argument(r, role, md, NULL);
	r->callers = r->count;
}

/* An array of the race's own, all `value`. */
static void
add_filled(struct dnnl_race *r, int role, const dnnl_memory_desc_t *md, float value)
{
	const size_t count = (size_t)md->dims[0];
	float *array = malloc(count * sizeof(float));

	if (array == NULL)
		check(dnnl_out_of_memory, "be given parameters");
	for (size_t i = 0; i < count; i++)
		array[i] = value;
	add_argument(r, role, md, array);
}

/*
 * The description of the primitive of an operation; `forward` is that of the pass before, for one backward. Frees that.
 */
static dnnl_primitive_desc_t
describe(struct dnnl_race *r, const void *operation, dnnl_primitive_desc_t forward)
{
	dnnl_primitive_desc_t pd;

	check(dnnl_primitive_desc_create(&pd, operation, NULL, r->engine, forward), "find an implementation");
	if (forward != NULL)
		check(dnnl_primitive_desc_destroy(forward), "free a description");
	return pd;
}

/* The rest of a race: its primitive, of a description that is freed, and what it is run with. */
static struct dnnl_race *
race_ready(struct dnnl_race *r, dnnl_primitive_desc_t pd, const struct layout *layout, bool backward)
{
	check(dnnl_primitive_create(&r->primitive, pd), "make a primitive");
	check(dnnl_primitive_desc_destroy(pd), "free a description");
	add_callers(r, DNNL_ARG_SRC, &layout->data);
	add_callers(r, backward ? DNNL_ARG_DIFF_DST : DNNL_ARG_DST, &layout->data);
	if (backward)
		add_callers(r, DNNL_ARG_DIFF_SRC, &layout->data);
	add_filled(r, DNNL_ARG_MEAN, &layout->statistics, 0);
	add_filled(r, DNNL_ARG_VARIANCE, &layout->statistics, 1);
	add_filled(r, DNNL_ARG_SCALE, &layout->parameters, 1);
	add_filled(r, DNNL_ARG_SHIFT, &layout->parameters, 0); /* backward it is counted, though it is not read */
	if (backward) {
		add_filled(r, DNNL_ARG_DIFF_SCALE, &layout->parameters, 0);
		add_filled(r, DNNL_ARG_DIFF_SHIFT, &layout->parameters, 0);
	}
	return r;
}

static void
describe_list(dnnl_memory_desc_t *md, size_t count)
{
	const dnnl_dims_t dims = { (dnnl_dim_t)count };

	check(dnnl_memory_desc_init_by_tag(md, 1, dims, dnnl_f32, dnnl_a), "describe a list");
}

struct dnnl_race *
dnnl_race_batch_norm(size_t n, size_t channels, size_t positions, bool channels_last, enum dnnl_race_pass pass)
{
	const dnnl_dims_t dims = { (dnnl_dim_t)n, (dnnl_dim_t)channels, 1, (dnnl_dim_t)positions };
	const dnnl_prop_kind_t kind = pass == DNNL_RACE_INFER ? dnnl_forward_inference : dnnl_forward_training;
	const unsigned flags =
	    dnnl_use_scale | dnnl_use_shift | (pass == DNNL_RACE_INFER ? (unsigned)dnnl_use_global_stats : 0);
	struct dnnl_race *r = race_new();
	dnnl_batch_normalization_desc_t operation;
	dnnl_primitive_desc_t pd;
	struct layout layout;

	check(dnnl_memory_desc_init_by_tag(&layout.data, 4, dims, dnnl_f32, channels_last ? dnnl_nhwc : dnnl_nchw),
	    "describe x");
	describe_list(&layout.statistics, channels);
	describe_list(&layout.parameters, channels);
	check(dnnl_batch_normalization_forward_desc_init(&operation, kind, &layout.data, EPS, flags),
	    "describe batch normalization");
	pd = describe(r, &operation, NULL);
	if (pass == DNNL_RACE_BACKWARD) {
		check(dnnl_batch_normalization_backward_desc_init(
			  &operation, dnnl_backward, &layout.data, &layout.data, EPS, flags),
		    "describe batch normalization backward");
		pd = describe(r, &operation, pd);
	}
	return race_ready(r, pd, &layout, pass == DNNL_RACE_BACKWARD);
}

struct dnnl_race *
dnnl_race_layer_norm(size_t rows, size_t size, enum dnnl_race_pass pass)
{
	const dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)size };
	const unsigned flags = dnnl_use_scale | dnnl_use_shift;
	struct dnnl_race *r = race_new();
	dnnl_layer_normalization_desc_t operation;
	dnnl_primitive_desc_t pd;
	struct layout layout;

	check(dnnl_memory_desc_init_by_tag(&layout.data, 2, dims, dnnl_f32, dnnl_ab), "describe x");
	describe_list(&layout.statistics, rows);
	describe_list(&layout.parameters, size);
	check(dnnl_layer_normalization_forward_desc_init(
		  &operation, dnnl_forward_training, &layout.data, &layout.statistics, EPS, flags),
	    "describe layer normalization");
	pd = describe(r, &operation, NULL);
	if (pass == DNNL_RACE_BACKWARD) {
		check(dnnl_layer_normalization_backward_desc_init(
			  &operation, dnnl_backward, &layout.data, &layout.data, &layout.statistics, EPS, flags),
		    "describe layer normalization backward");
		pd = describe(r, &operation, pd);
	}
	return race_ready(r, pd, &layout, pass == DNNL_RACE_BACKWARD);
}

void
dnnl_race_run(struct dnnl_race *r, float *x, float *y)
{
	for (size_t i = 0; i < r->callers; i++)
		check(dnnl_memory_set_data_handle(r->arguments[i].memory, i == 0 ? x : y), "take x and y");
	check(dnnl_primitive_execute(r->primitive, r->stream, (int)r->count, r->arguments), "run");
	check(dnnl_stream_wait(r->stream), "wait");
}

void
dnnl_race_free(struct dnnl_race *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++) {
		check(dnnl_memory_destroy(r->arguments[i].memory), "free memory");
		free(r->own[i]);
	}
	check(dnnl_primitive_destroy(r->primitive), "free a primitive");
	check(dnnl_stream_destroy(r->stream), "free a stream");
	check(dnnl_engine_destroy(r->engine), "free an engine");
	free(r);
}
