/* SPDX-License-Identifier: MIT */
#include "support/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int new_socket(const char *path, struct sockaddr_un *ret_address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	assert_true(strlen(path) < sizeof ret_address->sun_path);
	memcpy(ret_address->sun_path, path, strlen(path) + 1);
	return fd;
}

int peer_listen(const char *path)
{
	struct sockaddr_un address;
	int fd = new_socket(path, &address);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0) {
		fail_msg("listen %s: %m", path);
	}
	return fd;
}

int peer_free_port(void)
{
	for (int port = 63000 + 2 * (int)(getpid() % 1000); port < 65535; port++) {
		struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = bind(fd, (struct sockaddr *)&at, sizeof at);
		close(fd);
		if (r == 0) {
			return port;
		}
	}
	fail_msg("no free port");
	return 0;
}

int peer_dial(const char *path)
{
	struct sockaddr_un address;
	int fd = new_socket(path, &address);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		fail_msg("connect %s: %m", path);
	}
	return fd;
}

bool peer_send(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;
	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0) {
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool readable(int fd, int ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	return poll(&wait, 1, ms) > 0;
}

bool peer_read(int fd, void *to, size_t len)
{
	uint8_t *at = to;
	while (len > 0) {
		assert_true(readable(fd, PEER_WAIT_MS));
		ssize_t n = recv(fd, at, len, 0);
		if (n <= 0) {
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

size_t peer_drain(int fd, int ms, bool *ret_ended)
{
	uint8_t piece[65536];
	size_t sum = 0;
	*ret_ended = false;
	while (readable(fd, ms)) {
		ssize_t n = recv(fd, piece, sizeof piece, 0);
		if (n <= 0) {
			*ret_ended = true;
			break;
		}
		sum += (size_t)n;
	}
	return sum;
}

bool peer_is_refused(int fd)
{
	bool ended;
	return peer_drain(fd, PEER_WAIT_MS, &ended) == 0 && ended;
}

size_t peer_request(uint8_t *to, uint32_t id, const char *method, const void *params, size_t len)
{
	size_t name = strlen(method);
	uint8_t head[] = {0x94,
			  0x00,
			  0xce,
			  (uint8_t)(id >> 24),
			  (uint8_t)(id >> 16),
			  (uint8_t)(id >> 8),
			  (uint8_t)id,
			  0xd9,
			  (uint8_t)name};
	memcpy(to, head, sizeof head);
	memcpy(to + sizeof head, method, name);
	memcpy(to + sizeof head + name, params, len);
	return sizeof head + name + len;
}

void peer_must_call(int fd, uint32_t id, const char *method, const void *params, size_t len,
		    const void *result, size_t result_len)
{
	uint8_t request[512], reply[512];
	assert_true(len < 256 && result_len < 256 && id < 128);
	assert_true(peer_send(fd, request, peer_request(request, id, method, params, len)));
	assert_true(peer_read(fd, reply, 4 + result_len));
	const uint8_t head[] = {0x94, 0x01, (uint8_t)id, 0xc0};
	assert_memory_equal(reply, head, sizeof head);
	assert_memory_equal(reply + sizeof head, result, result_len);
}

int peer_open_fds(int pid)
{
	char path[64];
	int count = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		count += entry->d_name[0] != '.';
	}
	closedir(dir);
	return count;
}
