/* SPDX-License-Identifier: MIT */
/* What serves and aliases, through the store's door: within a batch, beside versions and models that are deleted. */
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/gate.h"
#include "tests/unit/scratch_store.h"
#include "tests/unit/unit.h"

/* Model "m" with layer "l" and two versions of it. */
static struct store *
open_with_versions(void)
{
	struct store *s = scratch_open();

	scratch_create(s, "l");
	ck_assert_uint_eq(scratch_make_version(s), 1);
	ck_assert_uint_eq(scratch_make_version(s), 2);
	return s;
}

/* The version that a state of layer "l" is of, when the layer is read so; or why it cannot be. */
static enum err_code
read_version(struct store *s, struct store_which which, uint64_t *version)
{
	struct store_op op = scratch_run(
	    s, (struct store_op){ .kind = STORE_LAYER_GET, .get = { .model = "m", .layer = "l", .which = which } });
	const struct snapshot *cached =
	    store_layer_cached(s, &(struct store_get){ .model = "m", .layer = "l", .which = which });
	const enum err_code code = op.err.code;

	*version = code == ERR_NONE ? op.get.snapshot->version : 0;
	ck_assert_int_eq(cached != NULL, code == ERR_NONE);
	if (cached != NULL)
		ck_assert_uint_eq(cached->version, *version);
	snapshot_unref(cached);
	store_op_fini(&op);
	return code;
}

static void
assert_serves(struct store *s, uint64_t expected)
{
	uint64_t version;

	ck_assert_int_eq(read_version(s, (struct store_which){ .kind = STORE_SERVING }, &version), ERR_NONE);
	ck_assert_uint_eq(version, expected);
}

/* 0: there is no such alias. */
static void
assert_alias(struct store *s, const char *name, uint64_t expected)
{
	uint64_t version;

	ck_assert_int_eq(read_version(s, (struct store_which){ .kind = STORE_NAMED, .name = name }, &version),
	    expected != 0 ? ERR_NONE : ERR_NO_SUCH_ALIAS);
	ck_assert_uint_eq(version, expected);
}

/* The switches, the latest first, as "FROM>TO NOTE" each with a semicolon behind it. */
static void
assert_history(struct store *s, const char *expected)
{
	struct store_op op =
	    scratch_run(s, (struct store_op){ .kind = STORE_SWITCHES_GET, .switches = { .model = "m", .limit = 100 } });
	char text[1024];
	size_t len = 0;

	ck_assert_msg(op.err.code == ERR_NONE, "%s", op.err.detail);
	text[0] = '\0';
	for (size_t i = 0; i < op.switches.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%d>%d %s;", (int)op.switches.entries[i].from,
		    (int)op.switches.entries[i].to, op.switches.entries[i].note);
	ck_assert_str_eq(text, expected);
	store_op_fini(&op);
}

/* One change of a batch: a write, and what it comes to. */
struct step {
	enum store_write_kind kind;
	const char *name, *alias;
	enum err_code code;
	uint64_t number; /* what serves then, or what the alias names */
	bool created;    /* the alias */
};

#define SERVE(name, code, number) \
	{ \
		STORE_SERVE, name, NULL, code, number, false \
	}
#define ALIAS(alias, name, code, number, created) \
	{ \
		STORE_ALIAS_PUT, name, alias, code, number, created \
	}
#define UNALIAS(alias, code) \
	{ \
		STORE_ALIAS_DELETE, NULL, alias, code, 0, false \
	}
#define UNMAKE(name, code) \
	{ \
		STORE_VERSION_DELETE, name, NULL, code, 0, false \
	}
#define STEPS_MAX 32

static void
submit_step(struct store *s, const struct step *step, struct scratch_change *c, struct store_switch *switched)
{
	c->write = (struct store_write){ .kind = step->kind };
	if (step->kind == STORE_LAYER_CREATE)
		c->write.create.definition = "d";
	else if (step->kind != STORE_MODEL_DELETE)
		c->write.version = (struct store_version_write){
			.name = step->name, .alias = step->alias, .note = step->name, .switched = switched
		};
	scratch_submit_change(s, c);
}

static void
check_step(int i, const struct step *step, struct scratch_change *c, const struct store_switch *switched)
{
	ck_assert_msg(c->op.err.code == step->code, "step %d: %s", i, c->op.err.detail);
	if (step->code != ERR_NONE)
		return;
	if (step->kind == STORE_SERVE)
		ck_assert_uint_eq(switched->to, step->number);
	if (step->kind == STORE_ALIAS_PUT) {
		ck_assert_uint_eq(c->write.version.number, step->number);
		ck_assert_int_eq(c->write.result.created, step->created);
	}
	store_op_fini(&c->op);
}

