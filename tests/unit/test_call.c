/* SPDX-License-Identifier: MIT */
/*
 * Calls without a request or a store: what a layer makes of a tensor, for each function of layer/call.h. The numbers
 * are small enough to be computed by hand.
 */
#include <float.h>

#include "tests/unit/call_fixture.h"

static const double batch_mean[C] = { 3, 30 }, batch_var[C] = { 3.5, 350 };

static void
check_batch_update(const struct call *c)
{
	ck_assert_uint_eq(c->update_count, 1);
	ck_assert_uint_eq(c->updates[0].count, N);
	ck_assert_uint_eq(c->updates[0].features, C);
	ck_assert_uint_eq(c->updates[0].ddof, 1);
	ck_assert_double_eq(c->updates[0].momentum, 0.1);
	for (size_t i = 0; i < C; i++) {
		ck_assert_double_eq_tol(c->updates[0].mean[i], batch_mean[i], 1e-12);
		ck_assert_double_eq_tol(c->updates[0].var[i], batch_var[i], 1e-12);
	}
}

START_TEST(train_normalizes_and_gives_an_update)
{
	struct fixture f;

	begin(&f, batch_norm());
	f.call.output = true;
	ck_assert_msg(call_fit(&f.call, &f.e) == 0 && call_train(&f.call, &f.e) == 0, "%s", f.e.detail);
	ck_assert(!f.call.pending);
	check_batch_update(&f.call);
	check_normalized(f.x, batch_mean, batch_var);
	end(&f);
}
END_TEST

START_TEST(train_without_output_leaves_the_tensor)
{
	struct fixture f;

	begin(&f, batch_norm());
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train(&f.call, &f.e), 0);
	ck_assert(!f.call.pending);
	check_batch_update(&f.call);
	ck_assert_mem_eq(f.x, samples, sizeof(samples));
	end(&f);
}
END_TEST

/* Two samples each: an update of each ghost batch, and an output that may follow after they are stored. */
START_TEST(train_by_ghost_batches_gives_an_update_of_each)
{
	static const double mean[2][C] = { { 1.5, 15 }, { 4.5, 45 } };
	struct definition d = batch_norm();
	struct fixture f;

	d.virtual_batch_size = 2;
	begin(&f, d);
	f.call.output = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train(&f.call, &f.e), 0);
	ck_assert(f.call.pending);
	ck_assert_uint_eq(f.call.update_count, 2);
	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < C; k++)
			ck_assert_double_eq_tol(f.call.updates[i].mean[k], mean[i][k], 1e-12);
	ck_assert_mem_eq(f.x, samples, sizeof(samples));
	ck_assert_int_eq(call_train_output(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.x[i], i / C % 2 == 0 ? -1 : 1, 1e-12);
	end(&f);
}
END_TEST

/* The state that the updates have led to: mean 2, 40; var 4, 400. */
static const struct statistics led_to = { C, 7, 0, (double[C]){ 2, 40 }, (double[C]){ 4, 400 }, 0 };

static struct definition
by_running(void)
{
	struct definition d = batch_norm();

	d.normalize_by = NORMALIZE_BY_RUNNING;
	return d;
}

/* The output waits for the state, which the call copies with weight and bias as they are by then. */
START_TEST(train_by_running_statistics_waits_for_the_state)
{
	double mean[C] = { 2, 40 }, var[C] = { 4, 400 }, weight[C] = { 2, -1 }, bias[C] = { 0.5, 7 };
	struct statistics after = { C, 7, 0, mean, var, 0 };
	struct definition d = by_running();
	struct fixture f;
	size_t bytes;

	d.virtual_batch_size = 2 * (size_t)_i;
	begin(&f, d);
	track(&f);
	f.call.output = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_msg(call_train(&f.call, &f.e) == 0, "%s", f.e.detail);
	ck_assert(f.call.pending && f.call.needs_state);
	ck_assert_uint_eq(f.call.update_count, _i == 0 ? 1 : 2);
	ck_assert_mem_eq(f.x, samples, sizeof(samples));
	bytes = f.ws.memory.bytes;
	ck_assert_int_eq(call_train_take_state(&f.call, &after, (struct scale_shift){ weight, bias }, &f.e), 0);
	ck_assert(f.call.pending);
	memset(mean, 0, sizeof(mean));
	memset(var, 0, sizeof(var));
	memset(weight, 0, sizeof(weight));
	ck_assert_int_eq(call_train_output(&f.call, &f.e), 0);
	ck_assert_uint_eq(f.ws.memory.bytes, bytes);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq(f.x[i],
		    i % C == 0 ? (samples[i] - 2) * (1. / 2) * 2 + 0.5 : (samples[i] - 40) * (1. / 20) * -1 + 7);
	end(&f);
}
END_TEST

