/* SPDX-License-Identifier: MIT */
/*
 * Where the ranks of synchronized steps meet (sync/meeting.h), in the tables normd_step and normd_shard. A visit locks
 * the step's row, so that one daemon at a time decides: a step cannot be led and given up at once. All times are the
 * database's.
 */
#include "storage/pg_steps.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/pg_backend.h"
#include "sync/meeting.h"

/* A daemon that leads for longer has ended, or cannot reach the database: another one leads. */
#define LEAD_MS "3000"

#define NOW_MS "CAST(floor(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS bigint)"
#define OF_STEP " WHERE model = $1 AND layer_id = $2 AND backward = $3 AND step = $4"
#define STEP_PARAMS 4
#define LOOKS_AT_ONCE ((size_t)64)
#define TRIES 5

struct pg_steps {
	struct meeting meeting; /* first */
	char *url;
	struct pg_link *link;
};

/* The row of a step, as a visit finds it, and what the visit makes of it. */
struct row {
	PGresult *step, *ranks; /* no row of `step`: there is none */
	bool again;             /* an old one is in the way, which is forgotten: visit once more */
};

enum { TURN, WORLD_SIZE, FEATURES, STATE, CHANGES, BATCHES, REVISION, RESULT, CODE, DETAIL, LATE, LED_LONG };

static const char select_step[] =
    "SELECT turn, world_size, features, state, changes, num_batches_tracked, revision, result, code, detail,"
    " CAST(CASE WHEN " NOW_MS " > until_ms THEN 1 ELSE 0 END AS bigint),"
    " CAST(CASE WHEN " NOW_MS " > led_ms + " LEAD_MS " THEN 1 ELSE 0 END AS bigint)"
    " FROM normd_step" OF_STEP;

static void
step_params(struct pg_params *p, const struct meeting_step *step)
{
	memset(p, 0, sizeof(*p));
	pg_text(p, step->model);
	pg_int(p, step->layer_id);
	pg_int(p, step->backward);
	pg_text(p, step->step);
}

/* ---- what a visit finds */

static void
send_begin(struct pg_link *l, const struct meeting_visit *v)
{
	static const char insert[] = "INSERT INTO normd_step(model, layer_id, backward, step, turn, world_size, "
				     "features, state, changes, until_ms, led_ms)"
				     " VALUES($1, $2, $3, $4, $5, $6, $7, $8, 0, " NOW_MS " + $9, 0)"
				     " ON CONFLICT (model, layer_id, backward, step) DO NOTHING";
	static const char lock[] = "SELECT turn FROM normd_step" OF_STEP " FOR UPDATE";
	static const char ranks[] = "SELECT rank, digest FROM normd_shard" OF_STEP " ORDER BY rank";
	struct pg_params p;

	step_params(&p, &v->step);
	pg_link_send(l, "BEGIN", NULL, -1);
	if (v->step.turn == 0 && !v->known_only) {
		pg_int(&p, pg_random_id());
		pg_int(&p, v->world_size);
		pg_int(&p, (int64_t)v->features);
		pg_int(&p, MEETING_FILLS);
		pg_int(&p, v->timeout_ms);
		pg_link_send(l, insert, &p, -1);
		p.count = STEP_PARAMS;
	}
	pg_link_send(l, lock, &p, -1);
	pg_link_send(l, select_step, &p, -1); /* as it is when the lock is held */
	pg_link_send(l, ranks, &p, -1);
}

static bool
has_rank(const struct row *row, unsigned rank, int *at)
{
	for (*at = 0; *at < PQntuples(row->ranks); ++*at)
		if (pg_get_int(row->ranks, *at, 0) == rank)
			return true;
	return false;
}

static bool
has_shard(const struct row *row, unsigned rank, const unsigned char digest[DIGEST_BYTES])
{
	int at;

	return has_rank(row, rank, &at) && PQgetlength(row->ranks, at, 1) == DIGEST_BYTES &&
	    memcmp(PQgetvalue(row->ranks, at, 1), digest, DIGEST_BYTES) == 0;
}

static const struct meeting_shard *
first_of_another_step(const struct row *row, const struct meeting_visit *v)
{
	for (size_t i = 0; i < v->bring_count; i++)
		if (!has_shard(row, v->bring[i].rank, v->bring[i].digest))
			return &v->bring[i];
	return NULL;
}

