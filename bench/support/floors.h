/* SPDX-License-Identifier: MIT */
/* floors - the contestants that outboard is compared with: blocking sockets, and bare libev with
 * and without msgpack-c. A message is a length of four bytes and a payload; with msgpack-c the
 * payload is a MessagePack-RPC message. */
#ifndef BENCH_FLOORS_H
#define BENCH_FLOORS_H

#include "support/bench.h"

struct floor; /* one contestant's connection */

enum floor_kind { FLOOR_RAW, FLOOR_EV, FLOOR_EV_MSGPACK };

/* Start the peer and connect. */
struct floor *floor_open(enum floor_kind kind, enum bench_wire wire);
void floor_close(struct floor *f);
bench_run_fn floor_run;

/* The peer's side: serve fd 3 until it ends. Returns the exit status, or -1 for another role. */
int floor_serve(const char *role);

#endif
