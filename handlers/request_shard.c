/* SPDX-License-Identifier: MIT */
#include "handlers/request_shard.h"

void
request_shard(struct request *rq, const struct call *c, const struct shard *own)
{
	rq->member.shard = (struct sync_shard){ .count = own->moments.count,
		.empty = c->tensor->count == 0,
		.features = c->view.feature,
		.mean = own->moments.mean,
		.var = own->moments.var,
		.sum = own->sum,
		.product = own->product,
		.limit = own->limit };
}

struct shard
request_shard_whole(const struct request *rq)
{
	const struct sync_result *r = rq->member.result;

	return (struct shard){
		.moments = { r->count, r->mean, r->var }, .sum = r->sum, .product = r->product, .limit = r->limit
	};
}
