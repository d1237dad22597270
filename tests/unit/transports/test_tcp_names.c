/* SPDX-License-Identifier: MIT */
/* The tcp transport and names, in a network namespace with its own /etc/hosts and a name server
 * that never answers. */
#include "unit/transports/wire_bed.h"

#include "support/clock.h"
#include "support/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4 }; /* lookups at the same time */

static const char *no_network; /* the reason; NULL if there is one */

static void need_network(void)
{
	if (no_network != NULL) {
		print_message("skipped: %s\n", no_network);
		skip();
	}
}

/* ---- Names ---- */

static void a_name_is_resolved_and_dialled(void **state)
{
	struct bed *bed = *state;
	need_network();
	struct ob_listener *listener = must_listen(bed, "127.0.0.1:4242");
	struct ob_stream *client = must_dial(bed, "child.test:4242"),
			 *server = must_accept(bed, listener);
	must_write(bed, client, "ping");
	must_read(bed, server, "ping");
	bed->ops->close(client);
	bed->ops->close(server);
	bed->ops->listener_close(listener);
}

static void a_name_with_several_addresses_is_tried_at_all_of_them(void **state)
{
	struct bed *bed = *state;
	need_network();
	struct ob_listener *listener = must_listen(bed, "127.0.0.3:4242");
	struct ob_stream *client = must_dial(bed, "many.test:4242"),
			 *server = must_accept(bed, listener);
	bed->ops->close(client);
	bed->ops->close(server);
	bed->ops->listener_close(listener);
}

static int dial_name(const struct bed *bed, const char *text, struct ob_dial **ret,
		     struct ob_want *want)
{
	struct ob_dial_params params = {.size = sizeof params, .owner = UINT32_MAX};
	_Alignas(16) uint8_t memory[256];
	struct ob_arena arena = {.next = memory, .end = memory + sizeof memory};
	struct ob_uri uri;
	assert_int_equal(bed->host->parse_uri(text, &arena, &uri, NULL), OB_OK);
	return bed->ops->dial(bed->host, &uri, &params, ret, want, NULL);
}

/* A socket in place of the name server: it receives every query. */
static int silent_server(void)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

/* Wait for queries from this many ports: each thread of the resolver has its own. */
static void await_askers(int server, size_t count)
{
	in_port_t seen[8] = {0};
	for (size_t n = 0; n < count;) {
		struct sockaddr_in from = {0};
		socklen_t len = sizeof from;
		char question[512];
		struct pollfd asked = {.fd = server, .events = POLLIN};
		assert_int_equal(poll(&asked, 1, 10000), 1);
		assert_true(recvfrom(server, question, sizeof question, 0, (struct sockaddr *)&from,
				     &len) > 0);
		size_t i = 0;
		while (i < n && seen[i] != from.sin_port) {
			i++;
		}
		seen[i] = from.sin_port;
		n += i == n;
	}
}

/* ---- Answers ---- */

enum { HEADER = 12, TYPE_A = 1 };

struct question {
	uint8_t bytes[512];
	size_t len;
	struct sockaddr_in from;
};

static void reply(int server, const struct question *q, size_t len)
{
	assert_int_equal(
	    sendto(server, q->bytes, len, 0, (const struct sockaddr *)&q->from, sizeof q->from),
	    len);
}

/* Receive the two queries of the resolver for a name. Returns the one for IPv4; the one for IPv6 is
 * answered with no address. */
static struct question next_question(int server)
{
	struct question q = {.len = 0}, v4 = {.len = 0};
	for (int i = 0; i < 2; i++) {
		struct pollfd asked = {.fd = server, .events = POLLIN};
		socklen_t len = sizeof q.from;
		assert_int_equal(poll(&asked, 1, 10000), 1);
		ssize_t n = recvfrom(server, q.bytes, 400, 0, (struct sockaddr *)&q.from, &len);
		assert_true(n > HEADER + 5);
		q.len = HEADER + strlen((char *)q.bytes + HEADER) + 1 + 4;
		q.bytes[2] |= 0x80;	   /* it becomes an answer, */
		memset(q.bytes + 6, 0, 6); /* still empty */
		if (q.bytes[q.len - 3] == TYPE_A) {
			v4 = q;
		} else {
			reply(server, &q, q.len);
		}
	}
	assert_true(v4.len > 0);
	return v4;
}

/* 127.0.0.1 */
static void answer(int server, struct question *q)
{
	static const uint8_t address[] = {0xc0, HEADER, 0, TYPE_A, 0,	1, 0, 0,
					  0,	0,	0, 4,	   127, 0, 0, 1};
	q->bytes[7] = 1;
	memcpy(q->bytes + q->len, address, sizeof address);
	reply(server, q, q->len + sizeof address);
}

static bool was_asked(int server)
{
	struct pollfd asked = {.fd = server, .events = POLLIN};
	return poll(&asked, 1, 0) != 0;
}

/* The dial succeeds. */
static void must_come_about(struct bed *bed, struct ob_listener *listener, struct ob_dial *dial,
			    struct ob_want *want)
{
	struct ob_stream *stream = NULL;
	struct ob_error err = {.text = ""};
	int rc;
	do {
		struct pollfd ready = {.fd = want->fd,
				       .events =
					   (short)((want->events & OB_READABLE ? POLLIN : 0) |
						   (want->events & OB_WRITABLE ? POLLOUT : 0))};
		assert_int_equal(poll(&ready, 1, 10000), 1);
		rc = bed->ops->finish_dial(dial, want->events, &stream, want, &err);
	} while (rc == OB_EAGAIN);
	if (rc != OB_OK) {
		fail_msg("code %d: %s", rc, err.text);
	}
	bed->ops->dial_close(dial);
	bed->ops->close(must_accept(bed, listener));
	bed->ops->close(stream);
}

