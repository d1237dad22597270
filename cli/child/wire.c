/* SPDX-License-Identifier: MIT */
#include "cli/child/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <outboard/plugin.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

enum {
	IN_MAX = 20 << 20,
	OUT_MAX = 4 << 20,
	ARENA_MAX = 64 << 20,
	SLICE_MS = 100,
	CHUNK = 65536,
	RECORD_TEXT = 4000
};

/* ---- Plugins ---- */

static int find_mechanism(const struct obi_subject *s, const char *name,
			  struct obi_wire_plugins *ret, struct ob_error *reterr)
{
	struct ob_plugin_info info = {.size = sizeof info};
	int r = ob_plugin_find(s->rt, OB_PLUGIN_AUTH, name, &info, reterr);
	if (r == OB_OK && info.configure != NULL) {
		return obi_fail(reterr, OB_ENOTSUP, 0,
				"%s: mechanisms with settings are not supported here", name);
	}
	if (r == OB_OK) {
		ret->auth[ret->count].ops = info.ops;
		ret->exchanges += ret->auth[ret->count++].ops->create != NULL;
	}
	return r;
}

int obi_wire_plugins_find(const struct obi_subject *s, struct obi_wire_plugins *ret,
			  struct ob_error *reterr)
{
	struct ob_plugin_info codec = {.size = sizeof codec};
	memset(ret, 0, sizeof *ret);
	ret->host = ob_plugin_host(s->rt);
	int r = ob_plugin_find(s->rt, OB_PLUGIN_CODEC, s->codec, &codec, reterr);
	ret->codec = r == OB_OK ? codec.ops : NULL;
	const char *at = s->auth;
	do {
		size_t len = strcspn(at, ",");
		if (len == 0 || len >= sizeof ret->auth[0].name ||
		    ret->count == OBI_WIRE_MECHANISMS_MAX) {
			return obi_fail(reterr, OB_EINVAL, 0,
					"--auth \"%s\" is not a list such as peercred,token",
					s->auth);
		}
		memcpy(ret->auth[ret->count].name, at, len);
		r = r == OB_OK ? find_mechanism(s, ret->auth[ret->count].name, ret, reterr) : r;
		at += len + (at[len] == ',');
	} while (r == OB_OK && *at != '\0');
	return r;
}

/* ---- Bytes ---- */

int obi_wire_open(struct obi_wire *w, struct obi_subject *s, const struct obi_wire_plugins *plugins)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	memset(w, 0, sizeof *w);
	w->s = s;
	w->plugins = plugins;
	w->patience = s->patience;
	w->params = (struct ob_codec_params){.size = sizeof w->params,
					     .message = OUT_MAX,
					     .host = plugins->host,
					     .depth = OB_DEPTH_MAX,
					     .batch = 256};
	obi_buf_init(&w->in, IN_MAX);
	obi_buf_init(&w->sealed, IN_MAX);
	obi_buf_init(&w->out, OUT_MAX);
	obi_arena_init(&w->arena, ARENA_MAX);
	for (int i = 0; i < OBI_WIRE_SAID_MAX; i++) {
		obi_buf_init(&w->said[i], CHUNK);
	}
	obi_subject_socket(s, at.sun_path, sizeof at.sun_path);
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
	    fcntl(w->fd, F_SETFL, O_NONBLOCK) != 0) {
		return OB_ECONNLOST;
	}
	return OB_OK;
}

void obi_wire_close(struct obi_wire *w)
{
	if (w->sealer != NULL) {
		w->seal->destroy(w->sealer);
	}
	if (w->fd >= 0) {
		close(w->fd);
	}
	w->fd = -1;
	w->sealer = NULL;
	for (int i = 0; i < OBI_WIRE_SAID_MAX; i++) {
		obi_buf_free(&w->said[i]);
	}
	obi_buf_free(&w->in);
	obi_buf_free(&w->sealed);
	obi_buf_free(&w->out);
	obi_arena_free(&w->arena);
}

/* Wait until the socket is ready for events. */
static int await(const struct obi_wire *w, short events, int64_t end)
{
	struct pollfd p = {.fd = w->fd, .events = events};
	for (;;) {
		int64_t left = end - obi_now_ms();
		if (*w->s->stop != 0) {
			return OB_ECANCELED;
		}
		if (left <= 0) {
			return OB_ETIMEDOUT;
		}
		if (poll(&p, 1, left < SLICE_MS ? (int)left : SLICE_MS) > 0) {
			return OB_OK;
		}
	}
}

