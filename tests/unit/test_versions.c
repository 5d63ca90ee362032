/* SPDX-License-Identifier: MIT */
/*
 * Versions and pins through the store's door, against a model that copies everything: it keeps a reference to each
 * state that was committed when a pin was taken.
 */
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/gate.h"
#include "tests/unit/scratch_store.h"
#include "tests/unit/unit.h"

/* ---- one operation */

static struct scratch_change
version_change(struct store *s, enum store_write_kind kind, struct store_version_write version)
{
	return scratch_run_change(s, (struct scratch_change){ .write = { .kind = kind, .version = version } });
}

static struct store_pin *
take_pin(struct store *s)
{
	struct scratch_change c = version_change(s, STORE_PIN, (struct store_version_write){ 0 });

	ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
	ck_assert_ptr_nonnull(c.write.version.pin);
	return c.write.version.pin;
}

static const unsigned char some_digest[SHA256_BYTES] = "0123456789abcdef0123456789abcde";

/* The pin is released. */
static struct store_version
make_of(struct store *s, struct store_pin *pin)
{
	struct store_version made = { 0 };
	struct scratch_change c = version_change(s, STORE_VERSION_MAKE,
	    (struct store_version_write){ .pin = pin, .note = "a note", .digest = some_digest, .made = &made });

	ck_assert_msg(c.op.err.code == ERR_NONE, "%s", c.op.err.detail);
	store_pin_release(pin);
	return made;
}

static uint64_t
make_version(struct store *s)
{
	return make_of(s, take_pin(s)).number;
}

static enum err_code
delete_version(struct store *s, const char *name)
{
	return version_change(s, STORE_VERSION_DELETE, (struct store_version_write){ .name = name }).op.err.code;
}

static void
write_value(struct store *s, const char *layer, double value)
{
	const double mean[1] = { value }, var[1] = { 1 };
	const struct update update = {
		.averaging = AVERAGING_EXPONENTIAL, .momentum = 0.5, .count = 4, .features = 1, .mean = mean, .var = var
	};

	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_UPDATE, .layer = layer, .updates = { .list = &update, .count = 1 } });
}

/* Round trips, between which the store's thread works off chores that are due. */
static void
let_chores_work(struct store *s)
{
	for (int i = 0; i < 50; i++) {
		struct store_op op = scratch_run(s, (struct store_op){ .kind = STORE_MODEL_LIST, .list.limit = 1 });

		store_op_fini(&op);
	}
}

static enum err_code
get_state(struct store *s, const char *layer, const char *version, struct store_op *op)
{
	*op = scratch_run(s,
	    (struct store_op){ .kind = STORE_LAYER_GET,
		.get = { .model = "m", .layer = layer, .which = { STORE_NAMED, .name = version } } });
	return op->err.code;
}

/* ---- states that are held */

#define HELD_LAYERS 8
#define HELD_MAX 64

/* What a pin or a version must go on to hold. */
struct held {
	struct store_pin *pin; /* or */
	uint64_t number;
	const struct snapshot *states[HELD_LAYERS];
	size_t count;
};

static void
held_free(struct held *h)
{
	for (size_t i = 0; i < h->count; i++)
		snapshot_unref(h->states[i]);
	*h = (struct held){ 0 };
}

static struct store_op
get_page(struct store *s, struct store_which which, const char *after, size_t limit)
{
	return scratch_run(s,
	    (struct store_op){
		.kind = STORE_STATES_GET, .states = { .model = "m", .which = which, .after = after, .limit = limit } });
}

/* All layers of the model as they are. */
static struct held
hold_live(struct store *s)
{
	struct store_op op = get_page(s, (struct store_which){ 0 }, NULL, HELD_LAYERS);
	struct held h = { 0 };

	ck_assert(!op.states.more);
	for (size_t i = 0; i < op.states.count; i++)
		h.states[h.count++] = snapshot_ref(op.states.entries[i]);
	store_op_fini(&op);
	return h;
}

