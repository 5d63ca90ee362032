/* SPDX-License-Identifier: MIT */
/*
 * POST .../infer: by the stored statistics where the layer tracks them, else by the input's own, as PyTorch's. Changes
 * nothing. With ?inverse=true what was normalized comes back to its original scale.
 */
#include "handlers/handlers.h"
#include "handlers/mask_options.h"
#include "layer/own_statistics.h"
#include "handlers/reply.h"

static const struct input inverse_input = { .name = "inverse", .type = INPUT_BOOL, .places = INPUT_QUERY };

const struct input *const infer_inputs[] = { &tensor_input, &lengths_input, &mask_input, &inverse_input, NULL };

static int
by_statistics(struct request *rq, struct tensor *t, struct norm_view view, struct scale_shift p, const struct mask *m,
    bool inverse, struct err *e)
{
	const struct statistics *s = &rq->state->statistics;
	struct pieces pieces;
	struct tensor values;
	struct piece all;
	double *scratch;
	int result;

	if (t->count == 0)
		return 0;
	if (s->mean == NULL)
		return err_fail(e, ERR_NOT_TRAINED,
		    "layer \"%s\" was never trained and no statistics were put: train it, or PUT them", rq->layer);
	if (workspace_doubles(&rq->workspace, inverse ? 3 * view.feature : view.feature, &scratch, e) < 0 ||
	    pieces_cut(&rq->workspace, rq->definition, t, view, m, PIECES_IN_PLACE, 0, &pieces, e) < 0 ||
	    pieces_take(&rq->workspace, &pieces, t, &values, e) < 0)
		return -1;
	all = pieces_get(&pieces, &values, 0);
	result = (inverse ? forward_inverse : forward_by_statistics)(
	    rq->workspace.crew, rq->definition, &all.tensor, all.view, s->mean, s->var, p, scratch, e);
	pieces_put(&rq->workspace, &pieces, &values, t);
	return result;
}

int
infer(struct request *rq, struct err *e)
{
	const struct definition *d = rq->definition;
	struct scale_shift p = { rq->state->weight.values, rq->state->bias.values };
	struct tensor *t;
	struct norm_view view;
	struct mask m;
	bool inverse = false;
	int result;

	if (option_get_bool(rq, &inverse_input, &inverse, e) < 0 || inputs_check_body(rq, e) < 0 ||
	    input_need_tensor(rq, &tensor_input, &t, e) < 0 || request_check_answer(rq, t, e) < 0 ||
	    forward_view(d, rq->state->statistics.features, t, &view, e) < 0 || mask_options_get(rq, d, t, &m, e) < 0 ||
	    mask_check_counted(&m, e) < 0)
		return -1;
	if (inverse && !definition_tracks(d))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "\"inverse\" needs running statistics, which layer \"%s\" (%s) does not keep", rq->layer,
		    definition_kind_name(d));
	result = definition_tracks(d) ? by_statistics(rq, t, view, p, &m, inverse, e) :
					own_statistics_normalize(&rq->workspace, d, t, view, p, false, &m, e);
	if (result < 0)
		return -1;
	reply_tensor(&rq->reply, NULL, t);
	reply_end(&rq->reply);
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}
