/* SPDX-License-Identifier: MIT */
/*
 * POST /v1/normalize: a definition and a tensor, nothing stored; always by the input's own statistics. The definition's
 * fields are members of the body, or an object "definition", or stand in the query as ?definition={...}, as they must
 * where the body is the tensor alone; the tensor's are members too, or an object "tensor" (or "input").
 */
#include <stdio.h>
#include <string.h>

#include "handlers/definition_stored.h"
#include "handlers/doubles.h"
#include "handlers/handlers.h"
#include "handlers/input.h"
#include "handlers/mask_options.h"
#include "layer/own_statistics.h"
#include "handlers/reply.h"

/* The slots of this route, in routes.c's order. */
enum { SLOT_ROOT, SLOT_TENSOR, SLOT_INPUT, SLOT_WEIGHT, SLOT_BIAS, SLOT_MASK };

/* Members beside a definition's fields. "datatype" is the tensor's and the definition's at once. */
static const char *const others[] = { "definition", "shape", "data", "tensor", "input", "weight", "bias", "lengths",
	"mask", NULL };
static const char *const members[] = { "definition", "shape", "datatype", "data", "tensor", "input", "weight", "bias",
	"lengths", "mask", NULL };

/* ?definition={...}; what is wrong with it has no place in the body. */
static int
parse_query_definition(const char *text, struct definition *d, struct err *e)
{
	if (definition_parse_text(text, d, e) == 0)
		return 0;
	e->has_offset = false;
	if (e->code == ERR_BAD_JSON)
		e->code = ERR_BAD_PARAMETER;
	return -1;
}

static int
parse_definition(const struct request *rq, struct definition *d, struct err *e)
{
	const struct cJSON *root = body_envelope(rq->body), *nested = envelope_get(root, "definition");
	const char *query = request_query(rq, "definition");

	if (query == NULL && (rq->form != FORM_JSON || envelope_type(root) == ENVELOPE_TENSOR))
		return err_fail(e, ERR_BAD_PARAMETER,
		    "a body that is a tensor alone needs the definition in the query: ?definition={\"kind\":...}");
	if (query == NULL && nested == NULL)
		return definition_parse(root, others, d, e);
	if (request_object(rq, members, &root, e) < 0)
		return -1;
	if (query != NULL && nested != NULL)
		return err_fail(e, ERR_BAD_PARAMETER, "\"definition\" is given both in the query and in the body");
	return query != NULL ? parse_query_definition(query, d, e) : definition_parse(nested, NULL, d, e);
}

/* The one tensor of the body. */
static int
find_tensor(const struct request *rq, struct tensor **out, struct err *e)
{
	unsigned found = 0;

	*out = NULL;
	for (size_t slot = SLOT_ROOT; slot <= SLOT_INPUT; slot++)
		if (body_tensor(rq->body, slot) != NULL) {
			*out = body_tensor(rq->body, slot);
			found++;
		}
	if (found == 0)
		return err_fail(e, ERR_BAD_TENSOR, "the body has no \"data\"");
	return found == 1 ? 0 : err_fail(e, ERR_BAD_TENSOR, "the body has more than one tensor");
}

static int
parse_parameter(struct request *rq, size_t slot, bool present, size_t expected, const double **out, struct err *e)
{
	const char *name = slot == SLOT_WEIGHT ? "weight" : "bias";
	const struct cJSON *root = body_envelope(rq->body);
	struct doubles_wanted wanted = { .slot = slot, .name = name, .any_rank = true, .optional = true };
	double *values;
	size_t count;

	*out = NULL;
	if (slot == SLOT_BIAS && envelope_type(envelope_get(root, name)) == ENVELOPE_BOOL)
		return 0; /* layer_norm's field */
	if (doubles_get(rq, root, wanted, &values, &count, e) < 0)
		return -1;
	if (values != NULL && !present)
		return err_fail(e, ERR_BAD_PARAMETER, "the definition has no \"%s\"", name);
	if (values != NULL && count != expected) {
		err_set(
		    e, ERR_SHAPE_MISMATCH, "\"%s\" has %zu values where the definition has %zu", name, count, expected);
		snprintf(e->expected, sizeof(e->expected), "[%zu]", expected);
		snprintf(e->actual, sizeof(e->actual), "[%zu]", count);
		return -1;
	}
	*out = values;
	return 0;
}

int
normalize_once(struct request *rq, struct err *e)
{
	struct definition d;
	struct tensor *t;
	struct norm_view view;
	struct mask m;
	struct scale_shift p;
	size_t count;

	if (parse_definition(rq, &d, e) < 0 || request_settle(rq, &d, e) < 0 || find_tensor(rq, &t, e) < 0 ||
	    request_check_answer(rq, t, e) < 0 || forward_view(&d, d.num_features, t, &view, e) < 0)
		return -1;
	if (d.shuffle || d.renorm)
		return err_fail(
		    e, ERR_BAD_PARAMETER, "\"%s\" needs a layer to train", d.shuffle ? "shuffle" : "renorm");
	count = definition_parameter_count(&d, view.feature);
	if (parse_parameter(rq, SLOT_WEIGHT, d.affine, count, &p.weight, e) < 0 ||
	    parse_parameter(rq, SLOT_BIAS, d.bias, count, &p.bias, e) < 0)
		return -1;
	if (mask_options_get(rq, &d, body_envelope(rq->body), SLOT_MASK, t, &m, e) < 0 ||
	    mask_check_counted(&m, e) < 0 || own_statistics_normalize(&rq->workspace, &d, t, view, p, true, &m, e) < 0)
		return -1;
	reply_tensor(rq, t);
	reply_end(&rq->reply);
	return 0;
}
