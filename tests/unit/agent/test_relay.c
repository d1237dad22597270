/* SPDX-License-Identifier: MIT */
/* Byte streams through an agent: what one end sends arrives at the other, whole and in order, and
 * so does its end. */
#include "unit/agent/relay_bed.h"

enum { SMALL = 64, TIMES = 100, BIG = 8 << 20, TUNNELS = 200, AT_ONCE = 20 };

static void fill(uint8_t *to, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++) {
		to[i] = (uint8_t)((from + i) * 31 + (from + i) / 251);
	}
}

static void expect_filled(const uint8_t *got, size_t len, size_t from)
{
	static uint8_t wanted[RELAY_CHUNK];
	assert_true(len <= sizeof wanted);
	fill(wanted, len, from);
	assert_memory_equal(got, wanted, len);
}

/* Run a test for each way to reach the agent. */
static void each_way(void (*test)(struct relay_bed *b))
{
	for (size_t i = 0; i < RELAY_WAYS; i++) {
		struct relay_bed b;
		relay_begin(&b, &relay_ways[i]);
		test(&b);
		relay_end(&b);
	}
}

/* ---- Bytes ---- */

static void echo_small(struct relay_bed *b)
{
	int child;
	uint8_t out[SMALL], in[SMALL];
	struct ob_stream *host = relay_pair(b, &child);
	for (size_t i = 0; i < TIMES; i++) {
		fill(out, sizeof out, i);
		assert_int_equal(relay_try_host(host, out, sizeof out), sizeof out);
		assert_int_equal(relay_read_child(child, in, sizeof in), sizeof in);
		assert_memory_equal(in, out, sizeof in);
		assert_int_equal(relay_try_child(child, in, sizeof in), sizeof in);
		assert_int_equal(relay_read_host(host, in, sizeof in), sizeof in);
		assert_memory_equal(in, out, sizeof in);
	}
	close(child);
	assert_int_equal(relay_read_host(host, in, sizeof in), 0);
	obi_via_transport()->close(host);
}

static void small_messages_go_both_ways(void **state)
{
	(void)state;
	each_way(echo_small);
}

/* Write until everything on the way is full. */
static size_t stuff_host(struct ob_stream *host, size_t from, size_t most)
{
	uint8_t out[RELAY_CHUNK];
	size_t done = from;
	ptrdiff_t n = 1;
	while (n > 0 && done < most) {
		size_t len = most - done < sizeof out ? most - done : sizeof out;
		fill(out, len, done);
		n = relay_try_host(host, out, len);
		done += n > 0 ? (size_t)n : 0;
	}
	assert_true(n > 0 || n == OB_EAGAIN);
	return done;
}

static size_t stuff_child(int child, size_t from, size_t most)
{
	uint8_t out[RELAY_CHUNK];
	size_t done = from;
	ptrdiff_t n = 1;
	while (n > 0 && done < most) {
		size_t len = most - done < sizeof out ? most - done : sizeof out;
		fill(out, len, done);
		n = relay_try_child(child, out, len);
		done += n > 0 ? (size_t)n : 0;
	}
	assert_true(n > 0 || errno == EAGAIN);
	return done;
}

/* The reader begins when the writer is stuck, and reads little at a time. */
static void bulk_to_child(struct relay_bed *b)
{
	int child;
	uint8_t in[RELAY_CHUNK];
	struct ob_stream *host = relay_pair(b, &child);
	size_t sent = 0, got = 0;
	while (got < BIG) {
		sent = sent < BIG ? stuff_host(host, sent, BIG) : sent;
		ptrdiff_t n = relay_read_child(child, in, 10000);
		assert_true(n > 0);
		expect_filled(in, (size_t)n, got);
		got += (size_t)n;
	}
	close(child);
	obi_via_transport()->close(host);
}

static void a_slow_child_gets_all(void **state)
{
	(void)state;
	each_way(bulk_to_child);
}

static void bulk_to_host(struct relay_bed *b)
{
	int child;
	uint8_t in[RELAY_CHUNK];
	struct ob_stream *host = relay_pair(b, &child);
	size_t sent = 0, got = 0;
	while (got < BIG) {
		sent = sent < BIG ? stuff_child(child, sent, BIG) : sent;
		ptrdiff_t n = relay_read_host(host, in, 10000);
		assert_true(n > 0);
		expect_filled(in, (size_t)n, got);
		got += (size_t)n;
	}
	close(child);
	obi_via_transport()->close(host);
}

static void a_slow_host_gets_all(void **state)
{
	(void)state;
	each_way(bulk_to_host);
}

/* ---- Ends ---- */