static int
check_fits(const struct row *row, const struct meeting_visit *v, struct err *e)
{
	const long long world_size = pg_get_int(row->step, 0, WORLD_SIZE),
			features = pg_get_int(row->step, 0, FEATURES);

	if (world_size != v->world_size)
		return err_fail(e, ERR_BAD_PARAMETER, "step \"%s\" has a world_size of %lld, not %u", v->step.step,
		    world_size, v->world_size);
	if ((size_t)features != v->features)
		return err_fail(e, ERR_SHAPE_MISMATCH, "the other shards of step \"%s\" have %lld feature%s, not %zu",
		    v->step.step, features, err_plural((uint64_t)features), v->features);
	return 0;
}

/* ---- what it changes; everything is sent, and awaited with COMMIT */

static void
send_delete(struct pg_link *l, const struct meeting_visit *v)
{
	struct pg_params p;

	step_params(&p, &v->step);
	pg_link_send(l, "DELETE FROM normd_shard" OF_STEP, &p, -1);
	pg_link_send(l, "DELETE FROM normd_step" OF_STEP, &p, -1);
}

static void
send_shards(struct pg_link *l, const struct meeting_visit *v)
{
	static const char put[] = "INSERT INTO normd_shard(model, layer_id, backward, step, rank, digest, shard) "
				  "VALUES($1, $2, $3, $4, $5, $6, $7)"
				  " ON CONFLICT (model, layer_id, backward, step, rank)"
				  " DO UPDATE SET digest = excluded.digest, shard = excluded.shard";
	struct pg_params p;

	for (size_t i = 0; i < v->leave_count; i++) {
		step_params(&p, &v->step);
		pg_int(&p, v->leave[i]);
		pg_link_send(l, "DELETE FROM normd_shard" OF_STEP " AND rank = $5", &p, -1);
	}
	for (size_t i = 0; i < v->bring_count; i++) {
		step_params(&p, &v->step);
		pg_int(&p, v->bring[i].rank);
		pg_bytes(&p, v->bring[i].digest, DIGEST_BYTES);
		pg_bytes(&p, v->bring[i].bytes, v->bring[i].length);
		pg_link_send(l, put, &p, -1);
	}
}

/* The step is led by this daemon, or in backward, which stores nothing, is done. */
static void
send_lead(struct pg_link *l, struct meeting_visit *v)
{
	struct pg_params p;

	step_params(&p, &v->step);
	v->state = v->step.backward ? MEETING_DONE : MEETING_LED;
	v->leads = true;
	pg_int(&p, v->state);
	pg_int(&p, v->timeout_ms);
	pg_link_send(
	    l, "UPDATE normd_step SET state = $5, led_ms = " NOW_MS ", until_ms = " NOW_MS " + $6" OF_STEP, &p, 1);
}

/* Ranks that come with another shard take the place of calls that other daemons must let go. */
static void
note_replaced(struct pg_link *l, const struct row *row, struct meeting_visit *v)
{
	bool any = false;
	struct pg_params p;
	int at;

	for (size_t i = 0; i < v->bring_count; i++)
		any = any ||
		    (has_rank(row, v->bring[i].rank, &at) && !has_shard(row, v->bring[i].rank, v->bring[i].digest));
	if (!any)
		return;
	step_params(&p, &v->step);
	v->changes++;
	pg_link_send(l, "UPDATE normd_step SET changes = changes + 1" OF_STEP, &p, 1);
}

static unsigned
count_after(const struct row *row, const struct meeting_visit *v)
{
	unsigned count = (unsigned)PQntuples(row->ranks);
	int at;

	for (size_t i = 0; i < v->leave_count; i++)
		count -= has_rank(row, v->leave[i], &at);
	for (size_t i = 0; i < v->bring_count; i++) {
		bool left = false;

		for (size_t k = 0; k < v->leave_count; k++)
			left = left || v->leave[k] == v->bring[i].rank;
		count += left || !has_rank(row, v->bring[i].rank, &at);
	}
	return count;
}

/* A step that fills: its shards are brought, and the daemon that brings the last one leads. */
static int
fill(struct pg_link *l, const struct row *row, struct meeting_visit *v, struct err *e)
{
	const unsigned arrived = count_after(row, v);

	if (check_fits(row, v, e) < 0)
		return -1;
	v->state = MEETING_FILLS;
	if (arrived == 0) {
		send_delete(l, v);
		v->state = MEETING_GONE;
		return 0;
	}
	note_replaced(l, row, v);
	send_shards(l, v);
	if (arrived == v->world_size)
		send_lead(l, v);
	return 0;
}