static void
assert_list(const double *a, const double *b, size_t n)
{
	ck_assert_int_eq(a == NULL, b == NULL);
	if (a != NULL)
		ck_assert_mem_eq(a, b, n * sizeof(double));
}

/* The default has no count that says anything. */
static void
assert_vector(const struct store_vector *a, const struct store_vector *b)
{
	assert_list(a->values, b->values, a->count);
	ck_assert(a->values == NULL || a->count == b->count);
}

static void
assert_state(const struct snapshot *a, const struct snapshot *b)
{
	ck_assert_str_eq(a->identity->name, b->identity->name);
	ck_assert_str_eq(a->identity->definition, b->identity->definition);
	ck_assert_int_eq(a->identity->id, b->identity->id);
	ck_assert_uint_eq(a->revision, b->revision);
	ck_assert_uint_eq(a->statistics.features, b->statistics.features);
	ck_assert_uint_eq(a->statistics.num_batches_tracked, b->statistics.num_batches_tracked);
	ck_assert_uint_eq(a->statistics.count, b->statistics.count);
	ck_assert_int_eq(a->frozen, b->frozen);
	ck_assert_int_eq(a->changed_s, b->changed_s);
	assert_list(a->statistics.mean, b->statistics.mean, a->statistics.features);
	assert_list(a->statistics.var, b->statistics.var, a->statistics.features);
	assert_vector(&a->weight, &b->weight);
	assert_vector(&a->bias, &b->bias);
}

/* Reads it in pages. */
static void
assert_held(struct store *s, const struct held *h, size_t limit)
{
	char number[32], after[STORE_NAME_MAX + 1] = "";
	struct store_which which = { .kind = STORE_NAMED, .name = number };
	struct store_op op;
	size_t seen = 0;
	bool more = true;

	snprintf(number, sizeof(number), "%llu", (unsigned long long)h->number);
	if (h->pin != NULL)
		which = (struct store_which){ .kind = STORE_PINNED, .pin = store_pin_id(h->pin) };
	while (more) {
		op = get_page(s, which, *after != '\0' ? after : NULL, limit);
		ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
		for (size_t i = 0; i < op.states.count; i++) {
			ck_assert_uint_lt(seen, h->count);
			ck_assert_uint_eq(op.states.entries[i]->version, h->number);
			assert_state(op.states.entries[i], h->states[seen++]);
			strcpy(after, op.states.entries[i]->identity->name);
		}
		more = op.states.more;
		store_op_fini(&op);
	}
	ck_assert_uint_eq(seen, h->count);
}

/* ---- random lives */

struct world {
	struct store *store;
	unsigned random;
	struct held held[HELD_MAX];
	size_t count;
	uint64_t greatest; /* number so far */
};

static unsigned
draw(struct world *w, unsigned end)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 16) % end;
}

static const double means[3][2] = { { 1, 2 }, { -3, 5 }, { 0.1, 7 } }, vars[3][2] = { { 1, 1 }, { 2, 3 }, { 4, 5 } };
static const struct update updates[3] = {
	{ .averaging = AVERAGING_EXPONENTIAL,
	    .momentum = 0.3,
	    .count = 4,
	    .features = 2,
	    .mean = means[0],
	    .var = vars[0] },
	{ .averaging = AVERAGING_EXPONENTIAL,
	    .momentum = 0.3,
	    .count = 4,
	    .features = 2,
	    .mean = means[1],
	    .var = vars[1] },
	{ .averaging = AVERAGING_EXPONENTIAL,
	    .momentum = 0.3,
	    .count = 4,
	    .features = 2,
	    .mean = means[2],
	    .var = vars[2] },
};

static const char *
draw_layer(struct world *w)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	return names[draw(w, 6)];
}

