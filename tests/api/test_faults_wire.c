/* SPDX-License-Identifier: MIT */
/*
 * A real child that receives bytes that no honest peer sends, or in a hostile way: rows 23 to
 * 26, 31, 32 and 38. peercred accepts a connection without an exchange, so that the test can
 * write MessagePack-RPC by hand; what is logged about strangers is tested with a token that they
 * do not have.
 */
#include "support/clock.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "support/peer.h"
#include "support/scratch.h"

enum { MESSAGE_MAX = 4 << 20, SMALL = 64 };

static const char *const by_peercred[] = {"peercred", NULL};

struct bed {
	struct family f;
	char *path; /* of the socket of the child */
	int32_t pid;
	int fds; /* of the child, including the connection of the connector */
};

static void begin(struct bed *bed, const char *const *auth, const char *argument)
{
	struct ob_error err = {0};
	family_begin(&bed->f, OB_RUNTIME_INLINE, argument, NULL);
	bed->f.options.auth = auth;
	family_connector(&bed->f);
	if (ob_connector_start(bed->f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
	bed->path = family_path(&bed->f, "rpc.sock");
	bed->pid = ob_connector_pid(bed->f.connector);
	bed->fds = peer_open_fds(bed->pid);
}

static bool has_freed_all(void *user)
{
	const struct bed *bed = user;
	return peer_open_fds(bed->pid) == bed->fds;
}

/* Afterwards: the same child answers, and has nothing left of the strangers. */
static void end(struct bed *bed)
{
	int64_t n = 0;
	family_until(&bed->f, has_freed_all, bed);
	assert_true(ob_get_int(family_call(&bed->f, "echo", "[i]", 42), &n));
	assert_int_equal(n, 42);
	assert_int_equal(ob_connector_pid(bed->f.connector), bed->pid);
	assert_int_equal(family_count(&bed->f, OB_EVENT_EXITED), 0);
	free(bed->path);
	family_end(&bed->f);
}

/* ---- Small pieces ---- */

static void fault_23_a_byte_at_a_time(void **state)
{
	static const uint8_t seven[] = {0x91, 0x07}, reply[] = {0x94, 0x01, 0x05, 0xc0, 0x07};
	uint8_t request[SMALL], got[sizeof reply];
	struct bed bed;
	(void)state;
	begin(&bed, by_peercred, NULL);
	int fd = peer_dial(bed.path);
	size_t len = peer_request(request, 5, "act.echo", seven, sizeof seven);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < len; i++) {
			assert_true(peer_send(fd, request + i, 1));
			ob_runtime_run(bed.f.runtime, 0);
		}
		for (size_t i = 0; i < sizeof got; i++) {
			assert_true(peer_read(fd, got + i, 1));
		}
		assert_memory_equal(got, reply, sizeof reply);
	}
	close(fd);
	end(&bed);
}

/* A proxy for one connection: passes chunk bytes at a time, and closes both ends after `cut`
 * bytes. */
struct proxy {
	char *from, *to;
	int listener;
	size_t chunk, cut, passed;
	pthread_t thread;
};

static bool pass(struct proxy *p, int from, int to)
{
	uint8_t piece[4096];
	size_t most = p->chunk < p->cut - p->passed ? p->chunk : p->cut - p->passed;
	ssize_t n = recv(from, piece, most, 0);
	if (n <= 0 || !peer_send(to, piece, (size_t)n)) {
		return false;
	}
	p->passed += (size_t)n;
	return p->passed < p->cut;
}

