/* SPDX-License-Identifier: MIT */
/*
 * Training by instance normalization that tracks: each sample is normalized by its own moments; the running statistics
 * move by their averages over the samples, as PyTorch's do.
 */
#pragma once

#include "layer/call.h"

/* call_train for a tensor that is not empty. */
int train_instances(struct call *c, struct err *e) MUST_CHECK;
