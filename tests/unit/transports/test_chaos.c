/* SPDX-License-Identifier: MIT */
/* The chaos transport on real sockets. Each of its connections has a thread (pthread) of its own.
 */
#include "unit/transports/wire_bed.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

static int64_t now_ms(const struct bed *bed)
{
	return bed->host->now_ms();
}

/* A bed for a transport without chaos. */
static struct bed plain(const struct bed *bed, const char *scheme)
{
	const struct wire_bed *wire = (const struct wire_bed *)(const void *)bed;
	struct bed other = *bed;
	const struct obi_plugin *plugin;
	assert_int_equal(
	    obi_registry_transport(wire->registry, NULL, ob_bytes_text(scheme), &plugin, NULL),
	    OB_OK);
	other.ops = &plugin->as.transport;
	return other;
}

/* A dialer through chaos and a plain acceptor, or the other way round. */
struct duo {
	struct bed chaos, plain;
	struct ob_stream *wild, *tame;
};

static char *bound(const struct bed *bed, struct ob_listener *listener)
{
	char text[4200];
	struct ob_sink out = ob_sink_fixed(text, sizeof text - 1);
	assert_int_equal(bed->ops->local_uri(listener, &out), OB_OK);
	text[out.len] = '\0';
	return scratch_text("%s", text);
}

static struct duo duo(const struct bed *bed, const char *scheme, const char *query, bool wild_dials)
{
	struct duo d = {.chaos = *bed, .plain = plain(bed, scheme)};
	struct bed *there = wild_dials ? &d.plain : &d.chaos,
		   *here = wild_dials ? &d.chaos : &d.plain;
	static int number;
	char *place = strcmp(scheme, "tcp") == 0
			  ? scratch_text("tcp://127.0.0.1:0")
			  : scratch_text("unix://%s/s%d", bed->dir, number++);
	char *listen =
	    wild_dials ? scratch_text("%s", place) : scratch_text("chaos+%s?%s", place, query);
	struct ob_listener *listener = must_listen(there, listen);
	char *at = bound(there, listener);
	char *dial = wild_dials ? scratch_text("chaos+%s?%s", at, query)
				: scratch_text("%.*s", (int)strcspn(at + 6, "?"), at + 6);
	struct ob_stream *client = must_dial(here, dial), *server = must_accept(there, listener);
	d.wild = wild_dials ? client : server;
	d.tame = wild_dials ? server : client;
	there->ops->listener_close(listener);
	free(place);
	free(listen);
	free(at);
	free(dial);
	return d;
}

static void end(struct duo *d)
{
	d->chaos.ops->close(d->wild);
	d->plain.ops->close(d->tame);
}

/* Read until a call returns no bytes. Returns its result, and the number of bytes before. */
static ptrdiff_t read_out(const struct bed *bed, struct ob_stream *stream, size_t *ret_len,
			  struct ob_error *err)
{
	char buf[4096];
	struct iovec piece = {buf, sizeof buf};
	ptrdiff_t n;
	*ret_len = 0;
	do {
		struct pollfd wait = {.fd = bed->ops->fd(stream), .events = POLLIN};
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		n = bed->ops->readv(stream, &piece, 1, err);
		*ret_len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || n == OB_EAGAIN);
	return n;
}

static ptrdiff_t write_some(const struct bed *bed, struct ob_stream *stream, size_t len,
			    struct ob_error *err)
{
	static char zeros[65536];
	struct iovec piece = {zeros, len};
	return bed->ops->writev(stream, &piece, 1, err);
}

/* ---- Pieces ---- */

static void reads_and_writes_come_short(void **state)
{
	struct duo d = duo(*state, "unix", "seed=3&chop=1..5", true);
	char buf[100];
	struct iovec piece = {buf, sizeof buf};
	bool seen[6] = {false};
	for (size_t sent = 0; sent < 1000;) {
		/* Many small pieces fill the buffer of a socket with few bytes. */
		struct pollfd wait = {.fd = d.chaos.ops->fd(d.wild), .events = POLLOUT};
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		ptrdiff_t n = write_some(&d.chaos, d.wild, 1000 - sent, NULL);
		assert_in_range(n, 1, 5);
		sent += (size_t)n;
	}
	for (int i = 0; i < 10; i++) {
		assert_int_equal(write_some(&d.plain, d.tame, 100, NULL), 100);
	}
	for (size_t got = 0; got < 1000;) {
		struct pollfd wait = {.fd = d.chaos.ops->fd(d.wild), .events = POLLIN};
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		ptrdiff_t n = d.chaos.ops->readv(d.wild, &piece, 1, NULL);
		assert_in_range(n, 1, 5);
		seen[n] = true;
		got += (size_t)n;
	}
	for (int i = 1; i <= 5; i++) {
		assert_true(seen[i]);
	}
	end(&d);
}

