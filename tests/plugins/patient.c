/* SPDX-License-Identifier: MIT */
/*
 * An authenticator that waits: {"ms": N, "by": "deadline" | "descriptor" | "nothing" | "words" |
 * "sleep",
 * "at": "acceptor" | "dialer" | "done"}. It proves nothing. "nothing" names neither a descriptor
 * nor a time, "sleep" sleeps in step(), and "words" writes a message before it waits: all are
 * mistakes. Without settings it does not wait.
 */
#include <outboard/auth.h>

#include <poll.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct state {
	int64_t ms;
	bool by_descriptor, by_nothing, by_sleep, with_words, at_dialer, at_done;
};

struct ob_auth {
	const struct ob_host *host;
	const struct state *state;
	bool dialer, waiting, waited;
	int said; /* messages of this end */
	int fd;
	int64_t deadline;
};

static bool says(const struct ob_value *settings, const char *key, const char *what)
{
	struct ob_bytes text;
	return ob_get_string(ob_value_find(settings, key), &text) && ob_bytes_is(text, what);
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct state *state = calloc(1, sizeof *state);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	(void)ob_get_int(ob_value_find(settings, "ms"), &state->ms);
	state->by_descriptor = says(settings, "by", "descriptor");
	state->by_nothing = says(settings, "by", "nothing");
	state->by_sleep = says(settings, "by", "sleep");
	state->with_words = says(settings, "by", "words");
	state->at_dialer = says(settings, "at", "dialer");
	state->at_done = says(settings, "at", "done");
	*ret_state = state;
	return OB_OK;
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	*ret_auth = calloc(1, sizeof **ret_auth);
	if (*ret_auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "patient: out of memory");
	}
	**ret_auth = (struct ob_auth){.host = host,
				      .state = params->state,
				      .dialer = params->role == OB_AUTH_DIALER,
				      .fd = -1};
	return OB_OK;
}

/* Whether this step is the one that waits. */
static bool is_due(const struct ob_auth *auth)
{
	bool here = auth->dialer ? auth->state->at_dialer || auth->state->at_done
				 : !auth->state->at_dialer && !auth->state->at_done;
	bool now = auth->state->at_done ? auth->said > 0 : auth->said == 0;
	return auth->state->ms > 0 && here && now && !auth->waited;
}

static int begin_wait(struct ob_auth *auth)
{
	struct itimerspec time = {.it_value = {.tv_sec = auth->state->ms / 1000,
					       .tv_nsec = auth->state->ms % 1000 * 1000000}};
	auth->deadline = auth->state->by_nothing ? -1 : auth->host->now_ms() + auth->state->ms;
	if (auth->state->by_descriptor) {
		auth->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		timerfd_settime(auth->fd, 0, &time, NULL);
	}
	auth->waiting = true;
	return OB_AUTH_WAIT;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	uint64_t times;
	if (is_due(auth) && auth->state->by_sleep) {
		(void)poll(NULL, 0, (int)auth->state->ms);
		auth->waited = true;
	}
	if (is_due(auth) && !auth->waiting) {
		return auth->state->with_words && !ob_sink_text(out, "words") ? OB_ENOMEM
									      : begin_wait(auth);
	}
	if (auth->waiting) {
		bool over = auth->fd >= 0 ? read(auth->fd, &times, sizeof times) > 0
					  : auth->host->now_ms() >= auth->deadline;
		if (!over) {
			return OB_AUTH_WAIT; /* woken too early: wait again */
		}
		auth->waiting = false;
		auth->waited = true;
		if (in.len > 0) {
			return auth->host->fail(reterr, OB_EAUTH, 0, "patient: input after a wait");
		}
	}
	auth->said++;
	return auth->dialer && auth->said == 1 ? OB_AUTH_MORE : OB_AUTH_DONE;
}

static int wait_for(struct ob_auth *auth, struct ob_want *ret_want)
{
	if (auth->fd >= 0) {
		ret_want->fd = auth->fd;
		ret_want->events = OB_READABLE;
	} else {
		ret_want->deadline = auth->deadline;
	}
	return OB_OK;
}

static void destroy(struct ob_auth *auth)
{
	if (auth != NULL && auth->fd >= 0) {
		close(auth->fd);
	}
	free(auth);
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .create = create, .step = step, .wait = wait_for, .destroy = destroy};

static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_AUTH,
					.name = "patient",
					.version = "1",
					.ops = &ops,
					.configure = configure,
					.unconfigure = free};

OB_PLUGIN_ENTRY(&plugin);
