/* SPDX-License-Identifier: MIT */
/* A meeting (sync/meeting.h) in the tables of a PostgreSQL store, which must have been made. */
#pragma once

#include "base/err.h"

struct meeting;

/* Connects when it is first used. NULL with `e`. */
struct meeting *pg_steps_open(const char *url, struct err *e) MUST_CHECK;
