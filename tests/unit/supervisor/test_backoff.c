/* SPDX-License-Identifier: MIT */
/* The restart arithmetic, in exact numbers. */
#include "supervisor/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { S = 1000 };

/* Restart as soon as each delay is over, and check every delay. */
static void expect_delays(const struct ob_restart_policy *policy, const int64_t *delays,
			  size_t times)
{
	struct obi_restart_state state = {0};
	int64_t now = 7 * S;
	for (size_t i = 0; i < times; i++) {
		int64_t delay = -5;
		assert_true(obi_backoff_next(policy, &state, now, 0, &delay));
		assert_int_equal(delay, delays[i]);
		assert_int_equal(state.count, i + 1);
		assert_int_equal(state.total, i + 1);
		assert_int_equal(state.last_ms, now);
		now += delay;
	}
}

static void default_delays_are_2_4_8_16_32_60_60(void **unused)
{
	(void)unused;
	const struct ob_restart_policy zero = {0};
	const struct ob_restart_policy spelled = ob_restart_policy_default();
	const int64_t delays[] = {2 * S, 4 * S, 8 * S, 16 * S, 32 * S, 60 * S, 60 * S, 60 * S};
	expect_delays(&zero, delays, 8);
	expect_delays(&spelled, delays, 8);
}

static void each_default_applies_for_itself(void **unused)
{
	(void)unused;
	struct ob_restart_policy policy = {.backoff_base_ms = 500};
	const int64_t small[] = {500, 1 * S, 2 * S, 4 * S, 8 * S, 16 * S, 32 * S, 60 * S};
	expect_delays(&policy, small, 8);
	policy = (struct ob_restart_policy){.backoff_max_ms = 5 * S};
	const int64_t capped[] = {2 * S, 4 * S, 5 * S, 5 * S};
	expect_delays(&policy, capped, 4);
}

static void base_above_max_is_clamped_from_the_first(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.backoff_base_ms = 90 * S};
	const int64_t delays[] = {60 * S, 60 * S};
	expect_delays(&policy, delays, 2);
}

static void minus_one_is_none(void **unused)
{
	(void)unused;
	struct ob_restart_policy policy = {.backoff_base_ms = -1};
	const int64_t none[] = {0, 0, 0};
	expect_delays(&policy, none, 3);

	policy = (struct ob_restart_policy){.backoff_max_ms = -1};
	const int64_t unlimited[] = {2 * S, 4 * S, 8 * S, 16 * S, 32 * S, 64 * S, 128 * S, 256 * S};
	expect_delays(&policy, unlimited, 8);

	struct obi_restart_state state = {0};
	int64_t delay;
	policy = (struct ob_restart_policy){.max_restarts = -1};
	assert_false(obi_backoff_next(&policy, &state, 0, 0, &delay));
	assert_int_equal(state.total, 0);

	state = (struct obi_restart_state){.count = 3, .last_ms = 1};
	policy = (struct ob_restart_policy){.reset_window_ms = -1};
	assert_true(obi_backoff_next(&policy, &state, INT64_MAX / 2, 0, &delay));
	assert_int_equal(delay, 16 * S);
}

static void doubling_never_overflows(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.backoff_max_ms = -1, .reset_window_ms = -1};
	struct obi_restart_state state = {.count = UINT32_MAX};
	int64_t delay;
	assert_true(obi_backoff_next(&policy, &state, 1, 0, &delay));
	assert_int_equal(delay, (int64_t)10 * 365 * 24 * 3600 * S);
	assert_int_equal(state.count, UINT32_MAX);
}

static void count_begins_anew_behind_the_window(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {0};
	struct obi_restart_state state = {.count = 4, .last_ms = 1000, .total = 9};
	int64_t delay;
	/* Exactly the window is not further back than the window. */
	assert_true(obi_backoff_next(&policy, &state, 1000 + 300 * S, 0, &delay));
	assert_int_equal(delay, 32 * S);
	assert_int_equal(state.count, 5);
	assert_true(obi_backoff_next(&policy, &state, 1000 + 600 * S + 1, 0, &delay));
	assert_int_equal(delay, 2 * S);
	assert_int_equal(state.count, 1);
	assert_int_equal(state.total, 11);
}

static void last_restart_in_the_future_is_of_another_boot(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.max_restarts = 1};
	struct obi_restart_state state = {.count = 1, .last_ms = 5000};
	int64_t delay;
	assert_true(obi_backoff_next(&policy, &state, 4999, 0, &delay));
	assert_int_equal(delay, 2 * S);
	assert_int_equal(state.count, 1);
}