/* In one batch, or each in a batch of its own. */
static void
run_steps(struct store *s, const struct step *steps, int count, bool together)
{
	struct scratch_change changes[STEPS_MAX] = { 0 };
	struct store_switch switched[STEPS_MAX] = { 0 };
	struct gate gate;
	struct store_op stop = gate_init(&gate);

	if (together) {
		scratch_submit(s, &stop);
		sem_wait(&gate.reached);
	}
	for (int i = 0; i < count; i++) {
		submit_step(s, &steps[i], &changes[i], &switched[i]);
		if (!together)
			scratch_wait(1);
	}
	if (together) {
		sem_post(&gate.open);
		scratch_wait((unsigned)count);
	}
	for (int i = 0; i < count; i++)
		check_step(i, &steps[i], &changes[i], &switched[i]);
	gate_fini(&gate);
}

#define COUNT(array) ((int)(sizeof(array) / sizeof(array[0])))

/* Each sees the results of those before it; the cache, which knew what was before, knows the end. */
START_TEST(switches_aliases_and_deletions_see_each_other)
{
	static const struct step steps[] = {
		SERVE("live", ERR_NONE, 0),
		SERVE("previous", ERR_NO_SUCH_VERSION, 0),
		SERVE("1", ERR_NONE, 1),
		SERVE("previous", ERR_NONE, 0),
		SERVE("2", ERR_NONE, 2),
		SERVE("2", ERR_NONE, 2),
		SERVE("3", ERR_NO_SUCH_VERSION, 0),
		SERVE("a", ERR_NO_SUCH_ALIAS, 0),
		ALIAS("a", "1", ERR_NONE, 1, true),
		ALIAS("b", "a", ERR_NONE, 1, true),
		SERVE("a", ERR_NONE, 1),
		ALIAS("a", "2", ERR_NONE, 2, false),
		ALIAS("a", "2", ERR_NONE, 2, false),
		UNMAKE("1", ERR_VERSION_IN_USE), /* serves */
		SERVE("live", ERR_NONE, 0),
		UNMAKE("1", ERR_VERSION_IN_USE), /* b */
		UNALIAS("b", ERR_NONE),
		UNALIAS("b", ERR_NO_SUCH_ALIAS),
		UNMAKE("1", ERR_NONE),
		UNMAKE("1", ERR_NO_SUCH_VERSION),
		SERVE("previous", ERR_NO_SUCH_VERSION, 0),
		ALIAS("b", "1", ERR_NO_SUCH_VERSION, 0, false),
		ALIAS("b", "live", ERR_NO_SUCH_VERSION, 0, false),
		UNMAKE("2", ERR_VERSION_IN_USE), /* a */
		UNMAKE("a", ERR_VERSION_IN_USE),
		SERVE("a", ERR_NONE, 2),
	};
	struct store *s = open_with_versions();

	assert_serves(s, 0);
	assert_alias(s, "a", 0);
	assert_alias(s, "b", 0);
	run_steps(s, steps, COUNT(steps), _i == 1);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_serves(s, 2);
		assert_alias(s, "a", 2);
		assert_alias(s, "b", 0);
		assert_history(s, "0>2 a;1>0 live;2>1 a;0>2 2;1>0 previous;0>1 1;");
		store_close(s);
		ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
		s = scratch_open();
	}
	store_close(s);
}
END_TEST

/* A new model of the same name serves live, and has no aliases, though the cache knew those of the old one. */
START_TEST(a_model_that_is_deleted_and_made_again)
{
	static const struct step before[] = { SERVE("2", ERR_NONE, 2), ALIAS("a", "1", ERR_NONE, 1, true) };
	static const struct step steps[] = {
		SERVE("1", ERR_NONE, 1),
		ALIAS("b", "2", ERR_NONE, 2, true),
		{ .kind = STORE_MODEL_DELETE },
		SERVE("live", ERR_NO_SUCH_MODEL, 0),
		UNALIAS("a", ERR_NO_SUCH_MODEL),
		{ .kind = STORE_LAYER_CREATE },
		SERVE("live", ERR_NONE, 0),
		SERVE("1", ERR_NO_SUCH_VERSION, 0),
		SERVE("previous", ERR_NO_SUCH_VERSION, 0),
		ALIAS("a", "1", ERR_NO_SUCH_VERSION, 0, false),
		UNALIAS("b", ERR_NO_SUCH_ALIAS),
	};
	struct store *s = open_with_versions();

	run_steps(s, before, COUNT(before), false);
	assert_serves(s, 2);
	assert_alias(s, "a", 1);
	run_steps(s, steps, COUNT(steps), _i == 1);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_serves(s, 0);
		assert_alias(s, "a", 0);
		assert_alias(s, "b", 0);
		assert_history(s, "");
		store_close(s);
		s = scratch_open();
	}
	ck_assert_uint_eq(scratch_make_version(s), 3);
	store_close(s);
	ck_assert_msg(scratch_check() == 0, "%s", scratch_found);
}
END_TEST

