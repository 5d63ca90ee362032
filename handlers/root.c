/* SPDX-License-Identifier: MIT */
/* The name and the version: with the first links, or as the first page, for a browser; and GET /v2. */
#include "handlers/handlers.h"

int
root_get(struct request *rq, struct err *e)
{
	if (rq->web_wish != WEB_UNWANTED)
		return web_answer(rq, NULL, "index.html", e);
	buf_text(&rq->reply.text,
	    "{\"name\":\"normd\",\"version\":\"" NORMD_VERSION
	    "\",\"links\":{\"models\":\"/v1/models\",\"normalize\":\"/v1/normalize\","
	    "\"openapi\":\"/openapi.json\",\"metrics\":\"/metrics\",\"backup\":\"/v1/backup\","
	    "\"live\":\"/v2/health/live\",\"ready\":\"/v2/health/ready\"}}\n");
	return 0;
}

int
oip_server_get(struct request *rq, struct err *e)
{
	(void)e;
	buf_text(&rq->reply.text,
	    "{\"name\":\"normd\",\"version\":\"" NORMD_VERSION
	    "\",\"extensions\":[\"binary_tensor_data\",\"model_repository\","
	    "\"model_configuration\",\"statistics\"]}");
	return 0;
}
