/* SPDX-License-Identifier: MIT */
/* The three modes of a runtime, including libev's default loop, under load, with children dying
 * all the time. */
#include "support/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ev.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/expect.h"
#include "support/scratch.h"

enum { DEATHS = 200, CHILDREN = 8, WAIT_S = 120 };

/* ---- Children that die repeatedly, each with its own status ---- */

struct mortal {
	struct crowd *crowd;
	ob_connector *connector;
	char *dir;
	int index;
	int sent;  /* deaths that were requested */
	int asked; /* the last one: even an exit status, odd a signal */
	bool dying;
	int load; /* echoes without an answer yet */
};

struct crowd {
	ob_runtime *runtime;
	struct ev_loop *loop; /* attached */
	char *scratch;
	char *actor;
	struct mortal mortals[CHILDREN];
	int deaths; /* with the requested status */
	int wrong;
	int echoes;
	int stopped;
	bool over;
	pthread_mutex_t lock;
};

static void ask_to_die(struct mortal *m);

/* The end, after the whole load. */
static void on_echo(void *user, int result, const struct ob_value *value,
		    const struct ob_error *err)
{
	struct mortal *m = user;
	(void)value;
	(void)err;
	m->crowd->echoes += result == OB_OK;
	if (result == OB_OK && --m->load == 0) {
		ask_to_die(m);
	}
}

static void begin_load(struct mortal *m)
{
	struct ob_value items[1] = {ob_nil()};
	struct ob_value params = ob_array(items, 1);
	m->load = 20;
	for (int i = 0; i < 20; i++) {
		items[0] = ob_int(i);
		(void)ob_client_call_async(ob_connector_client(m->connector), "act.echo", &params,
					   0, on_echo, m, NULL, NULL);
	}
}

/* By exit status and by signal in turn. */
static void ask_to_die(struct mortal *m)
{
	ob_client *client = ob_connector_client(m->connector);
	struct ob_value items[1] = {ob_nil()};
	struct ob_value params = ob_array(items, 1);
	m->asked = m->sent % 2 == 0 ? m->sent % 100 : (m->sent % 4 == 1 ? SIGKILL : SIGTERM);
	items[0] = ob_int(m->asked);
	(void)ob_client_notify(client, m->sent % 2 == 0 ? "act.exit" : "act.signal", &params, NULL);
}

static bool as_asked(const struct mortal *m, const struct ob_event *event)
{
	uint32_t kind = m->sent % 2 == 0 ? OB_EXIT_CODE : OB_EXIT_SIGNAL;
	return event->exit_kind == kind && event->exit_value == m->asked;
}

static void on_event(void *user, const struct ob_event *event)
{
	struct mortal *m = user;
	struct crowd *c = m->crowd;
	pthread_mutex_lock(&c->lock);
	/* In the end, children that were just asked to die are ended by their stop. */
	if (event->type == OB_EVENT_EXITED && m->dying && !c->over) {
		c->deaths += as_asked(m, event);
		c->wrong += !as_asked(m, event);
		if (!as_asked(m, event)) {
			print_message("wanted %d, got kind %u value %d\n", m->asked,
				      event->exit_kind, event->exit_value);
		}
		m->sent++;
		m->dying = false;
	}
	if (event->type == OB_EVENT_READY && c->deaths + c->wrong < DEATHS) {
		m->dying = true;
		begin_load(m);
	}
	if (c->deaths + c->wrong >= DEATHS && !c->over) {
		c->over = true;
		if (c->loop != NULL) {
			ev_break(c->loop, EVBREAK_ALL);
		} else {
			ob_runtime_stop(c->runtime);
		}
	}
	pthread_mutex_unlock(&c->lock);
}

static void make_crowd(struct crowd *c, enum ob_runtime_mode mode, struct ev_loop *loop)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = mode, .loop = loop};
	struct ob_error err;
	memset(c, 0, sizeof *c);
	pthread_mutex_init(&c->lock, NULL);
	c->loop = loop;
	c->scratch = scratch_make();
	c->actor = scratch_text("%s/children/child-actor", scratch_env("OB_TEST_BUILD"));
	expect(ob_runtime_new(&o, &c->runtime, &err), OB_OK, &err, NULL);
	for (int i = 0; i < CHILDREN; i++) {
		struct mortal *m = &c->mortals[i];
		const char *argv[] = {c->actor, NULL};
		m->crowd = c;
		m->index = i;
		m->dir = scratch_text("%s/%d", c->scratch, i);
		struct ob_connector_options co = {.size = sizeof co,
						  .name = "mortal",
						  .data_path = m->dir,
						  .argv = argv,
						  .restart = {.backoff_base_ms = -1},
						  .on_event = on_event,
						  .user_data = m};
		expect(ob_connector_new(c->runtime, &co, &m->connector, &err), OB_OK, &err, NULL);
		expect(ob_connector_supervise(m->connector, &err), OB_OK, &err, NULL);
	}
}