static void
forget(struct pg_link *l, struct row *row, const struct meeting_visit *v)
{
	send_delete(l, v);
	row->again = true;
}

/* A step that is led, or has ended. */
static int
follow(struct pg_link *l, struct row *row, struct meeting_visit *v, bool is_new, struct err *e)
{
	const struct meeting_shard *other = first_of_another_step(row, v);

	v->state = (enum meeting_state)pg_get_int(row->step, 0, STATE);
	if (v->state == MEETING_LED && other != NULL)
		return err_fail(e, ERR_SYNC_INCOMPLETE, "step \"%s\" is being finished with another shard of rank %u",
		    v->step.step, other->rank);
	if (is_new && v->state != MEETING_LED &&
	    (other != NULL || v->state == MEETING_FAILED || pg_get_int(row->step, 0, LATE) != 0)) {
		forget(l, row, v);
		return 0;
	}
	if (is_new && check_fits(row, v, e) < 0)
		return -1;
	if (v->state == MEETING_LED && pg_get_int(row->step, 0, LED_LONG) != 0)
		send_lead(l, v);
	return 0;
}

/* The step has not filled in time, and so has failed for all its ranks. */
static void
expire(struct pg_link *l, const struct row *row, struct meeting_visit *v)
{
	struct err *err = &v->result.err;
	struct pg_params p;

	v->state = MEETING_FAILED;
	err_set(err, ERR_SYNC_INCOMPLETE, "step \"%s\" did not fill within %u ms: %d of %u ranks came", v->step.step,
	    v->timeout_ms, PQntuples(row->ranks), v->world_size);
	step_params(&p, &v->step);
	pg_int(&p, MEETING_FAILED);
	pg_text(&p, err_row(err->code)->code);
	pg_text(&p, err->detail);
	pg_int(&p, v->timeout_ms);
	pg_link_send(
	    l, "UPDATE normd_step SET state = $5, code = $6, detail = $7, until_ms = " NOW_MS " + $8" OF_STEP, &p, 1);
}

static int
decide(struct pg_link *l, struct row *row, struct meeting_visit *v, struct err *e)
{
	const bool is_new = v->step.turn == 0;
	const int64_t turn = PQntuples(row->step) == 0 ? 0 : pg_get_int(row->step, 0, TURN);

	v->state = MEETING_GONE;
	v->leads = false;
	row->again = turn == 0 && is_new && !v->known_only; /* it was deleted just before it was locked */
	if (turn == 0 || (!is_new && turn != v->step.turn))
		return 0;
	v->changes = pg_get_int(row->step, 0, CHANGES);
	for (size_t i = 0; i < v->have_count; i++)
		v->have[i].replaced = !has_shard(row, v->have[i].rank, v->have[i].digest);
	if (pg_get_int(row->step, 0, STATE) != MEETING_FILLS) {
		v->step.turn = turn;
		return follow(l, row, v, is_new, e);
	}
	if (pg_get_int(row->step, 0, LATE) == 0) {
		v->step.turn = turn;
		return fill(l, row, v, e);
	}
	if (is_new) /* of daemons that have ended: nobody waits for it */
		forget(l, row, v);
	else
		expire(l, row, v);
	return 0;
}

/* ---- what it gives */

static int
take_shards(const PGresult *r, struct meeting_visit *v, struct err *e)
{
	if ((unsigned)PQntuples(r) != v->world_size)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "the shards of step \"%s\" are incomplete", v->step.step);
	v->shards = calloc(v->world_size, sizeof(*v->shards));
	if (v->shards == NULL)
		return err_fail_memory(e);
	for (unsigned i = 0; i < v->world_size; i++) {
		struct meeting_shard *s = &v->shards[i];

		s->rank = i;
		s->length = (size_t)PQgetlength(r, (int)i, 0);
		s->bytes = malloc(s->length + 1);
		if (s->bytes == NULL)
			return err_fail_memory(e);
		memcpy(s->bytes, PQgetvalue(r, (int)i, 0), s->length);
	}
	return 0;
}

