/* SPDX-License-Identifier: MIT */
/*
 * Guessing and flooding, on real children: rows 32, 33, 34 and 42. Somebody without the token dials
 * as fast as it goes while clients with it come and go, and the parent lets go of the child and
 * takes it back. What a connect took is printed; that every one succeeds is what is asserted.
 */
#include "support/clock.h"
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/netns.h"
#include "support/peer.h"
#include "support/program.h"
#include "support/scratch.h"

enum {
	FLOOD = 5000,
	CONNECTS = 60,
	CONNECTS_LEAST = 10,
	STRANGER = 12345,
	GROWTH_KIB = 16 * 1024,
	ENOUGH_MS = 4000,
	CONNECT_MS = 60000,
	APART_MS = 5000 /* for a parent that is told from the flood: a second at most, and what a
			   busy machine takes */
};

/* A seat takes two, over unix, the second a pidfd of the peer; there is one who waits for a seat,
 * and clients that have just left. */
enum { SEATS = 64, DESCRIPTORS = 2 * SEATS + 8 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

struct bed {
	struct family f;
	struct ob_config config; /* the child's */
	const char *auth[4];
	char *open_dir; /* where others may come in */
	char *place;	/* for the flooder */
	char *bind;	/* what the child listens on */
	int32_t pid;
	int fds;
	long rss;
};

static double ms_since(int64_t begin_us)
{
	return (double)(now_us() - begin_us) / 1000;
}

/* The peak of its memory use. */
static long peak_kib(int32_t pid)
{
	char path[64], line[256];
	long kib = -1;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		(void)sscanf(line, "VmHWM: %ld", &kib);
	}
	fclose(file);
	return kib;
}

/* ---- A child that others can reach ---- */

static void read_config(struct bed *bed)
{
	struct ob_error err;
	char *path = family_path(&bed->f, "outboard.json");
	bed->config.size = sizeof bed->config;
	if (ob_config_read(path, &bed->config, &err) < 0) {
		fail_msg("%s", err.text);
	}
	free(path);
}

