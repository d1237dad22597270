/* SPDX-License-Identifier: MIT */
#include "conformance/auth_trial.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>

enum { CANARY = 0xc7, CANARIES = 16 };

/* step() may be slow, but may not sleep for so long; and no wait of a suite takes longer. */
enum { AWAKE_MS = 20, WAIT_MAX_MS = 10000 };

const char *obi_mech_end_text(int end)
{
	return end == OBI_DIALER ? "dialer" : "acceptor";
}

bool obi_mech_needs_seal(const struct obi_mech_trial *trial)
{
	return (trial->ops->flags & OB_AUTH_NEEDS_SEAL) != 0;
}

/* Behind what seals, the channel binding is a part of it. */
static struct ob_bytes prologue_of(const struct obi_mech_trial *trial)
{
	static const char plain[] = "outboard/1, a codec, a list of mechanisms";
	static const char bound[] = "outboard/1, a codec, a list of mechanisms\0\4seal\0\40"
				    "a channel binding of 32 bytes...";
	return obi_mech_needs_seal(trial) ? ob_bytes_of(bound, sizeof bound - 1)
					  : ob_bytes_of(plain, sizeof plain - 1);
}

void obi_mech_lift(struct obi_mech_trial *trial)
{
	if (trial->outcome.verdict == OBI_VERDICT_FAIL && obi_mech_needs_seal(trial)) {
		OBI_SKIP(trial, "it is used behind a seal only, which protects what it sends");
	}
}

bool obi_mech_is_local(const struct obi_mech_trial *trial)
{
	return (trial->ops->flags & OB_AUTH_LOCAL_ONLY) != 0;
}

/* ---- Ends ---- */

void obi_mech_agree(struct obi_mech_trial *trial, struct obi_mech_talk *talk)
{
	static const uint32_t roles[] = {OB_AUTH_DIALER, OB_AUTH_ACCEPTOR};
	memset(talk, 0, sizeof *talk);
	for (int i = 0; i < 2; i++) {
		talk->params[i] = (struct ob_auth_params){
		    .size = sizeof talk->params[i],
		    .role = roles[i],
		    .state = trial->state[i],
		    .secret = ob_bytes_of(trial->secret[0], OBI_MECH_SECRET),
		    .peer = &trial->peer,
		    .prologue = prologue_of(trial),
		    .parent_dials = true,
		    .allowed_uid = (uint32_t)-1,
		};
	}
}

bool obi_mech_make(struct obi_mech_trial *trial, const struct ob_auth_params *params,
		   struct ob_auth **ret)
{
	struct ob_error err = {.text = ""};
	*ret = NULL;
	int rc = trial->ops->create(trial->host, params, ret, &err);
	if (rc != OB_OK || *ret == NULL) {
		*ret = NULL;
		return OBI_FAIL(trial, "create: code %d: %s", rc, err.text);
	}
	return true;
}

bool obi_mech_needs_no_secret(struct obi_mech_trial *trial)
{
	struct obi_mech_talk *talk = &trial->talk[0];
	struct ob_auth *end = NULL;
	obi_mech_agree(trial, talk);
	talk->params[0].secret = ob_bytes_of(NULL, 0);
	int rc = trial->ops->create(trial->host, &talk->params[0], &end, NULL);
	if (rc == OB_OK) {
		trial->ops->destroy(end);
	}
	return rc == OB_OK;
}

/* Waiting in step() holds up the whole program. Whoever is only slow is not asleep meanwhile. */
static int step_awake(struct obi_mech_trial *trial, struct ob_auth *end, struct ob_bytes in,
		      struct ob_sink *out, struct ob_error *reterr)
{
	struct rusage before, after;
	int64_t began = trial->host->now_ms();
	getrusage(RUSAGE_THREAD, &before);
	int rc = trial->ops->step(end, in, out, reterr);
	getrusage(RUSAGE_THREAD, &after);
	int64_t took = trial->host->now_ms() - began;
	if (took > AWAKE_MS && after.ru_nvcsw > before.ru_nvcsw) {
		OBI_FAIL(trial, "step slept for %d ms: return OB_AUTH_WAIT", (int)took);
	}
	return rc;
}

/* Wait for what the end waits for. False: the trial failed. */
static bool wait_for(struct obi_mech_trial *trial, struct ob_auth *end, const struct ob_sink *out,
		     int64_t until)
{
	struct ob_want want = {.fd = -1, .deadline = -1};
	int64_t now = trial->host->now_ms();
	int rc = trial->ops->wait != NULL ? trial->ops->wait(end, &want) : OB_EPLUGIN;
	if (rc != OB_OK || (want.fd < 0 && want.deadline < 0)) {
		return OBI_FAIL(trial, "step returns OB_AUTH_WAIT, and wait() names nothing: %d",
				rc);
	}
	if (out->len > 0 || now >= until) {
		return OBI_FAIL(trial, out->len > 0 ? "step writes a message and waits"
						    : "it waits for more than 10 s");
	}
	int64_t end_ms = want.deadline >= 0 && want.deadline < until ? want.deadline : until;
	struct pollfd p = {.fd = want.fd,
			   .events = (short)((want.events & OB_READABLE ? POLLIN : 0) |
					     (want.events & OB_WRITABLE ? POLLOUT : 0))};
	(void)poll(&p, want.fd >= 0, end_ms > now ? (int)(end_ms - now) : 0);
	return true;
}