static void *run_proxy(void *user)
{
	struct proxy *p = user;
	int a = accept(p->listener, NULL, NULL), b = peer_dial(p->to);
	struct pollfd fds[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
	bool on = p->cut > 0;
	while (on && poll(fds, 2, PEER_WAIT_MS) > 0) {
		on = (fds[0].revents == 0 || pass(p, a, b)) &&
		     (fds[1].revents == 0 || !on || pass(p, b, a));
	}
	close(a);
	close(b);
	return NULL;
}

static void open_proxy(struct proxy *p, const struct bed *bed)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	*p = (struct proxy){.to = bed->path, .from = scratch_text("%s/proxy.sock", bed->f.scratch)};
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", p->from);
	assert_int_equal(bind(p->listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(p->listener, 4), 0);
}

static void close_proxy(struct proxy *p)
{
	close(p->listener);
	free(p->from);
}

/* Connect through the proxy, authenticate, call. Returns the first code other than OK. */
static int talk(struct bed *bed, struct proxy *p, struct ob_error *err)
{
	char *address = scratch_text("unix://%s", p->from);
	struct ob_client_options options = {
	    .size = sizeof options, .address = address, .token = bed->f.tokens[0]};
	ob_client *client = NULL;
	ob_reply *reply = NULL;
	int64_t n = 0;
	p->passed = 0;
	assert_int_equal(pthread_create(&p->thread, NULL, run_proxy, p), 0);
	int r = ob_client_connect(bed->f.runtime, &options, NULL, &client, err);
	if (r == OB_OK) {
		assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
		r = ob_client_callf(client, 5000, reply, err, "act.echo", "[i]", 77);
		assert_true(r < 0 || (ob_get_int(ob_reply_value(reply), &n) && n == 77));
		ob_reply_free(reply);
		ob_client_free(client);
	}
	pthread_join(p->thread, NULL);
	free(address);
	return r;
}

static void fault_23_a_session_through_a_proxy_that_chops(void **state)
{
	struct ob_error err = {0};
	struct bed bed;
	struct proxy p;
	(void)state;
	begin(&bed, NULL, NULL);
	open_proxy(&p, &bed);
	p.cut = SIZE_MAX;
	for (p.chunk = 1; p.chunk < 8; p.chunk++) {
		assert_int_equal(talk(&bed, &p, &err), OB_OK);
	}
	close_proxy(&p);
	end(&bed);
}

static void fault_24_a_session_cut_at_every_byte(void **state)
{
	struct ob_error err = {0};
	struct bed bed;
	struct proxy p;
	size_t cuts = 0;
	int r = OB_ECONNLOST;
	(void)state;
	begin(&bed, NULL, NULL);
	open_proxy(&p, &bed);
	p.chunk = 4096;
	for (p.cut = 0; r != OB_OK; p.cut++, cuts++) {
		r = talk(&bed, &p, &err);
		/* It fails with a reason, and does not wait for a timeout. */
		assert_true(r == OB_OK || (r != OB_ETIMEDOUT && err.text[0] != '\0'));
	}
	print_message("  %zu cuts\n", cuts);
	assert_true(cuts > 100);
	close_proxy(&p);
	end(&bed);
}

/* ---- Garbage ---- */

static uint32_t count_lines(const struct family *f, const char *text)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < f->line_count; i++) {
		n += strstr(f->lines[i], text) != NULL;
	}
	return n;
}

static void send_garbage(const struct bed *bed, unsigned seed)
{
	static const char *const greetings[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
						"SSH-2.0-x\r\n", "\xc1\xc1\xc1\xc1",
						"\x16\x03\x01\x02", "{\"jsonrpc\":\"2.0\"}\n"};
	const char *text = greetings[seed % 5];
	int fd = peer_dial(bed->path);
	(void)peer_send(fd, text, strlen(text));
	assert_true(peer_is_refused(fd));
	close(fd);
}

static void fault_25_garbage_is_cut_off_and_logged_once_a_second(void **state)
{
	struct bed bed;
	(void)state;
	begin(&bed, NULL, NULL);
	int64_t start = now_ms();
	for (unsigned i = 0; i < 200; i++) {
		send_garbage(&bed, i);
	}
	/* The number that were not logged is logged with the next one. */
	for (unsigned i = 0;
	     count_lines(&bed.f, "\"suppressed\":") - count_lines(&bed.f, "\"suppressed\":0") == 0;
	     i++) {
		assert_true(now_ms() - start < FAMILY_WAIT_MS);
		send_garbage(&bed, i);
		ob_runtime_run(bed.f.runtime, 0);
	}
	uint32_t told = count_lines(&bed.f, "a connection was refused");
	assert_true(told >= 2 && told <= 2 + (now_ms() - start) / 1000);
	end(&bed);
}

/* The head of a request whose only parameter is a binary of that length. */
static size_t announce(uint8_t *to, uint32_t len)
{
	const uint8_t params[] = {
	    0x91,	 0xc6, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
	    (uint8_t)len};
	return peer_request(to, 1, "act.echo", params, sizeof params);
}

static void must_refuse_length(const struct bed *bed, uint32_t len)
{
	uint8_t head[SMALL];
	int fd = peer_dial(bed->path);
	assert_true(peer_send(fd, head, announce(head, len)));
	assert_true(peer_is_refused(fd));
	close(fd);
}

static void must_take_length(const struct bed *bed, uint32_t len)
{
	static uint8_t data[MESSAGE_MAX], reply[MESSAGE_MAX];
	uint8_t head[SMALL];
	size_t head_len = announce(head, len), reply_head = len == 0 ? 6 : 9;
	int fd = peer_dial(bed->path);
	memset(data, 0x5a, sizeof data);
	assert_true(peer_send(fd, head, head_len) && peer_send(fd, data, len));
	assert_true(peer_read(fd, reply, reply_head + len));
	assert_memory_equal(reply + reply_head, data, len);
	close(fd);
}

