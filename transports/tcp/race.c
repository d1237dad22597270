/* SPDX-License-Identifier: MIT */
#include "tcp/race.h"

#include "common/stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Options ---- */

static void set(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

/*
 * A heartbeat is sent at most one interval after the link died. After two more intervals without
 * an acknowledgement the kernel ends the connection: three intervals in all. If nothing is sent,
 * keepalive probes take the same time.
 */
void obi_tcp_tune(int fd, uint32_t heartbeat_ms)
{
	enum { LONGEST_MS = 30000 * 1000 };
	uint32_t ms = heartbeat_ms < LONGEST_MS ? heartbeat_ms : LONGEST_MS;
	int seconds = ms < 1000 ? 1 : (int)(ms / 1000);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (ms > 0) {
		set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
		set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
		set(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
		set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)(2 * ms));
	}
}

/* ---- One attempt ---- */

/* A connect to a free port of this machine may get the same port as its source and so connect to
 * itself, without a listener. */
static bool met_itself(int fd)
{
	union obi_tcp_address here = {0}, there = {0};
	socklen_t here_len = sizeof here, there_len = sizeof there;
	return getsockname(fd, &here.any, &here_len) == 0 &&
	       getpeername(fd, &there.any, &there_len) == 0 && here_len == there_len &&
	       memcmp(&here, &there, here_len) == 0;
}

static int outcome(int fd)
{
	int sys = obi_connect_outcome(fd);
	return sys == 0 && met_itself(fd) ? ECONNREFUSED : sys;
}

/* Start an attempt. Returns the errno if it failed at once. */
static int try_connect(const struct obi_tcp_race *race, const union obi_tcp_address *address,
		       int *ret_fd)
{
	struct epoll_event event = {.events = EPOLLOUT};
	int fd =
	    socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (fd < 0) {
		return errno;
	}
	obi_tcp_tune(fd, race->heartbeat_ms);
	if ((connect(fd, &address->any, obi_tcp_length(address)) == 0 || errno == EINPROGRESS) &&
	    (race->epoll < 0 || epoll_ctl(race->epoll, EPOLL_CTL_ADD, fd, &event) == 0)) {
		*ret_fd = fd;
		return 0;
	}
	int sys = errno;
	close(fd);
	return sys;
}

/* Record the failure and let the next attempt start at once. */
static void note_failure(struct obi_tcp_race *race, uint32_t i, int sys)
{
	race->failed = i;
	race->sys = sys;
	race->next_at = race->host->now_ms();
}

static void start_next(struct obi_tcp_race *race)
{
	uint32_t i = race->next++;
	race->next_at = race->host->now_ms() + OBI_TCP_STAGGER_MS;
	int sys = try_connect(race, &race->list.items[i], &race->fds[i]);
	if (sys == 0) {
		race->pending++;
	} else {
		note_failure(race, i, sys);
	}
}

/* ---- The race ---- */

int obi_tcp_race_begin(const struct ob_host *host, const struct obi_tcp_list *list,
		       uint32_t heartbeat_ms, struct obi_tcp_race *ret, struct ob_error *reterr)
{
	*ret = (struct obi_tcp_race){
	    .host = host, .heartbeat_ms = heartbeat_ms, .list = *list, .epoll = -1};
	for (uint32_t i = 0; i < OBI_TCP_ADDRESSES; i++) {
		ret->fds[i] = -1;
	}
	obi_tcp_interleave(&ret->list);
	if (list->count > 1) {
		ret->epoll = epoll_create1(EPOLL_CLOEXEC);
		if (ret->epoll < 0) {
			return host->fail(reterr, obi_socket_code(errno), errno, "connecting");
		}
	}
	return OB_OK;
}

void obi_tcp_race_end(struct obi_tcp_race *race)
{
	for (uint32_t i = 0; i < race->next; i++) {
		if (race->fds[i] >= 0) {
			close(race->fds[i]);
			race->fds[i] = -1;
		}
	}
	if (race->epoll >= 0) {
		close(race->epoll);
		race->epoll = -1;
	}
}

/* The descriptor of the first established connection; -1 if there is none yet. */
static int harvest(struct obi_tcp_race *race)
{
	for (uint32_t i = 0; i < race->next; i++) {
		int fd = race->fds[i];
		int sys = fd >= 0 ? outcome(fd) : EINPROGRESS;
		if (sys == EINPROGRESS) {
			continue;
		}
		race->fds[i] = -1;
		race->pending--;
		if (sys == 0) {
			return fd;
		}
		close(fd);
		note_failure(race, i, sys);
	}
	return -1;
}

static struct ob_want wish(const struct obi_tcp_race *race)
{
	bool more = race->next < race->list.count;
	if (race->epoll < 0) {
		return (struct ob_want){.fd = race->fds[0], .events = OB_WRITABLE, .deadline = -1};
	}
	return (struct ob_want){
	    .fd = race->epoll, .events = OB_READABLE, .deadline = more ? race->next_at : -1};
}

int obi_tcp_race_step(struct obi_tcp_race *race, int *ret_fd, struct ob_want *ret_want,
		      struct ob_error *reterr)
{
	char text[OBI_TCP_SHOWN];
	int fd = harvest(race);
	if (fd >= 0) {
		*ret_fd = fd;
		return OB_OK;
	}
	while (race->next < race->list.count &&
	       (race->pending == 0 || race->host->now_ms() >= race->next_at)) {
		start_next(race);
	}
	if (race->pending == 0) {
		int code = obi_socket_code(race->sys);
		obi_tcp_show(&race->list.items[race->failed], text);
		return race->host->fail(reterr, code != OB_EAGAIN ? code : OB_ENOMEM, race->sys,
					"connecting to %s", text);
	}
	*ret_want = wish(race);
	return OB_EAGAIN;
}
