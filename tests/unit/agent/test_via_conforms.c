/* SPDX-License-Identifier: MIT */
/*
 * The promises of a transport about bytes and ends, on streams through an agent: what is dialled
 * goes by `via`, and what is accepted is the child's socket. A dial is finished when its handshake
 * is: before that nobody connects to the child.
 */
#include "unit/agent/relay_bed.h"

#include "conformance/transport.h"

static const struct relay_bed *bed;
static const struct ob_transport_ops *child; /* unix */

struct ob_dial {
	struct ob_dial *via;
	struct ob_stream *stream; /* in its handshake */
};

/* A stream of one of the two. */
struct ob_stream {
	const struct ob_transport_ops *ops;
	struct ob_stream *inner;
};

static struct ob_stream *wrap(const struct ob_transport_ops *ops, struct ob_stream *inner)
{
	struct ob_stream *s = malloc(sizeof *s);
	assert_non_null(s);
	*s = (struct ob_stream){ops, inner};
	return s;
}

/* ---- Dial ---- */

static void close_dial(struct ob_dial *dial)
{
	if (dial != NULL) {
		obi_via_transport()->dial_close(dial->via);
		obi_via_transport()->close(dial->stream);
		free(dial);
	}
}

static int dial(const struct ob_host *host, const struct ob_uri *uri,
		const struct ob_dial_params *params, struct ob_dial **ret, struct ob_want *want,
		struct ob_error *reterr)
{
	const struct ob_dial_params mine = {
	    .size = sizeof mine, .state = (void *)(uintptr_t)&bed->via, .owner = UINT32_MAX};
	struct ob_dial *d = calloc(1, sizeof *d);
	(void)params;
	assert_non_null(d);
	int r = obi_via_transport()->dial(host, uri, &mine, &d->via, want, reterr);
	if (r < 0) {
		free(d);
		return r;
	}
	*ret = d;
	return OB_OK;
}

static int finish_dial(struct ob_dial *d, int revents, struct ob_stream **ret, struct ob_want *want,
		       struct ob_error *reterr)
{
	const struct ob_transport_ops *via = obi_via_transport();
	int r = OB_OK;
	if (d->stream == NULL) {
		r = via->finish_dial(d->via, revents, &d->stream, want, reterr);
		revents = 0;
	}
	r = r == OB_OK ? via->handshake(d->stream, revents, want, reterr) : r;
	if (r > OB_HANDSHAKE_DONE) {
		return OB_EAGAIN;
	}
	if (r == OB_HANDSHAKE_DONE) {
		*ret = wrap(via, d->stream);
		d->stream = NULL;
	}
	return r;
}

static int take(struct ob_listener *listener, struct ob_stream **ret, struct ob_error *reterr)
{
	struct ob_stream *inner;
	int r = child->accept(listener, &inner, reterr);
	if (r == OB_OK) {
		*ret = wrap(child, inner);
	}
	return r;
}

/* ---- Streams ---- */

static int fd_of(struct ob_stream *s)
{
	return s->ops->fd(s->inner);
}

static ptrdiff_t readv_of(struct ob_stream *s, const struct iovec *pieces, int count,
			  struct ob_error *reterr)
{
	return s->ops->readv(s->inner, pieces, count, reterr);
}

static ptrdiff_t writev_of(struct ob_stream *s, const struct iovec *pieces, int count,
			   struct ob_error *reterr)
{
	return s->ops->writev(s->inner, pieces, count, reterr);
}

static int shutdown_of(struct ob_stream *s, struct ob_error *reterr)
{
	return s->ops->shutdown_write(s->inner, reterr);
}

static void close_of(struct ob_stream *s)
{
	if (s != NULL) {
		s->ops->close(s->inner);
		free(s);
	}
}

static int want_of(struct ob_stream *s, int events)
{
	return s->ops->want != NULL ? s->ops->want(s->inner, events) : events;
}

static bool pending_of(struct ob_stream *s)
{
	return s->ops->pending != NULL && s->ops->pending(s->inner);
}

/* ---- The suite ---- */

static const char *const about[] = {"carries single bytes",
				    "carries a frame larger than any buffer",
				    "gathers and scatters pieces",
				    "keeps connections apart",
				    "waits for something to read",
				    "returns OB_EAGAIN when the peer does not read",
				    "half-closes",
				    "delivers bytes written before the close",
				    "reports the death of the peer during a write",
				    "ends reading when the peer dies",
				    "announces all that it holds",
				    "rests when it is idle",
				    "sends the end behind all that was written",
				    "connects repeatedly",
				    "survives a thousand connections",
				    NULL};

static uint32_t begun;

static bool is_meant(void *user, const char *promise)
{
	(void)user;
	for (size_t i = 0; about[i] != NULL; i++) {
		if (strcmp(about[i], promise) == 0) {
			begun++;
			return true;
		}
	}
	return false;
}

static void tell(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	(void)user;
	if (verdict == OBI_VERDICT_FAIL) {
		print_message("    BROKEN %s: %s\n", promise, why);
	}
}

static void conforms_by(const struct relay_way *way)
{
	static const char *const schemes[] = {"unix", NULL};
	const struct obi_plugin *plugin;
	struct relay_bed b;
	relay_begin(&b, way);
	char *uri = scratch_text("unix://%s/child.sock", b.dir);
	b.via.child = "child.sock";
	bed = &b;
	assert_int_equal(
	    obi_registry_transport(b.rt->registry, NULL, ob_bytes_text("unix"), &plugin, NULL),
	    OB_OK);
	child = &plugin->as.transport;
	struct ob_transport_ops ops = *child;
	ops.size = sizeof ops;
	ops.schemes = schemes;
	ops.dial = dial;
	ops.finish_dial = finish_dial;
	ops.dial_close = close_dial;
	ops.accept = take;
	ops.fd = fd_of;
	ops.readv = readv_of;
	ops.writev = writev_of;
	ops.shutdown_write = shutdown_of;
	ops.close = close_of;
	ops.want = want_of;
	ops.pending = pending_of;
	ops.peer = NULL;
	const struct obi_conform_transport it = {
	    .ops = &ops, .host = b.via.host, .listen = uri, .dial = uri, .begin = is_meant};
	begun = 0;
	assert_int_equal(obi_conform_transport(&it, tell, NULL), 0);
	assert_int_equal(begun, sizeof about / sizeof *about - 1);
	free(uri);
	relay_end(&b);
}

static void unix_conforms(void **state)
{
	(void)state;
	conforms_by(&relay_ways[0]);
}

static void tcp_with_noise_conforms(void **state)
{
	(void)state;
	conforms_by(&relay_ways[1]);
}

static void tls_conforms(void **state)
{
	(void)state;
	conforms_by(&relay_ways[2]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unix_conforms),
	    cmocka_unit_test(tcp_with_noise_conforms),
	    cmocka_unit_test(tls_conforms),
	};
	if (argc == 4 && strcmp(argv[1], "agent") == 0) {
		return relay_serve(argv);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
