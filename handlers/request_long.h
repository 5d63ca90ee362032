/* SPDX-License-Identifier: MIT */
/* Which requests are too long for an event loop. */
#ifndef HANDLERS_REQUEST_LONG_H
#define HANDLERS_REQUEST_LONG_H

#include "handlers/request.h"

/*
 * Whether the next step, or freeing the request's memory, takes long. This is the one place that decides: by the body,
 * by the layer's features (also if an update has fixed them meanwhile), and by what the answer lists.
 */
bool request_is_long(const struct request *rq);

#endif
