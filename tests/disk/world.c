/* SPDX-License-Identifier: MIT */
#include "tests/disk/world.h"

#include <string.h>

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

void
world_make_batch(struct world_batch *batch, const struct world *w, uint64_t *random)
{
	/* Updates are what the store is for; the rest comes now and then. */
	static const enum store_op_kind kinds[] = { STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_UPDATE,
		STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_UPDATE, STORE_PARAMETERS_PUT,
		STORE_LAYER_CREATE, STORE_LAYER_CREATE, STORE_LAYER_CREATE, STORE_LAYER_CREATE, STORE_LAYER_DELETE,
		STORE_MODEL_DELETE, STORE_STATISTICS_RESET };
	unsigned certain = (unsigned)(next_random(random) % WORLD_LAYERS);

	batch->count = 1 + (unsigned)(next_random(random) % (next_random(random) % 4 == 0 ? WORLD_STEPS_MAX : 5));
	for (unsigned i = 0; i < batch->count; i++)
		batch->steps[i] = (struct world_step){ kinds[next_random(random) % (sizeof(kinds) / sizeof(kinds[0]))],
			(unsigned)(next_random(random) % WORLD_LAYERS), next_random(random) };
	batch->steps[0].layer = certain;
	batch->steps[0].number |= 1;
	batch->steps[0].kind = w->layers[certain].exists ? STORE_UPDATE : STORE_LAYER_CREATE;
}

struct update
world_update(const struct world_step *step, double *mean, double *var)
{
	world_values(step->number, mean, features[step->layer]);
	world_values(~step->number, var, features[step->layer]);
	return (struct update){ .averaging = AVERAGING_EXPONENTIAL,
		.momentum = 0.25,
		.count = 4,
		.features = features[step->layer],
		.mean = mean,
		.var = var };
}

static void
train(struct world_layer *layer, const struct world_step *step)
{
	double mean[WORLD_FEATURES_MAX], var[WORLD_FEATURES_MAX], new_mean[WORLD_FEATURES_MAX],
	    new_var[WORLD_FEATURES_MAX];
	struct update u = world_update(step, mean, var);
	struct statistics before = { u.features, layer->num_batches_tracked, 0, layer->mean, layer->var };
	struct statistics after = { u.features, 0, 0, new_mean, new_var };

	for (size_t i = 0; i < u.features && !layer->trained; i++) {
		layer->mean[i] = 0;
		layer->var[i] = 1;
	}
	layer->trained = update_apply(&before, &u, &after) == UPDATE_APPLIED;
	layer->num_batches_tracked = after.num_batches_tracked;
	memcpy(layer->mean, new_mean, u.features * sizeof(double));
	memcpy(layer->var, new_var, u.features * sizeof(double));
}

static struct world_answer
refuse(const struct world *w, unsigned layer)
{
	return (struct world_answer){ w->models[layer % WORLD_MODELS] ? ERR_NO_SUCH_LAYER : ERR_NO_SUCH_MODEL, 0, 0 };
}

static struct world_answer
create(struct world *w, unsigned layer)
{
	w->models[layer % WORLD_MODELS] = true;
	if (!w->layers[layer].exists)
		w->layers[layer] = (struct world_layer){ .exists = true };
	return (struct world_answer){ ERR_NONE, w->layers[layer].revision, 0 };
}

static struct world_answer
delete_model(struct world *w, unsigned model)
{
	if (!w->models[model])
		return refuse(w, model);
	w->models[model] = false;
	for (unsigned i = model; i < WORLD_LAYERS; i += WORLD_MODELS)
		w->layers[i].exists = false;
	return (struct world_answer){ ERR_NONE, 0, 0 };
}

struct world_answer
world_apply(struct world *w, const struct world_step *step)
{
	struct world_layer *layer = &w->layers[step->layer];

	if (step->kind == STORE_LAYER_CREATE)
		return create(w, step->layer);
	if (step->kind == STORE_MODEL_DELETE)
		return delete_model(w, step->layer % WORLD_MODELS);
	if (!layer->exists)
		return refuse(w, step->layer);
	switch (step->kind) {
	case STORE_LAYER_DELETE:
		layer->exists = false;
		return (struct world_answer){ ERR_NONE, 0, 0 };
	case STORE_UPDATE:
		train(layer, step);
		break;
	case STORE_STATISTICS_RESET:
		layer->trained = false;
		layer->num_batches_tracked = 0;
		break;
	default:
		layer->has_weight = true;
		world_values(step->number, layer->weight, features[step->layer]);
	}
	layer->revision++;
	return (struct world_answer){ ERR_NONE, layer->revision, layer->num_batches_tracked };
}

void
world_apply_batch(struct world *w, const struct world_batch *batch, struct world_answer *answers)
{
	for (unsigned i = 0; i < batch->count; i++)
		answers[i] = world_apply(w, &batch->steps[i]);
}

bool
world_batch_can_be_repeated(const struct world_batch *batch)
{
	bool can = batch->steps[0].kind == STORE_UPDATE;

	for (unsigned i = 1; i < batch->count; i++)
		can = can && batch->steps[i].kind != STORE_LAYER_DELETE && batch->steps[i].kind != STORE_MODEL_DELETE;
	return can;
}

static bool
same_doubles(const double *expected, const double *values, size_t n)
{
	return values != NULL && memcmp(expected, values, n * sizeof(*values)) == 0;
}

bool
world_layer_equals(const struct world *w, unsigned layer, const struct snapshot *state)
{
	const struct world_layer *expected = &w->layers[layer];
	const size_t n = features[layer];

	if (state == NULL || !expected->exists)
		return state == NULL && !expected->exists;
	if (state->revision != expected->revision ||
	    state->statistics.num_batches_tracked != expected->num_batches_tracked || state->statistics.features != n)
		return false;
	if (expected->trained ? !same_doubles(expected->mean, state->statistics.mean, n) ||
		    !same_doubles(expected->var, state->statistics.var, n) :
				state->statistics.mean != NULL)
		return false;
	return expected->has_weight ? same_doubles(expected->weight, state->weight.values, n) :
				      state->weight.values == NULL;
}
