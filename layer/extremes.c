/* SPDX-License-Identifier: MIT */
#include "layer/extremes.h"

#include <math.h>
#include <string.h>

#include "norm/widen.h"

#define BLOCK ((size_t)256)

/* Of each channel, and the elements that have them. */
struct extremes {
	double *least, *greatest;
	const unsigned char **least_at, **greatest_at;
};

static int
begin(struct call *c, struct extremes *x, struct err *e)
{
	const size_t n = c->view.feature;
	double *values = workspace_array(c->workspace, n, 2 * sizeof(*values), e);
	const unsigned char **at = workspace_array(c->workspace, n, 2 * sizeof(*at), e);

	if (values == NULL || at == NULL)
		return -1;
	*x = (struct extremes){ values, values + n, at, at + n };
	for (size_t f = 0; f < n; f++) {
		x->least[f] = HUGE_VAL;
		x->greatest[f] = -HUGE_VAL;
	}
	return 0;
}

static void
note(struct extremes *x, size_t f, double value, const unsigned char *at)
{
	if (value < x->least[f]) {
		x->least[f] = value;
		x->least_at[f] = at;
	}
	if (value > x->greatest[f]) {
		x->greatest[f] = value;
		x->greatest_at[f] = at;
	}
}

static void
add(struct extremes *x, const struct piece *p)
{
	const size_t size = norm_real_size(p->real);
	const unsigned char *at = p->values;
	double block[BLOCK];
	size_t in_run = 0, f = 0, count;

	for (size_t first = 0; first < p->count; first += count) {
		count = p->count - first < BLOCK ? p->count - first : BLOCK;
		norm_widen(p->real, at, count, block);
		for (size_t i = 0; i < count; i++, at += size) {
			note(x, f, block[i], at);
			if (++in_run < p->view.inner)
				continue;
			in_run = 0;
			f = f + 1 < p->view.feature ? f + 1 : 0;
		}
	}
}

int
extremes_measure(struct call *c, struct err *e)
{
	const size_t n = c->view.feature, size = norm_real_size(c->pieces.real);
	unsigned char *values = workspace_array(c->workspace, n, 2 * size, e);
	struct extremes x;

	if (values == NULL || begin(c, &x, e) < 0)
		return -1;
	for (size_t i = 0; i < c->pieces.count; i++) {
		const struct piece piece = pieces_get(&c->pieces, c->values, i);

		add(&x, &piece);
	}
	for (size_t f = 0; f < n; f++) {
		memcpy(values + f * size, x.least_at[f], size);
		memcpy(values + (n + f) * size, x.greatest_at[f], size);
	}
	c->extremes = (struct piece){ values, 2 * n, c->pieces.real, { 2, n, 1 } };
	return 0;
}
