/* SPDX-License-Identifier: MIT */
/*
 * A transport over a serial line, serial:///dev/NAME: a serial port, a virtio-serial port, or a
 * pseudo-terminal. One end listens on its device, the other dials on its own. There is one
 * connection at a time.
 *
 * A serial line has no connections and does not report the death of the other end. So everything
 * is sent in frames, which carry the number of their connection: a head of nine bytes, and up to
 * 1 KiB of payload. A dialer repeats its call until it is answered. An end that still serves an
 * older connection also hears a new call, and then gives up the older connection. Frames that a
 * dead process left on the line belong to no connection and are skipped. An incomplete frame is
 * completed by the zeros in front of each call and answer.
 *
 * The line must not lose or change bytes. Speed and flow control are set with stty(1); this
 * plugin only sets raw mode.
 */
#define _GNU_SOURCE
#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <termios.h>
#include <unistd.h>

struct ob_stream {
	struct line line;
	uint32_t id;
	struct ob_listener *listener; /* that accepted it, if it is still open */
	bool ended;		      /* the peer writes no more */
	bool gone;		      /* the peer has closed */
	uint8_t pending[HEAD + PAYLOAD];
	size_t from, to; /* the part of pending that is not written yet */
	size_t owed; /* payload in pending that was not reported as written: the caller will pass it
			again */
};

struct ob_listener {
	struct line line;
	char path[256];
	int epoll; /* readable when the line is readable and no stream uses it */
	struct ob_stream *stream;
};

struct ob_dial {
	struct line line;
	char path[256];
	uint32_t id;
	int64_t next, end;
};

/* ---- Listener ---- */

static int path_of(const struct ob_host *host, const struct ob_uri *uri, char *path, size_t size,
		   struct ob_error *reterr)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-:,@+";
	bool sound = uri->host.len == 0 && uri->port == -1 && uri->query.len == 0 &&
		     uri->path.len >= 2 && uri->path.len < size && uri->path.data[0] == '/';
	if (!sound || strspn((const char *)uri->path.data, plain) != uri->path.len) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.*s' is not of the form serial:///dev/NAME",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	memcpy(path, uri->path.data, uri->path.len);
	path[uri->path.len] = '\0';
	return OB_OK;
}

static bool watch(struct ob_listener *l, bool on)
{
	struct epoll_event event = {.events = EPOLLIN};
	return epoll_ctl(l->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->line.fd, &event) == 0;
}

static void listener_close(struct ob_listener *l)
{
	if (l != NULL) {
		if (l->stream != NULL) {
			l->stream->listener = NULL;
		}
		if (l->epoll >= 0) {
			close(l->epoll);
		}
		close(l->line.fd);
		free(l);
	}
}

static int listen_on(const struct ob_host *host, const struct ob_uri *uri,
		     const struct ob_listen_params *params, struct ob_listener **ret_listener,
		     struct ob_error *reterr)
{
	(void)params;
	struct ob_listener *l = calloc(1, sizeof *l);
	if (l == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "listening: out of memory");
	}
	int rc = path_of(host, uri, l->path, sizeof l->path, reterr);
	rc = rc == OB_OK ? line_open(host, l->path, OB_EEXIST, &l->line, reterr) : rc;
	if (rc < 0) {
		free(l);
		return rc;
	}
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0 || fcntl(l->epoll, F_SETFL, O_NONBLOCK) != 0 || !watch(l, true)) {
		rc = host->fail(reterr, line_code_of(errno), errno, "listening on %s", l->path);
		listener_close(l);
		return rc;
	}
	*ret_listener = l;
	return OB_OK;
}

static int listener_fd(struct ob_listener *l)
{
	return l->epoll;
}

static int local_uri(struct ob_listener *l, struct ob_sink *out)
{
	return ob_sink_text(out, "serial://") && ob_sink_text(out, l->path) ? OB_OK : OB_ENOMEM;
}

/* The last call that was not withdrawn; 0: none. */
static uint32_t hear_call(struct ob_listener *l)
{
	struct frame f;
	uint32_t caller = 0;
	while (line_skip_payload(&l->line) == 1 && line_next_frame(&l->line, &f) == 1) {
		caller = f.kind == CALL ? f.id : f.kind == BYE && f.id == caller ? 0 : caller;
	}
	return caller;
}

static struct ob_stream *new_stream(const struct ob_host *host, int fd, uint32_t id)
{
	struct ob_stream *s = calloc(1, sizeof *s);
	if (s != NULL) {
		s->line = (struct line){.host = host, .fd = fd};
		s->id = id;
	}
	return s;
}

