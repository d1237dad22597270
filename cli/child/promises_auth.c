/* SPDX-License-Identifier: MIT */
/* PROTOCOL.md: Authentication. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/child/exam.h"

enum { HALF_OPEN = 8, LATEST_MS = 15000, TRICKLE_MS = 500 };

static const char other_token[] =
    "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

static enum obi_verdict admits(struct obi_exam *t)
{
	return obi_exam_serves(t, "connecting with the token");
}

/* The answer to a failed authentication: the error -32000 or nothing, and the end. */
static enum obi_verdict expect_refusal(struct obi_exam *t, struct obi_wire *w, int r,
				       const char *what)
{
	int64_t code;
	if (r == OB_ECONNLOST) {
		return OBI_VERDICT_PASS;
	}
	if (r < 0) {
		return obi_broken(t, "%s: %s", what, obi_wire_did(r));
	}
	if (!obi_wire_failed(w, &code)) {
		return obi_broken(t, "%s was accepted", what);
	}
	if (code != OB_RPC_REFUSED) {
		return obi_broken(t, "%s: the error %lld, not -32000", what, (long long)code);
	}
	return obi_exam_closed(t, w, what);
}

/* ---- Wrong secrets ---- */

static enum obi_verdict try_login(struct obi_exam *t, const struct obi_login *login,
				  const char *what)
{
	struct obi_wire w;
	struct ob_error err = {0};
	enum obi_verdict v = OBI_VERDICT_PASS;
	int r = obi_wire_open(&w, t->s, &t->plugins);
	if (r < 0) {
		v = obi_broken(t, "a connection was not accepted");
	} else {
		r = obi_wire_login(&w, login, &err);
		/* What seals shows who it is with its first record only. */
		r = r == OB_OK ? obi_wire_call(&w, "outboard.ping", NULL) : r;
		v = expect_refusal(t, &w, r == OB_EAUTH ? OB_OK : r, what);
	}
	obi_wire_close(&w);
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, what) : v;
}

static enum obi_verdict refuses_token(struct obi_exam *t)
{
	const struct obi_login login = {.token = other_token};
	return try_login(t, &login, "another token");
}

