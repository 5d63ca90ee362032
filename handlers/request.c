#include "handlers/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "handlers/definition.h"

/* Beside the tensors a request needs some doubles per feature; features never outnumber a body's values by far. */
#define ARENA_SPARE_BYTES ((size_t)1 << 20)
/* libmicrohttpd's buffers of a connection that is in use, the decoders, the handlers' own. */
#define ADMITTED_BYTES ((size_t)64 * 1024)

/* The text of a tensor that is answered whole may be so many times its values: 25 characters for 4 bytes. */
#define TEXT_FACTOR ((size_t)6)
#define TEXT_VALUES_BYTES_MAX ((size_t)64 * 1024)

/* For each list of doubles of a request the store may have others: two to apply updates in turn, a snapshot, the database's. */
#define DOUBLES_COPIES ((size_t)4)

/* A reply larger than this asks for its memory; smaller ones are in what was admitted. */
#define REPLY_SMALL_BYTES ((size_t)32 * 1024)
#define REPLY_MAX_BYTES ((size_t)1 << 31)

/* What an answer has to say of a change that was stored: counts, and what closes the object. */
#define REPLY_TAIL_BYTES ((size_t)128)

/*
 * From here on a request is long. So large a body is 32,768 values in .npy, on which training spends some 50 us, as much as a
 * change of thread may cost; so large an envelope takes 0.4 ms to parse; so many numbers take 0.2 ms to write as text.
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
	rq->memory.budget = memory;
	rq->body_memory.budget = memory;
	rq->body_max_bytes = body_max_bytes;
	arena_init(&rq->arena, 8 * body_max_bytes + ARENA_SPARE_BYTES);
	rq->reply.status = 200;
	buf_init(&rq->reply.head, reply_max);
	buf_init(&rq->reply.tail, REPLY_MAX_BYTES);
	buf_init(&rq->reply.files, REPLY_MAX_BYTES);
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
	layer_unref(rq->state);
	body_free(rq->body);
	digest_free(rq->digest);
	budget_give_all(&rq->body_memory);
	budget_give_all(&rq->memory);
	buf_fini(&rq->reply.head);
	buf_fini(&rq->reply.tail);
	buf_fini(&rq->reply.files);
	arena_fini(&rq->arena);
}

int
request_admit(struct request *rq, struct err *e)
{
	if (rq->route->body == BODY_NONE)
		return 0;
	return budget_take(&rq->memory, ADMITTED_BYTES) ? 0 : err_set_budget(e);
}

int
request_body(struct request *rq, const char *bytes, size_t len, size_t *taken)
{
	const struct route *route = rq->route;

	*taken = len;
	if (route->body == BODY_NONE)
		return len == 0 ? 0 : err_set(&rq->err, ERR_BAD_PARAMETER, "%s %s takes no body", route->method, route->path);
	if (rq->body == NULL)
		rq->body = body_new(&(struct body_options){ .form = rq->form,
		    .coding = rq->coding,
		    .slots = route->slots,
		    .slot_count = route->slot_count,
		    .file_count = route->npy_files,
		    .bytes_max = rq->body_max_bytes,
		    .memory = &rq->body_memory,
		    .digest = rq->digest });
	if (rq->body == NULL)
		return err_set_memory(&rq->err);
	if (body_feed(rq->body, bytes, len, taken, &rq->err) == 0)
		return 0;
	/* What is still to come of it may take a while; its memory is not needed meanwhile. */
	body_free(rq->body);
	rq->body = NULL;
	budget_give_all(&rq->body_memory);
	return -1;
}

/* Asks for the memory of an answer as large as the body: afterwards, when something is stored, it could not be refused any more. */
static int
reserve_answer(struct request *rq, struct err *e)
{
	size_t bytes = rq->body_memory.bytes < TEXT_VALUES_BYTES_MAX ? rq->body_memory.bytes : TEXT_VALUES_BYTES_MAX;

	return budget_take(&rq->memory, TEXT_FACTOR * bytes) ? 0 : err_set_budget(e);
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
	return body_finish(rq->body, e) < 0 ? -1 : reserve_answer(rq, e);
}

static enum request_next
fail(struct request *rq)
{
	buf_clear(&rq->reply.head);
	buf_clear(&rq->reply.tail);
	rq->reply.tensor = NULL;
	buf_clear(&rq->reply.files);
	return REQUEST_DONE;
}

static void
adopt_layer(struct request *rq, const struct layer *state)
{
	rq->state = state;
	rq->definition = state->identity->parsed;
	rq->phase = PHASE_START;
}

/* The layer's state: at once from the cache, else through the store. */
static enum request_next
load(struct request *rq)
{
	const struct layer *cached = store_layer_cached(rq->store, rq->model, rq->layer);

	if (cached != NULL) {
		adopt_layer(rq, cached);
		return REQUEST_DONE;
	}
	request_store(rq, STORE_LAYER_GET);
	rq->wants_store = false;
	rq->phase = PHASE_LOADED;
	return REQUEST_STORE;
}

