/* SPDX-License-Identifier: MIT */
#include "log/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

enum way { AS_IS, NONBLOCKING, ASK_FIRST, SOCKET };

/* ---- Opening ---- */

/* Whether both are the same terminal. A path such as /dev/tty or /dev/ptmx leads to another one at
 * each opening. */
static bool is_same_terminal(int a, int b)
{
	unsigned device_a, device_b;
	return ioctl(a, TIOCGDEV, &device_a) == 0 && ioctl(b, TIOCGDEV, &device_b) == 0 &&
	       device_a == device_b;
}

/* Open the same FIFO or terminal again, as an open file of our own; -1: not possible. */
static int open_again(int fd, bool terminal)
{
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	int again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (again >= 0 && terminal && !is_same_terminal(fd, again)) {
		close(again);
		return -1;
	}
	return again;
}

/* /dev/null and the like never block. */
static bool is_memory(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1;
}

static bool sigpipe_kills(void)
{
	struct sigaction now;
	return sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler != SIG_IGN;
}

int obi_log_sink_open(int fd, int flags, struct obi_log_sink *ret, struct ob_error *reterr)
{
	struct obi_log_sink sink = {.fd = fd, .way = AS_IS, .mask_sigpipe = sigpipe_kills()};
	struct stat st;
	if (fstat(fd, &st) < 0) {
		return obi_fail(reterr, OB_EINVAL, errno, "logging to descriptor %d", fd);
	}
	bool fifo = S_ISFIFO(st.st_mode), socket = S_ISSOCK(st.st_mode);
	bool terminal = (flags & OBI_LOG_SINK_TERMINAL) != 0 && S_ISCHR(st.st_mode) && isatty(fd);
	int again = fifo || terminal ? open_again(fd, terminal) : -1;
	if (again >= 0) {
		sink.way = NONBLOCKING;
		sink.own = true;
		sink.fd = again;
	} else {
		sink.way = socket ? SOCKET : fifo ? ASK_FIRST : AS_IS;
		sink.asks = fifo;
		sink.may_block = fifo || (S_ISCHR(st.st_mode) && !is_memory(&st));
	}
	if ((flags & OBI_LOG_SINK_KEEP) != 0 && !sink.own) {
		sink.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		sink.own = true;
	}
	if (sink.fd < 0) {
		return obi_fail(reterr, OB_ENOMEM, errno, "logging to descriptor %d", fd);
	}
	*ret = sink;
	return OB_OK;
}

void obi_log_sink_close(struct obi_log_sink *sink)
{
	if (sink->own) {
		close(sink->fd);
	}
	sink->own = false;
	sink->fd = -1;
}

/* ---- Writing ---- */

/* A FIFO that polls writable has room for PIPE_BUF bytes, unless another writer is faster. */
static bool has_room(int fd)
{
	struct pollfd ask = {.fd = fd, .events = POLLOUT};
	int n;
	do {
		n = poll(&ask, 1, 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static ssize_t write_once(const struct obi_log_sink *sink, const void *data, size_t len)
{
	switch ((enum way)sink->way) {
	case SOCKET:
		return send(sink->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	case ASK_FIRST:
		if (!has_room(sink->fd)) {
			errno = EAGAIN;
			return -1;
		}
		return write(sink->fd, data, len < PIPE_BUF ? len : PIPE_BUF);
	case NONBLOCKING:
	case AS_IS:
		break;
	}
	return write(sink->fd, data, len);
}

/* Consume the SIGPIPE that our own EPIPE raised, so that the process does not see it. */
static ssize_t write_masked(const struct obi_log_sink *sink, const void *data, size_t len)
{
	static const struct timespec at_once = {0, 0};
	sigset_t sigpipe, was, pending;
	sigemptyset(&sigpipe);
	sigaddset(&sigpipe, SIGPIPE);
	sigemptyset(&pending);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &sigpipe, &was);
	ssize_t n = write_once(sink, data, len);
	int error = errno;
	if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
		(void)sigtimedwait(&sigpipe, NULL, &at_once);
	}
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	errno = error;
	return n;
}

ssize_t obi_log_sink_write(const struct obi_log_sink *sink, const void *data, size_t len)
{
	ssize_t n;
	bool mask = sink->mask_sigpipe && sink->way != SOCKET;
	do {
		n = mask ? write_masked(sink, data, len) : write_once(sink, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -(ssize_t)errno : n;
}
