/* SPDX-License-Identifier: MIT */
#include "layer/pass_run.h"

#include <stdatomic.h>

#include "norm/feature_bands.h"

/* Elements of a part at least: what it costs to begin a part does not show. */
#define PART_ELEMENTS ((size_t)32 << 10)
/*
 * Parts for each thread: enough that no thread waits long for the last part, few enough that each is a good stretch of
 * memory.
 */
#define PARTS_EACH ((size_t)8)
/* With fewer parts for each thread they are not shared out evenly. */
#define PARTS_EVEN ((size_t)2)

static bool
is_shared(const struct crew *crew, const struct norm_pass *p)
{
	return norm_view_elements(p->view) >= CUT_FROM && crew != NULL && crew->threads > 1;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The number of parts of a pass that is shared. */
static size_t
parts_of(const struct crew *crew, const struct norm_pass *p, struct norm_cut cut)
{
	return smaller(cut_most(cut.count, cut.step),
	    smaller(norm_view_elements(p->view) / PART_ELEMENTS, PARTS_EACH * crew->threads));
}

/* A pass in parts, and whether one of them wrote what is not finite. */
struct shared_pass {
	const struct norm_pass *pass;
	struct norm_cut cut;
	size_t parts;
	size_t lanes;
	atomic_bool infinite;
};

/*
 * The place of the part that is begun as number `i`. Parts that are begun one after another lie far apart: where two
 * threads write neighbouring memory, each prefetches what the other is about to write (measured: neighbouring features
 * gain a third of what distant ones do).
 */
static size_t
part_place(const struct shared_pass *s, size_t i)
{
	return cut_part(s->parts, 1, s->lanes, i % s->lanes).first + i / s->lanes;
}

static void
run_part(void *arg, size_t i)
{
	struct shared_pass *s = arg;

	if (!s->pass->op->part(s->pass, cut_part(s->cut.count, s->cut.step, s->parts, part_place(s, i))))
		atomic_store_explicit(&s->infinite, true, memory_order_relaxed);
}

static bool
run_shared(struct crew *crew, const struct norm_pass *p, struct norm_cut cut)
{
	struct shared_pass s = { .pass = p, .cut = cut, .parts = parts_of(crew, p, cut) };

	s.lanes = smaller(s.parts, crew->threads);
	crew_run(crew, s.parts, run_part, &s);
	return !atomic_load_explicit(&s.infinite, memory_order_relaxed);
}

static bool
run(struct crew *crew, const struct norm_pass *p)
{
	const struct norm_op *op = p->op;
	const struct norm_cut cut = op->cut(p);
	bool finite;

	if (op->begin != NULL)
		op->begin(p);
	if (is_shared(crew, p))
		finite = run_shared(crew, p, cut);
	else
		finite = op->part(p, (struct norm_part){ 0, cut.count });
	if (op->end != NULL)
		op->end(p);
	return finite;
}

static bool
run_in_bands(struct crew *crew, const struct norm_pass *p)
{
	double scratch[FEATURE_BANDS_SCRATCH];
	struct norm_pass bands = *p;

	bands.op = p->op->in_bands;
	bands.scratch = scratch;
	return run(crew, &bands);
}

static bool
run_in_two(struct crew *crew, const struct norm_pass *p)
{
	struct norm_pass step = *p;

	step.op = p->op->first;
	(void)pass_run(crew, &step);
	p->op->second(&step);
	return pass_run(crew, &step);
}

/* Whether the features are too few to share out evenly. */
static bool
is_uneven(const struct crew *crew, const struct norm_pass *p)
{
	return is_shared(crew, p) && parts_of(crew, p, p->op->cut(p)) < PARTS_EVEN * crew->threads;
}

bool
pass_run(struct crew *crew, const struct norm_pass *p)
{
	if (p->op->in_bands != NULL && feature_bands(p->view) > 1)
		return run_in_bands(crew, p);
	if (p->op->first != NULL && (feature_bands(p->view) > 1 || is_uneven(crew, p)))
		return run_in_two(crew, p);
	return run(crew, p);
}
