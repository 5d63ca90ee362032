/* SPDX-License-Identifier: MIT */
/* The groups of synchronized steps that have a deadline, as a binary heap: the first to end is at 1. */
#ifndef SYNC_HEAP_H
#define SYNC_HEAP_H

#include "sync/groups.h"

/* Room for all groups and one more, so that sync_heap_add never fails for any of them. -1 without memory. */
int sync_heap_reserve(struct sync_groups *all) MUST_CHECK;

/* A group that is not there, by its deadline_us, which does not change while it is there. */
void sync_heap_add(struct sync_groups *all, struct sync_group *g);

/* Fine for one that is not there. */
void sync_heap_remove(struct sync_groups *all, struct sync_group *g);

#endif