/* ERR_NONE: this program has no such error. */
static enum err_code
code_of(const char *name)
{
	for (int code = ERR_NONE + 1; code < ERR_COUNT; code++)
		if (strcmp(err_row((enum err_code)code)->code, name) == 0)
			return (enum err_code)code;
	return ERR_NONE;
}

static int
take_result(const PGresult *r, struct meeting_visit *v, struct err *e)
{
	struct meeting_result *result = &v->result;

	result->num_batches_tracked = (uint64_t)pg_get_int(r, 0, BATCHES);
	result->revision = (uint64_t)pg_get_int(r, 0, REVISION);
	if (v->state == MEETING_FAILED && result->err.code == ERR_NONE) {
		const enum err_code code = code_of(PQgetvalue(r, 0, CODE));

		err_set(&result->err, code != ERR_NONE ? code : ERR_SYNC_INCOMPLETE, "%s", PQgetvalue(r, 0, DETAIL));
	}
	return pg_get_doubles(r, 0, RESULT, &result->state, &result->state_count, e);
}

static int
end_visit(struct pg_link *l, const struct row *row, struct meeting_visit *v, struct err *e)
{
	static const char shards[] = "SELECT shard FROM normd_shard" OF_STEP " ORDER BY rank";
	const bool wants_shards = !row->again && (v->state == MEETING_LED || v->state == MEETING_DONE);
	struct pg_params p;
	PGresult *results[2] = { NULL, NULL };
	int result;

	step_params(&p, &v->step);
	if (wants_shards)
		pg_link_send(l, shards, &p, -1);
	pg_link_send(l, "COMMIT", NULL, -1);
	if (pg_link_wait(l, results, wants_shards ? 2 : 0, e) < 0)
		return -1;
	result = wants_shards ? take_shards(results[0], v, e) : 0;
	if (result == 0 && !row->again && (v->state == MEETING_FAILED || (v->state == MEETING_DONE && !v->leads)))
		result = take_result(row->step, v, e);
	PQclear(results[0]);
	PQclear(results[1]);
	return result;
}

static void
roll_back(struct pg_link *l)
{
	PGresult *none[1];
	struct err ignored;

	if (!pg_link_stands(l))
		return;
	pg_link_send(l, "ROLLBACK", NULL, -1);
	if (pg_link_wait(l, none, 0, &ignored) < 0)
		pg_link_hang_up(l);
}

/* A visit that was made after all, though its answer was lost, is a repeat the next time. */
static bool
may_retry(const struct pg_link *l)
{
	return pg_link_failure(l) == PG_AGAIN || pg_link_failure(l) == PG_LOST;
}

static int
visit_once(struct pg_link *l, struct meeting_visit *v, bool *again, struct err *e)
{
	const int64_t turn = v->step.turn;
	struct row row = { 0 };
	PGresult *results[2];
	bool fresh, decided;
	int result = -1;

	*again = false;
	if (pg_link_connect(l, &fresh, e) < 0)
		return -1;
	send_begin(l, v);
	if (pg_link_wait(l, results, 2, e) == 0) {
		row.step = results[0];
		row.ranks = results[1];
		decided = decide(l, &row, v, e) == 0;
		result = decided ? end_visit(l, &row, v, e) : -1;
		*again = decided && (result == 0 ? row.again : may_retry(l));
		PQclear(row.step);
		PQclear(row.ranks);
	} else {
		*again = may_retry(l);
	}
	if (result < 0)
		roll_back(l);
	if (*again || result < 0)
		v->step.turn = turn;
	return result;
}

static int
visit(struct meeting *m, struct meeting_visit *v, struct err *e)
{
	struct pg_steps *s = (struct pg_steps *)m;
	bool again = true;
	int result = -1;

	for (int i = 0; i < TRIES && again; i++)
		result = visit_once(s->link, v, &again, e);
	if (result == 0 && again)
		return err_fail(e, ERR_STORAGE_UNAVAILABLE, "step \"%s\" is begun anew again and again", v->step.step);
	return result;
}

/* ---- the others */

