/* SPDX-License-Identifier: MIT */
/* What the kernel says of this process, as Prometheus' clients show it. */
#pragma once

#include <stdbool.h>

struct process_figures {
	double cpu_s; /* used, by user and system */
	double descriptors_max;
	bool has_descriptors; /* false: /proc is not there, or may not be read */
	double descriptors;
	bool has_stat; /* the same, for what follows */
	double virtual_bytes, resident_bytes, threads;
	double started_s; /* since 1970 */
};

/* Any thread. Takes milliseconds where thousands of descriptors are open and the kernel does not count them. */
void process_measure(struct process_figures *out);
