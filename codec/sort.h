/* SPDX-License-Identifier: MIT */
/* Sorts numbers that clients choose: in place, and in linear time whatever they are. Private to codec/. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sort_item {
	uint64_t key;
	uint32_t at; /* what the key belongs to */
};

/* Sorts `n` items by key, ascending. Items with the same key stay beside each other, in no particular order. */
void sort_items(struct sort_item *items, size_t n);
