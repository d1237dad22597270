/* SPDX-License-Identifier: MIT */
/* Handshakes under trial: both ends in one thread, step by step, as the core does it. */
#include "conformance/transport_trial.h"

#include <fcntl.h>

enum { SPIN = 100 }; /* steps of both ends without a change */

bool obi_trial_shakes(const struct obi_trial *trial)
{
	return trial->ops->handshake != NULL;
}

static bool wants_something(const struct ob_want *want)
{
	return want->deadline >= 0 ||
	       (want->fd >= 0 && want->events != 0 && fcntl(want->fd, F_GETFD) >= 0);
}

static int judge(struct obi_trial *trial, const struct obi_shake *s, int state)
{
	if (state < 0 && s->err.text[0] == '\0') {
		OBI_FAIL(trial, "a handshake fails with code %d and no error text", state);
	} else if (state == OB_EAGAIN) {
		OBI_FAIL(trial, "handshake returns OB_EAGAIN, which is not a state");
	} else if (state > OB_HANDSHAKE_PROVEN) {
		OBI_FAIL(trial, "handshake returns the unknown state %d", state);
	} else if (state > 0 && !wants_something(&s->want)) {
		OBI_FAIL(trial, "handshake returns without a descriptor or a deadline to wait for");
	}
	return state;
}

int obi_trial_step(struct obi_trial *trial, struct obi_shake *s, int revents)
{
	s->want = (struct ob_want){.fd = -1, .deadline = -1};
	s->err.text[0] = '\0';
	s->state = judge(trial, s,
			 trial->ops->handshake(s->stream, revents & OBI_EVENTS, &s->want, &s->err));
	s->steps++;
	return s->state;
}

bool obi_trial_shaking(const struct obi_shake *s)
{
	return s->state > 0;
}

static short poll_events(const struct ob_want *want)
{
	return (short)((want->events & OB_READABLE ? POLLIN : 0) |
		       (want->events & OB_WRITABLE ? POLLOUT : 0));
}

static int revents_of(const struct pollfd *got)
{
	return (got->revents & (POLLIN | POLLHUP | POLLERR) ? OB_READABLE : 0) |
	       (got->revents & (POLLOUT | POLLHUP | POLLERR) ? OB_WRITABLE : 0);
}

/* Wait until one of the ends has something to do. Returns which: bits. 0: neither has. */
static int wait_for_ends(const struct obi_trial *trial, struct obi_shake *const ends[2],
			 int64_t end, int revents[2])
{
	struct pollfd fds[2];
	int64_t until = end, now;
	int due = 0;
	for (int i = 0; i < 2; i++) {
		bool waits = ends[i] != NULL && obi_trial_shaking(ends[i]);
		fds[i] = (struct pollfd){.fd = waits ? ends[i]->want.fd : -1,
					 .events = waits ? poll_events(&ends[i]->want) : 0};
		if (waits && ends[i]->want.deadline >= 0 && ends[i]->want.deadline < until) {
			until = ends[i]->want.deadline;
		}
	}
	(void)obi_trial_poll(trial, fds, 2, until);
	now = trial->it->host->now_ms();
	for (int i = 0; i < 2; i++) {
		revents[i] = fds[i].fd >= 0 ? revents_of(&fds[i]) : 0;
		bool timed = ends[i] != NULL && obi_trial_shaking(ends[i]) &&
			     ends[i]->want.deadline >= 0 && ends[i]->want.deadline <= now;
		due |= (revents[i] != 0 || timed) << i;
	}
	return due;
}

bool obi_trial_shake_on(struct obi_trial *trial, struct obi_shake *one, struct obi_shake *other,
			int64_t end)
{
	struct obi_shake *const ends[2] = {one, other};
	int revents[2];
	int due = wait_for_ends(trial, ends, end, revents);
	for (int i = 0; i < 2; i++) {
		if ((due & 1 << i) != 0 && OBI_PASSED(trial)) {
			(void)obi_trial_step(trial, ends[i], revents[i]);
		}
	}
	return due != 0;
}

