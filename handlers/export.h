/* SPDX-License-Identifier: MIT */
/*
 * GET .../state.safetensors: all layers of a model as a file that PyTorch reads.
 *
 *   export.c        the states: those of a version, or live ones that a pin keeps while they are gathered page by page
 *   export_file.c   the file: its tensors and metadata, and its bytes from any place on
 *
 * A file is never in memory: its header is, and the snapshots of the layers, from which the data is copied as the
 * client takes it.
 */
#pragma once

#include "codec/safetensors_write.h"
#include "handlers/request.h"
#include "handlers/states.h"

/* An export, in rq->scratch and the request's arena. */
struct export
{
	struct store_pin *pin;          /* while live states are gathered, else NULL */
	const struct snapshot **states; /* with a reference to each, in the order of the layers' names */
	size_t count, room;
	struct states_reading reading;
	size_t values;    /* of all states */
	uint64_t version; /* 0: live */
	char version_name[24];
	bool is_fp32; /* the datatype is FP32, not FP64 */
	unsigned char digest[SHA256_BYTES];

	/* The file. */
	struct safetensors_contents contents;
	const char *header;
	size_t header_bytes;
	uint64_t data_bytes;
};

/* Makes the file of the states. Error: not_acceptable for values that are too large for FP32. */
int export_make_file(struct request *rq, struct export *x, struct err *e) MUST_CHECK;

/* Reads its bytes: the `read` of a reply_source, whose `arg` is the export. */
ssize_t export_read(const void *arg, uint64_t offset, char *out, size_t room);
