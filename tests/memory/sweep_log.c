/* SPDX-License-Identifier: MIT */
/* A line that there was no memory for is missing; those after it are not. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/memory/sweeps.h"
#include "tests/memory/trial.h"

bool
file_ends_with_line(int fd, const char *text)
{
	static char tail[4097];
	off_t size = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, tail, sizeof(tail) - 1, size > 4096 ? size - 4096 : 0);

	tail[n > 0 ? n : 0] = '\0';
	return strstr(tail, text) != NULL;
}

void
sweep_log(int fd)
{
	const long live = fault_live();
	char text[32];

	trial_begin("the log");
	trial_sweep(FAULT_ONCE, FAULT_OURS);
	while (trial_next()) {
		must(log_start(LOG_INFO, LOG_JSON) == 0, "log_start");
		trial_arm();
		log_printf(LOG_ERROR, "a line of %0*d", 300, 1);
		log_printf(LOG_ERROR, "a line of %0*d", 900, 2);
		usleep(1000); /* so that the log's thread takes its turn within */
		trial_disarm();
		snprintf(text, sizeof(text), "after %lu.", trial.n);
		log_printf(LOG_ERROR, "%s", text);
		log_stop();
		if (!file_ends_with_line(fd, text))
			trial_complain("the log writes no more", "");
		if (fault_live() != live)
			trial_complain("memory is left", "");
	}
	trial_end();
}
