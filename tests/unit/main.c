/* SPDX-License-Identifier: MIT */
/* The main program of every unit test: each test_*.c gives one suite. */
#include "tests/unit/unit.h"

#include <stdlib.h>

int
main(void)
{
	SRunner *runner = srunner_create(unit_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