/* Lists in pages, and one. */
START_TEST(aliases_and_switches_in_pages)
{
	static const struct step before[] = { ALIAS("a", "1", ERR_NONE, 1, true), ALIAS("c", "2", ERR_NONE, 2, true),
		ALIAS("b", "1", ERR_NONE, 1, true), SERVE("1", ERR_NONE, 1), SERVE("2", ERR_NONE, 2),
		SERVE("live", ERR_NONE, 0) };
	struct store *s = open_with_versions();
	struct store_op op;
	const uint64_t to[] = { 0, 2, 1 };
	const char *after = NULL;
	char last[STORE_NAME_MAX + 1];
	int64_t id = 0;

	run_steps(s, before, COUNT(before), true);
	for (int i = 0; i < 3; i++) {
		op = scratch_run(s,
		    (struct store_op){
			.kind = STORE_ALIASES_GET, .aliases = { .model = "m", .after = after, .limit = 1 } });
		ck_assert_uint_eq(op.aliases.count, 1);
		ck_assert_int_eq(op.aliases.more, i < 2);
		ck_assert_int_eq(op.aliases.entries->name[0], "abc"[i]);
		ck_assert_uint_eq(op.aliases.entries->number, i < 2 ? 1 : 2);
		after = strcpy(last, op.aliases.entries->name);
		store_op_fini(&op);
		op = scratch_run(s,
		    (struct store_op){
			.kind = STORE_SWITCHES_GET, .switches = { .model = "m", .before = id, .limit = 1 } });
		ck_assert_uint_eq(op.switches.count, 1);
		ck_assert_int_eq(op.switches.more, i < 2);
		ck_assert_uint_eq(op.switches.entries->to, to[i]);
		id = op.switches.entries->id;
		store_op_fini(&op);
	}
	op = scratch_run(
	    s, (struct store_op){ .kind = STORE_ALIASES_GET, .aliases = { .model = "m", .name = "c", .limit = 1 } });
	ck_assert_uint_eq(op.aliases.count, 1);
	ck_assert_uint_eq(op.aliases.entries->number, 2);
	store_op_fini(&op);
	op = scratch_run(
	    s, (struct store_op){ .kind = STORE_ALIASES_GET, .aliases = { .model = "m", .name = "d", .limit = 1 } });
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_ALIAS);
	store_op_fini(&op);
	op = scratch_run(
	    s, (struct store_op){ .kind = STORE_SWITCHES_GET, .switches = { .model = "none", .limit = 1 } });
	ck_assert_int_eq(op.err.code, ERR_NO_SUCH_MODEL);
	store_op_fini(&op);
	store_close(s);
}
END_TEST

START_TEST(the_list_of_models_says_what_serves)
{
	static const struct step to[] = { SERVE("2", ERR_NONE, 2), SERVE("1", ERR_NONE, 1),
		SERVE("live", ERR_NONE, 0) };
	struct store *s = open_with_versions();
	struct store_op op;

	(void)scratch_write(s,
	    (struct store_write){ .kind = STORE_LAYER_CREATE, .model = "n", .layer = "l", .create.definition = "d" });
	for (size_t i = 0; i < COUNT(to); i++) {
		run_steps(s, &to[i], 1, false);
		op = scratch_run(s, (struct store_op){ .kind = STORE_MODEL_LIST, .list.limit = 10 });
		ck_assert_uint_eq(op.list.count, 2);
		ck_assert_str_eq(op.list.entries[0].name, "m");
		ck_assert_uint_eq(op.list.entries[0].serving, to[i].number);
		ck_assert_str_eq(op.list.entries[1].name, "n");
		ck_assert_uint_eq(op.list.entries[1].serving, 0);
		store_op_fini(&op);
	}
	store_close(s);
}
END_TEST

static enum err_code
list_live_states(struct store *s, const char *model, bool may_be_empty)
{
	struct store_op op = scratch_run(s,
	    (struct store_op){
		.kind = STORE_STATES_GET, .states = { .model = model, .limit = 10, .may_be_empty = may_be_empty } });
	const enum err_code code = op.err.code;

	if (code == ERR_NONE)
		ck_assert_uint_eq(op.states.count, 0);
	store_op_fini(&op);
	return code;
}

START_TEST(a_model_without_layers)
{
	struct store *s = open_with_versions();

	(void)scratch_write(s, (struct store_write){ .kind = STORE_LAYER_DELETE });
	ck_assert_int_eq(list_live_states(s, "m", false), ERR_NO_SUCH_LAYER);
	ck_assert_int_eq(list_live_states(s, "m", true), ERR_NONE);
	ck_assert_int_eq(list_live_states(s, "none", true), ERR_NO_SUCH_MODEL);
	store_close(s);
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("serving");
	TCase *t = tcase_create("serving");

	tcase_add_checked_fixture(t, scratch_setup, scratch_teardown);
	tcase_add_loop_test(t, switches_aliases_and_deletions_see_each_other, 0, 2);
	tcase_add_loop_test(t, a_model_that_is_deleted_and_made_again, 0, 2);
	tcase_add_test(t, aliases_and_switches_in_pages);
	tcase_add_test(t, the_list_of_models_says_what_serves);
	tcase_add_test(t, a_model_without_layers);
	suite_add_tcase(s, t);
	return s;
}
