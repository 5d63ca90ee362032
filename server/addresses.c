/* SPDX-License-Identifier: MIT */
/*
 * A hash table with linear probing. It is twice as large as there may be entries. An entry that ends is filled by those
 * behind it, so no marks of deleted entries pile up (Knuth, The Art of Computer Programming, 6.4, algorithm R). The
 * hash has a random seed: clients choose their addresses.
 */
#include "server/addresses.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

struct entry {
	struct address address;
	unsigned count; /* 0: the entry is free */
};

struct addresses {
	unsigned limit; /* immutable, as are the next two */
	size_t mask;    /* the number of places, a power of two, less one */
	uint64_t seed;
	pthread_mutex_t lock; /* guards the rest */
	size_t used;
	struct entry entries[];
};

/* IPv4 addresses within IPv6: as sockets for both show them, and as translators between the two networks do. */
static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
static const unsigned char translated[12] = { 0x00, 0x64, 0xff, 0x9b };

static void
take_four(struct address *out, const void *four)
{
	memcpy(out->bytes, mapped, sizeof(mapped));
	memcpy(out->bytes + sizeof(mapped), four, 4);
}

static void
take_six(struct address *out, const unsigned char *six)
{
	if (memcmp(six, mapped, sizeof(mapped)) == 0 || memcmp(six, translated, sizeof(translated)) == 0)
		take_four(out, six + sizeof(mapped));
	else
		memcpy(out->bytes, six, 8);
}

bool
address_of(const struct sockaddr *client, struct address *out)
{
	const void *any = client;

	memset(out, 0, sizeof(*out));
	if (client == NULL)
		return false;
	if (client->sa_family == AF_INET)
		take_four(out, &((const struct sockaddr_in *)any)->sin_addr);
	else if (client->sa_family == AF_INET6)
		take_six(out, ((const struct sockaddr_in6 *)any)->sin6_addr.s6_addr);
	else
		return false;
	return true;
}

struct addresses *
addresses_new(unsigned limit, unsigned connections_max, struct err *e)
{
	struct addresses *a;
	size_t places = 2;

	while (places < (size_t)2 * connections_max)
		places *= 2;
	a = calloc(1, sizeof(*a) + places * sizeof(*a->entries));
	if (a == NULL) {
		err_set_memory(e);
		return NULL;
	}
	a->limit = limit;
	a->mask = places - 1;
	pthread_mutex_init(&a->lock, NULL);
	/* Early in the boot there may be no entropy; the table also works with seed 0. */
	if (getrandom(&a->seed, sizeof(a->seed), GRND_NONBLOCK) < 0)
		a->seed = 0;
	return a;
}

void
addresses_free(struct addresses *a)
{
	if (a == NULL)
		return;
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static size_t
home_of(const struct addresses *a, const struct address *address)
{
	uint64_t hash = HASH_START ^ a->seed;

	for (size_t i = 0; i < sizeof(address->bytes); i++)
		hash = hash_byte(hash, address->bytes[i]);
	return (size_t)hash_mix(hash) & a->mask;
}

/* The address's entry, or the free one where it would be. */
static size_t
find_locked(const struct addresses *a, const struct address *address)
{
	size_t at = home_of(a, address);

	while (a->entries[at].count > 0 && memcmp(&a->entries[at].address, address, sizeof(*address)) != 0)
		at = (at + 1) & a->mask;
	return at;
}

/* Frees an entry. Those behind it, up to the next free one, move forward where they may. */
static void
remove_locked(struct addresses *a, size_t hole)
{
	for (size_t at = (hole + 1) & a->mask; a->entries[at].count > 0; at = (at + 1) & a->mask) {
		const size_t home = home_of(a, &a->entries[at].address);

		/* It may move if its home is not between the hole and itself. */
		if (((at - home) & a->mask) >= ((at - hole) & a->mask)) {
			a->entries[hole] = a->entries[at];
			hole = at;
		}
	}
	a->entries[hole].count = 0;
	a->used--;
}

enum addresses_verdict
addresses_enter(struct addresses *a, const struct address *address)
{
	enum addresses_verdict verdict = ADDRESSES_CLOSE;
	struct entry *entry;

	pthread_mutex_lock(&a->lock);
	entry = &a->entries[find_locked(a, address)];
	if (entry->count < a->limit)
		verdict = ADDRESSES_SERVE;
	else if (entry->count - a->limit < a->limit)
		verdict = ADDRESSES_REFUSE;
	if (entry->count == 0 && a->used > a->mask / 2) /* more connections than were to be: never */
		verdict = ADDRESSES_CLOSE;
	if (verdict != ADDRESSES_CLOSE) {
		a->used += entry->count == 0;
		entry->address = *address;
		entry->count++;
	}
	pthread_mutex_unlock(&a->lock);
	return verdict;
}

void
addresses_leave(struct addresses *a, const struct address *address)
{
	size_t at;

	pthread_mutex_lock(&a->lock);
	at = find_locked(a, address);
	if (a->entries[at].count > 1)
		a->entries[at].count--;
	else if (a->entries[at].count == 1)
		remove_locked(a, at);
	pthread_mutex_unlock(&a->lock);
}
