/* SPDX-License-Identifier: MIT */
/* The conformance suite on a transport with a handshake: the wrapper hello of the test plugins, as
 * it is, and with one fault each. */
#include "unit/conformance/conform_bed.h"

#include <fcntl.h>
#include <unistd.h>

/* A wrapper with a handshake, outside of chaos, whose small pieces and delays it has to bear. */
static void hello_conforms(void **state)
{
	static const char *const below[] = {"unix", "chaos+unix"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *dir = scratch_make(),
		     *uri = scratch_text("hello+%s://%s/s%s%s", below[i], dir, i > 0 ? "?" : "",
					 i > 0 ? mild : "");
		assert_int_equal(conform(uri, NULL), 0);
		free(uri);
		scratch_remove(dir);
	}
}

/* ---- Faults ---- */

static int turns; /* of a fault that comes late */

static int handshake_hasty(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			   struct ob_error *reterr)
{
	int state = sound->handshake(stream, revents, ret_want, reterr);
	return state == OB_HANDSHAKE_SILENT ? OB_HANDSHAKE_TALKING : state;
}

/* It wants to write, and has nothing to write. */
static int handshake_spinning(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			      struct ob_error *reterr)
{
	int state = sound->handshake(stream, revents, ret_want, reterr);
	ret_want->events |= OB_WRITABLE;
	return state;
}

/* It takes revents of 0 for the end of its time. */
static int handshake_impatient(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			       struct ob_error *reterr)
{
	if (revents == 0 && turns++ > 1) {
		return (sound_host->fail)(reterr, OB_ETIMEDOUT, 0, "too late");
	}
	return sound->handshake(stream, revents, ret_want, reterr);
}

/* Whatever goes wrong, it waits on. */
static int handshake_stubborn(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			      struct ob_error *reterr)
{
	int state = sound->handshake(stream, revents, ret_want, reterr);
	if (state < 0) {
		*ret_want = (struct ob_want){.fd = -1, .deadline = sound_host->now_ms() + 20};
	}
	return state < 0 ? OB_HANDSHAKE_SILENT : state;
}

static int handshake_mute(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			  struct ob_error *reterr)
{
	(void)reterr;
	return sound->handshake(stream, revents, ret_want, NULL);
}

static int handshake_vague(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			   struct ob_error *reterr)
{
	int state = sound->handshake(stream, revents, ret_want, reterr);
	return state < 0 ? OB_EIO : state;
}

static int handshake_again(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			   struct ob_error *reterr)
{
	(void)sound->handshake(stream, revents, ret_want, reterr);
	return (sound_host->fail)(reterr, OB_EAGAIN, 0, "not yet");
}

static int handshake_aimless(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			     struct ob_error *reterr)
{
	struct ob_want lost;
	(void)ret_want;
	return sound->handshake(stream, revents, &lost, reterr);
}

static int handshake_unknown(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			     struct ob_error *reterr)
{
	return sound->handshake(stream, revents, ret_want, reterr) + 3;
}

static int handshake_leaking(struct ob_stream *stream, int revents, struct ob_want *ret_want,
			     struct ob_error *reterr)
{
	if (turns++ < 8) {
		(void)!fcntl(sound->fd(stream), F_DUPFD_CLOEXEC, 0);
	}
	return sound->handshake(stream, revents, ret_want, reterr);
}

static int binding_constant(struct ob_stream *stream, struct ob_sink *out)
{
	(void)stream;
	return ob_sink_put(out, "0123456789abcdef", OB_BINDING_MIN) ? OB_OK : OB_ENOMEM;
}

static int binding_one_sided(struct ob_stream *stream, struct ob_sink *out)
{
	uint8_t own[OB_BINDING_MIN] = {0};
	memcpy(own, &stream, sizeof(stream));
	return ob_sink_put(out, own, sizeof own) ? OB_OK : OB_ENOMEM;
}

static int binding_short(struct ob_stream *stream, struct ob_sink *out)
{
	(void)stream;
	return ob_sink_put(out, "short", 5) ? OB_OK : OB_ENOMEM;
}

static int binding_boasting(struct ob_stream *stream, struct ob_sink *out)
{
	(void)sound->binding(stream, out);
	out->failed = false;
	return OB_OK;
}

static bool pending_never(struct ob_stream *stream)
{
	(void)stream;
	return false;
}

