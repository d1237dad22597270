/* SPDX-License-Identifier: MIT */
/* support/keys - key pairs for the authenticator `keys`, its files, and its settings. */
#ifndef OB_TESTS_SUPPORT_KEYS_H
#define OB_TESTS_SUPPORT_KEYS_H

#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Of the seeds of 32 bytes 1, 2 and 3, and their public keys. */
#define KEYS_SECRET_1 \
	"outboard-ed25519-secret AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= parent\n"
#define KEYS_SECRET_2 "outboard-ed25519-secret AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
#define KEYS_PUBLIC_1 "ed25519 iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
#define KEYS_PUBLIC_2 "ed25519 gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q="
#define KEYS_PUBLIC_3 "ed25519 7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E="

/* Make the file, or put another in its place. */
static inline void keys_put(const char *dir, const char *name, const char *text)
{
	char *path = scratch_text("%s/%s", dir, name), *new = scratch_text("%s.new", path);
	scratch_write(new, text, strlen(text), 0600);
	assert_int_equal(rename(new, path), 0);
	free(path);
	free(new);
}

/* The files of two ends in dir: 1.key and 2.key, and 1.authorized and 2.authorized, each with the
 * key of the other. */
static inline void keys_write(const char *dir)
{
	keys_put(dir, "1.key", KEYS_SECRET_1);
	keys_put(dir, "2.key", KEYS_SECRET_2);
	keys_put(dir, "1.authorized", "# who may\n\n" KEYS_PUBLIC_2 " the child\n");
	keys_put(dir, "2.authorized", KEYS_PUBLIC_1 " the parent\n");
}

/* {"key": ..., "authorized": ...} of the end. Free it. */
static inline char *keys_settings(const char *dir, int end)
{
	return scratch_text("{\"key\":\"%s/%d.key\",\"authorized\":\"%s/%d.authorized\"}", dir, end,
			    dir, end);
}

#endif
