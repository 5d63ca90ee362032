/* SPDX-License-Identifier: MIT */
#include "handlers/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "layer/definition.h"

/* Beside the tensors a request needs some doubles per feature; features never outnumber a body's values by far. */
#define ARENA_SPARE_BYTES ((size_t)1 << 20)
/*
 * What a request with a body uses in any case: the decoder of its form, a piece of the body that waits, the handlers'
 * own.
 */
#define ADMITTED_BYTES ((size_t)48 * 1024)
/* What most requests need beside that, paid in one go. */
#define ADVANCE_BYTES ((size_t)16 * 1024)
/* Of a request without a body that is answered in a few words: paid with its connection (server/crowd.c). */
#define CREDIT_BYTES ((size_t)2 * 1024)

#define REPLY_MAX_BYTES ((size_t)1 << 31)

/* What an answer has to say of a change that was stored: counts, and what closes the object. */
#define REPLY_TAIL_BYTES ((size_t)128)

/*
 * From here on a request is long. So large a body is 32,768 values in .npy, on which training spends some 50 us, as
 * much as a change of thread may cost; so large an envelope takes 0.4 ms to parse; so many numbers take 0.2 ms to write
 * as text.
 */
#define LONG_BODY_BYTES ((size_t)128 << 10)
#define LONG_ENVELOPE_BYTES ((size_t)8 << 10)
#define LONG_VALUES ((size_t)4096)

void
request_init(struct request *rq, struct store *store, struct claims *claims, struct sync *sync, struct budget *memory,
    size_t body_max_bytes)
{
	const size_t reply_max = memory->bytes_max < REPLY_MAX_BYTES ? memory->bytes_max : REPLY_MAX_BYTES;

	memset(rq, 0, sizeof(*rq));
	rq->store = store;
	rq->claims = claims;
	rq->sync = sync;
	workspace_init(&rq->workspace, memory, 8 * body_max_bytes + ARENA_SPARE_BYTES);
	budget_credit(&rq->workspace.memory, CREDIT_BYTES);
	rq->body_max_bytes = body_max_bytes;
	rq->reply.status = 200;
	buf_init(&rq->reply.head, reply_max);
	buf_init(&rq->reply.tail, REPLY_MAX_BYTES);
	buf_init(&rq->reply.files, REPLY_MAX_BYTES);
	buf_count(&rq->reply.head, &rq->workspace.memory);
	buf_count(&rq->reply.tail, &rq->workspace.memory);
	buf_count(&rq->reply.files, &rq->workspace.memory);
}

void
request_fini(struct request *rq)
{
	claims_release(&rq->claim);
	/* The other ranks are told what was stored for all, also when this one's client hung up meanwhile. */
	if (rq->member.leads && rq->phase == PHASE_FINISH)
		(void)request_step(rq, true);
	sync_leave(&rq->member);
	store_op_fini(&rq->op);
	snapshot_unref(rq->state);
	body_free(rq->body);
	digest_free(rq->digest);
	buf_fini(&rq->reply.head);
	buf_fini(&rq->reply.tail);
	buf_fini(&rq->reply.files);
	workspace_fini(&rq->workspace);
}

/* Whether the call may change something: then it has an end, after the store's. */
static bool
may_write(const struct request *rq)
{
	return rq->route->needs_layer && rq->route->finish != NULL;
}

int
request_admit(struct request *rq, size_t target_len, struct err *e)
{
	const bool has_body = rq->route->body != BODY_NONE;
	/* Targets are short; a long one is paid for. */
	const size_t bytes = (has_body ? ADMITTED_BYTES : 0) + (target_len > CREDIT_BYTES / 2 ? 2 * target_len : 0);

	rq->workspace.copies = may_write(rq) ? STORE_DOUBLES_COPIES : 1;
	if (!budget_pay_ahead(&rq->workspace.memory, bytes + (has_body ? ADVANCE_BYTES : 0)))
		return budget_refuse(&rq->workspace.memory, bytes + ADVANCE_BYTES, e);
	return budget_ask(&rq->workspace.memory, bytes, e);
}

