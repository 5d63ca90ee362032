/* SPDX-License-Identifier: MIT */
#include "layer/pieces.h"

#include "layer/call.h"
#include "layer/measure.h"
#include "layer/pass_run.h"
#include "layer/reals.h"
#include "norm/shuffle.h"

enum pieces_way
pieces_way_of(const struct definition *d, bool train)
{
	if (d->kind != KIND_BATCH_NORM)
		return PIECES_SAMPLES;
	return train ? PIECES_GHOSTS : PIECES_WHOLE;
}

/* How many positions count of sample `s`. */
static size_t
counted(const struct padding *p, size_t s)
{
	return p->start[s + 1] - p->start[s];
}

/* Stretches of samples of which equally many positions count; samples of padding alone are in none. */
static int
cut_samples(struct call *c, struct err *e)
{
	struct pieces *p = &c->pieces;
	const struct padding *padding = &p->padding;
	struct norm_part *piece;

	p->samples = workspace_array(c->workspace, padding->samples, sizeof(*p->samples), e);
	if (p->samples == NULL)
		return -1;
	p->count = 0;
	for (size_t s = 0; s < padding->samples; s++) {
		piece = p->samples + p->count;
		if (counted(padding, s) == 1 && c->definition->kind == KIND_INSTANCE_NORM)
			return err_fail(e, ERR_TOO_FEW_VALUES,
			    "sample %zu has one position that is not padding; the variance of an instance needs two "
			    "values",
			    s);
		if (p->count > 0 && piece[-1].end == s && counted(padding, s) == counted(padding, s - 1))
			piece[-1].end++;
		else if (counted(padding, s) > 0)
			p->samples[p->count++] = (struct norm_part){ s, s + 1 };
	}
	return 0;
}

/* Where each sample's values will be packed. */
static int
init_padding(struct call *c, bool by_sample, struct err *e)
{
	struct pieces *p = &c->pieces;
	const struct mask *m = &c->mask;
	size_t *start;

	if (p->count == 1)
		p->ghosts.samples = p->ghosts.each = m->samples;
	if (p->ghosts.order != NULL)
		shuffle_samples(m->keep, m->samples, m->positions, p->ghosts.order, p->ghosts.scratch);
	start = workspace_array(c->workspace, m->samples + 1, sizeof(*start), e);
	if (start == NULL)
		return -1;
	padding_starts(m->keep, m->samples, m->positions, start);
	p->padding =
	    (struct padding){ .view = p->rows ? (struct norm_view){ p->view.feature, p->view.inner, 1 } : p->view,
		    .keep = m->keep,
		    .samples = m->samples,
		    .together = by_sample ? 1 : p->ghosts.each,
		    .start = start };
	if (!p->in_place)
		p->elements = start[m->samples] * p->padding.view.feature;
	return by_sample ? cut_samples(c, e) : 0;
}

int
pieces_cut(struct call *c, enum pieces_way way, struct err *e)
{
	const bool rows = definition_is_shaped(c->definition), by_sample = way == PIECES_SAMPLES && !rows;
	struct pieces *p = &c->pieces;
	struct norm_view view = c->view;

	*p = (struct pieces){ .view = view,
		.real = reals[c->tensor->datatype].real,
		.elements = c->tensor->count,
		.rows = rows,
		.in_place = way == PIECES_IN_PLACE,
		.ghosts = ghosts_cut(1, 0, 1) };
	if (way == PIECES_GHOSTS && ghosts_init(c->workspace, c->definition, c->tensor, c->seed, &p->ghosts, e) < 0)
		return -1;
	p->count = p->ghosts.count;
	if (c->mask.keep != NULL && init_padding(c, by_sample, e) < 0)
		return -1;
	if (c->mask.keep != NULL && by_sample)
		view = (struct norm_view){ 1, view.feature, p->padding.start[c->mask.samples] };
	return by_sample ? measure_check_samples(c->definition, view, e) : 0;
}

/* Packs, unpacks, fills or clears. */
static void
run_padding(const struct call *c, const struct norm_op *op, const void *x, void *y)
{
	const struct padding *padding = &c->pieces.padding;
	const struct norm_pass pass = {
		.op = op, .real = c->pieces.real, .view = padding->view, .x = x, .y = y, .padding = padding
	};

	(void)pass_run(c->workspace->crew, &pass);
}

int
pieces_take(struct call *c, struct tensor *t, void **values, struct err *e)
{
	const struct pieces *p = &c->pieces;

	ghosts_shuffle(&p->ghosts, t);
	*values = t->values;
	if (p->padding.keep == NULL)
		return 0;
	if (p->in_place) {
		run_padding(c, &norm_fill, NULL, t->values);
		return 0;
	}
	*values = workspace_values(c->workspace, p->elements, norm_real_size(p->real), e);
	if (*values == NULL)
		return -1;
	run_padding(c, &norm_pack, t->values, *values);
	return 0;
}

static struct norm_part
samples_of(const struct pieces *p, size_t i)
{
	return p->samples != NULL ? p->samples[i] : ghosts_samples(&p->ghosts, i);
}

/* Of `samples` samples, of which `n` positions count. */
static struct norm_view
packed_view(const struct pieces *p, size_t samples, size_t n)
{
	const struct norm_view v = p->padding.view;
	const size_t outer = p->padding.together == 1 ? samples : 1;

	if (p->rows)
		return (struct norm_view){ 1, n, v.feature };
	if (v.inner == 1)
		return (struct norm_view){ n, v.feature, 1 };
	return (struct norm_view){ outer, v.feature, n / outer };
}

struct piece
pieces_get(const struct pieces *p, void *values, size_t i)
{
	const struct norm_part s = samples_of(p, i);
	const size_t outer = p->view.outer / p->ghosts.samples, *start = p->padding.start;
	struct norm_view view = { (s.end - s.first) * outer, p->view.feature, p->view.inner };
	size_t first = s.first * outer * p->view.feature * p->view.inner;

	if (p->padding.keep != NULL && !p->in_place) {
		view = packed_view(p, s.end - s.first, start[s.end] - start[s.first]);
		first = start[s.first] * p->padding.view.feature;
	}
	return (struct piece){ .values = (unsigned char *)values + first * norm_real_size(p->real),
		.count = norm_view_count(view) * view.feature,
		.real = p->real,
		.view = view };
}

void
pieces_put(struct call *c, void *values, struct tensor *t)
{
	const struct pieces *p = &c->pieces;

	if (p->padding.keep != NULL && p->in_place)
		run_padding(c, &norm_clear, NULL, t->values);
	else if (p->padding.keep != NULL)
		run_padding(c, &norm_unpack, values, t->values);
	ghosts_unshuffle(&p->ghosts, t);
}