static void free_crowd(struct crowd *c)
{
	ob_runtime_free(c->runtime);
	for (int i = 0; i < CHILDREN; i++) {
		free(c->mortals[i].dir);
	}
	free(c->actor);
	scratch_remove(c->scratch);
	pthread_mutex_destroy(&c->lock);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_true(c->deaths >= DEATHS);
	assert_int_equal(c->wrong, 0);
	assert_true(c->echoes > 0);
}

static void close_all(struct crowd *c)
{
	for (int i = 0; i < CHILDREN; i++) {
		ob_connector_close(c->mortals[i].connector);
	}
}

static void fault_16_200_deaths_on_an_inline_loop(void **state)
{
	struct crowd c;
	(void)state;
	make_crowd(&c, OB_RUNTIME_INLINE, NULL);
	assert_int_equal(ob_runtime_run(c.runtime, WAIT_S * 1000), OB_OK);
	close_all(&c);
	free_crowd(&c);
}

static bool is_over(struct crowd *c)
{
	pthread_mutex_lock(&c->lock);
	bool over = c->over;
	pthread_mutex_unlock(&c->lock);
	return over;
}

static void fault_16_200_deaths_on_a_threaded_loop(void **state)
{
	struct crowd c;
	(void)state;
	make_crowd(&c, OB_RUNTIME_THREADED, NULL);
	for (time_t begin = time(NULL); !is_over(&c) && time(NULL) - begin < WAIT_S;) {
		/* Meanwhile blocking calls from here; they may fail because the child dies. */
		(void)ob_client_callf(ob_connector_client(c.mortals[0].connector), 1000, NULL, NULL,
				      "outboard.ping", NULL);
		sched_yield();
	}
	assert_true(is_over(&c));
	close_all(&c);
	free_crowd(&c);
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void on_stopped(void *user, int result, const struct ob_error *err)
{
	struct crowd *c = user;
	(void)result;
	(void)err;
	if (++c->stopped == CHILDREN) {
		ev_break(c->loop, EVBREAK_ALL);
	}
}

static void run_attached(struct ev_loop *loop)
{
	struct crowd c;
	struct ob_error err;
	ev_timer limit;
	make_crowd(&c, OB_RUNTIME_ATTACHED, loop);
	/* Blocking calls are refused. */
	assert_int_equal(ob_connector_stop(c.mortals[0].connector, 0, NULL, &err), OB_EDEADLK);
	ev_timer_init(&limit, on_limit, WAIT_S, 0);
	ev_timer_start(loop, &limit);
	ev_run(loop, 0);
	for (int i = 0; i < CHILDREN; i++) {
		expect(ob_connector_stop_async(c.mortals[i].connector, on_stopped, &c, &err), OB_OK,
		       &err, NULL);
	}
	ev_run(loop, 0);
	assert_int_equal(c.stopped, CHILDREN);
	ev_timer_stop(loop, &limit);
	close_all(&c);
	/* The loop completes the close; after that nothing of the library keeps it running. */
	ev_run(loop, 0);
	free_crowd(&c);
}

static void fault_16_200_deaths_on_an_attached_loop(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	(void)state;
	run_attached(loop);
	ev_loop_destroy(loop);
}

static void fault_16_200_deaths_on_the_default_loop(void **state)
{
	(void)state;
	run_attached(ev_default_loop(EVFLAG_AUTO));
	ev_loop_destroy(ev_default_loop(0));
}

/* ---- Options and other threads ---- */

static void runtime_options_are_checked(void **state)
{
	struct ob_runtime_options o = {.size = sizeof o, .mode = OB_RUNTIME_ATTACHED};
	struct {
		struct ob_runtime_options known;
		uint64_t newer;
	} wide = {{.size = sizeof wide}, 0};
	struct ob_error err;
	ob_runtime *rt;
	(void)state;
	assert_int_equal(ob_runtime_new(&o, &rt, &err), OB_EINVAL);
	o.size = 0;
	assert_int_equal(ob_runtime_new(&o, &rt, &err), OB_EINVAL);
	expect(ob_runtime_new(&wide.known, &rt, &err), OB_OK, &err, NULL);
	ob_runtime_free(rt);
	wide.newer = 1;
	assert_int_equal(ob_runtime_new(&wide.known, &rt, &err), OB_EINVAL);
}

static void stop_from_a_signal_handler_and_timeouts(void **state)
{
	struct ob_error err;
	ob_runtime *rt;
	(void)state;
	expect(ob_runtime_new(NULL, &rt, &err), OB_OK, &err, NULL);
	assert_int_equal(ob_runtime_run(rt, 10), OB_ETIMEDOUT);
	assert_int_equal(ob_runtime_run(rt, 0), OB_ETIMEDOUT);
	ob_runtime_stop(rt);
	assert_int_equal(ob_runtime_run(rt, -1), OB_OK);
	ob_runtime_free(rt);
}

struct caller {
	struct family *f;
	int good;
};

static void *call_many(void *arg)
{
	struct caller *c = arg;
	ob_reply *reply;
	int64_t n;
	if (ob_reply_new(&reply, NULL) < 0) {
		return NULL;
	}
	for (int i = 0; i < 300; i++) {
		if (ob_client_callf(ob_connector_client(c->f->connector), 0, reply, NULL,
				    "act.echo", "[i]", i) == OB_OK &&
		    ob_get_int(ob_reply_value(reply), &n) && n == i) {
			c->good++;
		}
	}
	ob_reply_free(reply);
	return NULL;
}

static void many_threads_call_at_once(void **state)
{
	struct family f;
	struct caller callers[6];
	pthread_t threads[6];
	(void)state;
	family_start(&f, OB_RUNTIME_THREADED);
	for (int i = 0; i < 6; i++) {
		callers[i] = (struct caller){&f, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, call_many, &callers[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(callers[i].good, 300);
	}
	family_end(&f);
}

/* ---- Without a descriptor ---- */

/* libev can work without epoll, which two threads cannot share; so the loop is refused then. */
static void fault_63_a_loop_without_a_descriptor_is_an_error(void **state)
{
	struct ob_error err = {.text = ""};
	ob_runtime *runtime = NULL;
	(void)state;
	struct rlimit was = scratch_limit_fds(0);
	int code = ob_runtime_new(NULL, &runtime, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(code, OB_ENOMEM);
	assert_string_equal(err.text, "creating an event loop (epoll): Too many open files");
	assert_null(runtime);
}

/* ---- A loop that never rests ---- */

enum { ENTRIES = 100, BUSY_MS = 2 };

struct restless {
	ob_watch *timer;
	int ended; /* stops */
};

static void on_end(void *user, int result, const struct ob_error *err)
{
	struct restless *r = user;
	(void)err;
	r->ended += result == OB_OK;
}

/* Something is to be done again at once, and takes its time. */
static void be_busy(void *user, int what)
{
	struct restless *r = user;
	int64_t end = now_ms() + BUSY_MS;
	(void)what;
	while (now_ms() < end) {
		;
	}
	ob_watch_set_timer(r->timer, 0);
}

/* The loop sleeps for no time at all, and other threads get their turn all the same, to call and to
 * come back from a call. If they do not, the alarm ends it. */
static void fault_64_a_loop_that_never_rests_lets_other_threads_in(void **state)
{
	struct family f;
	struct ob_error err;
	struct restless r = {.ended = 0};
	(void)state;
	alarm(WAIT_S);
	family_begin(&f, OB_RUNTIME_THREADED, NULL);
	family_connector(&f);
	assert_int_equal(ob_watch_timer(f.runtime, 1000, be_busy, &r, &r.timer, &err), OB_OK);
	ob_watch_set_timer(r.timer, 0);
	for (int i = 0; i < ENTRIES; i++) {
		assert_int_equal(ob_connector_stop_async(f.connector, on_end, &r, &err), OB_OK);
		assert_int_equal(ob_connector_stop(f.connector, 0, NULL, &err), OB_OK);
	}
	ob_watch_free(r.timer);
	family_end(&f);
	assert_int_equal(r.ended, ENTRIES);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fault_63_a_loop_without_a_descriptor_is_an_error),
	    cmocka_unit_test(runtime_options_are_checked),
	    cmocka_unit_test(stop_from_a_signal_handler_and_timeouts),
	    cmocka_unit_test(many_threads_call_at_once),
	    cmocka_unit_test(fault_64_a_loop_that_never_rests_lets_other_threads_in),
	    cmocka_unit_test(fault_16_200_deaths_on_an_inline_loop),
	    cmocka_unit_test(fault_16_200_deaths_on_a_threaded_loop),
	    cmocka_unit_test(fault_16_200_deaths_on_an_attached_loop),
	    cmocka_unit_test(fault_16_200_deaths_on_the_default_loop),
	};
	return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
