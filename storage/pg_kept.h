/* SPDX-License-Identifier: MIT */
/* Keeps states for versions before they move on, and forgets those that none needs (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"
#include "storage/pg_params.h"

int pg_keep(struct backend *b, const struct layer_identity *layer, uint64_t mark, struct err *e) MUST_CHECK;
/* Before a model's layers are frozen or thawed. Parameters: the model, its mark, whether they will be frozen. */
void pg_kept_send_model(struct backend *b, const struct pg_params *p);
int pg_reclaim(struct backend *b, int64_t keys_since_s, bool *more, struct err *e) MUST_CHECK;