/* What might not fit is computed before the updates stand, and refused if it does not. */
START_TEST(train_by_running_statistics_is_refused_by_the_state)
{
	static const double large[] = { 0x1p1023, 0x1p1020, 0x1p1022 };
	const double weight[C] = { large[_i], 1 };
	const struct statistics none = { .features = C };
	struct statistics other = led_to;
	struct fixture f;
	int result;

	begin(&f, by_running());
	f.call.output = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train_take_state(&f.call, &none, f.call.parameters, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NOT_TRAINED);
	other.features = C + 1;
	ck_assert_int_eq(call_train_take_state(&f.call, &other, f.call.parameters, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_SHAPE_MISMATCH);
	/* The largest value of channel 0 is 2 deviations from the mean: times 2^1023 that is too much. */
	result = call_train_take_state(&f.call, &led_to, (struct scale_shift){ weight, NULL }, &f.e);
	ck_assert_int_eq(result, _i == 0 ? -1 : 0);
	ck_assert(_i > 0 || f.e.code == ERR_NON_FINITE_INPUT);
	ck_assert_int_eq(f.call.pending, _i == 1);
	ck_assert(_i != 2 || f.x[6] == 0x1p1023);
	end(&f);
}
END_TEST

#define MANY ((size_t)1 << 15)
#define HALF_1 0x3C00
#define HALF_0_5 0x3800
#define HALF_MINUS_0_25 0xB400

/*
 * Of a large tensor that might not fit, the least and the greatest values decide, and the output waits all the same.
 * 0: the greatest becomes 65503.9, which fits. 1: it becomes more. 2: the same, which no present state foresaw.
 */
START_TEST(the_extremes_of_a_large_tensor_decide_whether_it_fits)
{
	static const double weight[C] = { 65503.9, 1 }, heavy[C] = { 65536, 1 };
	const struct statistics after = { C, 7, 0, (double[C]){ 0, 0 }, (double[C]){ 1, 1 }, 0 };
	struct definition d = by_running();
	struct fixture f;
	uint16_t *x;

	d.virtual_batch_size = MANY / 3;
	begin(&f, d);
	f.budget.bytes_max = (size_t)1 << 24;
	workspace_init(&f.ws, &f.budget, (size_t)1 << 24);
	x = workspace_array(&f.ws, MANY * C, sizeof(*x), &f.e);
	for (size_t i = 0; i < MANY * C; i++)
		x[i] = i % 3 == 0 ? HALF_0_5 : HALF_MINUS_0_25;
	x[MANY] = HALF_1;
	f.tensor = (struct tensor){
		.datatype = DATATYPE_FP16, .rank = 2, .shape = { MANY, C }, .count = MANY * C, .values = x
	};
	if (_i < 2) {
		f.call.statistics = after;
		f.call.parameters.weight = heavy;
	}
	f.call.output = true;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train(&f.call, &f.e), 0);
	ck_assert_uint_eq(f.call.extremes.count, _i < 2 ? 2 * C : 0);
	ck_assert_int_eq(
	    call_train_take_state(&f.call, &after, (struct scale_shift){ _i == 0 ? weight : heavy, NULL }, &f.e),
	    _i == 0 ? 0 : -1);
	if (_i == 0) {
		ck_assert(f.call.pending);
		ck_assert_int_eq(call_train_output(&f.call, &f.e), 0);
		ck_assert(x[MANY] == 0x7BFF && x[0] == 0x77FF && x[2] == 0xF3FF); /* 65504, 32752, -16376 */
	} else {
		ck_assert_int_eq(f.e.code, ERR_NON_FINITE_INPUT);
		ck_assert_msg(strncmp(f.e.detail, "channel 0", 9) == 0, "%s", f.e.detail);
	}
	end(&f);
}
END_TEST