bool obi_trial_greet(struct obi_trial *trial, struct ob_stream *client, struct ob_stream *server)
{
	struct obi_shake ends[2] = {{.stream = client}, {.stream = server}};
	int64_t end = trial->it->host->now_ms() + obi_trial_patience(trial);
	if (!obi_trial_shakes(trial)) {
		return true;
	}
	(void)obi_trial_step(trial, &ends[0], 0);
	(void)obi_trial_step(trial, &ends[1], 0);
	while (OBI_PASSED(trial) && (ends[0].state > 0 || ends[1].state > 0)) {
		for (int i = 0; i < 2; i++) {
			if (ends[i].state < 0) {
				return OBI_FAIL(trial, "the handshake of the %s: code %d: %s",
						i == 0 ? "dialer" : "acceptor", ends[i].state,
						ends[i].err.text);
			}
		}
		if (!obi_trial_shake_on(trial, &ends[0], &ends[1], end)) {
			return OBI_FAIL(trial, "the handshake is not complete in %d ms",
					obi_trial_patience(trial));
		}
	}
	return OBI_PASSED(trial) &&
	       ((ends[0].state == 0 && ends[1].state == 0) ||
		OBI_FAIL(trial, "the handshake: codes %d and %d: %s%s", ends[0].state,
			 ends[1].state, ends[0].err.text, ends[1].err.text));
}

bool obi_trial_rests(struct obi_trial *trial, struct obi_shake *s, int64_t ms)
{
	int64_t end = trial->it->host->now_ms() + ms;
	uint32_t before = s->steps;
	while (OBI_PASSED(trial) && obi_trial_shaking(s) && trial->it->host->now_ms() < end) {
		(void)obi_trial_shake_on(trial, s, NULL, end);
		if (s->steps - before > SPIN) {
			return OBI_FAIL(trial, "handshake waits for what is ready: it spins");
		}
	}
	return OBI_PASSED(trial);
}

/* ---- Streams ---- */

bool obi_trial_pending(const struct obi_trial *trial, struct ob_stream *stream)
{
	return trial->ops->pending != NULL && trial->ops->pending(stream);
}

struct pollfd obi_trial_watch(const struct obi_trial *trial, struct ob_stream *stream, int events)
{
	int wanted = trial->ops->want != NULL ? trial->ops->want(stream, events) : events;
	return (struct pollfd){.fd = trial->ops->fd(stream),
			       .events = poll_events(&(struct ob_want){.events = wanted})};
}

bool obi_trial_wait_stream(struct obi_trial *trial, struct ob_stream *stream, int events)
{
	if ((events & OB_READABLE) != 0 && obi_trial_pending(trial, stream)) {
		return obi_trial_goes_on(trial);
	}
	struct pollfd wait = obi_trial_watch(trial, stream, events);
	return obi_trial_await(trial, &wait, 1,
			       events & OB_READABLE ? "the descriptor did not become readable"
						    : "the descriptor did not become writable");
}

bool obi_trial_announce(struct obi_trial *trial, struct ob_stream *stream)
{
	struct ob_error err = {.text = ""};
	int rc;
	while ((rc = trial->ops->shutdown_write(stream, &err)) == OB_EAGAIN) {
		if (!obi_trial_wait_stream(trial, stream, OB_WRITABLE)) {
			return false;
		}
	}
	return rc == OB_OK || OBI_FAIL(trial, "shutdown_write: code %d: %s", rc, err.text);
}

bool obi_trial_depart(struct obi_trial *trial, struct ob_stream *stream)
{
	bool well =
	    (trial->ops->flags & OB_TRANSPORT_SEALED) == 0 || obi_trial_announce(trial, stream);
	obi_trial_close(trial, stream);
	return well;
}
