/* SPDX-License-Identifier: MIT */
/*
 * The history of layers: what their statistics were like, for plots and for the question when they changed.
 *
 * Time is divided into intervals, and the last state of each becomes a row: when a layer is saved, and its committed
 * state is of an earlier interval, that state's moment is stored in the same transaction. So nothing waits in memory,
 * and a row never tells of what was not committed. The present state has no row, unless inference has made one; whoever
 * lists adds it where the latest row is of another revision.
 *
 * Rows are numbered from 1. The latest HISTORY_WHOLE rows of a layer are all there; of older ones, the older they are
 * the fewer (history_thinned).
 */
#pragma once

#include "storage/batch.h"

/* How often a layer's history has a row at most, unless the store's options say otherwise. */
#define HISTORY_INTERVAL_S 60u

/* A power of two, from 2. */
#define HISTORY_WHOLE ((uint64_t)256)

/*
 * The number of the interval that a second is in. Each layer's intervals begin at a second of their own, so that layers
 * which change all the time do not write their rows all at once.
 */
uint64_t history_interval(int64_t layer_id, int64_t second, unsigned interval_s);

/*
 * The row that goes when row `number` (from 1) comes; 0: none. Row m, where 2^k is the greatest power of two that
 * divides m, goes when it is HISTORY_WHOLE * 2^k rows old: that age has no lower bits, so 2^k is also the greatest that
 * divides `number`. At most one row goes at a time.
 *
 * Hence rows whose age is from HISTORY_WHOLE * 2^j to below the double are there if 2^(j+1) divides their numbers: one
 * in 2^(j+1) of HISTORY_WHOLE * 2^j consecutive numbers, which are HISTORY_WHOLE / 2. With the younger ones there are
 * at most HISTORY_WHOLE * (1 + j / 2) rows in HISTORY_WHOLE * 2^j.
 */
uint64_t history_thinned(uint64_t number);

/* Windows of fewer values give no drift. */
#define HISTORY_DRIFT_COUNT ((uint64_t)100)

/*
 * The greatest divergence (norm/divergence.h) of a window from the statistics of a state, whose variance is taken as it
 * is: its divisor is the definition's matter. NAN: not known.
 */
double history_drift(const struct snapshot *state, const struct moments *window);

/*
 * A layer is about to be saved: stores the moment of `past`, its committed state, if that is the last of its interval.
 * A state whose time is not known gets no row. If the clock was set back, no interval gets a second row.
 */
int history_record(const struct batch *b, const struct snapshot *past, struct err *e) MUST_CHECK;

/*
 * A layer's window was saved. Stores a row also of a state that stands since an earlier interval, so that drift can be
 * followed where nothing trains; first, if it has none, the row of when the state came to be so. In a batch before its
 * changes.
 */
int history_record_window(struct batch *b, const struct layer_identity *identity, const struct moments *window,
    size_t features, struct err *e) MUST_CHECK;
