/* SPDX-License-Identifier: MIT */
/*
 * `make bench-threads`: how long a pass over a large tensor takes its thread alone, and with the help of another that
 * is idle, as the daemon has them (server/workers.h): the thread that helps must be woken each time. By turns; medians
 * of wall-clock time.
 *
 *   threads [ROUNDS [THREADS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "layer/pass_run.h"
#include "server/workers.h"

#define EPS 1e-5
/* Between two measurements, so that idle threads sleep. */
#define PAUSE_US 1000

struct tensor {
	struct norm_view view;
	size_t size;
	float *x;
	double *mean, *var, *rstd, *one, *zero;
};

static void *
allocate(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);

	if (p == NULL) {
		perror("threads");
		exit(1);
	}
	return p;
}

static struct tensor
tensor_new(struct norm_view view)
{
	struct tensor t = { .view = view, .size = view.outer * view.feature * view.inner };
	double **const numbers[] = { &t.mean, &t.var, &t.rstd, &t.one, &t.zero };
	const size_t n = view.feature > view.inner ? view.feature : view.inner;

	t.x = allocate(t.size * sizeof(*t.x));
	for (size_t i = 0; i < t.size; i++)
		t.x[i] = (float)((i * 2654435761u) >> 8 & 0xffff) / 32768 - 1;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		*numbers[i] = allocate(n * sizeof(double));
	for (size_t i = 0; i < n; i++) {
		t.one[i] = 1;
		t.zero[i] = 0;
	}
	return t;
}

static void
tensor_free(const struct tensor *t)
{
	double *const numbers[] = { t->mean, t->var, t->rstd, t->one, t->zero };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		free(numbers[i]);
	free(t->x);
}

static struct norm_pass
pass_of(const struct norm_op *op, const struct tensor *t)
{
	return (struct norm_pass){ .op = op,
		.real = NORM_FLOAT,
		.view = t->view,
		.x = t->x,
		.y = t->x,
		.eps = EPS,
		.groups = t->view.feature,
		.centered = true,
		.by = { t->zero, t->one, t->one, t->zero },
		.mean = t->mean,
		.var = t->var,
		.rstd = t->rstd };
}

static const struct row {
	const char *name;
	const struct norm_op *op;
	struct norm_view view;
} rows[] = {
	{ "train (32,64,56,56)", &norm_batch, { 32, 64, 3136 } },
	{ "train (32,64,28,28)", &norm_batch, { 32, 64, 784 } },
	{ "train (32,64,23,23)", &norm_batch, { 32, 64, 529 } },
	{ "train (32,3,224,224)", &norm_batch, { 32, 3, 50176 } },
	{ "train (4096,512)", &norm_batch, { 4096, 512, 1 } },
	{ "train (32,56,56,64) channels last", &norm_batch, { 100352, 64, 1 } },
	{ "infer (32,64,56,56)", &norm_by_feature, { 32, 64, 3136 } },
	{ "infer (32,64,28,28)", &norm_by_feature, { 32, 64, 784 } },
	{ "infer (32,64,23,23)", &norm_by_feature, { 32, 64, 529 } },
	{ "infer (32,56,56,64) channels last", &norm_by_feature, { 100352, 64, 1 } },
	{ "instance (32,64,56,56)", &norm_groups, { 32, 64, 3136 } },
	{ "layer (4096,768)", &norm_rows, { 1, 4096, 768 } },
};

/* One measurement, by a job on a computing thread, where the daemon's are. */
struct measurement {
	struct workers_job job;
	const struct row *row;
	const struct tensor *tensor;
	struct crew *crew; /* or NULL */
	double us;
	int done[2]; /* a pipe */
};

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
measure(void *arg)
{
	struct measurement *m = arg;
	const struct norm_pass pass = pass_of(m->row->op, m->tensor);
	const double start = now_us();

	(void)pass_run(m->crew, &pass);
	m->us = now_us() - start;
	if (write(m->done[1], "", 1) != 1)
		perror("threads");
}

static double
measured(struct workers *w, struct measurement *m, struct crew *crew)
{
	char byte;

	usleep(PAUSE_US);
	m->crew = crew;
	workers_run(w, &m->job);
	if (read(m->done[0], &byte, 1) != 1)
		perror("threads");
	return m->us;
}

static int
ascending(const void *a, const void *b)
{
	const double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

static double
lower_quartile(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), ascending);
	return values[n / 4];
}

static void
race(struct workers *w, const struct row *row, size_t rounds)
{
	struct tensor t = tensor_new(row->view);
	struct measurement m = { .row = row, .tensor = &t };
	double *alone = allocate(rounds * sizeof(double)), *helped = allocate(rounds * sizeof(double)), one, all;

	m.job = (struct workers_job){ .run = measure, .arg = &m };
	if (pipe(m.done) != 0) {
		perror("threads");
		exit(1);
	}
	for (size_t i = 0; i < rounds; i++) {
		alone[i] = measured(w, &m, NULL);
		helped[i] = measured(w, &m, workers_crew(w));
	}
	one = lower_quartile(alone, rounds);
	all = lower_quartile(helped, rounds);
	printf("| %s | %.0f | %.0f | %.2f |\n", row->name, one, all, one / all);
	fflush(stdout);
	close(m.done[0]);
	close(m.done[1]);
	free(alone);
	free(helped);
	tensor_free(&t);
}

int
main(int argc, char **argv)
{
	const size_t rounds = argc > 1 && atoi(argv[1]) > 0 ? (size_t)atoi(argv[1]) : 101;
	const unsigned threads =
	    argc > 2 && atoi(argv[2]) > 0 ? (unsigned)atoi(argv[2]) : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	struct err e = { 0 };
	struct workers *w = workers_start(threads, &e);

	if (w == NULL) {
		fprintf(stderr, "threads: %s\n", e.detail);
		return 1;
	}
	printf("| | alone, us | %u threads, us | times |\n|---|--:|--:|--:|\n", threads);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		race(w, &rows[i], rounds);
	workers_free(w);
	return 0;
}