static int
begin_body(struct request *rq)
{
	const struct route *route = rq->route;

	rq->body_from = rq->workspace.memory.bytes;
	if (rq->coding != CODING_IDENTITY && budget_ask(&rq->workspace.memory, CODING_DECODER_BYTES, &rq->err) < 0)
		return -1;
	rq->body = body_new(&(struct body_options){ .form = rq->form,
	    .coding = rq->coding,
	    .slots = route->slots,
	    .slot_count = route->slot_count,
	    .file_count = route->npy_files,
	    .bytes_max = rq->body_max_bytes,
	    .memory = &rq->workspace.memory,
	    .digest = rq->digest });
	return rq->body == NULL ? err_fail_memory(&rq->err) : 0;
}

/* Gives back the body, and all memory that was taken since it began. */
static void
drop_body(struct request *rq)
{
	body_free(rq->body);
	rq->body = NULL;
	budget_give(&rq->workspace.memory, rq->workspace.memory.bytes - rq->body_from);
}

int
request_body(struct request *rq, const char *bytes, size_t len, size_t *taken)
{
	const struct route *route = rq->route;

	*taken = len;
	if (route->body == BODY_NONE)
		return len == 0 ?
		    0 :
		    err_fail(&rq->err, ERR_BAD_PARAMETER, "%s %s takes no body", route->method, route->path);
	if (rq->body == NULL && begin_body(rq) < 0)
		return -1;
	if (body_feed(rq->body, bytes, len, taken, &rq->err) == 0)
		return 0;
	/* What is still to come of it may take a while; its memory is not needed meanwhile. */
	drop_body(rq);
	return -1;
}

/* The body is there: its end is checked, and a body that is missing is noticed. */
static int
end_body(struct request *rq, struct err *e)
{
	size_t taken;

	if (rq->route->body == BODY_NEEDED && rq->body == NULL && request_body(rq, "", 0, &taken) < 0)
		return -1;
	if (rq->body == NULL)
		return 0;
	return body_finish(rq->body, e);
}

static enum request_next
fail(struct request *rq)
{
	buf_fini(&rq->reply.head);
	buf_fini(&rq->reply.tail);
	buf_fini(&rq->reply.files);
	rq->reply.tensor = NULL;
	return REQUEST_DONE;
}

static void
adopt_layer(struct request *rq, const struct snapshot *state)
{
	rq->state = state;
	rq->definition = state->identity->parsed;
	rq->phase = PHASE_START;
}

/* The layer's state: at once from the cache, else through the store. */
static enum request_next
load(struct request *rq)
{
	const struct snapshot *cached = store_layer_cached(rq->store, rq->model, rq->layer);

	if (cached != NULL) {
		adopt_layer(rq, cached);
		return REQUEST_DONE;
	}
	request_store(rq, STORE_LAYER_GET);
	rq->op.memory = &rq->workspace.memory;
	rq->state_bytes = rq->workspace.memory.bytes;
	rq->wants_store = false;
	rq->phase = PHASE_LOADED;
	return REQUEST_STORE;
}

static int
take_loaded(struct request *rq)
{
	rq->state_bytes = rq->workspace.memory.bytes - rq->state_bytes;
	if (rq->op.err.code != ERR_NONE) {
		rq->err = rq->op.err;
		return -1;
	}
	adopt_layer(rq, snapshot_ref(rq->op.layer_state));
	store_op_fini(&rq->op);
	memset(&rq->op, 0, sizeof(rq->op));
	return 0;
}

/* Why there is no reply. */
static int
reply_refuse(struct request *rq, struct err *e)
{
	const struct buf *const parts[] = { &rq->reply.head, &rq->reply.tail, &rq->reply.files };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i]->too_long)
			return err_fail(e, ERR_BODY_TOO_LARGE,
			    "the answer would be larger than %zu bytes, which is all that normd may use for requests "
			    "(--max-memory)",
			    parts[i]->limit);
		if (parts[i]->refused > 0)
			return budget_refuse(&rq->workspace.memory, parts[i]->refused, e);
	}
	return err_fail_memory(e);
}

