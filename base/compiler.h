/* SPDX-License-Identifier: MIT */
/* Attributes that every room uses, named once. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

/* The compiler refuses a call whose result is ignored. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Checked like printf: `f` is the format's position, `a` the first argument's. */
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* For a function whose arguments are constants where it is called: each call gets a copy of its own. */
#ifndef ALWAYS_INLINE
#define ALWAYS_INLINE inline __attribute__((always_inline))
#endif

#endif
