/* SPDX-License-Identifier: MIT */
/*
 * A wrapper with a handshake of its own: hello+SCHEME://ADDRESS. It is flagged as one that seals,
 * though it only flips bits: the library must treat it like one.
 *
 *   dialer     "HELO" 16 random bytes, a length byte, its subject
 *   acceptor   the same, or "NOPE"
 *   dialer     "DONE"
 *   then       records: a type, two bytes of length, flipped bytes. 'D' data, 'E' the end,
 *              'P' asks for an 'O' before the receiver reads on, 'R' a refusal
 *
 * Settings: "subject": who this end says it is. "require": who the peer must be. "late": true: an
 * acceptor refuses when the dialer is done already. "ask_every": N: a 'P' before each N-th record.
 * "narrow": true: bytes go out a few at a time. "end_again": N: shutdown_write() fails so often
 * with OB_EAGAIN. "binding": "none" or "short", and "step": "unknown", "idle", or "mute", are
 * faults.
 */
#include "hello_stream.h"

#include <outboard/value.h>

#include <sys/random.h>

struct ob_listener {
	const struct ob_host *host;
	const struct settings *settings;
	const struct ob_transport_ops *inner;
	struct ob_listener *under;
};

struct ob_dial {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_dial *under;
	struct ob_stream *stream;
};

static const struct settings none;

/* ---- Settings ---- */

