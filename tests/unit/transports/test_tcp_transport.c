/* SPDX-License-Identifier: MIT */
/* The tcp transport on the loopback: addresses, both families, options. */
#include "unit/transports/wire_bed.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/clock.h"

/* The address of the listener, without "tcp://"; free it. */
static char *bound(const struct bed *bed, struct ob_listener *listener)
{
	char text[256];
	struct ob_sink out = ob_sink_fixed(text, sizeof text - 1), tiny = ob_sink_fixed(NULL, 0);
	assert_int_equal(bed->ops->local_uri(listener, &out), OB_OK);
	assert_int_equal(bed->ops->local_uri(listener, &tiny), OB_ENOMEM);
	text[out.len] = '\0';
	assert_memory_equal(text, "tcp://", 6);
	return scratch_text("%s", text + 6);
}

static int port_of(const char *address)
{
	return atoi(strrchr(address, ':') + 1);
}

static void assert_works(const struct bed *bed, struct ob_listener *listener, const char *address)
{
	struct ob_stream *client = must_dial(bed, address), *server = must_accept(bed, listener);
	must_write(bed, client, "ping");
	must_read(bed, server, "ping");
	must_write(bed, server, "pong");
	must_read(bed, client, "pong");
	bed->ops->close(client);
	bed->ops->close(server);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;
	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
	if (fd >= 0) {
		close(fd);
	}
	return has;
}

/* ---- Addresses ---- */

static void only_a_host_and_a_port_are_an_address(void **state)
{
	struct bed *bed = *state;
	static const char *const bad[] = {"127.0.0.1",	   "127.0.0.1:65536",	 "127.0.0.1:1/path",
					  "127.0.0.1:1?a", "127.0.0.1:99999999", ":1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ob_listener *listener;
		struct ob_stream *stream;
		struct ob_error err;
		assert_int_equal(
		    bed_listen(bed, bad[i], (struct ob_listen_params){0}, &listener, &err),
		    OB_EINVAL);
		assert_non_null(strstr(err.text, "is not of the form tcp://host:port"));
		assert_int_equal(bed_dial(bed, bad[i], &stream, &err), OB_EINVAL);
		assert_non_null(strstr(err.text, "with a port from 1 to 65535"));
	}
}

static void port_0_cannot_be_dialled(void **state)
{
	struct bed *bed = *state;
	struct ob_stream *stream;
	assert_int_equal(bed_dial(bed, "127.0.0.1:0", &stream, NULL), OB_EINVAL);
}

static void a_name_is_refused_for_listening(void **state)
{
	struct bed *bed = *state;
	struct ob_listener *listener;
	struct ob_error err;
	assert_int_equal(
	    bed_listen(bed, "some.host:0", (struct ob_listen_params){0}, &listener, &err),
	    OB_EINVAL);
	assert_non_null(strstr(err.text, "must be an address"));
}

static void local_uri_names_the_port_that_was_found(void **state)
{
	struct bed *bed = *state;
	static const char *const places[] = {"127.0.0.1:0", "localhost:0", "0.0.0.0:0"};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct ob_listener *listener = must_listen(bed, places[i]);
		char *address = bound(bed, listener);
		assert_true(port_of(address) > 0);
		assert_memory_equal(address, i < 2 ? "127.0.0.1:" : "0.0.0.0:", 8);
		assert_works(bed, listener, address);
		bed->ops->listener_close(listener);
		free(address);
	}
}

static void a_port_in_use_is_reported(void **state)
{
	struct bed *bed = *state;
	struct ob_listener *listener = must_listen(bed, "127.0.0.1:0"), *second = NULL;
	char *address = bound(bed, listener);
	struct ob_error err;
	assert_int_equal(bed_listen(bed, address, (struct ob_listen_params){0}, &second, &err),
			 OB_EEXIST);
	assert_non_null(strstr(err.text, address));
	/* A connection in TIME_WAIT does not block the port of a restarted server. */
	struct ob_stream *client = must_dial(bed, address), *server = must_accept(bed, listener);
	bed->ops->close(server);
	must_read(bed, client, "");
	bed->ops->close(client);
	bed->ops->listener_close(listener);
	listener = must_listen(bed, address);
	assert_works(bed, listener, address);
	bed->ops->listener_close(listener);
	free(address);
}

