/* SPDX-License-Identifier: MIT */
/* What the store knows of a pin (store_versions.h). Its fields are the store thread's until the pin is released. */
#pragma once

#include "storage/store.h"

struct store_pin {
	struct store *store;
	int64_t id;
	bool made;              /* it is a version, and stays */
	struct store_pin *next; /* of those that are released, until they are dropped */
};

/* Frees a list of pins. */
void pins_free(struct store_pin *first);
