/* SPDX-License-Identifier: MIT */
/*
 * A layer may have millions of features. One score after another is computed for all of them into one list, and the
 * worst features are kept in a heap, so that little memory is needed and nothing is sorted but what is shown. Only the
 * Jensen-Shannon distances take long; idle threads help with them.
 */
#include "layer/drift.h"

#include <math.h>

/* Distances that are computed as one part, a few ms; with fewer features nobody is called to help. */
#define PART_FEATURES ((size_t)4096)

const char *
drift_verdict_name(enum drift_verdict verdict)
{
	static const char *const names[] = { "none", "possible", "drift", "too_few", "constant" };

	return names[verdict];
}

/* ---- one feature */

static uint64_t
count_of(const struct drift_data *d, size_t f)
{
	return d->counts != NULL ? d->counts[f] : d->window.count;
}

static double
score_of(enum distance_score score, const struct drift_data *d, size_t f)
{
	return count_of(d, f) > 0 ? distance_score(score, &d->window, &d->reference, f) : NAN;
}

/* What a feature is ranked by. */
struct rank {
	size_t index;
	double divergence; /* INFINITY: constant and not as it was; -1: constant as it was, or without values */
	bool enough;       /* values */
};

static double
divergence_of(const struct drift_data *d, size_t f)
{
	double var_w, var_t;

	if (count_of(d, f) == 0)
		return -1;
	var_w = d->window.var[f];
	var_t = d->reference.var[f];
	if (var_w > 0 && var_t > 0)
		return score_of(DISTANCE_DIVERGENCE, d, f);
	return var_w > 0 || var_t > 0 || d->window.mean[f] != d->reference.mean[f] ? INFINITY : -1;
}

static struct rank
rank_of(const struct drift_data *d, const struct drift_options *o, size_t f)
{
	return (struct rank){ f, divergence_of(d, f), count_of(d, f) >= o->min_count };
}

static enum drift_verdict
verdict_of(const struct rank *r, const struct drift_options *o)
{
	if (!r->enough)
		return DRIFT_TOO_FEW;
	if (r->divergence < 0 || isinf(r->divergence))
		return DRIFT_CONSTANT;
	return r->divergence >= o->drift ? DRIFT_FOUND : r->divergence >= o->possible ? DRIFT_POSSIBLE : DRIFT_NONE;
}

/* ---- the worst features */

static bool
is_worse(const struct rank *a, const struct rank *b)
{
	if (a->enough != b->enough)
		return a->enough;
	return a->divergence > b->divergence || (a->divergence == b->divergence && a->index < b->index);
}

/* A heap: no rank is worse than those below it, so the first is the least of all. */
struct heap {
	struct rank *ranks;
	size_t count, room;
};

static void
swap(struct rank *a, struct rank *b)
{
	const struct rank kept = *a;

	*a = *b;
	*b = kept;
}

static void
heap_sink(struct heap *h, size_t at)
{
	for (size_t least = at;; at = least) {
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < h->count; child++)
			if (is_worse(&h->ranks[least], &h->ranks[child]))
				least = child;
		if (least == at)
			return;
		swap(&h->ranks[at], &h->ranks[least]);
	}
}

static void
heap_add(struct heap *h, const struct rank *r)
{
	size_t at = h->count;

	if (h->count == h->room) {
		if (h->room == 0 || !is_worse(r, &h->ranks[0]))
			return;
		h->ranks[0] = *r;
		heap_sink(h, 0);
		return;
	}
	h->ranks[h->count++] = *r;
	for (; at > 0 && is_worse(&h->ranks[(at - 1) / 2], &h->ranks[at]); at = (at - 1) / 2)
		swap(&h->ranks[(at - 1) / 2], &h->ranks[at]);
}

/* Puts the worst first, and returns how many there are. */
static size_t
heap_sort(struct heap *h)
{
	const size_t count = h->count;

	while (h->count > 1) {
		h->count--;
		swap(&h->ranks[0], &h->ranks[h->count]);
		heap_sink(h, 0);
	}
	return count;
}