static void start(struct bed *bed, const char *mechanism)
{
	/* As many descriptors as the seats take, and not many more. */
	static const struct ob_rlimit limits[] = {{"nofile", DESCRIPTORS + 32, DESCRIPTORS + 32},
						  {NULL, 0, 0}};
	struct ob_error err = {0};
	bed->auth[0] = mechanism;
	bed->f.options.auth = bed->auth;
	bed->f.options.listen = bed->bind;
	bed->f.options.limits = limits;
	bed->f.options.allow_plaintext = true;
	bed->f.options.health_interval_ms = -1;
	bed->f.options.ready_timeout_ms = CONNECT_MS;
	family_connector(&bed->f);
	if (ob_connector_start(bed->f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
	bed->pid = ob_connector_pid(bed->f.connector);
	bed->fds = peer_open_fds(bed->pid);
	bed->rss = peak_kib(bed->pid);
	read_config(bed);
}

static void start_unix(struct bed *bed, const char *mechanism, const char *argument)
{
	*bed = (struct bed){0};
	family_begin(&bed->f, OB_RUNTIME_INLINE, argument, NULL);
	assert_int_equal(chmod(bed->f.scratch, 0711), 0);
	bed->open_dir = scratch_text("%s/open", bed->f.scratch);
	assert_int_equal(mkdir(bed->open_dir, 0755), 0);
	bed->bind = scratch_text("unix://%s/rpc.sock", bed->open_dir);
	bed->place = scratch_text("unix:%s/rpc.sock", bed->open_dir);
	start(bed, mechanism);
	assert_int_equal(chmod(bed->place + strlen("unix:"), 0666), 0);
}

static void start_tcp(struct bed *bed, const char *mechanism, const char *host)
{
	*bed = (struct bed){0};
	family_begin(&bed->f, OB_RUNTIME_INLINE, NULL);
	bed->bind = scratch_text("tcp://%s:0", host);
	start(bed, mechanism);
	bed->place = scratch_text("tcp:%s", bed->config.rpc_addr + strlen("tcp://"));
}

static bool has_freed_all(void *user)
{
	const struct bed *bed = user;
	return peer_open_fds(bed->pid) <= bed->fds;
}

static void end(struct bed *bed)
{
	int64_t n = 0;
	family_until(&bed->f, has_freed_all, bed);
	assert_true(ob_get_int(family_call(&bed->f, "echo", "[i]", 42), &n));
	assert_int_equal(n, 42);
	assert_int_equal(ob_connector_pid(bed->f.connector), bed->pid);
	assert_int_not_equal(bed->f.last_exit.type,
			     OB_EVENT_EXITED); /* the list of events may be full */
	ob_config_clear(&bed->config);
	free(bed->place);
	free(bed->bind);
	free(bed->open_dir);
	family_end(&bed->f);
}

/* ---- Clients ---- */

/* Connect, authenticate, and call, once. */
static int call_once(struct bed *bed, const char *token, struct ob_error *err)
{
	struct ob_client_options o = {.size = sizeof o,
				      .address = bed->config.rpc_addr,
				      .auth = bed->auth,
				      .token = token,
				      .allow_plaintext = true};
	ob_client *client;
	int r = ob_client_connect(bed->f.runtime, &o, NULL, &client, err);
	if (r < 0) {
		return r;
	}
	r = ob_client_callf(client, 0, NULL, err, "act.echo", "[i]", 1);
	ob_client_free(client);
	return r;
}

struct times {
	double ms[CONNECTS];
	int count;
	int again; /* dials that were not the first of their connect */
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void report(struct times *t, const char *what, const char *whose)
{
	qsort(t->ms, (size_t)t->count, sizeof t->ms[0], ascending);
	print_message("%-10s %-8s %4d times, %3d dialled again: p50 %.2f, p99 %.2f, most %.2f ms\n",
		      what, whose, t->count, t->again, t->ms[t->count / 2],
		      t->ms[t->count * 99 / 100], t->ms[t->count - 1]);
}

/* A client that dials anew when it is turned away, as a parent does; at last it must get in. */
static void must_connect(struct bed *bed, struct times *t)
{
	struct ob_error err = {0};
	int64_t begin = now_us();
	int r;
	while ((r = call_once(bed, bed->config.token, &err)) < 0 && ms_since(begin) < CONNECT_MS) {
		t->again++;
		program_let_pass(1);
	}
	if (r < 0) {
		fail_msg("%s", err.text);
	}
	t->ms[t->count++] = ms_since(begin);
}

/* The parent lets the child go, and comes back to it. */
static void must_come_back(struct bed *bed, struct times *t)
{
	struct ob_error err = {0};
	if (ob_connector_detach(bed->f.connector, &err) < 0) {
		fail_msg("%s", err.text);
	}
	int64_t begin = now_us();
	if (ob_connector_reconnect(bed->f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
	t->ms[t->count++] = ms_since(begin);
}

/* ---- Floods ---- */

static void open_flood(struct program *flooder, const struct bed *bed, const char *mode,
		       const char *as)
{
	char *path = scratch_text("%s/children/child-flooder", scratch_env("OB_TEST_BUILD"));
	const char *argv[] = {path, mode, bed->place, as, NULL};
	program_begin(flooder, argv, NULL);
	free(path);
	assert_non_null(program_await(flooder, "made"));
}

static void close_flood(struct program *flooder, struct bed *bed, const char *mode)
{
	char most[32];
	snprintf(most, sizeof most, "made %d", FLOOD);
	assert_non_null(program_await(flooder, most));
	close(flooder->in);
	flooder->in = -1;
	const char *done = program_await(flooder, "done");
	assert_non_null(done);
	print_message("%s: %s\n", mode, done);
	assert_int_equal(program_end(flooder), 0);
	if (!SANITIZED) {
		assert_true(peak_kib(bed->pid) - bed->rss < GROWTH_KIB);
	}
}

/*
 * Where the flood comes from somebody else than we do, nobody of ours is ever turned away; where it
 * cannot be told from us, we dial anew until we are in.
 */
static void withstand(struct bed *bed, const char *mode, const char *as)
{
	struct program flooder;
	struct times *clients = calloc(2, sizeof *clients), *parent = clients + 1;
	assert_non_null(clients);
	open_flood(&flooder, bed, mode, as);
	int64_t begin = now_us();
	for (int i = 0; i < CONNECTS && (i < CONNECTS_LEAST || ms_since(begin) < ENOUGH_MS); i++) {
		must_connect(bed, clients);
		must_come_back(bed, parent);
		assert_true(peer_open_fds(bed->pid) <= bed->fds + DESCRIPTORS);
	}
	close_flood(&flooder, bed, mode);
	report(clients, mode, "clients");
	report(parent, mode, "parent");
	assert_true(as == NULL || clients->again == 0);
	assert_true(as == NULL || parent->ms[parent->count - 1] < APART_MS);
	free(clients);
}

static void withstand_each(struct bed *bed, const char *const *modes, const char *as)
{
	struct times *quiet = calloc(1, sizeof *quiet);
	assert_non_null(quiet);
	for (int i = 0; i < CONNECTS; i++) {
		must_connect(bed, quiet);
	}
	report(quiet, "no flood", "clients");
	free(quiet);
	for (size_t i = 0; modes[i] != NULL; i++) {
		withstand(bed, modes[i], as);
	}
}

static void fault_32_33_42_a_flood_over_tcp_with_token(void **state)
{
	static const char *const modes[] = {"silent", "drip", "garbage", "wrong", "begin", NULL};
	struct bed bed;
	(void)state;
	start_tcp(&bed, "token", "127.0.0.1");
	withstand_each(&bed, modes, NULL);
	end(&bed);
}

static void fault_32_33_42_a_flood_over_tcp_with_noise(void **state)
{
	static const char *const modes[] = {"silent", "drip", "garbage", "noise", NULL};
	struct bed bed;
	(void)state;
	start_tcp(&bed, "noise", "127.0.0.1");
	withstand_each(&bed, modes, NULL);
	end(&bed);
}

/* Who floods is another user; where we may not become one, it is our own, who is trusted: that is
 * worse. */
static void fault_32_33_42_a_flood_over_unix(void **state)
{
	static const char *const modes[] = {"silent", "drip", "garbage", "wrong", "begin", NULL};
	char stranger[32];
	struct bed bed;
	(void)state;
	snprintf(stranger, sizeof stranger, "uid=%d", STRANGER);
	start_unix(&bed, "token", NULL);
	withstand_each(&bed, modes, geteuid() == 0 ? stranger : NULL);
	end(&bed);
}

static void fault_33_a_flood_by_our_own_user(void **state)
{
	static const char *const modes[] = {"silent", "begin", NULL};
	struct bed bed;
	(void)state;
	start_unix(&bed, "token", NULL);
	withstand_each(&bed, modes, NULL);
	end(&bed);
}

/* ---- Who has to leave ---- */

static void dial_many(const struct bed *bed, int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fds[i] = peer_dial(bed->place + strlen("unix:"));
	}
}

static void close_many(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		close(fds[i]);
	}
}

/* One who began to authenticate, though it was the first to come, outlasts three times as many as
 * there are seats. */
static void fault_33_who_speaks_is_not_pushed_out_by_who_is_silent(void **state)
{
	enum { REPLY = 4 + 1 + 5 + 2 + 64 }; /* [1, id, nil, ["more", 64 bytes]] */
	static const char refused[] = "refused";
	uint8_t params[9 + 32] = {0x92, 0xa5, 't', 'o', 'k', 'e', 'n', 0xc4, 32};
	uint8_t request[128], reply[128];
	int silent[3 * SEATS];
	bool ended;
	struct bed bed;
	(void)state;
	start_unix(&bed, "token", NULL);
	/* All come at once: what it said is not read before they are there. */
	assert_int_equal(kill(bed.pid, SIGSTOP), 0);
	int first = peer_dial(bed.place + strlen("unix:"));
	assert_true(peer_send(first, request,
			      peer_request(request, 1, "outboard.auth", params, sizeof params)));
	dial_many(&bed, silent, sizeof silent / sizeof silent[0]);
	assert_int_equal(kill(bed.pid, SIGCONT), 0);
	assert_true(peer_read(first, reply, REPLY));
	assert_true(peer_is_refused(silent[0]));
	close_many(silent, sizeof silent / sizeof silent[0]);
	/* And again, in the middle of the exchange. */
	assert_int_equal(kill(bed.pid, SIGSTOP), 0);
	dial_many(&bed, silent, sizeof silent / sizeof silent[0]);
	assert_true(peer_send(first, request,
			      peer_request(request, 2, "outboard.auth", params, sizeof params)));
	assert_int_equal(kill(bed.pid, SIGCONT), 0);
	assert_true(peer_drain(first, PEER_WAIT_MS, &ended) > sizeof refused && ended);
	close_many(silent, sizeof silent / sizeof silent[0]);
	close(first);
	end(&bed);
}

/* ---- Reserved seats ---- */

/* How many of them the child has closed. It has accepted all of them before it answers calls that
 * come behind. */
static int count_closed(struct bed *bed, const int *fds, int count)
{
	char byte;
	int closed = 0;
	for (int i = 0; i < 2; i++) {
		(void)family_call(&bed->f, "echo", "[i]", 1);
	}
	for (int i = 0; i < count; i++) {
		closed += recv(fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
	}
	return closed;
}

/* Each stranger is another user, so none of them is greedy: what keeps them out of the last seats
 * is that those are not theirs. */
static void fault_33_a_quarter_of_the_seats_is_not_for_strangers(void **state)
{
	enum { OURS = SEATS / 4, THEIRS = SEATS - OURS + 1 };
	int theirs[THEIRS], ours[OURS];
	struct ob_error err = {0};
	struct bed bed;
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can be somebody else\n");
		skip();
	}
	start_unix(&bed, "token", "auth_timeout=60000");
	for (int i = 0; i < THEIRS; i++) {
		assert_int_equal(seteuid((uid_t)(STRANGER + i)), 0);
		theirs[i] = peer_dial(bed.place + strlen("unix:"));
		assert_int_equal(seteuid(0), 0);
	}
	assert_int_equal(count_closed(&bed, theirs, THEIRS), 1);
	dial_many(&bed, ours, OURS);
	assert_int_equal(count_closed(&bed, theirs, THEIRS), 1);
	assert_int_equal(call_once(&bed, bed.config.token, &err), OB_OK);
	assert_int_equal(count_closed(&bed, theirs, THEIRS), 2);
	assert_int_equal(count_closed(&bed, ours, OURS), 0);
	close_many(theirs, THEIRS);
	close_many(ours, OURS);
	end(&bed);
}

/* ---- Penalties ---- */

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("skipped: only root can be several users\n");
		skip();
	}
}

/* The kernel notes who we are when we connect. */
static int call_as(struct bed *bed, uid_t uid, const char *token)
{
	struct ob_error err = {0};
	assert_int_equal(seteuid(uid), 0);
	int r = call_once(bed, token, &err);
	assert_int_equal(seteuid(0), 0);
	return r;
}

static const char wrong[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static bool was_told(const struct family *f, const char *text)
{
	for (uint32_t i = 0; i < f->line_count; i++) {
		if (strstr(f->lines[i], text) != NULL) {
			return true;
		}
	}
	return false;
}

static bool has_told_of_the_stranger(void *user)
{
	return was_told(user, "\"from\":\"uid 12345\"");
}

static void fault_42_who_fails_has_to_wait(void **state)
{
	struct bed bed;
	(void)state;
	need_root();
	start_unix(&bed, "token", NULL);
	/* So many failures that the wait is the longest: then it is not over before we have looked.
	 */
	for (int i = 0; i < 12; i++) {
		assert_true(call_as(&bed, STRANGER, wrong) < 0);
	}
	assert_true(call_as(&bed, STRANGER, bed.config.token) < 0);
	/* Others are not meant by it. */
	assert_int_equal(call_as(&bed, STRANGER + 1, bed.config.token), OB_OK);
	assert_int_equal(call_as(&bed, 0, bed.config.token), OB_OK);
	family_until(&bed.f, has_told_of_the_stranger, &bed.f);
	/* It ends, too: at most 10 s, and not again from the beginning with each try. */
	int64_t begin = now_us();
	while (call_as(&bed, STRANGER, bed.config.token) < 0) {
		assert_true(ms_since(begin) < FAMILY_WAIT_MS);
		program_let_pass(50);
	}
	assert_int_equal(call_as(&bed, STRANGER, bed.config.token), OB_OK);
	end(&bed);
}

static void fault_42_our_own_user_never_has_to_wait(void **state)
{
	struct ob_error err = {0};
	struct bed bed;
	(void)state;
	start_unix(&bed, "token", NULL);
	for (int i = 0; i < 12; i++) {
		assert_true(call_once(&bed, wrong, &err) < 0);
	}
	assert_int_equal(call_once(&bed, bed.config.token, &err), OB_OK);
	end(&bed);
}

/* Somebody who only looks whether a port is open does no harm, and gets none. */
static void fault_42_who_says_nothing_has_not_failed(void **state)
{
	struct bed bed;
	(void)state;
	need_root();
	start_unix(&bed, "token", NULL);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(seteuid(STRANGER), 0);
		int fd = peer_dial(bed.place + strlen("unix:"));
		assert_int_equal(seteuid(0), 0);
		close(fd);
	}
	assert_int_equal(call_as(&bed, STRANGER, bed.config.token), OB_OK);
	end(&bed);
}

static void fault_32_who_is_too_slow_has_failed(void **state)
{
	struct bed bed;
	int fds[12];
	(void)state;
	need_root();
	start_unix(&bed, "token", "auth_timeout=100");
	assert_int_equal(seteuid(STRANGER), 0);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		fds[i] = peer_dial(bed.place + strlen("unix:"));
	}
	assert_int_equal(seteuid(0), 0);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		assert_true(peer_is_refused(fds[i]));
		close(fds[i]);
	}
	assert_true(call_as(&bed, STRANGER, bed.config.token) < 0);
	end(&bed);
}

