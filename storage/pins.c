/* SPDX-License-Identifier: MIT */
#include "storage/pins.h"

#include <stdlib.h>

int64_t
store_pin_id(const struct store_pin *pin)
{
	return pin->id;
}

void
pins_free(struct store_pin *first)
{
	struct store_pin *next;

	for (struct store_pin *pin = first; pin != NULL; pin = next) {
		next = pin->next;
		free(pin);
	}
}