static struct store_write
draw_write(struct world *w)
{
	struct store_write write = { .model = "m", .layer = draw_layer(w) };

	switch (draw(w, 12)) {
	case 0:
	case 1:
	case 2:
		write.kind = STORE_LAYER_CREATE;
		write.create.definition = draw(w, 2) == 0 ? "one" : "another";
		break;
	case 3:
		write.kind = STORE_LAYER_DELETE;
		break;
	case 4:
		write.kind = STORE_MODEL_FREEZE;
		write.frozen = draw(w, 3) == 0;
		break;
	case 5:
		write.kind = STORE_FREEZE;
		write.frozen = draw(w, 2) == 0;
		break;
	case 6:
		write.kind = STORE_PARAMETERS_PUT;
		write.parameters.weight = (struct store_vector){ means[draw(w, 3)], 2 };
		write.parameters.bias = (struct store_vector){ NULL, 2 };
		break;
	case 7:
		write.kind = STORE_STATISTICS_RESET;
		break;
	default:
		write.kind = STORE_UPDATE;
		write.updates.list = &updates[draw(w, 3)];
		write.updates.count = 1;
	}
	return write;
}

/* Changes of up to three writes, in one batch, in whatever order with a pin or two. Some of them are refused. */
#define BATCH 5
#define WRITES 3

static void
run_batch(struct world *w)
{
	struct store_write writes[BATCH][WRITES];
	struct store_op ops[BATCH] = { 0 };
	struct gate gate;
	struct store_op stop = gate_init(&gate);
	struct held live = hold_live(w->store);

	scratch_submit(w->store, &stop);
	sem_wait(&gate.reached);
	for (size_t i = 0; i < BATCH; i++) {
		const bool pins = draw(w, 6) == 0;

		ops[i].kind = STORE_CHANGE;
		ops[i].change.writes = writes[i];
		ops[i].change.count = pins ? 1 : 1 + draw(w, WRITES);
		for (size_t j = 0; j < ops[i].change.count; j++)
			writes[i][j] = draw_write(w);
		if (pins)
			writes[i][0] = (struct store_write){ .kind = STORE_PIN, .model = "m", .layer = "" };
		scratch_submit(w->store, &ops[i]);
	}
	sem_post(&gate.open);
	scratch_wait(BATCH);
	for (size_t i = 0; i < BATCH; i++) {
		struct store_pin *pin = writes[i][0].kind == STORE_PIN ? writes[i][0].version.pin : NULL;

		if (writes[i][0].kind == STORE_PIN)
			ck_assert_int_eq(ops[i].err.code,
			    live.count > 0                                          ? ERR_NONE :
				pin == NULL && ops[i].err.code == ERR_NO_SUCH_MODEL ? ERR_NO_SUCH_MODEL :
										      ERR_NO_SUCH_LAYER);
		if (pin != NULL && w->count < HELD_MAX) {
			w->held[w->count] = (struct held){ .pin = pin, .count = live.count };
			for (size_t j = 0; j < live.count; j++)
				w->held[w->count].states[j] = snapshot_ref(live.states[j]);
			w->count++;
		} else {
			store_pin_release(pin);
		}
		store_op_fini(&ops[i]);
	}
	held_free(&live);
	gate_fini(&gate);
}

static void
let_go(struct world *w, size_t i)
{
	char number[32];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)w->held[i].number);
	if (w->held[i].pin != NULL)
		store_pin_release(w->held[i].pin);
	else
		ck_assert_int_eq(delete_version(w->store, number), ERR_NONE);
	held_free(&w->held[i]);
	w->held[i] = w->held[--w->count];
	w->held[w->count] = (struct held){ 0 };
}

static void
finish_pin(struct world *w, size_t i)
{
	struct store_version made = make_of(w->store, w->held[i].pin);

	ck_assert_uint_eq(made.number, ++w->greatest);
	ck_assert_str_eq(made.note, "a note");
	w->held[i].pin = NULL;
	w->held[i].number = made.number;
}