int obi_mech_step(struct obi_mech_trial *trial, struct ob_auth *end, struct ob_bytes in,
		  size_t room, struct obi_mech_message *ret, struct ob_error *reterr)
{
	uint8_t memory[OBI_MECH_MESSAGE + CANARIES];
	memset(memory, CANARY, sizeof memory);
	struct ob_sink out = ob_sink_fixed(memory, room);
	int rc = step_awake(trial, end, in, &out, reterr);
	for (int64_t until = trial->host->now_ms() + WAIT_MAX_MS;
	     rc == OB_AUTH_WAIT && wait_for(trial, end, &out, until);) {
		rc = step_awake(trial, end, ob_bytes_of(NULL, 0), &out, reterr);
	}
	for (size_t i = room; i < sizeof memory; i++) {
		if (memory[i] != CANARY) {
			OBI_FAIL(trial, "step writes beyond the %zu bytes of its sink", room);
			break;
		}
	}
	if (rc > OB_AUTH_MORE) {
		OBI_FAIL(trial, "step returns the unknown state %d", rc);
	}
	ret->len = out.len <= room ? out.len : 0;
	memcpy(ret->bytes, memory, ret->len);
	return rc >= 0 && out.failed ? OB_ETOOBIG : rc;
}

/* ---- Both ---- */

/* One step of an end. Its message is recorded, and *arrives is what the other end receives. */
static int speak(struct obi_mech_trial *trial, struct obi_mech_talk *talk, int who,
		 struct obi_mech_message *arrives)
{
	struct obi_mech_message *sent = &talk->sent[talk->count];
	struct ob_bytes in = ob_bytes_of(arrives->bytes, arrives->len);
	talk->said[who] =
	    obi_mech_step(trial, talk->end[who], in, OBI_MECH_MESSAGE, sent, &talk->err);
	if (talk->said[who] >= 0) {
		*arrives = *sent;
		if (talk->meddle != NULL) {
			talk->meddle(talk, talk->count, arrives);
		}
		talk->count++;
	}
	return talk->said[who];
}

/* Deliver what the acceptor wrote when it was done. The dialer must not answer. */
static void tell_dialer(struct obi_mech_trial *trial, struct obi_mech_talk *talk,
			const struct obi_mech_message *last)
{
	struct obi_mech_message none;
	struct ob_bytes in = ob_bytes_of(last->bytes, last->len);
	if (talk->said[OBI_DIALER] == OB_AUTH_DONE) {
		talk->said[OBI_DIALER] = last->len == 0 ? OB_AUTH_DONE : OB_EAUTH;
	} else {
		talk->said[OBI_DIALER] =
		    obi_mech_step(trial, talk->end[OBI_DIALER], in, 0, &none, &talk->err);
	}
}

static void converse(struct obi_mech_trial *trial, struct obi_mech_talk *talk, uint32_t messages)
{
	struct obi_mech_message arrives = {.len = 0};
	talk->said[0] = talk->said[1] = OB_AUTH_MORE;
	while (talk->count + 2 <= messages && OBI_PASSED(trial)) {
		if (talk->said[OBI_DIALER] == OB_AUTH_DONE) {
			/* The acceptor asks for a message that does not exist. */
			talk->said[OBI_DIALER] = OB_EAUTH;
			return;
		}
		if (speak(trial, talk, OBI_DIALER, &arrives) < 0 ||
		    speak(trial, talk, OBI_ACCEPTOR, &arrives) < 0) {
			return;
		}
		if (talk->said[OBI_ACCEPTOR] == OB_AUTH_DONE) {
			tell_dialer(trial, talk, &arrives);
			return;
		}
	}
}

bool obi_mech_run(struct obi_mech_trial *trial, struct obi_mech_talk *talk, uint32_t messages)
{
	talk->count = 0;
	if (!obi_mech_make(trial, &talk->params[0], &talk->end[0]) ||
	    !obi_mech_make(trial, &talk->params[1], &talk->end[1])) {
		return false;
	}
	converse(trial, talk, messages);
	return OBI_PASSED(trial);
}

void obi_mech_end(struct obi_mech_trial *trial, struct obi_mech_talk *talk)
{
	for (int i = 0; i < 2; i++) {
		if (talk->end[i] != NULL) {
			trial->ops->destroy(talk->end[i]);
			talk->end[i] = NULL;
		}
	}
}

bool obi_mech_cross(struct obi_mech_trial *trial, struct obi_mech_talk *talk, int from,
		    uint8_t *record, size_t len)
{
	static uint8_t plain[65536];
	memcpy(plain, record, len);
	ptrdiff_t n = trial->ops->seal(talk->end[from], record, len);
	if (n != (ptrdiff_t)(len + trial->ops->overhead)) {
		return false;
	}
	return trial->ops->open(talk->end[1 - from], record, (size_t)n) == (ptrdiff_t)len &&
	       memcmp(record, plain, len) == 0;
}

bool obi_mech_passed(struct obi_mech_trial *trial, struct obi_mech_talk *talk)
{
	static uint8_t record[65536];
	if (talk->said[OBI_DIALER] != OB_AUTH_DONE || talk->said[OBI_ACCEPTOR] != OB_AUTH_DONE) {
		return false;
	}
	if (trial->ops->seal == NULL) {
		return true;
	}
	memset(record, 'r', 64);
	return obi_mech_cross(trial, talk, OBI_DIALER, record, 64) &&
	       obi_mech_cross(trial, talk, OBI_ACCEPTOR, record, 64);
}

bool obi_mech_pair(struct obi_mech_trial *trial, struct obi_mech_talk *talk)
{
	obi_mech_end(trial, talk);
	obi_mech_agree(trial, talk);
	if (!obi_mech_run(trial, talk, OBI_MECH_MESSAGES)) {
		return false;
	}
	return obi_mech_passed(trial, talk) ||
	       OBI_FAIL(trial,
			"two ends with the same secret and prologue: the dialer returns %d and the "
			"acceptor %d after %u messages: %s",
			talk->said[0], talk->said[1], talk->count, talk->err.text);
}
