/* SPDX-License-Identifier: MIT */
/*
 * flooder - a client without the token that dials a child repeatedly, and holds up to `most`
 * connections at once, by default HELD:
 *
 *   flooder MODE unix:PATH|tcp:ADDRESS:PORT|vsock:PORT [uid=N] [from=ADDRESS] [most=N]
 *
 * On vsock it dials this machine itself (CID 1), so only in a guest.
 *
 *   silent   sends nothing
 *   drip     sends a byte of a request of authentication from time to time
 *   garbage  sends bytes that are not a message
 *   begin    sends the first message of `token`, and nothing more
 *   wrong    `token` with a wrong proof
 *   noise    a first message of `noise` that does not decrypt
 *
 * It prints "made N" at every 500th connection, or every `most`th if that is less, and "done N" at
 * the end: when its stdin ends, or after LIFE_MS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* needs struct sockaddr from above */

#include "support/clock.h"

enum { HELD = 5000, LIFE_MS = 120000, TELL_EVERY = 500, DRIP_MS = 20, FIRST_MAX = 128 };

struct connection {
	int fd; /* -1: none */
	bool made;
	bool answered;
	size_t sent; /* of the first message */
};

static struct connection held[HELD], *spare[HELD];
static size_t spares, most_held = HELD;
static union {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in ip;
	struct sockaddr_vm vm;
} place, from;
static socklen_t place_len, from_len;
static const char *mode;
static uint8_t first[FIRST_MAX];
static size_t first_len;
static int poller;
static long made;

static bool is(const char *which)
{
	return strcmp(mode, which) == 0;
}

/* ---- Messages ---- */

static size_t request(uint8_t *to, uint8_t id, const char *mechanism, uint8_t len)
{
	uint8_t head[] = {0x94, 0x00, id, 0xad}, data[] = {0xc4, len};
	uint8_t *at = to;
	size_t name = strlen(mechanism);
	memcpy(at, head, sizeof head);
	memcpy(at + 4, "outboard.auth", 13);
	at += 17;
	*at++ = 0x92;
	*at++ = (uint8_t)(0xa0 + name);
	memcpy(at, mechanism, name);
	memcpy(at + name, data, sizeof data);
	at += name + 2;
	if (getrandom(at, len, 0) != len) {
		exit(3);
	}
	return (size_t)(at - to) + len;
}

static void prepare(void)
{
	if (is("garbage")) {
		first_len = 64;
		memset(first, 0xc1, first_len);
	} else if (is("noise")) {
		first_len = request(first, 1, "noise", 48);
	} else if (!is("silent")) {
		first_len = request(first, 1, "token", 32);
	}
}

/* ---- Connections ---- */

/* With a reset, so that no port is left in TIME_WAIT. */
static void hang_up(struct connection *c)
{
	struct linger at_once = {1, 0};
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	close(c->fd);
	c->fd = -1;
	spare[spares++] = c;
}

static void say(struct connection *c, size_t most)
{
	size_t left = first_len - c->sent;
	ssize_t n =
	    left > 0 ? send(c->fd, first + c->sent, left < most ? left : most, MSG_NOSIGNAL) : 0;
	c->sent += n > 0 ? (size_t)n : 0;
}

static void note_made(struct connection *c)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	c->made = true;
	epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
	if (++made % (most_held < TELL_EVERY ? (long)most_held : TELL_EVERY) == 0) {
		printf("made %ld\n", made);
		fflush(stdout);
	}
	if (!is("drip")) {
		say(c, FIRST_MAX);
	}
}

/* false: not now. */
static bool dial(struct connection *c)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
	*c = (struct connection){
	    .fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
	if (c->fd < 0 || (from_len > 0 && bind(c->fd, &from.any, from_len) < 0) ||
	    (connect(c->fd, &place.any, place_len) < 0 && errno != EINPROGRESS) ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) < 0) {
		close(c->fd);
		c->fd = -1;
		return false;
	}
	return true;
}

static void on_event(struct connection *c, uint32_t events)
{
	uint8_t got[256], second[FIRST_MAX];
	if (!c->made) {
		note_made(c);
	}
	if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) {
		return;
	}
	ssize_t n = recv(c->fd, got, sizeof got, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN) || (events & EPOLLERR) != 0) {
		hang_up(c);
	} else if (n > 0 && is("wrong") && !c->answered) {
		c->answered = true;
		(void)!send(c->fd, second, request(second, 2, "token", 32), MSG_NOSIGNAL);
	}
}

static void drip(void)
{
	static int64_t last;
	if (is("drip") && now_ms() - last >= DRIP_MS) {
		last = now_ms();
		for (size_t i = 0; i < HELD; i++) {
			if (held[i].fd >= 0 && held[i].made) {
				say(&held[i], 1);
			}
		}
	}
}

static void turn(void)
{
	struct epoll_event events[64];
	int dials = 0;
	while (spares > 0 && dials < 64 && dial(spare[spares - 1])) {
		spares--;
		dials++;
	}
	int n = epoll_wait(poller, events, 64, dials == 64 ? 0 : spares > 0 ? 1 : DRIP_MS);
	for (int i = 0; i < n; i++) {
		on_event(events[i].data.ptr, events[i].events);
	}
	drip();
}

/* ---- Start ---- */

static bool read_ip(const char *text, struct sockaddr_in *to, socklen_t *ret_len)
{
	char address[INET_ADDRSTRLEN] = "";
	unsigned port = 0;
	to->sin_family = AF_INET;
	*ret_len = sizeof *to;
	bool whole = sscanf(text, "%15[0-9.]:%u", address, &port) >= 1;
	to->sin_port = htons((uint16_t)port);
	return whole && inet_pton(AF_INET, address, &to->sin_addr) == 1;
}

static bool read_place(const char *text)
{
	if (strncmp(text, "tcp:", 4) == 0) {
		return read_ip(text + 4, &place.ip, &place_len);
	}
	if (sscanf(text, "vsock:%u", &place.vm.svm_port) == 1) {
		place.vm.svm_family = AF_VSOCK;
		place.vm.svm_cid = VMADDR_CID_LOCAL;
		place_len = sizeof place.vm;
		return true;
	}
	place.local.sun_family = AF_UNIX;
	place_len = sizeof place.local;
	snprintf(place.local.sun_path, sizeof place.local.sun_path, "%s", text + 5);
	return strncmp(text, "unix:", 5) == 0;
}

static bool read_options(int argc, char **argv)
{
	for (int i = 3; i < argc; i++) {
		if (strncmp(argv[i], "uid=", 4) == 0) {
			uid_t uid = (uid_t)strtoul(argv[i] + 4, NULL, 10);
			if (setresuid(uid, uid, uid) < 0) {
				return false;
			}
		} else if (strncmp(argv[i], "most=", 5) == 0) {
			most_held = strtoul(argv[i] + 5, NULL, 10);
			if (most_held < 1 || most_held > HELD) {
				return false;
			}
		} else if (strncmp(argv[i], "from=", 5) != 0 ||
			   !read_ip(argv[i] + 5, &from.ip, &from_len)) {
			return false;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	int64_t end = now_ms() + LIFE_MS;
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (argc < 3 || poller < 0 || !read_place(argv[2]) || !read_options(argc, argv)) {
		return 2;
	}
	mode = argv[1];
	prepare();
	for (size_t i = 0; i < HELD; i++) {
		held[i].fd = -1;
	}
	while (spares < most_held) {
		spare[spares] = &held[spares];
		spares++;
	}
	while (poll(&in, 1, 0) == 0 && now_ms() < end) {
		turn();
	}
	printf("done %ld\n", made);
	return 0;
}
