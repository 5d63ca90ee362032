/* SPDX-License-Identifier: MIT */
/*
 * The divergence is an integral of a smooth function that vanishes quickly on both sides, so the trapezoidal rule
 * converges exponentially: a few dozen points give ten digits (docs/MATH.md, equation 33).
 *
 * x is measured in deviations of the narrower distribution q = N(0, 1); the wider is p = N(shift, ratio). With
 * L = ln p/q, a point of the mixture m = (p + q) / 2 belongs to the less likely of the two with the odds e^-|L|. Its
 * entropy there, and what it lacks to ln 2, have the integrals 1 - D and D. Near distributions use the second, since
 * 1 - D would leave nothing of a small D but its rounding error; others the first, which is concentrated where p and q
 * overlap, however much wider p is.
 */
#include "layer/js_distance.h"

#include <math.h>
#include <stddef.h>

/* Beyond these the distance is 1 to the last bit: the overlap has the mass e^-40, or 1e-20. */
#define REDUCED_SHIFT_MAX 6.4
#define EXCESS_MAX 1e40

/* Distributions are near below both: then the wider has at most 1.42 deviations of the narrower. */
#define NEAR_SHIFT 1.0
#define NEAR_EXCESS 1.0

/*
 * Near: all of m where L² m counts, which is up to 8.5 deviations of p beyond both means. Otherwise: 7 deviations of
 * sqrt(p q), which bounds the integrand. The steps give errors below 1e-12 and 1e-10 (tests/unit/test_js_distance.c).
 */
#define NEAR_REACH 8.5
#define NEAR_STEP 0.5
#define REACH 7.0
#define STEP 0.2

static const double sqrt_2_pi = 2.5066282746310005024, ln_2 = 0.69314718055994530942;

struct pair {
	double shift, deviation; /* of p */
	double a, b, c;          /* L = a x² + b x + c */
};

/* The densities at a point, but for a factor that both have, and l = |L| there. */
struct point {
	double larger, smaller, l;
};

typedef double integrand(const struct point *at);

/* (p + q) H, where H is the entropy of the odds e = e^-l. */
static double
entropy(const struct point *at)
{
	const double e = at->smaller / at->larger;

	return at->larger * ((1 + e) * log1p(e)) + at->l * at->smaller;
}

/* (p + q) (ln 2 - H), whose second factor is y tanh y - ln cosh y for y = l/2. Near 0 by its series in y², to 2e-12. */
static double
information(const struct point *at)
{
	static const double series[] = { -3.76417270548452993e-5, 9.25101350434174804e-5, -2.27172658531374857e-4,
		5.57248138670831205e-4, -1.36484473786061088e-3, 3.33554746253158952e-3, -8.12463256907701352e-3,
		1.96825396825396825e-2, -4.72222222222222222e-2, 0.111111111111111111, -0.25, 0.5 };
	const double both = at->larger + at->smaller, y2 = at->l * at->l / 4;
	double sum = 0;

	if (at->l > 1)
		return both * (ln_2 - log1p(at->smaller / at->larger)) - at->l * at->smaller;
	for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++)
		sum = sum * y2 + series[i];
	return both * (sum * y2);
}

/*
 * The density of a normal distribution, but for a factor, at equidistant points: each is the one before times a ratio,
 * which changes by a constant factor itself. The points start where the integrand is large, so that rounding errors
 * grow only while it falls.
 */
struct density {
	double value, ratio, change;
};

static struct density
density_at(double from_mean, double step, double deviation)
{
	const double x = from_mean / deviation, h = step / deviation;

	return (struct density){ exp(-x * x / 2) / deviation, exp(-h * (x + h / 2)), exp(-h * h) };
}

static inline double
density_next(struct density *d)
{
	const double value = d->value;

	d->value *= d->ratio;
	d->ratio *= d->change;
	return value;
}

/* The sum of `f` at `count` points. */
static inline double
sum_points(const struct pair *pair, integrand *f, double from, double step, int count)
{
	struct density p = density_at(from - pair->shift, step, pair->deviation), q = density_at(from, step, 1);
	double sum = 0;

	for (int i = 0; i < count; i++) {
		const double x = from + step * i, at_p = density_next(&p), at_q = density_next(&q);
		const struct point at = { fmax(at_p, at_q), fmin(at_p, at_q),
			fabs((pair->a * x + pair->b) * x + pair->c) };

		sum += f(&at);
	}
	return sum;
}

/* The integral of `f` / 2 from `middle` - `reach` to `middle` + `reach`. */
static inline double
integrate(const struct pair *pair, integrand *f, double middle, double reach, double step)
{
	const int n = (int)(reach / step) + 1;
	const double right = sum_points(pair, f, middle, step, n);
	const double left = sum_points(pair, f, middle - step, -step, n);

	return (left + right) * step / (2 * sqrt_2_pi);
}

double
js_distance(double shift, double excess)
{
	const double more = fmin(excess, EXCESS_MAX), ratio = 1 + more;
	struct pair p = { .shift = shift, .deviation = sqrt(ratio) };
	double divergence, scale;

	if (shift / (2 * sqrt(1 + ratio)) > REDUCED_SHIFT_MAX)
		return 1;
	p.a = more / (2 * ratio);
	p.b = shift / ratio;
	p.c = -log1p(more) / 2 - shift * shift / (2 * ratio);
	if (shift < NEAR_SHIFT && more < NEAR_EXCESS) {
		divergence = integrate(&p, information, shift / 2, shift / 2 + NEAR_REACH * p.deviation, NEAR_STEP);
	} else {
		scale = sqrt(2 * ratio / (1 + ratio));
		divergence = ln_2 - integrate(&p, entropy, shift / (1 + ratio), REACH * scale, STEP * scale);
	}
	return fmin(1, sqrt(divergence / ln_2));
}
