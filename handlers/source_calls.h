/* SPDX-License-Identifier: MIT */
/* What the calls of sources share: named contributors to a pooled layer's statistics, each with totals of its own. */
#pragma once

#include "handlers/option.h"

/* The source that `train` adds its batch to, in the query or in the body. */
extern const struct input source_input;

/* Refuses a layer that has no sources, because its averaging is not pooled: bad_parameter. */
int sources_check_layer(const struct request *rq, struct err *e) MUST_CHECK;

/* Reads the option `source` into rq->write.updates. Call it after sync_options_get. Errors: bad_parameter, bad_name. */
int source_option_get(struct request *rq, struct err *e) MUST_CHECK;

/* Begins an answer about a source: its name, its count and when its totals came or grew. */
void sources_format_head(struct buf *b, const struct store_source *source);
