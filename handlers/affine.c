/* SPDX-License-Identifier: MIT */
/*
 * GET .../affine: inference folded to y = x * scale + shift, for clients that apply it themselves (docs/MATH.md,
 * equation 9).
 */
#include "codec/json_write.h"
#include "layer/definition.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "norm/normalize.h"

#include <math.h>

static int
fold(const struct request *rq, double *scale, double *shift, struct err *e)
{
	const struct statistics *s = &rq->state->statistics;
	const double *weight = rq->state->weight.values, *bias = rq->state->bias.values;

	normalize_rstd(s->var, rq->definition->eps, s->features, scale);
	for (size_t f = 0; f < s->features; f++) {
		scale[f] *= weight != NULL ? weight[f] : 1;
		shift[f] = (bias != NULL ? bias[f] : 0) - s->mean[f] * scale[f];
		if (!isfinite(scale[f]) || !isfinite(shift[f]))
			return err_fail(
			    e, ERR_NON_FINITE_INPUT, "the scale or the shift of feature %zu is not finite", f);
	}
	return 0;
}

int
affine_get(struct request *rq, struct err *e)
{
	const struct statistics *s = &rq->state->statistics;
	struct buf *b = &rq->reply.head;
	double *scale, *shift;

	if (doubles_check_tracks(rq, e) < 0)
		return -1;
	if (s->mean == NULL)
		return err_fail(
		    e, ERR_NOT_TRAINED, "layer \"%s\" was never trained and no statistics were put", rq->layer);
	if (workspace_doubles(&rq->workspace, s->features, &scale, e) < 0 ||
	    workspace_doubles(&rq->workspace, s->features, &shift, e) < 0 || fold(rq, scale, shift, e) < 0)
		return -1;
	buf_text(b, "{\"scale\":");
	json_add_doubles(b, scale, s->features, 0);
	buf_text(b, ",\"shift\":");
	json_add_doubles(b, shift, s->features, 0);
	buf_byte(b, '}');
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}
