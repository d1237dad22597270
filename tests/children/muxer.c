/* SPDX-License-Identifier: MIT */
/*
 * muxer - the host side of a VMM's hybrid vsock, as strict as possible: a unix socket PATH that
 * accepts exactly "CONNECT port\n", answers "OK port\n", and then is a pipe to the guest's
 * listener, the unix socket GUEST_port. Faults are ordered on stdin, one a line, each answered
 * by a line on stdout. It ends with its stdin.
 *
 *   normal | close | silent | reset | garbage | trickle
 *             how it treats a CONNECT from now on
 *   hold      read nothing before the answer, until another of these
 *   limit N   close connections beyond N
 *   drop      end all connections and go on listening, as after the restore of a snapshot
 *   count     answer the number of CONNECTs
 *   most      answer the highest number of connections at the same time
 *   dialing   answer the highest number of them that waited for OK at the same time
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 1100, PIPE_BYTES = 16384, LINE_MAX_BYTES = 32 };

enum mode { NORMAL, CLOSE, SILENT, RESET, GARBAGE, TRICKLE, HOLD };
static const char *const mode_names[] = {"normal",  "close",   "silent", "reset",
					 "garbage", "trickle", "hold"};

/* One direction. */
struct flow {
	char bytes[PIPE_BYTES];
	size_t from, to;
	bool ended;	/* no more input */
	bool shut_down; /* and the other side was shut down */
};

struct connection {
	int host, guest; /* guest -1: no CONNECT yet */
	char line[LINE_MAX_BYTES + 1];
	size_t len;
	struct flow down, up; /* host to guest, guest to host */
};

static struct connection *all[CONNECTIONS];
static size_t count, most, dialing, most_dialing, limit = CONNECTIONS;
static enum mode mode;
static unsigned connects;
static const char *guest_path;

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address->sun_path) {
		return -1;
	}
	strcpy(address->sun_path, path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void end(size_t i)
{
	dialing -= all[i]->guest < 0;
	close(all[i]->host);
	if (all[i]->guest >= 0) {
		close(all[i]->guest);
	}
	free(all[i]);
	all[i] = all[--count];
}

/* ---- CONNECT ---- */

static bool reach_guest(struct connection *c, unsigned port)
{
	char path[256];
	struct sockaddr_un address;
	snprintf(path, sizeof path, "%s_%u", guest_path, port);
	c->guest = unix_socket(path, &address);
	dialing -= c->guest >= 0;
	return c->guest >= 0 && connect(c->guest, (struct sockaddr *)&address, sizeof address) == 0;
}

/* The number differs each time, as a VMM assigns ports. */
static void answer(struct connection *c)
{
	size_t n =
	    (size_t)snprintf(c->up.bytes, sizeof c->up.bytes, "OK %u\n", 1073741824 + connects);
	if (mode == TRICKLE) {
		/* One byte at a time, so that the reader gets one at a time. The socket is never
		 * full here. */
		for (size_t i = 0; i < n; i++) {
			(void)!write(c->host, c->up.bytes + i, 1);
		}
		return;
	}
	c->up.to = n;
}

/* A whole line. false: close the connection. */
static bool obey(struct connection *c)
{
	unsigned port;
	char exact[LINE_MAX_BYTES + 1];
	connects++;
	if (sscanf(c->line, "CONNECT %u", &port) != 1 ||
	    snprintf(exact, sizeof exact, "CONNECT %u\n", port) != (int)c->len ||
	    strcmp(exact, c->line) != 0) {
		fprintf(stderr, "muxer: not a CONNECT: %s\n", c->line);
		return false;
	}
	switch (mode) {
	case CLOSE:
	case RESET:
		return false;
	case SILENT:
		return true;
	case GARBAGE:
		return write(c->host, "HTTP/1.1 400 Bad Request\r\n", 26) == 26;
	default:
		if (count > limit || !reach_guest(c, port)) {
			return false;
		}
		answer(c);
		return true;
	}
}

/* One byte at a time, so that nothing behind the line is read. */
static bool read_line(struct connection *c)
{
	while (c->len < LINE_MAX_BYTES) {
		ssize_t n = read(c->host, c->line + c->len, 1);
		if (n <= 0) {
			return n < 0 && errno == EAGAIN;
		}
		c->len++;
		if (c->line[c->len - 1] != '\n') {
			if (mode == RESET) {
				connects++;
				return false; /* with unread bytes: the kernel sends a reset */
			}
			continue;
		}
		return obey(c);
	}
	return false;
}

/* ---- Pipes ---- */

static bool take(int fd, struct flow *f)
{
	if (f->ended || f->to == sizeof f->bytes) {
		return true;
	}
	ssize_t n = read(fd, f->bytes + f->to, sizeof f->bytes - f->to);
	f->to += n > 0 ? (size_t)n : 0;
	f->ended = n == 0;
	return n >= 0 || errno == EAGAIN;
}

static bool give(int fd, struct flow *f)
{
	while (f->from < f->to) {
		ssize_t n = send(fd, f->bytes + f->from, f->to - f->from, MSG_NOSIGNAL);
		if (n < 0) {
			return errno == EAGAIN;
		}
		f->from += (size_t)n;
	}
	f->from = f->to = 0;
	if (f->ended && !f->shut_down) {
		shutdown(fd, SHUT_WR);
		f->shut_down = true;
	}
	return true;
}

static bool pump(struct connection *c)
{
	if (c->guest < 0 && mode == HOLD) {
		return false; /* the host hung up: no other event was requested */
	}
	if (c->guest < 0) {
		return c->len == 0 || c->line[c->len - 1] != '\n'
			   ? read_line(c)
			   : recv(c->host, &(char){0}, 1, MSG_PEEK) != 0;
	}
	return take(c->host, &c->down) && give(c->guest, &c->down) && take(c->guest, &c->up) &&
	       give(c->host, &c->up) && !(c->down.shut_down && c->up.shut_down);
}

/* ---- Orders ---- */

static void order(const char *line)
{
	unsigned n;
	if (strcmp(line, "drop") == 0) {
		while (count > 0) {
			end(0);
		}
	} else if (strcmp(line, "count") == 0) {
		printf("%u\n", connects);
		return;
	} else if (strcmp(line, "most") == 0) {
		printf("%zu\n", most);
		return;
	} else if (strcmp(line, "dialing") == 0) {
		printf("%zu\n", most_dialing);
		return;
	} else if (sscanf(line, "limit %u", &n) == 1) {
		limit = n;
	}
	for (size_t i = 0; i < sizeof mode_names / sizeof *mode_names; i++) {
		if (strcmp(line, mode_names[i]) == 0) {
			mode = (enum mode)i;
		}
	}
	printf("ok\n");
}

/* false: the end. */
static bool take_orders(void)
{
	static char text[256];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, text + len, sizeof text - 1 - len);
	if (n <= 0) {
		return n < 0 && errno == EAGAIN;
	}
	len += (size_t)n;
	text[len] = '\0';
	for (char *newline; (newline = strchr(text, '\n')) != NULL;) {
		*newline = '\0';
		order(text);
		len -= (size_t)(newline + 1 - text);
		memmove(text, newline + 1, len + 1);
	}
	fflush(stdout);
	return true;
}

