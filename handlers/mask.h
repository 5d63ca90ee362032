/* Padding, which takes no part in the statistics. It is normalized with the rest, by what the rest came to. */
#ifndef HANDLERS_MASK_H
#define HANDLERS_MASK_H

#include "handlers/forward.h"
#include "handlers/request.h"

/* A byte for each sample's position: 0 is padding. In the request's memory; `keep` is NULL where there is no padding. */
struct mask {
	unsigned char *keep;
	size_t samples;
	size_t positions; /* of a sample */
};

/* Whether there is anything that counts, which a batch must have and a shard of one need not: too_few_values. */
int mask_check_counted(const struct mask *m, struct err *e) MUST_CHECK;

/*
 * forward_moments of what counts: `keep` has view.outer * view.inner bytes, or is NULL where all does; *count becomes how many values of each
 * feature that is. Where none does, 0 and 0. Errors as there.
 */
int mask_moments(struct request *rq, const struct tensor *t, struct norm_view view, const unsigned char *keep, double *mean,
    double *var, size_t *count, struct err *e) MUST_CHECK;

/* The runs of a tensor that share their moments, for every kind but batch_norm: their number, their length. */
size_t mask_runs(const struct definition *d, struct norm_view view);

/*
 * The moments of each run (instance, group, row) by what counts of it: mask_runs doubles each, and how many count. RMS normalization has 0 and the
 * mean square. Of a run that is all padding 0 and 0.
 */
int mask_run_moments(struct request *rq, const struct definition *d, const struct tensor *t, struct norm_view view,
    const struct mask *m, double *mean, double *var, size_t *count, struct err *e) MUST_CHECK;

#endif