/* ---- Time ---- */

static void a_delay_holds_each_way(void **state)
{
	struct duo d = duo(*state, "unix", "delay=30ms", true);
	int64_t begin = now_ms(&d.chaos);
	must_write(&d.chaos, d.wild, "there");
	must_read(&d.plain, d.tame, "there");
	assert_true(now_ms(&d.chaos) - begin >= 30);
	must_write(&d.plain, d.tame, "and back");
	must_read(&d.chaos, d.wild, "and back");
	assert_true(now_ms(&d.chaos) - begin >= 60);
	end(&d);
}

static void a_pause_holds_the_bytes_behind_it(void **state)
{
	struct duo d = duo(*state, "unix", "pause=@5:80ms&way=out", true);
	int64_t begin = now_ms(&d.chaos);
	must_write(&d.chaos, d.wild, "first and then");
	must_read(&d.plain, d.tame, "first");
	must_read(&d.plain, d.tame, " and then");
	assert_true(now_ms(&d.chaos) - begin >= 80);
	end(&d);
}

static void a_close_does_not_wait_for_the_delay(void **state)
{
	struct duo d = duo(*state, "unix", "delay=10m", true);
	size_t len;
	must_write(&d.chaos, d.wild, "farewell");
	d.chaos.ops->close(d.wild);
	d.wild = NULL;
	assert_int_equal(read_out(&d.plain, d.tame, &len, NULL), 0);
	assert_int_equal(len, 8);
	end(&d);
}

/* ---- Resets ---- */

static void check_reset(const struct bed *bed, const char *scheme, bool wild_dials)
{
	struct duo d = duo(bed, scheme, "seed=5&reset=@300&way=out", wild_dials);
	struct ob_error err = {.text = ""};
	size_t len;
	assert_int_equal(write_some(&d.chaos, d.wild, 1000, NULL), 1000);
	ptrdiff_t n = read_out(&d.plain, d.tame, &len, NULL);
	assert_true(n == 0 || n == OB_ECONNLOST);
	assert_true(len == 300 || n == OB_ECONNLOST); /* a reset may overtake earlier bytes */
	assert_int_equal(n, strcmp(scheme, "tcp") == 0 ? OB_ECONNLOST : 0);
	assert_int_equal(read_out(&d.chaos, d.wild, &len, &err), OB_ECONNLOST);
	assert_int_equal(len, 0);
	assert_non_null(strstr(err.text, "chaos: connection "));
	assert_non_null(strstr(err.text, " was reset after 300 bytes out (seed 5)"));
	err.text[0] = '\0';
	assert_int_equal(write_some(&d.chaos, d.wild, 1, &err), OB_ECONNLOST);
	assert_non_null(strstr(err.text, "was reset after 300 bytes out"));
	end(&d);
}

static void a_reset_is_at_its_byte_and_says_so(void **state)
{
	check_reset(*state, "unix", true);
	check_reset(*state, "unix", false);
	check_reset(*state, "tcp", true);
	check_reset(*state, "tcp", false);
}

static void a_reset_before_the_first_byte(void **state)
{
	struct duo d = duo(*state, "unix", "reset=@0", true);
	struct ob_error err;
	size_t len;
	assert_int_equal(read_out(&d.chaos, d.wild, &len, &err), OB_ECONNLOST);
	assert_int_equal(read_out(&d.plain, d.tame, &len, NULL), 0);
	end(&d);
}

