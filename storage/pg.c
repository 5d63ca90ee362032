/* SPDX-License-Identifier: MIT */
/* The PostgreSQL backend: one connection, used by the store's thread alone. */
#include <stdlib.h>
#include <string.h>

#include "storage/pg_backend.h"
#include "storage/pg_history.h"
#include "storage/pg_kept.h"
#include "storage/pg_keys.h"
#include "storage/pg_layers.h"
#include "storage/pg_serving.h"
#include "storage/pg_sources.h"
#include "storage/pg_states.h"
#include "storage/pg_transaction.h"
#include "storage/pg_url.h"
#include "storage/pg_versions.h"
#include "storage/pg_windows.h"

static int
pg_copy_start(struct backend *b, int *descriptor, struct err *e)
{
	(void)b, (void)descriptor;
	return err_fail(e, ERR_NOT_IMPLEMENTED,
	    "a store in PostgreSQL is backed up by the database's own means: use pg_dump, or what your server offers");
}

static int
pg_copy_step(struct backend *b, struct copy_progress *progress, struct err *e)
{
	(void)b, (void)progress;
	return err_fail(e, ERR_NOT_IMPLEMENTED, "there is no copy");
}

static void
pg_copy_drop(struct backend *b)
{
	(void)b;
}

/* There is no file of ours. */
static void
pg_measure(const struct backend *b, struct store_figures *out)
{
	(void)b, (void)out;
}

static void
pg_close(struct backend *b)
{
	struct pg_backend *self = pg_self(b);

	pg_forget(b);
	pg_versions_leave(b);
	pg_link_free(self->link);
	free(self->url);
	free(self);
}

static const struct backend_ops pg_ops = {
	.begin = pg_begin,
	.commit = pg_commit,
	.rollback = pg_rollback,
	.mark = pg_mark,
	.unmark = pg_unmark,
	.in_transaction = pg_in_transaction,
	.may_retry = pg_may_retry,
	.look = pg_look,
	.forget = pg_forget,
	.is_away = pg_is_away,
	.try_write = pg_try_write,
	.load = pg_load,
	.model_exists = pg_model_exists,
	.load_pointer = pg_load_pointer,
	.find_at = pg_find_at,
	.find_row = pg_find_row,
	.next_row = pg_next_row,
	.load_row = pg_load_row,
	.keep = pg_keep,
	.reclaim = pg_reclaim,
	.take_pin = pg_take_pin,
	.last_pin = pg_last_pin,
	.drop_pins = pg_drop_pins,
	.make_version = pg_make_version,
	.find_version_key = pg_find_version_key,
	.delete_version = pg_delete_version,
	.list_versions = pg_list_versions,
	.version_exists = pg_version_exists,
	.add_switch = pg_add_switch,
	.list_switches = pg_list_switches,
	.put_alias = pg_put_alias,
	.delete_alias = pg_delete_alias,
	.find_alias = pg_find_alias,
	.list_aliases = pg_list_aliases,
	.insert = pg_insert,
	.save = pg_save,
	.find_key = pg_find_key,
	.add_key = pg_add_key,
	.purge_keys = pg_purge_keys,
	.trim_keys = pg_trim_keys,
	.load_sources = pg_load_sources,
	.put_source = pg_put_source,
	.delete_source = pg_delete_source,
	.delete_sources = pg_delete_sources,
	.last_moment = pg_last_moment,
	.add_moment = pg_add_moment,
	.purge_history = pg_purge_history,
	.load_window = pg_load_window,
	.save_window = pg_save_window,
	.delete_layer = pg_delete_layer,
	.delete_model = pg_delete_model,
	.freeze_model = pg_freeze_model,
	.list_layers = pg_list_layers,
	.list_models = pg_list_models,
	.list_sources = pg_list_sources,
	.list_moments = pg_list_moments,
	.copy_start = pg_copy_start,
	.copy_step = pg_copy_step,
	.copy_drop = pg_copy_drop,
	.measure = pg_measure,
	.close = pg_close,
};

/* A server that cannot be reached, or is not fit, ends the start: a daemon that could do nothing would seem to run. */
struct backend *
pg_backend_open(const char *url, const struct identity_common *identities, struct err *e)
{
	struct pg_backend *self = calloc(1, sizeof(*self));

	if (self == NULL) {
		err_set_memory(e);
		return NULL;
	}
	self->backend.ops = &pg_ops;
	self->backend.shared = true;
	self->identities = identities;
	arena_init(&self->scratch, SIZE_MAX);
	self->daemon = pg_random_id();
	self->url = strdup(url);
	if (self->url == NULL || (self->link = pg_link_new(self->url)) == NULL)
		err_set_memory(e);
	else if (pg_ready(self, e) == 0)
		return &self->backend;
	pg_close(&self->backend);
	return NULL;
}
