/* SPDX-License-Identifier: MIT */
/*
 * Writes to what serves and to aliases. They go to the database at once, and read it, not the cache, so each sees the
 * results of those before it; what the names stand for in the end is published with the batch.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage/apply.h"
#include "storage/versions.h"

/* The latest switch of what serves; zeroed: there was none. */
static int
latest_switch(struct batch *b, const char *model, struct store_switch *out, struct err *e)
{
	struct store_switches list = { .model = model, .limit = 1 };
	const int result = b->backend->ops->list_switches(b->backend, &list, e);

	*out = (struct store_switch){ 0 };
	if (result == 0 && list.count > 0)
		*out = list.entries[0];
	free(list.entries);
	return result;
}

/* What served before the latest switch. */
static int
find_previous(struct batch *b, const char *model, const struct store_switch *latest, uint64_t *number, struct err *e)
{
	bool exists = true;

	*number = latest->from;
	if (latest->id == 0)
		return err_fail(e, ERR_NO_SUCH_VERSION,
		    "there is no previous version: nothing but live has served model \"%s\" so far", model);
	if (*number != 0 && b->backend->ops->version_exists(b->backend, model, *number, &exists, e) < 0)
		return -1;
	return exists ? 0 :
			err_fail(e, ERR_NO_SUCH_VERSION,
			    "version %" PRIu64 " of model \"%s\", which served before, was deleted", *number, model);
}

static int
find_served(struct batch *b, const struct store_write *write, const struct store_switch *latest, uint64_t *number,
    struct err *e)
{
	const char *name = write->version.name;

	if (backend_need_model(b->backend, write->model, e) < 0)
		return -1;
	return strcmp(name, "previous") == 0 ? find_previous(b, write->model, latest, number, e) :
					       versions_find_named(b->backend, write->model, name, number, e);
}

int
apply_serve(struct batch *b, struct store_write *write, struct err *e)
{
	struct store_switch latest, next = { .time_s = b->now_s };

	if (latest_switch(b, write->model, &latest, e) < 0 || find_served(b, write, &latest, &next.to, e) < 0)
		return -1;
	next.from = latest.to;
	if (next.to != next.from) {
		memcpy(next.note, write->version.note, strnlen(write->version.note, STORE_NOTE_MAX));
		if (batch_wrote(b, b->backend->ops->add_switch(b->backend, write->model, &next, e)) < 0)
			return -1;
		batch_note_pointer(b, write->model, "");
		if (batch_note_switch(b, write->model, e) < 0)
			return -1;
		latest = next;
	}
	if (write->version.switched != NULL)
		*write->version.switched = latest;
	return 0;
}

int
apply_alias_put(struct batch *b, struct store_write *write, struct err *e)
{
	const char *alias = write->version.alias;
	struct pointer before;
	uint64_t number;
	bool existed;

	if (backend_need_model(b->backend, write->model, e) < 0 ||
	    versions_find_named(b->backend, write->model, write->version.name, &number, e) < 0)
		return -1;
	if (number == 0)
		return backend_refuse_version(write->model, write->version.name, e);
	if (b->backend->ops->load_pointer(b->backend, write->model, alias, &before, &existed, e) < 0)
		return -1;
	write->version.number = number;
	write->result.created = !existed;
	if (existed && before.number == number)
		return 0;
	batch_note_pointer(b, write->model, alias);
	return batch_wrote(b, b->backend->ops->put_alias(b->backend, write->model, alias, number, e));
}

int
apply_alias_delete(struct batch *b, struct store_write *write, struct err *e)
{
	const char *alias = write->version.alias;
	bool deleted;

	if (backend_need_model(b->backend, write->model, e) < 0 ||
	    batch_wrote(b, b->backend->ops->delete_alias(b->backend, write->model, alias, &deleted, e)) < 0)
		return -1;
	if (!deleted)
		return backend_refuse_alias(write->model, alias, e);
	batch_note_pointer(b, write->model, alias);
	return 0;
}
