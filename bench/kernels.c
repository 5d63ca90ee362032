/* SPDX-License-Identifier: MIT */
/*
 * One of the two processes of `make bench-kernels`: it measures normd's kernels, oneDNN's, and a plain copy, each when
 * bench/kernels.py asks, which takes turns with PyTorch in its own process, so that whatever else the machine does
 * falls on all alike.
 *
 * On standard input, line by line:
 *
 *   tensor FORM TYPE OUTER FEATURE INNER OFFSET   from now on this tensor, OFFSET bytes off a 64 byte boundary;
 *   answered by "ready"
 *   WORK                                          one measurement of a row of `works` below; answered by nanoseconds
 *                                                 per element
 *
 * FORM is nchw or nhwc (then INNER is 1 and OUTER counts the positions) or rows (FEATURE is 1). Ours work in place, as
 * the daemon does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/kernels_dnnl.h"
#include "layer/pass_run.h"

#define EPS 1e-5
/*
 * One measurement repeats its work until it has seen this many elements: the clock then costs nothing, and few are
 * interrupted.
 */
#define ELEMENTS_MIN ((size_t)1 << 17)
#define GROUPS ((size_t)8)

static const struct {
	const char *name;
	enum norm_real real;
} types[] = { { "float", NORM_FLOAT }, { "double", NORM_DOUBLE }, { "half", NORM_HALF }, { "bfloat", NORM_BFLOAT } };

/*
 * A tensor and what belongs to it: statistics that change nothing, so that its numbers stay usual ones, and a batch's
 * own.
 */
struct tensor {
	char form[8];
	enum norm_real real;
	struct norm_view view;
	size_t size;
	unsigned char *memory[2];
	void *x;
	void *copy;
	double *mean;
	double *rstd;
	double *batch_mean;
	double *batch_var;
	double *batch_rstd;
	double *weight;
	double *bias;
	double *scratch;
	double *grad_weight;
	double *grad_bias;
	/* of float32: by the pass; of rows there is no DNNL_RACE_INFER */
	struct dnnl_race *dnnl[DNNL_RACE_BACKWARD + 1];
};

static void *
allocate(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (p == NULL) {
		perror("kernels");
		exit(1);
	}
	memset(p, 0, bytes);
	return p;
}

/*
 * Numbers between -2 and 2 whose bits are those of any type's: its sign, an exponent just below the bias, a random
 * fraction.
 */
static void
fill(enum norm_real real, void *x, size_t n)
{
	uint64_t state = 1;
	double value;
	size_t i;

	for (i = 0; i < n; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		value = (double)(int64_t)state * 0x1p-62;
		switch (real) {
		case NORM_FLOAT:
			((float *)x)[i] = (float)value;
			break;
		case NORM_DOUBLE:
			((double *)x)[i] = value;
			break;
		case NORM_HALF:
			((uint16_t *)x)[i] = (uint16_t)((state >> 63 << 15) | (0x3000 + (state >> 40) % 0x1000));
			break;
		case NORM_BFLOAT:
			((uint16_t *)x)[i] = (uint16_t)((state >> 63 << 15) | (0x3e00 + (state >> 40) % 0x0200));
			break;
		}
	}
}

static void
races_init(struct tensor *t, bool rows, bool last)
{
	const size_t n = last ? 1 : t->view.outer, positions = last ? t->view.outer : t->view.inner;

	for (enum dnnl_race_pass pass = rows ? DNNL_RACE_TRAIN : DNNL_RACE_INFER; pass <= DNNL_RACE_BACKWARD; pass++)
		t->dnnl[pass] = rows ? dnnl_race_layer_norm(t->view.outer, t->view.inner, pass) :
				       dnnl_race_batch_norm(n, t->view.feature, positions, last, pass);
}

/* A tensor of form rows as (1, rows, size). */
static struct norm_view
rows_view(const struct tensor *t)
{
	return (struct norm_view){ 1, t->view.outer, t->view.inner };
}

