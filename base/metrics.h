/* SPDX-License-Identifier: MIT */
/*
 * What the process counts and measures: the metrics of metrics_table.h. They are the process's, like the log.
 *
 * Counting must cost next to nothing. Each thread counts in cells of its own, which no other thread writes, so there is
 * no locked instruction and no shared cache line; whoever reads adds up the cells of all threads. Only where there are
 * more threads than METRICS_SHARDS, those beyond share cells and count atomically. All functions: any thread, none
 * waits, except metrics_write.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/metrics_table.h"

#define METRICS_SHARDS 64

/* The most calls (a route with a method) that are told apart. */
#define METRICS_CALLS_MAX 192

/* The values of each label, as METRIC_<label>_<name>, with METRIC_<label>_COUNT. */
#define METRICS_VALUE(label, name) METRIC_##label##_##name,
#define METRICS_PHASE(name, text) METRICS_VALUE(PHASE, name)
enum metric_phase { METRICS_PHASES(METRICS_PHASE) METRIC_PHASE_COUNT };
#define METRICS_SHED(name, text) METRICS_VALUE(SHED, name)
enum metric_shed { METRICS_SHEDS(METRICS_SHED) METRIC_SHED_COUNT };
#define METRICS_CLOSING(name, text) METRICS_VALUE(CLOSING, name)
enum metric_closing { METRICS_CLOSINGS(METRICS_CLOSING) METRIC_CLOSING_COUNT };
#define METRICS_OPERATION(name, text) METRICS_VALUE(OPERATION, name)
enum metric_operation { METRICS_OPERATIONS(METRICS_OPERATION) METRIC_OPERATION_COUNT };
#define METRICS_KIND(name, text) METRICS_VALUE(KIND, name)
enum metric_kind { METRICS_KINDS(METRICS_KIND) METRIC_KIND_COUNT };
#define METRICS_RESULT(name, text) METRICS_VALUE(RESULT, name)
enum metric_result { METRICS_RESULTS(METRICS_RESULT) METRIC_RESULT_COUNT };
#define METRICS_VERDICT(name, text) METRICS_VALUE(VERDICT, name)
enum metric_verdict { METRICS_VERDICTS(METRICS_VERDICT) METRIC_VERDICT_COUNT };

enum metric {
#define METRICS_ID(id, kind, name, labels, help) METRIC_##id,
	METRICS_TABLE(METRICS_ID)
#undef METRICS_ID
	    METRIC_COUNT
};

/* Adds to a counter. `series`: of its label; 0 where it has none. */
void metrics_add(enum metric metric, size_t series, uint64_t n);

/* Adds 1 to a counter without labels. */
void metrics_count(enum metric metric);

/* Adds a duration to a histogram. */
void metrics_observe_us(enum metric metric, size_t series, uint64_t us);

/* Sets a GAUGE or a TOTAL. */
void metrics_set(enum metric metric, size_t series, double value);

/* The series of a metric with the labels route, method and status; of one with operation and kind. */
size_t metrics_series_status(size_t call, unsigned status);
size_t metrics_series_kind(enum metric_operation operation, enum metric_kind kind);

/* A call: what the labels route and method say. */
struct metrics_call {
	const char *route, *method;
};

/* Names the calls, at most METRICS_CALLS_MAX, and the version. Once, before metrics_write; the texts are kept. */
void metrics_name_calls(const struct metrics_call *calls, size_t count);
void metrics_name_version(const char *version);

/*
 * A function that sets metrics, which metrics_write calls first. It may wait for as long as /metrics may take. NULL:
 * none any more, and when this returns it does not run.
 */
void metrics_read_by(void (*read)(void *arg), void *arg);

/* Appends all metrics as Prometheus reads them (text format 0.0.4). */
void metrics_write(struct buf *out);
