/* SPDX-License-Identifier: MIT */
/*
 * A second reading of a safetensors file, from the format's description alone: the whole file is in memory, names are
 * compared in pairs, and products have 128 bits. It shares nothing with the reader that it judges.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A text without its escapes. */
struct judged_text {
	char *bytes;
	size_t len;
};

struct judged_tensor {
	struct judged_text name;
	const char *dtype; /* "F32" */
	unsigned bits;     /* of a value */
	unsigned rank;
	uint64_t shape[64]; /* the first extents */
	uint64_t count;
	uint64_t begin;
	uint64_t end;
};

struct safetensors_judgement {
	bool valid;
	struct judged_tensor *tensors; /* in the header's order */
	size_t count;
	struct judged_text *keys, *texts; /* of the metadata */
	size_t pairs;
	size_t data_at;
};

/* To be freed with safetensors_judgement_free. Lists and objects nested more than `depth_max` deep are not valid. */
struct safetensors_judgement *safetensors_judge(const char *file, size_t len, unsigned depth_max);

void safetensors_judgement_free(struct safetensors_judgement *j);

/* Value `i` of a tensor of floats or of whole numbers, whose data begins at `data`. */
double safetensors_judge_double(const struct judged_tensor *t, const char *data, size_t i);
__int128 safetensors_judge_whole(const struct judged_tensor *t, const char *data, size_t i);