static int
look_some(struct pg_link *l, struct meeting_look *list, size_t count, struct err *e)
{
	PGresult *results[LOOKS_AT_ONCE];
	struct pg_params p;

	for (size_t i = 0; i < count; i++) {
		step_params(&p, &list[i].step);
		pg_link_send(l, select_step, &p, -1);
	}
	if (pg_link_wait(l, results, count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		const PGresult *r = results[i];

		list[i].state = MEETING_GONE;
		list[i].late = false;
		list[i].changes = 0;
		if (PQntuples(r) == 1 && pg_get_int(r, 0, TURN) == list[i].step.turn) {
			list[i].state = (enum meeting_state)pg_get_int(r, 0, STATE);
			list[i].changes = pg_get_int(r, 0, CHANGES);
			list[i].late = pg_get_int(r, 0, list[i].state == MEETING_LED ? LED_LONG : LATE) != 0;
		}
		PQclear(results[i]);
	}
	return 0;
}

static int
look(struct meeting *m, struct meeting_look *list, size_t count, struct err *e)
{
	struct pg_steps *s = (struct pg_steps *)m;
	bool fresh;

	if (pg_link_connect(s->link, &fresh, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i += LOOKS_AT_ONCE)
		if (look_some(s->link, list + i, count - i < LOOKS_AT_ONCE ? count - i : LOOKS_AT_ONCE, e) < 0)
			return -1;
	return 0;
}

static int
tell(struct meeting *m, const struct meeting_step *step, unsigned timeout_ms, const struct meeting_result *result,
    struct err *e)
{
	static const char sql[] =
	    "UPDATE normd_step SET state = $5, num_batches_tracked = $6, revision = $7, result = $8, code = $9,"
	    " detail = $10, until_ms = " NOW_MS " + $11" OF_STEP " AND turn = $12";
	struct pg_steps *s = (struct pg_steps *)m;
	const bool failed = result->err.code != ERR_NONE;
	struct arena scratch = { 0 };
	struct pg_params p;
	PGresult *none[1];
	bool fresh;
	int done;

	step_params(&p, step);
	pg_int(&p, failed ? MEETING_FAILED : MEETING_DONE);
	pg_int(&p, (int64_t)result->num_batches_tracked);
	pg_int(&p, (int64_t)result->revision);
	pg_doubles(&p, &scratch, result->state, result->state_count);
	pg_text(&p, failed ? err_row(result->err.code)->code : NULL);
	pg_text(&p, failed ? result->err.detail : NULL);
	pg_int(&p, timeout_ms);
	pg_int(&p, step->turn);
	done = pg_link_connect(s->link, &fresh, e);
	if (done == 0) {
		pg_link_send(s->link, sql, &p, -1);
		done = pg_link_wait(s->link, none, 0, e);
	}
	arena_fini(&scratch);
	return done;
}

/* A step that fills is given up by its daemons; those of daemons that have ended are left. */
static void
purge(struct meeting *m)
{
	static const char shards[] =
	    "DELETE FROM normd_shard WHERE EXISTS (SELECT 1 FROM normd_step s WHERE s.model = normd_shard.model"
	    " AND s.layer_id = normd_shard.layer_id AND s.backward = normd_shard.backward AND s.step = normd_shard.step"
	    " AND s.until_ms < " NOW_MS " - 60000)";
	static const char steps[] = "DELETE FROM normd_step WHERE until_ms < " NOW_MS " - 60000";
	struct pg_steps *s = (struct pg_steps *)m;
	PGresult *none[1];
	struct err ignored;
	bool fresh;

	if (pg_link_connect(s->link, &fresh, &ignored) < 0)
		return;
	pg_link_send(s->link, "BEGIN", NULL, -1);
	pg_link_send(s->link, shards, NULL, -1);
	pg_link_send(s->link, steps, NULL, -1);
	pg_link_send(s->link, "COMMIT", NULL, -1);
	if (pg_link_wait(s->link, none, 0, &ignored) < 0)
		roll_back(s->link);
}

static void
close_steps(struct meeting *m)
{
	struct pg_steps *s = (struct pg_steps *)m;

	pg_link_free(s->link);
	free(s->url);
	free(s);
}

struct meeting *
pg_steps_open(const char *url, struct err *e)
{
	struct pg_steps *s = calloc(1, sizeof(*s));

	if (s == NULL)
		goto fail;
	s->meeting = (struct meeting){ visit, look, tell, purge, close_steps };
	s->url = strdup(url);
	s->link = s->url == NULL ? NULL : pg_link_new(s->url);
	if (s->link != NULL)
		return &s->meeting;
	free(s->url);
fail:
	free(s);
	err_set_memory(e);
	return NULL;
}