/* Pins do not outlive the daemon. */
static void
restart(struct world *w)
{
	for (size_t i = w->count; i-- > 0;)
		if (w->held[i].pin != NULL)
			let_go(w, i);
	store_close(w->store);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	w->store = scratch_open();
}

static void
delete_model(struct world *w)
{
	struct scratch_change c =
	    scratch_run_change(w->store, (struct scratch_change){ .write = { .kind = STORE_MODEL_DELETE } });

	if (c.op.err.code != ERR_NONE)
		return;
	while (w->count > 0) {
		struct held *h = &w->held[--w->count];

		store_pin_release(h->pin);
		held_free(h);
	}
}

static void
live_a_while(struct world *w)
{
	for (int round = 0; round < 40; round++) {
		run_batch(w);
		if (w->count > 0 && draw(w, 2) == 0) {
			const size_t i = draw(w, (unsigned)w->count);

			if (w->held[i].pin != NULL)
				finish_pin(w, i);
		}
		if (w->count > 0 && draw(w, 3) == 0)
			let_go(w, draw(w, (unsigned)w->count));
		if (draw(w, 20) == 0)
			restart(w);
		if (draw(w, 40) == 0)
			delete_model(w);
		for (size_t i = 0; i < w->count; i++)
			assert_held(w->store, &w->held[i], 1 + draw(w, 4));
	}
}

START_TEST(versions_and_pins_hold_what_was_committed)
{
	struct world w = { .random = (unsigned)_i, .store = scratch_open() };

	live_a_while(&w);
	while (w.count > 0)
		let_go(&w, w.count - 1);
	let_chores_work(w.store);
	w.store = scratch_pass_time(w.store);
	let_chores_work(w.store);
	store_close(w.store);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM kept"), 0);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version"), 0);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* ---- what is stored */

#define MANY 1000

START_TEST(a_version_costs_the_layers_that_have_changed_since_the_last)
{
	static char names[MANY][16];
	static struct store_write writes[MANY];
	struct store *s = scratch_open();
	struct store_op op = { .kind = STORE_CHANGE, .change = { .writes = writes, .count = MANY } };

	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "layer%d", i);
		writes[i] = (struct store_write){
			.kind = STORE_LAYER_CREATE, .model = "m", .layer = names[i], .create.definition = "d"
		};
	}
	op = scratch_run(s, op);
	ck_assert_int_eq(op.err.code, ERR_NONE);
	store_op_fini(&op);
	make_version(s);
	write_value(s, "layer500", 1);
	write_value(s, "layer500", 2);
	make_version(s);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM kept"), 1);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version"), 2);
}
END_TEST

/* More versions than a slice takes, with states and without, and some that were deleted before. */
START_TEST(the_versions_of_a_deleted_model_go_in_slices)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	write_value(s, "l", 1);
	make_version(s);
	write_value(s, "l", 2);
	store_close(s);
	scratch_alter("WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 700)"
		      " INSERT INTO version(model_id, mark, number, created_s, note, digest, gone)"
		      " SELECT 1, i, i, 1, '', zeroblob(32), i % 3 = 0 FROM n");
	scratch_alter("INSERT INTO kept SELECT NULL, 1, 1, v.mark || k.name, v.mark, v.mark, definition, revision,"
		      " features, num_batches_tracked, count, decayed_count, frozen, sources, changed_s, running_mean,"
		      " running_var, weight, bias FROM kept k JOIN version v ON v.mark BETWEEN 101 AND 450");
	scratch_alter("UPDATE numbers SET mark = 700, number = 700");
	scratch_alter("INSERT INTO model_gone VALUES(1)");
	ck_assert_uint_eq(scratch_check(), 1);
	scratch_alter("DELETE FROM model_gone");
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	s = scratch_open();
	(void)scratch_write(s, (struct store_write){ .kind = STORE_MODEL_DELETE });
	scratch_create(s, "l");
	write_value(s, "l", 3);
	ck_assert_uint_eq(make_version(s), 701);
	write_value(s, "l", 4);
	store_close(s);
	for (int i = 0; scratch_ask("SELECT count(*) FROM model_gone") > 0; i++) {
		ck_assert_int_lt(i, 20);
		ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
		s = scratch_open();
		write_value(s, "l", i); /* with a slice of the chore */
		store_close(s);
	}
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version"), 1);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM kept"), 1);
}
END_TEST

