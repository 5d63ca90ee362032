/* SPDX-License-Identifier: MIT */
#include "tests/disk/world.h"

#include <math.h>
#include <string.h>

#include "tests/disk/world_versions.h"

/* From one value to some that take a page of the database for themselves, and more. */
static const size_t features[WORLD_LAYERS] = { 1, 3, 8, 40, 150, 16, WORLD_FEATURES_MAX };
static const char *const layer_names[WORLD_LAYERS] = { "a", "b", "c", "d", "e", "f", "g" };
static const char *const model_names[WORLD_MODELS] = { "first", "second" };

const char *
world_model_name(unsigned layer)
{
	return model_names[layer % WORLD_MODELS];
}

const char *
world_layer_name(unsigned layer)
{
	return layer_names[layer];
}

size_t
world_features(unsigned layer)
{
	return features[layer];
}

bool
world_pools(unsigned layer)
{
	return layer == 2 || layer == 4;
}

unsigned
world_ddof(unsigned layer)
{
	return layer == 4;
}

size_t
world_source(const struct world_step *step)
{
	return step->number / 8 % (step->kind == STORE_UPDATE ? WORLD_SOURCES + 1 : WORLD_SOURCES);
}

bool
world_folds_two(const struct world_step *step)
{
	return step->number / 64 % 2 != 0;
}

static bool
is_of_source(enum store_write_kind kind)
{
	return kind == STORE_SOURCE_PUT || kind == STORE_SOURCE_DELETE || kind == STORE_SOURCES_FOLD;
}

/* splitmix64 */
static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void
world_values(uint64_t number, double *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = (double)(next_random(&number) >> 11) * 0x1p-52 + 0x1p-53;
}

static struct world_step
make_step(uint64_t *random)
{
	/* Updates are what the store is for; the rest comes now and then. */
	static const enum store_write_kind kinds[] = { STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_UPDATE,
		STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_PARAMETERS_PUT,
		STORE_LAYER_CREATE, STORE_LAYER_CREATE, STORE_LAYER_CREATE, STORE_LAYER_CREATE, STORE_LAYER_DELETE,
		STORE_MODEL_DELETE, STORE_STATISTICS_RESET, STORE_STATISTICS_PUT, STORE_FREEZE, STORE_FREEZE,
		STORE_MODEL_FREEZE, STORE_MODEL_FREEZE, STORE_SOURCE_PUT, STORE_SOURCE_PUT, STORE_SOURCE_PUT,
		STORE_SOURCE_DELETE, STORE_SOURCES_FOLD, STORE_PIN, STORE_PIN, STORE_VERSION_MAKE, STORE_VERSION_MAKE,
		STORE_VERSION_DELETE, STORE_SERVE, STORE_SERVE, STORE_ALIAS_PUT, STORE_ALIAS_DELETE,
		STORE_WINDOW_RESET };
	struct world_step step = { .kind = kinds[next_random(random) % (sizeof(kinds) / sizeof(kinds[0]))],
		.layer = (unsigned)(next_random(random) % WORLD_LAYERS),
		.number = next_random(random),
		.joins = next_random(random) % 2 == 0,
		.refusal = next_random(random) % 10 == 0 ? next_random(random) % WORLD_REFUSALS : WORLD_FINE };

	if (is_of_source(step.kind))
		step.layer = step.layer % 2 == 0 ? 2 : 4;
	return step;
}

void
world_make_batch(struct world_batch *batch, const struct world *w, uint64_t *random)
{
	struct world_step *step = batch->steps;

	batch->count = 1 + (unsigned)(next_random(random) % (next_random(random) % 4 == 0 ? WORLD_STEPS_MAX : 5));
	for (unsigned i = 0; i < batch->count; i++)
		batch->steps[i] = make_step(random);
	batch->adds = true;
	step->number |= 1;
	step->joins = false;
	do {
		step->kind = !w->layers[step->layer].exists ? STORE_LAYER_CREATE :
		    w->layers[step->layer].frozen           ? STORE_FREEZE :
							      STORE_UPDATE;
		step->refusal = WORLD_FINE;
		if (step->kind == STORE_FREEZE)
			step->number |= 2; /* it thaws */
	} while (++step < batch->steps + batch->count && step->joins);
	world_fit_versions(batch, w);
}

