/* SPDX-License-Identifier: MIT */
/* What the results of operations hold, and how each kind releases it. */
#include <stdlib.h>

#include "storage/batch.h"

static void
free_snapshot(const struct snapshot **snapshot)
{
	snapshot_unref(*snapshot);
	*snapshot = NULL;
}

static void
get_fini(struct store_op *op)
{
	free_snapshot(&op->get.snapshot);
}

static void
layers_fini(struct store_op *op)
{
	for (size_t i = 0; i < op->layers.count; i++)
		free_snapshot(&op->layers.snapshots[i]);
}

static void
list_fini(struct store_op *op)
{
	struct store_list *list = &op->list;

	for (size_t i = 0; list->entries != NULL && i < list->limit; i++)
		free(list->entries[i].definition);
	free(list->entries);
	list->entries = NULL;
	list->count = 0;
}

static void
sources_fini(struct store_op *op)
{
	free_snapshot(&op->sources.snapshot);
	free(op->sources.entries);
	op->sources.entries = NULL;
}

static void
versions_fini(struct store_op *op)
{
	free(op->versions.entries);
	op->versions.entries = NULL;
}

static void
states_fini(struct store_op *op)
{
	struct store_states *list = &op->states;

	for (size_t i = 0; i < list->count; i++)
		snapshot_unref(list->entries[i]);
	free(list->entries);
	list->entries = NULL;
	list->count = 0;
}

static void
switches_fini(struct store_op *op)
{
	free(op->switches.entries);
	op->switches.entries = NULL;
}

static void
aliases_fini(struct store_op *op)
{
	free(op->aliases.entries);
	op->aliases.entries = NULL;
}

static void
history_fini(struct store_op *op)
{
	free_snapshot(&op->history.snapshot);
	free(op->history.entries);
	op->history.entries = NULL;
}

static void
get_window_fini(struct store_op *op)
{
	free_snapshot(&op->window.snapshot);
	free(op->window.lists);
	op->window.lists = NULL;
	op->window.moments = (struct moments){ 0 };
}

static void
change_fini(struct store_op *op)
{
	change_forget(&op->change);
}

static void
backup_fini(struct store_op *op)
{
	store_copy_unref(op->copy);
	op->copy = NULL;
}

static void (*const table[STORE_OP_COUNT])(struct store_op *op) = {
	[STORE_LAYER_GET] = get_fini,
	[STORE_LAYERS_GET] = layers_fini,
	[STORE_LAYER_LIST] = list_fini,
	[STORE_MODEL_LIST] = list_fini,
	[STORE_SOURCES_GET] = sources_fini,
	[STORE_VERSIONS_GET] = versions_fini,
	[STORE_STATES_GET] = states_fini,
	[STORE_SWITCHES_GET] = switches_fini,
	[STORE_ALIASES_GET] = aliases_fini,
	[STORE_HISTORY_GET] = history_fini,
	[STORE_WINDOW_GET] = get_window_fini,
	[STORE_CHANGE] = change_fini,
	[STORE_BACKUP] = backup_fini,
};

void
store_op_fini(struct store_op *op)
{
	table[op->kind](op);
}
