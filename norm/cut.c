/* SPDX-License-Identifier: MIT */
#include "norm/cut.h"

#include "norm/kernels/columns.h"

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
