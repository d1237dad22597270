/* SPDX-License-Identifier: MIT */
/* Connections over a transport with a handshake, at the acceptor's end: hello+unix of the test
 * plugins. The peer is a plain socket. */
#include "plugin/registry.h"
#include "rpc/connection.h"
#include "support/bed.h"
#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, RECORDS = 20, FLIP = 0x5a, GREETING = 21 };

static const char greeting[] = "HELO0123456789abcdef\x05peers";
static const char last_word[] = "DONE";

static struct obi_registry *registry;
static const struct obi_plugin *hello, *codec;

/* A listener, and how often something was handled on all connections so far. */
struct bench {
	struct bed bed;
	struct obi_loop *loop;
	struct ob_listener *listener;
	struct obi_handshake_setup auth; /* without a mechanism: everybody passes */
	void *settings;
	int handled;
};

/* One connection, and its peer. */
struct line {
	struct bench *bench;
	struct obi_connection *conn;
	int fd;
	bool opened, closed;
	int handled, handled_at; /* calls; the count of the bench at the first one */
	struct ob_error why;
};

static int set_up(void **state)
{
	char *path = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	const char *dirs[] = {path, scratch_env("OUTBOARD_PLUGIN_PATH"), NULL};
	(void)state;
	int r = obi_registry_new(dirs, &registry, NULL);
	free(path);
	r = r == OB_OK
		? obi_registry_transport(registry, NULL, ob_bytes_text("hello+unix"), &hello, NULL)
		: r;
	return r == OB_OK ? obi_registry_codec(registry, "msgpack", &codec, NULL) : r;
}

static int tear_down(void **state)
{
	(void)state;
	obi_registry_free(registry);
	return 0;
}

/* settings: NULL, or one key and its text. */
static void begin_with(struct bench *b, const char *key, struct ob_value value)
{
	struct ob_error err = {.text = ""};
	struct ob_pair pair = {ob_string(key), value};
	struct ob_value settings = key != NULL ? ob_map(&pair, 1) : ob_nil();
	*b = (struct bench){.bed = {.ops = &hello->as.transport,
				    .host = obi_registry_host(registry),
				    .prefix = "hello+unix://"}};
	bed_begin(&b->bed);
	b->auth = (struct obi_handshake_setup){
	    .host = b->bed.host, .codec = "msgpack", .allowed_uid = UINT32_MAX};
	assert_int_equal(obi_loop_new(NULL, 0, &b->loop, &err), OB_OK);
	assert_int_equal(hello->configure(b->bed.host, &settings, &b->settings, &err), OB_OK);
	char *path = bed_path(&b->bed, "s");
	bed_listen(&b->bed, path, (struct ob_listen_params){.state = b->settings}, &b->listener,
		   &err);
	assert_string_equal(err.text, "");
	free(path);
}

static void begin(struct bench *b)
{
	begin_with(b, NULL, ob_nil());
}

static void end(struct bench *b)
{
	b->bed.ops->listener_close(b->listener);
	obi_loop_close(b->loop);
	hello->unconfigure(b->settings);
	assert_int_equal(bed_end(&b->bed), 0);
}

/* ---- Lines ---- */

static void on_opened(void *user, struct obi_connection *conn)
{
	(void)conn;
	((struct line *)user)->opened = true;
}

static void on_closed(void *user, struct obi_connection *conn, const struct ob_error *err)
{
	struct line *line = user;
	assert_false(line->closed);
	line->closed = true;
	line->why = *err;
	obi_connection_free(conn);
	line->conn = NULL;
}

static void on_call(void *user, struct ob_call *call)
{
	struct line *line = user;
	line->handled_at = line->handled++ == 0 ? line->bench->handled : line->handled_at;
	line->bench->handled++;
	const struct ob_value nothing = ob_nil();
	obi_call_answer(call, NULL, &nothing);
}

static void connect_line(struct bench *b, struct line *line, int64_t timeout_ms)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	*line = (struct line){.bench = b};
	snprintf(to.sun_path, sizeof to.sun_path, "%s/s", b->bed.dir);
	line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(line->fd, (struct sockaddr *)&to, sizeof to), 0);
	struct obi_connection_setup setup = {
	    .loop = b->loop,
	    .host = b->bed.host,
	    .transport = b->bed.ops,
	    .codec = &codec->as.codec,
	    .auth = &b->auth,
	    .limits = obi_rpc_limits_default(),
	    .open_timeout_ms = timeout_ms,
	    .events = {.opened = on_opened, .closed = on_closed, .user = line},
	    .handler = {on_call, line},
	};
	struct ob_stream *stream = must_accept(&b->bed, b->listener);
	assert_int_equal(obi_connection_accept(&setup, stream, &line->conn, NULL), OB_OK);
}

static void hang_up(struct line *line)
{
	obi_connection_free(line->conn);
	line->conn = NULL;
	close(line->fd);
}

static void say(const struct line *line, const void *data, size_t len)
{
	assert_int_equal(send(line->fd, data, len, MSG_NOSIGNAL), len);
}

