/* SPDX-License-Identifier: MIT */
#include "sync/heap.h"

#include <assert.h>
#include <stdlib.h>

#define ROOM_FIRST ((size_t)64)

int
sync_heap_reserve(struct sync_groups *all)
{
	const size_t needed = all->count + 2; /* place 0 is not used */
	size_t room = all->heap_room == 0 ? ROOM_FIRST : all->heap_room;
	struct sync_group **heap;

	while (room < needed)
		room *= 2;
	if (room == all->heap_room)
		return 0;
	heap = realloc(all->heap, room * sizeof(struct sync_group *));
	if (heap == NULL)
		return -1;
	all->heap = heap;
	all->heap_room = room;
	return 0;
}

static void
put(struct sync_groups *all, size_t at, struct sync_group *g)
{
	all->heap[at] = g;
	g->heap_at = at;
}

/* Moves what is above down, until `g` may stand there. */
static void
rise(struct sync_groups *all, size_t at, struct sync_group *g)
{
	while (at > 1 && all->heap[at / 2]->deadline_us > g->deadline_us) {
		put(all, at, all->heap[at / 2]);
		at /= 2;
	}
	put(all, at, g);
}

/* Moves the earlier of what is below up, until `g` may stand there. */
static void
sink(struct sync_groups *all, size_t at, struct sync_group *g)
{
	for (size_t below = 2 * at; below <= all->heap_count; below = 2 * at) {
		if (below < all->heap_count && all->heap[below + 1]->deadline_us < all->heap[below]->deadline_us)
			below++;
		if (all->heap[below]->deadline_us >= g->deadline_us)
			break;
		put(all, at, all->heap[below]);
		at = below;
	}
	put(all, at, g);
}

void
sync_heap_add(struct sync_groups *all, struct sync_group *g)
{
	assert(g->heap_at == 0 && all->heap_count + 1 < all->heap_room);
	rise(all, ++all->heap_count, g);
}

void
sync_heap_remove(struct sync_groups *all, struct sync_group *g)
{
	const size_t at = g->heap_at;
	struct sync_group *last;

	if (at == 0)
		return;
	assert(all->heap[at] == g);
	g->heap_at = 0;
	last = all->heap[all->heap_count--];
	if (last == g)
		return;
	if (at > 1 && all->heap[at / 2]->deadline_us > last->deadline_us)
		rise(all, at, last);
	else
		sink(all, at, last);
}
