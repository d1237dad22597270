/* SPDX-License-Identifier: MIT */
/* fuzzed_random - randomness that is the same in each run, for noise and for libsodium. */
#ifndef OB_TESTS_FUZZ_FUZZED_RANDOM_H
#define OB_TESTS_FUZZ_FUZZED_RANDOM_H

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

ssize_t spied_getrandom(void *data, size_t len, unsigned int flags);
void spied_free(void *memory);

static uint32_t randomness;

/* The same in each run, but never twice the same in a run: with an old key an acceptor would
 * correctly open recorded messages. X25519 ignores the lowest three bits of a key. */
ssize_t spied_getrandom(void *data, size_t len, unsigned int how)
{
	uint32_t number = ++randomness << 3;
	(void)how;
	memset(data, 0, len);
	memcpy(data, &number, len < sizeof number ? len : sizeof number);
	return (ssize_t)len;
}

void spied_free(void *memory)
{
	free(memory);
}

static const char *random_name(void)
{
	return "none";
}

static uint32_t random_number(void)
{
	return randomness++;
}

static void random_bytes(void *const data, const size_t len)
{
	(void)spied_getrandom(data, len, 0);
}

static struct randombytes_implementation no_randomness = {random_name, random_number, NULL,
							  NULL,	       random_bytes,  NULL};

#endif
