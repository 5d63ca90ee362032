/*
 * How fast the kernels are beside a plain copy of the same tensor, which is what memory allows: nanoseconds per element, the median
 * of rounds in which all take turns, so that whatever else the machine does falls on all alike.
 *
 *   make bench-kernels
 *   build/bench/kernels [ROUNDS]
 *
 * infer is the normalization by given statistics, train the batch's moments before it, rows is layer normalization.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "norm/moments.h"
#include "norm/normalize.h"

#define EPS 1e-5
/* One measurement repeats its work until it has seen so many elements: the clock then costs nothing, and few are interrupted. */
#define ELEMENTS_MIN ((size_t)1 << 15)
#define ROUNDS_MAX 1000

struct shape {
	const char *name;
	struct norm_view view;
	bool rows; /* layer normalization: outer rows of inner elements */
};

static const struct shape shapes[] = {
	{ "8x16", { 8, 16, 1 }, false },
	{ "32x256", { 32, 256, 1 }, false },
	{ "32x64x14x14", { 32, 64, 196 }, false },
	{ "32x64x56x56", { 32, 64, 3136 }, false },
	{ "4096x768", { 4096, 1, 768 }, true },
};

static const struct {
	const char *name;
	enum norm_real real;
} types[] = { { "float", NORM_FLOAT }, { "double", NORM_DOUBLE }, { "half", NORM_HALF }, { "bfloat", NORM_BFLOAT } };

/* A tensor and what belongs to it: statistics that change nothing, so that its numbers stay usual ones, and a batch's own. */
struct tensor {
	const struct shape *shape;
	enum norm_real real;
	size_t size;
	void *x;
	void *copy;
	double *mean;
	double *rstd;
	double *batch_mean;
	double *batch_rstd;
	double *weight;
	double *bias;
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

/* Numbers between -2 and 2 whose bits are those of any type's: its sign, an exponent just below the bias, a random fraction. */
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

static struct tensor
tensor_new(const struct shape *shape, enum norm_real real)
{
	const size_t parameters = shape->rows ? shape->view.inner : shape->view.feature;
	struct tensor t = { .shape = shape, .real = real };
	size_t i;

	t.size = shape->view.outer * shape->view.feature * shape->view.inner;
	t.x = allocate(t.size * norm_real_size(real));
	t.copy = allocate(t.size * norm_real_size(real));
	t.mean = allocate(parameters * sizeof(double));
	t.rstd = allocate(parameters * sizeof(double));
	t.batch_mean = allocate(parameters * sizeof(double));
	t.batch_rstd = allocate(parameters * sizeof(double));
	t.weight = allocate(parameters * sizeof(double));
	t.bias = allocate(parameters * sizeof(double));
	fill(real, t.x, t.size);
	for (i = 0; i < parameters; i++)
		t.rstd[i] = t.weight[i] = 1;
	return t;
}

static void
tensor_free(struct tensor *t)
{
	free(t->x);
	free(t->copy);
	free(t->mean);
	free(t->rstd);
	free(t->batch_mean);
	free(t->batch_rstd);
	free(t->weight);
	free(t->bias);
}

static void
copy(struct tensor *t)
{
	memcpy(t->copy, t->x, t->size * norm_real_size(t->real));
}

static void
infer(struct tensor *t)
{
	normalize_by_feature(t->real, t->x, t->shape->view, t->mean, t->rstd, t->weight, t->bias);
}

static void
train(struct tensor *t)
{
	moments(t->real, t->x, t->shape->view, t->batch_mean, t->batch_rstd);
	normalize_rstd(t->batch_rstd, EPS, t->shape->view.feature, t->batch_rstd);
	normalize_by_feature(t->real, t->x, t->shape->view, t->batch_mean, t->batch_rstd, t->weight, t->bias);
}

static void
rows(struct tensor *t)
{
	normalize_rows(t->real, t->x, t->shape->view.outer, t->shape->view.inner, EPS, t->weight, t->bias);
}

/* Nanoseconds per element of one measurement. */
static double
measure(void (*work)(struct tensor *), struct tensor *t)
{
	const size_t times = (ELEMENTS_MIN + t->size - 1) / t->size;
	struct timespec before, after;
	size_t i;

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (i = 0; i < times; i++)
		work(t);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return ((double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec)) /
	    (double)(times * t->size);
}

static int
ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *x, size_t n)
{
	qsort(x, n, sizeof(*x), ascending);
	return x[n / 2];
}

/* A line of the table. */
static void
compare(const struct shape *shape, size_t type, size_t rounds)
{
	void (*const batch[])(struct tensor *) = { copy, infer, train }, (*const layer[])(struct tensor *) = { copy, rows };
	void (*const *work)(struct tensor *) = shape->rows ? layer : batch;
	const size_t works = shape->rows ? 2 : 3;
	static double took[3][ROUNDS_MAX];
	struct tensor t = tensor_new(shape, types[type].real);
	size_t round, w;

	for (w = 0; w < works; w++)
		work[w](&t);
	for (round = 0; round < rounds; round++)
		for (w = 0; w < works; w++)
			took[w][round] = measure(work[w], &t);
	printf("%-12s %-7s %8.3f", shape->name, types[type].name, median(took[0], rounds));
	if (shape->rows)
		printf("%26.3f\n", median(took[1], rounds));
	else
		printf(" %8.3f %8.3f\n", median(took[1], rounds), median(took[2], rounds));
	tensor_free(&t);
}

int
main(int argc, char **argv)
{
	size_t rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 31;
	size_t s, type;

	rounds = rounds < 1 ? 1 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
	printf("ns/element               copy    infer    train     rows\n");
	for (s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
		for (type = 0; type < sizeof(types) / sizeof(types[0]); type++)
			compare(&shapes[s], type, rounds);
	return 0;
}
