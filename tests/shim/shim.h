/* SPDX-License-Identifier: MIT */
/* shim - what the LD_PRELOAD libraries need to stand before functions of the C library. */
#ifndef OB_TESTS_SHIM_SHIM_H
#define OB_TESTS_SHIM_SHIM_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

#define VISIBLE __attribute__((visibility("default")))

/* The original function. */
#define REAL(name)                                         \
	static __typeof__(name) *real;                     \
	if (real == NULL) {                                \
		*(void **)&real = dlsym(RTLD_NEXT, #name); \
	}

/* The mode that open() got, which has it for some flags only. */
static inline mode_t mode_of(int flags, va_list args)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

#endif
