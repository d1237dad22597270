/* SPDX-License-Identifier: MIT */
/* The hvsock transport against a VMM that the test imitates byte by byte. */
#include "unit/transports/wire_bed.h"

#include <poll.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* One dial and the VMM's end of its connection. */
struct talk {
	const struct bed *bed;
	int listener, vmm;
	char *uri;
	struct ob_dial *dial;
	struct ob_want want;
};

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int begin_dial(struct talk *t)
{
	struct ob_dial_params params = {.size = sizeof params, .owner = UINT32_MAX};
	_Alignas(16) uint8_t memory[1024];
	struct ob_arena arena = {.next = memory, .end = memory + sizeof memory};
	struct ob_uri uri;
	assert_int_equal(t->bed->host->parse_uri(t->uri, &arena, &uri, NULL), OB_OK);
	return t->bed->ops->dial(t->bed->host, &uri, &params, &t->dial, &t->want, NULL);
}

/* The line must be exactly CONNECT, in capitals, and fit into the 32 bytes of a VMM's buffer. */
static struct talk begin_at(const struct bed *bed, int port)
{
	struct talk t = {.bed = bed};
	char line[64], wanted[33];
	int len = snprintf(wanted, sizeof wanted, "CONNECT %d\n", port);
	char *path = bed_path(bed, "v.sock");
	t.listener = listen_at(path);
	t.uri = scratch_text("hvsock://%s:%d", path, port);
	assert_int_equal(begin_dial(&t), OB_OK);
	t.vmm = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(t.vmm >= 0);
	ssize_t n = read(t.vmm, line, sizeof line);
	assert_int_equal(n, len);
	assert_memory_equal(line, wanted, (size_t)len);
	free(path);
	return t;
}

static struct talk begin(const struct bed *bed)
{
	return begin_at(bed, 52);
}

static void end(struct talk *t)
{
	t->bed->ops->dial_close(t->dial);
	close(t->vmm);
	close(t->listener);
	free(t->uri);
}

static int go_on(struct talk *t, struct ob_stream **stream, struct ob_error *err)
{
	return t->bed->ops->finish_dial(t->dial, OB_READABLE, stream, &t->want, err);
}

static void say(struct talk *t, const char *text)
{
	assert_int_equal(write(t->vmm, text, strlen(text)), strlen(text));
}

/* ---- The reply ---- */

/* After a short reply, the buffer has room for more bytes. */
static void fault_76_no_byte_after_the_reply_is_read(void **state)
{
	static const char *const replies[] = {"OK 1073741824\npayload\nOK 1\n",
					      "OK 5\npayload\nOK 1\n"};
	for (size_t i = 0; i < 2; i++) {
		struct talk t = begin(*state);
		struct ob_stream *stream = NULL;
		say(&t, replies[i]);
		assert_int_equal(go_on(&t, &stream, NULL), OB_OK);
		must_read(t.bed, stream, "payload\nOK 1\n");
		t.bed->ops->close(stream);
		end(&t);
		char *path = bed_path(*state, "v.sock");
		unlink(path);
		free(path);
	}
}

static void fault_76_a_reply_may_come_in_pieces(void **state)
{
	struct talk t = begin(*state);
	struct ob_stream *stream = NULL;
	const char *reply = "OK 4294967295\n";
	for (size_t i = 0; reply[i] != '\0'; i++) {
		char byte[2] = {reply[i], '\0'};
		assert_int_equal(go_on(&t, &stream, NULL), OB_EAGAIN);
		assert_int_equal(t.want.events, OB_READABLE);
		say(&t, byte);
		/* The bytes are consumed, so the descriptor does not stay readable while the dial
		 * waits for more. */
		struct pollfd wait = {.fd = t.want.fd, .events = POLLIN};
		assert_int_equal(poll(&wait, 1, 10000), 1);
	}
	assert_int_equal(go_on(&t, &stream, NULL), OB_OK);
	say(&t, "x");
	must_read(t.bed, stream, "x");
	t.bed->ops->close(stream);
	end(&t);
}

static void fault_77_the_request_for_any_port_is_one_short_line(void **state)
{
	static const int ports[] = {1, 65536, INT32_MAX};
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		struct talk t = begin_at(*state, ports[i]);
		char *path = bed_path(*state, "v.sock");
		unlink(path);
		free(path);
		end(&t);
	}
}

static void fault_76_77_a_reply_is_taken_strictly(void **state)
{
	static const char *const bad[] = {
	    "ok 1\n",	 "OK\n",     "OK \n", "OK 4294967296\n", "OK 1 \n",
	    "OK -1\n",	 "OK 1\r\n", "\n",    "OK  1\n",	 "HTTP/1.1 400\r\n",
	    "OK 0x10\n", "OKAY",     "OK 1a", "OK 00000000001",	 "FAIL\n"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct talk t = begin(*state);
		struct ob_stream *stream = NULL;
		struct ob_error err = {.text = ""};
		say(&t, bad[i]);
		assert_int_equal(go_on(&t, &stream, &err), OB_EPROTO);
		assert_non_null(strstr(err.text, "is not a socket of hybrid vsock"));
		end(&t);
		char *path = bed_path(*state, "v.sock");
		unlink(path);
		free(path);
	}
}

/* ---- A guest that is not ready ---- */

static void fault_76_a_close_after_connect_is_a_refusal(void **state)
{
	static const char *const before[] = {"", "OK 1"};
	for (size_t i = 0; i < 2; i++) {
		struct talk t = begin(*state);
		struct ob_stream *stream = NULL;
		struct ob_error err = {.text = ""};
		say(&t, before[i]);
		shutdown(t.vmm, SHUT_RDWR);
		assert_int_equal(go_on(&t, &stream, &err), OB_EREFUSED);
		assert_non_null(strstr(err.text, "the VMM closed the connection on CONNECT 52"));
		end(&t);
		char *path = bed_path(*state, "v.sock");
		unlink(path);
		free(path);
	}
}

