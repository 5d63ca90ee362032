/* SPDX-License-Identifier: MIT */
/* Which state of a model a path of the Open Inference Protocol means: its {version}, or without one what serves. */
#pragma once

#include "handlers/request.h"

/*
 * Asks the store which version that is. oip_version_take, when the operation has succeeded: its number (0: live), and
 * ends the operation. Errors of the operation: no_such_model, no_such_version, no_such_alias.
 */
int oip_version_ask(struct request *rq, struct err *e) MUST_CHECK;
uint64_t oip_version_take(struct request *rq);

/* Appends the number as this protocol has it, always a string: "3", or "live" for 0. */
void oip_version_add(struct buf *b, uint64_t number);
