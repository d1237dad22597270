/* SPDX-License-Identifier: MIT */
/* The conformance suite on each shipped transport; or, with a URI to listen on as argument, on
 * the transport that it names. */
#include "unit/conformance/conform_bed.h"

#include "support/vmm.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

static void unix_conforms(void **state)
{
	char *dir = scratch_make(), *uri = scratch_text("unix://%s/s", dir);
	(void)state;
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
	scratch_remove(dir);
}

static void tcp_conforms(void **state)
{
	(void)state;
	assert_int_equal(conform("tcp://127.0.0.1:0", NULL), 0);
}

static void tcp_conforms_over_ipv6(void **state)
{
	(void)state;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || access("/proc/net/if_inet6", R_OK) != 0) {
		print_message("skipped: this kernel has no IPv6\n");
		skip();
	}
	close(fd);
	assert_int_equal(conform("tcp://[::1]:0", NULL), 0);
}

/* Both ends by hybrid vsock: out through a VMM, and in at its destination. */
static void hvsock_conforms(void **state)
{
	struct vmm vmm;
	char *dir = scratch_make();
	(void)state;
	vmm_begin(&vmm, dir);
	char *listen = scratch_text("hvsock://%s:5000", vmm.guest),
	     *dial = scratch_text("hvsock://%s:5000", vmm.path);
	assert_int_equal(conform(listen, dial), 0);
	vmm_end(&vmm);
	free(listen);
	free(dial);
	scratch_remove(dir);
}

static void chaos_over_unix_conforms(void **state)
{
	char *dir = scratch_make(), *uri = scratch_text("chaos+unix://%s/s?%s", dir, mild);
	(void)state;
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
	uri = scratch_text("chaos+unix://%s/s", dir);
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
	scratch_remove(dir);
}

static void chaos_over_tcp_conforms(void **state)
{
	char *uri = scratch_text("chaos+tcp://127.0.0.1:0?%s", mild);
	(void)state;
	assert_int_equal(conform(uri, NULL), 0);
	free(uri);
}

static void chaos_over_hvsock_conforms(void **state)
{
	struct vmm vmm;
	char *dir = scratch_make();
	(void)state;
	vmm_begin(&vmm, dir);
	char *listen = scratch_text("chaos+hvsock://%s:5000?%s", vmm.guest, mild);
	char *dial = scratch_text("chaos+hvsock://%s:5000?%s", vmm.path, mild);
	assert_int_equal(conform(listen, dial), 0);
	vmm_end(&vmm);
	free(listen);
	free(dial);
	scratch_remove(dir);
}

/* ---- With faults: unix with one fault each ---- */

static char bound[256]; /* the path of the last listener */

static int listen_over(const struct ob_host *host, const struct ob_uri *uri,
		       const struct ob_listen_params *params, struct ob_listener **ret,
		       struct ob_error *reterr)
{
	if (uri->path.len > 1) {
		unlink((const char *)uri->path.data);
	}
	return sound->listen(host, uri, params, ret, reterr);
}

static int listen_once(const struct ob_host *host, const struct ob_uri *uri,
		       const struct ob_listen_params *params, struct ob_listener **ret,
		       struct ob_error *reterr)
{
	if (uri->path.len > 1 && access((const char *)uri->path.data, F_OK) == 0) {
		return (host->fail)(reterr, OB_EEXIST, 0, "there is something");
	}
	return sound->listen(host, uri, params, ret, reterr);
}

static int listen_anywhere(const struct ob_host *host, const struct ob_uri *uri,
			   const struct ob_listen_params *params, struct ob_listener **ret,
			   struct ob_error *reterr)
{
	int rc = sound->listen(host, uri, params, ret, reterr);
	snprintf(bound, sizeof bound, "%s", (const char *)uri->path.data);
	return rc == OB_EINVAL ? OB_ENOENT : rc;
}

static int listen_demanding(const struct ob_host *host, const struct ob_uri *uri,
			    const struct ob_listen_params *params, struct ob_listener **ret,
			    struct ob_error *reterr)
{
	return params->size < sizeof *params ? (host->fail)(reterr, OB_EINVAL, 0, "old host")
					     : sound->listen(host, uri, params, ret, reterr);
}

static void listener_close_littering(struct ob_listener *listener)
{
	sound->listener_close(listener);
	if (listener != NULL) {
		scratch_write(bound, "", 0, 0600);
	}
}

static int local_uri_silent(struct ob_listener *listener, struct ob_sink *out)
{
	(void)sound->local_uri(listener, out);
	return OB_OK;
}