static bool pending_always(struct ob_stream *stream)
{
	(void)stream;
	return true;
}

static int want_everything(struct ob_stream *stream, int events)
{
	(void)stream, (void)events;
	return OB_READABLE | OB_WRITABLE;
}

static int shutdown_later(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)stream, (void)reterr;
	return OB_EAGAIN;
}

static int shutdown_never(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)stream, (void)reterr;
	return OB_OK;
}

static ptrdiff_t readv_never(struct ob_stream *stream, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	(void)stream, (void)pieces, (void)count, (void)reterr;
	return OB_EAGAIN;
}

static ptrdiff_t readv_trusting(struct ob_stream *stream, const struct iovec *pieces, int count,
				struct ob_error *reterr)
{
	ptrdiff_t n = sound->readv(stream, pieces, count, reterr);
	return n == OB_ECONNLOST ? 0 : n;
}

static void close_announcing(struct ob_stream *stream)
{
	if (stream != NULL) {
		(void)sound->shutdown_write(stream, NULL);
	}
	sound->close(stream);
}

static int peer_nameless(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	int rc = sound->peer(stream, ret, reterr);
	ret->known |= OB_HAS(ret, pidfd) ? OB_PEER_SUBJECT : 0;
	return rc;
}

static int peer_for_newer_hosts(struct ob_stream *stream, struct ob_peer *ret,
				struct ob_error *reterr)
{
	int rc = sound->peer(stream, ret, reterr);
	ret->known |= OB_PEER_SUBJECT;
	ret->subject = ob_bytes_text("somebody");
	return rc;
}

static void broken_handshakes_are_caught(void **state)
{
	void *bed = begin_sound_of("hello+unix");
	const struct wire_bed *state_of = bed;
	(void)state;
	BREAK("completes its handshake at both ends", ops.handshake = handshake_again);
	BREAK("completes its handshake at both ends", ops.handshake = handshake_aimless);
	BREAK("completes its handshake at both ends", ops.handshake = handshake_unknown);
	STALL("completes its handshake at both ends", ops.handshake = handshake_stubborn,
	      ops.readv = readv_never);
	BREAK("waits for a silent peer", ops.handshake = handshake_hasty);
	BREAK("waits for a silent peer", ops.handshake = handshake_spinning);
	BREAK("can be asked for its handshake at any time", turns = 0,
	      ops.handshake = handshake_impatient);
	STALL("refuses garbage instead of a handshake", ops.handshake = handshake_stubborn);
	BREAK("refuses garbage instead of a handshake", ops.handshake = handshake_mute);
	STALL("fails when the peer leaves during the handshake",
	      ops.handshake = handshake_stubborn);
	BREAK("fails when the peer leaves during the handshake", ops.handshake = handshake_vague);
	BREAK("can be closed during the handshake", turns = 0, ops.handshake = handshake_leaking);
	BREAK("binds its channel", ops.binding = binding_constant);
	BREAK("binds its channel", ops.binding = binding_one_sided);
	BREAK("binds its channel", ops.binding = binding_short);
	BREAK("binds its channel", ops.binding = binding_boasting);
	wire_end(&bed);
}

static void broken_channels_are_caught(void **state)
{
	void *bed = begin_sound_of("hello+unix");
	const struct wire_bed *state_of = bed;
	(void)state;
	STALL("announces all that it holds", ops.pending = pending_never);
	BREAK("rests when it is idle", ops.pending = pending_always);
	BREAK("rests when it is idle", ops.want = want_everything);
	STALL("sends the end behind all that was written", ops.shutdown_write = shutdown_later);
	STALL("sends the end behind all that was written", ops.shutdown_write = shutdown_never);
	STALL("half-closes", ops.shutdown_write = shutdown_later);
	BREAK("tells a cut from an end", ops.readv = readv_trusting);
	BREAK("tells a cut from an end", ops.close = close_announcing);
	BREAK("delivers bytes written before the close", ops.shutdown_write = shutdown_never);
	BREAK("reports true facts about the peer", ops.peer = peer_nameless);
	BREAK("reports true facts about the peer", ops.peer = peer_for_newer_hosts);
	wire_end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hello_conforms),
	    cmocka_unit_test(broken_handshakes_are_caught),
	    cmocka_unit_test(broken_channels_are_caught),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
