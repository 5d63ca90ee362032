/* SPDX-License-Identifier: MIT */
#include "layer/pieces.h"

#include <string.h>

#include "layer/parts.h"
#include "norm/shuffle.h"

int
mask_check_counted(const struct mask *m, struct err *e)
{
	if (m->keep == NULL || memchr(m->keep, 1, m->samples * m->positions) != NULL)
		return 0;
	return err_fail(e, ERR_TOO_FEW_VALUES, "all positions of the batch are padding; at least one must count");
}

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
cut_samples(struct workspace *ws, const struct definition *d, struct pieces *p, struct err *e)
{
	const struct padding *padding = &p->padding;
	struct norm_part *piece;

	p->samples = workspace_array(ws, padding->samples, sizeof(*p->samples), e);
	if (p->samples == NULL)
		return -1;
	p->count = 0;
	for (size_t s = 0; s < padding->samples; s++) {
		piece = p->samples + p->count;
		if (counted(padding, s) == 1 && d->kind == KIND_INSTANCE_NORM)
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
init_padding(struct workspace *ws, const struct definition *d, const struct mask *m, bool by_sample, struct pieces *p,
    struct err *e)
{
	size_t *start;

	if (p->count == 1)
		p->ghosts.samples = p->ghosts.each = m->samples;
	if (p->ghosts.order != NULL)
		shuffle_samples(m->keep, m->samples, m->positions, p->ghosts.order, p->ghosts.scratch);
	start = m->samples == SIZE_MAX ? NULL : workspace_array(ws, m->samples + 1, sizeof(*start), e);
	if (start == NULL)
		return -1;
	padding_starts(m->keep, m->samples, m->positions, start);
	p->padding =
	    (struct padding){ .view = p->rows ? (struct norm_view){ p->view.feature, p->view.inner, 1 } : p->view,
		    .keep = m->keep,
		    .samples = m->samples,
		    .together = by_sample ? 1 : p->ghosts.each,
		    .start = start };
	return by_sample ? cut_samples(ws, d, p, e) : 0;
}

int
pieces_cut(struct workspace *ws, const struct definition *d, const struct tensor *t, struct norm_view view,
    const struct mask *m, enum pieces_way way, uint64_t seed, struct pieces *out, struct err *e)
{
	const bool rows = definition_is_shaped(d), by_sample = way == PIECES_SAMPLES && !rows;

	*out = (struct pieces){
		.view = view, .rows = rows, .in_place = way == PIECES_IN_PLACE, .ghosts = ghosts_cut(1, 0, 1)
	};
	if (way == PIECES_GHOSTS && ghosts_init(ws, d, t, seed, &out->ghosts, e) < 0)
		return -1;
	out->count = out->ghosts.count;
	if (m->keep != NULL && init_padding(ws, d, m, by_sample, out, e) < 0)
		return -1;
	if (m->keep != NULL && by_sample)
		view = (struct norm_view){ 1, view.feature, out->padding.start[m->samples] };
	return by_sample ? forward_check_values(d, view, e) : 0;
}

int
pieces_take(struct workspace *ws, const struct pieces *p, struct tensor *t, struct tensor *values, struct err *e)
{
	const struct padding *padding = &p->padding;

	ghosts_shuffle(&p->ghosts, t);
	*values = *t;
	if (padding->keep == NULL)
		return 0;
	if (p->in_place) {
		parts_fill(ws->crew, forward_real(t->datatype), padding, t->values);
		return 0;
	}
	values->count = padding->start[padding->samples] * padding->view.feature;
	values->values = workspace_values(ws, values->count, datatype_size(t->datatype), e);
	if (values->values == NULL)
		return -1;
	parts_pack(ws->crew, forward_real(t->datatype), padding, t->values, values->values);
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
pieces_get(const struct pieces *p, const struct tensor *values, size_t i)
{
	const struct norm_part s = samples_of(p, i);
	const size_t outer = p->view.outer / p->ghosts.samples, *start = p->padding.start;
	struct piece piece = { *values, { (s.end - s.first) * outer, p->view.feature, p->view.inner } };
	size_t first = s.first * outer * p->view.feature * p->view.inner;

	if (p->padding.keep != NULL && !p->in_place) {
		piece.view = packed_view(p, s.end - s.first, start[s.end] - start[s.first]);
		first = start[s.first] * p->padding.view.feature;
	}
	piece.tensor.values = (unsigned char *)values->values + first * datatype_size(values->datatype);
	piece.tensor.count = norm_view_count(piece.view) * piece.view.feature;
	return piece;
}

void
pieces_put(struct workspace *ws, const struct pieces *p, const struct tensor *values, struct tensor *t)
{
	if (p->padding.keep != NULL && p->in_place)
		parts_clear(ws->crew, forward_real(t->datatype), &p->padding, t->values);
	else if (p->padding.keep != NULL)
		parts_unpack(ws->crew, forward_real(t->datatype), &p->padding, values->values, t->values);
	ghosts_unshuffle(&p->ghosts, t);
}
