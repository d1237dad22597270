/* SPDX-License-Identifier: MIT */
/* support/peer - a peer of a child's socket that sends any bytes, also those that our client
 * never sends. Failures fail the test. */
#ifndef OB_TESTS_SUPPORT_PEER_H
#define OB_TESTS_SUPPORT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_WAIT_MS = 10000 };

/* A socket that listens at path, and nobody accepts from. */
int peer_listen(const char *path);

/* A TCP port that nobody uses now: above those that the kernel gives away, and where no other
 * process looks first. */
int peer_free_port(void);

/* A blocking connection to the socket at path. */
int peer_dial(const char *path);

/* All bytes; false: the other end has closed. */
bool peer_send(int fd, const void *data, size_t len);

/* Exactly so many bytes; false: the other end closed first. */
bool peer_read(int fd, void *to, size_t len);

/* Read until the other end closes. Returns how many bytes came before that; *ret_ended is false
 * when it did not close in time. */
size_t peer_drain(int fd, int ms, bool *ret_ended);

/* The other end closes without having sent anything. */
bool peer_is_refused(int fd);

/* Write a request of MessagePack-RPC to memory: [0, id, method, params], with params as encoded
 * bytes. Returns its length. */
size_t peer_request(uint8_t *to, uint32_t id, const char *method, const void *params, size_t len);

/* Send a request, and read the reply [1, id, nil, result], whose result must be these bytes. */
void peer_must_call(int fd, uint32_t id, const char *method, const void *params, size_t len,
		    const void *result, size_t result_len);

/* The number of open descriptors of a process. */
int peer_open_fds(int pid);

#endif
