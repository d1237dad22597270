/* SPDX-License-Identifier: MIT */
/*
 * skeleton - a transport for outboard that wraps others: skeleton+unix:///path is unix:///path with
 * whatever you do to it. As it is here it reads and writes at most so many bytes at a time as the
 * settings say, {"piece": 4096}; everything else is passed on. It is meant to be changed.
 *
 * A wrapper knows the transport below by its table only. It may wait for its descriptor, but not
 * read, write or close it.
 */
#include <outboard/transport.h>
#include <outboard/value.h>

#include <stdlib.h>

static const char prefix[] = "skeleton+";
enum { PREFIX = sizeof prefix - 1, URI_MAX = 4096, PIECES_MAX = 8 };

struct state {
	size_t piece; /* 0: no limit */
};

struct ob_listener {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_listener *listener; /* of inner */
	size_t piece;
};

struct ob_dial {
	const struct ob_host *host;
	const struct ob_transport_ops *inner;
	struct ob_dial *dial; /* of inner */
	size_t piece;
};

struct ob_stream {
	const struct ob_transport_ops *inner;
	struct ob_stream *stream; /* of inner */
	size_t piece;
};

/* ---- Settings ---- */

/* Check everything here. An error begins with the key. settings is nil if the config has none. */
static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	const struct ob_value *piece = ob_value_find(settings, "piece");
	uint64_t bytes = 0;
	if (piece != NULL && (!ob_get_uint(piece, &bytes) || bytes < 1 || bytes > 1 << 20)) {
		return host->fail(reterr, OB_EINVAL, 0, "piece: a number of bytes, 1 to 1048576");
	}
	struct state *state = (struct state *)calloc(1, sizeof *state);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	state->piece = (size_t)bytes;
	*ret_state = state;
	return OB_OK;
}

static void unconfigure(void *state)
{
	free(state);
}

static size_t piece_of(const void *state)
{
	return state != NULL ? ((const struct state *)state)->piece : 0;
}

/* ---- Addresses ---- */

/* The parts of an address. */
struct address {
	const struct ob_transport_ops *inner;
	struct ob_uri uri; /* of inner, in text and memory */
	struct ob_arena arena;
	char text[URI_MAX + 1];
	uint8_t memory[URI_MAX + 80];
};

/* The table that claims a scheme says how local the stream is and whether it is sealed: what it
 * says must be true of the transport below. */
static int find_inner(const struct ob_host *host, uint32_t flags, struct ob_bytes scheme,
		      const struct ob_transport_ops **ret, struct ob_error *reterr)
{
	*ret = host->find_transport(host, scheme);
	if (*ret == NULL) {
		return host->fail(reterr, OB_EPLUGIN, 0, "skeleton: no transport for %.*s",
				  (int)scheme.len, (const char *)scheme.data);
	}
	bool shakes = OB_HAS(*ret, handshake) && (*ret)->handshake != NULL;
	if (shakes && (flags & OB_TRANSPORT_SEALED) == 0) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "skeleton: %.*s makes a handshake: write it before skeleton",
				  (int)scheme.len, (const char *)scheme.data);
	}
	if ((flags & ~(*ret)->flags) != 0) {
		return host->fail(reterr, OB_EPERM, 0,
				  "skeleton: the transport for %.*s is not as local, or as sealed",
				  (int)scheme.len, (const char *)scheme.data);
	}
	return OB_OK;
}

/* The same address without the prefix. */
static int take_apart(const struct ob_host *host, uint32_t flags, const struct ob_uri *uri,
		      struct address *ret, struct ob_error *reterr)
{
	if (uri->scheme.len <= PREFIX || memcmp(uri->scheme.data, prefix, PREFIX) != 0 ||
	    uri->text.len - PREFIX > URI_MAX) {
		return host->fail(reterr, OB_EINVAL, 0,
				  "'%.200s' is not of the form skeleton+scheme://address",
				  (const char *)uri->text.data);
	}
	struct ob_bytes scheme = ob_bytes_of(uri->scheme.data + PREFIX, uri->scheme.len - PREFIX);
	int r = find_inner(host, flags, scheme, &ret->inner, reterr);
	if (r < 0) {
		return r;
	}
	memcpy(ret->text, uri->text.data + PREFIX, uri->text.len - PREFIX);
	ret->text[uri->text.len - PREFIX] = '\0';
	memset(&ret->arena, 0, sizeof ret->arena);
	memset(&ret->uri, 0, sizeof ret->uri);
	ret->uri.size = sizeof ret->uri;
	/* What an arena gives begins at a multiple of 16. */
	ret->arena.next = (uint8_t *)(((uintptr_t)ret->memory + 15) & ~(uintptr_t)15);
	ret->arena.end = ret->memory + sizeof ret->memory;
	return host->parse_uri(ret->text, &ret->arena, &ret->uri, reterr);
}

/* ---- Streams ---- */