static int
show_worst(struct workspace *ws, const struct drift_data *d, const struct drift_options *o, struct heap *h,
    struct drift *out, struct err *e)
{
	out->worst_count = heap_sort(h);
	out->worst = workspace_array(ws, out->worst_count, sizeof(*out->worst), e);
	if (out->worst == NULL)
		return -1;
	for (size_t i = 0; i < out->worst_count; i++) {
		const struct rank *r = &h->ranks[i];

		out->worst[i].index = r->index;
		out->worst[i].verdict = verdict_of(r, o);
		for (enum distance_score s = 0; s < DISTANCE_SCORES; s++)
			out->worst[i].scores.scores[s] = score_of(s, d, r->index);
	}
	return 0;
}

/* ---- all features */

/* How many features there are of each verdict, and constant ones that are not as they were. */
struct verdicts {
	size_t of[DRIFT_CONSTANT + 1];
	size_t changed;
};

static enum drift_verdict
verdict_of_all(const struct verdicts *v, size_t features)
{
	const size_t enough = features - v->of[DRIFT_TOO_FEW], constant = v->of[DRIFT_CONSTANT];

	if (enough == 0)
		return DRIFT_TOO_FEW;
	if (v->of[DRIFT_FOUND] > 0)
		return DRIFT_FOUND;
	if (v->of[DRIFT_POSSIBLE] > 0)
		return DRIFT_POSSIBLE;
	return v->changed > 0 || constant == enough ? DRIFT_CONSTANT : DRIFT_NONE;
}

static int
rank_all(
    struct workspace *ws, const struct drift_data *d, const struct drift_options *o, struct drift *out, struct err *e)
{
	struct heap h = { .room = o->top < d->features ? o->top : d->features };
	struct verdicts v = { 0 };

	h.ranks = workspace_array(ws, h.room, sizeof(*h.ranks), e);
	if (h.ranks == NULL)
		return -1;
	for (size_t f = 0; f < d->features; f++) {
		const struct rank r = rank_of(d, o, f);

		v.of[verdict_of(&r, o)]++;
		v.changed += r.enough && isinf(r.divergence);
		if (d->window.count > 0)
			heap_add(&h, &r);
	}
	out->verdict = verdict_of_all(&v, d->features);
	return show_worst(ws, d, o, &h, out, e);
}

/* A score of all features that have at least `least` values; NAN of the others. */
struct scoring {
	const struct drift_data *data;
	enum distance_score score;
	uint64_t least;
	double *scores;
};

static void
score_part(void *arg, size_t part)
{
	const struct scoring *s = arg;
	const size_t first = part * PART_FEATURES, left = s->data->features - first;
	const size_t end = first + (left < PART_FEATURES ? left : PART_FEATURES);

	for (size_t f = first; f < end; f++)
		s->scores[f] = count_of(s->data, f) >= s->least ? score_of(s->score, s->data, f) : NAN;
}

/* The scores of which there are any, to the front. */
static size_t
drop_missing(double *scores, size_t n)
{
	size_t kept = 0;

	for (size_t f = 0; f < n; f++)
		if (!isnan(scores[f]))
			scores[kept++] = scores[f];
	return kept;
}

static int
summarize(struct workspace *ws, const struct drift_data *d, uint64_t least, struct drift *out, struct err *e)
{
	const size_t parts = (d->features + PART_FEATURES - 1) / PART_FEATURES;
	struct scoring s = { .data = d, .least = least };

	if (workspace_doubles(ws, d->features, &s.scores, e) < 0)
		return -1;
	for (s.score = 0; s.score < DISTANCE_SCORES; s.score++) {
		crew_run(s.score == DISTANCE_JS && parts > 1 ? ws->crew : NULL, parts, score_part, &s);
		distance_summarize_score(
		    s.score, s.scores, drop_missing(s.scores, d->features), &out->max, &out->median);
	}
	return 0;
}

int
drift_compare(struct workspace *ws, const struct drift_data *data, const struct drift_options *options,
    struct drift *out, struct err *e)
{
	if (rank_all(ws, data, options, out, e) < 0)
		return -1;
	return summarize(ws, data, out->verdict == DRIFT_TOO_FEW ? 1 : options->min_count, out, e);
}
