/* SPDX-License-Identifier: MIT */
#include "support/bed.h"
#include "support/scratch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

void bed_begin(struct bed *bed)
{
	bed->fds = scratch_open_fds();
	bed->dir = scratch_make();
}

int bed_end(struct bed *bed)
{
	int leaked = scratch_open_fds() - bed->fds;
	if (leaked != 0) {
		print_error("%d descriptors leaked\n", leaked);
	}
	scratch_remove(bed->dir);
	bed->dir = NULL;
	return leaked;
}

char *bed_path(const struct bed *bed, const char *name)
{
	return scratch_text("%s/%s", bed->dir, name);
}

/* ---- The transport's functions ---- */

/* An address, parsed by the host, and the memory it lives in. */
struct address {
	char *text;
	struct ob_uri uri;
	struct ob_arena arena;
	_Alignas(16) uint8_t memory[8192];
};

static int parse(const struct bed *bed, const char *rest, struct address *ret,
		 struct ob_error *reterr)
{
	ret->text = scratch_text("%s%s", bed->prefix, rest);
	ret->arena =
	    (struct ob_arena){.next = ret->memory, .end = ret->memory + sizeof ret->memory};
	return bed->host->parse_uri(ret->text, &ret->arena, &ret->uri, reterr);
}

int bed_listen(const struct bed *bed, const char *address, struct ob_listen_params params,
	       struct ob_listener **ret_listener, struct ob_error *reterr)
{
	struct address parsed;
	params.size = sizeof params;
	int rc = parse(bed, address, &parsed, reterr);
	if (rc == OB_OK) {
		rc = bed->ops->listen(bed->host, &parsed.uri, &params, ret_listener, reterr);
	}
	free(parsed.text);
	return rc;
}

static int wait_for(const struct bed *bed, const struct ob_want *want)
{
	short events = (short)((want->events & OB_READABLE ? POLLIN : 0) |
			       (want->events & OB_WRITABLE ? POLLOUT : 0));
	struct pollfd wait = {.fd = want->fd, .events = events};
	int64_t left = want->deadline >= 0 ? want->deadline - bed->host->now_ms() : PATIENCE_MS;
	if (poll(&wait, 1, left > 0 ? (int)left : 0) <= 0) {
		return 0;
	}
	return (wait.revents & (POLLIN | POLLHUP | POLLERR) ? OB_READABLE : 0) |
	       (wait.revents & POLLOUT ? OB_WRITABLE : 0);
}

int bed_dial_with(const struct bed *bed, const char *address, const struct ob_dial_params *params,
		  struct ob_stream **ret_stream, struct ob_error *reterr)
{
	struct address parsed;
	struct ob_dial *dial = NULL;
	struct ob_want want;
	int rc = parse(bed, address, &parsed, reterr);
	if (rc == OB_OK) {
		rc = bed->ops->dial(bed->host, &parsed.uri, params, &dial, &want, reterr);
	}
	if (rc == OB_OK) {
		do {
			rc = bed->ops->finish_dial(dial, wait_for(bed, &want), ret_stream, &want,
						   reterr);
		} while (rc == OB_EAGAIN);
		bed->ops->dial_close(dial);
	}
	free(parsed.text);
	return rc;
}

int bed_dial(const struct bed *bed, const char *address, struct ob_stream **ret_stream,
	     struct ob_error *reterr)
{
	struct ob_dial_params params = {.size = sizeof params, .owner = UINT32_MAX};
	return bed_dial_with(bed, address, &params, ret_stream, reterr);
}

/* ---- Calls that must succeed ---- */

struct ob_listener *must_listen(const struct bed *bed, const char *address)
{
	struct ob_error err = {.text = ""};
	struct ob_listener *listener = NULL;
	bed_listen(bed, address, (struct ob_listen_params){0}, &listener, &err);
	assert_string_equal(err.text, "");
	assert_non_null(listener);
	return listener;
}

struct ob_stream *must_dial(const struct bed *bed, const char *address)
{
	struct ob_error err = {.text = ""};
	struct ob_stream *stream = NULL;
	bed_dial(bed, address, &stream, &err);
	assert_string_equal(err.text, "");
	assert_non_null(stream);
	return stream;
}

static void must_become_readable(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
}

struct ob_stream *must_accept(const struct bed *bed, struct ob_listener *listener)
{
	struct ob_stream *stream = NULL;
	must_become_readable(bed->ops->listener_fd(listener));
	assert_int_equal(bed->ops->accept(listener, &stream, NULL), OB_OK);
	return stream;
}

void must_read(const struct bed *bed, struct ob_stream *stream, const char *text)
{
	char got[64];
	struct iovec piece = {got, sizeof got};
	must_become_readable(bed->ops->fd(stream));
	assert_int_equal(bed->ops->readv(stream, &piece, 1, NULL), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

void must_write(const struct bed *bed, struct ob_stream *stream, const char *text)
{
	struct iovec piece = {(void *)(uintptr_t)text, strlen(text)};
	assert_int_equal(bed->ops->writev(stream, &piece, 1, NULL), strlen(text));
}

struct pair must_connect(const struct bed *bed, const char *address)
{
	struct pair pair = {.listener = must_listen(bed, address)};
	pair.client = must_dial(bed, address);
	pair.server = must_accept(bed, pair.listener);
	return pair;
}

void close_pair(const struct bed *bed, struct pair *pair)
{
	bed->ops->close(pair->client);
	bed->ops->close(pair->server);
	bed->ops->listener_close(pair->listener);
	*pair = (struct pair){0};
}
