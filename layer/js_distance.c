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

/* Beyond these the distance is 1 to the last bit: the overlap has the mass e^-40, or 1e-20. */
#define REDUCED_SHIFT_MAX 6.4
#define EXCESS_MAX 1e40

/* Distributions are near below both: then the wider has at most 1.42 deviations of the narrower. */
#define NEAR_SHIFT 1.0
#define NEAR_EXCESS 1.0

/*
 * Near: all of m where L² m counts, which is up to 8.5 deviations of p beyond both means. Otherwise: 7 deviations of
 * sqrt(p q), which bounds the integrand. The steps give errors below 1e-14 and 1e-10 (tests/unit/test_js_distance.c).
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

/* (1 + e) H, where H is the entropy of the odds e = e^-l, l = |L|. */
static double
entropy(double l)
{
	const double e = exp(-l);

	return (1 + e) * log1p(e) + l * e;
}

/* (1 + e) (ln 2 - H); near l = 0 from t = tanh(l / 2), by which 2 (ln 2 - H) = ln(1 - t²) + t l. */
static double
information(double l)
{
	const double e = exp(-l);
	double t;

	if (l > 1)
		return (1 + e) * (ln_2 - log1p(e)) - l * e;
	t = -expm1(-l) / (1 + e);
	return (1 + e) * (log1p(-t * t) + t * l) / 2;
}

/* The integral of m times what `term` says of l, from `middle` - `reach` to `middle` + `reach`. */
static double
integrate(const struct pair *p, double (*term)(double l), double middle, double reach, double step)
{
	const int n = (int)(reach / step) + 1;
	double sum = 0;

	for (int i = -n; i <= n; i++) {
		const double x = middle + step * i, z = (x - p->shift) / p->deviation;
		const double l = (p->a * x + p->b) * x + p->c;
		const double larger = l > 0 ? exp(-z * z / 2) / p->deviation : exp(-x * x / 2);

		sum += larger * term(fabs(l));
	}
	return sum * step / (2 * sqrt_2_pi);
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
