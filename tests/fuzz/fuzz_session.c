/* SPDX-License-Identifier: MIT */
/*
 * A session, and a peer that sends any bytes. Every call of ours ends once, the session ends
 * once, nothing is served before authentication, and queues stay within their limits.
 *
 * Input: a byte of flags (1: json; 2: with authentication; 4: we dial; 8: we take outboard.hello),
 * then steps. A step below
 * 0xf0 is the number of bytes from the peer, which follow; the others are actions of our side.
 */
#include <stdio.h>

#include "base/error.h"
#include "fuzz/fuzzed_codec.h"
#include "plugin/registry.h"
#include "rpc/stream_tickets.h"
#include "rpc/authentication.h"
#include "rpc/receive.h"
#include "rpc/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { JSON = 1, AUTH = 2, DIAL = 4, HELLO = 8, KEPT = 32, OWN_STEPS = 0xf0 };
enum {
	CALL = OWN_STEPS,
	NOTIFY,
	ANSWER,
	ANSWER_LARGE,
	ANSWER_ERROR,
	EXPIRE,
	WRITE,
	CANCEL,
	CLOSE,
	END
};

struct world {
	struct obi_session session;
	struct obi_stream_tickets tickets;
	struct obi_stream_ticket ticket; /* the only one */
	struct obi_handshake_setup auth;
	struct obi_mechanism mechanism;
	bool authenticates;
	int opened;
	int closed;
	int welcomed;
	int64_t now;
	uint32_t begun; /* calls of ours */
	uint32_t ended;
	uint32_t last_id;
	struct ob_call *kept[KEPT];
	uint32_t kept_count;
};

static const uint8_t secret[32] = "thirty-two bytes, all well known";
static char large[8192];

/* ---- Events ---- */

static void on_opened(void *user)
{
	((struct world *)user)->opened++;
}

static void on_closed(void *user, const struct ob_error *err)
{
	must(err->code < 0);
	((struct world *)user)->closed++;
}

/* The last letter of the method says what to do. */
static void on_called(void *user, struct ob_call *call)
{
	struct world *w = user;
	size_t len = strlen(call->method);
	char last = len > 0 ? call->method[len - 1] : '\0';
	must(w->closed == 0 && w->opened == 1);
	if (last == 'k' && w->kept_count < KEPT && obi_call_defer(call) == OB_OK) {
		w->kept[w->kept_count++] = call;
	} else if (last == 'x') {
		obi_session_close(&w->session, OB_ECLOSED, "enough");
	} else if (last == 'e') {
		obi_call_answer_error(call, 7, "seven");
	} else if (last != 'n') {
		obi_call_answer(call, NULL, &call->params);
	}
}

static int on_supervise(void *user, struct ob_bytes instance)
{
	(void)user;
	return instance.len > 0 ? OB_OK : OB_ENOENT;
}

static int on_hello(void *user, struct ob_bytes instance, struct ob_bytes run,
		    struct ob_bytes ticket, struct ob_error *reterr)
{
	struct world *w = user;
	struct obi_stream_ticket *spent = NULL;
	must(w->closed == 0 && w->opened == 1);
	/* One that was issued is not guessed. */
	must(!obi_stream_ticket_spend(&w->tickets, ticket, &spent));
	return instance.len > 0 && instance.len != run.len ? OB_OK
							   : obi_fail(reterr, OB_EPERM, 0, "no");
}

/* As a parent does: whoever owns it now sends the first request, or closes it. */
static void on_welcome(void *user)
{
	struct world *w = user;
	w->welcomed++;
	must(w->welcomed == 1 && w->session.state == OBI_SESSION_OPEN);
	w->session.setup.hello = (struct obi_hello_handler){.judge = NULL};
	(void)obi_session_notify(&w->session, ob_bytes_text("a.d"), NULL, NULL);
}

static void on_want(void *user)
{
	(void)user;
}

static void on_reply(void *user, int code, const struct ob_value *value, const struct ob_error *err)
{
	struct world *w = user;
	must(code == OB_OK ? value != NULL : err != NULL);
	w->ended++;
	must(w->ended <= w->begun);
}

/* ---- Our side ---- */

static void answer(struct world *w, uint8_t how)
{
	struct ob_value value = ob_stringn(large, sizeof large);
	if (w->kept_count == 0) {
		return;
	}
	struct ob_call *call = w->kept[--w->kept_count];
	if (how == ANSWER_ERROR) {
		obi_call_answer_error(call, -5, "no");
	} else {
		obi_call_answer(call, NULL, how == ANSWER_LARGE ? &value : &call->params);
	}
}

static void cancel(struct obi_session *s, uint32_t id)
{
	struct obi_pending *call = obi_session_take(s, id, NULL);
	struct ob_error err;
	if (call != NULL) {
		obi_fail(&err, OB_ECANCELED, 0, "the call was canceled");
		obi_pending_end(&s->pending, call, OB_ECANCELED, NULL, &err);
	}
}

