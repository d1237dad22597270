/* SPDX-License-Identifier: MIT */
#include "api/runtime.h"

#include <signal.h>
#include <stdlib.h>

#include "base/string_list.h"
#include "base/error.h"
#include "process/nofile.h"
#include "base/options.h"
#include "loop/rename_watch.h"

/* ---- Plugin path ---- */

/* The directories of the caller; else those of the environment, then that of the installation. */
static char *effective_path(const struct ob_runtime_options *o)
{
	if (o->plugin_path != NULL) {
		return obi_string_list_join(o->plugin_path, ":");
	}
	const char *env = secure_getenv("OUTBOARD_PLUGIN_PATH");
	const char *dirs[3] = {env != NULL && *env != '\0' ? env : OB_PLUGIN_DIR, NULL, NULL};
	if (env != NULL && *env != '\0') {
		dirs[1] = OB_PLUGIN_DIR;
	}
	return obi_string_list_join(dirs, ":");
}

static int make_registry(struct ob_runtime *rt, const struct ob_runtime_options *o,
			 struct ob_error *reterr)
{
	rt->plugin_path_text = effective_path(o);
	rt->plugin_path =
	    rt->plugin_path_text != NULL ? obi_string_list_split(rt->plugin_path_text, ':') : NULL;
	if (rt->plugin_path == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = obi_registry_new((const char *const *)rt->plugin_path, &rt->registry, reterr);
	if (r == OB_OK) {
		obi_registry_set_trust(rt->registry, o->plugin_trust);
	}
	return r;
}

/* ---- The thread ---- */

static void *thread_main(void *arg)
{
	struct ob_runtime *rt = arg;
	obi_loop_lock(&rt->lock);
	while (!rt->ending) {
		obi_loop_turn(rt->loop, true);
	}
	pthread_mutex_unlock(&rt->lock.mutex);
	return NULL;
}

/* Signals of the application are handled by its own threads. */
static int start_thread(struct ob_runtime *rt, struct ob_error *reterr)
{
	sigset_t all, was;
	obi_loop_set_lock(rt->loop, &rt->lock);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	obi_loop_lock(&rt->lock);
	int r = pthread_create(&rt->thread, NULL, thread_main, rt);
	rt->started = r == 0;
	pthread_mutex_unlock(&rt->lock.mutex);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return r == 0 ? OB_OK : obi_fail(reterr, OB_EIO, r, "starting the loop's thread (clone3)");
}

static void stop_thread(struct ob_runtime *rt)
{
	if (!rt->started) {
		return;
	}
	obi_loop_lock(&rt->lock);
	rt->ending = true;
	obi_loop_wake(rt->loop);
	pthread_mutex_unlock(&rt->lock.mutex);
	pthread_join(rt->thread, NULL);
}

int ob_runtime_new(const struct ob_runtime_options *options, ob_runtime **ret_runtime,
		   struct ob_error *reterr)
{
	struct ob_runtime_options o;
	int r = obi_options_copy(&o, sizeof o, options, reterr);
	if (r < 0) {
		return r;
	}
	if (o.mode > OB_RUNTIME_ATTACHED || (o.loop != NULL) != (o.mode == OB_RUNTIME_ATTACHED)) {
		return obi_fail(
		    reterr, OB_EINVAL, 0,
		    "options: loop must be set if mode is OB_RUNTIME_ATTACHED, and only then");
	}
	if (o.plugin_trust > OB_PLUGIN_TRUST_UNMAPPED) {
		return obi_fail(reterr, OB_EINVAL, 0, "options: plugin_trust is not known");
	}
	struct ob_runtime *rt = calloc(1, sizeof *rt);
	if (rt == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	rt->mode = o.mode;
	rt->remains.cleanups.orphans = &rt->strays;
	pthread_mutex_init(&rt->lock.gate, NULL);
	pthread_mutex_init(&rt->lock.mutex, NULL);
	r = make_registry(rt, &o, reterr);
	r = r == OB_OK ? obi_loop_new(o.loop, o.busy_poll_us, &rt->loop, reterr) : r;
	r = r == OB_OK && o.mode == OB_RUNTIME_THREADED ? start_thread(rt, reterr) : r;
	if (r < 0) {
		ob_runtime_free(rt);
		return r;
	}
	*ret_runtime = rt;
	return OB_OK;
}

void ob_runtime_free(ob_runtime *rt)
{
	if (rt == NULL) {
		return;
	}
	stop_thread(rt);
	obi_loop_drain(rt->loop);
	while (rt->leftovers != NULL) {
		struct obi_leftover *leftover = rt->leftovers;
		obi_leftover_remove(leftover);
		leftover->end(leftover->user);
	}
	obi_orphans_free(&rt->strays);
	obi_key_table_free(&rt->remains.cleanups.pids);
	obi_rename_watch_hub_free(rt->watches);
	obi_loop_close(rt->loop);
	obi_registry_free(rt->registry);
	for (size_t i = 0; rt->plugin_path != NULL && rt->plugin_path[i] != NULL; i++) {
		free(rt->plugin_path[i]);
	}
	free(rt->plugin_path);
	free(rt->plugin_path_text);
	pthread_mutex_destroy(&rt->lock.mutex);
	pthread_mutex_destroy(&rt->lock.gate);
	free(rt);
}

bool ob_runtime_owns_process(const ob_runtime *rt, int32_t pid)
{
	return obi_key_find(&rt->remains.cleanups.pids, (uint64_t)pid) != NULL ||
	       obi_key_find(&rt->strays.table, (uint64_t)pid) != NULL;
}

void obi_leftover_add(struct ob_runtime *rt, struct obi_leftover *leftover)
{
	leftover->next = rt->leftovers;
	leftover->slot = &rt->leftovers;
	if (leftover->next != NULL) {
		leftover->next->slot = &leftover->next;
	}
	rt->leftovers = leftover;
}

void obi_leftover_remove(struct obi_leftover *leftover)
{
	if (leftover->slot == NULL) {
		return;
	}
	*leftover->slot = leftover->next;
	if (leftover->next != NULL) {
		leftover->next->slot = leftover->slot;
	}
	leftover->slot = NULL;
}

/* ---- Threads and callbacks ---- */

static bool on_own_thread(const struct ob_runtime *rt)
{
	return rt->mode == OB_RUNTIME_THREADED && pthread_equal(rt->thread, pthread_self());
}

void obi_enter(struct ob_runtime *rt)
{
	if (rt->mode == OB_RUNTIME_THREADED && !on_own_thread(rt)) {
		obi_loop_lock(&rt->lock);
	}
}

void obi_leave(struct ob_runtime *rt)
{
	if (rt->mode == OB_RUNTIME_THREADED && !on_own_thread(rt)) {
		obi_loop_wake(rt->loop);
		pthread_mutex_unlock(&rt->lock.mutex);
	}
}

bool obi_in_callback(const struct ob_runtime *rt)
{
	switch (rt->mode) {
	case OB_RUNTIME_INLINE:
		return rt->turning;
	case OB_RUNTIME_THREADED:
		return on_own_thread(rt);
	default:
		return true;
	}
}

int obi_check_may_block(struct ob_runtime *rt, struct ob_error *reterr)
{
	if (rt->mode == OB_RUNTIME_ATTACHED) {
		return obi_fail(reterr, OB_EDEADLK, 0,
				"a blocking call is not allowed on an attached runtime");
	}
	if (rt->mode == OB_RUNTIME_INLINE ? rt->turning : on_own_thread(rt)) {
		return obi_fail(reterr, OB_EDEADLK, 0,
				"a blocking call is not allowed inside a callback");
	}
	return OB_OK;
}

static void turn(struct ob_runtime *rt, bool block)
{
	rt->turning = true;
	obi_loop_turn(rt->loop, block);
	rt->turning = false;
}

void obi_runtime_turn(struct ob_runtime *rt)
{
	turn(rt, true);
}

/* ---- Running an inline loop ---- */

struct run_limit {
	struct obi_timer timer;
	bool passed;
};

static void on_run_limit(void *user)
{
	((struct run_limit *)user)->passed = true;
}

int ob_runtime_run(ob_runtime *rt, int64_t timeout_ms)
{
	struct run_limit limit = {.timer = {.fn = on_run_limit, .user = &limit}};
	if (rt->mode != OB_RUNTIME_INLINE || rt->turning) {
		return rt->mode != OB_RUNTIME_INLINE ? OB_ENOTSUP : OB_EDEADLK;
	}
	if (timeout_ms == 0) {
		turn(rt, false); /* the tasks, if there are any, */
		turn(rt, false); /* then what is ready */
		return atomic_exchange(&rt->stop, false) ? OB_OK : OB_ETIMEDOUT;
	}
	if (timeout_ms > 0) {
		obi_timer_set(rt->loop, &limit.timer, timeout_ms);
	}
	while (!limit.passed && !atomic_load(&rt->stop)) {
		turn(rt, true);
	}
	obi_timer_stop(&limit.timer);
	return atomic_exchange(&rt->stop, false) ? OB_OK : OB_ETIMEDOUT;
}

void ob_runtime_stop(ob_runtime *rt)
{
	atomic_store(&rt->stop, true);
	obi_loop_wake(rt->loop);
}

int ob_raise_descriptor_limit(uint64_t *ret_limit, struct ob_error *reterr)
{
	return obi_nofile_raise(ret_limit, reterr);
}
