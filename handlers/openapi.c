/* SPDX-License-Identifier: MIT */
/* GET /openapi.json: the API document of this version. */
#include "handlers/openapi.h"

#include "handlers/handlers.h"

int
openapi_get(struct request *rq, struct err *e)
{
	(void)e;
	rq->reply.constant = openapi_document;
	rq->reply.constant_bytes = openapi_document_bytes;
	return 0;
}
