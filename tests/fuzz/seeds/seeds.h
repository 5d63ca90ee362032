/* SPDX-License-Identifier: MIT */
/* Where the fuzzer starts from: inputs that are made, not kept. One function a target adds its own. */
#pragma once

#include <stddef.h>

struct seeds {
	const char *folder;
	unsigned count;
};

/* Adds an input: a file of its own in the folder. Ends the program when that cannot be written. */
void seeds_add(struct seeds *s, const void *bytes, size_t len);

void seeds_add_json_scan(struct seeds *s);
void seeds_add_decimal(struct seeds *s);
void seeds_add_npy(struct seeds *s);
void seeds_add_oip(struct seeds *s);
void seeds_add_safetensors(struct seeds *s);
