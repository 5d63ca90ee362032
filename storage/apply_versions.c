/* SPDX-License-Identifier: MIT */
/*
 * Writes to versions. They go to the database at once, and each is a change of its own. A pin is applied before all
 * other changes of its batch: then the rows in the database are one committed state, which the pin has only to mark.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage/apply.h"
#include "storage/pins.h"
#include "storage/versions.h"

static struct new_version
new_version(const struct store_change *change)
{
	const struct store_write *write = change->writes;

	return (struct new_version){ .model = write->model,
		.pin = write->version.pin != NULL ? write->version.pin->id : 0,
		.note = write->version.note,
		.digest = write->version.digest,
		.key = change->key,
		.key_digest = change->key_digest };
}

int
version_find_key(struct batch *b, struct store_change *change, struct err *e)
{
	const struct new_version asked = new_version(change);
	struct store_version *made = change->writes->version.made;
	struct used_version used = { 0 };
	bool found;

	if (b->backend->ops->find_version_key(b->backend, &asked, b->keys_since_s, &used, &found, e) < 0)
		return -1;
	if (!found)
		return 0;
	if (memcmp(used.key_digest, change->key_digest, DIGEST_BYTES) != 0)
		return err_fail(e, ERR_IDEMPOTENCY_MISMATCH,
		    "the Idempotency-Key was used for another version of model \"%s\"", asked.model);
	change->repeated = true;
	if (made != NULL)
		*made = used.version;
	return 0;
}

/* -1: no pin was taken. */
static int
take(struct batch *b, const char *model, int64_t *id, struct err *e)
{
	bool layers;

	if (backend_need_model(b->backend, model, e) < 0)
		return -1;
	if (batch_wrote(b, b->backend->ops->take_pin(b->backend, model, b->now_s, id, &layers, e)) < 0)
		return -1;
	return layers ? 0 : versions_refuse_empty(model, e);
}

int
apply_pin(struct batch *b, struct store_write *write, struct err *e)
{
	struct store_pin *pin = calloc(1, sizeof(*pin));

	if (pin == NULL)
		return err_fail_memory(e);
	pin->store = b->store;
	if (take(b, write->model, &pin->id, e) < 0) {
		free(pin);
		return -1;
	}
	write->version.pin = pin;
	batch_note_pointer(b, write->model, "");
	return 0;
}

int
apply_version_make(struct batch *b, struct store_write *write, struct err *e)
{
	const struct new_version make = new_version(b->change);
	struct store_version made = { 0 };
	bool found;

	if (batch_wrote(b, b->backend->ops->make_version(b->backend, &make, &made, &found, e)) < 0)
		return -1;
	if (!found)
		return err_fail(
		    e, ERR_NO_SUCH_MODEL, "model \"%s\" was deleted before the version was made", write->model);
	write->version.pin->made = true;
	if (write->version.made != NULL)
		*write->version.made = made;
	return 0;
}

void
versions_undo(struct store_change *change)
{
	struct store_version_write *version = &change->writes->version;

	if (change->writes->kind == STORE_PIN) {
		pins_free(version->pin);
		version->pin = NULL;
	} else if (change->writes->kind == STORE_VERSION_MAKE && !change->repeated) {
		version->pin->made = false;
	}
}

static int
refuse_in_use(struct batch *b, const char *model, uint64_t number, struct err *e)
{
	struct store_alias alias = { 0 };
	struct pointer served = { 0 };
	bool found;

	if (b->backend->ops->load_pointer(b->backend, model, "", &served, &found, e) < 0)
		return -1;
	if (served.number == number)
		return err_fail(e, ERR_VERSION_IN_USE,
		    "version %" PRIu64 " of model \"%s\" is what inference is served from: publish another first",
		    number, model);
	if (b->backend->ops->find_alias(b->backend, model, number, &alias, &found, e) < 0)
		return -1;
	return found ? err_fail(e, ERR_VERSION_IN_USE,
			   "version %" PRIu64 " of model \"%s\" has the alias \"%s\": delete it or move it first",
			   number, model, alias.name) :
		       0;
}

int
apply_version_delete(struct batch *b, struct store_write *write, struct err *e)
{
	const char *model = write->model, *name = write->version.name;
	uint64_t number;

	if (backend_need_model(b->backend, model, e) < 0 ||
	    versions_find_named(b->backend, model, name, &number, e) < 0)
		return -1;
	if (number == 0)
		return backend_refuse_version(model, name, e);
	if (refuse_in_use(b, model, number, e) < 0)
		return -1;
	if (batch_wrote(b, b->backend->ops->delete_version(b->backend, model, number, e)) < 0)
		return -1;
	return batch_drop_version(b, model, number, e);
}
