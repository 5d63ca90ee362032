#include "bench/kernels_dnnl.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

#define EPS 1e-5F

/* What a primitive is run with, and the arrays it needs beside x and y. */
struct dnnl_race {
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_primitive_t primitive;
	dnnl_memory_t x, y, mean, variance, scale, shift;
	float *parameters[4]; /* of the last four */
};

static void
check(dnnl_status_t status, const char *what)
{
	if (status == dnnl_success)
		return;
	fprintf(stderr, "kernels: oneDNN cannot %s (%d)\n", what, (int)status);
	exit(1);
}

/* `count` floats that are all `value`, as a memory object of one dimension, or of `like` where it is given. */
static dnnl_memory_t
filled(struct dnnl_race *r, size_t at, size_t count, float value, const dnnl_memory_desc_t *like)
{
	const dnnl_dims_t dims = { (dnnl_dim_t)count };
	dnnl_memory_desc_t md;
	dnnl_memory_t memory;
	size_t i;

	r->parameters[at] = malloc(count * sizeof(float));
	if (r->parameters[at] == NULL)
		check(dnnl_out_of_memory, "be given parameters");
	for (i = 0; i < count; i++)
		r->parameters[at][i] = value;
	check(dnnl_memory_desc_init_by_tag(&md, 1, dims, dnnl_f32, dnnl_a), "describe parameters");
	check(dnnl_memory_create(&memory, like != NULL ? like : &md, r->engine, r->parameters[at]), "hold parameters");
	return memory;
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

/* The rest of a race, when its operation is described: x and y lie as `data` says, `statistics` of each row or channel. */
static struct dnnl_race *
race_ready(struct dnnl_race *r, const void *operation, const dnnl_memory_desc_t *data, const dnnl_memory_desc_t *statistics,
    size_t count, size_t parameters)
{
	dnnl_primitive_desc_t pd;

	check(dnnl_primitive_desc_create(&pd, operation, NULL, r->engine, NULL), "find an implementation");
	check(dnnl_primitive_create(&r->primitive, pd), "make a primitive");
	check(dnnl_primitive_desc_destroy(pd), "free a description");
	check(dnnl_memory_create(&r->x, data, r->engine, DNNL_MEMORY_NONE), "hold x");
	check(dnnl_memory_create(&r->y, data, r->engine, DNNL_MEMORY_NONE), "hold y");
	r->mean = filled(r, 0, count, 0, statistics);
	r->variance = filled(r, 1, count, 1, statistics);
	r->scale = filled(r, 2, parameters, 1, NULL);
	r->shift = filled(r, 3, parameters, 0, NULL);
	return r;
}

struct dnnl_race *
dnnl_race_batch_norm(size_t n, size_t channels, size_t positions, bool channels_last, bool training)
{
	const dnnl_dims_t dims = { (dnnl_dim_t)n, (dnnl_dim_t)channels, 1, (dnnl_dim_t)positions };
	const dnnl_prop_kind_t kind = training ? dnnl_forward_training : dnnl_forward_inference;
	const unsigned flags = dnnl_use_scale | dnnl_use_shift | (training ? 0 : (unsigned)dnnl_use_global_stats);
	struct dnnl_race *r = race_new();
	dnnl_batch_normalization_desc_t operation;
	dnnl_memory_desc_t md;

	check(dnnl_memory_desc_init_by_tag(&md, 4, dims, dnnl_f32, channels_last ? dnnl_nhwc : dnnl_nchw), "describe x");
	check(dnnl_batch_normalization_forward_desc_init(&operation, kind, &md, EPS, flags), "describe batch normalization");
	return race_ready(r, &operation, &md, NULL, channels, channels);
}

struct dnnl_race *
dnnl_race_layer_norm(size_t rows, size_t size)
{
	const dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)size };
	struct dnnl_race *r = race_new();
	dnnl_layer_normalization_desc_t operation;
	dnnl_memory_desc_t md, statistics;

	check(dnnl_memory_desc_init_by_tag(&md, 2, dims, dnnl_f32, dnnl_ab), "describe x");
	check(dnnl_memory_desc_init_by_tag(&statistics, 1, dims, dnnl_f32, dnnl_a), "describe statistics");
	check(dnnl_layer_normalization_forward_desc_init(
		  &operation, dnnl_forward_training, &md, &statistics, EPS, dnnl_use_scale | dnnl_use_shift),
	    "describe layer normalization");
	return race_ready(r, &operation, &md, &statistics, rows, size);
}

void
dnnl_race_run(struct dnnl_race *r, float *x, float *y)
{
	const dnnl_exec_arg_t arguments[] = { { DNNL_ARG_SRC, r->x }, { DNNL_ARG_DST, r->y }, { DNNL_ARG_MEAN, r->mean },
		{ DNNL_ARG_VARIANCE, r->variance }, { DNNL_ARG_SCALE, r->scale }, { DNNL_ARG_SHIFT, r->shift } };

	check(dnnl_memory_set_data_handle(r->x, x), "take x");
	check(dnnl_memory_set_data_handle(r->y, y), "take y");
	check(
	    dnnl_primitive_execute(r->primitive, r->stream, (int)(sizeof(arguments) / sizeof(arguments[0])), arguments), "run");
	check(dnnl_stream_wait(r->stream), "wait");
}

void
dnnl_race_free(struct dnnl_race *r)
{
	const dnnl_memory_t memories[] = { r->x, r->y, r->mean, r->variance, r->scale, r->shift };
	size_t i;

	for (i = 0; i < sizeof(memories) / sizeof(memories[0]); i++)
		check(dnnl_memory_destroy(memories[i]), "free memory");
	for (i = 0; i < sizeof(r->parameters) / sizeof(r->parameters[0]); i++)
		free(r->parameters[i]);
	check(dnnl_primitive_destroy(r->primitive), "free a primitive");
	check(dnnl_stream_destroy(r->stream), "free a stream");
	check(dnnl_engine_destroy(r->engine), "free an engine");
	free(r);
}