/* A record with a call: [0, 7, "a.b", []]. Returns its length. */
static size_t put_call(uint8_t *to)
{
	static const uint8_t call[] = {0x94, 0, 7, 0xa3, 'a', '.', 'b', 0x90};
	const uint8_t header[] = {'D', 0, sizeof call};
	memcpy(to, header, sizeof header);
	for (size_t i = 0; i < sizeof call; i++) {
		to[sizeof header + i] = call[i] ^ FLIP;
	}
	return sizeof header + sizeof call;
}

static void say_calls(const struct line *line, const char *before, int count)
{
	uint8_t all[1024];
	size_t len = strlen(before);
	memcpy(all, before, len);
	for (int i = 0; i < count; i++) {
		len += put_call(all + len);
	}
	say(line, all, len);
}

static void hear(const struct line *line, void *to, size_t len)
{
	assert_int_equal(recv(line->fd, to, len, MSG_WAITALL), len);
}

/* Run the loop until the flag is set. */
static void turn_until(const struct bench *b, const bool *flag)
{
	int64_t until = obi_now_ms() + PATIENCE_MS;
	while (!*flag) {
		obi_loop_turn(b->loop, true);
		assert_true(obi_now_ms() < until);
	}
}

static void turn_until_handled(const struct bench *b, int count)
{
	int64_t until = obi_now_ms() + PATIENCE_MS;
	while (b->handled < count) {
		obi_loop_turn(b->loop, true);
		assert_true(obi_now_ms() < until);
	}
}

/* ---- Progress ---- */

static void assert_progress(const struct line *line, enum obi_handshake_progress progress,
			    bool heard)
{
	obi_connection_look(line->conn);
	assert_int_equal(obi_connection_progress(line->conn), progress);
	assert_int_equal(obi_connection_has_heard(line->conn), heard);
}

/* Without a turn of the loop: that is how admission asks. */
static void every_step_counts(void **state)
{
	struct bench b;
	struct line line;
	uint8_t answer[GREETING];
	(void)state;
	begin(&b);
	connect_line(&b, &line, 0);
	assert_int_equal(obi_connection_progress(line.conn), OBI_PROGRESS_NONE);
	assert_progress(&line, OBI_PROGRESS_NONE, false);
	for (size_t i = 0; i < sizeof greeting - 2; i++) {
		say(&line, greeting + i, 1);
		assert_progress(&line, OBI_PROGRESS_TALKING, true);
	}
	say(&line, greeting + sizeof greeting - 2, 1);
	assert_progress(&line, OBI_PROGRESS_PROVEN, true);
	hear(&line, answer, sizeof answer);
	assert_memory_equal(answer, "HELO", 4);
	assert_false(obi_connection_is_open(line.conn));
	say(&line, last_word, 4);
	obi_connection_look(line.conn);
	assert_true(line.opened);
	hang_up(&line);
	end(&b);
}

/* ---- Failures ---- */

static void expect_end(struct bench *b, struct line *line, int code, const char *text)
{
	turn_until(b, &line->closed);
	assert_string_equal(line->why.text, text);
	assert_int_equal(line->why.code, code);
	assert_false(line->opened);
	hang_up(line);
	end(b);
}

static void garbage_is_refused(void **state)
{
	struct bench b;
	struct line line;
	(void)state;
	begin(&b);
	connect_line(&b, &line, PATIENCE_MS);
	say(&line, "GET / HTTP/1.1\r\n", 16);
	expect_end(&b, &line, OB_EPROTO, "handshake: hello: that is no greeting");
}

static void the_time_of_a_handshake_is_limited(void **state)
{
	static const size_t said[] = {0, 3, sizeof greeting - 1};
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bench b;
		struct line line;
		begin(&b);
		connect_line(&b, &line, 30);
		say(&line, greeting, said[i]);
		expect_end(&b, &line, OB_ETIMEDOUT, "handshake: not completed within 30 ms");
	}
}

/* Who leaves without a word is told from who leaves in the middle. */
static void a_peer_may_leave(void **state)
{
	(void)state;
	for (size_t said = 0; said < 2; said++) {
		struct bench b;
		struct line line;
		begin(&b);
		connect_line(&b, &line, PATIENCE_MS);
		say(&line, greeting, said);
		obi_connection_look(line.conn);
		assert_int_equal(obi_connection_has_heard(line.conn), said > 0);
		assert_int_equal(shutdown(line.fd, SHUT_WR), 0);
		expect_end(&b, &line, OB_EREFUSED, "handshake: hello: the peer left");
	}
}