static void half_closes(struct relay_bed *b)
{
	int child;
	char in[8];
	struct ob_stream *host = relay_pair(b, &child);
	assert_int_equal(relay_try_host(host, "ask", 3), 3);
	relay_finish_host(host);
	assert_int_equal(relay_read_child(child, in, sizeof in), 3);
	assert_int_equal(relay_read_child(child, in, sizeof in), 0);
	assert_int_equal(relay_try_child(child, "answer", 6), 6);
	assert_int_equal(relay_read_host(host, in, sizeof in), 6);
	close(child);
	assert_int_equal(relay_read_host(host, in, sizeof in), 0);
	obi_via_transport()->close(host);

	host = relay_pair(b, &child);
	assert_int_equal(relay_try_child(child, "told", 4), 4);
	assert_int_equal(shutdown(child, SHUT_WR), 0);
	assert_int_equal(relay_read_host(host, in, sizeof in), 4);
	assert_int_equal(relay_read_host(host, in, sizeof in), 0);
	assert_int_equal(relay_try_host(host, "after", 5), 5);
	assert_int_equal(relay_read_child(child, in, sizeof in), 5);
	obi_via_transport()->close(host);
	assert_int_equal(relay_read_child(child, in, sizeof in), 0);
	close(child);
}

static void each_way_ends_by_itself(void **state)
{
	(void)state;
	each_way(half_closes);
}

