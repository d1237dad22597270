/* SPDX-License-Identifier: MIT */
/* A thousand children that are processes and nothing else (ready mode none): what each costs its
 * parent, all of them killed at once, and all of them stopped. Row 67 of the table of faults.
 * OB_CROWD=10000 takes as many. */
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
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "support/crowd.h"
#include "support/event_types.h"
#include "support/scratch.h"

enum { EACH_BYTES = 26 * 1024, PATIENCE_MS_EACH = 200 };

struct member {
	ob_connector *connector;
	char *dir;
	int32_t pid;
	unsigned counts[EVENT_TYPES];
};

struct crowd {
	struct family f;
	struct member *all;
	unsigned many;
	unsigned done; /* requests that succeeded */
	unsigned counts[EVENT_TYPES];
	ob_watch *pulse;
	int pulse_fd;
	int64_t last_pulse, longest_pause; /* of the loop */
};

static struct crowd crowd;

/* ---- How long the loop is busy with one thing ---- */

/* The kernel's timer: input of the loop, as a call is, and not behind its timers. */
static void on_pulse(void *user, int what)
{
	struct crowd *c = user;
	uint64_t expired;
	(void)what;
	int64_t now = now_ms(), pause = now - c->last_pulse;
	assert_int_equal(read(c->pulse_fd, &expired, sizeof expired), sizeof expired);
	c->longest_pause = pause > c->longest_pause ? pause : c->longest_pause;
	c->last_pulse = now;
}

static void pulse_begin(struct crowd *c)
{
	const struct itimerspec every = {{0, 1000000}, {0, 1000000}};
	struct ob_error err;
	c->pulse_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	assert_int_equal(timerfd_settime(c->pulse_fd, 0, &every, NULL), 0);
	c->last_pulse = now_ms();
	if (ob_watch_fd(c->f.runtime, c->pulse_fd, OB_READABLE, on_pulse, c, &c->pulse, &err) !=
	    OB_OK) {
		fail_msg("%s", err.text);
	}
}

/* The longest pause since the last call. */
static int longest_pause(struct crowd *c)
{
	int64_t longest = c->longest_pause;
	c->longest_pause = 0;
	return (int)longest;
}

/* ---- Waiting ---- */

static void until(struct crowd *c, const unsigned *counter, unsigned wanted, const char *what)
{
	crowd_until(c->f.runtime, counter, wanted, (int64_t)c->many * PATIENCE_MS_EACH, what);
}

static void on_event(void *user, const struct ob_event *event)
{
	struct member *m = user;
	uint32_t type = event_type(event);
	crowd.counts[type]++;
	m->counts[type]++;
	if (event->type == OB_EVENT_STARTING) {
		m->pid = event->pid;
	}
}

/* ---- The parent ---- */

static unsigned wanted_number(void)
{
	const char *text = getenv("OB_CROWD");
	unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 0;
	return n > 0 && n <= 30000 ? (unsigned)n : CROWD_MANY;
}

static void raise_limits(unsigned many)
{
	struct rlimit files;
	rlim_t need = (rlim_t)CROWD_EACH * many + CROWD_BESIDES;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_max = files.rlim_max < need ? need : files.rlim_max; /* root may */
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		print_message("skipped: %u children take %llu descriptors, over the limit\n", many,
			      (unsigned long long)need);
		skip();
	}
}

static void crowd_begin(struct crowd *c)
{
	static const char *const argv[] = {"sleep", "100000", NULL};
	family_begin(&c->f, OB_RUNTIME_INLINE, NULL);
	c->f.options.argv = argv;
	c->f.options.ready = OB_READY_NONE;
	c->f.options.health_interval_ms = -1;
	c->f.options.log_pipe_bytes = 4096;
	c->f.options.on_event = on_event;
	c->f.options.on_log = NULL;
	c->f.options.restart = (struct ob_restart_policy){
	    .backoff_base_ms = 1000, .backoff_max_ms = 1000, .jitter = 1};
	c->all = calloc(c->many, sizeof *c->all);
	assert_non_null(c->all);
	for (unsigned i = 0; i < c->many; i++) {
		c->all[i].dir = scratch_text("%s/%u", c->f.scratch, i);
	}
}