static void
tensor_init(struct tensor *t, size_t offset)
{
	const bool rows = strcmp(t->form, "rows") == 0, last = strcmp(t->form, "nhwc") == 0;
	const size_t parameters = rows ? t->view.inner : t->view.feature;
	double **const arrays[] = { &t->mean, &t->rstd, &t->batch_mean, &t->batch_var, &t->batch_rstd, &t->weight,
		&t->bias, &t->grad_weight, &t->grad_bias };
	size_t i;

	t->size = t->view.outer * t->view.feature * t->view.inner;
	for (i = 0; i < 2; i++)
		t->memory[i] = allocate(t->size * norm_real_size(t->real) + offset);
	t->x = t->memory[0] + offset;
	t->copy = t->memory[1] + offset;
	for (i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		*arrays[i] = allocate(parameters * sizeof(double));
	t->scratch = allocate(
	    (norm_rows_backward.scratch(rows_view(t)) + norm_batch_backward.scratch(t->view)) * sizeof(double));
	fill(t->real, t->x, t->size);
	for (i = 0; i < parameters; i++)
		t->rstd[i] = t->weight[i] = 1;
	if (t->real == NORM_FLOAT)
		races_init(t, rows, last);
}

static void
tensor_fini(struct tensor *t)
{
	void *const arrays[] = { t->memory[0], t->memory[1], t->mean, t->rstd, t->batch_mean, t->batch_var,
		t->batch_rstd, t->weight, t->bias, t->scratch, t->grad_weight, t->grad_bias };
	size_t i;

	for (i = 0; i < sizeof(t->dnnl) / sizeof(t->dnnl[0]); i++)
		dnnl_race_free(t->dnnl[i]);
	for (i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
	memset(t, 0, sizeof(*t));
}

static void
copy(struct tensor *t)
{
	memcpy(t->copy, t->x, t->size * norm_real_size(t->real));
}

/* A pass over t->x in place, with all that any operation forward needs. */
static struct norm_pass
pass_of(const struct norm_op *op, const struct tensor *t, struct norm_view view)
{
	return (struct norm_pass){ .op = op,
		.real = t->real,
		.view = view,
		.x = t->x,
		.y = t->x,
		.eps = EPS,
		.groups = GROUPS,
		.centered = true,
		.by = { t->mean, t->rstd, t->weight, t->bias },
		.mean = t->batch_mean,
		.var = t->batch_var,
		.rstd = t->batch_rstd };
}

static void
infer(struct tensor *t)
{
	const struct norm_pass pass = pass_of(&norm_by_feature, t, t->view);

	(void)pass_run(NULL, &pass);
}

static void
train(struct tensor *t)
{
	const struct norm_pass pass = pass_of(&norm_batch, t, t->view);

	(void)pass_run(NULL, &pass);
}

static void
statistics(struct tensor *t)
{
	const struct norm_pass pass = pass_of(&norm_moments, t, t->view);

	(void)pass_run(NULL, &pass);
}

static void
instances(struct tensor *t)
{
	struct norm_pass pass = pass_of(&norm_groups, t, t->view);

	pass.groups = t->view.feature;
	(void)pass_run(NULL, &pass);
}

static void
groups(struct tensor *t)
{
	const struct norm_pass pass = pass_of(&norm_groups, t, t->view);

	(void)pass_run(NULL, &pass);
}

static void
layer(struct tensor *t)
{
	const struct norm_pass pass = pass_of(&norm_rows, t, rows_view(t));

	(void)pass_run(NULL, &pass);
}

static void
rms(struct tensor *t)
{
	struct norm_pass pass = pass_of(&norm_rows, t, rows_view(t));

	pass.centered = false;
	pass.by.bias = NULL;
	(void)pass_run(NULL, &pass);
}

/* The gradient is in `copy`, and stays what it is but for its mean and its part along x, which go at the first time. */
static void
backward(const struct norm_op *op, struct tensor *t, struct norm_view view)
{
	struct norm_pass pass = pass_of(op, t, view);

	pass.y = t->copy;
	pass.count = norm_view_count(t->view);
	pass.grad_weight = t->grad_weight;
	pass.grad_bias = t->grad_bias;
	pass.scratch = t->scratch;
	(void)pass_run(NULL, &pass);
}

static void
train_backward(struct tensor *t)
{
	backward(&norm_batch_backward, t, t->view);
}

static void
layer_backward(struct tensor *t)
{
	backward(&norm_rows_backward, t, rows_view(t));
}

/* oneDNN may work in place, too, and is the faster for it. */
static void
dnnl_infer(struct tensor *t)
{
	dnnl_race_run(t->dnnl[DNNL_RACE_INFER], t->x, t->x);
}

static void
dnnl_train(struct tensor *t)
{
	dnnl_race_run(t->dnnl[DNNL_RACE_TRAIN], t->x, t->x);
}

static void
dnnl_backward(struct tensor *t)
{
	dnnl_race_run(t->dnnl[DNNL_RACE_BACKWARD], t->x, t->copy);
}

static const struct work {
	const char *name;
	void (*run)(struct tensor *);
} works[] = { { "copy", copy }, { "infer", infer }, { "train", train }, { "statistics", statistics },
	{ "instance", instances }, { "group", groups }, { "layer", layer }, { "rms", rms },
	{ "train_backward", train_backward }, { "layer_backward", layer_backward }, { "dnnl_infer", dnnl_infer },
	{ "dnnl_train", dnnl_train }, { "dnnl_layer", dnnl_train }, { "dnnl_train_backward", dnnl_backward },
	{ "dnnl_layer_backward", dnnl_backward } };

/* Nanoseconds per element of one measurement. */
static double
measure(void (*run)(struct tensor *), struct tensor *t)
{
	const size_t times = (ELEMENTS_MIN + t->size - 1) / t->size;
	struct timespec before, after;
	size_t i;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (i = 0; i < times; i++)
		run(t);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) /
	    (double)(times * t->size);
}

/* A "tensor" line's words, after the first. */
static bool
tensor_parse(struct tensor *t, const char *words)
{
	char type[8];
	size_t offset, i;

	tensor_fini(t);
	if (sscanf(words, "%7s %7s %zu %zu %zu %zu", t->form, type, &t->view.outer, &t->view.feature, &t->view.inner,
		&offset) != 6)
		return false;
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i].name) == 0) {
			t->real = types[i].real;
			tensor_init(t, offset);
			return true;
		}
	return false;
}

static const struct work *
work_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (strcmp(works[i].name, name) == 0)
			return &works[i];
	return NULL;
}

int
main(void)
{
	struct tensor t = { .size = 0 };
	const struct work *work;
	char line[128];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		work = work_find(line);
		if (work != NULL && t.size > 0)
			printf("%.6f\n", measure(work->run, &t));
		else if (strncmp(line, "tensor ", 7) == 0 && tensor_parse(&t, line + 7))
			puts("ready");
		else
			puts("what?");
		fflush(stdout);
	}
	tensor_fini(&t);
	return 0;
}