/* Takes the stream of inner, also when it fails. */
static int wrap(const struct ob_host *host, const struct ob_transport_ops *inner,
		struct ob_stream *stream, size_t piece, struct ob_stream **ret,
		struct ob_error *reterr)
{
	struct ob_stream *own = (struct ob_stream *)calloc(1, sizeof *own);
	if (own == NULL) {
		inner->close(stream);
		return host->fail(reterr, OB_ENOMEM, 0, "skeleton: out of memory");
	}
	own->inner = inner;
	own->stream = stream;
	own->piece = piece;
	*ret = own;
	return OB_OK;
}

static int fd(struct ob_stream *s)
{
	return s->inner->fd(s->stream);
}

/* The first pieces, cut to at most `most` bytes in all. Returns how many there are. */
static int cut(const struct iovec *pieces, int count, size_t most, struct iovec own[PIECES_MAX])
{
	int n = 0;
	for (; n < count && n < PIECES_MAX && most > 0; n++) {
		own[n] = pieces[n];
		own[n].iov_len = pieces[n].iov_len < most ? pieces[n].iov_len : most;
		most -= own[n].iov_len;
	}
	return n;
}

static ptrdiff_t read_some(struct ob_stream *s, const struct iovec *pieces, int count,
			   struct ob_error *reterr)
{
	struct iovec own[PIECES_MAX];
	if (s->piece == 0) {
		return s->inner->readv(s->stream, pieces, count, reterr);
	}
	return s->inner->readv(s->stream, own, cut(pieces, count, s->piece, own), reterr);
}

/* A short write is allowed. After OB_EAGAIN the same bytes come again. */
static ptrdiff_t write_some(struct ob_stream *s, const struct iovec *pieces, int count,
			    struct ob_error *reterr)
{
	struct iovec own[PIECES_MAX];
	if (s->piece == 0) {
		return s->inner->writev(s->stream, pieces, count, reterr);
	}
	return s->inner->writev(s->stream, own, cut(pieces, count, s->piece, own), reterr);
}

static int shutdown_write(struct ob_stream *s, struct ob_error *reterr)
{
	return s->inner->shutdown_write(s->stream, reterr);
}

static void close_stream(struct ob_stream *s)
{
	if (s != NULL) {
		s->inner->close(s->stream);
		free(s);
	}
}

/*
 * What the transport below does not have is as if there were no wrapper. OB_HAS(): it may be of an
 * older version, where its table ends sooner.
 */
static int peer(struct ob_stream *s, struct ob_peer *ret, struct ob_error *reterr)
{
	ret->known = 0;
	return s->inner->peer != NULL ? s->inner->peer(s->stream, ret, reterr) : OB_OK;
}

static int handshake(struct ob_stream *s, int revents, struct ob_want *ret_want,
		     struct ob_error *reterr)
{
	return OB_HAS(s->inner, handshake) && s->inner->handshake != NULL
		   ? s->inner->handshake(s->stream, revents, ret_want, reterr)
		   : (int)OB_HANDSHAKE_DONE;
}

static int want(struct ob_stream *s, int events)
{
	return OB_HAS(s->inner, want) && s->inner->want != NULL ? s->inner->want(s->stream, events)
								: events;
}

static bool pending(struct ob_stream *s)
{
	return OB_HAS(s->inner, pending) && s->inner->pending != NULL &&
	       s->inner->pending(s->stream);
}

static int binding(struct ob_stream *s, struct ob_sink *out)
{
	return s->inner->binding(s->stream, out);
}

/* ---- Listening ---- */

static int listen_with(uint32_t flags, const struct ob_host *host, const struct ob_uri *uri,
		       const struct ob_listen_params *params, struct ob_listener **ret_listener,
		       struct ob_error *reterr)
{
	struct address address;
	struct ob_listen_params below = *params;
	int r = take_apart(host, flags, uri, &address, reterr);
	struct ob_listener *l = r == OB_OK ? (struct ob_listener *)calloc(1, sizeof *l) : NULL;
	if (l == NULL) {
		return r < 0 ? r : host->fail(reterr, OB_ENOMEM, 0, "skeleton: out of memory");
	}
	l->host = host;
	l->inner = address.inner;
	l->piece = piece_of(params->state);
	below.state = NULL; /* it is ours */
	r = address.inner->listen(host, &address.uri, &below, &l->listener, reterr);
	if (r < 0) {
		free(l);
		return r;
	}
	*ret_listener = l;
	return OB_OK;
}

static int listener_fd(struct ob_listener *l)
{
	return l->inner->listener_fd(l->listener);
}

static int accept_one(struct ob_listener *l, struct ob_stream **ret_stream, struct ob_error *reterr)
{
	struct ob_stream *stream = NULL;
	int r = l->inner->accept(l->listener, &stream, reterr);
	return r == OB_OK ? wrap(l->host, l->inner, stream, l->piece, ret_stream, reterr) : r;
}

