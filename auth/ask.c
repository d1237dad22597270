/* SPDX-License-Identifier: MIT */
/*
 * The ask authenticator: a helper, a program of its own in any language, decides. For each exchange
 * it is connected to over a unix socket, asked with each message of the peer, and answers what to
 * say, who the peer is, or that it is refused: docs/PROTOCOL.md has the interface, outboard-ask.
 *
 * A dialer needs no helper for an exchange of one message, such as a token or a password: its
 * settings have that. Such a message may be shown to whoever answers, so ask needs a seal. It is
 * for clients only: whether a helper answers must not decide whether a parent reaches its child.
 *
 * The helper may be slow, dead, silent or wrong: then the peer is refused, within the timeout.
 * OB_EDOWN says that the helper could not be asked, which does not count against the peer;
 * OB_EREMOTE that it has been asked and did not answer properly, which does, since the peer may
 * have brought it about.
 */
#include "auth/ask/answer.h"
#include "auth/ask/link.h"
#include "auth/ask/question.h"

#include <stdlib.h>

enum { ANSWER_BUDGET = (1024 + 20 * OBI_ASK_MESSAGE / 1024) * 1024 };

enum stage { BEGINNING, SAID, ASKING, ANSWERED, OVER };

struct ob_auth {
	const struct ob_host *host;
	const struct obi_ask_settings *settings;
	uint32_t role;
	const struct ob_peer *peer;
	struct ob_bytes prologue;
	enum stage stage;

	/* With a helper. */
	struct obi_ask_link link;
	struct obi_ask_arena arena; /* of the last answer */
	struct obi_ask_answer answer;
	uint32_t id; /* of the last question */
	int64_t deadline;
};

static int fail(struct ob_auth *auth, int code, struct ob_error *reterr, const char *why)
{
	return auth->host->fail(reterr, code, 0, "ask: %s", why);
}

/* ---- A message from the settings ---- */

static int say(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
	       struct ob_error *reterr)
{
	struct ob_error err = {.text = ""};
	if (in.len > 0) {
		return fail(auth, OB_EAUTH, reterr,
			    "the other end sent a message, and send has no answer to it");
	}
	if (auth->stage == SAID) {
		auth->stage = OVER;
		return OB_AUTH_DONE;
	}
	int r = obi_ask_settings_message(auth->settings, out, &err);
	if (r < 0) {
		return fail(auth, r, reterr, err.text);
	}
	auth->stage = SAID;
	return OB_AUTH_MORE;
}

/* ---- A question to the helper ---- */

static int write_question(struct ob_auth *auth, struct ob_bytes in, struct ob_error *reterr)
{
	const struct ob_codec_params params = obi_ask_link_codec_params(&auth->link);
	const struct obi_ask_question question = {.id = ++auth->id,
						  .role = auth->role,
						  .data = in,
						  .prologue = auth->prologue,
						  .peer = auth->peer,
						  .state = auth->answer.state};
	struct ob_error err = {.text = ""};
	int r = obi_ask_question_write(&question, auth->settings->codec, &params,
				       obi_ask_link_question(&auth->link), &err);
	if (r == OB_ENOMEM) {
		return fail(auth, OB_EREMOTE, reterr,
			    "a question does not fit into 32 KiB: the state of the helper is too "
			    "large");
	}
	return r < 0 ? fail(auth, OB_EREMOTE, reterr, err.text) : OB_OK;
}

static int begin_question(struct ob_auth *auth, struct ob_bytes in, struct ob_error *reterr)
{
	if (auth->link.to == NULL) {
		int r = obi_ask_link_open(&auth->link, auth->settings, reterr);
		if (r < 0) {
			return r;
		}
	}
	int r = write_question(auth, in, reterr);
	memset(&auth->answer, 0, sizeof auth->answer);
	obi_ask_arena_clear(&auth->arena);
	obi_ask_link_take(&auth->link);
	auth->deadline = auth->host->now_ms() + auth->settings->timeout_ms;
	auth->stage = ASKING;
	return r;
}

/* ---- Its answer ---- */

static int misled(struct ob_auth *auth, const char *why, struct ob_error *reterr)
{
	return auth->host->fail(reterr, OB_EREMOTE, 0, "ask: the helper at %.100s answers %.300s",
				obi_ask_link_name(&auth->link), why);
}

/* 1: it was a notification. */
static int read_message(struct ob_auth *auth, struct ob_bytes bytes, struct ob_error *reterr)
{
	const struct ob_codec_params params = obi_ask_link_codec_params(&auth->link);
	/* One that has no room for batches and for messages that are to be answered. */
	struct ob_message message = {.size = offsetof(struct ob_message, items)};
	char why[OBI_ASK_WHY];
	int r = auth->settings->codec->decode(bytes, &auth->arena.ob, &params, &message, NULL);
	if (r < 0) {
		return misled(auth, "what is not a message", reterr);
	}
	if (obi_ask_is_notification(&message)) {
		return 1;
	}
	return obi_ask_answer_read(&message, auth->id, auth->role == OB_AUTH_ACCEPTOR,
				   &auth->answer, why)
		   ? OB_OK
		   : misled(auth, why, reterr);
}

static int too_late(struct ob_auth *auth, struct ob_error *reterr)
{
	return auth->host->fail(reterr, auth->link.asked ? OB_EREMOTE : OB_EDOWN, 0,
				"ask: the helper at %.200s does not answer within %lld ms",
				obi_ask_link_name(&auth->link),
				(long long)auth->settings->timeout_ms);
}

