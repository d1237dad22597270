/* SPDX-License-Identifier: MIT */
/*
 * The life of a child over an unreliable transport, with the seeds below or the one in
 * OB_CHAOS_SEED. Delays and chopped bytes change nothing; a reset ends each call once; silence
 * is detected; a child is never restarted because of its link. The seed is in the name of each
 * test. Every connection has a thread (pthread).
 */
#include "support/clock.h"
#include "support/expect.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/life.h"
#include "support/peer.h"
#include "support/scratch.h"

struct world {
	bool far; /* tcp; otherwise unix */
	const char *codec;
	unsigned long long seed;
};

static const char *const by_token[] = {"token", NULL};

/* What the child listens on. Free it. */
static char *begin(struct family *f, const struct world *w, const char *trouble)
{
	family_begin(f, OB_RUNTIME_INLINE, NULL);
	char *listen =
	    w->far
		? scratch_text("chaos+tcp://127.0.0.1:0?seed=%llu&%s", w->seed, trouble)
		: scratch_text("chaos+unix://%s/rpc.sock?seed=%llu&%s", f->dir, w->seed, trouble);
	f->options.listen = listen;
	f->options.codec = w->codec;
	f->options.auth = by_token;
	f->options.allow_plaintext = w->far;
	return listen;
}

static void must_be_the_same(struct family *f, int32_t pid)
{
	assert_int_equal(ob_connector_pid(f->connector), pid);
	assert_int_equal(family_count(f, OB_EVENT_STARTING), 1);
	assert_int_equal(family_count(f, OB_EVENT_READY), 1);
	assert_int_equal(family_count(f, OB_EVENT_EXITED), 0);
}

/* ---- Delays and small pieces ---- */

static void fault_23_late_and_chopped_bytes_change_nothing(void **state)
{
	struct family f;
	char *listen = begin(&f, *state, "delay=0..4ms&chop=1..7&pause=1/1000:20ms");
	life_live(&f);
	free(listen);
	family_end(&f);
}

/* ---- Resets ---- */

enum { CALLS = 50, ROUNDS = 8, PATIENCE_MS = 60000 };

struct round {
	uint32_t begun, ended;
	uint32_t times[CALLS];
	uint32_t good, lost;
	int wrong; /* any other result */
};

struct seat {
	struct round *round;
	uint32_t number;
};

static void on_ended(void *user, int result, const struct ob_value *value,
		     const struct ob_error *err)
{
	struct seat *seat = user;
	struct round *r = seat->round;
	int64_t n = -1;
	(void)err;
	r->times[seat->number]++;
	r->ended++;
	r->good += result == OB_OK && ob_get_int(value, &n) && n == seat->number;
	r->lost += result == OB_ECONNLOST;
	r->wrong = result == OB_OK || result == OB_ECONNLOST ? r->wrong : result;
}

static bool all_ended(void *user)
{
	const struct round *r = user;
	return r->ended >= r->begun;
}

static void call_many(struct family *f, struct round *r, struct seat seats[CALLS])
{
	for (uint32_t i = 0; i < CALLS; i++) {
		struct ob_value items[1] = {ob_int(i)}, params = ob_array(items, 1);
		struct ob_error err = {.text = ""};
		seats[i] = (struct seat){r, i};
		int rc = ob_client_call_async(ob_connector_client(f->connector), "act.echo",
					      &params, 0, on_ended, &seats[i], NULL, &err);
		if (rc != OB_OK) {
			expect(rc, OB_EDOWN, &err, NULL);
			break;
		}
		r->begun++;
	}
}

/* Each call ends once: with its answer, or with the end of the connection. */
static void check_round(const struct round *r)
{
	assert_int_equal(r->wrong, OB_OK);
	assert_int_equal(r->good + r->lost, r->begun);
	for (uint32_t i = 0; i < r->begun; i++) {
		assert_int_equal(r->times[i], 1);
	}
}

