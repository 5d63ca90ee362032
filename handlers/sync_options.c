/* SPDX-License-Identifier: MIT */
#include "handlers/sync_options.h"

#include <string.h>

#include "base/suggest.h"
#include "codec/json_scan.h"
#include "layer/definition.h"
#include "handlers/input.h"

#define TIMEOUT_MS_DEFAULT 10000

static int
check_layer(const struct request *rq, struct err *e)
{
	const struct definition *d = rq->definition;

	if (rq->digest != NULL)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "a synchronized step is named by \"sync\": there is no Idempotency-Key beside it");
	if (d->kind != KIND_BATCH_NORM)
		return err_fail(e, ERR_BAD_PARAMETER, "\"sync\" is for batch_norm: %s normalizes each sample by itself",
		    definition_kind_name(d));
	if (d->virtual_batch_size != 0 || d->shuffle || d->renorm)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "\"sync\" is not for a layer with virtual_batch_size, shuffle or renorm");
	return 0;
}

static int
read_whole(const struct cJSON *object, const char *name, uint64_t min, uint64_t max, unsigned *out, struct err *e)
{
	const struct cJSON *member = envelope_get(object, name);
	uint64_t n;
	char shown[ENVELOPE_SHOWN_BYTES];

	if (envelope_type(member) != ENVELOPE_NUMBER || envelope_uint64(member, &n) < 0 || n < min || n > max)
		return err_fail(e, ERR_BAD_PARAMETER, "\"sync.%s\" must be a whole number from %llu to %llu; it is %s",
		    name, (unsigned long long)min, (unsigned long long)max, envelope_shown(member, shown));
	*out = (unsigned)n;
	return 0;
}

/* A string, or a whole number in digits, which stand for themselves. */
static int
read_step(struct request *rq, const struct cJSON *object, struct sync_call *call, struct err *e)
{
	const struct cJSON *member = envelope_get(object, "step");
	const char *text = envelope_type(member) == ENVELOPE_STRING ? envelope_string(member) :
	    envelope_type(member) == ENVELOPE_NUMBER                ? envelope_number_text(member) :
								      "";
	const size_t len = strlen(text);
	char shown[ENVELOPE_SHOWN_BYTES];

	if (len == 0 || len > SYNC_STEP_MAX)
		return err_fail(e, ERR_BAD_PARAMETER, "\"sync.step\" must be a string of 1 to %d bytes; it is %s",
		    SYNC_STEP_MAX, envelope_shown(member, shown));
	if (envelope_type(member) == ENVELOPE_NUMBER && strspn(text, "0123456789") != len)
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"sync.step\" is %.64s; it must be a string, or a whole number in digits alone", text);
	call->step = arena_text(&rq->workspace.arena, text, len);
	return call->step == NULL ? err_fail_memory(e) : 0;
}

static int
read_call(struct request *rq, const struct cJSON *object, struct sync_call *call, struct err *e)
{
	static const char *const names[] = { "step", "rank", "world_size", "timeout_ms", NULL };
	char near[SUGGEST_BYTES];
	bool known;

	if (envelope_type(object) != ENVELOPE_OBJECT)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "\"sync\" must be an object with \"step\", \"rank\" and \"world_size\"");
	for (const struct cJSON *m = envelope_first(object); m != NULL; m = envelope_next(m)) {
		known = false;
		for (size_t i = 0; names[i] != NULL; i++)
			known = known || strcmp(names[i], envelope_key(m)) == 0;
		if (!known)
			return err_fail(e, ERR_BAD_PARAMETER, "\"%.64s\" is not a member of \"sync\"%s",
			    envelope_key(m), suggest_among(envelope_key(m), names, near));
	}
	call->timeout_ms = TIMEOUT_MS_DEFAULT;
	if (read_step(rq, object, call, e) < 0 ||
	    read_whole(object, "world_size", 1, SYNC_WORLD_MAX, &call->world_size, e) < 0 ||
	    read_whole(object, "rank", 0, call->world_size - 1, &call->rank, e) < 0)
		return -1;
	if (envelope_get(object, "timeout_ms") == NULL)
		return 0;
	return read_whole(object, "timeout_ms", 1, SYNC_TIMEOUT_MS_MAX, &call->timeout_ms, e);
}

/* ?sync={...}; what is wrong with it has no place in the body. */
static int
read_query(struct request *rq, const char *text, struct sync_call *call, struct err *e)
{
	struct json_scan *scan = json_scan_new(NULL, 0, 0, NULL);
	int result;

	if (scan == NULL)
		return err_fail_memory(e);
	if (json_scan_feed(scan, text, strlen(text), e) == 0 && json_scan_finish(scan, e) == 0)
		result = read_call(rq, json_scan_envelope(scan), call, e);
	else if (e->code == ERR_OVERLOADED) /* no memory to read it */
		result = -1;
	else
		result = err_fail(e, ERR_BAD_PARAMETER, "\"sync\" in the query is not valid JSON");
	json_scan_free(scan);
	return result;
}

int
sync_options_get(struct request *rq, const struct cJSON *body, struct err *e)
{
	const struct cJSON *member = envelope_get(body, "sync");
	const char *text = request_query(rq, "sync");
	struct sync_call *call;

	if (member == NULL && text == NULL)
		return 0;
	if (member != NULL && text != NULL)
		return err_fail(e, ERR_BAD_PARAMETER, "\"sync\" is given both in the query and in the body");
	call = arena_alloc(&rq->workspace.arena, sizeof(*call));
	if (call == NULL)
		return err_fail_memory(e);
	if ((member != NULL ? read_call(rq, member, call, e) : read_query(rq, text, call, e)) < 0 ||
	    check_layer(rq, e) < 0)
		return -1;
	rq->sync_call = call;
	return 0;
}
