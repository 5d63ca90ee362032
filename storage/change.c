/* SPDX-License-Identifier: MIT */
/*
 * A change, applied to a batch. All layers that it names are read first, and its key is looked up with each of them.
 * Where one of several writes is refused the batch's copies go back to what they were (batch_keep). So does the
 * database, which some writes reach at once (is_immediate), by a mark: a nested transaction. The key is stored last.
 */
#include <string.h>

#include "storage/batch.h"
#include "storage/snapshot.h"

static bool
deletes(const struct store_write *write)
{
	return write->kind == STORE_LAYER_DELETE || write->kind == STORE_MODEL_DELETE;
}

bool
write_is_of_model(const struct store_write *write)
{
	return write->kind == STORE_MODEL_DELETE || write->kind == STORE_MODEL_FREEZE || write->kind >= STORE_PIN;
}

/* Whether it is one of the two that make a version, whose key is the version's. */
static bool
makes_version(const struct store_write *write)
{
	return write->kind == STORE_PIN || write->kind == STORE_VERSION_MAKE;
}

/* Puts the write that an error is about before its detail, where there are several. */
static int
name_write(const struct store_change *change, size_t i, struct err *e)
{
	const struct store_write *write = &change->writes[i];
	const bool model = write_is_of_model(write);

	if (change->count > 1)
		err_prepend(e, "%s%s%smodel \"%s\": ", model ? "" : "layer \"", model ? "" : write->layer,
		    model ? "" : "\" of ", write->model);
	return -1;
}

static int
load_layers(struct batch *b, struct store_change *change, struct err *e)
{
	for (size_t i = 0; i < change->count; i++) {
		struct store_write *write = &change->writes[i];

		if (write_is_of_model(write))
			continue;
		write->working = batch_layer(b, write->model, write->layer, e);
		if (write->working == NULL)
			return -1;
	}
	return 0;
}

/* Whether it only asks for the change's key (store.h, updates). */
static bool
only_asks(const struct store_write *write)
{
	return write->kind == STORE_UPDATE && write->updates.count == 0;
}

/* Whether one of its writes does more than to ask. */
static bool
does_more(const struct store_change *change)
{
	for (size_t i = 0; i < change->count; i++)
		if (!only_asks(&change->writes[i]))
			return true;
	return false;
}

/*
 * The digest that the key is kept with on a layer whose write only asked. A repeat then knows what the layer's output
 * came from, although the layer may have been thawed, or frozen, meanwhile.
 */
static void
invert_digest(unsigned char digest[DIGEST_BYTES])
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		digest[i] ^= 0xff;
}

/* Whether the key was used on the layer of one write, and what that came to. */
static int
find_key(struct batch *b, const struct store_change *change, struct store_write *write, bool *found, struct err *e)
{
	const struct working *w = write->working;
	struct used_key used;

	*found = false;
	if (!batch_has_layer(w, write))
		return 0;
	if (b->backend->ops->find_key(b->backend, w->base->identity, change->key, b->keys_since_s, &used, found, e) < 0)
		return -1;
	if (!*found)
		return 0;
	write->result.asked = memcmp(used.digest, change->key_digest, DIGEST_BYTES) != 0;
	if (write->result.asked)
		invert_digest(used.digest);
	if (memcmp(used.digest, change->key_digest, DIGEST_BYTES) != 0)
		return err_fail(e, ERR_IDEMPOTENCY_MISMATCH,
		    "the Idempotency-Key was used on this layer with another body or call; a new request needs a new "
		    "key");
	write->result.revision = used.revision;
	write->result.num_batches_tracked = used.num_batches_tracked;
	write->result.features = w->now.statistics.features;
	return 0;
}

/* A key that is known of some of the layers only was used for another change, or is forgotten in part. */
static int
find_keys(struct batch *b, struct store_change *change, struct err *e)
{
	bool some = false, all = true, found;
	size_t missing = 0;

	if (makes_version(change->writes))
		return version_find_key(b, change, e);
	for (size_t i = 0; i < change->count; i++) {
		if (deletes(&change->writes[i]) || write_is_of_model(&change->writes[i]))
			continue;
		if (find_key(b, change, &change->writes[i], &found, e) < 0)
			return name_write(change, i, e);
		some = some || found;
		all = all && found;
		if (!found)
			missing = i;
	}
	change->repeated = some && all;
	if (!some || all)
		return 0;
	err_set(e, ERR_IDEMPOTENCY_MISMATCH,
	    "the Idempotency-Key was used on other layers of this change, not on this one");
	return name_write(change, missing, e);
}