static void one_listener_serves_both_families(void **state)
{
	struct bed *bed = *state;
	struct ob_peer peer = {.size = sizeof peer};
	if (!has_ipv6()) {
		print_message("skipped: the kernel has no IPv6 loopback\n");
		skip();
	}
	struct ob_listener *listener = must_listen(bed, "[::]:0");
	char *any = bound(bed, listener), *v4 = scratch_text("127.0.0.1:%d", port_of(any));
	char *v6 = scratch_text("[::1]:%d", port_of(any));
	assert_memory_equal(any, "[::]:", 5);
	assert_works(bed, listener, v4);
	assert_works(bed, listener, v6);
	struct ob_stream *client = must_dial(bed, v4), *server = must_accept(bed, listener);
	assert_int_equal(bed->ops->peer(server, &peer, NULL), OB_OK);
	assert_int_equal(peer.known, OB_PEER_ADDRESS);
	assert_memory_equal(peer.address, "127.0.0.1:", 10); /* not ::ffff:127.0.0.1 */
	assert_int_equal(bed->ops->peer(client, &peer, NULL), OB_OK);
	assert_string_equal(peer.address, v4);
	bed->ops->close(client);
	bed->ops->close(server);
	bed->ops->listener_close(listener);
	free(any);
	free(v4);
	free(v6);
}

static void zones_are_taken_in_either_form(void **state)
{
	struct bed *bed = *state;
	struct ob_error err;
	struct ob_stream *stream;
	if (!has_ipv6()) {
		print_message("skipped: the kernel has no IPv6 loopback\n");
		skip();
	}
	/* There is no listener, but the address is accepted. */
	assert_int_not_equal(bed_dial(bed, "[fe80::1%25lo]:9", &stream, &err), OB_EINVAL);
	assert_null(strstr(err.text, "resolving"));
}

/* ---- Happy eyeballs ---- */

static struct ob_dial *begin_dial(const struct bed *bed, const char *rest, struct ob_want *want)
{
	struct ob_dial_params params = {.size = sizeof params, .owner = UINT32_MAX};
	_Alignas(16) uint8_t memory[256];
	struct ob_arena arena = {.next = memory, .end = memory + sizeof memory};
	struct ob_uri uri;
	struct ob_dial *dial = NULL;
	char *text = scratch_text("tcp://%s", rest);
	assert_int_equal(bed->host->parse_uri(text, &arena, &uri, NULL), OB_OK);
	assert_int_equal(bed->ops->dial(bed->host, &uri, &params, &dial, want, NULL), OB_OK);
	free(text);
	return dial;
}

/* When the first family refuses, the second is tried at once: the dial never waits for the 250 ms
 * to pass, but for an event of its sockets. */
static void a_family_that_refuses_costs_no_time(void **state)
{
	struct bed *bed = *state;
	struct ob_listener *listener = must_listen(bed, "127.0.0.1:0");
	char *v4 = bound(bed, listener), *both = scratch_text("localhost:%d", port_of(v4));
	struct ob_stream *stream = NULL;
	struct ob_want want;
	struct ob_dial *dial = begin_dial(bed, both, &want);
	int rc;
	do {
		struct pollfd event = {.fd = want.fd, .events = POLLIN | POLLOUT};
		assert_int_equal(poll(&event, 1, want.deadline < 0 ? 60000 : 0), 1);
		rc = bed->ops->finish_dial(dial, 0, &stream, &want, NULL);
	} while (rc == OB_EAGAIN);
	assert_int_equal(rc, OB_OK);
	bed->ops->dial_close(dial);
	bed->ops->close(stream);
	bed->ops->close(must_accept(bed, listener));
	bed->ops->listener_close(listener);
	free(v4);
	free(both);
}

/* Fill the backlog of fd until a connect gets no answer. Returns the number of descriptors in
 * out. */
static size_t fill(const char *address, int out[8])
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				  .sin6_port = htons((uint16_t)port_of(address))};
	for (size_t i = 0; i < 8; i++) {
		out[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(out[i], (struct sockaddr *)&to, sizeof to);
	}
	return 8;
}