static void do_step(struct world *w, uint8_t step)
{
	struct obi_session *s = &w->session;
	struct obi_pending *call;
	switch (step) {
	case CALL:
		if (obi_session_call(s, ob_bytes_text("a.b"), NULL, w->now + 5, on_reply, w, &call,
				     NULL) == OB_OK) {
			w->last_id = call->id;
			w->begun++;
		}
		break;
	case NOTIFY:
		(void)obi_session_notify(s, ob_bytes_text("a.c"), NULL, NULL);
		break;
	case EXPIRE:
		w->now += 3;
		obi_session_expire(s, w->now);
		break;
	case WRITE:
		obi_session_wrote(s, obi_session_output(s).len);
		break;
	case CANCEL:
		cancel(s, w->last_id);
		break;
	case CLOSE:
		obi_session_close(s, OB_ECLOSED, "closed");
		break;
	case END:
		obi_session_ended(s, NULL);
		break;
	default:
		answer(w, step);
	}
}

static size_t receive(struct world *w, const uint8_t *data, size_t len)
{
	size_t room = 0;
	uint8_t *at =
	    w->session.state != OBI_SESSION_CLOSED ? obi_receive_room(&w->session, &room) : NULL;
	if (at != NULL) {
		len = len < room ? len : room;
		memcpy(at, data, len);
		obi_receive(&w->session, len);
	}
	return len;
}

/* ---- One run ---- */

static struct obi_registry *registry;

static void unload(void)
{
	obi_registry_free(registry);
}

static const struct ob_auth_ops *token(void)
{
	static const struct obi_plugin *plugin;
	const char *dirs[] = {getenv("OUTBOARD_PLUGIN_PATH"), NULL};
	struct ob_error err = {.text = "OUTBOARD_PLUGIN_PATH is not set"};
	if (plugin == NULL) {
		if (dirs[0] == NULL || obi_registry_new(dirs, &registry, &err) != OB_OK ||
		    obi_registry_auth(registry, "token", &plugin, &err) != OB_OK) {
			fprintf(stderr, "%s\n", err.text);
			exit(1);
		}
		atexit(unload);
	}
	return &plugin->as.auth;
}

static void begin(struct world *w, uint8_t flags)
{
	bool json = (flags & JSON) != 0;
	struct obi_session_setup setup = {
	    .codec = fuzzed_ops(json ? fuzzed_json() : fuzzed_msgpack()),
	    .role = (flags & DIAL) != 0 ? OB_AUTH_DIALER : OB_AUTH_ACCEPTOR,
	    .peer = {.size = sizeof setup.peer, .pidfd = -1},
	    .limits = {.message = 32768, .preauth = 4096, .depth = 8, .calls = 8, .queue = 65536},
	    .events = {on_opened, on_closed, on_supervise, on_want, on_want, NULL, w},
	    .handler = {on_called, w},
	};
	if ((flags & HELLO) != 0) {
		w->tickets.first = NULL;
		must(obi_stream_ticket_issue(&w->tickets, &w->ticket, NULL) == OB_OK);
		setup.hello = (struct obi_hello_handler){on_hello, on_welcome, w};
	}
	w->authenticates = (flags & AUTH) != 0;
	if (w->authenticates) {
		w->mechanism = (struct obi_mechanism){.name = "token", .ops = token()};
		w->auth = (struct obi_handshake_setup){.host = obi_registry_host(registry),
						       .mechanisms = &w->mechanism,
						       .count = 1,
						       .codec = json ? "json" : "msgpack",
						       .secret = ob_bytes_of(secret, sizeof secret),
						       .allowed_uid = UINT32_MAX,
						       .parent_dials = (flags & HELLO) == 0};
		setup.auth = &w->auth;
	}
	obi_session_init(&w->session, &setup);
	obi_authentication_begin(&w->session);
}

static void check(const struct world *w)
{
	const struct obi_session *s = &w->session;
	must(w->opened <= 1 && w->closed <= 1);
	must(!w->authenticates || w->opened == 0);
	must((s->state == OBI_SESSION_CLOSED) == (w->closed == 1));
	must(s->state != OBI_SESSION_CLOSED ||
	     (w->begun == w->ended && s->batches.first == NULL && s->batches.bytes == 0));
	must(s->calls.deferred_count <= s->setup.limits.calls);
	must(s->batches.bytes <= (size_t)s->setup.limits.queue + s->setup.limits.message);
	must(obi_buf_len(&s->out) <= 2 * (size_t)s->setup.limits.queue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	if (size == 0) {
		return 0;
	}
	memset(&w, 0, sizeof w);
	memset(large, 'l', sizeof large);
	begin(&w, data[0]);
	for (size_t at = 1; at < size;) {
		uint8_t step = data[at++];
		size_t len = step < size - at ? step : size - at;
		if (step >= OWN_STEPS) {
			do_step(&w, step);
		} else {
			at += receive(&w, data + at, len);
		}
		check(&w);
	}
	obi_session_free(&w.session);
	while (w.kept_count > 0) {
		answer(&w, ANSWER);
	}
	must(w.closed == 1 && w.begun == w.ended);
	return 0;
}
