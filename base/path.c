/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
path_folder(const char *path, char out[PATH_FOLDER_BYTES])
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(out, PATH_FOLDER_BYTES, "./");
	else
		snprintf(out, PATH_FOLDER_BYTES, "%.*s/", (int)(slash - path), path);
}

bool
path_folder_is_writable(const char *path)
{
	char folder[PATH_FOLDER_BYTES];

	path_folder(path, folder);
	return eaccess(folder, W_OK | X_OK) == 0;
}
