/* SPDX-License-Identifier: MIT */
/*
 * What this process knows of the calls of the Open Inference Protocol: counters for each model and version, and which
 * models are unloaded, so that this protocol does not infer by them. Nothing of it is stored: when the daemon starts,
 * all models are loaded and all counters are 0.
 *
 * Memory is bounded and allocated at once, so noting a call cannot fail. When the table is full, the counters that were
 * used least recently are forgotten. Marks of unloaded models are never forgotten: at most half of the table are marks.
 *
 * Thread-safe, except usage_new and usage_free. No function waits: the lock is held for some microseconds at most.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "storage/store.h"

struct usage;

/* The places in the daemon's table. */
#define USAGE_PLACES ((size_t)4096)

/* A call that has ended. What the caller has not measured is 0. */
struct usage_call {
	bool succeeded;
	uint64_t total_ns;  /* from when the request was complete until its answer was made */
	uint64_t queue_ns;  /* of these: waiting for the store or a computing thread */
	uint64_t input_ns;  /* of these: decoding */
	uint64_t infer_ns;  /* of these: normalizing */
	uint64_t output_ns; /* of these: making the answer */
};

/* Counters and sums over calls. The parts of the time are of successful calls alone. */
struct usage_counts {
	uint64_t succeeded, failed;
	uint64_t success_ns, fail_ns;
	uint64_t queue_ns, input_ns, infer_ns, output_ns;
	int64_t last_ms; /* when the last successful call ended: milliseconds since 1970; 0: there was none */
};

struct usage_entry {
	char model[STORE_NAME_MAX + 1];
	uint64_t version; /* 0: live */
	struct usage_counts counts;
};

/* `places`: counters and marks together, from 2 to UINT32_MAX. NULL: no memory. */
struct usage *usage_new(size_t places) MUST_CHECK;
void usage_free(struct usage *u);

/*
 * Adds a call of a model that exists, by the state of that version (0: live). Calls of models and versions that do not
 * exist must not be noted: anyone could fill the table with them.
 */
void usage_note(struct usage *u, const char *model, uint64_t version, const struct usage_call *call);

/* The counters of a model's version; zeros where it has none. */
void usage_get(struct usage *u, const char *model, uint64_t version, struct usage_counts *out);

/* How many places were ever used: a bound of the entries that there are. */
size_t usage_places_used(struct usage *u);

/*
 * Copies up to `max` entries with counters, of a model or of all (NULL). *at is 0 at first and then says where to go
 * on; it is USAGE_END when there are no more. A call may copy none. Entries are in no order, and one that is forgotten
 * and used again meanwhile may come twice. Returns how many.
 */
#define USAGE_END SIZE_MAX
size_t usage_list(struct usage *u, const char *model, size_t *at, struct usage_entry *out, size_t max);

/*
 * Unloads a model, which existed after usage_deleted had said `deleted`. If models were deleted since, it does nothing,
 * and *stale is true: the model may be one of them, and its mark would be that of a later model of its name. May be
 * repeated. Error: overloaded: too many are unloaded.
 */
uint64_t usage_deleted(struct usage *u);
int usage_unload(struct usage *u, const char *model, uint64_t deleted, bool *stale, struct err *e) MUST_CHECK;

/* Loads a model again; may be repeated. */
void usage_load(struct usage *u, const char *model);

bool usage_is_unloaded(struct usage *u, const char *model);

/* Refuses a model that is unloaded: no_such_model. Each call of this protocol that needs the model asks this first. */
int usage_check_loaded(struct usage *u, const char *model, struct err *e) MUST_CHECK;

/* The model is deleted: forgets its counters and its mark. */
void usage_forget(struct usage *u, const char *model);
