/* SPDX-License-Identifier: MIT */
#include "tests/disk/rig.h"
#include "tests/unit/gate.h"
#include "tests/unit/opaque.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where there is no room for two layers' sources, there is for the largest. */
#define SOURCES_BYTES_MIN ((size_t)25000)

/* The connection that was opened last. */
static sqlite3 *opened;

static int
remember_connection(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
	(void)message;
	(void)api;
	opened = db;
	return SQLITE_OK;
}

void
rig_close(struct rig *rig)
{
	if (rig->store == NULL)
		return;
	for (unsigned i = 0; i < WORLD_MODELS; i++) {
		store_pin_release(rig->pins[i]);
		rig->pins[i] = NULL;
	}
	store_close(rig->store);
	rig->store = NULL;
	sem_destroy(&rig->told);
}

/* One wake-up for all that was asked at once. */
static void
tell(struct store_op *op)
{
	struct rig *rig = op->done_arg;

	if (--rig->untold == 0)
		sem_post(&rig->told);
}

static void
must_submit(struct rig *rig, struct store_op *op)
{
	struct err e = { 0 };

	if (store_submit(rig->store, op, &e) < 0)
		abort();
}

/* One operation, until it is answered. */
static void
ask(struct rig *rig, struct store_op *op)
{
	op->done = tell;
	op->done_arg = rig;
	rig->untold = 1;
	must_submit(rig, op);
	sem_wait(&rig->told);
}

/*
 * The store has work of its own, at the beginning and when versions or pins have gone, which it does before or after
 * the first operation that comes: after two it is idle. Here there is never more than fits in one go.
 */
void
rig_settle(struct rig *rig)
{
	for (int i = 0; i < 2; i++) {
		struct store_op op = { .kind = STORE_LAYER_GET, .get = { .model = "none", .layer = "none" } };

		ask(rig, &op);
		store_op_fini(&op);
	}
}

