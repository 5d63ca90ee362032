/* SPDX-License-Identifier: MIT */
#include "handlers/oip_version.h"

/* Live always exists, so for live too the latest switch is asked for: whether the model exists. */
int
oip_version_ask(struct request *rq, struct err *e)
{
	uint64_t number;
	const bool live = rq->version != NULL && store_name_number(rq->version, &number) && number == 0;

	if (rq->version != NULL && !live) {
		request_store(rq, STORE_VERSIONS_GET);
		rq->op.versions = (struct store_versions){ .model = rq->model, .name = rq->version, .limit = 1 };
		return budget_ask(&rq->workspace.memory, sizeof(struct store_version), e);
	}
	request_store(rq, STORE_SWITCHES_GET);
	rq->op.switches = (struct store_switches){ .model = rq->model, .limit = 1 };
	return budget_ask(&rq->workspace.memory, sizeof(struct store_switch), e);
}

uint64_t
oip_version_take(struct request *rq)
{
	const struct store_op *op = &rq->op;
	uint64_t number = 0;

	if (op->kind == STORE_VERSIONS_GET)
		number = op->versions.entries->number;
	else if (rq->version == NULL && op->switches.count > 0)
		number = op->switches.entries->to;
	budget_give(&rq->workspace.memory,
	    op->kind == STORE_VERSIONS_GET ? sizeof(struct store_version) : sizeof(struct store_switch));
	request_store_done(rq);
	return number;
}

void
oip_version_add(struct buf *b, uint64_t number)
{
	buf_byte(b, '"');
	if (number == 0)
		buf_text(b, "live");
	else
		buf_uint(b, number);
	buf_byte(b, '"');
}