/* ---- The loop ---- */

static void accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c = fd >= 0 && count < CONNECTIONS ? calloc(1, sizeof *c) : NULL;
	if (c == NULL) {
		if (fd >= 0) {
			close(fd);
		}
		return;
	}
	c->host = fd;
	c->guest = -1;
	all[count++] = c;
	most = count > most ? count : most;
	dialing++;
	most_dialing = dialing > most_dialing ? dialing : most_dialing;
}

static short wish(const struct flow *in, const struct flow *out)
{
	return (short)((!in->ended && in->to < sizeof in->bytes ? POLLIN : 0) |
		       (out->from < out->to ? POLLOUT : 0));
}

static short wish_of_host(const struct connection *c)
{
	if (c->guest >= 0) {
		return wish(&c->down, &c->up);
	}
	return mode == HOLD ? 0 : POLLIN;
}

static void turn(int listener, bool *running)
{
	static struct pollfd fds[2 * CONNECTIONS + 2];
	nfds_t n = 2;
	fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	for (size_t i = 0; i < count; i++) {
		struct connection *c = all[i];
		fds[n++] = (struct pollfd){.fd = c->host, .events = wish_of_host(c)};
		fds[n++] = (struct pollfd){.fd = c->guest, .events = wish(&c->up, &c->down)};
	}
	if (poll(fds, n, -1) < 0) {
		return;
	}
	for (size_t i = count; i-- > 0;) {
		if ((fds[2 + 2 * i].revents | fds[3 + 2 * i].revents) != 0 && !pump(all[i])) {
			end(i);
		}
	}
	if (fds[0].revents != 0) {
		accept_one(listener);
	}
	if (fds[1].revents != 0) {
		*running = take_orders();
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un address;
	struct rlimit many;
	bool running = true;
	if (argc != 3) {
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &many) == 0) {
		many.rlim_cur = many.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &many);
	}
	guest_path = argv[2];
	int listener = unix_socket(argv[1], &address);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(listener, 4096) != 0) {
		perror("muxer");
		return 1;
	}
	printf("ok\n");
	fflush(stdout);
	while (running) {
		turn(listener, &running);
	}
	return 0;
}
