/* SPDX-License-Identifier: MIT */
/*
 * roundtrip - the cost of a small call, compared with the minimum on the same kind of socket:
 *
 *   raw            blocking read and write, length-prefixed; TCP_NODELAY on tcp
 *   libev          a bare libev loop on both sides, length-prefixed, one write a turn
 *   libev+mp       the same, with msgpack-c packing and unpacking MessagePack-RPC on both sides
 *   raw+cipher     raw with ChaCha20-Poly1305 in records of 16 KiB: the minimum of a sealed call
 *   CODEC inline   outboard: ob_client_call() on an inline runtime
 *   CODEC async    outboard: ob_client_call_async() on an inline runtime
 */
#include "support/contest.h"

static const struct bench_row rows[] = {
    {"one", "64 B echo, 1 outstanding", BENCH_LATENCY, {64, 1, 20000, 1}, true},
    {"many", "64 B echo, 64 in flight", BENCH_RATE, {64, 64, 200000, 1}, true},
    {"connections",
     "64 B echo, 16 connections, 1 outstanding on each",
     BENCH_RATE,
     {64, BENCH_CONNECTIONS, 200000, BENCH_CONNECTIONS},
     true},
    {0},
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, "bench-roundtrip", rows);
}
