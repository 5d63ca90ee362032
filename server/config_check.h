/* SPDX-License-Identifier: MIT */
/* normd --check-config: says whether a daemon could start with this configuration, and what the settings are. */
#pragma once

#include "server/config.h"

/*
 * Checks the files and folders that the settings name, and changes none of them. -1: standard error says what is wrong
 * with each. Otherwise standard output has all settings, as a file of settings, with where each comes from.
 */
int config_check(const struct config *c) MUST_CHECK;