static void fault_26_announced_lengths(void **state)
{
	struct bed bed;
	uint8_t head[SMALL];
	(void)state;
	begin(&bed, by_peercred, NULL);
	uint32_t most = MESSAGE_MAX - (uint32_t)announce(head, 0);
	must_take_length(&bed, 0);
	must_take_length(&bed, most);
	must_refuse_length(&bed, most + 1);
	must_refuse_length(&bed, INT32_MAX);
	must_refuse_length(&bed, UINT32_MAX);
	end(&bed);
}

static void fault_26_strangers_may_announce_4_kib(void **state)
{
	struct bed bed;
	(void)state;
	begin(&bed, NULL, NULL);
	must_refuse_length(&bed, 4096);
	must_refuse_length(&bed, INT32_MAX);
	end(&bed);
}

/* ---- Slow peers ---- */

static void fault_32_the_deadline_of_authentication_is_absolute(void **state)
{
	struct bed bed;
	uint8_t request[SMALL + 256] = {0};
	uint8_t params[210] = {0x92, 0xa5, 't', 'o', 'k', 'e', 'n', 0xc4, 200};
	(void)state;
	begin(&bed, NULL, "auth_timeout=400");
	size_t len = peer_request(request, 1, "outboard.auth", params, sizeof params), sent = 0;
	int fd = peer_dial(bed.path);
	int64_t start = now_ms();
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	/* A byte from time to time, for as long as it listens. */
	while (sent < len && poll(&wait, 1, 20) == 0 && peer_send(fd, request + sent, 1)) {
		sent++;
	}
	assert_true(sent < len);
	assert_true(now_ms() - start >= 300);
	assert_true(peer_is_refused(fd));
	close(fd);
	/* The same for a silent peer. */
	fd = peer_dial(bed.path);
	assert_true(peer_is_refused(fd));
	close(fd);
	end(&bed);
}

/* ---- Peers that do not read ---- */

static void fault_31_a_peer_that_does_not_read_is_cut_off(void **state)
{
	static uint8_t params[60000 + 4] = {0x91, 0xc5, 60000 >> 8, 60000 & 0xff}, request[61000];
	static const uint8_t none[] = {0x91, 0xc0};
	struct bed bed;
	int64_t n;
	bool open = true;
	(void)state;
	begin(&bed, by_peercred, "queue=262144");
	int fd = peer_dial(bed.path);
	size_t len = peer_request(request, 1, "act.echo", params, sizeof params);
	for (int i = 0; i < 20 && open; i++) {
		open = peer_send(fd, request, len); /* it reads while its writing is blocked */
	}
	/* Other connections are not affected. */
	assert_true(ob_get_int(family_call(&bed.f, "echo", "[i]", 1), &n));
	len = peer_request(request, 2, "act.echo", none, sizeof none);
	for (int64_t deadline = now_ms() + FAMILY_WAIT_MS; open;) {
		assert_true(now_ms() < deadline);
		open = peer_send(fd, request, len);
	}
	assert_true(ob_get_int(family_call(&bed.f, "echo", "[i]", 2), &n));
	close(fd);
	end(&bed);
}

static void fault_38_a_hundred_connections_end_with_data_in_flight(void **state)
{
	static uint8_t params[1000 + 4] = {0x91, 0xc5, 1000 >> 8, 1000 & 0xff}, request[1100];
	struct bed bed;
	(void)state;
	begin(&bed, by_peercred, NULL);
	size_t len = peer_request(request, 1, "act.echo", params, sizeof params);
	for (int i = 0; i < 100; i++) {
		int fd = peer_dial(bed.path);
		for (int k = 0; k < 20; k++) {
			assert_true(peer_send(fd, request, len));
		}
		if (i % 2 == 0) {
			/* Some replies stay unread: this causes a reset, where the others see an
			 * end of file. */
			uint8_t one;
			assert_true(peer_read(fd, &one, 1));
		}
		close(fd);
	}
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_23_a_byte_at_a_time),
	    cmocka_unit_test(fault_23_a_session_through_a_proxy_that_chops),
	    cmocka_unit_test(fault_24_a_session_cut_at_every_byte),
	    cmocka_unit_test(fault_25_garbage_is_cut_off_and_logged_once_a_second),
	    cmocka_unit_test(fault_26_announced_lengths),
	    cmocka_unit_test(fault_26_strangers_may_announce_4_kib),
	    cmocka_unit_test(fault_31_a_peer_that_does_not_read_is_cut_off),
	    cmocka_unit_test(fault_32_the_deadline_of_authentication_is_absolute),
	    cmocka_unit_test(fault_38_a_hundred_connections_end_with_data_in_flight),
	};
	return cmocka_run_group_tests_name("the wire", tests, NULL, NULL);
}
