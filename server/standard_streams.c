/* SPDX-License-Identifier: MIT */
#include "server/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

int
standard_streams_open(void)
{
	/* Of standard output too, so that a token that cannot be printed is not taken for printed. */
	static const int modes[] = {
		[STDIN_FILENO] = O_RDONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY
	};

	/* The least free number is given, so each gets its own. */
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd] | O_NOCTTY) != fd)
			return -1;
	return 0;
}
