/* SPDX-License-Identifier: MIT */
/* States of layers in PostgreSQL, live and kept: functions of struct backend_ops (backend.h has their contracts). */
#pragma once

#include "storage/backend.h"
#include "storage/pg_held.h"

int pg_load(struct backend *b, const char *model, const char *layer, struct budget_share *memory,
    const struct snapshot **out, struct err *e) MUST_CHECK;
int pg_find_at(struct backend *b, struct model_at *at, bool *found, struct err *e) MUST_CHECK;
int pg_find_row(struct backend *b, const struct model_at *at, const char *layer, struct state_row *out, bool *found,
    struct err *e) MUST_CHECK;
int pg_next_row(struct backend *b, const struct model_at *at, const char *after, struct state_row *out, bool *found,
    struct err *e) MUST_CHECK;
int pg_load_row(struct backend *b, const struct model_at *at, const struct state_row *row, struct budget_share *memory,
    const struct snapshot **out, struct err *e) MUST_CHECK;

/* What a row of a model is read for: a look; a write to its layers; a write to the model itself. */
enum pg_lock { PG_UNLOCKED, PG_FOR_SHARE, PG_FOR_UPDATE };

/* Sends the query of a model's row; takes it. */
void pg_states_ask_model(struct backend *b, const char *model, enum pg_lock lock);
void pg_states_take_model(const PGresult *r, struct pg_model_row *out);

/* A model's row as the transaction sees it: held, or read. */
int pg_states_model(struct backend *b, const char *model, struct pg_model_row *out, struct err *e) MUST_CHECK;

/*
 * Sends the query of planned layers of one model, without the lists of those whose revision is known; takes a row of
 * it. Its first column is the name.
 */
void pg_states_ask_layers(struct backend *b, const struct planned_layer *layers, size_t count, bool lock);
int pg_states_take(struct backend *b, const PGresult *r, int row, const struct planned_layer *planned,
    const struct snapshot **out, struct err *e) MUST_CHECK;
