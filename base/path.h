/* SPDX-License-Identifier: MIT */
/* The folders of files. */
#pragma once

#include <stdbool.h>

#define PATH_FOLDER_BYTES 4096

/* Writes the folder that a file is in, with a slash at its end, or "./". A longer path is cut. */
void path_folder(const char *path, char out[PATH_FOLDER_BYTES]);

/* Whether this process may make files beside a file. False with errno. */
bool path_folder_is_writable(const char *path);
