/* SPDX-License-Identifier: MIT */
/* The groups of synchronized steps that have a deadline, as a binary heap: the earliest is at 1. */
#pragma once

#include "sync/groups.h"

/* Makes room for all groups and one more, so that sync_heap_add cannot fail. -1 without memory. */
int sync_heap_reserve(struct sync_groups *all) MUST_CHECK;

/* Adds a group that is not in the heap, by its deadline_us, which must not change while it is there. */
void sync_heap_add(struct sync_groups *all, struct sync_group *g);

/* Does nothing if the group is not in the heap. */
void sync_heap_remove(struct sync_groups *all, struct sync_group *g);