/* Duplicate the descriptor first: what was read from the line cannot be put back. */
static int accept_call(struct ob_listener *l, struct ob_stream **ret_stream,
		       struct ob_error *reterr)
{
	if (l->stream != NULL) {
		return OB_EAGAIN;
	}
	int fd = fcntl(l->line.fd, F_DUPFD_CLOEXEC, 0);
	struct ob_stream *s = fd >= 0 ? new_stream(l->line.host, fd, 0) : NULL;
	if (s == NULL) {
		int sys = errno;
		if (fd >= 0) {
			close(fd);
		}
		return l->line.host->fail(reterr, OB_ENOMEM, sys, "accepting a connection on %s",
					  l->path);
	}
	s->id = hear_call(l);
	if (s->id == 0 || !line_send_first(&s->line, ANSWER, s->id) || !watch(l, false)) {
		close(fd);
		free(s);
		return OB_EAGAIN; /* the dialer will call again */
	}
	s->listener = l;
	l->stream = s;
	*ret_stream = s;
	return OB_OK;
}

/* ---- Dial ---- */

static void call(struct ob_dial *d, struct ob_want *want)
{
	int64_t now = d->line.host->now_ms();
	if (now >= d->next) {
		/* Where there is no room for this call, there may be for the next. */
		line_send_first(&d->line, CALL, d->id);
		d->next = now + CALL_EVERY_MS;
	}
	*want = (struct ob_want){.fd = d->line.fd,
				 .events = OB_READABLE,
				 .deadline = d->next < d->end ? d->next : d->end};
}

static int dial_on(const struct ob_host *host, const struct ob_uri *uri,
		   const struct ob_dial_params *params, struct ob_dial **ret_dial,
		   struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)params;
	struct ob_dial *d = calloc(1, sizeof *d);
	if (d == NULL || getrandom(&d->id, sizeof d->id, GRND_NONBLOCK) != sizeof d->id) {
		free(d);
		return host->fail(reterr, OB_ENOMEM, 0,
				  "dialing: out of memory, or getrandom failed");
	}
	d->id |= 1; /* never 0 */
	int rc = path_of(host, uri, d->path, sizeof d->path, reterr);
	rc = rc == OB_OK ? line_open(host, d->path, OB_EBUSY, &d->line, reterr) : rc;
	if (rc < 0) {
		free(d);
		return rc;
	}
	d->end = host->now_ms() + CALL_FOR_MS;
	call(d, ret_want);
	*ret_dial = d;
	return OB_OK;
}

