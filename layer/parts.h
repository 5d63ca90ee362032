/* SPDX-License-Identifier: MIT */
/*
 * The passes over a whole tensor, as norm/moments.h, norm/normalize.h and norm/backward.h have them. One that is large
 * (CUT_FROM in norm/cut.h) is done in parts by whoever of the crew is idle, with the same bits; the others, and all
 * without a crew (NULL), by the caller alone, who pays nothing for this.
 */
#ifndef LAYER_PARTS_H
#define LAYER_PARTS_H

#include <stdbool.h>

#include "base/crew.h"
#include "norm/backward.h"
#include "norm/padding.h"
#include "norm/view.h"

void
parts_moments(struct crew *crew, enum norm_real real, const void *x, struct norm_view view, double *mean, double *var);

/* norm/padding.h */
void parts_pack(struct crew *crew, enum norm_real real, const struct padding *padding, const void *x, void *packed);
void parts_unpack(struct crew *crew, enum norm_real real, const struct padding *padding, const void *packed, void *x);
void parts_fill(struct crew *crew, enum norm_real real, const struct padding *padding, void *x);
void parts_clear(struct crew *crew, enum norm_real real, const struct padding *padding, void *x);

bool parts_normalize_batch(struct crew *crew, enum norm_real real, void *x, struct norm_view view, double eps,
    const double *weight, const double *bias, double *mean, double *var, double *rstd);

bool parts_normalize_by_feature(struct crew *crew, enum norm_real real, void *x, struct norm_view view,
    const double *mean, const double *rstd, const double *weight, const double *bias);

bool parts_normalize_by_sample(struct crew *crew, enum norm_real real, void *x, struct norm_view view,
    const double *mean, const double *rstd, const double *weight, const double *bias);

bool parts_normalize_groups(struct crew *crew, enum norm_real real, void *x, struct norm_view view, size_t groups,
    double eps, const double *weight, const double *bias);

bool parts_normalize_rows(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size, bool centered,
    double eps, const double *weight, const double *bias);

bool parts_normalize_rows_by(struct crew *crew, enum norm_real real, void *x, size_t rows, size_t size,
    const double *mean, const double *rstd, const double *weight, const double *bias);

void parts_normalize_clip(struct crew *crew, enum norm_real real, void *x, size_t count, double limit);

bool parts_backward_by_feature(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    size_t n, const double *mean, const double *rstd, const double *weight, double *grad_weight, double *grad_bias,
    double *scratch);

bool parts_backward_groups(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    size_t groups, double eps, const double *weight, double *grad_weight, double *grad_bias, double *scratch);

bool parts_backward_rows(struct crew *crew, enum norm_real real, const void *x, void *g, size_t rows, size_t size,
    bool centered, double eps, const double *weight, double *grad_weight, double *grad_bias, double *scratch);

/* Only reads g. */
void parts_backward_sums(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    const double *mean, const double *rstd, double *sum, double *product);

bool parts_backward_by_sums(struct crew *crew, enum norm_real real, const void *x, void *g, struct norm_view view,
    uint64_t n, const double *mean, const double *rstd, const double *weight, const double *sum, const double *product,
    double *scratch);

#endif
