#include "handlers/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "handlers/parts.h"
#include "norm/mask.h"
#include "norm/moments.h"

int
mask_check_counted(const struct mask *m, struct err *e)
{
	if (m->keep == NULL || mask_count(m->keep, m->samples * m->positions) > 0)
		return 0;
	return err_set(e, ERR_TOO_FEW_VALUES, "all of the batch is padding");
}

/* Memory for packed elements, counted; the caller frees it. */
static int
packing_room(struct request *rq, const struct tensor *t, size_t elements, void **out, struct err *e)
{
	const size_t bytes = elements * datatype_size(t->datatype);

	if (budget_ask(&rq->memory, bytes, e) < 0)
		return -1;
	*out = malloc(bytes + 1);
	if (*out == NULL)
		return err_set_memory(e);
	memory_large_pages(*out, bytes);
	return 0;
}

int
mask_moments(struct request *rq, const struct tensor *t, struct norm_view view, const unsigned char *keep, double *mean,
    double *var, size_t *count, struct err *e)
{
	struct tensor packed = *t;
	int result;

	*count = norm_view_count(view);
	if (keep == NULL)
		return forward_moments(rq->crew, t, view, mean, var, e);
	*count = mask_count(keep, *count);
	if (*count == 0) {
		memset(mean, 0, view.feature * sizeof(*mean));
		memset(var, 0, view.feature * sizeof(*var));
		return 0;
	}
	if (packing_room(rq, t, *count * view.feature, &packed.values, e) < 0)
		return -1;
	parts_pack(rq->crew, forward_real(t->datatype), t->values, view, keep, *count, packed.values);
	result = forward_moments(rq->crew, &packed, mask_packed_view(view, *count), mean, var, e);
	free(packed.values);
	return result;
}

static size_t
run_length(const struct definition *d, struct norm_view view)
{
	return view.outer * view.feature * view.inner / mask_runs(d, view);
}

size_t
mask_runs(const struct definition *d, struct norm_view view)
{
	return d->kind == KIND_GROUP_NORM ? view.outer * d->num_groups : view.outer * view.feature;
}

static int
run_moments(const struct definition *d, enum norm_real real, const void *packed, size_t n, size_t run, double *mean,
    double *var, struct err *e)
{
	*mean = *var = 0;
	if (n == 1 && d->kind == KIND_INSTANCE_NORM)
		return err_set(
		    e, ERR_TOO_FEW_VALUES, "instance %zu has one value that is not padding; its variance needs two", run);
	if (n > 0 && d->kind == KIND_RMS_NORM)
		mean_squares(real, packed, (struct norm_view){ 1, 1, n }, var);
	else if (n > 0)
		moments(real, packed, (struct norm_view){ 1, 1, n }, mean, var);
	if (isfinite(*mean) && isfinite(*var))
		return 0;
	return err_set(e, ERR_NON_FINITE_INPUT, "a value that is no padding is not finite, or its variance overflows");
}

int
mask_run_moments(struct request *rq, const struct definition *d, const struct tensor *t, struct norm_view view,
    const struct mask *m, double *mean, double *var, size_t *count, struct err *e)
{
	const enum norm_real real = forward_real(t->datatype);
	const size_t length = run_length(d, view), runs = mask_runs(d, view);
	const size_t channels = t->count / m->samples / m->positions;
	const unsigned char *x = t->values;
	void *packed;
	int result = 0;

	if (packing_room(rq, t, length, &packed, e) < 0)
		return -1;
	for (size_t r = 0; r < runs && result == 0; r++) {
		count[r] = mask_pack_run(real, x + r * length * datatype_size(t->datatype), r * length, length, channels,
		    m->positions, m->keep, packed);
		result = run_moments(d, real, packed, count[r], r, &mean[r], &var[r], e);
	}
	free(packed);
	return result;
}