/* The reply is made, or could not be for want of memory; but what is stored is not refused any more. */
static enum request_next
done(struct request *rq, int result)
{
	if (result == 0 && reply_failed(&rq->reply) && !request_stored(rq))
		result = reply_refuse(rq, &rq->err);
	return result < 0 ? fail(rq) : REQUEST_DONE;
}

/* The memory that the answer needs after the change was stored. */
static int
reserve_tail(struct request *rq)
{
	(void)buf_reserve(&rq->reply.tail, REPLY_TAIL_BYTES);
	return reply_failed(&rq->reply) ? reply_refuse(rq, &rq->err) : 0;
}

/* How many doubles a snapshot's statistics, and its parameters, are. */
static size_t
statistics_values(const struct snapshot *l)
{
	return l->statistics.mean != NULL ? 2 * l->statistics.features : 0;
}

static size_t
parameters_values(const struct snapshot *l)
{
	return (l->weight.values != NULL ? l->weight.count : 0) + (l->bias.values != NULL ? l->bias.count : 0);
}

/*
 * How often a batch makes statistics for an update, besides the next snapshot's: what the update comes to, what the one
 * before came to where there are several, and where the layer has none yet, those that it begins with.
 */
static size_t
update_copies(const struct request *rq)
{
	return 1 + (rq->op.update_count > 1) + (rq->state->statistics.mean == NULL);
}

/*
 * What a write makes whatever the request brings: the layer's next snapshot, beside the one that stands, which the
 * cache may have let go meanwhile.
 */
static int
reserve_snapshot(struct request *rq)
{
	const struct snapshot *l = rq->state;
	size_t after, copies = 0;

	if (l == NULL || !store_op_writes(rq->op.kind))
		return 0;
	after = statistics_values(l);
	if (rq->op.kind == STORE_UPDATE) {
		after = 2 * rq->op.update->features;
		copies = update_copies(rq);
	}
	return budget_ask(&rq->workspace.memory,
	    (statistics_values(l) + (copies + 1) * after + 2 * parameters_values(l)) * sizeof(double), &rq->err);
}

/* A call that waits for the other ranks keeps the snapshot that it began with, whatever becomes of it in the cache. */
static int
reserve_waiting(struct request *rq)
{
	return budget_ask(&rq->workspace.memory,
	    (statistics_values(rq->state) + parameters_values(rq->state)) * sizeof(double), &rq->err);
}

bool
request_stored(const struct request *rq)
{
	return rq->phase == PHASE_FINISH && rq->op.err.code == ERR_NONE && rq->err.code == ERR_NONE &&
	    store_op_writes(rq->op.kind);
}

/* What `start`, or `joined`, came to. */
static enum request_next
decided(struct request *rq, int result)
{
	if (result == 0 && rq->wants_store)
		result = reserve_tail(rq) < 0 ? -1 : reserve_snapshot(rq);
	if (result < 0 || !rq->wants_store)
		return done(rq, result);
	rq->phase = PHASE_FINISH;
	return REQUEST_STORE;
}

static bool
body_is_long(const struct request *rq)
{
	return rq->body != NULL &&
	    (body_bytes(rq->body) >= LONG_BODY_BYTES || body_envelope_bytes(rq->body) >= LONG_ENVELOPE_BYTES);
}

/*
 * Whether what comes next of the request takes so long that no event loop should do it. This is the one place that
 * decides: by the body, by the layer's features (also those that an update has fixed meanwhile), and by what the answer
 * lists.
 */
bool
request_is_long(const struct request *rq)
{
	return rq->is_long || body_is_long(rq) ||
	    (rq->state != NULL && rq->state->statistics.features >= LONG_VALUES) ||
	    rq->op.result_features >= LONG_VALUES ||
	    (rq->route != NULL && rq->route->answer_values != NULL && rq->route->answer_values(rq) >= LONG_VALUES);
}

static bool
goes_apart(struct request *rq, bool apart)
{
	if (apart || !request_is_long(rq))
		return false;
	rq->is_long = true;
	return true;
}