static int put_plain(struct obi_wire *w, const uint8_t *data, size_t len)
{
	int64_t end = obi_now_ms() + w->patience;
	while (len > 0) {
		ssize_t n = send(w->fd, data, len, MSG_NOSIGNAL);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return OB_ECONNLOST;
		}
		int r = await(w, POLLOUT, end);
		if (r < 0) {
			return r;
		}
	}
	return OB_OK;
}

static int put_record(struct obi_wire *w, const void *data, size_t len)
{
	uint8_t record[2 + RECORD_TEXT + OB_AUTH_OVERHEAD_MAX];
	if (len > 0) {
		memcpy(record + 2, data, len);
	}
	ptrdiff_t n = w->seal->seal(w->sealer, record + 2, len);
	if (n < 0) {
		return (int)n;
	}
	record[0] = (uint8_t)(n >> 8);
	record[1] = (uint8_t)n;
	return put_plain(w, record, (size_t)n + 2);
}

int obi_wire_put(struct obi_wire *w, const void *data, size_t len)
{
	if (w->sealer == NULL) {
		return put_plain(w, data, len);
	}
	int r = OB_OK;
	for (size_t at = 0; r == OB_OK && (at < len || len == 0); at += RECORD_TEXT) {
		size_t n = len - at < RECORD_TEXT ? len - at : RECORD_TEXT;
		r = put_record(w, (const uint8_t *)data + at, n);
		if (len == 0) {
			break;
		}
	}
	return r;
}

/* Open the records that are complete. */
static int open_records(struct obi_wire *w)
{
	while (w->sealer != NULL && obi_buf_len(&w->sealed) >= 2) {
		uint8_t *at = w->sealed.sink.data + w->sealed.start;
		size_t len = (size_t)at[0] << 8 | at[1];
		if (obi_buf_len(&w->sealed) < len + 2) {
			break;
		}
		ptrdiff_t n = w->seal->open(w->sealer, at + 2, len);
		if (n < 0 || !ob_sink_put(obi_buf_sink(&w->in), at + 2, (size_t)n)) {
			return OB_EPROTO;
		}
		obi_buf_consume(&w->sealed, len + 2);
	}
	return OB_OK;
}