static int
add_keys(struct batch *b, const struct store_change *change, struct err *e)
{
	struct backend *db = b->backend;

	if (!does_more(change))
		return 0;
	for (size_t i = 0; i < change->count; i++) {
		const struct store_write *write = &change->writes[i];
		struct working *w = write->working;
		struct used_key used = { .revision = write->result.revision,
			.num_batches_tracked = write->result.num_batches_tracked };

		if (deletes(write) || write_is_of_model(write) || !w->exists || w->keyed_by == change)
			continue;
		w->keyed_by = change;
		memcpy(used.digest, change->key_digest, DIGEST_BYTES);
		if (only_asks(write))
			invert_digest(used.digest);
		b->keys_added++;
		if (batch_wrote(b, db->ops->add_key(db, w->base->identity, change->key, &used, b->now_s, e)) < 0)
			return -1;
	}
	return 0;
}

/* Whether a write that is refused may leave others to be undone. */
static bool
may_go_back(const struct store_change *change)
{
	return change->count > 1 || (change->writes->kind == STORE_UPDATE && change->writes->updates.count > 1);
}

/* Whether a write changes the database at once, and not only when the batch is saved. */
static bool
is_immediate(const struct store_write *write)
{
	switch (write->kind) {
	case STORE_UPDATE:
		return write->updates.source != NULL || write->working->now.sources > 0;
	case STORE_STATISTICS_PUT:
	case STORE_STATISTICS_RESET:
		return write->working->now.sources > 0;
	case STORE_LAYER_CREATE:
	case STORE_SOURCE_PUT:
	case STORE_SOURCE_DELETE:
	case STORE_SOURCES_FOLD:
	case STORE_WINDOW_RESET:
		return true;
	default:
		return deletes(write) || write_is_of_model(write);
	}
}

static bool
needs_mark(const struct store_change *change)
{
	for (size_t i = 0; i < change->count && change->count > 1; i++)
		if (is_immediate(&change->writes[i]))
			return true;
	return false;
}

static int
apply_in_order(struct batch *b, struct store_change *change, struct err *e)
{
	for (size_t i = 0; i < change->count; i++)
		if (write_apply(b, &change->writes[i], e) < 0)
			return b->broken ? -1 : name_write(change, i, e);
	return 0;
}

static int
apply_all_or_none(struct batch *b, struct store_change *change, struct err *e)
{
	const bool marks = needs_mark(change);
	int result;

	if (marks && b->backend->ops->mark(b->backend, e) < 0)
		return -1;
	b->may_go_back = may_go_back(change);
	result = apply_in_order(b, change, e);
	batch_end_change(b, result < 0);
	if (marks && result < 0)
		source_trees_drop_used(b->trees);
	b->broken = b->broken || (result < 0 && !b->backend->ops->in_transaction(b->backend));
	if (marks && !b->broken && batch_wrote(b, b->backend->ops->unmark(b->backend, result < 0, e)) < 0)
		return -1;
	return result;
}

static void
take_result(struct store_write *write)
{
	const struct working *w = write->working;

	if (w == NULL || !w->exists)
		return;
	write->result.revision = w->now.revision;
	write->result.num_batches_tracked = w->now.statistics.num_batches_tracked;
	write->result.features = w->now.statistics.features;
	write->result.frozen = w->now.frozen;
}

/* A repeated update whose submitter asks for the state gets the present one, and its counts with it. */
static int
apply_repeated(struct store_change *change, struct err *e)
{
	for (size_t i = 0; i < change->count; i++) {
		struct store_write *write = &change->writes[i];

		if (write->kind != STORE_UPDATE || write->updates.accept == NULL)
			continue;
		if (write_ask(write, &write->working->now, e) < 0)
			return name_write(change, i, e);
		take_result(write);
	}
	return 0;
}

static int
apply(struct batch *b, struct store_change *change, struct err *e)
{
	b->change = change;
	b->several = b->several || change->count > 1;
	if (load_layers(b, change, e) < 0 || (change->key != NULL && find_keys(b, change, e) < 0))
		return -1;
	if (change->repeated)
		return apply_repeated(change, e);
	if (apply_all_or_none(b, change, e) < 0)
		return -1;
	for (size_t i = 0; i < change->count; i++)
		take_result(&change->writes[i]);
	return change->key != NULL ? add_keys(b, change, e) : 0;
}

int
batch_apply(struct batch *b, struct store_change *change, struct err *e)
{
	if (apply(b, change, e) == 0)
		return 0;
	change_forget(change);
	/* A read that fails may end the transaction; what is written after that would stand although it was refused. */
	b->broken = b->broken || !b->backend->ops->in_transaction(b->backend);
	return -1;
}

void
change_forget(struct store_change *change)
{
	for (size_t i = 0; i < change->count; i++) {
		snapshot_unref(change->writes[i].result.snapshot);
		change->writes[i].result = (struct store_written){ 0 };
	}
}
