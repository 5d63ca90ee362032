/* POST .../infer: by the stored statistics (batch_norm), or by the sample's own (layer_norm). Changes nothing. */
#include "handlers/forward.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"

static const char *const members[] = { "shape", "datatype", "data", NULL };

/* Batch normalization that keeps no statistics uses the batch's own in inference too, as PyTorch's. */
static int
by_batch(struct request *rq, struct tensor *t, struct norm_view view, struct scale_shift p, double *rstd, struct err *e)
{
	double *mean, *var;

	if (request_doubles(rq, view.feature, &mean, e) < 0 || request_doubles(rq, view.feature, &var, e) < 0 ||
	    forward_moments(t, view, mean, var, e) < 0)
		return -1;
	return forward_by_statistics(rq->definition, t, view, mean, var, p, rstd, e);
}

static int
infer_batch_norm(struct request *rq, struct tensor *t, struct norm_view view, struct scale_shift p, struct err *e)
{
	const struct statistics *s = &rq->state->statistics;
	double *rstd;

	if (request_doubles(rq, view.feature, &rstd, e) < 0)
		return -1;
	if (!definition_tracks(rq->definition))
		return by_batch(rq, t, view, p, rstd, e);
	return forward_by_statistics(rq->definition, t, view, s->mean, s->var, p, rstd, e);
}

int
infer(struct request *rq, struct err *e)
{
	const struct definition *d = rq->definition;
	const struct statistics *s = &rq->state->statistics;
	struct scale_shift p = { rq->state->weight.values, rq->state->bias.values };
	struct tensor *t;
	struct norm_view view;
	const struct cJSON *body;
	int result = 0;

	if (request_object(rq, members, &body, e) < 0 || request_tensor(rq, 0, "data", &t, e) < 0 ||
	    request_check_answer(rq, t, e) < 0 || forward_view(d, s->features, t, &view, e) < 0)
		return -1;
	if (t->count > 0 && definition_tracks(d) && s->mean == NULL)
		return err_set(e, ERR_NOT_TRAINED,
		    "layer \"%s\" was never trained and no statistics were put: train it, or PUT them", rq->layer);
	if (t->count > 0 && d->kind == KIND_BATCH_NORM)
		result = infer_batch_norm(rq, t, view, p, e);
	else if (t->count > 0)
		result = forward_by_sample(d, t, p, e);
	if (result < 0)
		return -1;
	reply_tensor(rq, t);
	reply_end(&rq->reply);
	reply_revision(&rq->reply, rq->state->revision);
	return 0;
}
