/* SPDX-License-Identifier: MIT */
/* Versions, and what names of a model stand for, in the SQLite backend (backend.h says what each function does). */
#pragma once

#include "storage/backend.h"

int sqlite_load_pointer(
    struct backend *b, const char *model, const char *name, struct pointer *out, bool *found, struct err *e) MUST_CHECK;
int
sqlite_version_exists(struct backend *b, const char *model, uint64_t number, bool *exists, struct err *e) MUST_CHECK;
