/* SPDX-License-Identifier: MIT */
/* What bodies and answers about versions have in common: their names and notes. */
#pragma once

#include "handlers/option.h"

/* The member "note": up to STORE_NOTE_MAX bytes of text; *note is "" where there is none. Error: bad_parameter. */
extern const struct input note_input;
int note_get(const struct request *rq, const char **note, struct err *e) MUST_CHECK;

/* The most bytes of a note in an answer, where every character may be an escape. */
#define NOTE_JSON_MAX (6 * STORE_NOTE_MAX + 2)

/* To write a long note takes as long as this many numbers. */
#define NOTE_VALUES ((size_t)100)

/*
 * The member "version": a version's number, as a number or a string, or an alias; where `serves`, also "live" or
 * "previous". *name, which lives as long as the request: its text. Error: bad_parameter.
 */
extern const struct input version_member_input;
int version_member_get(struct request *rq, bool serves, const char **name, struct err *e) MUST_CHECK;

/* Members that answers have beside these, so PUT accepts and ignores them. */
extern const struct input time_shown_input;

/* Appends the number, or "live" in quotes for 0. */
void version_format_number(struct buf *b, uint64_t number);
