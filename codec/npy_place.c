/* SPDX-License-Identifier: MIT */
#include "codec/npy_place.h"

#include <string.h>

void
npy_place_init(struct npy_place *p, const struct tensor *t)
{
	size_t stride = datatype_size(t->datatype);

	*p = (struct npy_place){ .rank = t->rank, .size = stride, .at = t->values };
	for (unsigned i = t->rank; i-- > 0;) {
		p->shape[i] = t->shape[i];
		p->stride[i] = stride;
		stride *= t->shape[i];
	}
}

/* `size` is a constant wherever this is inlined: a copy is one load and one store. */
static inline void
place_run_of(size_t size, unsigned char *to, size_t stride, const unsigned char *from, size_t count)
{
	for (; count > 0; count--, to += stride, from += size)
		memcpy(to, from, size);
}

static void
place_run(size_t size, unsigned char *to, size_t stride, const unsigned char *from, size_t count)
{
	if (size == 2)
		place_run_of(2, to, stride, from, count);
	else if (size == 4)
		place_run_of(4, to, stride, from, count);
	else
		place_run_of(8, to, stride, from, count);
}

/* The first index has reached its end: moves to the first place of the next run. */
static void
place_carry(struct npy_place *p)
{
	for (unsigned i = 0; i < p->rank && p->index[i] == p->shape[i]; i++) {
		p->at -= p->stride[i] * p->shape[i];
		p->index[i] = 0;
		if (i + 1 < p->rank) {
			p->index[i + 1]++;
			p->at += p->stride[i + 1];
		}
	}
}

void
npy_place_values(struct npy_place *p, const unsigned char *values, size_t count)
{
	size_t run;

	for (; count > 0; count -= run, values += run * p->size) {
		run = p->shape[0] - p->index[0];
		run = run < count ? run : count;
		place_run(p->size, p->at, p->stride[0], values, run);
		p->at += run * p->stride[0];
		p->index[0] += run;
		place_carry(p);
	}
}
