/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files, without libFuzzer: replay FILE... Each file is a test, in a process of its own, so
 * that one that fails does not hide the others. The last line counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* Longer inputs than the fuzzer makes are cut; they may come from anywhere, but a test must not take forever. */
#define INPUT_MAX ((size_t)64 * 1024)

static int
run_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t len;
	bool failed;

	if (f == NULL)
		return EXIT_FAILURE;
	len = fread(bytes, 1, sizeof(bytes), f);
	failed = ferror(f) != 0;
	fclose(f);
	return !failed && LLVMFuzzerTestOneInput(bytes, len) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool
passes(const char *path)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0)
		exit(run_file(path));
	if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
		printf("not ok %s (status 0x%x)\n", path, (unsigned)status);
		return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed += !passes(argv[i]);
	printf("%d passed, %d failed\n", argc - 1 - failed, failed);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