/*
 * A dial is cancelled before the resolver has tried all its servers. The next dial does not start a
 * new lookup: it waits for the same answer, or gets it at once.
 */
static void a_cancelled_lookup_continues_for_the_next_dial(void **state)
{
	struct bed *bed = *state;
	struct ob_dial *dial;
	struct ob_want want;
	need_network();
	int server = silent_server();
	struct ob_listener *listener = must_listen(bed, "127.0.0.1:4242");
	assert_int_equal(dial_name(bed, "tcp://slow.test:4242", &dial, &want), OB_OK);
	struct question question = next_question(server);
	for (int i = 0; i < 10; i++) {
		bed->ops->dial_close(dial);
		assert_int_equal(dial_name(bed, "tcp://slow.test:4242", &dial, &want), OB_OK);
	}
	answer(server, &question);
	must_come_about(bed, listener, dial, &want);
	/* The same when the answer comes before the next dial. */
	assert_int_equal(dial_name(bed, "tcp://slower.test:4242", &dial, &want), OB_OK);
	question = next_question(server);
	bed->ops->dial_close(dial);
	answer(server, &question);
	do {
		assert_int_equal(dial_name(bed, "tcp://slower.test:4242", &dial, &want), OB_OK);
		struct pollfd ready = {.fd = want.fd, .events = POLLIN};
		if (poll(&ready, 1, 100) == 1) {
			break;
		}
		bed->ops->dial_close(dial);
	} while (true);
	must_come_about(bed, listener, dial, &want);
	assert_false(was_asked(server));
	bed->ops->listener_close(listener);
	close(server);
}

/* The descriptor of a cancelled dial is closed. The number may now be a socket of the resolver, but
 * is no eventfd. */
static bool is_event(int fd)
{
	char path[64], what[64] = "";
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return readlink(path, what, sizeof what - 1) > 0 && strstr(what, "[eventfd]") != NULL;
}

/* dial() returns at once, lookups beyond the threads wait in the queue, and each can be cancelled
 * at any moment. */
static void a_silent_name_server_blocks_no_dial(void **state)
{
	struct bed *bed = *state;
	struct ob_dial *dials[12];
	struct ob_want want[12];
	need_network();
	int server = silent_server();
	int64_t begin = now_ms(); /* the resolver waits 5 s for an answer */
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(dial_name(bed, "tcp://unknown.test:1", &dials[i], &want[i]),
				 OB_OK);
		assert_int_equal(want[i].events, OB_READABLE);
		assert_true(is_event(want[i].fd));
	}
	assert_true(now_ms() - begin < 5000);
	await_askers(server, THREADS);
	for (size_t i = 0; i < 12; i++) {
		struct ob_stream *stream;
		struct ob_error err = {.text = ""};
		/* No answer has come, and no lookup has failed. */
		int rc = bed->ops->finish_dial(dials[i], 0, &stream, &want[i], &err);
		if (rc != OB_EAGAIN) {
			fail_msg("code %d: %s", rc, err.text);
		}
	}
	begin = now_ms();
	for (size_t i = 0; i < 12; i++) {
		bed->ops->dial_close(dials[i]);
	}
	assert_true(now_ms() - begin < 5000);
	for (size_t i = 0; i < 12; i++) {
		assert_false(is_event(want[i].fd));
	}
	close(server);
}

/* ---- A connect to itself ---- */

static void choose_ports(const char *range)
{
	assert_true(netns_sysctl("/proc/sys/net/ipv4/ip_local_port_range", range));
}

/* With two ports in the range, a connect to one of them soon gets the same port as its source. */
static void a_connection_to_itself_is_refused(void **state)
{
	struct bed *bed = *state;
	need_network();
	choose_ports("40000 40001");
	for (int i = 0; i < 200; i++) {
		struct ob_stream *stream;
		struct ob_error err;
		const char *address = i % 2 == 0 ? "127.0.0.1:40000" : "127.0.0.1:40001";
		int rc = bed_dial(bed, address, &stream, &err);
		assert_true(rc == OB_EREFUSED || err.sys == EADDRNOTAVAIL);
	}
	choose_ports(
	    "32768 60999"); /* queries to the name server need ports, too: one per thread */
}

/* ---- Frame ---- */

static int setup(void **state)
{
	int rc = wire_begin(state, "tcp", "tcp://");
	if (rc != 0) {
		return rc;
	}
	struct wire_bed *wire = *state;
	no_network = netns_enter();
	wire->bed.dir = scratch_make();
	if (no_network == NULL &&
	    (!netns_file(wire->bed.dir, "/etc/hosts",
			 "127.0.0.1 child.test\n127.0.0.2 many.test\n127.0.0.3 many.test\n") ||
	     !netns_file(wire->bed.dir, "/etc/resolv.conf",
			 "nameserver 127.0.0.1\noptions timeout:30\n"))) {
		no_network = "files of /etc cannot be replaced here";
	}
	scratch_remove(wire->bed.dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(a_name_is_resolved_and_dialled),
	    WIRE_TEST(a_name_with_several_addresses_is_tried_at_all_of_them),
	    WIRE_TEST(a_connection_to_itself_is_refused),
	    WIRE_TEST(a_cancelled_lookup_continues_for_the_next_dial),
	    /* Its threads are still in the resolver, with descriptors of their own, when it is
	     * over: so it is the last, and nobody counts. */
	    cmocka_unit_test(a_silent_name_server_blocks_no_dial),
	};
	return cmocka_run_group_tests(tests, setup, wire_end);
}