size_t
world_step_features(const struct world_step *step)
{
	const size_t n = features[step->layer];

	return step->refusal != WORLD_MISSHAPEN ? n : n > 1 ? n - 1 : 2;
}

struct update
world_update(const struct world_step *step, double *mean, double *var)
{
	const size_t n = world_step_features(step);

	world_values(step->number, mean, n);
	world_values(~step->number, var, n);
	if (step->refusal == WORLD_NON_FINITE && (step->kind == STORE_UPDATE || step->kind == STORE_SOURCE_PUT))
		mean[step->number % n] = INFINITY;
	return (struct update){ .averaging = world_pools(step->layer) ? AVERAGING_POOLED : AVERAGING_EXPONENTIAL,
		.momentum = 0.25,
		.ddof = world_pools(step->layer) ? world_ddof(step->layer) : 0,
		.count = step->kind == STORE_SOURCE_PUT ? 1 + step->number / 128 % 9 : 4,
		.features = n,
		.mean = mean,
		.var = var };
}

static void
train(struct world_layer *layer, const struct world_step *step)
{
	double mean[WORLD_FEATURES_MAX], var[WORLD_FEATURES_MAX], new_mean[WORLD_FEATURES_MAX],
	    new_var[WORLD_FEATURES_MAX];
	struct update u = world_update(step, mean, var);
	struct statistics before = { u.features, layer->num_batches_tracked, 0, layer->mean, layer->var, 0 };
	struct statistics after = { u.features, 0, 0, new_mean, new_var, 0 };

	for (size_t i = 0; i < u.features && !layer->trained; i++) {
		layer->mean[i] = 0;
		layer->var[i] = 1;
	}
	layer->trained = update_apply(&before, &u, &after) == UPDATE_APPLIED;
	layer->num_batches_tracked = after.num_batches_tracked;
	memcpy(layer->mean, new_mean, u.features * sizeof(double));
	memcpy(layer->var, new_var, u.features * sizeof(double));
}

/* The statistics follow from the sources. */
static void
pool(struct world_layer *layer, const struct world_step *step)
{
	struct statistics s = { .mean = layer->mean, .var = layer->var };

	world_sources_pool(&layer->sources, features[step->layer], world_ddof(step->layer), &s);
	layer->trained = s.mean != NULL;
	layer->count = s.count;
}

/* A change raises a revision once. */
static void
raise_revision(struct world_layer *layer)
{
	layer->revision += !layer->raised;
	layer->raised = true;
}

static enum err_code
write_sources(struct world_layer *layer, const struct world_step *step)
{
	double mean[WORLD_FEATURES_MAX], var[WORLD_FEATURES_MAX];
	const struct update u = world_update(step, mean, var);
	const unsigned ddof = world_ddof(step->layer);
	const size_t i = world_source(step);
	struct world_source *source = i < WORLD_SOURCES ? &layer->sources.named[i] : &layer->sources.part;
	enum err_code code;

	switch (step->kind) {
	case STORE_SOURCE_PUT:
		code = world_source_put(source, &u);
		break;
	case STORE_SOURCE_DELETE:
		code = world_source_delete(source);
		break;
	case STORE_SOURCES_FOLD:
		code = world_sources_fold(&layer->sources, i, world_folds_two(step), features[step->layer], ddof);
		break;
	default:
		code = world_source_update(source, &u, i < WORLD_SOURCES ? 0 : ddof);
		layer->num_batches_tracked++;
	}
	if (code == ERR_NONE) {
		pool(layer, step);
		raise_revision(layer);
	}
	return code;
}

static enum err_code
refuse(const struct world *w, unsigned layer)
{
	return w->models[layer % WORLD_MODELS] ? ERR_NO_SUCH_LAYER : ERR_NO_SUCH_MODEL;
}

static enum err_code
create(struct world *w, unsigned layer)
{
	w->models[layer % WORLD_MODELS] = true;
	if (!w->layers[layer].exists)
		w->layers[layer] = (struct world_layer){ .exists = true };
	return ERR_NONE;
}

static enum err_code
delete_model(struct world *w, unsigned model)
{
	if (!w->models[model])
		return refuse(w, model);
	w->models[model] = false;
	world_delete_versions(&w->versions[model]);
	for (unsigned i = model; i < WORLD_LAYERS; i += WORLD_MODELS)
		w->layers[i].exists = false;
	return ERR_NONE;
}

