/* SPDX-License-Identifier: MIT */
/*
 * An update is what one training batch, or a client's own moments of one, does to a layer's running statistics. These
 * move only by applying updates in order, so that a group commit, a replay and a retry give the same bits as one update
 * at a time (docs/MATH.md, equations 5 to 7).
 *
 * tests/unit/test_update.c holds the laws: applying is deterministic. Exponential averaging gives the batch with
 * momentum 1, and changes only the counts with 0. Cumulative averaging gives the mean of the batches' moments. Pooled
 * averaging gives the moments of all values, however they are batched and, up to rounding, in any order.
 * test_update_decayed.c: decayed averaging that keeps everything is pooled averaging, and what it keeps of older values
 * does not depend on how later ones are batched.
 */
#pragma once

#include <stdint.h>
#include <stddef.h>

enum averaging {
	AVERAGING_EXPONENTIAL, /* r <- (1 - m) r + m batch                         (5) */
	AVERAGING_CUMULATIVE,  /* r <- r + (batch - r) / k, k batches so far       (6) */
	AVERAGING_POOLED,      /* Chan, Golub, LeVeque: merge (n, mean, M2)        (7) */
	AVERAGING_DECAYED      /* the same after n and M2 have lost a share        (27) */
};

#define AVERAGINGS 4

/* What was measured of a batch or of a part of one, or of all that one source has seen. */
struct moments {
	uint64_t count;     /* values of each feature */
	const double *mean; /* `features` doubles; not read if count is 0 */
	const double *var;  /* biased */
};

/* The largest count (signed 64-bit, as PyTorch's num_batches_tracked). */
#define STATISTICS_COUNT_MAX ((uint64_t)INT64_MAX)

/* Decayed counts are below this. */
#define STATISTICS_DECAYED_COUNT_END 0x1p63

/* A layer's running statistics; the arrays belong to the caller. */
struct statistics {
	size_t features;
	uint64_t num_batches_tracked;
	uint64_t count;       /* values per feature that pooled averaging has seen; 0 for the others */
	double *mean;         /* `features` doubles; initially 0 */
	double *var;          /* `features` doubles; initially 1 */
	double decayed_count; /* values per feature that decayed averaging still holds, >= 0; 0 for the others */
};

struct update {
	enum averaging averaging;
	double momentum; /* exponential: the weight of the new value, 0..1 */
	unsigned ddof;   /* 0: the running variance is the biased one; 1: unbiased (divisor n - 1) */
	uint64_t count;  /* n: values per feature in the batch; >= 1; exponential, cumulative: >= 2 where ddof is 1 */
	size_t features;
	const double *mean; /* `features` doubles: the batch's mean, finite */
	const double *var;  /* `features` doubles: the batch's biased variance, finite and >= 0 */
	double keep;        /* decayed: the share of the older values' weight that is kept, update_keep */
};

enum update_result {
	UPDATE_APPLIED,
	UPDATE_FEATURES_DIFFER, /* `u` has another number of features than `in` */
	UPDATE_COUNT_OVERFLOWS, /* a count would pass STATISTICS_COUNT_MAX, or a decayed one reach its end */
	UPDATE_NOT_FINITE       /* a mean or variance would overflow double */
};

/*
 * What n later values leave of the weight of older ones: 2^(-n / half_life), from 0 to 1 (equation 27). It is within
 * two units in the last place of that power of the rounded quotient, with the same bits everywhere, which exp2 does not
 * promise. half_life > 0.
 */
double update_keep(uint64_t n, double half_life);

/* Means and variances whose magnitudes are below these powers of 2 stay finite however many of them are pooled. */
#define UPDATE_MEAN_POWER 510
#define UPDATE_VAR_POWER 1020

/*
 * Sets `out` to `in` after the update. The caller provides out->mean and out->var, in->features doubles each, which
 * must not overlap the arrays of `u`; they may be those of `in`. After any result but UPDATE_APPLIED, `out` is
 * undefined, but for arrays that are those of `in`: only UPDATE_NOT_FINITE changes them.
 *
 * Exponential and cumulative averaging move towards the batch's mean and its variance with `ddof`. Pooled averaging
 * keeps var = M2 / (count - ddof), and 0 where count <= ddof. Decayed averaging first multiplies count and M2 by
 * `keep`.
 */
enum update_result update_apply(const struct statistics *in, const struct update *u, struct statistics *out);