/* No version was made in between. */
START_TEST(a_layer_without_versions_is_never_kept)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	write_value(s, "l", 1);
	store_pin_release(take_pin(s));
	let_chores_work(s);
	write_value(s, "l", 2);
	write_value(s, "l", 3);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM kept"), 0);
	if (!scratch_is_postgresql())
		ck_assert_int_eq(scratch_ask("SELECT since FROM state"), 2);
}
END_TEST

/* A daemon that is killed leaves its pins; a copy of its file is what a kill leaves. */
START_TEST(pins_of_a_daemon_that_was_killed_are_dropped)
{
	struct store *s = scratch_open();
	sqlite3 *db = NULL;

	scratch_create(s, "l");
	write_value(s, "l", 1);
	store_close(s);
	ck_assert_int_eq(sqlite3_open(scratch_path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
			     "INSERT INTO numbers VALUES('m', 1, 0);"
			     "INSERT INTO version(model_id, mark, created_s) SELECT id, 1, 0 FROM model",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
	s = scratch_open();
	write_value(s, "l", 2);
	ck_assert_uint_eq(make_version(s), 1);
	let_chores_work(s);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version"), 1);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM kept"), 0);
}
END_TEST

/* More than a slice of each. One still has its key, to be remembered; the key of the next is too old. */
START_TEST(versions_in_any_order_are_forgotten_but_for_their_keys)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	write_value(s, "l", 1);
	store_close(s);
	scratch_alter("INSERT INTO numbers VALUES('m', 900, 900);"
		      "INSERT INTO version(model_id, mark, number, created_s, note, digest, key, key_digest, gone)"
		      " WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 900)"
		      " SELECT m.id, n, n, iif(n % 3 = 1, 0, strftime('%s', 'now')), '', zeroblob(32),"
		      " iif(n % 3 = 2, NULL, 'k'), iif(n % 3 = 2, NULL, zeroblob(16)), 1 FROM model m, i");
	s = scratch_open();
	for (int slice = 0; slice < 12; slice++)
		let_chores_work(s);
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version"), 300);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version WHERE gone = 2 AND number % 3 = 0"), 300);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* ---- the rest of the contract */

START_TEST(numbers_never_come_back)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	ck_assert_uint_eq(make_version(s), 1);
	ck_assert_uint_eq(make_version(s), 2);
	ck_assert_int_eq(delete_version(s, "2"), ERR_NONE);
	ck_assert_uint_eq(make_version(s), 3);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_MODEL_DELETE });
	let_chores_work(s);
	scratch_create(s, "l");
	ck_assert_uint_eq(make_version(s), 4);
	store_close(s);
}
END_TEST

START_TEST(a_model_without_layers_has_no_versions)
{
	struct store *s = scratch_open();
	struct scratch_change c = version_change(s, STORE_PIN, (struct store_version_write){ 0 });

	ck_assert_int_eq(c.op.err.code, ERR_NO_SUCH_MODEL);
	ck_assert_ptr_null(c.write.version.pin);
	scratch_create(s, "l");
	(void)scratch_write(s, (struct store_write){ .kind = STORE_LAYER_DELETE });
	c = version_change(s, STORE_PIN, (struct store_version_write){ 0 });
	ck_assert_int_eq(c.op.err.code, ERR_NO_SUCH_LAYER);
	ck_assert_str_eq(c.op.err.detail, "model \"m\" has no layers");
	ck_assert_ptr_null(c.write.version.pin);
	store_close(s);
}
END_TEST

