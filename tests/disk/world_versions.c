/* SPDX-License-Identifier: MIT */
#include "tests/disk/world_versions.h"

#include <string.h>

/* No version gets so far. */
#define NO_VERSION 999999u

bool
world_is_of_versions(const struct world_step *step)
{
	switch (step->kind) {
	case STORE_PIN:
	case STORE_VERSION_MAKE:
	case STORE_VERSION_DELETE:
	case STORE_SERVE:
	case STORE_ALIAS_PUT:
	case STORE_ALIAS_DELETE:
		return true;
	default:
		return false;
	}
}

/* How many versions of the model there may be once the steps before `end` are done, if none is deleted. */
static unsigned
versions_before(const struct world_batch *batch, unsigned end, const struct world *w, unsigned model)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WORLD_VERSIONS; i++)
		count += w->versions[model].made[i].exists;
	for (unsigned i = 0; i < end; i++)
		count += batch->steps[i].kind == STORE_VERSION_MAKE && batch->steps[i].layer % WORLD_MODELS == model;
	return count;
}

static bool
made_before(const struct world_batch *batch, unsigned end, unsigned model)
{
	for (unsigned i = 0; i < end; i++)
		if (batch->steps[i].kind == STORE_VERSION_MAKE && batch->steps[i].layer % WORLD_MODELS == model)
			return true;
	return false;
}

void
world_fit_versions(struct world_batch *batch, const struct world *w)
{
	for (unsigned i = 0; i < batch->count; i++) {
		struct world_step *step = &batch->steps[i];
		const unsigned model = step->layer % WORLD_MODELS;
		const struct world_held *version = &w->versions[model].made[step->number / 16 % WORLD_VERSIONS];

		if (!world_is_of_versions(step))
			continue;
		step->joins = false;
		if (i + 1 < batch->count)
			batch->steps[i + 1].joins = false;
		if (step->kind == STORE_VERSION_MAKE &&
		    (!w->versions[model].pin.exists || made_before(batch, i, model) ||
			versions_before(batch, i, w, model) == WORLD_VERSIONS))
			step->kind = w->versions[model].pin.exists ? STORE_VERSION_DELETE : STORE_PIN;
		step->version = version->exists ? version->number : NO_VERSION;
		if (step->kind == STORE_SERVE && step->number / 64 % 3 == 0)
			step->version = 0;
	}
}

static enum err_code
take_pin(struct world *w, unsigned model)
{
	struct world_held *taken = &w->versions[model].taken;
	bool some = false;

	for (unsigned i = 0; i < WORLD_MODEL_LAYERS && i * WORLD_MODELS + model < WORLD_LAYERS; i++) {
		taken->layers[i] = w->layers[i * WORLD_MODELS + model];
		some = some || taken->layers[i].exists;
	}
	taken->exists = some;
	return some ? ERR_NONE : ERR_NO_SUCH_LAYER;
}

static enum err_code
make_version(struct world_versions *v)
{
	struct world_held *made = v->made;

	if (!v->pin.exists)
		return ERR_NO_SUCH_MODEL;
	while (made->exists)
		made++;
	*made = v->pin;
	made->number = ++v->number;
	v->pin.exists = false;
	return ERR_NONE;
}

static struct world_held *
find_version(struct world_versions *v, uint64_t number)
{
	for (unsigned i = 0; i < WORLD_VERSIONS; i++)
		if (v->made[i].exists && v->made[i].number == number)
			return &v->made[i];
	return NULL;
}

static enum err_code
delete_version(struct world_versions *v, uint64_t number)
{
	struct world_held *version = find_version(v, number);

	if (version == NULL)
		return ERR_NO_SUCH_VERSION;
	if (v->serving == number || v->alias == number)
		return ERR_VERSION_IN_USE;
	version->exists = false;
	return ERR_NONE;
}

/* A switch begins the windows of all layers anew. */
static enum err_code
serve(struct world *w, unsigned model, uint64_t number)
{
	struct world_versions *v = &w->versions[model];

	if (number != 0 && find_version(v, number) == NULL)
		return ERR_NO_SUCH_VERSION;
	for (unsigned i = model; i < WORLD_LAYERS && v->serving != number; i += WORLD_MODELS)
		w->layers[i].window = (struct world_window){ 0 };
	v->switches += v->serving != number;
	v->serving = number;
	return ERR_NONE;
}

static enum err_code
put_alias(struct world_versions *v, uint64_t number)
{
	if (find_version(v, number) == NULL)
		return ERR_NO_SUCH_VERSION;
	v->alias = number;
	return ERR_NONE;
}

static enum err_code
delete_alias(struct world_versions *v)
{
	const bool existed = v->alias != 0;

	v->alias = 0;
	return existed ? ERR_NONE : ERR_NO_SUCH_ALIAS;
}

enum err_code
world_apply_versions(struct world *w, const struct world_step *step)
{
	const unsigned model = step->layer % WORLD_MODELS;

	if (!w->models[model])
		return ERR_NO_SUCH_MODEL;
	switch (step->kind) {
	case STORE_PIN:
		return take_pin(w, model);
	case STORE_VERSION_MAKE:
		return make_version(&w->versions[model]);
	case STORE_SERVE:
		return serve(w, model, step->version);
	case STORE_ALIAS_PUT:
		return put_alias(&w->versions[model], step->version);
	case STORE_ALIAS_DELETE:
		return delete_alias(&w->versions[model]);
	default:
		return delete_version(&w->versions[model], step->version);
	}
}

void
world_delete_versions(struct world_versions *v)
{
	v->pin.exists = v->taken.exists = false;
	v->serving = v->switches = v->alias = 0;
	for (unsigned i = 0; i < WORLD_VERSIONS; i++)
		v->made[i].exists = false;
}

void
world_end_pins(struct world *w)
{
	for (unsigned model = 0; model < WORLD_MODELS; model++) {
		struct world_versions *v = &w->versions[model];

		if (v->taken.exists)
			v->pin = v->taken;
		v->taken.exists = false;
	}
}

void
world_lose_pins(struct world *w)
{
	for (unsigned model = 0; model < WORLD_MODELS; model++)
		w->versions[model].pin.exists = w->versions[model].taken.exists = false;
}