static int dial_mute(const struct ob_host *host, const struct ob_uri *uri,
		     const struct ob_dial_params *params, struct ob_dial **ret,
		     struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)reterr;
	return sound->dial(host, uri, params, ret, ret_want, NULL);
}

static int dial_slowly(const struct ob_host *host, const struct ob_uri *uri,
		       const struct ob_dial_params *params, struct ob_dial **ret,
		       struct ob_want *ret_want, struct ob_error *reterr)
{
	poll(NULL, 0, 1100); /* the fault */
	return sound->dial(host, uri, params, ret, ret_want, reterr);
}

/* At each deadline it wants the same deadline again, for ever. */
static int finish_dial_spinning(struct ob_dial *dial, int revents, struct ob_stream **ret,
				struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)revents, (void)ret, (void)reterr;
	*ret_want = (struct ob_want){.fd = -1, .deadline = 0};
	return OB_EAGAIN;
}

static int finish_dial_forgetful(struct ob_dial *dial, int revents, struct ob_stream **ret,
				 struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)revents, (void)ret, (void)ret_want, (void)reterr;
	return OB_EAGAIN;
}

static int finish_dial_empty_handed(struct ob_dial *dial, int revents, struct ob_stream **ret,
				    struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)revents, (void)ret, (void)ret_want, (void)reterr;
	return OB_OK;
}

/* The stream is valid, but not connected to the listener. */
static int finish_dial_lying(struct ob_dial *dial, int revents, struct ob_stream **ret,
			     struct ob_want *ret_want, struct ob_error *reterr)
{
	int rc = sound->finish_dial(dial, revents, ret, ret_want, reterr);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (rc == OB_OK && dup3(fd, sound->fd(*ret), O_CLOEXEC) < 0) {
		rc = OB_EIO;
	}
	close(fd);
	return rc;
}

static int finish_dial_slowly(struct ob_dial *dial, int revents, struct ob_stream **ret,
			      struct ob_want *ret_want, struct ob_error *reterr)
{
	poll(NULL, 0, 1100);
	return sound->finish_dial(dial, revents, ret, ret_want, reterr);
}

static int finish_dial_confused(struct ob_dial *dial, int revents, struct ob_stream **ret,
				struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)revents, (void)ret, (void)ret_want;
	return (sound_host->fail)(reterr, OB_EINVAL, 0, "no such deadline");
}

static int finish_dial_mute(struct ob_dial *dial, int revents, struct ob_stream **ret,
			    struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)revents, (void)ret, (void)ret_want, (void)reterr;
	return OB_ETIMEDOUT;
}

static int accept_impatiently(struct ob_listener *listener, struct ob_stream **ret,
			      struct ob_error *reterr)
{
	int rc = sound->accept(listener, ret, reterr);
	return rc == OB_EAGAIN || rc == OB_ENOMEM ? OB_EIO : rc;
}

static int accept_blocking(struct ob_listener *listener, struct ob_stream **ret,
			   struct ob_error *reterr)
{
	int rc = sound->accept(listener, ret, reterr);
	return rc == OB_OK && fcntl(sound->fd(*ret), F_SETFL, 0) != 0 ? OB_EIO : rc;
}

static int accept_leaking(struct ob_listener *listener, struct ob_stream **ret,
			  struct ob_error *reterr)
{
	static int left; /* for a while */
	int rc = sound->accept(listener, ret, reterr);
	if (rc == OB_OK && left++ < 64) {
		(void)!fcntl(sound->fd(*ret), F_DUPFD_CLOEXEC, 0);
	}
	return rc;
}

static int peer_lying(struct ob_stream *stream, struct ob_peer *ret, struct ob_error *reterr)
{
	int rc = sound->peer(stream, ret, reterr);
	ret->known |= OB_PEER_ADDRESS; /* which does not exist */
	return rc;
}

static ptrdiff_t readv_garbled(struct ob_stream *stream, const struct iovec *pieces, int count,
			       struct ob_error *reterr)
{
	ptrdiff_t n = sound->readv(stream, pieces, count, reterr);
	if (n > 0 && pieces[0].iov_len > 0) {
		*(uint8_t *)pieces[0].iov_base ^= 1;
	}
	return n;
}

static ptrdiff_t readv_backwards(struct ob_stream *stream, const struct iovec *pieces, int count,
				 struct ob_error *reterr)
{
	struct iovec other[2] = {pieces[count == 2], pieces[0]};
	return sound->readv(stream, count == 2 ? other : pieces, count, reterr);
}

static ptrdiff_t readv_hasty(struct ob_stream *stream, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	ptrdiff_t n = sound->readv(stream, pieces, count, reterr);
	return n == OB_EAGAIN ? 0 : n;
}