/* When the first family is silent, the second is tried after 250 ms and wins. */
static void a_family_that_is_silent_costs_a_quarter_of_a_second(void **state)
{
	struct bed *bed = *state;
	struct ob_listener *dead = NULL;
	int full[8];
	if (!has_ipv6()) {
		print_message("skipped: the kernel has no IPv6 loopback\n");
		skip();
	}
	assert_int_equal(
	    bed_listen(bed, "[::1]:0", (struct ob_listen_params){.backlog = 1}, &dead, NULL),
	    OB_OK);
	char *v6 = bound(bed, dead), *v4 = scratch_text("127.0.0.1:%d", port_of(v6));
	char *both = scratch_text("localhost:%d", port_of(v6));
	struct ob_listener *live = must_listen(bed, v4);
	size_t n = fill(v6, full);
	int64_t begin = now_ms();
	assert_works(bed, live, both);
	int64_t took = now_ms() - begin;
	assert_true(took >= 245);
	while (n > 0) {
		close(full[--n]);
	}
	bed->ops->listener_close(dead);
	bed->ops->listener_close(live);
	free(v4);
	free(v6);
	free(both);
}

/* Both are refused; the error has the reason of the last one. */
static void a_refusal_names_the_address(void **state)
{
	struct bed *bed = *state;
	struct ob_listener *listener = must_listen(bed, "127.0.0.1:0");
	char *v4 = bound(bed, listener), *both = scratch_text("localhost:%d", port_of(v4));
	struct ob_stream *stream;
	struct ob_error err;
	bed->ops->listener_close(listener);
	assert_int_equal(bed_dial(bed, both, &stream, &err), OB_EREFUSED);
	assert_non_null(strstr(err.text, v4));
	free(v4);
	free(both);
}

/* ---- Options ---- */

static void assert_tuned(int fd)
{
	assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
	assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 14000);
}

static struct ob_stream *dial_with_heartbeat(const struct bed *bed, const char *address,
					     uint32_t ms)
{
	struct ob_dial_params params = {
	    .size = sizeof params, .heartbeat_ms = ms, .owner = UINT32_MAX};
	struct ob_arena arena;
	struct ob_uri uri;
	struct ob_dial *dial;
	struct ob_want want;
	struct ob_stream *stream = NULL;
	_Alignas(16) uint8_t memory[256];
	char *text = scratch_text("tcp://%s", address);
	arena = (struct ob_arena){.next = memory, .end = memory + sizeof memory};
	assert_int_equal(bed->host->parse_uri(text, &arena, &uri, NULL), OB_OK);
	assert_int_equal(bed->ops->dial(bed->host, &uri, &params, &dial, &want, NULL), OB_OK);
	while (bed->ops->finish_dial(dial, 0, &stream, &want, NULL) == OB_EAGAIN) {
	}
	bed->ops->dial_close(dial);
	free(text);
	return stream;
}

static void options_follow_the_heartbeat(void **state)
{
	struct bed *bed = *state;
	struct ob_listen_params params = {.heartbeat_ms = 7000};
	struct ob_listener *listener;
	assert_int_equal(bed_listen(bed, "127.0.0.1:0", params, &listener, NULL), OB_OK);
	char *address = bound(bed, listener);
	struct ob_stream *client = dial_with_heartbeat(bed, address, 7000),
			 *server = must_accept(bed, listener);
	assert_tuned(bed->ops->fd(client));
	assert_tuned(bed->ops->fd(server));
	bed->ops->close(client);
	bed->ops->close(server);
	/* Without a heartbeat there is no limit for silence. */
	client = dial_with_heartbeat(bed, address, 0);
	assert_int_equal(option(bed->ops->fd(client), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	bed->ops->close(client);
	bed->ops->listener_close(listener);
	free(address);
}

/* ---- Frame ---- */

static int setup(void **state)
{
	return wire_begin(state, "tcp", "tcp://");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(only_a_host_and_a_port_are_an_address),
	    WIRE_TEST(port_0_cannot_be_dialled),
	    WIRE_TEST(a_name_is_refused_for_listening),
	    WIRE_TEST(local_uri_names_the_port_that_was_found),
	    WIRE_TEST(a_port_in_use_is_reported),
	    WIRE_TEST(one_listener_serves_both_families),
	    WIRE_TEST(zones_are_taken_in_either_form),
	    WIRE_TEST(a_family_that_refuses_costs_no_time),
	    WIRE_TEST(a_family_that_is_silent_costs_a_quarter_of_a_second),
	    WIRE_TEST(a_refusal_names_the_address),
	    WIRE_TEST(options_follow_the_heartbeat),
	};
	return cmocka_run_group_tests(tests, setup, wire_end);
}