static int local_uri(struct ob_listener *l, struct ob_sink *out)
{
	return ob_sink_text(out, prefix) ? l->inner->local_uri(l->listener, out) : (int)OB_ENOMEM;
}

static void listener_close(struct ob_listener *l)
{
	if (l != NULL) {
		l->inner->listener_close(l->listener);
		free(l);
	}
}

/* ---- Dialling ---- */

static int dial_with(uint32_t flags, const struct ob_host *host, const struct ob_uri *uri,
		     const struct ob_dial_params *params, struct ob_dial **ret_dial,
		     struct ob_want *ret_want, struct ob_error *reterr)
{
	struct address address;
	struct ob_dial_params below = *params;
	int r = take_apart(host, flags, uri, &address, reterr);
	struct ob_dial *d = r == OB_OK ? (struct ob_dial *)calloc(1, sizeof *d) : NULL;
	if (d == NULL) {
		return r < 0 ? r : host->fail(reterr, OB_ENOMEM, 0, "skeleton: out of memory");
	}
	d->host = host;
	d->inner = address.inner;
	d->piece = piece_of(params->state);
	below.state = NULL; /* it is ours */
	r = address.inner->dial(host, &address.uri, &below, &d->dial, ret_want, reterr);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret_dial = d;
	return OB_OK;
}

static int finish_dial(struct ob_dial *d, int revents, struct ob_stream **ret_stream,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	struct ob_stream *stream = NULL;
	int r = d->inner->finish_dial(d->dial, revents, &stream, ret_want, reterr);
	return r == OB_OK ? wrap(d->host, d->inner, stream, d->piece, ret_stream, reterr) : r;
}

static void dial_close(struct ob_dial *d)
{
	if (d != NULL) {
		d->inner->dial_close(d->dial);
		free(d);
	}
}

/*
 * ---- Tables: what is local, and the rest ----
 *
 * A wrapper of a transport that seals has another one, with OB_TRANSPORT_SEALED and its scheme;
 * only that one has a handshake and a channel binding, which it passes on.
 */

#define TABLE(NAME, FLAGS)                                                                        \
	static int NAME##_listen(const struct ob_host *host, const struct ob_uri *uri,            \
				 const struct ob_listen_params *params, struct ob_listener **ret, \
				 struct ob_error *reterr)                                         \
	{                                                                                         \
		return listen_with(FLAGS, host, uri, params, ret, reterr);                        \
	}                                                                                         \
	static int NAME##_dial(const struct ob_host *host, const struct ob_uri *uri,              \
			       const struct ob_dial_params *params, struct ob_dial **ret,         \
			       struct ob_want *ret_want, struct ob_error *reterr)                 \
	{                                                                                         \
		return dial_with(FLAGS, host, uri, params, ret, ret_want, reterr);                \
	}                                                                                         \
	static const struct ob_transport_ops NAME##_ops = {                                       \
	    .size = sizeof NAME##_ops,                                                            \
	    .flags = (FLAGS),                                                                     \
	    .schemes = NAME##_schemes,                                                            \
	    .listen = NAME##_listen,                                                              \
	    .listener_fd = listener_fd,                                                           \
	    .accept = accept_one,                                                                 \
	    .local_uri = local_uri,                                                               \
	    .listener_close = listener_close,                                                     \
	    .dial = NAME##_dial,                                                                  \
	    .finish_dial = finish_dial,                                                           \
	    .dial_close = dial_close,                                                             \
	    .fd = fd,                                                                             \
	    .readv = read_some,                                                                   \
	    .writev = write_some,                                                                 \
	    .shutdown_write = shutdown_write,                                                     \
	    .close = close_stream,                                                                \
	    .peer = peer,                                                                         \
	    .handshake = ((FLAGS)&OB_TRANSPORT_SEALED) != 0 ? handshake : NULL,                   \
	    .want = want,                                                                         \
	    .pending = pending,                                                                   \
	    .binding = ((FLAGS)&OB_TRANSPORT_SEALED) != 0 ? binding : NULL,                       \
	};                                                                                        \
	static const struct ob_plugin NAME = {                                                    \
	    .size = sizeof NAME,                                                                  \
	    .kind = OB_PLUGIN_TRANSPORT,                                                          \
	    .name = NAME##_name,                                                                  \
	    .version = "1",                                                                       \
	    .ops = &NAME##_ops,                                                                   \
	    .configure = configure,                                                               \
	    .unconfigure = unconfigure,                                                           \
	}

static const char any_name[] = "skeleton-any";
static const char local_name[] = "skeleton";
static const char *const any_schemes[] = {"skeleton+", NULL};
static const char *const local_schemes[] = {"skeleton+unix", NULL};

TABLE(any, 0);
TABLE(local, OB_TRANSPORT_LOCAL);

OB_PLUGIN_ENTRY(&any, &local);