static ptrdiff_t readv_vague(struct ob_stream *stream, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	ptrdiff_t n = sound->readv(stream, pieces, count, reterr);
	return n == 0 || n == OB_ECONNLOST ? OB_EIO : n;
}

static ptrdiff_t writev_boasting(struct ob_stream *stream, const struct iovec *pieces, int count,
				 struct ob_error *reterr)
{
	ptrdiff_t n = sound->writev(stream, pieces, count, reterr);
	return n == OB_EAGAIN ? (ptrdiff_t)pieces[0].iov_len : n;
}

/* It reports room to write, but never accepts a byte. */
static ptrdiff_t writev_never(struct ob_stream *stream, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	(void)stream, (void)pieces, (void)count, (void)reterr;
	return OB_EAGAIN;
}

static ptrdiff_t readv_never(struct ob_stream *stream, const struct iovec *pieces, int count,
			     struct ob_error *reterr)
{
	(void)stream, (void)pieces, (void)count, (void)reterr;
	return OB_EAGAIN;
}

static ptrdiff_t writev_vague(struct ob_stream *stream, const struct iovec *pieces, int count,
			      struct ob_error *reterr)
{
	ptrdiff_t n = sound->writev(stream, pieces, count, reterr);
	return n == OB_ECONNLOST ? OB_EIO : n;
}

static int shutdown_both(struct ob_stream *stream, struct ob_error *reterr)
{
	(void)reterr;
	return shutdown(sound->fd(stream), SHUT_RDWR) == 0 ? OB_OK : OB_EIO;
}

static void *begin_sound(void)
{
	return begin_sound_of("unix");
}

static void broken_transports_are_caught(void **state)
{
	void *bed = begin_sound();
	const struct wire_bed *state_of = bed;
	(void)state;
	BREAK("reports the address that it is bound to", ops.local_uri = local_uri_silent);
	BREAK("refuses invalid addresses", ops.listen = listen_anywhere);
	BREAK("does not take over a live address", ops.listen = listen_over);
	BREAK("takes over a stale address", ops.listen = listen_once);
	BREAK("frees its address when it closes", ops.listen = listen_anywhere,
	      ops.listener_close = listener_close_littering);
	BREAK("works with an older host", ops.listen = listen_demanding);
	BREAK("reports a refused dial", ops.dial = dial_mute);
	BREAK("lets a dial wait without blocking", ops.dial = dial_slowly);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_spinning);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_forgetful);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_empty_handed);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_lying);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_slowly);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_confused);
	BREAK("continues a dial at its deadline", ops.finish_dial = finish_dial_mute);
	BREAK("has descriptors that are non-blocking and close-on-exec",
	      ops.accept = accept_blocking);
	BREAK("returns OB_EAGAIN from accept without a connection",
	      ops.accept = accept_impatiently);
	BREAK("reports when it is out of descriptors", ops.accept = accept_impatiently);
	BREAK("survives a thousand connections", ops.accept = accept_leaking);
	BREAK("reports true facts about the peer", ops.peer = peer_lying);
	wire_end(&bed);
}

static void broken_streams_are_caught(void **state)
{
	void *bed = begin_sound();
	const struct wire_bed *state_of = bed;
	(void)state;
	BREAK("connects repeatedly", ops.readv = readv_garbled);
	BREAK("carries single bytes", ops.readv = readv_garbled);
	BREAK("carries a frame larger than any buffer", ops.readv = readv_garbled);
	STALL("carries a frame larger than any buffer", ops.writev = writev_never);
	STALL("carries a frame larger than any buffer", ops.readv = readv_never);
	STALL("carries single bytes", ops.writev = writev_never);
	STALL("carries single bytes", ops.readv = readv_never);
	BREAK("gathers and scatters pieces", ops.readv = readv_backwards);
	BREAK("waits for something to read", ops.readv = readv_hasty);
	BREAK("returns OB_EAGAIN when the peer does not read", ops.writev = writev_boasting);
	BREAK("half-closes", ops.shutdown_write = shutdown_both);
	BREAK("delivers bytes written before the close", ops.readv = readv_vague);
	BREAK("reports the death of the peer during a write", ops.writev = writev_vague);
	BREAK("ends reading when the peer dies", ops.readv = readv_vague);
	wire_end(&bed);
}

/* ---- Dials without an answer ---- */

static int left; /* deadlines that a patient dial passes before it fails */

static int dial_patiently(const struct ob_host *host, const struct ob_uri *uri,
			  const struct ob_dial_params *params, struct ob_dial **ret,
			  struct ob_want *ret_want, struct ob_error *reterr)
{
	int rc = sound->dial(host, uri, params, ret, ret_want, reterr);
	*ret_want = (struct ob_want){.fd = -1, .deadline = host->now_ms() + 20};
	left = 3;
	return rc;
}