/* ---- Over a network ---- */

/* Hosts on one machine: who dials one of these addresses has it as its own. */
static void make_network(void)
{
	static bool made;
	static const char *const up[] = {"ip", "link", "set", "lo", "up", NULL};
	static const char *const addresses[] = {"192.0.2.1/32", "192.0.2.2/32"};
	const char *why = made ? NULL : netns_enter();
	if (why != NULL) {
		print_message("skipped: %s\n", why);
		skip();
	}
	for (size_t i = 0; i < 2 && !made; i++) {
		const char *const add[] = {"ip", "addr", "add", addresses[i], "dev", "lo", NULL};
		assert_true(netns_run(-1, add));
	}
	assert_true(made || netns_run(-1, up));
	made = true;
}

/* The parent, and clients beside it, come from 192.0.2.1; strangers from 192.0.2.2. Everything that
 * they do is held against them. */
static void fault_33_42_a_flood_from_another_address(void **state)
{
	static const char *const modes[] = {"silent", "wrong", "begin", NULL};
	struct bed bed;
	(void)state;
	make_network();
	start_tcp(&bed, "token", "192.0.2.1");
	withstand_each(&bed, modes, "from=192.0.2.2");
	assert_true(was_told(&bed.f, "\"from\":\"192.0.2.2\""));
	assert_false(was_told(&bed.f, "\"from\":\"192.0.2.1\""));
	end(&bed);
}

