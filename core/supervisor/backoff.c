/* SPDX-License-Identifier: MIT */
#include "supervisor/backoff.h"

#include "base/error.h"

enum { SECOND = 1000 };

/* Ten years: the maximum of every delay. */
static const int64_t LONGEST = (int64_t)10 * 365 * 24 * 3600 * SECOND;

struct ob_restart_policy ob_restart_policy_default(void)
{
	return (struct ob_restart_policy){
	    .max_restarts = 0,
	    .backoff_base_ms = 2 * SECOND,
	    .backoff_max_ms = 60 * SECOND,
	    .reset_window_ms = 300 * SECOND,
	    .jitter = 0,
	};
}

struct ob_restart_policy obi_backoff_policy(const struct ob_restart_policy *given)
{
	struct ob_restart_policy policy = ob_restart_policy_default();
	policy.max_restarts = given->max_restarts;
	policy.jitter = given->jitter;
	policy.on = given->on;
	if (given->backoff_base_ms != 0) {
		policy.backoff_base_ms = given->backoff_base_ms;
	}
	if (given->backoff_max_ms != 0) {
		policy.backoff_max_ms = given->backoff_max_ms;
	}
	if (given->reset_window_ms != 0) {
		policy.reset_window_ms = given->reset_window_ms;
	}
	return policy;
}

const char *obi_backoff_check(const struct ob_restart_policy *policy, const char **ret_reason)
{
	const struct {
		const char *option;
		int64_t value;
	} numbers[] = {
	    {"restart.max_restarts", policy->max_restarts},
	    {"restart.backoff_base_ms", policy->backoff_base_ms},
	    {"restart.backoff_max_ms", policy->backoff_max_ms},
	    {"restart.reset_window_ms", policy->reset_window_ms},
	};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		if (numbers[i].value < -1) {
			*ret_reason = "must not be below -1";
			return numbers[i].option;
		}
	}
	*ret_reason = "must be between 0 and 1";
	return policy->jitter >= 0 && policy->jitter <= 1 ? NULL : "restart.jitter";
}

/* base doubled count times, at most max (negative: no maximum). */
static int64_t backoff(int64_t base, int64_t max, uint32_t count)
{
	int64_t limit = max < 0 || max > LONGEST ? LONGEST : max;
	int64_t delay = base < 0 ? 0 : base;
	while (count > 0 && delay > 0 && delay < limit) {
		delay *= 2;
		count--;
	}
	return delay < limit ? delay : limit;
}

static bool is_long_ago(const struct ob_restart_policy *policy,
			const struct obi_restart_state *state, int64_t now_ms)
{
	if (now_ms < state->last_ms) {
		return true;
	}
	return policy->reset_window_ms >= 0 && now_ms - state->last_ms > policy->reset_window_ms;
}

static void count_restart(struct obi_restart_state *state, uint32_t before, int64_t now_ms)
{
	state->count = before < UINT32_MAX ? before + 1 : before;
	state->last_ms = now_ms;
	state->total++;
}

void obi_backoff_count(const struct ob_restart_policy *given, struct obi_restart_state *state,
		       int64_t now_ms)
{
	struct ob_restart_policy policy = obi_backoff_policy(given);
	count_restart(state, is_long_ago(&policy, state, now_ms) ? 0 : state->count, now_ms);
}

bool obi_backoff_version(struct obi_restart_state *state)
{
	bool is_repeated = state->versions > 0;
	state->versions += state->versions < UINT32_MAX;
	return is_repeated;
}

void obi_backoff_lived(const struct ob_restart_policy *given, struct obi_restart_state *state,
		       int64_t well_ms)
{
	struct ob_restart_policy policy = obi_backoff_policy(given);
	if (policy.reset_window_ms >= 0 && well_ms > policy.reset_window_ms) {
		state->versions = 0;
	}
}

bool obi_backoff_next(const struct ob_restart_policy *given, struct obi_restart_state *state,
		      int64_t now_ms, double random, int64_t *ret_delay_ms)
{
	struct ob_restart_policy policy = obi_backoff_policy(given);
	uint32_t count = is_long_ago(&policy, state, now_ms) ? 0 : state->count;
	if (policy.max_restarts < 0 ||
	    (policy.max_restarts > 0 && count >= (uint32_t)policy.max_restarts)) {
		return false;
	}
	int64_t delay = backoff(policy.backoff_base_ms, policy.backoff_max_ms, count);
	delay -= (int64_t)((double)delay * policy.jitter * random);
	count_restart(state, count, now_ms);
	*ret_delay_ms = delay;
	return true;
}