/* What SQL answers in its first column. Only while the store is idle. */
static int
ask_int(struct rig *rig, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int value = -1;

	rig_settle(rig);
	if (sqlite3_prepare_v2(rig->db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		value = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return value;
}

void
rig_set_synchronous(struct rig *rig, int level)
{
	static const char *const sql[] = { "PRAGMA synchronous=0", "PRAGMA synchronous=1", "PRAGMA synchronous=2" };

	rig_settle(rig);
	sqlite3_exec(rig->db, sql[level], NULL, NULL, NULL);
}

int
rig_synchronous(struct rig *rig)
{
	return ask_int(rig, "PRAGMA synchronous");
}

int
rig_open(struct rig *rig, size_t cache_bytes, struct err *e)
{
	struct store_options options = { .url = "sqlite:" RIG_FILE,
		.queue_max = 1000,
		.cache_bytes_max = cache_bytes,
		.sources_bytes_max = cache_bytes > SOURCES_BYTES_MIN ? cache_bytes : SOURCES_BYTES_MIN,
		.windows_bytes_max = 1 << 20,
		.windows_interval_us = 1, /* with every batch, or before */
		.definitions = opaque_definitions };

	sqlite3_auto_extension((void (*)(void))remember_connection);
	rig->store = store_open(&options, e);
	rig->db = opened;
	if (rig->store == NULL)
		return -1;
	sem_init(&rig->told, 0, 0);
	rig_settle(rig);
	return 0;
}

/* Of every version: the store takes it as it is. */
static const unsigned char digest[SHA256_BYTES] = "the digest of a version";

static struct store_write
make_write(struct rig *rig, unsigned i, const struct world_step *step)
{
	const size_t n = world_step_features(step);
	struct store_write write = {
		.kind = step->kind, .model = world_model_name(step->layer), .layer = world_layer_name(step->layer)
	};

	write.layer_id = step->refusal == WORLD_OTHER_LAYER ? INT64_MAX : 0;
	write.precondition = (struct store_precondition){
		.present = step->refusal == WORLD_OTHER_REVISION, .count = 1, .revisions = { UINT64_MAX }
	};
	rig->updates[i] = world_update(step, rig->mean[i], rig->var[i]);
	switch (step->kind) {
	case STORE_LAYER_CREATE:
		write.create.definition = "definition";
		write.create.features = world_features(step->layer);
		break;
	case STORE_UPDATE:
		write.updates.list = &rig->updates[i];
		write.updates.count = 1;
		if (world_pools(step->layer) && world_source(step) < WORLD_SOURCES)
			write.updates.source = world_source_name(world_source(step));
		break;
	case STORE_SOURCE_PUT:
	case STORE_SOURCE_DELETE:
		rig->totals[i] = (struct moments){ rig->updates[i].count, rig->mean[i], rig->var[i] };
		write.source.name = world_source_name(world_source(step));
		write.source.totals = &rig->totals[i];
		write.source.features = n;
		write.source.ddof = world_ddof(step->layer);
		break;
	case STORE_SOURCES_FOLD:
		for (size_t k = 0; k < 2; k++)
			rig->names[i][k] = world_source_name((world_source(step) + k) % WORLD_SOURCES);
		write.fold.names = rig->names[i];
		write.fold.count = world_folds_two(step) ? 2 : 1;
		write.fold.ddof = world_ddof(step->layer);
		break;
	case STORE_STATISTICS_PUT:
		rig->statistics[i] = (struct statistics){ n, step->number % 1000, 0, rig->mean[i], rig->var[i], 0 };
		write.statistics = &rig->statistics[i];
		break;
	case STORE_PARAMETERS_PUT:
		world_values(step->number, rig->mean[i], world_features(step->layer));
		write.parameters.weight = (struct store_vector){ rig->mean[i], world_features(step->layer) };
		break;
	case STORE_VERSION_MAKE:
		write.version.pin = rig->pins[step->layer % WORLD_MODELS];
		write.version.note = "note";
		write.version.digest = digest;
		break;
	case STORE_SERVE:
	case STORE_ALIAS_PUT:
	case STORE_ALIAS_DELETE:
	case STORE_VERSION_DELETE:
		snprintf(rig->versions[i], sizeof(rig->versions[i]), "%" PRIu64, step->version);
		write.version.name = step->version == 0 ? "live" : rig->versions[i];
		write.version.alias = "champion";
		write.version.note = "note";
		break;
	case STORE_FREEZE:
	case STORE_MODEL_FREEZE:
		write.frozen = world_frozen(step);
		break;
	default:
		break;
	}
	return write;
}

/* The change that begins with step i. */
static void
fill_op(struct rig *rig, const struct world_batch *batch, unsigned i)
{
	const uint64_t number = batch->steps[i].number;
	struct store_op *op = &rig->ops[i];

	*op = (struct store_op){ .kind = STORE_CHANGE,
		.change = { .writes = &rig->writes[i],
		    .count = world_change_count(batch, i),
		    .key = number % 2 != 0 ? rig->keys[i] : NULL },
		.done = tell,
		.done_arg = rig };
	snprintf(rig->keys[i], sizeof(rig->keys[i]), "%016" PRIx64, number);
	for (unsigned k = 0; k < op->change.count; k++)
		rig->writes[i + k] = make_write(rig, i + k, &batch->steps[i + k]);
}

/* The states of the layers whose windows get values before the batch; NULL where that is none, or it cannot be read. */
static void
get_states(struct rig *rig, const struct world_batch *batch, const struct snapshot *states[WORLD_STEPS_MAX])
{
	for (unsigned i = 0; i < batch->count; i++) {
		const unsigned layer = batch->steps[i].layer;
		struct store_op op = { .kind = STORE_LAYER_GET,
			.get = { .model = world_model_name(layer), .layer = world_layer_name(layer) } };

		states[i] = NULL;
		if (!batch->adds || world_add(&batch->steps[i]).count == 0)
			continue;
		ask(rig, &op);
		states[i] = op.get.snapshot;
	}
}

static void
add_to_windows(const struct world_batch *batch, const struct snapshot *const states[WORLD_STEPS_MAX])
{
	static const double vars[WORLD_FEATURES_MAX];
	double means[WORLD_FEATURES_MAX];

	for (unsigned i = 0; i < batch->count; i++) {
		const struct world_window added = world_add(&batch->steps[i]);

		if (states[i] == NULL)
			continue;
		for (size_t f = 0; f < WORLD_FEATURES_MAX; f++)
			means[f] = (double)(added.sum / added.count);
		store_window_add(states[i], &(struct moments){ added.count, means, vars });
		snapshot_unref(states[i]);
	}
}

/* Everything of a batch waits behind a gate, so that it is taken at once. */
static void
submit_at_once(struct rig *rig, const struct world_batch *batch)
{
	const struct snapshot *states[WORLD_STEPS_MAX];
	struct gate gate;
	struct store_op stop = gate_init(&gate);

	get_states(rig, batch, states);
	must_submit(rig, &stop);
	sem_wait(&gate.reached);
	add_to_windows(batch, states);
	rig->untold = 0;
	for (unsigned i = 0; i < batch->count; i += world_change_count(batch, i)) {
		fill_op(rig, batch, i);
		rig->untold++;
		must_submit(rig, &rig->ops[i]);
	}
	sem_post(&gate.open);
	sem_wait(&rig->told);
	store_op_fini(&stop);
	gate_fini(&gate);
}

static bool
is_storage_error(const struct err *e)
{
	return e->code == ERR_STORAGE_UNAVAILABLE || e->code == ERR_STORAGE_FULL || e->code == ERR_OVERLOADED;
}

static bool
is_answered(const struct store_write *write, const struct world_answer *answer)
{
	return write->result.revision == answer->revision &&
	    write->result.num_batches_tracked == answer->num_batches_tracked;
}

/* One change's outcome beside what it should answer. */
static enum rig_outcome
judge(const struct store_op *op, const struct world_answer *answers)
{
	bool as_expected = op->err.code == answers->code && !op->change.repeated;

	if (is_storage_error(&op->err))
		return strstr(op->err.detail, "not known") != NULL ? RIG_DOUBTFUL : RIG_FAILED;
	for (size_t i = 0; i < op->change.count; i++)
		as_expected = as_expected && is_answered(&op->change.writes[i], &answers[i]);
	return as_expected ? RIG_STORED : RIG_WRONG;
}

/* Takes over the pins of a batch that was stored, and lets go of those that it has made versions or deleted. */
static void
take_pins(struct rig *rig, const struct world_batch *batch, const struct world *next)
{
	struct store_pin *taken;

	for (unsigned i = 0; i < batch->count; i++) {
		const unsigned model = batch->steps[i].layer % WORLD_MODELS;

		taken = batch->steps[i].kind == STORE_PIN ? rig->writes[i].version.pin : NULL;
		if (taken == NULL)
			continue;
		store_pin_release(rig->pins[model]);
		rig->pins[model] = taken;
	}
	for (unsigned model = 0; model < WORLD_MODELS; model++)
		if (!next->versions[model].pin.exists) {
			store_pin_release(rig->pins[model]);
			rig->pins[model] = NULL;
		}
}

enum rig_outcome
rig_run(struct rig *rig, const struct world *now, const struct world_batch *batch, struct world *next)
{
	struct world_answer answers[WORLD_STEPS_MAX];
	enum rig_outcome outcome;

	*next = *now;
	world_apply_adds(next, batch);
	world_apply_batch(next, batch, answers);
	submit_at_once(rig, batch);
	outcome = judge(&rig->ops[0], &answers[0]);
	for (unsigned i = 0; i < batch->count; i += world_change_count(batch, i)) {
		if (judge(&rig->ops[i], &answers[i]) != outcome)
			outcome = RIG_WRONG;
		store_op_fini(&rig->ops[i]);
	}
	if (outcome == RIG_STORED)
		take_pins(rig, batch, next);
	return outcome;
}

bool
rig_repeat(struct rig *rig, struct world *before, const struct world_batch *batch, bool had)
{
	struct world_answer answers[WORLD_STEPS_MAX];
	struct store_op *op = &rig->ops[0];
	enum rig_outcome outcome;
	bool repeated;

	world_apply_change(before, batch, 0, answers);
	fill_op(rig, batch, 0);
	ask(rig, op);
	repeated = op->change.repeated;
	op->change.repeated = false;
	outcome = judge(op, answers);
	store_op_fini(op);
	return repeated == had && outcome == RIG_STORED;
}

static bool
layer_matches(struct rig *rig, const struct world *w, unsigned layer)
{
	struct store_op op = { .kind = STORE_LAYER_GET,
		.get = { .model = world_model_name(layer), .layer = world_layer_name(layer) } };
	bool matches;

	ask(rig, &op);
	matches = !is_storage_error(&op.err) && world_layer_equals(&w->layers[layer], layer, op.get.snapshot);
	store_op_fini(&op);
	return matches;
}

static bool
sources_match(struct rig *rig, const struct world *w, unsigned layer)
{
	struct store_op op = { .kind = STORE_SOURCES_GET,
		.sources = { world_model_name(layer), world_layer_name(layer), .limit = WORLD_SOURCES + 1 } };
	bool matches;

	if (!w->layers[layer].exists)
		return true;
	ask(rig, &op);
	matches = op.err.code == ERR_NONE &&
	    world_sources_equal(&w->layers[layer].sources, world_features(layer), &op.sources);
	store_op_fini(&op);
	return matches;
}

static bool
window_matches(struct rig *rig, const struct world *w, unsigned layer)
{
	struct store_op op = { .kind = STORE_WINDOW_GET,
		.window = { .model = world_model_name(layer), .layer = world_layer_name(layer) } };
	bool matches;

	if (!w->layers[layer].exists)
		return true;
	ask(rig, &op);
	matches = op.err.code == ERR_NONE &&
	    world_window_equals(&w->layers[layer].window, &op.window.moments, world_features(layer));
	store_op_fini(&op);
	return matches;
}

/* All states of a pin or a version, a page for each. */
static bool
held_matches(struct rig *rig, unsigned model, const struct world_held *held, struct store_which which)
{
	struct store_op op;
	const char *after = "";
	bool matches = true, more = true;

	for (unsigned i = 0; i < WORLD_MODEL_LAYERS && matches; i++) {
		if (!held->layers[i].exists)
			continue;
		op = (struct store_op){ .kind = STORE_STATES_GET,
			.states = { .model = world_model_name(model), .which = which, .limit = 1, .after = after } };
		ask(rig, &op);
		after = world_layer_name(i * WORLD_MODELS + model);
		more = op.states.more;
		matches = op.err.code == ERR_NONE && op.states.count == 1 &&
		    strcmp(op.states.entries[0]->identity->name, after) == 0 &&
		    world_layer_equals(&held->layers[i], i * WORLD_MODELS + model, op.states.entries[0]);
		store_op_fini(&op);
	}
	return matches && !more;
}

static bool
versions_match(struct rig *rig, const struct world *w, unsigned model)
{
	struct store_op op = { .kind = STORE_VERSIONS_GET,
		.versions = { .model = world_model_name(model), .limit = WORLD_VERSIONS + 1 } };
	const struct world_versions *v = &w->versions[model];
	char number[20];
	size_t expected = 0;
	bool matches = true;

	for (unsigned i = 0; i < WORLD_VERSIONS; i++) {
		snprintf(number, sizeof(number), "%" PRIu64, v->made[i].number);
		expected += v->made[i].exists;
		matches = matches &&
		    (!v->made[i].exists ||
			held_matches(rig, model, &v->made[i], (struct store_which){ STORE_NAMED, .name = number }));
	}
	if (v->pin.exists && rig->pins[model] != NULL)
		matches = matches &&
		    held_matches(rig, model, &v->pin,
			(struct store_which){ STORE_PINNED, .pin = store_pin_id(rig->pins[model]) });
	ask(rig, &op);
	matches = matches && !is_storage_error(&op.err) && op.versions.count == expected;
	store_op_fini(&op);
	return matches;
}

/* What serves, the number of its switches, and the alias. */
static bool
pointers_match(struct rig *rig, const struct world *w, unsigned model)
{
	const struct world_versions *v = &w->versions[model];
	struct store_op switches = { .kind = STORE_SWITCHES_GET,
		.switches = { .model = world_model_name(model), .limit = 1000 } };
	struct store_op aliases = { .kind = STORE_ALIASES_GET,
		.aliases = { .model = world_model_name(model), .limit = 2 } };
	bool matches;

	ask(rig, &switches);
	ask(rig, &aliases);
	matches = !is_storage_error(&switches.err) && !is_storage_error(&aliases.err) &&
	    switches.switches.count == v->switches && aliases.aliases.count == (v->alias != 0);
	matches = matches && (v->switches == 0 || switches.switches.entries[0].to == v->serving);
	matches = matches && (v->alias == 0 || aliases.aliases.entries[0].number == v->alias);
	store_op_fini(&switches);
	store_op_fini(&aliases);
	return matches;
}

static bool
models_match(struct rig *rig, const struct world *w)
{
	struct store_op op = { .kind = STORE_MODEL_LIST, .list.limit = WORLD_MODELS + 1 };
	size_t expected = 0;
	bool matches;

	for (unsigned i = 0; i < WORLD_MODELS; i++)
		expected += w->models[i];
	ask(rig, &op);
	matches = op.err.code == ERR_NONE && op.list.count == expected;
	store_op_fini(&op);
	return matches;
}

bool
rig_matches(struct rig *rig, const struct world *w)
{
	bool matches = models_match(rig, w);

	for (unsigned i = 0; i < WORLD_LAYERS; i++)
		matches = matches && layer_matches(rig, w, i) && sources_match(rig, w, i) && window_matches(rig, w, i);
	for (unsigned i = 0; i < WORLD_MODELS; i++)
		matches = matches && versions_match(rig, w, i) && pointers_match(rig, w, i);
	return matches;
}

int
rig_keys(struct rig *rig, uint64_t number)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM idempotency WHERE key = '%016" PRIx64 "'", number);
	return ask_int(rig, sql);
}

bool
rig_is_sound(struct rig *rig)
{
	sqlite3_stmt *stmt = NULL;
	bool sound = false;

	rig_settle(rig);
	if (sqlite3_prepare_v2(rig->db, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		sound = strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
	sqlite3_finalize(stmt);
	return sound && ask_int(rig, "SELECT count(*) FROM pragma_foreign_key_check") == 0;
}
