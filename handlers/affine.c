/* SPDX-License-Identifier: MIT */
/* GET .../affine: inference as y = x * scale + shift, for clients that compute it themselves. */
#include "codec/json_write.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"

const struct input *const affine_inputs[] = { &version_input, NULL };

int
affine_get(struct request *rq, struct err *e)
{
	struct call c;
	struct buf *b = &rq->reply.text;
	double *scale, *shift;
	size_t features;

	if (doubles_check_tracks(rq, e) < 0)
		return -1;
	c = request_call(rq, rq->state);
	features = c.statistics.features;
	if (call_fold(&c, &scale, &shift, e) < 0)
		return -1;
	buf_text(b, "{\"scale\":");
	json_add_doubles(b, scale, features, 0);
	buf_text(b, ",\"shift\":");
	json_add_doubles(b, shift, features, 0);
	buf_byte(b, '}');
	reply_state(&rq->reply, rq->state);
	return 0;
}
