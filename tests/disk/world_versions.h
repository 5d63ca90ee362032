/* SPDX-License-Identifier: MIT */
/* Pins and versions of models that the store should hold: part of world.h. */
#pragma once

#include "tests/disk/world.h"

/* Whether a step is about a pin or a version: it is a change of its own. */
bool world_is_of_versions(const struct world_step *step);

/* Makes steps that are about versions such that their changes can be submitted: what they need is there before. */
void world_fit_versions(struct world_batch *batch, const struct world *w);

/* Such a step of a model that exists, or not. */
enum err_code world_apply_versions(struct world *w, const struct world_step *step);

/* The model was deleted. */
void world_delete_versions(struct world_versions *v);

/* The batch has ended: pins that it has taken can be made versions. */
void world_end_pins(struct world *w);
