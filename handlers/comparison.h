/* SPDX-License-Identifier: MIT */
/* What the calls share that compare data with the running statistics: drift, report, and the list of sources. */
#pragma once

#include "handlers/option.h"
#include "layer/drift.h"

/*
 * comparison_options_get reads these; the defaults are 10, 0.1 (or `drift`, if that is less), 0.25 and 100. Error:
 * bad_parameter.
 */
extern const struct input top_input, possible_input, drift_input, min_count_input;
int comparison_options_get(const struct request *rq, struct drift_options *out, struct err *e) MUST_CHECK;

/*
 * The running statistics of a state as moments to compare with. Where their number of values is known, the variance is
 * the biased one, like that of what is compared with them. out->count is 1, and 0 where the state has no statistics:
 * the scores ask no more. `out` refers to the state or to memory of the request.
 */
int comparison_reference(struct request *rq, const struct snapshot *s, struct moments *out, struct err *e) MUST_CHECK;

/* Writes more members of one of the worst features, or of the whole: each begins with a comma. */
typedef void comparison_more(struct buf *b, const void *arg, size_t feature);

/* Writes {"verdict":...,"count":...,"max":...,"median":...,"features":[...], without the end. `more`: NULL for none. */
void comparison_format(struct buf *b, const struct drift *d, uint64_t count, comparison_more *more, const void *arg);