START_TEST(a_pin_whose_model_was_deleted_becomes_no_version)
{
	struct store *s = scratch_open();
	struct store_pin *pin;
	struct scratch_change c;
	struct store_op op;

	scratch_create(s, "l");
	pin = take_pin(s);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_MODEL_DELETE });
	for (int again = 0; again < 2; again++) {
		op = get_page(s, (struct store_which){ STORE_PINNED, .pin = store_pin_id(pin) }, NULL, 1);
		ck_assert_int_eq(op.err.code, ERR_NO_SUCH_MODEL);
		store_op_fini(&op);
		c = version_change(s, STORE_VERSION_MAKE,
		    (struct store_version_write){ .pin = pin, .note = "", .digest = some_digest });
		ck_assert_int_eq(c.op.err.code, ERR_NO_SUCH_MODEL);
		if (again == 0)
			scratch_create(s, "l"); /* another of the same name */
	}
	store_pin_release(pin);
	store_close(s);
}
END_TEST

START_TEST(what_a_version_lacks_is_told_apart)
{
	struct store *s = scratch_open();
	struct store_op op;

	ck_assert_int_eq(get_state(s, "l", "1", &op), ERR_NO_SUCH_MODEL);
	scratch_create(s, "l");
	ck_assert_int_eq(get_state(s, "l", "1", &op), ERR_NO_SUCH_VERSION);
	make_version(s);
	scratch_create(s, "later");
	ck_assert_int_eq(get_state(s, "later", "1", &op), ERR_NO_SUCH_LAYER);
	ck_assert_str_eq(op.err.detail, "version 1 of model \"m\" has no layer \"later\"");
	ck_assert_int_eq(get_state(s, "l", "1", &op), ERR_NONE);
	ck_assert_uint_eq(op.get.snapshot->version, 1);
	ck_assert_mem_eq(op.get.snapshot->version_digest, some_digest, SHA256_BYTES);
	store_op_fini(&op);
	/* From the cache, until it is deleted. */
	ck_assert_int_eq(delete_version(s, "1"), ERR_NONE);
	ck_assert_ptr_null(store_layer_cached(
	    s, &(struct store_get){ .model = "m", .layer = "l", .which = { STORE_NAMED, .name = "1" } }));
	ck_assert_int_eq(get_state(s, "l", "1", &op), ERR_NO_SUCH_VERSION);
	ck_assert_int_eq(delete_version(s, "1"), ERR_NO_SUCH_VERSION);
	ck_assert_int_eq(delete_version(s, "live"), ERR_NO_SUCH_VERSION);
	ck_assert_int_eq(delete_version(s, "champion"), ERR_NO_SUCH_ALIAS);
	store_close(s);
}
END_TEST

START_TEST(what_is_in_use_is_not_deleted)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	make_version(s);
	make_version(s);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_SERVE, .version = { .name = "1", .note = "" } });
	(void)scratch_write(
	    s, (struct store_write){ .kind = STORE_ALIAS_PUT, .version = { .name = "2", .alias = "champion" } });
	ck_assert_int_eq(delete_version(s, "1"), ERR_VERSION_IN_USE);
	ck_assert_int_eq(delete_version(s, "2"), ERR_VERSION_IN_USE);
	ck_assert_int_eq(delete_version(s, "champion"), ERR_VERSION_IN_USE);
	(void)scratch_write(s, (struct store_write){ .kind = STORE_SERVE, .version = { .name = "live", .note = "" } });
	(void)scratch_write(s, (struct store_write){ .kind = STORE_ALIAS_DELETE, .version = { .alias = "champion" } });
	ck_assert_int_eq(delete_version(s, "1"), ERR_NONE);
	ck_assert_int_eq(delete_version(s, "2"), ERR_NONE);
	store_close(s);
}
END_TEST

/* ---- keys */

static struct scratch_change
keyed(struct store *s, const char *key, const char *digest, struct scratch_change c)
{
	c.op.change.key = key;
	memcpy(c.op.change.key_digest, digest, DIGEST_BYTES);
	return scratch_run_change(s, c);
}