static void fault_24_a_reset_ends_each_call_once(void **state)
{
	struct family f;
	char *listen = begin(&f, *state, "delay=0..1ms&chop=1..100&reset=1/4000");
	uint32_t good = 0, broken = 0;
	int64_t end = now_ms() + PATIENCE_MS;
	family_launch(&f);
	int32_t pid = ob_connector_pid(f.connector);
	while (good < CALLS || broken < ROUNDS) {
		struct round r = {0};
		struct seat seats[CALLS];
		assert_true(now_ms() < end);
		family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
		call_many(&f, &r, seats);
		family_until(&f, all_ended, &r);
		check_round(&r);
		good += r.good;
		broken += r.lost > 0;
	}
	must_be_the_same(&f, pid);
	assert_int_equal(family_count(&f, OB_EVENT_UNRESPONSIVE), 0);
	free(listen);
	family_end(&f);
}

/* A session of one client that breaks after so many bytes in one direction. */
static int talk(struct family *f, const char *address, struct ob_error *err)
{
	struct ob_client_options options = {.size = sizeof options,
					    .address = address,
					    .token = f->tokens[0],
					    .auth = by_token,
					    .codec = f->options.codec,
					    .allow_plaintext = true};
	ob_client *client = NULL;
	ob_reply *reply = NULL;
	int64_t n = 0;
	int r = ob_client_connect(f->runtime, &options, NULL, &client, err);
	if (r == OB_OK) {
		assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
		r = ob_client_callf(client, 0, reply, err, "act.echo", "[i]", 77);
		assert_true(r < 0 || (ob_get_int(ob_reply_value(reply), &n) && n == 77));
		ob_reply_free(reply);
		ob_client_free(client);
	}
	return r;
}

/* Each byte in turn is the last one: the client gets an error, and does not wait for a timeout.
 * Returns the number of bytes. */
static unsigned cut_everywhere(struct family *f, const char *address, const char *way)
{
	int r = OB_ECONNLOST;
	unsigned cut = 0;
	for (; r != OB_OK; cut++) {
		struct ob_error err = {.text = ""};
		char *broken = scratch_text("chaos+%s?reset=@%u&way=%s", address, cut, way);
		r = talk(f, broken, &err);
		if (r != OB_OK && (r == OB_ETIMEDOUT || strstr(err.text, "chaos: ") == NULL)) {
			fail_msg("%s: %s: %s", broken, ob_result_name(r), err.text);
		}
		free(broken);
	}
	return cut - 1;
}

struct freed {
	int32_t pid;
	int fds;
};

static bool has_freed_all(void *user)
{
	const struct freed *freed = user;
	return peer_open_fds(freed->pid) == freed->fds;
}

static void cut_a_session(const char *listen, const char *codec)
{
	struct family f;
	struct ob_error err = {.text = ""};
	struct ob_config config = {.size = sizeof config};
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	f.options.listen = listen;
	f.options.codec = codec;
	f.options.auth = by_token;
	f.options.allow_plaintext = true;
	family_launch(&f);
	struct freed freed = {ob_connector_pid(f.connector),
			      peer_open_fds(ob_connector_pid(f.connector))};
	char *path = family_path(&f, "outboard.json");
	expect(ob_config_read(path, &config, &err), OB_OK, &err, NULL);
	unsigned out = cut_everywhere(&f, config.rpc_addr, "out"),
		 in = cut_everywhere(&f, config.rpc_addr, "in");
	print_message("  %u bytes out, %u in\n", out, in);
	assert_true(out > 100 && in > 50);
	family_until(&f, has_freed_all, &freed);
	must_be_the_same(&f, freed.pid);
	(void)family_call(&f, "echo", "[i]", 1);
	ob_config_clear(&config);
	free(path);
	family_end(&f);
}

static void fault_24_a_session_reset_at_every_byte(void **state)
{
	(void)state;
	cut_a_session("tcp://127.0.0.1:0", "msgpack");
	cut_a_session("tcp://127.0.0.1:0", "json");
	cut_a_session(NULL, "msgpack");
}

/* ---- Silence ---- */

enum { BEAT_MS = 700, SLACK_MS = 3 * BEAT_MS };

