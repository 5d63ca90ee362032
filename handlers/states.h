/* SPDX-License-Identifier: MIT */
/* The states of a model's layers, read from the store page by page: of a version, or of a pin. */
#pragma once

#include "handlers/request.h"

/* Kept between the steps of a request. Zero it first. */
struct states_reading {
	struct store_which which;
	bool may_be_empty;              /* as in struct store_states */
	size_t counted;                 /* of the request's memory beside its answer, before the page at hand */
	char after[STORE_NAME_MAX + 1]; /* the last layer of the page before; "": none */
};

/* Asks the store for a page of at most `limit` states, after those that were read before. Ends the operation before. */
void states_ask(struct request *rq, struct states_reading *reading, size_t limit);

/* The most states of a page that is only read through. */
#define STATES_PAGE ((size_t)256)

/* The memory that was counted since states_ask, but for the answer's; and that so much of it stays. */
size_t states_counted(const struct request *rq, const struct states_reading *reading);
void states_keep(struct states_reading *reading, size_t bytes);

/* The page is done with: frees it, and gives back that memory, but for what stays. Whether there are more. */
bool states_end_page(struct request *rq, struct states_reading *reading);