/* Over the address, and not where the child says that it listens: that would be loopback. */
static int call_over(struct bed *bed, const char *address, const char *token)
{
	struct ob_error err = {0};
	char *said = bed->config.rpc_addr;
	bed->config.rpc_addr = scratch_text("tcp://%s%s", address, strrchr(said, ':'));
	int r = call_once(bed, token, &err);
	free(bed->config.rpc_addr);
	bed->config.rpc_addr = said;
	return r;
}

/* From the connector's options through outboard.json to the gate. */
static void fault_42_the_address_of_the_parent_is_spared(void **state)
{
	struct bed bed = {0};
	(void)state;
	make_network();
	family_begin(&bed.f, OB_RUNTIME_INLINE, NULL);
	bed.f.options.parent_address = "192.0.2.2";
	bed.bind = scratch_text("tcp://0.0.0.0:0");
	start(&bed, "token");
	assert_string_equal(bed.config.parent_address, "192.0.2.2");
	for (int i = 0; i < 12; i++) {
		assert_true(call_over(&bed, "192.0.2.1", wrong) < 0);
		assert_true(call_over(&bed, "192.0.2.2", wrong) < 0);
	}
	assert_true(call_over(&bed, "192.0.2.1", bed.config.token) < 0);
	assert_int_equal(call_over(&bed, "192.0.2.2", bed.config.token), OB_OK);
	end(&bed);
}

