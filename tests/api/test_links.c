/* SPDX-License-Identifier: MIT */
/* Links that break while both ends live: the link is dialled again, and nothing is restarted. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/netns.h"
#include "support/scratch.h"
#include "support/vmm.h"

/* ---- A child behind a VMM ---- */

/* The family comes first, so that its functions accept a guest, too. */
struct guest {
	struct family f;
	struct vmm vmm;
	char *listen, *connect;
	unsigned wanted; /* CONNECTs to wait for */
};

static void guest_begin(struct guest *g)
{
	family_begin(&g->f, OB_RUNTIME_INLINE, NULL);
	vmm_begin(&g->vmm, g->f.scratch);
	g->listen = scratch_text("hvsock://%s:52", g->vmm.guest);
	g->connect = scratch_text("hvsock://%s:52", g->vmm.path);
	g->f.options.listen = g->listen;
	g->f.options.connect = g->connect;
	g->f.options.allow_plaintext = true;
}

static void guest_start(struct guest *g)
{
	struct ob_error err;
	family_connector(&g->f);
	expect(ob_connector_start(g->f.connector, 0, NULL, &err), OB_OK, &err, NULL);
}

static void guest_end(struct guest *g)
{
	vmm_end(&g->vmm);
	free(g->listen);
	free(g->connect);
	family_end(&g->f);
}

static bool has_connected(void *user)
{
	struct guest *g = user;
	return vmm_order(&g->vmm, "count") >= g->wanted;
}

static void await_connects(struct guest *g, unsigned wanted)
{
	g->wanted = wanted;
	family_until(&g->f, has_connected, g);
}

static void must_be_the_same(struct guest *g, int32_t pid)
{
	assert_int_equal(ob_connector_pid(g->f.connector), pid);
	assert_int_equal(family_count(&g->f, OB_EVENT_STARTING), 1);
	assert_int_equal(family_count(&g->f, OB_EVENT_READY), 1);
	assert_int_equal(family_count(&g->f, OB_EVENT_EXITED), 0);
	family_call(&g->f, "echo", "[i]", 1);
}

/* ---- Not ready yet ---- */