/* Read what is there. */
static int read_more(struct obi_wire *w, int64_t end)
{
	struct obi_buf *into = w->sealer != NULL ? &w->sealed : &w->in;
	size_t room;
	int r = await(w, POLLIN, end);
	if (r < 0) {
		return r;
	}
	uint8_t *at = obi_buf_reserve(into, CHUNK, &room);
	if (at == NULL) {
		return OB_ENOMEM;
	}
	ssize_t n = recv(w->fd, at, CHUNK, 0);
	if (n > 0) {
		ob_sink_commit(obi_buf_sink(into), (size_t)n);
		return open_records(w);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? OB_OK : OB_ECONNLOST;
}

int obi_wire_await_close(struct obi_wire *w)
{
	int64_t end = obi_now_ms() + w->patience;
	char bytes[4096];
	for (;;) {
		int r = await(w, POLLIN, end);
		if (r < 0) {
			return r;
		}
		ssize_t n = recv(w->fd, bytes, sizeof bytes, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			return OB_OK;
		}
	}
}

/* ---- Messages ---- */

static int put_message(struct obi_wire *w, const struct ob_message *message)
{
	obi_buf_truncate(&w->out, 0);
	int r = w->plugins->codec->encode(message, &w->params, obi_buf_sink(&w->out), NULL);
	struct ob_bytes bytes = obi_buf_bytes(&w->out);
	return r == OB_OK ? obi_wire_put(w, bytes.data, bytes.len) : r;
}

static int send_message(struct obi_wire *w, struct ob_message *message, const char *format,
			va_list args)
{
	struct ob_builder b;
	ob_builder_init(&b, &w->arena.ob);
	message->size = sizeof *message;
	message->params = ob_array(NULL, 0);
	if (format != NULL) {
		ob_buildv(&b, format, args);
		if (ob_builder_finish(&b, &message->params) < 0) {
			return OB_ENOMEM;
		}
	}
	return put_message(w, message);
}

int obi_wire_notify(struct obi_wire *w, const char *method, const char *format, ...)
{
	struct ob_message message = {.kind = OB_NOTIFY, .method = ob_bytes_text(method)};
	va_list args;
	va_start(args, format);
	int r = send_message(w, &message, format, args);
	va_end(args);
	return r;
}

/* Take a message out of what was read. OB_EAGAIN: it is not complete. */
static int take(struct obi_wire *w)
{
	size_t len;
	int found = w->plugins->codec->scan(obi_buf_bytes(&w->in), &w->scan, &w->params, &len);
	if (found <= 0) {
		return found < 0 ? OB_EPROTO : OB_EAGAIN;
	}
	struct ob_bytes bytes = ob_bytes_of(obi_buf_bytes(&w->in).data, len);
	memset(&w->scan, 0, sizeof w->scan);
	w->taken = len;
	obi_arena_reset(&w->arena);
	w->message = (struct ob_message){.size = sizeof w->message};
	int r = w->plugins->codec->decode(bytes, &w->arena.ob, &w->params, &w->message, NULL);
	return r < 0 || w->message.kind == OB_INVALID ? OB_EPROTO : OB_OK;
}

int obi_wire_next(struct obi_wire *w)
{
	int64_t end = obi_now_ms() + w->patience;
	obi_buf_consume(&w->in, w->taken);
	w->taken = 0;
	for (;;) {
		int r = obi_buf_len(&w->in) > 0 ? take(w) : OB_EAGAIN;
		r = r == OB_EAGAIN ? read_more(w, end) : r;
		if (r < 0 || w->taken > 0) {
			return r;
		}
	}
}

/* The child may call its parent. Nothing is offered here. */
static int refuse(struct obi_wire *w)
{
	struct ob_message answer = {.size = sizeof answer, .kind = OB_RESPONSE};
	struct ob_builder b;
	answer.id = w->message.id;
	ob_builder_init(&b, &w->arena.ob);
	ob_build(&b, "{s:i,s:s}", "code", OB_RPC_NO_INTERFACE, "message", "nothing is offered");
	if (ob_builder_finish(&b, &answer.error) < 0) {
		return OB_ENOMEM;
	}
	return put_message(w, &answer);
}

int obi_wire_answer(struct obi_wire *w)
{
	for (;;) {
		int r = obi_wire_next(w);
		if (r < 0 || w->message.kind == OB_RESPONSE || w->message.kind == OB_BATCH) {
			return r;
		}
		r = w->message.kind == OB_REQUEST ? refuse(w) : OB_OK;
		if (r < 0) {
			return r;
		}
	}
}

int obi_wire_ask(struct obi_wire *w, const char *method, const char *format, ...)
{
	struct ob_message message = {
	    .kind = OB_REQUEST, .id = {.number = ++w->id}, .method = ob_bytes_text(method)};
	va_list args;
	va_start(args, format);
	int r = send_message(w, &message, format, args);
	va_end(args);
	return r;
}

int obi_wire_call(struct obi_wire *w, const char *method, const char *format, ...)
{
	struct ob_message message = {
	    .kind = OB_REQUEST, .id = {.number = ++w->id}, .method = ob_bytes_text(method)};
	va_list args;
	va_start(args, format);
	int r = send_message(w, &message, format, args);
	va_end(args);
	r = r == OB_OK ? obi_wire_answer(w) : r;
	if (r == OB_OK && (w->message.kind != OB_RESPONSE || w->message.id.foreign ||
			   w->message.id.number != w->id)) {
		return OB_EPROTO;
	}
	return r;
}

/* Any form of an error is read: {"code", ...}, [code, ...], or a number. */
bool obi_wire_failed(const struct obi_wire *w, int64_t *ret_code)
{
	const struct ob_value *error = &w->message.error;
	const struct ob_value *code = error->type == OB_MAP	? ob_value_find(error, "code")
				      : error->type == OB_ARRAY ? ob_value_at(error, 0)
								: error;
	*ret_code = 0;
	if (ob_is_nil(error)) {
		return false;
	}
	if (code != NULL) {
		(void)ob_get_int(code, ret_code);
	}
	return true;
}