static const char digest_a[DIGEST_BYTES] = "a", digest_b[DIGEST_BYTES] = "b";

static struct scratch_change
keyed_pin(struct store *s, const char *digest, struct store_version *made)
{
	return keyed(s, "k", digest, (struct scratch_change){ .write = { .kind = STORE_PIN, .version.made = made } });
}

static struct scratch_change
keyed_make(struct store *s, struct store_pin *pin, struct store_version *made)
{
	return keyed(s, "k", digest_a,
	    (struct scratch_change){
		.write = { .kind = STORE_VERSION_MAKE,
		    .version = { .pin = pin, .note = "n", .digest = some_digest, .made = made } } });
}

static void
assert_repeated(const struct scratch_change *c, const struct store_version *made, uint64_t number)
{
	ck_assert_int_eq(c->op.err.code, ERR_NONE);
	ck_assert(c->op.change.repeated);
	ck_assert_uint_eq(made->number, number);
	ck_assert_str_eq(made->note, "n");
	ck_assert_mem_eq(made->digest, some_digest, SHA256_BYTES);
}

/* Also after the version is deleted: the key is remembered for its lifetime. */
START_TEST(a_key_makes_one_version)
{
	struct store *s = scratch_open();
	struct store_version made = { 0 };
	struct store_pin *pins[2];
	struct scratch_change c;

	scratch_create(s, "l");
	for (int i = 0; i < 2; i++) { /* two that do not know of each other */
		c = keyed_pin(s, digest_a, &made);
		ck_assert(!c.op.change.repeated);
		pins[i] = c.write.version.pin;
	}
	c = keyed_make(s, pins[0], &made);
	ck_assert(!c.op.change.repeated);
	ck_assert_uint_eq(made.number, 1);
	made = (struct store_version){ 0 };
	c = keyed_make(s, pins[1], &made);
	assert_repeated(&c, &made, 1);
	store_pin_release(pins[0]);
	store_pin_release(pins[1]);
	for (int i = 0; i < 3; i++) {
		made = (struct store_version){ 0 };
		c = keyed_pin(s, digest_a, &made);
		assert_repeated(&c, &made, 1);
		ck_assert_ptr_null(c.write.version.pin);
		c = keyed_pin(s, digest_b, &made);
		ck_assert_int_eq(c.op.err.code, ERR_IDEMPOTENCY_MISMATCH);
		ck_assert_ptr_null(c.write.version.pin);
		if (i == 0)
			ck_assert_int_eq(delete_version(s, "1"), ERR_NONE);
		s = scratch_pass_time(s);
		let_chores_work(s);
	}
	store_close(s);
	ck_assert_int_eq(scratch_ask("SELECT count(*) FROM version"), 1);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("versions");
	TCase *t = tcase_create("versions");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_loop_test(t, versions_and_pins_hold_what_was_committed, 0, scratch_rounds(6));
	tcase_add_test(t, a_version_costs_the_layers_that_have_changed_since_the_last);
	scratch_add_of_sqlite(t, the_versions_of_a_deleted_model_go_in_slices);
	tcase_add_test(t, a_layer_without_versions_is_never_kept);
	scratch_add_of_sqlite(t, pins_of_a_daemon_that_was_killed_are_dropped);
	scratch_add_of_sqlite(t, versions_in_any_order_are_forgotten_but_for_their_keys);
	tcase_add_test(t, numbers_never_come_back);
	tcase_add_test(t, a_model_without_layers_has_no_versions);
	tcase_add_test(t, a_pin_whose_model_was_deleted_becomes_no_version);
	tcase_add_test(t, what_a_version_lacks_is_told_apart);
	tcase_add_test(t, what_is_in_use_is_not_deleted);
	tcase_add_test(t, a_key_makes_one_version);
	suite_add_tcase(s, t);
	return s;
}
