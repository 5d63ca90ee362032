/* SPDX-License-Identifier: MIT */
/*
 * The part of store.h that is about versions of models, what serves, and layers' history.
 *
 * A version is an immutable snapshot of all layers of a model, with a number. It is made in two changes: the first
 * takes a pin, which is the snapshot; the second, when the digest of the pinned states is known, makes the pin a
 * version. A pin that is released instead leaves nothing, and so does one that a killed daemon leaves behind.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/sha256.h"
#include "norm/spread.h"

struct snapshot;
struct store;

/* The most bytes of a note, without the NUL. */
#define STORE_NOTE_MAX ((size_t)1000)

/* Which state of a model is meant. Zeroed: live. */
struct store_which {
	enum {
		STORE_LIVE,
		STORE_SERVING, /* what inference reads */
		STORE_NAMED,   /* by `name` */
		STORE_PINNED   /* by `pin` */
	} kind;
	const char *name; /* a version's number, an alias, or "live" */
	int64_t pin;      /* a pin's id */
};

/* Whether a name is "live" or all digits. *number: 0, or that number, or INT64_MAX for one that no version has. */
bool store_name_number(const char *name, uint64_t *number);

/* A snapshot of a model that is not a version yet. */
struct store_pin;

int64_t store_pin_id(const struct store_pin *pin);

/*
 * The holder is done with the pin, which is dropped unless it became a version. NULL is fine. It cannot fail and does
 * not wait; any thread, before store_close. After store_stop the pin is dropped when the store opens again.
 */
void store_pin_release(struct store_pin *pin);

struct store_version {
	uint64_t number;
	int64_t created_s; /* seconds since 1970 */
	unsigned char digest[SHA256_BYTES];
	char note[STORE_NOTE_MAX + 1];
};

/* A switch of what serves. */
struct store_switch {
	int64_t id;        /* later ones are greater */
	int64_t time_s;    /* seconds since 1970 */
	uint64_t from, to; /* versions; 0: live */
	char note[STORE_NOTE_MAX + 1];
};

/* The `version` of a write. Strings are the submitter's. */
struct store_version_write {
	const char *name;            /* a version's number or an alias; of STORE_SERVE also "live" or "previous" */
	const char *alias;           /* STORE_ALIAS_PUT, STORE_ALIAS_DELETE */
	const char *note;            /* STORE_VERSION_MAKE, STORE_SERVE; not NULL */
	const unsigned char *digest; /* STORE_VERSION_MAKE: SHA256_BYTES of the pinned states */
	struct store_pin *pin;       /* STORE_PIN sets it, for the submitter to release; STORE_VERSION_MAKE takes it */

	/* Results, in the submitter's memory; NULL where they are not wanted. */
	struct store_version *made;    /* STORE_VERSION_MAKE; STORE_PIN and STORE_VERSION_MAKE of a repeated change */
	struct store_switch *switched; /* STORE_SERVE: the latest switch; zeroed if live has always served */
	uint64_t number;               /* STORE_ALIAS_PUT: the version's */
};

/* Versions in the order of their numbers, or one; errors no_such_model, no_such_version, no_such_alias. */
struct store_versions {
	const char *model;
	const char *name; /* the one: a number or an alias; NULL: a page */
	uint64_t after;   /* of a page: only greater numbers */
	size_t limit;     /* of a page: at most so many */

	struct store_version *entries; /* the operation's own */
	size_t count;
	bool more;
};

/*
 * The states of a model's layers, in the order of their names; errors as store_versions', no_such_layer. One operation
 * sees one committed state, but the pages of a live model need not be of the same: pin it first.
 */
struct store_states {
	const char *model;
	struct store_which which;
	const char *after;           /* only names above it; NULL: from the first */
	size_t limit;                /* at most so many; fewer also where their lists are long */
	bool may_be_empty;           /* a live model without layers is no error */
	struct budget_share *memory; /* counts the snapshots that have to be loaded */

	const struct snapshot **entries; /* the operation's own, with a reference to each */
	size_t count;
	bool more;
};

/* Switches of what serves, the latest first; error no_such_model. */
struct store_switches {
	const char *model;
	int64_t before; /* only smaller ids; 0: from the latest */
	size_t limit;

	struct store_switch *entries; /* the operation's own */
	size_t count;
	bool more;
};

struct store_alias {
	char name[129];
	uint64_t number;
};

/* Aliases in the order of their names, or one; errors no_such_model, no_such_alias. */
struct store_aliases {
	const char *model;
	const char *name;  /* the one; NULL: a page */
	const char *after; /* of a page: only names above it; NULL: from the first */
	size_t limit;

	struct store_alias *entries; /* the operation's own */
	size_t count;
	bool more;
};

/* What a layer's statistics were like at a time. */
struct store_moment {
	uint64_t number; /* later ones are greater */
	int64_t time_s;  /* when the layer came to be so: seconds since 1970 */
	uint64_t revision;
	uint64_t num_batches_tracked;
	struct spread mean, var; /* of the running statistics, over the features */
	double drift;            /* the greatest divergence of the window from these; NAN: not known */
};

/*
 * What a state is like: its `time_s` is 0 if the time is not known, its number 0, its drift NAN. Statistics that it
 * does not have are mean 0 and variance 1. Takes a while for many features.
 */
void store_moment_of(const struct snapshot *state, struct store_moment *out);

/* A layer's history, the latest first, without its present state; errors as store_get's. */
struct store_history {
	const char *model, *layer;
	uint64_t before; /* only smaller numbers; 0: from the latest */
	size_t limit;
	struct budget_share *memory; /* counts the snapshot if it has to be loaded */

	const struct snapshot *snapshot; /* the layer's state; a reference of the operation's own */
	double drift;                    /* of its window, by now; as struct store_moment's */
	struct store_moment *entries;    /* the operation's own; those with a time */
	size_t count;
	bool more;
};