static void start_against(const char *mode, unsigned connects)
{
	struct guest g;
	struct ob_error err;
	guest_begin(&g);
	(void)vmm_order(&g.vmm, mode);
	family_connector(&g.f);
	expect(ob_connector_start_async(g.f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	await_connects(&g, connects); /* each on its own connection */
	assert_int_equal(family_count(&g.f, OB_EVENT_READY), 0);
	(void)vmm_order(&g.vmm, "normal");
	family_await(&g.f, OB_EVENT_READY, 1);
	must_be_the_same(&g, ob_connector_pid(g.f.connector));
	guest_end(&g);
}

static void must_say(struct guest *g, const char *why)
{
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(g->f.connector, &status);
	if (strstr(status.last_error, why) == NULL ||
	    (*why == '\0') != (status.last_error[0] == '\0')) {
		fail_msg("the status says \"%s\", wanted \"%s\"", status.last_error, why);
	}
}

static void fault_76_the_status_has_the_reason_why_a_guest_is_unreachable(void **state)
{
	struct guest g;
	struct ob_error err;
	(void)state;
	guest_begin(&g);
	(void)vmm_order(&g.vmm, "close");
	family_connector(&g.f);
	expect(ob_connector_start_async(g.f.connector, NULL, NULL, &err), OB_OK, &err, NULL);
	await_connects(&g, 2); /* the first one failed */
	must_say(&g, "the VMM closed the connection on CONNECT 52");
	(void)vmm_order(&g.vmm, "normal");
	family_await(&g.f, OB_EVENT_READY, 1);
	must_say(&g, "");
	guest_end(&g);
}

static void fault_76_a_guest_that_closes_is_dialled_again(void **state)
{
	(void)state;
	start_against("close", 5);
}

static void fault_76_a_guest_that_resets_is_dialled_again(void **state)
{
	(void)state;
	start_against("reset", 5);
}

static void fault_76_a_socket_that_is_not_a_vmm_is_dialled_again(void **state)
{
	(void)state;
	start_against("garbage", 5);
}

static void fault_76_a_silent_guest_is_dialled_again(void **state)
{
	(void)state;
	start_against("silent", 2);
}

static void fault_76_a_reply_in_pieces_starts_a_child(void **state)
{
	struct guest g;
	(void)state;
	guest_begin(&g);
	(void)vmm_order(&g.vmm, "trickle");
	guest_start(&g);
	must_be_the_same(&g, ob_connector_pid(g.f.connector));
	guest_end(&g);
}

/* A VMM has room for a number of connections (1023 in Firecracker), and closes more: the error
 * says so. */
static void fault_78_a_full_vmm_is_reported(void **state)
{
	struct guest g;
	struct ob_error err = {.text = ""};
	(void)state;
	guest_begin(&g);
	(void)vmm_order(&g.vmm, "limit 0");
	g.f.options.ready_timeout_ms = 1500;
	family_connector(&g.f);
	expect(ob_connector_start(g.f.connector, 0, NULL, &err), OB_ETIMEDOUT, &err,
	       "the VMM closed the connection on CONNECT 52");
	(void)vmm_order(&g.vmm, "limit 1023");
	g.f.options.ready_timeout_ms = 20000;
	ob_connector_close(g.f.connector);
	guest_start(&g);
	family_call(&g.f, "echo", "[i]", 1);
	guest_end(&g);
}

/* ---- Pauses and snapshots ---- */

static void fault_74_a_restored_guest_is_redialled_and_not_restarted(void **state)
{
	struct guest g;
	(void)state;
	guest_begin(&g);
	guest_start(&g);
	int32_t pid = ob_connector_pid(g.f.connector);
	for (unsigned i = 0; i < 20; i++) {
		unsigned before = vmm_order(&g.vmm, "count");
		(void)vmm_order(&g.vmm, "drop");
		await_connects(&g, before + 1);
		family_await_state(&g.f, OB_STATE_READY, OB_LINK_UP);
		must_be_the_same(&g, pid);
	}
	assert_int_equal(family_count(&g.f, OB_EVENT_UNRESPONSIVE), 0);
	guest_end(&g);
}

struct moment {
	int64_t end;
};

static bool has_come(void *user)
{
	struct moment *m = user;
	return now_ms() >= m->end;
}

/* Shorter than the parent's timeout: the connection survives. */
static void fault_73_a_short_pause_is_survived_by_the_connection(void **state)
{
	struct guest g;
	(void)state;
	guest_begin(&g);
	g.f.options.health_interval_ms = 300;
	g.f.options.health_misses = 10;
	guest_start(&g);
	int32_t pid = ob_connector_pid(g.f.connector);
	unsigned before = vmm_order(&g.vmm, "count");
	kill(g.vmm.pid, SIGSTOP);
	kill(pid, SIGSTOP);
	struct moment m = {now_ms() + 900};
	family_until(&g.f, has_come, &m);
	kill(pid, SIGCONT);
	kill(g.vmm.pid, SIGCONT);
	must_be_the_same(&g, pid);
	assert_int_equal(vmm_order(&g.vmm, "count"), before);
	assert_int_equal(family_count(&g.f, OB_EVENT_UNRESPONSIVE), 0);
	guest_end(&g);
}

static bool is_unresponsive(void *user)
{
	return family_count(user, OB_EVENT_UNRESPONSIVE) > 0;
}

/* Longer: the connection is given up, and made again when the guest runs again; the child is the
 * same. */
static void fault_73_a_long_pause_costs_the_connection_only(void **state)
{
	enum { INTERVAL_MS = 500 };
	struct guest g;
	(void)state;
	guest_begin(&g);
	g.f.options.health_interval_ms = INTERVAL_MS;
	guest_start(&g);
	int32_t pid = ob_connector_pid(g.f.connector);
	unsigned before = vmm_order(&g.vmm, "count");
	kill(g.vmm.pid, SIGSTOP);
	kill(pid, SIGSTOP);
	family_until_within(&g.f, 5 * INTERVAL_MS, is_unresponsive, &g.f);
	kill(pid, SIGCONT);
	kill(g.vmm.pid, SIGCONT);
	await_connects(&g, before + 1);
	family_await_state(&g.f, OB_STATE_READY, OB_LINK_UP);
	must_be_the_same(&g, pid);
	guest_end(&g);
}

/* ---- Many at once ---- */

enum { MANY = 150, AT_ONCE = 100 };

struct crowd {
	struct family f;
	struct vmm vmm;
	ob_connector *all[MANY];
	char *dirs[MANY];
	unsigned wanted;
};

static bool has_so_many(void *user)
{
	struct crowd *c = user;
	return vmm_order(&c->vmm, "most") >= c->wanted;
}

static void crowd_begin(struct crowd *c)
{
	family_begin(&c->f, OB_RUNTIME_INLINE, NULL);
	vmm_begin(&c->vmm, c->f.scratch);
	(void)vmm_order(&c->vmm, "silent");
}

/* Children that only sleep, each to be dialled at an address without an answer. */
static void crowd_start(struct crowd *c, char *connect)
{
	static const char *const sleeper[] = {"sleep", "1000", NULL};
	struct ob_error err;
	c->f.options.connect = c->f.options.listen = connect;
	c->f.options.allow_plaintext = true;
	c->f.options.argv = sleeper;
	c->f.options.ready = OB_READY_NONE;
	c->f.options.log_pipe_bytes = 4096;
	for (int i = 0; i < MANY; i++) {
		c->dirs[i] = scratch_text("%s/%d", c->f.scratch, i);
		c->f.options.data_path = c->dirs[i];
		expect(ob_connector_new(c->f.runtime, &c->f.options, &c->all[i], &err), OB_OK, &err,
		       NULL);
		expect(ob_connector_start_async(c->all[i], NULL, NULL, &err), OB_OK, &err, NULL);
	}
	free(connect);
}

static void crowd_end(struct crowd *c)
{
	for (int i = 0; i < MANY; i++) {
		ob_connector_close(c->all[i]);
		free(c->dirs[i]);
	}
	vmm_end(&c->vmm);
	family_end(&c->f);
}

static void fault_39_a_hundred_dials_at_once_and_no_more(void **state)
{
	static struct crowd c;
	struct rlimit files;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	crowd_begin(&c);
	crowd_start(&c, scratch_text("hvsock://%s:52", c.vmm.path));
	c.wanted = AT_ONCE;
	family_until(&c.f, has_so_many, &c);
	/* The waiting dials start when the first ones have timed out; never more at once. */
	struct moment m = {now_ms() + 4000};
	family_until(&c.f, has_come, &m);
	assert_true(vmm_order(&c.vmm, "count") > AT_ONCE);
	assert_int_equal(vmm_order(&c.vmm, "most"), AT_ONCE);
	crowd_end(&c);
}

/* A socket that accepts connections and sends nothing, like that of a stopped process. */
static int listen_in_silence(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 1000), 0);
	return fd;
}

