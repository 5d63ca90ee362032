/* SPDX-License-Identifier: MIT */
#include "layer/pass.h"

#include <stdatomic.h>

/* Where a part may begin, of those that may begin anywhere: no two of them share a line of the cache. */
#define ELEMENTS_STEP ((size_t)1024)
/* Elements of a part, at least: what it costs to begin one does not show. */
#define PART_ELEMENTS ((size_t)32 << 10)
/*
 * Parts for each thread: so many that nobody waits long for the last one, so few that each is a good stretch of memory.
 */
#define PARTS_EACH ((size_t)8)
/* With fewer for each they are not shared out evenly. */
#define PARTS_EVEN ((size_t)2)

static size_t
view_elements(struct norm_view v)
{
	return v.outer * v.feature * v.inner;
}

struct pass
pass_cut_each(pass_part *part, size_t count, enum norm_real real, const void *x, void *y, struct norm_view view)
{
	return (struct pass){ .part = part, .count = count, .step = 1, .real = real, .x = x, .y = y, .view = view };
}

struct pass
pass_cut_features(pass_part *part, enum norm_real real, const void *x, void *y, struct norm_view view)
{
	struct pass p = pass_cut_each(part, view.feature, real, x, y, view);

	p.step = cut_step(view);
	return p;
}

struct pass
pass_cut_elements(pass_part *part, enum norm_real real, const void *x, void *y, struct norm_view view)
{
	struct pass p = pass_cut_each(part, view_elements(view), real, x, y, view);

	p.step = ELEMENTS_STEP;
	return p;
}

static bool
is_shared(const struct crew *crew, const struct pass *p)
{
	return view_elements(p->view) >= CUT_FROM && crew != NULL && crew->threads > 1;
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many parts a pass that is shared has. */
static size_t
pass_parts(const struct crew *crew, const struct pass *p)
{
	return smaller(
	    cut_most(p->count, p->step), smaller(view_elements(p->view) / PART_ELEMENTS, PARTS_EACH * crew->threads));
}

/* A pass in parts, and whether what all of them wrote is finite. */
struct shared_pass {
	const struct pass *pass;
	size_t parts;
	size_t lanes;
	atomic_bool infinite;
};

/*
 * The place of the part that is begun as number `i`. Those that are begun one after another lie far apart: where two
 * threads write what lies side by side, each asks ahead for what the other is about to write (measured: a feature each
 * in turn gains a third, not all).
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
	const struct pass *p = s->pass;

	if (!p->part(p, cut_part(p->count, p->step, s->parts, part_place(s, i))))
		atomic_store_explicit(&s->infinite, true, memory_order_relaxed);
}

bool
pass_run(struct crew *crew, const struct pass *p)
{
	struct shared_pass s = { .pass = p };

	if (!is_shared(crew, p))
		return p->part(p, (struct norm_part){ 0, p->count });
	s.parts = pass_parts(crew, p);
	s.lanes = smaller(s.parts, crew->threads);
	crew_run(crew, s.parts, run_part, &s);
	return !atomic_load_explicit(&s.infinite, memory_order_relaxed);
}

bool
pass_is_uneven(const struct crew *crew, const struct pass *p)
{
	return is_shared(crew, p) && pass_parts(crew, p) < PARTS_EVEN * crew->threads;
}
