/* SPDX-License-Identifier: MIT */
/*
 * support/peer - the other end of a child's socket, byte by byte: what no client of ours would
 * send. Failures end the test.
 */
#ifndef OB_TESTS_SUPPORT_PEER_H
#define OB_TESTS_SUPPORT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_WAIT_MS = 10000 };

/* A blocking connection to the socket at path. */
int peer_dial(const char *path);

/* All bytes; false: the other end has closed. */
bool peer_send(int fd, const void *data, size_t len);

/* Exactly so many bytes; false: the other end closed first. */
bool peer_read(int fd, void *to, size_t len);

/* Read until the other end closes. Returns how many bytes came before that; *ret_ended is false
 * when it did not close in time. */
size_t peer_drain(int fd, int ms, bool *ret_ended);

/* The other end closes, and has said nothing. */
bool peer_is_refused(int fd);

/* A MessagePack-RPC request in memory: [0, id, method, params], params as they are to be on the
 * wire. Returns its length. */
size_t peer_request(uint8_t *to, uint32_t id, const char *method, const void *params, size_t len);

/* Send one, and read a reply [1, id, nil, result] to it, whose result must be these bytes. */
void peer_must_call(int fd, uint32_t id, const char *method, const void *params, size_t len,
		    const void *result, size_t result_len);

/* How many descriptors a process has open. */
int peer_open_fds(int pid);

#endif
