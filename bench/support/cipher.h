/* SPDX-License-Identifier: MIT */
/*
 * cipher - the contestant that sealed connections are compared with: blocking sockets and
 * libsodium's ChaCha20-Poly1305 in both directions, in records of 16 KiB less 64 bytes, as
 * outboard makes them. It is the minimum for a connection that seals everything. A message is a
 * length of four bytes and a payload, in records of its own; a record is a length of two bytes,
 * ciphertext, and its tag.
 */
#ifndef BENCH_CIPHER_H
#define BENCH_CIPHER_H

#include "support/bench.h"

struct cipher; /* one contestant's connection */

/* Start the peer and connect. */
struct cipher *cipher_open(enum bench_wire wire);
void cipher_close(struct cipher *c);
bench_run_fn cipher_run;

/* The peer's side: serve fd 3 until it ends. Returns the exit status, or -1 for another role. */
int cipher_serve(const char *role);

#endif
