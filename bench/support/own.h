/* SPDX-License-Identifier: MIT */
/* own - outboard as a contestant: a real child, started and supervised by a connector, and the
 * ways to call it. */
#ifndef BENCH_OWN_H
#define BENCH_OWN_H

#include "support/bench.h"

struct own; /* one child */

/* Start the child in a scratch directory of its own. codec is a name, auth the mechanisms joined
 * by '+', or "tls": token over tls. The payload is binary; for json it is text, JSON's own type. */
struct own *own_open(enum bench_wire wire, const char *codec, const char *auth);
void own_close(struct own *own);

bench_run_fn own_run_inline; /* ob_client_call() on an inline runtime, one at a time */
bench_run_fn own_run_async;  /* ob_client_call_async(), and ob_client_notify() without answers */

/* The child's address, as "unix:PATH" or "tcp:ADDRESS:PORT". */
void own_place(const struct own *own, char *to, size_t size);

/* A new client: dial, authenticate and call once, repeated if it is turned away. Returns the ns
 * since the first dial. */
double own_connect(struct own *own, uint64_t *count_again);

/* The child's side. Returns the exit status, or -1 for another role. */
int own_serve(const char *role);

#endif
