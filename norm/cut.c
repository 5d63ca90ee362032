/* SPDX-License-Identifier: MIT */
#include "norm/cut.h"

#include "norm/kernels/columns.h"
#include "norm/pass.h"

/* Parts of elements begin at multiples of this, so that no two of them share a line of the cache. */
#define ELEMENTS_STEP ((size_t)1024)

size_t
cut_step(struct norm_view view)
{
	return view.inner < SHORT_RUN ? columns_block(view, 0).features : 1;
}

size_t
cut_most(size_t count, size_t step)
{
	return count / step + (count % step != 0);
}

struct norm_part
cut_part(size_t count, size_t step, size_t parts, size_t i)
{
	const size_t steps = cut_most(count, step), each = steps / parts, more = steps % parts;
	const size_t first = i * each + columns_min(i, more), end = first + each + (i < more);

	return (struct norm_part){ first * step, columns_min(end * step, count) };
}

struct norm_cut
cut_features(const struct norm_pass *p)
{
	return (struct norm_cut){ p->view.feature, cut_step(p->view) };
}

struct norm_cut
cut_rows(const struct norm_pass *p)
{
	return (struct norm_cut){ p->view.feature, 1 };
}

struct norm_cut
cut_outer(const struct norm_pass *p)
{
	return (struct norm_cut){ p->view.outer, 1 };
}

struct norm_cut
cut_elements(const struct norm_pass *p)
{
	return (struct norm_cut){ norm_view_elements(p->view), ELEMENTS_STEP };
}
