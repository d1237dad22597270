/* SPDX-License-Identifier: MIT */
#include "rpc/acceptor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/uri.h"

enum { ACCEPT_PAUSE_MS = 100, ACCEPTS_A_TURN = 64, ADDRESS_MAX = 4096 };

static void pause_accepting(struct obi_acceptor *a, int64_t ms)
{
	obi_io_stop(&a->io);
	obi_timer_set(a->loop, &a->pause, ms);
}

/* Find out where the connection comes from, without a pidfd, which would cost a descriptor each.
 * false: the peer has gone already. */
static bool find_origin(const struct obi_acceptor *a, struct ob_stream *stream,
			struct obi_origin *ret)
{
	struct ob_peer peer = {.size = offsetof(struct ob_peer, pidfd)};
	struct ob_error err;
	if (a->transport->peer != NULL && a->transport->peer(stream, &peer, &err) < 0) {
		return false;
	}
	*ret = obi_origin_of_peer(&peer);
	return true;
}

static void refuse(struct obi_acceptor *a, struct ob_stream *stream, struct obi_origin from,
		   const struct obi_admission_answer *answer)
{
	char why[96];
	a->transport->close(stream);
	if (answer->verdict == OBI_ADMISSION_BLOCKED) {
		snprintf(why, sizeof why,
			 "too many failed attempts from this source; blocked for %lld ms more",
			 (long long)answer->ms);
	} else {
		snprintf(why, sizeof why,
			 "too many connections that have not authenticated (preauth_max)");
	}
	a->events.warn(a->events.user, &from, "a connection was refused", why);
}

/* Admit or refuse an accepted stream. false: it has to wait, and all behind it. Whoever reads a
 * connection to make room may close the listener. */
static bool admit(struct obi_acceptor *a, struct ob_stream *stream)
{
	struct obi_origin from;
	if (!find_origin(a, stream, &from)) {
		a->transport->close(stream);
		return true;
	}
	struct obi_admission_answer answer = a->events.admit(a->events.user, from);
	switch (answer.verdict) {
	case OBI_ADMISSION_ENTER:
		a->events.accepted(a->events.user, stream, from);
		return true;
	case OBI_ADMISSION_WAIT:
		a->waiting = stream;
		pause_accepting(a, answer.ms > 0 ? answer.ms : 1);
		return false;
	default:
		refuse(a, stream, from, &answer);
		return true;
	}
}

void obi_acceptor_refill(struct obi_acceptor *a)
{
	while (a->keeps_reserve && a->reserve_have <= a->reserve_want) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			return;
		}
		a->reserve[a->reserve_have++] = fd;
	}
}

/* Close one that is held in reserve, but for the last `left`. Returns whether there was one. */
static bool spend(struct obi_acceptor *a, uint32_t left)
{
	if (a->reserve_have <= left) {
		return false;
	}
	close(a->reserve[--a->reserve_have]);
	return true;
}

static void warn_of_pause(struct obi_acceptor *a, const char *why)
{
	a->events.warn(a->events.user, NULL, "accepting connections is paused", why);
}

/*
 * There are no descriptors left. As long as a connection waits, the listener stays readable. Free
 * the reserve to accept and close one connection, so that its peer learns of it, and accept no
 * more for a moment.
 */
static void refuse_one(struct obi_acceptor *a)
{
	struct ob_stream *stream;
	(void)spend(a, 0);
	if (a->transport->accept(a->listener, &stream, NULL) == OB_OK) {
		a->transport->close(stream);
	}
	obi_acceptor_refill(a);
	pause_accepting(a, ACCEPT_PAUSE_MS);
	warn_of_pause(a, "out of file descriptors or memory");
}

static int accept_one(struct obi_acceptor *a, struct ob_stream **ret, struct ob_error *err)
{
	int r = a->transport->accept(a->listener, ret, err);
	return r == OB_ENOMEM && spend(a, 1) ? a->transport->accept(a->listener, ret, err) : r;
}

static void on_acceptable(void *user, int events)
{
	struct obi_acceptor *a = user;
	struct ob_error err = {0};
	(void)events;
	obi_acceptor_refill(a);
	for (int i = 0; i < ACCEPTS_A_TURN && a->listener != NULL; i++) {
		struct ob_stream *stream;
		int r = accept_one(a, &stream, &err);
		if (r == OB_EAGAIN || (r == OB_OK && !admit(a, stream))) {
			return;
		}
		if (r == OB_ENOMEM) {
			refuse_one(a);
			return;
		}
		if (r < 0) {
			pause_accepting(a, ACCEPT_PAUSE_MS);
			warn_of_pause(a, err.text);
			return;
		}
	}
}

