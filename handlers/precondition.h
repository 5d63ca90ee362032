/* SPDX-License-Identifier: MIT */
/* If-Match: a change is made only to the revision that the client has seen. */
#pragma once

#include "handlers/request.h"

/* Reads the header, where there is one, into rq->write.precondition. Error: bad_parameter. */
int precondition_get(struct request *rq, struct err *e) MUST_CHECK;
