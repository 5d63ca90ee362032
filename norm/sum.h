/*
 * Adding up in double so that the length of the sum does not show in its last digits: a chunk is added up in LANES partial sums
 * (which the compiler keeps in vector registers of whatever width the machine has: the lanes, not the registers, fix the
 * order), and the chunks' sums by Knuth's TwoSum, which keeps what each addition rounds away. Private to norm/.
 *
 * D. E. Knuth, The Art of Computer Programming 2, 4.2.2, theorem B. It relies on every operation being rounded on its own:
 * no -ffast-math, no x87 registers.
 */
#ifndef NORM_SUM_H
#define NORM_SUM_H

#include <stddef.h>

#define LANES ((size_t)8)
/* Elements of a run that are added up plainly: at most CHUNK / LANES roundings in a row. */
#define CHUNK ((size_t)512)

struct sum {
	double high;
	double low; /* what the additions to `high` have rounded away */
};

static inline void
sum_add(struct sum *s, double x)
{
	double high = s->high + x;
	double part = high - s->high;

	s->low += (s->high - (high - part)) + (x - part);
	s->high = high;
}

static inline double
sum_total(struct sum s)
{
	return s.high + s.low;
}

static inline double
sum_lanes(const double lane[LANES])
{
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

#endif