struct silence {
	int fd;
	int dials;
	int accepted[MANY * 4];
	int64_t first; /* the time of the first dial */
};

static bool has_all_dials(void *user)
{
	struct silence *s = user;
	int fd;
	while (s->dials < MANY * 4 && (fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		s->first = s->dials == 0 ? now_ms() : s->first;
		s->accepted[s->dials++] = fd;
	}
	return s->dials >= AT_ONCE;
}

/* A hundred dials without an answer would keep their turns for 5 s. */
static void fault_39_silent_children_do_not_delay_others(void **state)
{
	enum { DIAL_MS = 5000 };
	static struct crowd c;
	static struct silence silent;
	struct ob_error err;
	(void)state;
	crowd_begin(&c);
	char *path = scratch_text("%s/silent", c.f.scratch);
	silent.fd = listen_in_silence(path);
	crowd_start(&c, scratch_text("unix://%s", path));
	family_until(&c.f, has_all_dials, &silent);
	c.f.options.argv = c.f.argv;
	c.f.options.data_path = c.f.dir;
	c.f.options.listen = c.f.options.connect = NULL;
	c.f.options.ready = OB_READY_CONFIG;
	family_connector(&c.f);
	expect(ob_connector_start(c.f.connector, -1, NULL, &err), OB_OK, &err, NULL);
	assert_true(now_ms() - silent.first < DIAL_MS - 500);
	while (silent.dials > 0) {
		close(silent.accepted[--silent.dials]);
	}
	close(silent.fd);
	free(path);
	crowd_end(&c);
}

/* ---- A network that breaks ---- */

/* Two networks with a link between them: the parent is in one, the child in the other. */
static const char *lay_cable(int *ret_there)
{
	char net[64];
	const char *why = netns_enter();
	*ret_there = why == NULL ? netns_new() : -1;
	if (why != NULL || *ret_there < 0) {
		return why != NULL ? why : "a second network cannot be made here";
	}
	snprintf(net, sizeof net, "/proc/%d/fd/%d", getpid(), *ret_there);
	const char *const make[] = {"ip",   "link", "add",   "here",  "type", "veth",
				    "peer", "name", "there", "netns", net,    NULL};
	const char *const name[] = {"ip", "addr", "add", "10.99.0.1/24", "dev", "here", NULL};
	const char *const up[] = {"ip", "link", "set", "here", "up", NULL};
	const char *const name_there[] = {"ip",	 "addr",  "add", "10.99.0.2/24",
					  "dev", "there", NULL};
	const char *const up_there[] = {"ip", "link", "set", "there", "up", NULL};
	bool laid = netns_run(-1, make) && netns_run(-1, name) && netns_run(-1, up) &&
		    netns_run(*ret_there, name_there) && netns_run(*ret_there, up_there);
	return laid ? NULL : "a cable between two networks cannot be laid here (ip, veth)";
}

static void plug(int there, const char *how)
{
	const char *const set[] = {"ip", "link", "set", "there", how, NULL};
	assert_true(netns_run(there, set));
}

static bool is_noticed(void *user)
{
	struct family *f = user;
	struct ob_status status = {.size = sizeof status};
	ob_connector_status(f->connector, &status);
	return status.link != OB_LINK_UP;
}

static void fault_37_a_dead_connection_is_noticed_in_three_heartbeats(void **state)
{
	enum { BEAT_MS = 1000 };
	struct family f;
	int there;
	(void)state;
	const char *why = lay_cable(&there);
	if (why != NULL) {
		print_message("skipped: %s\n", why);
		skip();
	}
	family_begin(&f, OB_RUNTIME_INLINE, NULL);
	char *net = scratch_text("--net=/proc/%d/fd/%d", getpid(), there);
	const char *argv[] = {"nsenter", net, f.argv[0], NULL};
	f.options.argv = argv;
	f.options.listen = "tcp://10.99.0.2:0";
	f.options.allow_plaintext = true;
	f.options.health_interval_ms = BEAT_MS;
	family_launch(&f);
	int32_t pid = ob_connector_pid(f.connector);
	for (int i = 0; i < 2; i++) {
		family_call(&f, "echo", "[i]", 1);
		plug(there, "down");
		family_until_within(&f, 4 * BEAT_MS, is_noticed, &f);
		plug(there, "up");
		family_await_state(&f, OB_STATE_READY, OB_LINK_UP);
		family_call(&f, "echo", "[i]", 2);
	}
	assert_int_equal(ob_connector_pid(f.connector), pid);
	assert_int_equal(family_count(&f, OB_EVENT_STARTING), 1);
	free(net);
	family_end(&f);
	close(there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_76_the_status_has_the_reason_why_a_guest_is_unreachable),
	    cmocka_unit_test(fault_76_a_guest_that_closes_is_dialled_again),
	    cmocka_unit_test(fault_76_a_guest_that_resets_is_dialled_again),
	    cmocka_unit_test(fault_76_a_socket_that_is_not_a_vmm_is_dialled_again),
	    cmocka_unit_test(fault_76_a_silent_guest_is_dialled_again),
	    cmocka_unit_test(fault_76_a_reply_in_pieces_starts_a_child),
	    cmocka_unit_test(fault_78_a_full_vmm_is_reported),
	    cmocka_unit_test(fault_74_a_restored_guest_is_redialled_and_not_restarted),
	    cmocka_unit_test(fault_73_a_short_pause_is_survived_by_the_connection),
	    cmocka_unit_test(fault_73_a_long_pause_costs_the_connection_only),
	    cmocka_unit_test(fault_39_a_hundred_dials_at_once_and_no_more),
	    cmocka_unit_test(fault_39_silent_children_do_not_delay_others),
	    /* It moves this process to another network, so it is the last test. */
	    cmocka_unit_test(fault_37_a_dead_connection_is_noticed_in_three_heartbeats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