static void connectors_make(struct crowd *c)
{
	struct ob_error err;
	for (unsigned i = 0; i < c->many; i++) {
		c->f.options.data_path = c->all[i].dir;
		c->f.options.user_data = &c->all[i];
		if (ob_connector_new(c->f.runtime, &c->f.options, &c->all[i].connector, &err) !=
		    OB_OK) {
			fail_msg("child %u: %s", i, err.text);
		}
	}
}

static void crowd_end(struct crowd *c)
{
	for (unsigned i = 0; i < c->many; i++) {
		ob_connector_close(c->all[i].connector);
		c->all[i].connector = NULL; /* for end_all() */
		free(c->all[i].dir);
	}
	ob_watch_free(c->pulse);
	close(c->pulse_fd);
	free(c->all);
	c->all = NULL;
	family_end(&c->f);
}

static void order_all(struct crowd *c, crowd_order_fn *order, const char *what)
{
	struct ob_error err;
	c->done = 0;
	for (unsigned i = 0; i < c->many; i++) {
		if (order(c->all[i].connector, crowd_on_done, &c->done, &err) != OB_OK) {
			fail_msg("child %u: %s", i, err.text);
		}
	}
	until(c, &c->done, c->many, what);
}

static int supervise(ob_connector *connector, ob_done_fn *done, void *user, struct ob_error *reterr)
{
	int r = ob_connector_supervise(connector, reterr);
	done(user, r, reterr);
	return r;
}

/* ---- What it costs ---- */

static long resident_bytes(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/* ---- The test ---- */

/* Each dies once and is started anew once, whatever the others do. */
static void kill_all(struct crowd *c)
{
	unsigned ready = c->counts[OB_EVENT_READY];
	for (unsigned i = 0; i < c->many; i++) {
		assert_int_equal(kill(c->all[i].pid, SIGKILL), 0);
	}
	until(c, &c->counts[OB_EVENT_READY], ready + c->many, "restarting");
	for (unsigned i = 0; i < c->many; i++) {
		const unsigned *counts = c->all[i].counts;
		assert_int_equal(counts[OB_EVENT_EXITED], 1);
		assert_int_equal(counts[OB_EVENT_RESTARTING], 1);
		assert_int_equal(counts[OB_EVENT_STARTING], 2);
		assert_int_equal(ob_connector_pid(c->all[i].connector), c->all[i].pid);
		assert_true(family_alive(c->all[i].pid));
	}
}

static void fault_67_a_thousand_children_cost_little_and_stop_together(void **state)
{
	struct crowd *c = &crowd;
	int64_t at[4];
	int pauses[3];
	(void)state;
	c->many = wanted_number();
	raise_limits(c->many);
	crowd_begin(c);
	long before = resident_bytes();
	connectors_make(c);
	pulse_begin(c);
	at[0] = now_ms();
	order_all(c, supervise, "asking");
	until(c, &c->counts[OB_EVENT_READY], c->many, "starting");
	at[1] = now_ms();
	pauses[0] = longest_pause(c);
	long each = (resident_bytes() - before) / (long)c->many;
	int fds = scratch_open_fds() - c->f.fds;
	kill_all(c);
	at[2] = now_ms();
	pauses[1] = longest_pause(c);
	order_all(c, ob_connector_stop_async, "stopping");
	at[3] = now_ms();
	pauses[2] = longest_pause(c);
	print_message("%u children: started in %d ms, all killed and restarted in %d ms, stopped "
		      "in %d ms; the longest pauses of the loop: %d, %d, %d ms; %ld bytes and "
		      "%.2f descriptors each\n",
		      c->many, (int)(at[1] - at[0]), (int)(at[2] - at[1]), (int)(at[3] - at[2]),
		      pauses[0], pauses[1], pauses[2], each, (double)fds / c->many);
	assert_in_range(fds, CROWD_EACH * c->many, CROWD_EACH * c->many + CROWD_BESIDES);
	if (CROWD_MEASURES_MEMORY) {
		assert_in_range(each, 0, EACH_BYTES);
	}
	crowd_end(c);
}

/* After a failure: the processes would slow down other tests. */
static int end_all(void **state)
{
	(void)state;
	for (unsigned i = 0; crowd.all != NULL && i < crowd.many; i++) {
		const ob_connector *connector = crowd.all[i].connector;
		int32_t pid = connector != NULL ? ob_connector_pid(connector) : 0;
		if (pid > 0) { /* not one that is dead, whose number may be another's by now */
			kill(pid, SIGKILL);
		}
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(fault_67_a_thousand_children_cost_little_and_stop_together,
				      end_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
