/* SPDX-License-Identifier: MIT */
/* Answers the operations that only read, a function for each kind. The store's thread alone uses it. */
#pragma once

#include "storage/backend.h"
#include "storage/windows.h"

/* Where committed state is. */
struct committed {
	struct backend *backend;
	struct cache *cache;
	struct windows *windows;
};

/* Answers any operation but STORE_CHANGE and STORE_BACKUP: its `done` is called. */
void reads_answer(const struct committed *c, struct store_op *op);