static void faults_of_the_transport_are_told(void **state)
{
	static const struct {
		const char *key, *value, *said, *text;
	} table[] = {
	    {"step", "unknown", "", "handshake: the transport returned an unknown state"},
	    {"step", "idle", "", "handshake: the transport waits for nothing"},
	    {"binding", "none", last_word, "the transport returned no valid channel binding"},
	    {"binding", "short", last_word, "the transport returned no valid channel binding"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct bench b;
		struct line line;
		begin_with(&b, table[i].key, ob_string(table[i].value));
		connect_line(&b, &line, PATIENCE_MS);
		say(&line, greeting, sizeof greeting - 1);
		say(&line, table[i].said, strlen(table[i].said));
		expect_end(&b, &line, OB_EPLUGIN, table[i].text);
	}
}

/* ---- The end, in every phase ---- */

static void say_all(struct line *line, size_t much)
{
	static const char *const words[] = {"", "HEL", "", ""};
	if (much > 1) {
		say(line, greeting, sizeof greeting - 1);
	}
	say(line, much > 2 ? last_word : words[much], much > 2 ? 4 : strlen(words[much]));
	obi_connection_look(line->conn);
}

static void it_can_be_closed_in_every_phase(void **state)
{
	(void)state;
	for (size_t much = 0; much < 4; much++) {
		struct bench b;
		struct line line;
		begin(&b);
		connect_line(&b, &line, PATIENCE_MS);
		say_all(&line, much);
		obi_connection_close(line.conn, OB_ECANCELED, "enough");
		assert_true(line.closed);
		assert_string_equal(line.why.text, "enough");
		hang_up(&line);
		connect_line(&b, &line, PATIENCE_MS);
		obi_connection_shutdown(line.conn, PATIENCE_MS); /* before anything was read */
		assert_true(line.closed);
		hang_up(&line);
		connect_line(&b, &line, PATIENCE_MS);
		say_all(&line, much);
		hang_up(&line); /* without an event */
		assert_false(line.closed);
		end(&b);
	}
}

/* ---- Reading ---- */

static void open_line(struct bench *b, struct line *line)
{
	connect_line(b, line, PATIENCE_MS);
	say(line, greeting, sizeof greeting - 1);
	obi_connection_look(line->conn);
	say(line, last_word, 4);
	turn_until(b, &line->opened);
}

/* The last word and the calls are read at once; then the descriptor is silent. */
static void what_came_with_the_handshake_is_read(void **state)
{
	struct bench b;
	struct line line;
	(void)state;
	begin(&b);
	connect_line(&b, &line, PATIENCE_MS);
	say(&line, greeting, sizeof greeting - 1);
	obi_connection_look(line.conn);
	say_calls(&line, last_word, RECORDS);
	turn_until_handled(&b, RECORDS);
	assert_true(line.opened);
	hang_up(&line);
	end(&b);
}

/* Each has one read a turn, though one of them has all of its records in memory. */
static void nobody_is_starved(void **state)
{
	struct bench b;
	struct line busy, other;
	(void)state;
	begin(&b);
	open_line(&b, &busy);
	open_line(&b, &other);
	say_calls(&busy, "", RECORDS);
	say_calls(&other, "", 1);
	turn_until_handled(&b, RECORDS + 1);
	assert_int_equal(busy.handled, RECORDS);
	assert_int_equal(other.handled, 1);
	assert_true(other.handled_at < 4);
	hang_up(&busy);
	hang_up(&other);
	end(&b);
}

/* Nothing is read before the answer to 'P' is written, which takes a second attempt. */
static void to_read_may_need_a_write(void **state)
{
	static const uint8_t question[] = {'P', 0, 0};
	uint8_t said[GREETING + 3];
	struct bench b;
	struct line line;
	(void)state;
	begin_with(&b, "narrow", ob_bool(true));
	connect_line(&b, &line, PATIENCE_MS);
	say(&line, greeting, sizeof greeting - 1);
	say(&line, last_word, 4);
	turn_until(&b, &line.opened);
	say(&line, question, sizeof question);
	say_calls(&line, "", 1);
	turn_until_handled(&b, 1);
	hear(&line, said, sizeof said);
	assert_memory_equal(said + GREETING, "O\0\0", 3);
	hang_up(&line);
	end(&b);
}

/* ---- Shutting down ---- */

static void the_end_is_sent_when_it_can_be(void **state)
{
	uint8_t said[GREETING + 3];
	struct bench b;
	struct line line;
	(void)state;
	begin_with(&b, "end_again", ob_int(3));
	open_line(&b, &line);
	obi_connection_shutdown(line.conn, PATIENCE_MS);
	struct pollfd more = {.fd = line.fd, .events = POLLIN};
	hear(&line, said, GREETING);
	while (poll(&more, 1, 0) == 0) {
		obi_loop_turn(b.loop, true);
	}
	hear(&line, said, 3);
	assert_memory_equal(said, "E\0\0", 3);
	assert_false(line.closed);
	say(&line, "E\0\0", 3);
	turn_until(&b, &line.closed);
	assert_int_equal(line.why.code, OB_ECONNLOST);
	hang_up(&line);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_step_counts),
	    cmocka_unit_test(garbage_is_refused),
	    cmocka_unit_test(the_time_of_a_handshake_is_limited),
	    cmocka_unit_test(a_peer_may_leave),
	    cmocka_unit_test(faults_of_the_transport_are_told),
	    cmocka_unit_test(it_can_be_closed_in_every_phase),
	    cmocka_unit_test(what_came_with_the_handshake_is_read),
	    cmocka_unit_test(nobody_is_starved),
	    cmocka_unit_test(to_read_may_need_a_write),
	    cmocka_unit_test(the_end_is_sent_when_it_can_be),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