static enum request_next
step(struct request *rq, bool apart)
{
	int result;

	if (rq->err.code != ERR_NONE)
		return fail(rq);
	/*
	 * Before the body's end is looked at, for its envelope is then parsed; and again when the layer, or a page of
	 * them, is known.
	 */
	if (goes_apart(rq, apart))
		return REQUEST_LONG;
	if (rq->phase == PHASE_LOAD) {
		if (end_body(rq, &rq->err) < 0)
			return fail(rq);
		rq->phase = PHASE_START;
		if (rq->route->needs_layer && load(rq) == REQUEST_STORE)
			return REQUEST_STORE;
	}
	if (rq->phase == PHASE_LOADED && take_loaded(rq) < 0)
		return fail(rq);
	if (goes_apart(rq, apart))
		return REQUEST_LONG;
	if (rq->phase == PHASE_START) {
		if (rq->route->needs_layer && request_settle(rq, rq->definition, &rq->err) < 0)
			return fail(rq);
		result = rq->route->start(rq, &rq->err);
		if (result < 0 || rq->sync_call == NULL)
			return decided(rq, result);
		if (reserve_waiting(rq) < 0)
			return fail(rq);
		rq->phase = PHASE_JOINED;
		return REQUEST_SYNC;
	}
	if (rq->phase == PHASE_JOINED) {
		rq->err = rq->member.err;
		return rq->err.code != ERR_NONE ? fail(rq) : decided(rq, rq->route->joined(rq, &rq->err));
	}
	if (rq->op.err.code != ERR_NONE) {
		rq->err = rq->op.err;
		return fail(rq);
	}
	return done(rq, rq->route->finish(rq, &rq->err));
}

/* Who leads a synchronized step tells the others once it is done. */
static void
tell_members(struct request *rq)
{
	const bool failed = rq->err.code != ERR_NONE;

	if (!rq->member.leads)
		return;
	sync_lead(&rq->member, failed ? &rq->err : NULL, rq->reply.num_batches_tracked, rq->reply.revision);
}

/* Gives back what the answer, which the client may take long to read, does not need. */
static void
let_go(struct request *rq)
{
	const struct buf *head = &rq->reply.head, *tail = &rq->reply.tail, *files = &rq->reply.files;

	snapshot_unref(rq->state);
	rq->state = NULL;
	rq->definition = NULL;
	if (rq->phase != PHASE_LOADED) /* there it is what was in use before */
		budget_give(&rq->workspace.memory, rq->state_bytes);
	if (rq->body == NULL || rq->reply.tensor != NULL || rq->reply.has_location) /* which the arena's names make */
		return;
	body_free(rq->body);
	rq->body = NULL;
	arena_fini(&rq->workspace.arena);
	budget_give(
	    &rq->workspace.memory, rq->workspace.memory.bytes - rq->body_from - head->size - tail->size - files->size);
}

enum request_next
request_step(struct request *rq, bool apart)
{
	enum request_next next = step(rq, apart);

	if (next == REQUEST_DONE) {
		claims_release(&rq->claim);
		tell_members(rq);
		let_go(rq);
	}
	return next;
}

void
request_meanwhile(struct request *rq)
{
	if (rq->phase == PHASE_FINISH && rq->route->meanwhile != NULL)
		rq->route->meanwhile(rq);
}

bool
request_join(struct request *rq, void (*resume)(void *arg), void *arg)
{
	rq->member.resume = resume;
	rq->member.arg = arg;
	return sync_join(rq->sync, rq->state->identity->id, rq->sync_backward, rq->sync_call, &rq->member);
}

void
request_store(struct request *rq, enum store_op_kind kind)
{
	rq->op.kind = kind;
	rq->op.model = rq->model;
	rq->op.layer = rq->layer;
	rq->op.layer_id = rq->state != NULL ? rq->state->identity->id : 0;
	rq->wants_store = true;
}

const char *
request_query(const struct request *rq, const char *name)
{
	for (unsigned i = 0; i < rq->query_count; i++)
		if (strcmp(rq->query[i].name, name) == 0)
			return rq->query[i].value;
	return NULL;
}