static bool has_mechanism(const struct obi_exam *t, const char *name)
{
	for (int i = 0; i < t->plugins.count; i++) {
		if (strcmp(t->plugins.auth[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static enum obi_verdict refuses_prologue(struct obi_exam *t)
{
	const struct obi_login login = {.list = "another"};
	if (has_mechanism(t, "bearer")) {
		return obi_skipped(t, "bearer does not depend on the prologue");
	}
	return try_login(t, &login, "another list of mechanisms in the prologue");
}

static enum obi_verdict refuses_replay(struct obi_exam *t)
{
	struct obi_wire first, w;
	if (has_mechanism(t, "bearer")) {
		return obi_skipped(t, "bearer shows the token to whoever listens");
	}
	enum obi_verdict v = obi_exam_connect(t, &first);
	if (v != OBI_VERDICT_PASS) {
		return v;
	}
	int r = obi_wire_open(&w, t->s, &t->plugins);
	bool refused = false;
	for (int i = 0; r == OB_OK && !refused && i < first.says; i++) {
		struct ob_bytes data = obi_buf_bytes(&first.said[i]);
		int64_t code;
		r = obi_wire_call(&w, "outboard.auth", "[sB]", first.said_by[i], data.data,
				  data.len);
		refused = r == OB_OK && obi_wire_failed(&w, &code);
	}
	/* Behind the "done" of what seals only a record that opens is taken. */
	r = r == OB_OK && !refused ? obi_wire_call(&w, "outboard.ping", NULL) : r;
	v = expect_refusal(t, &w, r, "what was sent on another connection");
	obi_wire_close(&first);
	obi_wire_close(&w);
	return v;
}

/* ---- Malformed ---- */

/* Send a request as the first, and expect to be refused. */
static enum obi_verdict refuses_first(struct obi_exam *t, const char *what, const char *method,
				      const char *format, ...)
{
	struct obi_wire w;
	struct ob_value params = ob_array(NULL, 0);
	enum obi_verdict v;
	if (obi_wire_open(&w, t->s, &t->plugins) < 0) {
		v = obi_broken(t, "a connection was not accepted");
	} else {
		if (format != NULL) {
			struct ob_builder b;
			va_list args;
			va_start(args, format);
			ob_builder_init(&b, &w.arena.ob);
			ob_buildv(&b, format, args);
			va_end(args);
			(void)ob_builder_finish(&b, &params);
		}
		v = expect_refusal(t, &w, obi_wire_call(&w, method, "v", &params), what);
	}
	obi_wire_close(&w);
	return v;
}

static const char *first_exchange(const struct obi_exam *t)
{
	int i = 0;
	while (t->plugins.auth[i].ops->create == NULL) {
		i++;
	}
	return t->plugins.auth[i].name;
}

static enum obi_verdict refuses_mechanism(struct obi_exam *t)
{
	enum obi_verdict v = refuses_first(t, "an unknown mechanism", "outboard.auth", "[sB]",
					   "no-such", "x", (size_t)1);
	return v == OBI_VERDICT_PASS ? refuses_first(t, "a mechanism without a name",
						     "outboard.auth", "[sB]", "", "", (size_t)0)
				     : v;
}

static enum obi_verdict refuses_malformed(struct obi_exam *t)
{
	static const uint8_t zeros[3000];
	const char *name = first_exchange(t), *method = "outboard.auth";
	enum obi_verdict v = refuses_first(t, "outboard.auth without params", method, NULL);
	if (v == OBI_VERDICT_PASS) {
		v = refuses_first(t, "outboard.auth without data", method, "[s]", name);
	}
	if (v == OBI_VERDICT_PASS) {
		v = refuses_first(t, "outboard.auth with a number as data", method, "[si]", name,
				  1);
	}
	if (v == OBI_VERDICT_PASS) {
		v = refuses_first(t, "outboard.auth with a number as mechanism", method, "[iB]", 1,
				  zeros, (size_t)32);
	}
	if (v == OBI_VERDICT_PASS) {
		v = refuses_first(t, "outboard.auth with too much data", method, "[sB]", name,
				  zeros, sizeof zeros);
	}
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, "malformed authentication") : v;
}

static enum obi_verdict refuses_early_calls(struct obi_exam *t)
{
	static const char *const methods[] = {"outboard.ping", "outboard-control.health",
					      "outboard-control.shutdown", "outboard.supervise",
					      "no-such.method"};
	enum obi_verdict v = OBI_VERDICT_PASS;
	for (size_t i = 0; v == OBI_VERDICT_PASS && i < sizeof methods / sizeof methods[0]; i++) {
		v = i == 3 ? refuses_first(t, methods[i], methods[i], "[s]", t->s->instance)
			   : refuses_first(t, methods[i], methods[i], NULL);
	}
	return v == OBI_VERDICT_PASS ? obi_exam_serves(t, "calls before authentication") : v;
}

/* ---- Order and time ---- */

/* Two requests in one write: the second must not be looked at, whatever the first would be. */
static enum obi_verdict refuses_behind(struct obi_exam *t)
{
	static const uint8_t zeros[48];
	struct obi_wire w;
	struct obi_buf both;
	enum obi_verdict v = obi_exam_stranger(t, &w);
	if (v != OBI_VERDICT_PASS) {
		obi_wire_close(&w);
		return v;
	}
	obi_buf_init(&both, 4096);
	struct ob_message m = {.size = sizeof m,
			       .kind = OB_REQUEST,
			       .id = {.number = 1},
			       .method = ob_bytes_text("outboard.auth")};
	struct ob_builder b;
	size_t len = strcmp(first_exchange(t), "token") == 0 ? 32 : sizeof zeros;
	ob_builder_init(&b, &w.arena.ob);
	ob_build(&b, "[sB]", first_exchange(t), zeros, len);
	(void)ob_builder_finish(&b, &m.params);
	for (m.id.number = 1; m.id.number <= 2; m.id.number++) {
		(void)t->plugins.codec->encode(&m, &w.params, obi_buf_sink(&both), NULL);
	}
	struct ob_bytes bytes = obi_buf_bytes(&both);
	int r = obi_wire_put(&w, bytes.data, bytes.len);
	v = expect_refusal(t, &w, r == OB_OK ? obi_wire_answer(&w) : r,
			   "a second message behind an authentication request");
	obi_buf_free(&both);
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict refuses_again(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = obi_exam_connect(t, &w);
	if (v == OBI_VERDICT_PASS) {
		int r =
		    obi_wire_call(&w, "outboard.auth", "[sB]", first_exchange(t), "x", (size_t)1);
		v = obi_exam_error(t, &w, r, "outboard.auth after authentication",
				   OB_RPC_INVALID_REQUEST);
		obi_wire_close(&w);
	}
	return v;
}

/* One that is silent, and one that sends a blank of a message now and then. */
static enum obi_verdict ends_the_undecided(struct obi_exam *t)
{
	struct obi_wire w;
	enum obi_verdict v = OBI_VERDICT_PASS;
	int64_t end = obi_now_ms() + LATEST_MS;
	int r = obi_wire_open(&w, t->s, &t->plugins);
	/* The head of a request, byte by byte, that never becomes one. */
	const char *head = t->json ? "{\"jsonrpc\":\"2.0\",\"id\":1,"
				   : "\x94\x00\x01\xad"
				     "outboard.auth\x92";
	w.patience = TRICKLE_MS;
	while (r == OB_OK && v == OBI_VERDICT_PASS) {
		if (*head != '\0' || !t->json) {
			r = obi_wire_put(&w, head, 1);
			head += head[1] != '\0' || t->json;
		}
		if (r == OB_OK && obi_wire_await_close(&w) == OB_OK) {
			break;
		}
		if (obi_now_ms() > end || *t->s->stop != 0) {
			v = obi_broken(t, "it was still open after %d s", LATEST_MS / 1000);
		}
	}
	obi_wire_close(&w);
	return v;
}

static enum obi_verdict serves_beside_half_open(struct obi_exam *t)
{
	struct obi_wire half[HALF_OPEN];
	int count = 0;
	enum obi_verdict v = OBI_VERDICT_PASS;
	for (; v == OBI_VERDICT_PASS && count < HALF_OPEN; count++) {
		if (obi_wire_open(&half[count], t->s, &t->plugins) < 0) {
			v = obi_broken(t, "a connection was not accepted");
		}
		/* Half of them have begun a message. */
		if (count % 2 == 1) {
			(void)obi_wire_put(&half[count], t->json ? "{\"json" : "\x94\x00", 2);
		}
	}
	v = v == OBI_VERDICT_PASS ? obi_exam_serves(t, "connections that say nothing") : v;
	while (count-- > 0) {
		obi_wire_close(&half[count]);
	}
	return v;
}

const struct obi_promise obi_promises_auth[] = {
    {"admits a peer that knows the token", admits, OBI_NEEDS_START},
    {"refuses another token", refuses_token, OBI_NEEDS_EXCHANGE},
    {"refuses a proof for another list of mechanisms", refuses_prologue, OBI_NEEDS_EXCHANGE},
    {"refuses what was sent on another connection", refuses_replay, OBI_NEEDS_EXCHANGE},
    {"refuses another mechanism", refuses_mechanism, OBI_NEEDS_EXCHANGE},
    {"refuses malformed authentication", refuses_malformed, OBI_NEEDS_EXCHANGE},
    {"refuses calls before authentication", refuses_early_calls, OBI_NEEDS_EXCHANGE},
    {"refuses what comes behind an authentication request", refuses_behind, OBI_NEEDS_EXCHANGE},
    {"answers outboard.auth after authentication with -32600", refuses_again, OBI_NEEDS_EXCHANGE},
    {"serves others while connections are half open", serves_beside_half_open, OBI_NEEDS_EXCHANGE},
    {"closes a connection that does not authenticate in time", ends_the_undecided,
     OBI_NEEDS_EXCHANGE},
    {0},
};