/* OB_OK: the answer is there. OB_EAGAIN: wait for it. */
static int await(struct ob_auth *auth, struct ob_error *reterr)
{
	struct ob_error err = {.text = ""};
	for (;;) {
		struct ob_bytes bytes;
		int r = obi_ask_link_turn(&auth->link, &bytes, &err);
		if (r == OB_EAGAIN) {
			return auth->host->now_ms() >= auth->deadline ? too_late(auth, reterr) : r;
		}
		r = r < 0 ? fail(auth, r, reterr, err.text) : read_message(auth, bytes, reterr);
		if (r != 1) {
			return r;
		}
		obi_ask_link_take(&auth->link);
		obi_ask_arena_clear(&auth->arena);
	}
}

static int refused(struct ob_auth *auth, struct ob_error *reterr)
{
	const char *reason = auth->answer.reason;
	return auth->host->fail(reterr, OB_EAUTH, 0, "ask: the helper at %.100s refuses%s%s",
				obi_ask_link_name(&auth->link), reason[0] != '\0' ? ": " : "",
				reason);
}

static int take_answer(struct ob_auth *auth, struct ob_sink *out, struct ob_error *reterr)
{
	const struct obi_ask_answer *answer = &auth->answer;
	if (answer->word == OBI_ASK_REFUSED) {
		return refused(auth, reterr);
	}
	if (!ob_sink_put(out, answer->data.data, answer->data.len)) {
		return fail(auth, OB_ENOMEM, reterr, "no room for the message of the helper");
	}
	auth->stage = answer->word == OBI_ASK_DONE ? OVER : ANSWERED;
	return answer->word == OBI_ASK_DONE ? OB_AUTH_DONE : OB_AUTH_MORE;
}

static int ask(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
	       struct ob_error *reterr)
{
	int r = auth->stage != ASKING ? begin_question(auth, in, reterr) : OB_OK;
	r = r == OB_OK ? await(auth, reterr) : r;
	if (r == OB_EAGAIN) {
		return OB_AUTH_WAIT;
	}
	return r < 0 ? r : take_answer(auth, out, reterr);
}

/* ---- Table ---- */

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	bool starts = auth->stage == BEGINNING && auth->role == OB_AUTH_DIALER;
	if (auth->stage == OVER || (starts && in.len > 0)) {
		return fail(auth, OB_EAUTH, reterr, "the other end sent a message out of turn");
	}
	int r = auth->settings->transport != NULL ? ask(auth, in, out, reterr)
						  : say(auth, in, out, reterr);
	if (r < 0 || r == OB_AUTH_DONE) {
		auth->stage = OVER;
	}
	return r;
}

static int wait_for(struct ob_auth *auth, struct ob_want *ret_want)
{
	*ret_want = auth->link.want;
	if (ret_want->deadline < 0 || ret_want->deadline > auth->deadline) {
		ret_want->deadline = auth->deadline;
	}
	return OB_OK;
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	const struct obi_ask_settings *settings = params->state;
	if (settings == NULL || (settings->transport == NULL && params->role == OB_AUTH_ACCEPTOR)) {
		return host->fail(reterr, OB_EINVAL, 0, "ask: %s",
				  settings == NULL ? "there are no settings"
						   : "the end that is dialled needs the setting "
						     "socket");
	}
	struct ob_auth *auth = calloc(1, sizeof *auth);
	if (auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "ask: out of memory");
	}
	auth->host = host;
	auth->settings = settings;
	auth->role = params->role;
	auth->peer = params->peer;
	auth->prologue = params->prologue;
	obi_ask_arena_init(&auth->arena, ANSWER_BUDGET);
	*ret_auth = auth;
	return OB_OK;
}

/* What a dialer without a helper knows of the acceptor it knows from elsewhere. */
static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	struct ob_bytes subject = auth->answer.subject;
	(void)params;
	if (subject.len == 0) {
		subject = ob_bytes_text("outboard");
	}
	return ob_sink_put(out, subject.data, subject.len) ? OB_OK : OB_ENOMEM;
}

/* They are in the arena of the answer. */
static int claims(struct ob_auth *auth, const struct ob_auth_params *params,
		  struct ob_builder *builder)
{
	(void)params;
	if (auth->answer.claims != NULL) {
		ob_build_value(builder, *auth->answer.claims);
	}
	return OB_OK;
}

static void destroy(struct ob_auth *auth)
{
	if (auth != NULL) {
		obi_ask_link_close(&auth->link);
		obi_ask_arena_clear(&auth->arena);
		explicit_bzero(auth, sizeof *auth);
		free(auth);
	}
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct obi_ask_settings *state = NULL;
	int r = obi_ask_settings_new(host, settings, &state, reterr);
	if (r == OB_OK) {
		*ret_state = state;
	}
	return r;
}

static void unconfigure(void *state)
{
	obi_ask_settings_free(state);
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_NEEDS_SEAL | OB_AUTH_CLIENTS_ONLY,
    .create = create,
    .step = step,
    .wait = wait_for,
    .identity = identity,
    .claims = claims,
    .destroy = destroy,
};

static const struct ob_plugin plugin = {
    .size = sizeof plugin,
    .kind = OB_PLUGIN_AUTH,
    .name = "ask",
    .version = "1",
    .ops = &ops,
    .configure = configure,
    .unconfigure = unconfigure,
};

OB_PLUGIN_ENTRY(&plugin);