static void gives_up_at_max_and_again_after_that(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.max_restarts = 2};
	struct obi_restart_state state = {0};
	int64_t delay = -5;
	assert_true(obi_backoff_next(&policy, &state, 10, 0, &delay));
	assert_true(obi_backoff_next(&policy, &state, 20, 0, &delay));
	delay = -5;
	assert_false(obi_backoff_next(&policy, &state, 30, 0, &delay));
	assert_false(obi_backoff_next(&policy, &state, 40, 0, &delay));
	assert_int_equal(delay, -5);
	assert_int_equal(state.count, 2);
	assert_int_equal(state.last_ms, 20);

	obi_restart_state_clear(&state);
	assert_int_equal(state.total, 2);
	assert_true(obi_backoff_next(&policy, &state, 50, 0, &delay));
	assert_int_equal(delay, 2 * S);
}

static void jitter_shortens_by_its_share_at_most(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.jitter = 0.5};
	const double random[] = {0, 0.5, 0.999999};
	const int64_t delays[] = {2000, 1500, 1001};
	for (size_t i = 0; i < 3; i++) {
		struct obi_restart_state state = {0};
		int64_t delay;
		assert_true(obi_backoff_next(&policy, &state, 1, random[i], &delay));
		assert_int_equal(delay, delays[i]);
	}
}

static void policy_out_of_range_is_refused_by_name(void **unused)
{
	(void)unused;
	const struct {
		struct ob_restart_policy policy;
		const char *option;
		const char *reason;
	} bad[] = {
	    {{.max_restarts = -2}, "restart.max_restarts", "must not be below -1"},
	    {{.backoff_base_ms = -2}, "restart.backoff_base_ms", "must not be below -1"},
	    {{.backoff_max_ms = INT64_MIN}, "restart.backoff_max_ms", "must not be below -1"},
	    {{.reset_window_ms = -7}, "restart.reset_window_ms", "must not be below -1"},
	    {{.jitter = 1.01}, "restart.jitter", "must be between 0 and 1"},
	    {{.jitter = __builtin_nan("")}, "restart.jitter", "must be between 0 and 1"},
	};
	const char *reason;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_string_equal(obi_backoff_check(&bad[i].policy, &reason), bad[i].option);
		assert_string_equal(reason, bad[i].reason);
	}
	const struct ob_restart_policy good = {-1, -1, -1, -1, 1, 0};
	assert_null(obi_backoff_check(&good, &reason));
}

/* A restart that the child has done by itself. */
static void counted_restarts_are_like_decided_ones(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.max_restarts = 2, .backoff_base_ms = 5};
	struct obi_restart_state state = {0};
	int64_t delay = -5;
	obi_backoff_count(&policy, &state, 10 * S);
	assert_int_equal(state.count, 1);
	assert_int_equal(state.total, 1);
	assert_int_equal(state.last_ms, 10 * S);
	assert_true(obi_backoff_next(&policy, &state, 11 * S, 0, &delay));
	assert_int_equal(delay, 10);
	assert_false(obi_backoff_next(&policy, &state, 12 * S, 0, &delay));
	obi_backoff_count(&policy, &state, 12 * S); /* nobody can forbid it */
	assert_int_equal(state.count, 3);
	obi_backoff_count(&policy, &state, 12 * S + 300 * S + 1);
	assert_int_equal(state.count, 1);
	assert_int_equal(state.total, 4);
	state = (struct obi_restart_state){.count = UINT32_MAX, .last_ms = 1};
	obi_backoff_count(&policy, &state, 1);
	assert_int_equal(state.count, UINT32_MAX);
}

static void fault_89_the_second_version_restart_in_a_row_counts(void **unused)
{
	(void)unused;
	const struct ob_restart_policy policy = {.reset_window_ms = 10 * S};
	const struct ob_restart_policy never = {.reset_window_ms = -1};
	struct obi_restart_state state = {0};
	assert_false(obi_backoff_version(&state));
	assert_true(obi_backoff_version(&state));
	obi_backoff_lived(&policy, &state, 10 * S);
	assert_true(obi_backoff_version(&state));
	obi_backoff_lived(&never, &state, INT64_MAX);
	assert_true(obi_backoff_version(&state));
	obi_backoff_lived(&policy, &state, 10 * S + 1);
	assert_false(obi_backoff_version(&state));
	obi_restart_state_clear(&state);
	assert_false(obi_backoff_version(&state));
	state.versions = UINT32_MAX;
	assert_true(obi_backoff_version(&state));
	assert_int_equal(state.versions, UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(default_delays_are_2_4_8_16_32_60_60),
	    cmocka_unit_test(each_default_applies_for_itself),
	    cmocka_unit_test(base_above_max_is_clamped_from_the_first),
	    cmocka_unit_test(minus_one_is_none),
	    cmocka_unit_test(doubling_never_overflows),
	    cmocka_unit_test(count_begins_anew_behind_the_window),
	    cmocka_unit_test(last_restart_in_the_future_is_of_another_boot),
	    cmocka_unit_test(gives_up_at_max_and_again_after_that),
	    cmocka_unit_test(jitter_shortens_by_its_share_at_most),
	    cmocka_unit_test(policy_out_of_range_is_refused_by_name),
	    cmocka_unit_test(counted_restarts_are_like_decided_ones),
	    cmocka_unit_test(fault_89_the_second_version_restart_in_a_row_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