static int finish_dial(struct ob_dial *d, int revents, struct ob_stream **ret_stream,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	struct frame f = {.kind = 0};
	int rc = 1;
	(void)revents;
	while (rc == 1 && !(f.kind == ANSWER && f.id == d->id)) {
		rc = line_skip_payload(&d->line);
		rc = rc == 1 ? line_next_frame(&d->line, &f) : rc;
	}
	if (rc == 1) {
		*ret_stream = new_stream(d->line.host, d->line.fd, d->id);
		d->line.fd = *ret_stream != NULL ? -1 : d->line.fd;
		return *ret_stream != NULL
			   ? OB_OK
			   : d->line.host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (rc < 0 || d->line.host->now_ms() >= d->end) {
		return d->line.host->fail(reterr, OB_EREFUSED, 0, "%s: no answer", d->path);
	}
	call(d, ret_want);
	return OB_EAGAIN;
}

static void dial_close(struct ob_dial *d)
{
	if (d != NULL) {
		if (d->line.fd >= 0) {
			line_send(&d->line, BYE, d->id);
			close(d->line.fd);
		}
		free(d);
	}
}

/* ---- Streams ---- */

static int stream_fd(struct ob_stream *s)
{
	return s->line.fd;
}

/* Read up to the next frame with payload for us. 1: it is there; 0: not now, or never: see ended
 * and gone. */
static int hear(struct ob_stream *s)
{
	struct frame f;
	while (s->line.left == 0 && !s->gone) {
		int rc = line_next_frame(&s->line, &f);
		if (rc <= 0) {
			s->gone = rc < 0;
			return 0;
		}
		if (f.kind == CALL && f.id == s->id) {
			if (s->from == s->to) {
				line_send_first(&s->line, ANSWER,
						s->id); /* it missed the first one */
			}
		} else if (f.kind == CALL || (f.kind == BYE && f.id == s->id)) {
			s->gone = true;
		} else if (f.kind == END && f.id == s->id) {
			s->ended = true;
			return 0;
		} else if (f.id != s->id && line_skip_payload(&s->line) != 1) {
			return 0; /* of an older connection; the rest of it is read as ours, and
				     refused by the session */
		}
	}
	return !s->gone;
}

/* Read no more from the line than the caller takes at once: the descriptor would not be readable
 * for bytes kept here. */
static ptrdiff_t stream_readv(struct ob_stream *s, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	(void)reterr;
	if (s->line.left == 0 && (s->ended || hear(s) == 0)) {
		return s->ended || s->gone ? 0 : OB_EAGAIN;
	}
	ptrdiff_t got = 0;
	for (int i = 0; i < count && s->line.left > 0; i++) {
		size_t room = pieces[i].iov_len < s->line.left ? pieces[i].iov_len : s->line.left;
		ptrdiff_t n = room > 0 ? line_read(&s->line, pieces[i].iov_base, room) : 0;
		if (n < 0) {
			s->gone = true;
			return got > 0 ? got : OB_ECONNLOST;
		}
		s->line.left -= (uint32_t)n;
		got += n;
		if ((size_t)n < room) {
			break;
		}
	}
	return got > 0 ? got : OB_EAGAIN;
}

/* True: nothing is pending any more. */
static bool flush(struct ob_stream *s)
{
	while (s->from < s->to) {
		ssize_t n = write(s->line.fd, s->pending + s->from, s->to - s->from);
		if (n <= 0) {
			s->gone = s->gone || (n < 0 && errno != EAGAIN && errno != EINTR);
			return false;
		}
		s->from += (size_t)n;
	}
	s->from = s->to = 0;
	return true;
}

/* Make a frame of the pieces, behind their first `skip` bytes. Returns the size of its
 * payload. */
static size_t fill(struct ob_stream *s, const struct iovec *pieces, int count, size_t skip)
{
	size_t len = 0;
	for (int i = 0; i < count && len < PAYLOAD; i++) {
		size_t pass = skip < pieces[i].iov_len ? skip : pieces[i].iov_len;
		size_t take = pieces[i].iov_len - pass < PAYLOAD - len ? pieces[i].iov_len - pass
								       : PAYLOAD - len;
		skip -= pass;
		if (take > 0) {
			memcpy(s->pending + HEAD + len, (const uint8_t *)pieces[i].iov_base + pass,
			       take);
			len += take;
		}
	}
	line_write_head(s->pending, (struct frame){DATA, s->id, (uint32_t)len});
	s->to = len > 0 ? HEAD + len : 0;
	return len;
}

/* A started frame must be completed before anything else, and the caller must come back for
 * that. So its bytes are reported as written only when it is complete; until then the caller
 * keeps them, and passes them again. */
static ptrdiff_t stream_writev(struct ob_stream *s, const struct iovec *pieces, int count,
			       struct ob_error *reterr)
{
	size_t done = 0;
	while (flush(s) && !s->gone) {
		done += s->owed;
		s->owed = fill(s, pieces, count, done);
		if (s->owed == 0) {
			return (ptrdiff_t)done;
		}
	}
	if (done == 0 && !s->gone) {
		(void)hear(s); /* there is no room, perhaps because the other end is gone */
	}
	if (s->gone && done == 0) {
		return s->line.host->fail(reterr, OB_ECONNLOST, 0, "the other end has closed");
	}
	return done > 0 ? (ptrdiff_t)done : OB_EAGAIN;
}

static int shutdown_write(struct ob_stream *s, struct ob_error *reterr)
{
	if (!flush(s) || !line_send(&s->line, END, s->id)) {
		return s->line.host->fail(reterr, OB_EIO, errno, "ending a stream");
	}
	return OB_OK;
}

static void stream_close(struct ob_stream *s)
{
	if (s == NULL) {
		return;
	}
	if (flush(s)) {
		line_send(&s->line, BYE, s->id); /* otherwise the peer's heartbeat detects it */
	}
	tcflush(s->line.fd, TCIFLUSH); /* makes room for the peer, so that it gets our BYE */
	if (s->listener != NULL) {
		s->listener->stream = NULL;
		s->listener->line.have = s->listener->line.left = 0;
		watch(s->listener, true);
	}
	close(s->line.fd);
	free(s);
}

/* ---- Table ---- */

static const char *const schemes[] = {"serial", NULL};

/* Not OB_TRANSPORT_LOCAL: the other end of the line is unknown. */
static const struct ob_transport_ops ops = {
    .size = sizeof ops,
    .schemes = schemes,
    .listen = listen_on,
    .listener_fd = listener_fd,
    .accept = accept_call,
    .local_uri = local_uri,
    .listener_close = listener_close,
    .dial = dial_on,
    .finish_dial = finish_dial,
    .dial_close = dial_close,
    .fd = stream_fd,
    .readv = stream_readv,
    .writev = stream_writev,
    .shutdown_write = shutdown_write,
    .close = stream_close,
    .flags = OB_TRANSPORT_SINGLE,
};

static const struct ob_plugin serial = {.size = sizeof serial,
					.kind = OB_PLUGIN_TRANSPORT,
					.name = "serial",
					.version = "1",
					.ops = &ops};

OB_PLUGIN_ENTRY(&serial);