/* One value of each channel: where it can be merged and the answer is not by its own variance. */
START_TEST(one_value_is_enough_where_it_can_be_merged)
{
	const bool output = (_i & 1) != 0, running = (_i & 2) != 0, pooled = (_i & 4) != 0;
	struct definition d = running ? by_running() : batch_norm();
	struct fixture f;
	int result;

	d.averaging = pooled ? AVERAGING_POOLED : AVERAGING_EXPONENTIAL;
	begin(&f, d);
	f.tensor.shape[0] = 1;
	f.tensor.count = C;
	f.call.output = output;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	result = call_train(&f.call, &f.e);
	ck_assert_int_eq(result == 0, pooled && (running || !output));
	ck_assert(result == 0 || f.e.code == ERR_TOO_FEW_VALUES);
	ck_assert(result < 0 || (f.call.updates[0].mean[1] == 10 && f.call.updates[0].var[1] == 0));
	end(&f);
}
END_TEST

/* The last sample is padding: what it holds does not matter, and its output is 0. */
START_TEST(padding_is_left_out_of_everything)
{
	unsigned char keep[N] = { 1, 1, 1, 0 };
	const double r = sqrt(1.5);
	const double expected[N * C] = { -r, -r, 0, 0, r, r, 0, 0 };
	struct fixture f;

	begin(&f, batch_norm());
	f.x[N * C - 1] = NAN;
	f.call.output = true;
	f.call.mask = (struct mask){ keep, N, 1 };
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_msg(call_train(&f.call, &f.e) == 0, "%s", f.e.detail);
	ck_assert_uint_eq(f.call.updates[0].count, 3);
	ck_assert_double_eq_tol(f.call.updates[0].mean[1], 20, 1e-12);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.x[i], expected[i], 1e-12);
	end(&f);

	memset(keep, 0, sizeof(keep));
	begin(&f, batch_norm());
	f.call.mask = (struct mask){ keep, N, 1 };
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train(&f.call, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_TOO_FEW_VALUES);
	end(&f);
}
END_TEST

START_TEST(infer_is_by_the_running_statistics_and_can_be_undone)
{
	struct fixture f;

	begin(&f, batch_norm());
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NOT_TRAINED);
	track(&f);
	ck_assert_msg(call_infer(&f.call, &f.e) == 0, "%s", f.e.detail);
	check_normalized(f.x, f.running_mean, f.running_var);
	ck_assert_uint_eq(f.call.update_count, 0);
	ck_assert_int_eq(call_invert(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.x[i], samples[i], 1e-12);
	end(&f);
}
END_TEST

/* y = x * scale + shift is what infer gives. */
START_TEST(fold_gives_inference_as_scale_and_shift)
{
	static const double weight[C] = { 2, -1 }, bias[C] = { 0.5, 7 };
	double *scale, *shift;
	struct fixture f;

	begin(&f, batch_norm());
	f.call.parameters = (struct scale_shift){ weight, bias };
	ck_assert_int_eq(call_fold(&f.call, &scale, &shift, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NOT_TRAINED);
	track(&f);
	ck_assert_int_eq(call_fold(&f.call, &scale, &shift, &f.e), 0);
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.x[i], samples[i] * scale[i % C] + shift[i % C], 1e-12);
	end(&f);
}
END_TEST

/*
 * The running deviations are 2 and 10. Bit _i & 1: the mean stays; _i / 2: none, the first or both are below min_std
 * (a deviation that equals it is not). Inference, its inverse, its folded form and its gradient agree.
 */
START_TEST(narrow_channels_are_not_scaled_and_the_mean_may_stay)
{
	static const double weight[C] = { 2, -1 }, bias[C] = { 0.5, 7 }, min_std[] = { 2, 2.0000001, 10.1 };
	struct definition d = batch_norm();
	double *scale, *shift;
	struct fixture f;

	d.with_mean = _i % 2 == 0;
	d.min_std = min_std[_i / 2];
	begin(&f, d);
	track(&f);
	f.call.parameters = (struct scale_shift){ weight, bias };
	f.call.gradient = &f.gradient;
	for (size_t i = 0; i < N * C; i++)
		f.g[i] = 1;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_fold(&f.call, &scale, &shift, &f.e), 0);
	ck_assert_int_eq(call_backward(&f.call, &f.e), 0);
	ck_assert_int_eq(call_infer(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++) {
		const size_t k = i % C;
		const double mean = d.with_mean ? f.running_mean[k] : 0, std = sqrt(f.running_var[k]);
		const double rstd = std < d.min_std ? 1 : 1 / std;

		ck_assert_double_eq(f.x[i], (samples[i] - mean) * rstd * weight[k] + bias[k]);
		ck_assert_double_eq_tol(f.x[i], samples[i] * scale[k] + shift[k], 1e-12);
		ck_assert_double_eq(f.g[i], weight[k] * rstd);
		ck_assert_double_eq(scale[k], rstd * weight[k]);
	}
	ck_assert_int_eq(call_invert(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.x[i], samples[i], 1e-12);
	end(&f);
}
END_TEST

START_TEST(normalize_is_by_the_own_statistics)
{
	struct definition rows = { .kind = KIND_LAYER_NORM, .normalized_rank = 1, .normalized_shape = { C } };
	struct fixture f;

	begin(&f, batch_norm());
	track(&f);
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_normalize(&f.call, &f.e), 0);
	check_normalized(f.x, batch_mean, batch_var);
	ck_assert_uint_eq(f.call.update_count, 0);
	end(&f);

	begin(&f, rows);
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_normalize(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.x[i], i % C == 0 ? -1 : 1, 1e-12);
	end(&f);
}
END_TEST

