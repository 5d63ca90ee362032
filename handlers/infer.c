/* SPDX-License-Identifier: MIT */
/*
 * POST .../infer: normalizes by the running statistics if the layer tracks them, else by the input's own, as PyTorch
 * does. It reads the state that serves, or that ?version= names. With ?inverse=true it undoes that. With
 * ?expect=sha256:... it reads no other state than that. Changes nothing but the layer's window, by which drift is seen.
 */
#include "handlers/handlers.h"
#include "handlers/call_options.h"
#include "handlers/reply.h"
#include "handlers/request_call.h"
#include "handlers/state_digest.h"

static const struct input inverse_input = { "inverse", INPUT_BOOL, .places = INPUT_QUERY };

const struct input *const infer_inputs[] = { &tensor_input, &lengths_input, &mask_input, &inverse_input, &version_input,
	&expect_input, NULL };

int
infer_start(struct request *rq, struct err *e)
{
	struct call c = request_call(rq, rq->state);
	bool inverse = false;

	if (option_get_bool(rq, &inverse_input, &inverse, e) < 0 || state_expect(rq, rq->state, e) < 0 ||
	    input_need_tensor(rq, &tensor_input, &c.tensor, e) < 0 || request_check_answer(rq, c.tensor, e) < 0 ||
	    call_fit(&c, e) < 0 || mask_options_get(rq, c.definition, c.tensor, &c.mask, e) < 0)
		return -1;
	c.observe = !inverse;
	if ((inverse ? call_invert(&c, e) : call_infer(&c, e)) < 0)
		return -1;
	request_count_values(inverse ? METRIC_OPERATION_INVERT : METRIC_OPERATION_INFER, &c);
	store_window_add(rq->state, &c.observed);
	reply_tensor(&rq->reply, NULL, c.tensor);
	reply_end(&rq->reply);
	reply_state(&rq->reply, rq->state);
	return 0;
}