/* Who is gone has sent all that was taken from it. */
static void nothing_is_lost(struct relay_bed *b)
{
	int child;
	uint8_t in[RELAY_CHUNK];
	ptrdiff_t n;
	size_t got = 0;
	struct ob_stream *host = relay_pair(b, &child);
	size_t sent = stuff_child(child, 0, BIG);
	close(child);
	while ((n = relay_read_host(host, in, sizeof in)) > 0) {
		expect_filled(in, (size_t)n, got);
		got += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(got, sent);
	obi_via_transport()->close(host);

	host = relay_pair(b, &child);
	sent = stuff_host(host, 0, BIG);
	got = 0;
	obi_via_transport()->close(host);
	while ((n = relay_read_child(child, in, sizeof in)) > 0) {
		expect_filled(in, (size_t)n, got);
		got += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_true(got >= sent); /* tls may have sent some that it has not reported */
	close(child);
}

static void an_end_comes_behind_all_bytes(void **state)
{
	(void)state;
	each_way(nothing_is_lost);
}

/* A socket that is closed with bytes that nobody has read is reset. */
static void child_dies(struct relay_bed *b)
{
	int child;
	char in[8];
	struct ob_stream *host = relay_pair(b, &child);
	assert_int_equal(relay_try_host(host, "unread", 6), 6);
	struct ob_want want = {.fd = child, .events = OB_READABLE, .deadline = -1};
	(void)relay_heed(&want);
	close(child);
	ptrdiff_t n = relay_read_host(host, in, sizeof in);
	assert_true(b->way->sealed ? n == OB_ECONNLOST : n == 0 || n == OB_ECONNLOST);
	obi_via_transport()->close(host);
}

static void a_reset_of_the_child_is_no_end(void **state)
{
	(void)state;
	each_way(child_dies);
}

static void agent_dies(struct relay_bed *b)
{
	int child;
	char in[8];
	struct ob_stream *host = relay_pair(b, &child);
	program_kill(&b->agent, SIGKILL);
	(void)program_end(&b->agent);
	b->agent.pid = 0;
	ptrdiff_t n = relay_read_host(host, in, sizeof in);
	assert_true(b->way->sealed ? n == OB_ECONNLOST : n == 0 || n == OB_ECONNLOST);
	assert_int_equal(relay_read_child(child, in, sizeof in), 0);
	obi_via_transport()->close(host);
	close(child);
}

static void the_death_of_the_agent_is_a_cut(void **state)
{
	(void)state;
	each_way(agent_dies);
}

static void agent_ends(struct relay_bed *b)
{
	int child;
	char in[8];
	struct ob_stream *host = relay_pair(b, &child);
	program_kill(&b->agent, SIGTERM);
	assert_int_equal(program_end(&b->agent), 0);
	b->agent.pid = 0;
	ptrdiff_t n = relay_read_host(host, in, sizeof in);
	assert_true(b->way->sealed ? n == OB_ECONNLOST : n == 0 || n == OB_ECONNLOST);
	assert_int_equal(relay_read_child(child, in, sizeof in), 0);
	obi_via_transport()->close(host);
	close(child);
}

static void an_agent_that_stops_ends_its_relays(void **state)
{
	(void)state;
	each_way(agent_ends);
}

/* ---- Refusals ---- */

static void expect_refusal(const struct relay_bed *b, const char *why)
{
	struct ob_error err = {.text = ""};
	struct ob_stream *stream;
	assert_int_equal(relay_open(b, &stream, &err), OB_EREFUSED);
	if (strncmp(err.text, "agent guest1: ", 14) != 0 || strstr(err.text, why) == NULL) {
		fail_msg("\"%s\" is not in: %s", why, err.text);
	}
}

static void refusals(struct relay_bed *b)
{
	char *link = scratch_text("%s/link", b->dir), *file = scratch_text("%s/file", b->dir),
	     *kv = scratch_text("%s/kv", b->dir);
	assert_int_equal(symlink(kv, link), 0);
	scratch_write(file, "", 0, 0600);
	b->via.child = "nobody";
	expect_refusal(b, "unknown child");
	b->via.child = "absent";
	expect_refusal(b, "absent: ");
	b->via.child = "link";
	expect_refusal(b, "link: ");
	b->via.child = "file";
	expect_refusal(b, "file: ");
	b->via.child = "kv";
	b->via.host_id = "another";
	expect_refusal(b, "taken over by another");
	b->via.host_id = RELAY_HOST;
	free(link);
	free(file);
	free(kv);
}

static void an_agent_may_refuse(void **state)
{
	(void)state;
	each_way(refusals);
}

static void wrong_token(struct relay_bed *b)
{
	b->endpoint.secret[0] ^= 1;
	expect_refusal(b, "");
	b->endpoint.secret[0] ^= 1; /* it was renewed: the next dial takes it */
	int child;
	struct ob_stream *host = relay_pair(b, &child);
	obi_via_transport()->close(host);
	close(child);
}

static void the_agent_asks_for_its_own_token(void **state)
{
	(void)state;
	each_way(wrong_token);
}

/* ---- Many ---- */

/* Both descriptors of a relay are closed before its child sees the end. */
static void close_pair(struct ob_stream *host, int child)
{
	char in[8];
	obi_via_transport()->close(host);
	assert_int_equal(relay_read_child(child, in, sizeof in), 0);
	close(child);
}

static void many(struct relay_bed *b)
{
	struct ob_stream *hosts[AT_ONCE];
	int children[AT_ONCE], fds = scratch_open_fds();
	for (int i = 0; i < TUNNELS / AT_ONCE; i++) {
		for (int k = 0; k < AT_ONCE; k++) {
			hosts[k] = relay_pair(b, &children[k]);
		}
		for (int k = 0; k < AT_ONCE; k++) {
			close_pair(hosts[k], children[k]);
		}
	}
	assert_int_equal(scratch_open_fds(), fds);
	assert_int_equal(relay_count_fds(b->agent.pid), b->agent_fds);
}

static void no_descriptor_is_left(void **state)
{
	(void)state;
	each_way(many);
}

/* ---- The connection before ---- */

static void on_waited(void *user, int code, const struct ob_value *value,
		      const struct ob_error *err)
{
	struct ob_bytes text;
	(void)err;
	(void)err;
	*(bool *)user = code == OB_OK && ob_get_string(value, &text) && ob_bytes_is(text, "freed");
}

/* It is refused where something else goes on, and the connection goes on as before. */
static void busy(struct relay_bed *b)
{
	const char *const auth[] = {b->way->auth, NULL};
	const struct ob_client_options options = {.size = sizeof options,
						  .address = b->uri,
						  .auth = auth,
						  .token = RELAY_TOKEN,
						  .settings = b->settings};
	struct ob_error err = {.text = ""};
	ob_client *client;
	bool waited = false;
	assert_int_equal(ob_client_connect(b->rt, &options, NULL, &client, &err), OB_OK);
	assert_int_equal(ob_client_call_async(client, "outboard-agent.wait", NULL, RELAY_WAIT_MS,
					      on_waited, &waited, NULL, &err),
			 OB_OK);
	assert_int_equal(ob_client_callf(client, RELAY_WAIT_MS, NULL, &err,
					 "outboard-agent.connect", "{s:s,s:s}", "host", RELAY_HOST,
					 "name", "kv"),
			 OB_EREMOTE);
	assert_int_equal(err.remote_code, OB_RPC_INVALID_REQUEST);
	for (int i = 0; i < TIMES && !waited; i++) {
		assert_int_equal(
		    ob_client_callf(client, RELAY_WAIT_MS, NULL, &err, "outboard-agent.free", "[]"),
		    OB_OK);
	}
	assert_true(waited);
	assert_int_equal(ob_client_callf(client, RELAY_WAIT_MS, NULL, &err,
					 "outboard-agent.connect", "{s:s,s:s}", "host", RELAY_HOST,
					 "name", "absent"),
			 OB_EREMOTE);
	assert_int_equal(err.remote_code, -32012);
	assert_int_equal(
	    ob_client_callf(client, RELAY_WAIT_MS, NULL, &err, "outboard-agent.free", "[]"), OB_OK);
	ob_client_free(client);
}

static void a_refused_connection_goes_on(void **state)
{
	(void)state;
	each_way(busy);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(small_messages_go_both_ways),
	    cmocka_unit_test(a_slow_child_gets_all),
	    cmocka_unit_test(a_slow_host_gets_all),
	    cmocka_unit_test(each_way_ends_by_itself),
	    cmocka_unit_test(an_end_comes_behind_all_bytes),
	    cmocka_unit_test(a_reset_of_the_child_is_no_end),
	    cmocka_unit_test(the_death_of_the_agent_is_a_cut),
	    cmocka_unit_test(an_agent_that_stops_ends_its_relays),
	    cmocka_unit_test(an_agent_may_refuse),
	    cmocka_unit_test(the_agent_asks_for_its_own_token),
	    cmocka_unit_test(no_descriptor_is_left),
	    cmocka_unit_test(a_refused_connection_goes_on),
	};
	if (argc == 4 && strcmp(argv[1], "agent") == 0) {
		return relay_serve(argv);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
