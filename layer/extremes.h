/* SPDX-License-Identifier: MIT */
/*
 * The least and the greatest value of each channel. Normalizing is monotone, also rounded: if both come out finite, so
 * do all values of the channel.
 */
#pragma once

#include "layer/call.h"

/* Those of the call's pieces, as a piece of two samples in the workspace: c->extremes. */
int extremes_measure(struct call *c, struct err *e) MUST_CHECK;