static void
freeze(struct world_layer *layer, bool frozen)
{
	if (layer->frozen != frozen)
		raise_revision(layer);
	layer->frozen = frozen;
}

/* Counts by itself: the database raises the revisions of all layers. */
static void
freeze_with_model(struct world_layer *layer, bool frozen)
{
	layer->revision += layer->frozen != frozen;
	layer->frozen = frozen;
}

static enum err_code
freeze_model(struct world *w, unsigned model, bool frozen)
{
	if (!w->models[model])
		return refuse(w, model);
	for (unsigned i = model; i < WORLD_LAYERS; i += WORLD_MODELS)
		if (w->layers[i].exists)
			freeze_with_model(&w->layers[i], frozen);
	return ERR_NONE;
}

static bool
moves_statistics(enum store_write_kind kind)
{
	return kind == STORE_UPDATE || kind == STORE_STATISTICS_PUT || kind == STORE_STATISTICS_RESET ||
	    is_of_source(kind);
}

/* Why a write to a layer that exists must be refused. */
static enum err_code
refusal(const struct world_layer *layer, const struct world_step *step)
{
	if (step->refusal == WORLD_OTHER_LAYER)
		return ERR_NO_SUCH_LAYER;
	if (step->refusal == WORLD_OTHER_REVISION)
		return ERR_REVISION_MISMATCH;
	if (layer->frozen && moves_statistics(step->kind))
		return ERR_FROZEN;
	if (step->refusal == WORLD_MISSHAPEN &&
	    (step->kind == STORE_UPDATE || step->kind == STORE_STATISTICS_PUT || step->kind == STORE_SOURCE_PUT))
		return ERR_SHAPE_MISMATCH;
	return step->refusal == WORLD_NON_FINITE && step->kind == STORE_UPDATE ? ERR_NON_FINITE_INPUT : ERR_NONE;
}

/* Of a write that is not refused, to a layer that exists. */
static void
write_layer(struct world_layer *layer, const struct world_step *step)
{
	const size_t n = features[step->layer];

	if (step->kind == STORE_FREEZE) {
		freeze(layer, world_frozen(step));
		return;
	}
	if (step->kind == STORE_WINDOW_RESET) {
		layer->window = (struct world_window){ 0 };
		return;
	}
	raise_revision(layer);
	switch (step->kind) {
	case STORE_LAYER_DELETE:
		layer->exists = false;
		break;
	case STORE_UPDATE:
		train(layer, step);
		break;
	case STORE_STATISTICS_RESET:
		layer->trained = false;
		layer->num_batches_tracked = 0;
		layer->count = 0;
		layer->sources = (struct world_sources){ 0 };
		break;
	case STORE_STATISTICS_PUT:
		layer->trained = true;
		layer->count = 0;
		layer->sources = (struct world_sources){ 0 };
		layer->num_batches_tracked = step->number % 1000;
		world_values(step->number, layer->mean, n);
		world_values(~step->number, layer->var, n);
		if (world_pools(step->layer)) {
			layer->sources.part.exists = true;
			memcpy(layer->sources.part.mean, layer->mean, n * sizeof(double));
			memcpy(layer->sources.part.var, layer->var, n * sizeof(double));
		}
		break;
	default:
		layer->has_weight = true;
		world_values(step->number, layer->weight, n);
	}
}

static enum err_code
apply(struct world *w, const struct world_step *step)
{
	struct world_layer *layer = &w->layers[step->layer];
	enum err_code code;

	if (step->kind == STORE_LAYER_CREATE)
		return create(w, step->layer);
	if (step->kind == STORE_MODEL_DELETE)
		return delete_model(w, step->layer % WORLD_MODELS);
	if (step->kind == STORE_MODEL_FREEZE)
		return freeze_model(w, step->layer % WORLD_MODELS, world_frozen(step));
	if (world_is_of_versions(step))
		return world_apply_versions(w, step);
	if (!layer->exists)
		return refuse(w, step->layer);
	code = refusal(layer, step);
	if (code != ERR_NONE)
		return code;
	if (is_of_source(step->kind) || (world_pools(step->layer) && step->kind == STORE_UPDATE))
		return write_sources(layer, step);
	write_layer(layer, step);
	return ERR_NONE;
}

unsigned
world_change_count(const struct world_batch *batch, unsigned i)
{
	unsigned end = i + 1;

	while (end < batch->count && batch->steps[end].joins)
		end++;
	return end - i;
}

