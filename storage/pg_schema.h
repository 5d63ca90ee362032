/* SPDX-License-Identifier: MIT */
/*
 * The tables in PostgreSQL, all of which are called normd_..., and how they are made and migrated. One daemon at a time
 * does so: it holds the lock of normd_schema's only row. A model's name is the first column of the primary key of every
 * table that has one, so that the tables can be divided by it.
 */
#pragma once

#include "storage/pg_link.h"

enum pg_schema_state {
	PG_SCHEMA_NONE,  /* there are no tables of ours */
	PG_SCHEMA_OLDER, /* they are to be migrated */
	PG_SCHEMA_READY,
	PG_SCHEMA_UNFINISHED /* a copy of another store was begun (rows_pg.c): there is a table normd_migration */
};

/* Looks what is there. -1 with `e` also if it is not normd's, or a newer normd's. */
int pg_schema_look(struct pg_link *l, enum pg_schema_state *state, struct err *e) MUST_CHECK;

/* Makes or migrates the tables, if they are not as this program has them. The connection stands. */
int pg_schema_make(struct pg_link *l, struct err *e) MUST_CHECK;

/* Checks that the server may be written to, and that the tables are those that this program knows. */
int pg_schema_check(struct pg_link *l, struct err *e) MUST_CHECK;
