/* Hashing of (model, layer), which both tables of this room are keyed by. */
#ifndef STORAGE_NAMES_H
#define STORAGE_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* FNV-1a over both names with their NULs. `seed` makes the table's order unknown to clients, who choose the names. */
static inline uint64_t
names_hash(uint64_t seed, const char *model, const char *layer)
{
	const char *parts[2] = { model, layer };
	uint64_t h = 14695981039346656037u ^ seed;

	for (int i = 0; i < 2; i++) {
		for (const char *p = parts[i]; *p != '\0'; p++)
			h = (h ^ (unsigned char)*p) * 1099511628211u;
		h = (h ^ 0xff) * 1099511628211u;
	}
	return h ^ h >> 32;
}

static inline bool
names_equal(const char *model, const char *layer, const char *model2, const char *layer2)
{
	return strcmp(model, model2) == 0 && strcmp(layer, layer2) == 0;
}

#endif
