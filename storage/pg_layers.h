/* SPDX-License-Identifier: MIT */
/* Writes to layers and models as a whole, and lists of them, in PostgreSQL (backend.h has the contracts). */
#pragma once

#include "storage/backend.h"

int pg_insert(
    struct backend *b, const struct store_write *write, int64_t now_s, struct inserted *out, struct err *e) MUST_CHECK;
int pg_save(struct backend *b, const struct snapshot *layer, bool parameters, struct err *e) MUST_CHECK;
int pg_delete_layer(struct backend *b, const struct layer_identity *layer, struct err *e) MUST_CHECK;
int pg_delete_model(struct backend *b, const char *model, struct err *e) MUST_CHECK;
int pg_freeze_model(struct backend *b, struct model_freeze *freeze, struct err *e) MUST_CHECK;
int pg_model_exists(struct backend *b, const char *model, bool *exists, struct err *e) MUST_CHECK;
int pg_list_layers(struct backend *b, struct store_list *list, struct err *e) MUST_CHECK;
int pg_list_models(struct backend *b, struct store_list *list, struct err *e) MUST_CHECK;