static int finish_dial_in_vain(struct ob_dial *dial, int revents, struct ob_stream **ret,
			       struct ob_want *ret_want, struct ob_error *reterr)
{
	(void)dial, (void)ret;
	assert_int_equal(revents, 0);
	assert_true(left > 0);
	if (--left == 0) {
		return (sound_host->fail)(reterr, OB_ETIMEDOUT, 0, "nobody answers");
	}
	*ret_want = (struct ob_want){.fd = -1, .deadline = sound_host->now_ms() + 20};
	return OB_EAGAIN;
}

struct told {
	const char *wanted; /* in the form for only_that() */
	enum obi_verdict verdict;
	char why[400];
};

static void keep_verdict(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	struct told *told = user;
	(void)promise;
	told->verdict = verdict;
	snprintf(told->why, sizeof told->why, "%s", why);
}

static struct told at_its_deadline(const struct ob_transport_ops *ops, const struct ob_host *host,
				   const char *listen, const char *dial)
{
	struct told told = {.wanted = "continues a dial at its deadline",
			    .verdict = OBI_VERDICT_SKIP};
	struct obi_conform_transport it = {
	    .ops = ops, .host = host, .listen = listen, .dial = dial, .begin = only_that};
	(void)obi_conform_transport(&it, keep_verdict, &told);
	return told;
}

static void a_dial_may_time_out(void **state)
{
	char *dir = scratch_make(), *uri = scratch_text("unix://%s/s", dir);
	void *bed = begin_sound();
	struct ob_transport_ops ops = *sound;
	(void)state;
	ops.dial = dial_patiently;
	ops.finish_dial = finish_dial_in_vain;
	struct told told = at_its_deadline(&ops, sound_host, uri, NULL);
	assert_string_equal(told.why, "");
	assert_int_equal(told.verdict, OBI_VERDICT_PASS);
	assert_int_equal(left, 0);
	wire_end(&bed);
	free(uri);
	scratch_remove(dir);
}

/* A guest that is not ready, as the suite sees it. */
static void hvsock_times_out_as_promised(void **state)
{
	struct vmm vmm;
	void *bed = NULL;
	char *dir = scratch_make();
	(void)state;
	vmm_begin(&vmm, dir);
	vmm_order(&vmm, "silent");
	assert_int_equal(wire_begin(&bed, "hvsock", ""), 0);
	const struct bed *hvsock = &((struct wire_bed *)bed)->bed;
	char *listen = scratch_text("hvsock://%s:5000", vmm.guest),
	     *dial = scratch_text("hvsock://%s:5000", vmm.path);
	struct told told = at_its_deadline(hvsock->ops, hvsock->host, listen, dial);
	assert_string_equal(told.why, "");
	assert_int_equal(told.verdict, OBI_VERDICT_PASS);
	wire_end(&bed);
	vmm_end(&vmm);
	free(listen);
	free(dial);
	scratch_remove(dir);
}

/* ---- Signals ---- */

static void on_alarm(int number)
{
	(void)number;
}

/* All waits are interrupted, in the suite and in the transport. */
static void signals_disturb_nothing(void **state)
{
	struct sigaction interrupt = {.sa_handler = on_alarm}, was;
	struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
	char *dir = scratch_make(), *uri = scratch_text("chaos+unix://%s/s?%s", dir, mild);
	(void)state;
	assert_int_equal(sigaction(SIGALRM, &interrupt, &was), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	uint32_t broken = conform(uri, NULL);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &was, NULL), 0);
	assert_int_equal(broken, 0);
	free(uri);
	scratch_remove(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unix_conforms),
	    cmocka_unit_test(tcp_conforms),
	    cmocka_unit_test(tcp_conforms_over_ipv6),
	    cmocka_unit_test(hvsock_conforms),
	    cmocka_unit_test(broken_transports_are_caught),
	    cmocka_unit_test(broken_streams_are_caught),
	    cmocka_unit_test(a_dial_may_time_out),
	    cmocka_unit_test(hvsock_times_out_as_promised),
	    cmocka_unit_test(signals_disturb_nothing),
	    cmocka_unit_test(chaos_over_unix_conforms),
	    cmocka_unit_test(chaos_over_tcp_conforms),
	    cmocka_unit_test(chaos_over_hvsock_conforms),
	};
	if (argc > 1) {
		return conform(argv[1], argc > 2 ? argv[2] : NULL) == 0 ? 0 : 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