static void a_parents_address_must_be_one(void **state)
{
	struct bed bed = {0};
	struct ob_error err;
	(void)state;
	family_begin(&bed.f, OB_RUNTIME_INLINE, NULL);
	bed.f.options.parent_address = "example.org";
	assert_int_equal(ob_connector_new(bed.f.runtime, &bed.f.options, &bed.f.connector, &err),
			 OB_EINVAL);
	assert_non_null(strstr(
	    err.text, "parent_address \"example.org\" is neither an address nor a context id"));
	family_end(&bed.f);
}

/* ---- Calls ---- */

/* So many calls that are open, over one connection; another one is served as if nothing were. */
static void fault_34_a_flood_of_calls_is_told_busy(void **state)
{
	enum { CALLS = 256, MORE = 1000 };
	static const uint8_t none[] = {0x90}, seven[] = {0x91, 0x07}, seven_back[] = {0x07};
	static const char busy[] = "too many calls in flight";
	uint8_t request[128], reply[128];
	struct bed bed;
	(void)state;
	start_unix(&bed, "peercred", NULL);
	int fd = peer_dial(bed.place + strlen("unix:")),
	    other = peer_dial(bed.place + strlen("unix:"));
	for (uint32_t i = 0; i < CALLS; i++) {
		assert_true(peer_send(fd, request,
				      peer_request(request, i, "act.keep", none, sizeof none)));
	}
	for (uint32_t i = 0; i < MORE; i++) {
		assert_true(peer_send(
		    fd, request, peer_request(request, 10000 + i, "act.keep", none, sizeof none)));
		/* [1, 10000 + i, {"code": -32001, "message": busy}, nil] */
		const uint8_t head[] = {
		    0x94, 0x01, 0xcd, (uint8_t)((10000 + i) >> 8), (uint8_t)(10000 + i), 0x82};
		size_t len = sizeof head + 5 + 3 + 8 + 1 + strlen(busy) + 1;
		assert_true(peer_read(fd, reply, len));
		assert_memory_equal(reply, head, sizeof head);
		assert_memory_equal(reply + len - 1 - strlen(busy), busy, strlen(busy));
		if (i % 100 == 0) {
			peer_must_call(other, 5, "act.echo", seven, sizeof seven, seven_back,
				       sizeof seven_back);
		}
	}
	close(fd);
	close(other);
	end(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_32_33_42_a_flood_over_tcp_with_token),
	    cmocka_unit_test(fault_32_33_42_a_flood_over_tcp_with_noise),
	    cmocka_unit_test(fault_32_33_42_a_flood_over_unix),
	    cmocka_unit_test(fault_33_a_flood_by_our_own_user),
	    cmocka_unit_test(fault_33_who_speaks_is_not_pushed_out_by_who_is_silent),
	    cmocka_unit_test(fault_42_who_fails_has_to_wait),
	    cmocka_unit_test(fault_33_a_quarter_of_the_seats_is_not_for_strangers),
	    cmocka_unit_test(fault_42_our_own_user_never_has_to_wait),
	    cmocka_unit_test(fault_42_who_says_nothing_has_not_failed),
	    cmocka_unit_test(fault_32_who_is_too_slow_has_failed),
	    cmocka_unit_test(fault_34_a_flood_of_calls_is_told_busy),
	    cmocka_unit_test(a_parents_address_must_be_one),
	    /* The last: these move us to another network. */
	    cmocka_unit_test(fault_33_42_a_flood_from_another_address),
	    cmocka_unit_test(fault_42_the_address_of_the_parent_is_spared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