void
world_apply_change(struct world *w, const struct world_batch *batch, unsigned first, struct world_answer *answers)
{
	const unsigned end = first + world_change_count(batch, first);
	static struct world before; /* it is large */
	struct world_layer *only = &w->layers[batch->steps[first].layer];
	const struct world_layer only_before = *only;
	enum err_code code = ERR_NONE;

	for (unsigned i = 0; i < WORLD_LAYERS; i++)
		w->layers[i].raised = false;
	if (end > first + 1)
		before = *w;
	for (unsigned i = first; i < end && code == ERR_NONE; i++)
		code = apply(w, &batch->steps[i]);
	if (code != ERR_NONE && end > first + 1)
		*w = before;
	else if (code != ERR_NONE)
		*only = only_before;
	for (unsigned i = first; i < end; i++) {
		const struct world_layer *layer = &w->layers[batch->steps[i].layer];
		const bool stays = code == ERR_NONE && layer->exists && !world_is_of_model(&batch->steps[i]);

		answers[i] =
		    (struct world_answer){ code, stays ? layer->revision : 0, stays ? layer->num_batches_tracked : 0 };
	}
}

struct world_window
world_add(const struct world_step *step)
{
	const uint64_t count = step->number >> 32 & 3 ? 0 : 1 + (step->number >> 34) % 50;

	return (struct world_window){ count, count * ((step->number >> 40) % 11) };
}

bool
world_window_equals(const struct world_window *expected, const struct moments *m, size_t n)
{
	const double mean = (double)expected->sum / (double)expected->count;
	bool equals = m->count == expected->count;

	for (size_t i = 0; i < n && equals && m->count > 0; i++)
		equals = fabs(m->mean[i] - mean) <= 1e-9 && m->var[i] >= 0 && m->var[i] < 100;
	return equals;
}

void
world_apply_adds(struct world *w, const struct world_batch *batch)
{
	for (unsigned i = 0; i < batch->count && batch->adds; i++) {
		const struct world_window added = world_add(&batch->steps[i]);

		w->layers[batch->steps[i].layer].window.count += added.count;
		w->layers[batch->steps[i].layer].window.sum += added.sum;
	}
}

/* Pins are of the state before the batch. */
void
world_apply_batch(struct world *w, const struct world_batch *batch, struct world_answer *answers)
{
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->steps[i].kind == STORE_PIN)
			world_apply_change(w, batch, i, answers);
	for (unsigned i = 0; i < batch->count; i += world_change_count(batch, i))
		if (batch->steps[i].kind != STORE_PIN)
			world_apply_change(w, batch, i, answers);
	world_end_pins(w);
}

bool
world_deletes(const struct world_step *step)
{
	return step->kind == STORE_LAYER_DELETE || step->kind == STORE_MODEL_DELETE;
}

bool
world_is_of_model(const struct world_step *step)
{
	return step->kind == STORE_MODEL_DELETE || step->kind == STORE_MODEL_FREEZE || world_is_of_versions(step);
}

bool
world_frozen(const struct world_step *step)
{
	return step->number % 4 == 1;
}

bool
world_batch_can_be_repeated(const struct world_batch *batch)
{
	bool can = true;

	for (unsigned i = 0; i < batch->count; i++)
		can = can && !world_deletes(&batch->steps[i]);
	return can;
}

static bool
same_doubles(const double *expected, const double *values, size_t n)
{
	return values != NULL && memcmp(expected, values, n * sizeof(*values)) == 0;
}

bool
world_layer_equals(const struct world_layer *expected, unsigned layer, const struct snapshot *state)
{
	const size_t n = features[layer];

	if (state == NULL || !expected->exists)
		return state == NULL && !expected->exists;
	if (state->revision != expected->revision || state->frozen != expected->frozen ||
	    state->statistics.num_batches_tracked != expected->num_batches_tracked || state->statistics.features != n)
		return false;
	if (state->sources != world_sources_count(&expected->sources) || state->statistics.count != expected->count)
		return false;
	if (expected->trained ? !same_doubles(expected->mean, state->statistics.mean, n) ||
		    !same_doubles(expected->var, state->statistics.var, n) :
				state->statistics.mean != NULL)
		return false;
	return expected->has_weight ? same_doubles(expected->weight, state->weight.values, n) :
				      state->weight.values == NULL;
}
