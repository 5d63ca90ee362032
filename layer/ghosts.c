/* SPDX-License-Identifier: MIT */
#include "layer/ghosts.h"

#include "norm/shuffle.h"

struct ghosts
ghosts_cut(size_t samples, size_t each, size_t count_min)
{
	struct ghosts g = { .samples = samples };
	size_t count = each == 0 ? 1 : samples / each + (samples % each != 0);

	if (samples == 0)
		return g;
	if (count < count_min)
		count = count_min < samples ? count_min : samples;
	g.each = samples / count + (samples % count != 0);
	g.count = samples / g.each + (samples % g.each != 0);
	return g;
}

static size_t
sample_bytes(const struct ghosts *g, const struct tensor *t)
{
	return t->count / g->samples * datatype_size(t->datatype);
}

int
ghosts_init(struct workspace *ws, const struct definition *d, const struct tensor *t, uint64_t seed, struct ghosts *g,
    struct err *e)
{
	const bool whole = d->virtual_batch_size == 0 && !d->shuffle;

	if (!whole && (d->channel_axis == 0 || d->channel_axis + (int)t->rank == 0))
		return err_fail(e, ERR_SHAPE_MISMATCH,
		    "ghost batches are cut along dimension 0, which holds the channels here (channel_axis %d)",
		    d->channel_axis);
	*g = ghosts_cut(whole ? 1 : t->shape[0], d->virtual_batch_size, d->shuffle ? 2 : 1);
	if (!d->shuffle)
		return 0;
	g->order = workspace_array(ws, g->samples, sizeof(*g->order), e);
	if (g->order == NULL || (g->scratch = workspace_array(ws, sample_bytes(g, t), 1, e)) == NULL)
		return -1;
	shuffle_order(seed, g->samples, g->order);
	return 0;
}

void
ghosts_shuffle(const struct ghosts *g, struct tensor *t)
{
	if (g->order != NULL)
		shuffle_samples(t->values, g->samples, sample_bytes(g, t), g->order, g->scratch);
}

void
ghosts_unshuffle(const struct ghosts *g, struct tensor *t)
{
	if (g->order != NULL)
		shuffle_undo(t->values, g->samples, sample_bytes(g, t), g->order, g->scratch);
}

struct norm_part
ghosts_samples(const struct ghosts *g, size_t i)
{
	return (struct norm_part){ i * g->each, i + 1 < g->count ? (i + 1) * g->each : g->samples };
}