int
request_query_bool(const struct request *rq, const char *name, bool fallback, bool *out, struct err *e)
{
	const char *value = request_query(rq, name);

	*out = fallback;
	if (value == NULL)
		return 0;
	if (*value == '\0')
		*out = true;
	else if (request_parse_bool(value, strlen(value), out) < 0)
		return err_fail(e, ERR_BAD_PARAMETER, "\"%s\" is \"%.64s\"; it must be true or false", name, value);
	return 0;
}

int
request_parse_bool(const char *text, size_t len, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "false", false }, { "1", true }, { "0", false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len && strncasecmp(words[i].word, text, len) == 0) {
			*out = words[i].value;
			return 0;
		}
	return -1;
}

int
request_parse_uint(const char *text, uint64_t *out)
{
	uint64_t n = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++)
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return -1;
	*out = n;
	return 0;
}

/* One entity tag of a list, `"12"` (a weak one, W/"12", never matches); returns the text after it, or NULL. */
static const char *
parse_tag(const char *p, struct store_precondition *out)
{
	bool weak = strncmp(p, "W/", 2) == 0, digits = true;
	const char *open = p + (weak ? 2 : 0), *close;
	uint64_t revision;
	char *end;

	if (*open != '"' || (close = strchr(open + 1, '"')) == NULL)
		return NULL;
	for (const char *c = open + 1; c < close; c++)
		digits = digits && *c >= '0' && *c <= '9';
	if (!weak && digits && close - open > 1 && close - open <= 20) {
		revision = strtoull(open + 1, &end, 10);
		if (out->count == sizeof(out->revisions) / sizeof(out->revisions[0]))
			return NULL;
		out->revisions[out->count++] = revision;
	}
	return close + 1;
}

int
request_precondition(struct request *rq, struct err *e)
{
	struct store_precondition *out = &rq->op.precondition;
	const char *p = rq->if_match;

	if (p == NULL)
		return 0;
	out->present = true;
	if (strcmp(p, "*") == 0) {
		out->any = true;
		return 0;
	}
	for (;;) {
		p = parse_tag(p + strspn(p, " \t"), out);
		if (p == NULL)
			return err_fail(e, ERR_BAD_PARAMETER,
			    "If-Match must be *, or a quoted revision such as \"3\", or a list of up to 8");
		p += strspn(p, " \t");
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return err_fail(e, ERR_BAD_PARAMETER,
			    "If-Match must be *, or a quoted revision such as \"3\", or a list of up to 8");
	}
}

int
request_object(const struct request *rq, const char *const *allowed, const struct cJSON **out, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body);
	char near[SUGGEST_BYTES];
	bool known;

	*out = NULL;
	if (rq->form != FORM_JSON)
		return 0;
	if (envelope_type(root) == ENVELOPE_TENSOR)
		return 0;
	if (envelope_type(root) != ENVELOPE_OBJECT)
		return err_fail(e, ERR_BAD_PARAMETER, "the body of this call must be an object, not %s",
		    envelope_type_name(envelope_type(root)));
	for (const struct cJSON *m = envelope_first(root); m != NULL; m = envelope_next(m)) {
		known = false;
		for (size_t i = 0; allowed[i] != NULL && !known; i++)
			known = strcmp(allowed[i], envelope_key(m)) == 0;
		if (!known)
			return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a member of the body of this call%s",
			    envelope_key(m), suggest_among(envelope_key(m), allowed, near));
	}
	*out = root;
	return 0;
}

int
request_settle(struct request *rq, const struct definition *d, struct err *e)
{
	return rq->body != NULL ? body_settle(rq->body, d->datatype, e) : 0;
}

int
request_tensor(const struct request *rq, size_t slot, const char *name, struct tensor **out, struct err *e)
{
	*out = body_tensor(rq->body, slot);
	return *out != NULL ? 0 : err_fail(e, ERR_BAD_TENSOR, "the body has no \"%s\"", name);
}

int
request_check_answer(const struct request *rq, const struct tensor *t, struct err *e)
{
	if (rq->answer_form != FORM_JSON || datatype_is_textual(t->datatype))
		return 0;
	return err_fail(e, ERR_NOT_ACCEPTABLE, "%s has no form in JSON; ask for %s by Accept",
	    datatype_name(t->datatype), form_media_type(FORM_NPY));
}