static const double output_gradient[N * C] = { 1, 0, 0, 1, 2, -1, 1, 2 };

/* Equations 20 and 21 of docs/MATH.md, in their plain form. */
static void
check_gradients(const struct fixture *f)
{
	for (size_t k = 0; k < C; k++) {
		double sum = 0, product = 0, rstd = 1 / sqrt(batch_var[k]);

		for (size_t i = 0; i < N; i++) {
			sum += output_gradient[i * C + k];
			product += output_gradient[i * C + k] * (samples[i * C + k] - batch_mean[k]) * rstd;
		}
		ck_assert_double_eq_tol(f->call.grad_bias[k], sum, 1e-12);
		ck_assert_double_eq_tol(f->call.grad_weight[k], product, 1e-12);
		for (size_t i = 0; i < N; i++)
			ck_assert_double_eq_tol(f->g[i * C + k],
			    rstd *
				(output_gradient[i * C + k] - sum / N -
				    (samples[i * C + k] - batch_mean[k]) * rstd * product / N),
			    1e-12);
	}
}

START_TEST(backward_gives_three_gradients)
{
	struct fixture f;

	begin(&f, batch_norm());
	track(&f);
	f.call.gradient = &f.gradient;
	f.call.train = true;
	memcpy(f.g, output_gradient, sizeof(f.g));
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_msg(call_backward(&f.call, &f.e) == 0, "%s", f.e.detail);
	check_gradients(&f);
	ck_assert_mem_eq(f.x, samples, sizeof(samples));
	end(&f);

	/* By the running statistics, which are constants: dx = dy / sqrt(var). */
	begin(&f, batch_norm());
	track(&f);
	f.call.gradient = &f.gradient;
	memcpy(f.g, output_gradient, sizeof(f.g));
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_backward(&f.call, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq_tol(f.g[i], output_gradient[i] / (i % C == 0 ? 2 : 10), 1e-12);
	end(&f);
}
END_TEST

/* Fits the call to some of the samples. */
static void
cut(struct fixture *f, size_t first, size_t count)
{
	f->tensor.shape[0] = count;
	f->tensor.count = count * C;
	memmove(f->x, f->x + first * C, count * C * sizeof(double));
	f->gradient.shape[0] = count;
	f->gradient.count = count * C;
	memcpy(f->g, output_gradient + first * C, count * C * sizeof(double));
	ck_assert_int_eq(call_fit(&f->call, &f->e), 0);
}

/* One sample, the other three: each is normalized by the moments of all four. */
START_TEST(shards_are_normalized_by_the_whole_batch)
{
	static const struct moments whole = { N, batch_mean, batch_var };
	struct fixture f, g;
	struct shard own, all = { .moments = whole, .limit = DBL_MAX };

	begin(&f, batch_norm());
	begin(&g, batch_norm());
	f.call.output = g.call.output = true;
	cut(&f, 0, 1);
	cut(&g, 1, 3);
	ck_assert_int_eq(call_train_shard(&f.call, &own, &f.e), 0);
	ck_assert_uint_eq(own.moments.count, 1);
	ck_assert_double_eq(own.moments.mean[1], 10);
	ck_assert_double_eq(own.limit, DBL_MAX);
	ck_assert_int_eq(call_train_shard(&g.call, &own, &g.e), 0);
	ck_assert_uint_eq(own.moments.count, 3);
	ck_assert_int_eq(call_train_whole(&f.call, &all, NULL, &f.e), 0);
	check_batch_update(&f.call);
	ck_assert_int_eq(call_train_shard_output(&f.call, &all, NULL, &f.e), 0);
	ck_assert_int_eq(call_train_shard_output(&g.call, &all, NULL, &g.e), 0);
	memmove(f.x + C, g.x, 3 * C * sizeof(double));
	check_normalized(f.x, batch_mean, batch_var);
	end(&f);
	end(&g);
}
END_TEST

/* The call that makes the update leaves the state where all shards find it; it is refused if any might not fit. */
START_TEST(shards_by_running_statistics_share_a_state)
{
	const double weight[C] = { 3, 1 }, heavy[C] = { 1, 1e300 };
	struct fixture f, g;
	struct shard own, all = { .moments = { N, batch_mean, batch_var }, .limit = FLT_MAX };
	double state[CALL_STATE_LISTS * C] = { 0 };

	begin(&f, by_running());
	begin(&g, by_running());
	f.call.output = g.call.output = true;
	cut(&f, 0, 1);
	cut(&g, 1, 3);
	ck_assert_int_eq(call_train_shard(&f.call, &own, &f.e), 0);
	ck_assert_int_eq(call_train_shard(&g.call, &own, &g.e), 0);
	ck_assert_int_eq(call_train_whole(&f.call, &all, state, &f.e), 0);
	check_batch_update(&f.call);
	ck_assert(f.call.needs_state);
	ck_assert_int_eq(call_train_take_state(&f.call, &led_to, (struct scale_shift){ heavy, NULL }, &f.e), -1);
	ck_assert_int_eq(f.e.code, ERR_NON_FINITE_INPUT);
	ck_assert_int_eq(call_train_take_state(&f.call, &led_to, (struct scale_shift){ weight, NULL }, &f.e), 0);
	ck_assert_int_eq(call_train_shard_output(&f.call, &all, state, &f.e), 0);
	ck_assert_int_eq(call_train_shard_output(&g.call, &all, state, &g.e), 0);
	memmove(f.x + C, g.x, 3 * C * sizeof(double));
	for (size_t i = 0; i < N * C; i++)
		ck_assert_double_eq(
		    f.x[i], (samples[i] - led_to.mean[i % C]) * (1 / sqrt(led_to.var[i % C])) * weight[i % C] + 0);
	end(&f);
	end(&g);
}
END_TEST

/* It takes part by its place alone: nothing is measured, and its output is zeros. */
START_TEST(a_shard_may_be_padding_alone)
{
	unsigned char keep[N] = { 0 };
	struct fixture f;
	struct shard own, all = { .moments = { N, batch_mean, batch_var }, .limit = DBL_MAX };

	begin(&f, batch_norm());
	f.call.output = true;
	f.call.mask = (struct mask){ keep, N, 1 };
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_int_eq(call_train_shard(&f.call, &own, &f.e), 0);
	ck_assert(own.moments.count == 0 && own.moments.mean[0] == 0 && !own.empty && isinf(own.limit));
	ck_assert_int_eq(call_train_shard_output(&f.call, &all, NULL, &f.e), 0);
	for (size_t i = 0; i < N * C; i++)
		ck_assert(f.x[i] == 0);
	end(&f);
}
END_TEST

START_TEST(the_gradients_of_shards_add_up)
{
	struct fixture f, g;
	struct shard one, other, all = { .moments = { N, batch_mean, batch_var }, .limit = HUGE_VAL };
	double sum[C], product[C];

	begin(&f, batch_norm());
	begin(&g, batch_norm());
	f.call.gradient = &f.gradient;
	g.call.gradient = &g.gradient;
	f.call.train = g.call.train = true;
	cut(&f, 0, 1);
	cut(&g, 1, 3);
	ck_assert_int_eq(call_backward_shard(&f.call, &one, &f.e), 0);
	ck_assert_int_eq(call_backward_shard(&g.call, &other, &g.e), 0);
	for (size_t k = 0; k < C; k++) {
		sum[k] = one.sum[k] + other.sum[k];
		product[k] = one.product[k] + (one.moments.mean[k] - batch_mean[k]) * one.sum[k] + other.product[k] +
		    (other.moments.mean[k] - batch_mean[k]) * other.sum[k];
	}
	all.sum = sum;
	all.product = product;
	ck_assert_int_eq(call_backward_shard_output(&f.call, &all, &f.e), 0);
	ck_assert_int_eq(call_backward_shard_output(&g.call, &all, &g.e), 0);
	for (size_t k = 0; k < C; k++) {
		f.call.grad_weight[k] += g.call.grad_weight[k];
		f.call.grad_bias[k] += g.call.grad_bias[k];
	}
	memcpy(f.g + C, g.g, 3 * C * sizeof(double));
	check_gradients(&f);
	end(&f);
	end(&g);
}
END_TEST

typedef int call_function(struct call *c, struct err *e);

static call_function *const functions[] = { call_train, call_infer, call_invert, call_normalize, call_backward };

/* A call of a layer that tracks, with padding, ready for any function. */
static void
begin_any(struct fixture *f, unsigned char *keep)
{
	begin(f, batch_norm());
	track(f);
	memset(keep, 1, N - 1);
	keep[N - 1] = 0;
	f->call.mask = (struct mask){ keep, N, 1 };
	f->call.gradient = &f->gradient;
	f->call.train = f->call.output = true;
}

START_TEST(an_empty_tensor_changes_nothing)
{
	unsigned char keep[N];
	struct fixture f;

	begin_any(&f, keep);
	f.call.mask = (struct mask){ 0 };
	f.tensor.shape[0] = f.gradient.shape[0] = 0;
	f.tensor.count = f.gradient.count = 0;
	ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
	ck_assert_msg(functions[_i](&f.call, &f.e) == 0, "%s", f.e.detail);
	ck_assert_uint_eq(f.call.update_count, 0);
	ck_assert(!f.call.pending);
	for (size_t k = 0; k < C && functions[_i] == call_backward; k++)
		ck_assert(f.call.grad_weight[k] == 0 && f.call.grad_bias[k] == 0);
	end(&f);
}
END_TEST

/* A call is refused until the budget has all that it takes; what was taken is given back each time. */
START_TEST(all_memory_comes_from_the_workspace)
{
	unsigned char keep[N];
	struct fixture f;
	int result;

	for (size_t bytes = 0;; bytes += 8) {
		begin_any(&f, keep);
		f.budget.bytes_max = bytes;
		ck_assert_int_eq(call_fit(&f.call, &f.e), 0);
		result = functions[_i](&f.call, &f.e);
		ck_assert(result == 0 || f.e.code == ERR_BODY_TOO_LARGE);
		ck_assert(result < 0 || f.ws.memory.bytes == bytes);
		end(&f);
		if (result == 0)
			break;
	}
}
END_TEST

Suite *
unit_suite(void)
{
	Suite *s = suite_create("call");
	TCase *c = tcase_create("call");

	tcase_add_test(c, train_normalizes_and_gives_an_update);
	tcase_add_test(c, train_without_output_leaves_the_tensor);
	tcase_add_test(c, train_by_ghost_batches_gives_an_update_of_each);
	tcase_add_loop_test(c, train_by_running_statistics_waits_for_the_state, 0, 2);
	tcase_add_loop_test(c, train_by_running_statistics_is_refused_by_the_state, 0, 3);
	tcase_add_loop_test(c, the_extremes_of_a_large_tensor_decide_whether_it_fits, 0, 3);
	tcase_add_loop_test(c, one_value_is_enough_where_it_can_be_merged, 0, 8);
	tcase_add_test(c, padding_is_left_out_of_everything);
	tcase_add_test(c, infer_is_by_the_running_statistics_and_can_be_undone);
	tcase_add_test(c, fold_gives_inference_as_scale_and_shift);
	tcase_add_loop_test(c, narrow_channels_are_not_scaled_and_the_mean_may_stay, 0, 6);
	tcase_add_test(c, normalize_is_by_the_own_statistics);
	tcase_add_test(c, backward_gives_three_gradients);
	tcase_add_test(c, shards_are_normalized_by_the_whole_batch);
	tcase_add_test(c, shards_by_running_statistics_share_a_state);
	tcase_add_test(c, a_shard_may_be_padding_alone);
	tcase_add_test(c, the_gradients_of_shards_add_up);
	tcase_add_loop_test(c, an_empty_tensor_changes_nothing, 0, sizeof(functions) / sizeof(functions[0]));
	tcase_add_loop_test(c, all_memory_comes_from_the_workspace, 0, sizeof(functions) / sizeof(functions[0]));
	suite_add_tcase(s, c);
	return s;
}
