/* SPDX-License-Identifier: MIT */
/* Compiler attributes. */
#pragma once

/* The compiler warns of a call whose result is ignored. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Checked like printf: the format is argument `f`, the first value argument `a`. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* For a function that is called with constants: each call gets a copy of its own. */
#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif
