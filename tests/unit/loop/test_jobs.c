/* SPDX-License-Identifier: MIT */
/* Jobs of other threads, while the loop is closed. */
#include "loop/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* What a thread does that notifies and then answers a deferred call: the second job frees what the
 * first one uses, in its own thread if it is refused. */
struct work {
	struct obi_job first, second;
	struct obi_loop *loop;
	bool first_ran, accepted, early, late;
};

static void run_second(struct obi_job *job)
{
	struct work *w = (struct work *)(void *)((char *)job - offsetof(struct work, second));
	w->early = !w->first_ran;
	w->late = w->accepted;
}

/* The other thread comes to its second job while the loop is at the first one. */
static void run_first(struct obi_job *job)
{
	struct work *w = (struct work *)(void *)job;
	w->second.fn = run_second;
	w->accepted = obi_loop_post(w->loop, &w->second);
	w->first_ran = true;
}

static void a_job_is_refused_only_when_all_before_it_have_run(void **unused)
{
	(void)unused;
	struct work w = {.first = {.fn = run_first}};
	assert_int_equal(obi_loop_new(NULL, 0, &w.loop, NULL), OB_OK);
	(void)obi_loop_ref(w.loop);
	assert_true(obi_loop_post(w.loop, &w.first));
	obi_loop_close(w.loop);
	assert_true(w.first_ran);
	assert_true(w.accepted);
	assert_true(w.late); /* it ran, too */
	assert_false(w.early);
	assert_false(obi_loop_post(w.loop, &w.first));
	obi_loop_unref(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_job_is_refused_only_when_all_before_it_have_run),
	};
	return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
