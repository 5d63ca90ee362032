/* SPDX-License-Identifier: MIT */
/* Whether two stores hold the same, by the digests of all layers and versions, computed from what each gives. */
#pragma once

#include "storage/offline.h"
#include "storage/rows.h"

/* -1 with `e`: they differ, or could not be read. The report counts what was compared. */
int migrate_compare(struct rows *one, struct rows *other, const struct offline_work *u, struct offline_report *report,
    struct err *e) MUST_CHECK;
