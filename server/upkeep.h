/* SPDX-License-Identifier: MIT */
/* What check and restore share: how they speak to whoever runs them. */
#ifndef SERVER_UPKEEP_H
#define SERVER_UPKEEP_H

#include "server/progress.h"
#include "storage/upkeep.h"

/* Fills *u: findings go to standard output, how far it is to standard error by *p, which must live as long. */
void upkeep_init(struct upkeep *u, struct progress *p);

/* "1 model, 2 layers" */
#define UPKEEP_SIZE_BYTES 64
void upkeep_format_size(char out[UPKEEP_SIZE_BYTES], const struct upkeep_report *report);

#endif
