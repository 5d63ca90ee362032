/* SPDX-License-Identifier: MIT */
/* normd --check-config: says whether a daemon could start with this configuration, and what the settings are. */
#pragma once

#include "server/config.h"
#include "server/exit_code.h"

/*
 * Checks the files and folders that the settings name, and changes none of them. Standard error says what is wrong with
 * each, and the result is what a daemon would exit with. If nothing is wrong, standard output has all settings, as a
 * file of settings, with where each comes from.
 */
enum exit_code config_check(const struct config *c) MUST_CHECK;