static struct ob_bytes text_of(const struct ob_value *settings, const char *key, char room[64])
{
	struct ob_bytes text = {NULL, 0};
	if (!ob_get_string(ob_value_find(settings, key), &text) || text.len > 64) {
		return ob_bytes_of(NULL, 0);
	}
	memcpy(room, text.data, text.len);
	return ob_bytes_of(room, text.len);
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct settings *s = calloc(1, sizeof *s);
	if (s == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	s->subject = text_of(settings, "subject", s->text[0]);
	s->require = text_of(settings, "require", s->text[1]);
	s->binding = text_of(settings, "binding", s->text[2]);
	s->step = text_of(settings, "step", s->text[3]);
	(void)ob_get_bool(ob_value_find(settings, "late"), &s->late);
	(void)ob_get_bool(ob_value_find(settings, "narrow"), &s->narrow);
	(void)ob_get_int(ob_value_find(settings, "ask_every"), &s->ask_every);
	(void)ob_get_int(ob_value_find(settings, "end_again"), &s->end_again);
	*ret_state = s;
	return OB_OK;
}

/* ---- Streams ---- */

static void hello_close(struct ob_stream *s)
{
	if (s != NULL) {
		s->inner->close(s->under);
		free(s);
	}
}

static struct ob_stream *stream_of(const struct ob_host *host, const struct settings *settings,
				   const struct ob_transport_ops *inner, bool dialer)
{
	struct ob_stream *s = calloc(1, sizeof *s);
	if (s != NULL) {
		s->host = host;
		s->settings = settings != NULL ? settings : &none;
		s->inner = inner;
		s->dialer = dialer;
		if (getrandom(s->nonce[!dialer], NONCE, 0) != NONCE) {
			abort();
		}
	}
	return s;
}

/* ---- Listening and dialing ---- */

/* The address without the prefix, in memory that lives as long as the call. */
struct address {
	const struct ob_transport_ops *inner;
	struct ob_uri uri;
	struct ob_arena arena;
	_Alignas(16) uint8_t memory[8192];
};

static const char prefix[] = "hello+";
enum { PREFIX = sizeof prefix - 1 };

static int take_apart(const struct ob_host *host, const struct ob_uri *uri, struct address *ret,
		      struct ob_error *reterr)
{
	if (uri->scheme.len <= PREFIX || memcmp(uri->scheme.data, prefix, PREFIX) != 0) {
		return host->fail(reterr, OB_EINVAL, 0, "hello: '%.*s' is no hello+SCHEME://...",
				  (int)uri->text.len, (const char *)uri->text.data);
	}
	struct ob_bytes scheme = ob_bytes_of(uri->scheme.data + PREFIX, uri->scheme.len - PREFIX);
	ret->inner = host->find_transport(host, scheme);
	if (ret->inner == NULL || ret->inner->handshake != NULL) {
		return host->fail(reterr, OB_EINVAL, 0, "hello: it cannot wrap %.*s",
				  (int)scheme.len, (const char *)scheme.data);
	}
	ret->arena =
	    (struct ob_arena){.next = ret->memory, .end = ret->memory + sizeof ret->memory};
	return host->parse_uri((const char *)uri->text.data + PREFIX, &ret->arena, &ret->uri,
			       reterr);
}

static int hello_listen(const struct ob_host *host, const struct ob_uri *uri,
			const struct ob_listen_params *params, struct ob_listener **ret_listener,
			struct ob_error *reterr)
{
	struct ob_listen_params under = {.size = sizeof under};
	struct address address;
	int r = take_apart(host, uri, &address, reterr);
	struct ob_listener *l = r == OB_OK ? calloc(1, sizeof *l) : NULL;
	if (l == NULL) {
		return r < 0 ? r : host->fail(reterr, OB_ENOMEM, 0, "hello: out of memory");
	}
	memcpy(&under, params, params->size < sizeof under ? params->size : sizeof under);
	under.size = sizeof under < params->size ? sizeof under : params->size;
	*l = (struct ob_listener){.host = host, .settings = under.state, .inner = address.inner};
	under.state = NULL;
	r = l->inner->listen(host, &address.uri, &under, &l->under, reterr);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret_listener = l;
	return OB_OK;
}

static int hello_listener_fd(struct ob_listener *l)
{
	return l->inner->listener_fd(l->under);
}

static int hello_accept(struct ob_listener *l, struct ob_stream **ret_stream,
			struct ob_error *reterr)
{
	struct ob_stream *s = stream_of(l->host, l->settings, l->inner, false);
	int r = s != NULL ? l->inner->accept(l->under, &s->under, reterr) : OB_ENOMEM;
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_stream = s;
	return OB_OK;
}

static int hello_local_uri(struct ob_listener *l, struct ob_sink *out)
{
	return ob_sink_text(out, prefix) ? l->inner->local_uri(l->under, out) : OB_ENOMEM;
}

static void hello_listener_close(struct ob_listener *l)
{
	if (l != NULL) {
		l->inner->listener_close(l->under);
		free(l);
	}
}

static void hello_dial_close(struct ob_dial *d)
{
	if (d != NULL) {
		d->inner->dial_close(d->under);
		free(d->stream); /* nothing is below it yet */
		free(d);
	}
}

static int hello_dial(const struct ob_host *host, const struct ob_uri *uri,
		      const struct ob_dial_params *params, struct ob_dial **ret_dial,
		      struct ob_want *ret_want, struct ob_error *reterr)
{
	struct ob_dial_params under = {.size = sizeof under, .owner = (uint32_t)-1};
	struct address address;
	int r = take_apart(host, uri, &address, reterr);
	struct ob_dial *d = r == OB_OK ? calloc(1, sizeof *d) : NULL;
	if (d == NULL) {
		return r < 0 ? r : host->fail(reterr, OB_ENOMEM, 0, "hello: out of memory");
	}
	memcpy(&under, params, params->size < sizeof under ? params->size : sizeof under);
	under.size = sizeof under < params->size ? sizeof under : params->size;
	d->host = host;
	d->inner = address.inner;
	d->stream = stream_of(host, OB_HAS(&under, state) ? under.state : NULL, d->inner, true);
	under.state = NULL;
	r = d->stream != NULL
		? d->inner->dial(host, &address.uri, &under, &d->under, ret_want, reterr)
		: host->fail(reterr, OB_ENOMEM, 0, "hello: out of memory");
	if (r < 0) {
		d->under = NULL;
		hello_dial_close(d);
		return r;
	}
	*ret_dial = d;
	return OB_OK;
}

static int hello_finish_dial(struct ob_dial *d, int revents, struct ob_stream **ret_stream,
			     struct ob_want *ret_want, struct ob_error *reterr)
{
	int r = d->inner->finish_dial(d->under, revents, &d->stream->under, ret_want, reterr);
	if (r == OB_OK) {
		*ret_stream = d->stream;
		d->stream = NULL;
	}
	return r;
}

/* ---- Table ---- */

static const char *const schemes[] = {"hello+", NULL};

static const struct ob_transport_ops ops = {.size = sizeof ops,
					    .flags = OB_TRANSPORT_SEALED,
					    .schemes = schemes,
					    .listen = hello_listen,
					    .listener_fd = hello_listener_fd,
					    .accept = hello_accept,
					    .local_uri = hello_local_uri,
					    .listener_close = hello_listener_close,
					    .dial = hello_dial,
					    .finish_dial = hello_finish_dial,
					    .dial_close = hello_dial_close,
					    .fd = hello_fd,
					    .readv = hello_readv,
					    .writev = hello_writev,
					    .shutdown_write = hello_shutdown_write,
					    .close = hello_close,
					    .peer = hello_peer,
					    .handshake = handshake,
					    .want = want,
					    .pending = pending,
					    .binding = binding};

static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_TRANSPORT,
					.name = "hello",
					.version = "1",
					.ops = &ops,
					.configure = configure,
					.unconfigure = free};

OB_PLUGIN_ENTRY(&plugin);