/* Successive calls until one has no answer. Returns the time of the last answer. */
static int64_t call_until_silence(struct family *f)
{
	int64_t end = now_ms() + PATIENCE_MS;
	for (;;) {
		struct ob_error err = {.text = ""};
		int64_t before = now_ms();
		assert_true(before < end);
		int rc = family_try(f, PATIENCE_MS, &err, "echo", "[i]", 1);
		if (rc != OB_OK) {
			expect(rc, OB_ECONNLOST, &err, NULL);
			return before;
		}
	}
}

static void fault_37_silence_is_noticed_and_dialled_anew(void **state)
{
	struct family f;
	char *listen = begin(&f, *state, "chop=1..100&drop=1/6000&side=dialer");
	f.options.health_interval_ms = BEAT_MS;
	family_launch(&f);
	int32_t pid = ob_connector_pid(f.connector);
	for (uint32_t i = 0; i < 3; i++) {
		family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
		int64_t heard = call_until_silence(&f);
		/* At the third heartbeat at the latest, before the call's own timeout. */
		assert_true(now_ms() - heard <= 3 * BEAT_MS + SLACK_MS);
		assert_true(family_count(&f, OB_EVENT_UNRESPONSIVE) > i);
	}
	family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
	must_be_the_same(&f, pid);
	free(listen);
	family_end(&f);
}

/* ---- Policy ---- */

/* Over chaos, the policy is that of the inner transport. */
static void bearer_is_for_local_transports(void **state)
{
	static const char *const by_bearer[] = {"bearer", NULL};
	const struct world near = {false, "msgpack", 1}, far = {true, "msgpack", 1};
	struct ob_error err = {.text = ""};
	struct family f;
	(void)state;
	char *listen = begin(&f, &near, "chop=1");
	f.options.auth = by_bearer;
	family_launch(&f);
	(void)family_call(&f, "echo", "[i]", 1);
	free(listen);
	family_end(&f);
	listen = begin(&f, &far, "chop=1");
	f.options.auth = by_bearer;
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPERM, &err, NULL);
	assert_non_null(strstr(err.text, "authenticator bearer is refused on transport chaos"));
	f.options.auth = by_token;
	f.options.allow_plaintext = false;
	expect(ob_connector_new(f.runtime, &f.options, &f.connector, &err), OB_EPERM, &err, NULL);
	assert_non_null(strstr(err.text, "transport chaos without encryption is refused"));
	f.connector = NULL;
	free(listen);
	family_end(&f);
}

int main(void)
{
	static const unsigned long long seeds[] = {1, 42, 20240229};
	enum { SEEDS = 3, KINDS = 3, WIRES = 2, OTHERS = 2, ALL = SEEDS * KINDS * WIRES };
	static const struct {
		const char *name;
		CMUnitTestFunction run;
	} kinds[KINDS] = {
	    {"fault_23_late_and_chopped_bytes_change_nothing",
	     fault_23_late_and_chopped_bytes_change_nothing},
	    {"fault_24_a_reset_ends_each_call_once", fault_24_a_reset_ends_each_call_once},
	    {"fault_37_silence_is_noticed_and_dialled_anew",
	     fault_37_silence_is_noticed_and_dialled_anew},
	};
	static struct CMUnitTest tests[ALL + OTHERS] = {
	    cmocka_unit_test(bearer_is_for_local_transports),
	    cmocka_unit_test(fault_24_a_session_reset_at_every_byte)};
	static struct world worlds[ALL];
	static char names[ALL][96];
	const char *given = getenv("OB_CHAOS_SEED");
	size_t n = OTHERS;
	for (size_t i = 0; i < (given != NULL ? ALL / SEEDS : ALL); i++, n++) {
		struct world *w = &worlds[i];
		size_t kind = i % KINDS, seed = i / KINDS / WIRES;
		*w = (struct world){i / KINDS % WIRES == 1, seed == 1 ? "json" : "msgpack",
				    given != NULL ? strtoull(given, NULL, 10) : seeds[seed]};
		snprintf(names[i], sizeof names[i], "%s_%s_seed_%llu", kinds[kind].name,
			 w->far ? "tcp" : "unix", w->seed);
		tests[n] = (struct CMUnitTest){names[i], kinds[kind].run, NULL, NULL, w};
	}
	return _cmocka_run_group_tests("chaos", tests, n, NULL, NULL);
}
