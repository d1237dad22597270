/* SPDX-License-Identifier: MIT */
/* spawn_floor - children with posix_spawn, a pidfd and epoll, and nothing else. */
#ifndef BENCH_SPAWN_FLOOR_H
#define BENCH_SPAWN_FLOOR_H

#include <stddef.h>

struct spawn_floor;

/* For `count` children that run program with one argument. */
struct spawn_floor *spawn_floor_new(size_t count, const char *program, const char *argument);

/* Start all. Returns the time in ns. */
double spawn_floor_start(struct spawn_floor *floor);

/* Kill one and start it again; main_fd gets the time of its main(). Returns the time in ns. */
double spawn_floor_restart(struct spawn_floor *floor, size_t i, int main_fd);

/* Kill and reap all. */
void spawn_floor_free(struct spawn_floor *floor);

#endif