static void resume_accepting(void *user)
{
	struct obi_acceptor *a = user;
	struct ob_stream *stream = a->waiting;
	a->waiting = NULL;
	if ((stream == NULL || admit(a, stream)) && a->listener != NULL) {
		obi_io_set(a->loop, &a->io, a->transport->listener_fd(a->listener), OB_READABLE);
	}
}

void obi_acceptor_slot_free(struct obi_acceptor *a)
{
	if (a->waiting != NULL) {
		obi_timer_set(a->loop, &a->pause, 0);
	}
}

static int open_listener(const struct obi_acceptor *a, const char *uri,
			 const struct ob_listen_params *params, struct ob_listener **ret,
			 struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_uri parsed;
	obi_arena_init(&arena, 64 * 1024);
	int r = obi_uri_parse(uri, &arena.ob, &parsed, reterr);
	if (r == OB_OK) {
		r = a->transport->listen(a->host, &parsed, params, ret, reterr);
	}
	obi_arena_free(&arena);
	/* Most transports say so themselves. */
	return r < 0 && reterr != NULL && strncmp(reterr->text, "listening on ", 13) != 0
		   ? obi_wrap(reterr, "listening on %s", uri)
		   : r;
}

/* ---- The socket file ---- */

static bool find_file(const char *uri, struct stat *ret)
{
	struct obi_arena arena;
	struct ob_uri parsed;
	obi_arena_init(&arena, 64 * 1024);
	bool found = obi_uri_parse(uri, &arena.ob, &parsed, NULL) == OB_OK && parsed.path.len > 0 &&
		     lstat((const char *)parsed.path.data, ret) == 0 && S_ISSOCK(ret->st_mode);
	obi_arena_free(&arena);
	return found;
}

static void note_file(struct obi_acceptor *a, const char *uri)
{
	struct stat st;
	bool found = find_file(uri, &st);
	a->dev = found ? st.st_dev : 0;
	a->ino = found ? st.st_ino : 0;
}

bool obi_acceptor_is_in_place(const struct obi_acceptor *a, const char *uri)
{
	struct stat st;
	return a->ino != 0 && find_file(uri, &st) && st.st_dev == a->dev && st.st_ino == a->ino;
}

/* ---- Listening ---- */

int obi_acceptor_listen(struct obi_acceptor *a, const char *uri,
			const struct ob_listen_params *params, struct ob_error *reterr)
{
	int r = open_listener(a, uri, params, &a->listener, reterr);
	if (r < 0) {
		a->listener = NULL;
		return r;
	}
	note_file(a, uri);
	a->keeps_reserve = true;
	obi_acceptor_refill(a);
	a->io.fn = on_acceptable;
	a->pause.fn = resume_accepting;
	a->io.user = a->pause.user = a;
	resume_accepting(a);
	return OB_OK;
}

/* Who has connected to the old socket already is still let in, as far as there is room now. */
int obi_acceptor_listen_again(struct obi_acceptor *a, const char *uri,
			      const struct ob_listen_params *params, struct ob_error *reterr)
{
	struct ob_listener *fresh;
	int r = open_listener(a, uri, params, &fresh, reterr);
	if (r < 0) {
		return r;
	}
	on_acceptable(a, 0);
	obi_io_stop(&a->io);
	a->transport->listener_close(a->listener);
	a->listener = fresh;
	note_file(a, uri);
	if (a->waiting == NULL) {
		obi_timer_stop(&a->pause);
		resume_accepting(a);
	}
	return OB_OK;
}

char *obi_acceptor_address(const struct obi_acceptor *a)
{
	char memory[ADDRESS_MAX];
	struct ob_sink out = ob_sink_fixed(memory, sizeof memory - 1);
	if (a->transport->local_uri(a->listener, &out) < 0 || out.failed) {
		return NULL;
	}
	memory[out.len] = '\0';
	return strdup(memory);
}

void obi_acceptor_stop(struct obi_acceptor *a)
{
	obi_io_stop(&a->io);
	obi_timer_stop(&a->pause);
	if (a->waiting != NULL) {
		a->transport->close(a->waiting);
		a->waiting = NULL;
	}
	a->keeps_reserve = false;
	while (spend(a, 0)) {
	}
}

void obi_acceptor_close(struct obi_acceptor *a)
{
	if (a->listener != NULL) {
		a->transport->listener_close(a->listener);
		a->listener = NULL;
	}
}
