/* SPDX-License-Identifier: MIT */
/* Normalizing by the input's own statistics: training, and inference where none are tracked. */
#ifndef LAYER_OWN_STATISTICS_H
#define LAYER_OWN_STATISTICS_H

#include "layer/pieces.h"

/*
 * Normalizes the tensor in place by the batch's, the sample's, the group's or the row's own moments, by the kind; with
 * `train`, where the definition has virtual_batch_size, by those of each ghost batch. Padding becomes 0.
 */
int own_statistics_normalize(struct workspace *ws, const struct definition *d, struct tensor *t, struct norm_view view,
    struct scale_shift p, bool train, const struct mask *m, struct err *e) MUST_CHECK;

#endif
