/* SPDX-License-Identifier: MIT */
/* The output of check and restore. */
#ifndef SERVER_UPKEEP_H
#define SERVER_UPKEEP_H

#include "server/progress.h"
#include "storage/offline.h"

/* Fills *u: findings go to standard output, progress to standard error by *p, which must live as long. */
void upkeep_init(struct offline_work *u, struct progress *p);

/* "1 model, 2 layers" */
#define UPKEEP_SIZE_BYTES 64
void upkeep_format_size(char out[UPKEEP_SIZE_BYTES], const struct offline_report *report);

#endif