static int
take_loaded(struct request *rq)
{
	if (rq->op.err.code != ERR_NONE) {
		rq->err = rq->op.err;
		return -1;
	}
	adopt_layer(rq, layer_ref(rq->op.layer_state));
	store_op_fini(&rq->op);
	memset(&rq->op, 0, sizeof(rq->op));
	return 0;
}

/* A reply that could not be built for want of memory, or that would take more than there is for all; but what is stored is not refused any more. */
static enum request_next
done(struct request *rq, int result)
{
	const size_t len = rq->reply.head.len + rq->reply.tail.len;

	if (result == 0 && len > REPLY_SMALL_BYTES && strcmp(rq->route->method, "GET") == 0 && !budget_take(&rq->memory, len))
		result = err_set_budget(&rq->err);
	if (result == 0 && reply_failed(&rq->reply) && !request_stored(rq))
		result = err_set_memory(&rq->err);
	return result < 0 ? fail(rq) : REQUEST_DONE;
}

/* The memory that the answer needs after the change was stored. */
static int
reserve_tail(struct request *rq)
{
	(void)buf_reserve(&rq->reply.tail, REPLY_TAIL_BYTES);
	return reply_failed(&rq->reply) ? err_set_memory(&rq->err) : 0;
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
		result = reserve_tail(rq);
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
 * Whether what comes next of the request takes so long that no event loop should do it. This is the one place that decides: by the body, by
 * the layer's features (also those that an update has fixed meanwhile), and by what the answer lists.
 */
bool
request_is_long(const struct request *rq)
{
	return rq->is_long || body_is_long(rq) || (rq->state != NULL && rq->state->statistics.features >= LONG_VALUES) ||
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
	/* Before the body's end is looked at, for its envelope is then parsed; and again when the layer, or a page of them, is known. */
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
		result = rq->route->start(rq, &rq->err);
		if (result < 0 || rq->sync_call == NULL)
			return decided(rq, result);
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

enum request_next
request_step(struct request *rq, bool apart)
{
	enum request_next next = step(rq, apart);

	if (next == REQUEST_DONE) {
		claims_release(&rq->claim);
		tell_members(rq);
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
		return err_set(e, ERR_BAD_PARAMETER, "\"%s\" is \"%.64s\"; it must be true or false", name, value);
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
			return err_set(e, ERR_BAD_PARAMETER,
			    "If-Match must be *, or a quoted revision such as \"3\", or a list of up to 8");
		p += strspn(p, " \t");
		if (*p == '\0')
			return 0;
		if (*p++ != ',')
			return err_set(e, ERR_BAD_PARAMETER,
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
	if (envelope_type(root) != ENVELOPE_OBJECT)
		return err_set(
		    e, ERR_BAD_PARAMETER, "the body must be an object, not %s", envelope_type_name(envelope_type(root)));
	for (const struct cJSON *m = envelope_first(root); m != NULL; m = envelope_next(m)) {
		known = false;
		for (size_t i = 0; allowed[i] != NULL && !known; i++)
			known = strcmp(allowed[i], envelope_key(m)) == 0;
		if (!known)
			return err_set(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a member that this call of this version takes%s",
			    envelope_key(m), suggest_among(envelope_key(m), allowed, near));
	}
	*out = root;
	return 0;
}

int
request_tensor(const struct request *rq, size_t slot, const char *name, struct tensor **out, struct err *e)
{
	*out = body_tensor(rq->body, slot);
	return *out != NULL ? 0 : err_set(e, ERR_BAD_TENSOR, "the body has no \"%s\"", name);
}

int
request_check_answer(const struct request *rq, const struct tensor *t, struct err *e)
{
	if (rq->answer_form != FORM_JSON || datatype_is_textual(t->datatype))
		return 0;
	return err_set(e, ERR_NOT_ACCEPTABLE, "%s has no form in JSON; ask for %s by Accept", datatype_name(t->datatype),
	    form_media_type(FORM_NPY));
}

void *
request_array(struct request *rq, size_t count, size_t size, struct err *e)
{
	void *array;
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || !budget_take(&rq->memory, bytes)) {
		(void)err_set_budget(e);
		return NULL;
	}
	array = arena_alloc(&rq->arena, bytes);
	if (array == NULL)
		(void)err_set_memory(e);
	return array;
}

int
request_doubles(struct request *rq, size_t n, double **out, struct err *e)
{
	if (n > SIZE_MAX / (DOUBLES_COPIES * sizeof(double)) || !budget_take(&rq->memory, n * DOUBLES_COPIES * sizeof(double)))
		return err_set_budget(e);
	*out = arena_array(&rq->arena, n, sizeof(double));
	return *out != NULL ? 0 : err_set_memory(e);
}
