/* Normalizing by the input's own statistics: training, and inference where none are tracked. */
#ifndef HANDLERS_OWN_STATISTICS_H
#define HANDLERS_OWN_STATISTICS_H

#include "handlers/ghosts.h"
#include "handlers/mask.h"

/*
 * Normalizes the tensor in place by the batch's, the sample's, the group's or the row's own moments, by the kind; with `ghosts`, where the
 * definition has virtual_batch_size, by those of each ghost batch; where there is padding, by what is none.
 */
int own_statistics_normalize(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, bool ghosts, const struct mask *m, struct err *e) MUST_CHECK;

/* Normalizes by the moments of each run (mask.h), which are given; `var` is spoiled. Runs of which nothing counts come out as the bias. */
int own_statistics_by_runs(struct request *rq, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, const double *mean, double *var, const size_t *count, struct err *e) MUST_CHECK;

#endif
