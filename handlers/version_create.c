/* SPDX-License-Identifier: MIT */
/*
 * POST .../versions. The first change takes a pin, which is the snapshot, however long the rest takes. Then the pinned
 * states are read in pages for the digest. The second change makes the pin a version. If anything fails before, or the
 * client hangs up, the pin is released, and nothing is left. A repeat under an Idempotency-Key ends with the first
 * change, which finds the version.
 */
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/state_digest.h"
#include "handlers/states.h"
#include "handlers/version_answer.h"
#include "handlers/version_members.h"
#include "layer/layer_digest.h"

const struct input *const version_create_inputs[] = { &note_input, NULL };

/* Kept between the steps. */
struct making {
	struct states_reading reading;
	struct version_digest digests;
	unsigned char digest[SHA256_BYTES];
	struct store_version made;
};

static void
change(struct request *rq, enum store_write_kind kind)
{
	request_write(rq, kind);
	idempotency_guard(rq);
}

int
version_create(struct request *rq, struct err *e)
{
	struct making *m = workspace_alloc(&rq->workspace, sizeof(*m), e);

	if (m == NULL || note_get(rq, &rq->write.version.note, e) < 0)
		return -1;
	rq->scratch = m;
	rq->write.version.made = &m->made;
	/* A version can only be answered with success. */
	(void)buf_reserve(&rq->reply.text, VERSION_JSON_MAX);
	change(rq, STORE_PIN);
	return 0;
}

static int
answer(struct request *rq, const struct store_version *made)
{
	version_begin(&rq->reply.text, made);
	buf_byte(&rq->reply.text, '}');
	rq->reply.status = 201;
	rq->reply.has_location = true;
	rq->reply.location_number = made->number;
	return 0;
}

/* Adds the page's layers to the digest. */
static void
add_page(struct making *m, const struct store_states *page)
{
	unsigned char digest[SHA256_BYTES];

	for (size_t i = 0; i < page->count; i++) {
		state_digest(page->entries[i], digest);
		version_digest_add(&m->digests, page->entries[i]->identity->name, digest);
	}
}

static void
make(struct request *rq, struct making *m)
{
	version_digest_end(&m->digests, m->digest);
	rq->write.version.digest = m->digest;
	change(rq, STORE_VERSION_MAKE);
}

int
version_create_finish(struct request *rq, struct err *e)
{
	struct making *m = rq->scratch;
	bool more = true;

	(void)e;
	if (rq->op.kind == STORE_STATES_GET) {
		add_page(m, &rq->op.states);
		more = states_end_page(rq, &m->reading);
	} else if (rq->write.kind == STORE_VERSION_MAKE || rq->op.change.repeated) {
		return answer(rq, &m->made);
	} else {
		version_digest_begin(&m->digests);
		m->reading.which =
		    (struct store_which){ .kind = STORE_PINNED, .pin = store_pin_id(rq->write.version.pin) };
	}
	if (more)
		states_ask(rq, &m->reading, STATES_PAGE);
	else
		make(rq, m);
	return 0;
}