static void fault_76_a_reset_is_a_refusal(void **state)
{
	struct talk t = {.bed = *state};
	struct ob_stream *stream = NULL;
	struct ob_error err = {.text = ""};
	char *path = bed_path(*state, "v.sock");
	t.listener = listen_at(path);
	t.uri = scratch_text("hvsock://%s:52", path);
	assert_int_equal(begin_dial(&t), OB_OK);
	t.vmm = accept4(t.listener, NULL, NULL, SOCK_CLOEXEC);
	close(t.vmm); /* with CONNECT unread */
	t.vmm = -1;
	assert_int_equal(go_on(&t, &stream, &err), OB_EREFUSED);
	end(&t);
	free(path);
}

static void fault_76_silence_ends_by_itself(void **state)
{
	struct talk t = begin(*state);
	struct ob_stream *stream = NULL;
	struct ob_error err = {.text = ""};
	int64_t now = t.bed->host->now_ms();
	assert_true(t.want.deadline > now + 1000 - 500 && t.want.deadline <= now + 10000);
	say(&t, "OK 1"); /* and nothing more */
	assert_int_equal(t.bed->ops->finish_dial(t.dial, 0, &stream, &t.want, &err), OB_EAGAIN);
	struct pollfd wait = {.fd = t.want.fd, .events = POLLIN};
	while (t.bed->host->now_ms() < t.want.deadline) {
		assert_int_equal(poll(&wait, 1, (int)(t.want.deadline - t.bed->host->now_ms())), 0);
	}
	assert_int_equal(t.bed->ops->finish_dial(t.dial, 0, &stream, &t.want, &err), OB_ETIMEDOUT);
	assert_non_null(strstr(err.text, "did not answer CONNECT 52"));
	end(&t);
}

static void a_missing_vmm_is_reported(void **state)
{
	struct bed *bed = *state;
	struct ob_stream *stream;
	struct ob_error err;
	char *none = scratch_text("%s/none:52", bed->dir),
	     *dead = scratch_text("%s/dead:52", bed->dir);
	char *path = bed_path(bed, "dead");
	close(listen_at(path));
	assert_int_equal(bed_dial(bed, none, &stream, &err), OB_ENOENT);
	assert_int_equal(bed_dial(bed, dead, &stream, &err), OB_EREFUSED);
	free(none);
	free(dead);
	free(path);
}

/* ---- Addresses ---- */

static void only_a_path_and_a_port_are_an_address(void **state)
{
	struct bed *bed = *state;
	static const char *const bad[] = {"/run/v.sock", "/:52", "/run/v.sock:52?a=b"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct ob_listener *listener;
		struct ob_stream *stream;
		struct ob_error err;
		assert_int_equal(
		    bed_listen(bed, bad[i], (struct ob_listen_params){0}, &listener, &err),
		    OB_EINVAL);
		assert_non_null(
		    strstr(err.text, "is not of the form hvsock:///path/to/v.sock:port"));
		assert_int_equal(bed_dial(bed, bad[i], &stream, &err), OB_EINVAL);
	}
	struct ob_stream *stream;
	assert_int_equal(bed_dial(bed, "/run/v.sock:0", &stream, NULL), OB_EINVAL);
}

/* From the guest: the VMM connects to path_port. */
static void it_listens_where_the_vmm_connects(void **state)
{
	struct bed *bed = *state;
	char *address = scratch_text("%s/v%%20.sock:52", bed->dir),
	     *path = bed_path(bed, "v .sock_52");
	char text[512];
	struct stat st;
	struct ob_sink out = ob_sink_fixed(text, sizeof text - 1);
	struct ob_listener *listener = must_listen(bed, address);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(bed->ops->local_uri(listener, &out), OB_OK);
	text[out.len] = '\0';
	assert_memory_equal(text, "hvsock://", 9);
	assert_string_equal(text + 9, address);
	bed->ops->listener_close(listener);
	assert_int_not_equal(stat(path, &st), 0);
	free(address);
	free(path);
}

static void port_0_is_a_free_one(void **state)
{
	struct bed *bed = *state;
	char text[512];
	struct ob_sink out = ob_sink_fixed(text, sizeof text - 1);
	char *address = scratch_text("%s/v.sock:0", bed->dir);
	struct ob_listener *one = must_listen(bed, address), *two = must_listen(bed, address);
	assert_int_equal(bed->ops->local_uri(one, &out), OB_OK);
	text[out.len] = '\0';
	assert_true(atoi(strrchr(text, ':') + 1) >= 1024);
	bed->ops->listener_close(one);
	bed->ops->listener_close(two);
	free(address);
}

static int setup(void **state)
{
	return wire_begin(state, "hvsock", "hvsock://");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(fault_76_no_byte_after_the_reply_is_read),
	    WIRE_TEST(fault_76_a_reply_may_come_in_pieces),
	    WIRE_TEST(fault_77_the_request_for_any_port_is_one_short_line),
	    WIRE_TEST(fault_76_77_a_reply_is_taken_strictly),
	    WIRE_TEST(fault_76_a_close_after_connect_is_a_refusal),
	    WIRE_TEST(fault_76_a_reset_is_a_refusal),
	    WIRE_TEST(fault_76_silence_ends_by_itself),
	    WIRE_TEST(a_missing_vmm_is_reported),
	    WIRE_TEST(only_a_path_and_a_port_are_an_address),
	    WIRE_TEST(it_listens_where_the_vmm_connects),
	    WIRE_TEST(port_0_is_a_free_one),
	};
	return cmocka_run_group_tests(tests, setup, wire_end);
}