/* An error of the inner transport keeps its text. */
static void a_reset_by_the_peer_is_passed_on(void **state)
{
	const struct linger now = {.l_onoff = 1};
	struct duo d = duo(*state, "tcp", "delay=1ms", true);
	struct ob_error err = {.text = ""};
	size_t len;
	assert_int_equal(
	    setsockopt(d.plain.ops->fd(d.tame), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	d.plain.ops->close(d.tame);
	d.tame = NULL;
	assert_int_equal(read_out(&d.chaos, d.wild, &len, &err), OB_ECONNLOST);
	assert_non_null(strstr(err.text, "reading from the connection"));
	assert_int_equal(write_some(&d.chaos, d.wild, 1, &err), OB_ECONNLOST);
	end(&d);
}

/* The position of a reset differs between connections, and is the same in each run. */
static void each_connection_has_a_schedule_of_its_own(void **state)
{
	struct bed *bed = *state, tame = plain(bed, "unix");
	char *path = bed_path(bed, "s"), *uri = scratch_text("unix://%s", path);
	char *wild = scratch_text("chaos+unix://%s?reset=1/1000&side=acceptor", path);
	size_t lens[2][8];
	for (int round = 0; round < 2; round++) {
		struct ob_listener *listener = must_listen(bed, wild);
		for (int i = 0; i < 8; i++) {
			struct ob_stream *client = must_dial(&tame, uri),
					 *server = must_accept(bed, listener);
			assert_true(write_some(bed, server, 4096, NULL) > 0);
			assert_int_equal(read_out(&tame, client, &lens[round][i], NULL), 0);
			bed->ops->close(server);
			tame.ops->close(client);
		}
		bed->ops->listener_close(listener);
	}
	assert_memory_equal(lens[0], lens[1], sizeof lens[0]);
	assert_true(lens[0][0] != lens[0][1] || lens[0][1] != lens[0][2]);
	free(path);
	free(uri);
	free(wild);
}

/* ---- Silence ---- */

static bool is_readable(const struct bed *bed, struct ob_stream *stream, int ms)
{
	struct pollfd wait = {.fd = bed->ops->fd(stream), .events = POLLIN};
	return poll(&wait, 1, ms) != 0;
}

static void check_silence(const struct bed *bed, const char *scheme)
{
	struct duo d = duo(bed, scheme, "drop=@10&way=out", true);
	struct ob_error err = {.text = ""};
	char buf[64];
	struct iovec piece = {buf, sizeof buf};
	size_t sent = 0;
	ptrdiff_t n;
	must_write(&d.chaos, d.wild, "0123456789abc");
	must_read(&d.plain, d.tame, "0123456789");
	must_write(&d.plain, d.tame, "is anybody there");
	assert_false(is_readable(&d.chaos, d.wild, 100) || is_readable(&d.plain, d.tame, 0));
	assert_int_equal(d.chaos.ops->readv(d.wild, &piece, 1, &err), OB_EAGAIN);
	while ((n = write_some(&d.chaos, d.wild, 65536, &err)) > 0) {
		sent += (size_t)n;
		assert_true(sent < 16 << 20);
	}
	assert_int_equal(n, OB_EAGAIN); /* it looks like a peer that does not read */
	size_t len;
	d.chaos.ops->close(d.wild);
	d.wild = NULL;
	n = read_out(&d.plain, d.tame, &len, NULL);
	assert_true(len == 0 &&
		    (n == 0 || n == OB_ECONNLOST)); /* the bytes that were held back are lost */
	end(&d);
}

static void a_drop_is_silence_both_ways_until_it_is_closed(void **state)
{
	check_silence(*state, "unix");
	check_silence(*state, "tcp");
}

/* ---- Addresses ---- */

static void the_bound_address_has_the_parameters(void **state)
{
	struct bed *bed = *state;
	char *path = bed_path(bed, "a%20b"),
	     *want = scratch_text("chaos+unix://%s?seed=1&chop=2..3", path);
	struct ob_listener *listener = must_listen(bed, want);
	char *got = bound(bed, listener);
	assert_string_equal(got, want);
	bed->ops->listener_close(listener);
	free(got);
	listener = must_listen(bed, "chaos+tcp://127.0.0.1:0?seed=4");
	got = bound(bed, listener);
	assert_non_null(strstr(got, "chaos+tcp://127.0.0.1:"));
	assert_non_null(strstr(got, "?seed=4"));
	assert_null(strstr(got, ":0?"));
	bed->ops->listener_close(listener);
	free(got);
	free(path);
	free(want);
}

static void assert_refused(const struct bed *bed, const char *address, int code, const char *why)
{
	struct ob_listener *listener;
	struct ob_stream *stream;
	struct ob_error err = {.text = ""};
	for (int i = 0; i < 2; i++) {
		err.text[0] = '\0';
		int rc =
		    i == 0 ? bed_listen(bed, address, (struct ob_listen_params){0}, &listener, &err)
			   : bed_dial(bed, address, &stream, &err);
		if (rc != code || strstr(err.text, why) == NULL) {
			fail_msg("%s: code %d: %s", address, rc, err.text);
		}
	}
}

static void an_address_that_chaos_cannot_wrap_is_refused(void **state)
{
	assert_refused(*state, "chaos+unix:///x?chop=0", OB_EINVAL,
		       "chaos: parameter chop=0: expected");
	assert_refused(*state, "chaos+nothing://x", OB_EPLUGIN, "chaos: no transport for nothing");
	assert_refused(*state, "chaos+chaos+unix:///x", OB_EINVAL, "it cannot wrap itself");
	assert_refused(*state, "chaos+://x", OB_EINVAL,
		       "is not of the form chaos+scheme://address?parameters");
	assert_refused(*state, "unix:///x", OB_EINVAL,
		       "is not of the form chaos+scheme://address?parameters");
	assert_refused(*state, "chaos+tcp://127.0.0.1", OB_EINVAL,
		       "'tcp://127.0.0.1' is not of the form tcp://");
}

static void flags_are_those_of_the_inner_transport(void **state)
{
	const struct wire_bed *wire = *state;
	static const char *const far[] = {"chaos+tcp", "chaos+vsock", "chaos+hvsock", "chaos+unixx",
					  "chaos+"};
	const struct obi_plugin *plugin;
	assert_int_equal(obi_registry_transport(wire->registry, NULL, ob_bytes_text("chaos+unix"),
						&plugin, NULL),
			 OB_OK);
	assert_true(plugin->as.transport.flags & OB_TRANSPORT_LOCAL);
	for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
		assert_int_equal(obi_registry_transport(wire->registry, NULL, ob_bytes_text(far[i]),
							&plugin, NULL),
				 OB_OK);
		assert_false(plugin->as.transport.flags & OB_TRANSPORT_LOCAL);
	}
}

static void peers_are_those_of_the_inner_transport(void **state)
{
	struct duo d = duo(*state, "unix", "", true);
	struct ob_peer peer = {.size = sizeof peer, .pidfd = -1}, inner = peer;
	assert_int_equal(d.chaos.ops->peer(d.wild, &peer, NULL), OB_OK);
	assert_int_equal(d.plain.ops->peer(d.tame, &inner, NULL), OB_OK);
	assert_int_equal(peer.known, inner.known);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	if ((peer.known & OB_PEER_PIDFD) != 0) {
		assert_true(fcntl(peer.pidfd, F_GETFD) >= 0);
	}
	end(&d);
	d = duo(*state, "tcp", "", false);
	assert_int_equal(d.chaos.ops->peer(d.wild, &peer, NULL), OB_OK);
	assert_int_equal(peer.known, OB_PEER_ADDRESS);
	assert_non_null(strstr(peer.address, "127.0.0.1:"));
	end(&d);
}

/* ---- Frame ---- */

static int setup(void **state)
{
	return wire_begin(state, "chaos+unix", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(reads_and_writes_come_short),
	    WIRE_TEST(a_delay_holds_each_way),
	    WIRE_TEST(a_pause_holds_the_bytes_behind_it),
	    WIRE_TEST(a_close_does_not_wait_for_the_delay),
	    WIRE_TEST(a_reset_is_at_its_byte_and_says_so),
	    WIRE_TEST(a_reset_before_the_first_byte),
	    WIRE_TEST(a_reset_by_the_peer_is_passed_on),
	    WIRE_TEST(each_connection_has_a_schedule_of_its_own),
	    WIRE_TEST(a_drop_is_silence_both_ways_until_it_is_closed),
	    WIRE_TEST(the_bound_address_has_the_parameters),
	    WIRE_TEST(an_address_that_chaos_cannot_wrap_is_refused),
	    WIRE_TEST(flags_are_those_of_the_inner_transport),
	    WIRE_TEST(peers_are_those_of_the_inner_transport),
	};
	return cmocka_run_group_tests(tests, setup, wire_end);
}
