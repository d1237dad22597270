/* SPDX-License-Identifier: MIT */
#include "chaos/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The part that common/stream.c uses comes first. Its descriptor is the program's end of the
 * relay's socket pair. */
struct chaos_stream {
	struct ob_stream near;
	struct obi_chaos_relay relay;
	struct obi_chaos_chop reads, writes;
	/* Read before the relay starts: then the inner stream belongs to the thread. */
	struct ob_peer peer;
	int peer_code;
	struct ob_error peer_error;
};

static struct chaos_stream *of(struct ob_stream *stream)
{
	return (struct chaos_stream *)(void *)((char *)stream -
					       offsetof(struct chaos_stream, near));
}

struct ob_stream *obi_chaos_stream_new(const struct ob_host *host,
				       const struct ob_transport_ops *inner, int *ret_sys)
{
	struct chaos_stream *s = malloc(sizeof *s);
	if (s == NULL) {
		*ret_sys = ENOMEM;
		return NULL;
	}
	*s = (struct chaos_stream){.near = {.host = host, .fd = -1, .pidfd = -1},
				   .peer = {.size = sizeof s->peer, .pidfd = -1}};
	*ret_sys = obi_chaos_relay_init(&s->relay, host, inner, &s->near.fd);
	if (*ret_sys != 0) {
		free(s);
		return NULL;
	}
	return &s->near;
}

bool obi_chaos_stream_begin(struct ob_stream *stream, struct ob_stream *inner,
			    const struct obi_chaos_params *params, enum obi_chaos_side side,
			    uint64_t connection)
{
	struct chaos_stream *s = of(stream);
	struct obi_chaos_place in = {connection, side, OBI_CHAOS_IN},
			       out = {connection, side, OBI_CHAOS_OUT};
	obi_chaos_chop_init(&s->reads, params, &in, OBI_CHAOS_NEAR_CHOP);
	obi_chaos_chop_init(&s->writes, params, &out, OBI_CHAOS_NEAR_CHOP);
	if (s->relay.inner->peer != NULL) {
		s->peer_code = s->relay.inner->peer(inner, &s->peer, &s->peer_error);
	}
	return obi_chaos_relay_start(&s->relay, inner, params, side, connection) == 0;
}

/* relay_end() also closes the pidfd of the peer, which belongs to the inner stream. */
void obi_chaos_stream_close(struct ob_stream *stream)
{
	if (stream != NULL) {
		struct chaos_stream *s = of(stream);
		close(s->near.fd);
		obi_chaos_relay_end(&s->relay);
		free(s);
	}
}

/* ---- Bytes ---- */

/* The first piece that is not empty, cut to at most `most` bytes. */
static struct iovec first_piece(const struct iovec *pieces, int count, size_t most)
{
	struct iovec piece = pieces[0];
	for (int i = 1; i < count && piece.iov_len == 0; i++) {
		piece = pieces[i];
	}
	piece.iov_len = piece.iov_len < most ? piece.iov_len : most;
	return piece;
}

/* The error that the relay has set for this direction, or else n. */
static ptrdiff_t reason(struct obi_chaos_carrier *way, const struct ob_stream *stream, ptrdiff_t n,
			struct ob_error *reterr)
{
	if (!atomic_load(&way->told)) {
		return n;
	}
	return stream->host->fail(reterr, way->why.code, 0, "%s", way->why.text);
}

ptrdiff_t obi_chaos_stream_readv(struct ob_stream *stream, const struct iovec *pieces, int count,
				 struct ob_error *reterr)
{
	struct chaos_stream *s = of(stream);
	size_t most = obi_chaos_chop_most(&s->reads);
	struct iovec piece = first_piece(pieces, count, most);
	ptrdiff_t n = most < SIZE_MAX ? obi_stream_readv(stream, &piece, 1, reterr)
				      : obi_stream_readv(stream, pieces, count, reterr);
	if (n > 0) {
		obi_chaos_chop_pass(&s->reads, (size_t)n);
	}
	return n > 0 || n == OB_EAGAIN
		   ? n
		   : reason(&s->relay.carriers[OBI_CHAOS_LANE_IN], stream, n, reterr);
}

ptrdiff_t obi_chaos_stream_writev(struct ob_stream *stream, const struct iovec *pieces, int count,
				  struct ob_error *reterr)
{
	struct chaos_stream *s = of(stream);
	size_t most = obi_chaos_chop_most(&s->writes);
	struct iovec piece = first_piece(pieces, count, most);
	ptrdiff_t n = most < SIZE_MAX ? obi_stream_writev(stream, &piece, 1, reterr)
				      : obi_stream_writev(stream, pieces, count, reterr);
	if (n > 0) {
		obi_chaos_chop_pass(&s->writes, (size_t)n);
	}
	return n > 0 || n == OB_EAGAIN
		   ? n
		   : reason(&s->relay.carriers[OBI_CHAOS_LANE_OUT], stream, n, reterr);
}

/* ---- Peer facts ---- */

int obi_chaos_stream_peer(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	const struct chaos_stream *s = of(stream);
	if (s->peer_code != OB_OK) {
		return stream->host->fail(reterr, s->peer_code, 0, "%s", s->peer_error.text);
	}
	ret->known = s->peer.known;
	ret->pid = s->peer.pid;
	ret->uid = s->peer.uid;
	ret->gid = s->peer.gid;
	ret->cid = s->peer.cid;
	memcpy(ret->address, s->peer.address, sizeof ret->address);
	if (OB_HAS(ret, pidfd)) {
		ret->pidfd = s->peer.pidfd;
	} else {
		ret->known &= ~(uint32_t)OB_PEER_PIDFD;
	}
	return OB_OK;
}
