/* SPDX-License-Identifier: MIT */
/*
 * The text format of Prometheus, version 0.0.4: one HELP and one TYPE for each family, and behind them its samples.
 * Pure functions; each line ends with a line feed. A sample's labels are a text that metrics_text_label has made.
 */
#pragma once

#include "base/buf.h"

/* `type`: counter, gauge or histogram. */
void metrics_text_family(struct buf *b, const char *name, const char *type, const char *help);

/* Appends name="value" to a list of labels, with a comma before it unless it is the first. */
void metrics_text_label(struct buf *labels, const char *name, const char *value);

/* A sample: its name with a suffix ("" for none), its labels (empty: none), its value. */
struct metrics_text_sample {
	const char *name, *suffix;
	const struct buf *labels;
};

void metrics_text_uint(struct buf *b, const struct metrics_text_sample *s, uint64_t value);
void metrics_text_us(struct buf *b, const struct metrics_text_sample *s, uint64_t us); /* written in seconds */
void metrics_text_double(struct buf *b, const struct metrics_text_sample *s, double value);
