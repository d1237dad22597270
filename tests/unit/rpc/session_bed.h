/* SPDX-License-Identifier: MIT */
/* session_bed - two sessions with real codecs and authenticators, connected through memory. The
 * test chooses the size of the chunks that are passed on. */
#ifndef OB_TESTS_UNIT_SESSION_BED_H
#define OB_TESTS_UNIT_SESSION_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "rpc/authentication.h"
#include "rpc/receive.h"
#include "rpc/session.h"
#include "unit/registry_bed.h"

/* ---- One end ---- */

struct end {
	struct obi_session session;
	struct obi_handshake_setup auth;
	struct obi_mechanism mechanisms[2];
	bool opened;
	int closed; /* number of closed events */
	struct ob_error why;
	int calls; /* calls received */
	int notifications;
	struct ob_call *kept;
	struct ob_value kept_params;
	bool supervised;
	bool wants_write;
	int handler; /* what the handler does with calls */
};

enum { REPLY_ECHO, KEEP, FORGET, CLOSE_INSIDE, FAIL_7 };

static const char *codec_name = "msgpack";
static const uint8_t secret_a[32] = {1, 2, 3};
static const uint8_t secret_b[32] = {1, 2, 4};

static inline void on_opened(void *user)
{
	((struct end *)user)->opened = true;
}

static inline void on_closed(void *user, const struct ob_error *err)
{
	struct end *e = user;
	e->closed++;
	e->why = *err;
}

static inline void on_called(void *user, struct ob_call *call)
{
	struct end *e = user;
	e->calls += !call->notification;
	e->notifications += call->notification;
	switch (e->handler) {
	case REPLY_ECHO:
		obi_call_answer(call, NULL, ob_value_at(&call->params, 0));
		break;
	case KEEP:
		assert_int_equal(obi_call_defer(call), OB_OK);
		e->kept = call;
		break;
	case CLOSE_INSIDE:
		obi_session_close(&e->session, OB_ECLOSED, "enough");
		break;
	case FAIL_7:
		obi_call_answer_error(call, 7, "seven");
		break;
	default:
		break;
	}
}

static inline int on_supervise(void *user, struct ob_bytes instance)
{
	struct end *e = user;
	if (!ob_bytes_is(instance, "right")) {
		return OB_ENOENT;
	}
	e->supervised = true;
	return OB_OK;
}

static inline void on_want_write(void *user)
{
	((struct end *)user)->wants_write = true;
}

static inline void on_want_timer(void *user)
{
	(void)user;
}

static inline const struct ob_codec_ops *codec(void)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	assert_int_equal(obi_registry_codec(registry, codec_name, &plugin, &err), OB_OK);
	return &plugin->as.codec;
}

/* "a" or "a,b". */
static inline void set_mechanisms(struct end *e, const char *list)
{
	const struct obi_plugin *plugin;
	struct ob_error err;
	char names[64], *save;
	snprintf(names, sizeof names, "%s", list);
	for (char *name = strtok_r(names, ",", &save); name != NULL;
	     name = strtok_r(NULL, ",", &save)) {
		assert_int_equal(obi_registry_auth(registry, name, &plugin, &err), OB_OK);
		e->mechanisms[e->auth.count++] =
		    (struct obi_mechanism){.name = plugin->name, .ops = &plugin->as.auth};
	}
}

static inline void init_end(struct end *e, enum ob_auth_role role, const char *mechanisms,
			    const uint8_t *secret)
{
	memset(e, 0, sizeof *e);
	struct obi_session_setup setup = {
	    .codec = codec(),
	    .role = role,
	    .peer = {.size = sizeof setup.peer, .pidfd = -1},
	    .limits = obi_rpc_limits_default(),
	    .events = {on_opened, on_closed, on_supervise, on_want_write, on_want_timer, NULL, e},
	    .handler = {on_called, e},
	};
	if (mechanisms != NULL) {
		e->auth = (struct obi_handshake_setup){.host = obi_registry_host(registry),
						       .mechanisms = e->mechanisms,
						       .codec = codec_name,
						       .secret = ob_bytes_of(secret, 32),
						       .allowed_uid = UINT32_MAX,
						       .parent_dials = true};
		set_mechanisms(e, mechanisms);
		setup.auth = &e->auth;
	}
	obi_session_init(&e->session, &setup);
}

/* ---- The wire ---- */

/* Pass bytes to a session, at most `chunk` at a time. */
static inline void give(struct end *to, const uint8_t *data, size_t len, size_t chunk)
{
	while (len > 0 && to->session.state != OBI_SESSION_CLOSED) {
		size_t room, n = chunk < len ? chunk : len;
		uint8_t *at = obi_receive_room(&to->session, &room);
		assert_non_null(at);
		n = n < room ? n : room;
		memcpy(at, data, n);
		obi_receive(&to->session, n);
		data += n;
		len -= n;
	}
}

static inline bool carry(struct end *from, struct end *to, size_t chunk)
{
	struct ob_bytes out = obi_session_output(&from->session);
	if (out.len == 0) {
		return false;
	}
	uint8_t *copy = malloc(out.len);
	size_t len = out.len;
	memcpy(copy, out.data, len);
	obi_session_wrote(&from->session, len);
	give(to, copy, len, chunk);
	free(copy);
	return true;
}

static inline void pump(struct end *a, struct end *b, size_t chunk)
{
	bool moved = true;
	while (moved) {
		moved = carry(a, b, chunk);
		moved = carry(b, a, chunk) || moved;
	}
}

struct pair {
	struct end parent, child;
};

static inline struct pair *connect_with(const char *mechanism, const uint8_t *parents,
					const uint8_t *childs, size_t chunk)
{
	struct pair *p = calloc(1, sizeof *p);
	init_end(&p->parent, OB_AUTH_DIALER, mechanism, parents);
	init_end(&p->child, OB_AUTH_ACCEPTOR, mechanism, childs);
	obi_authentication_begin(&p->child.session);
	obi_authentication_begin(&p->parent.session);
	pump(&p->parent, &p->child, chunk);
	return p;
}

static inline struct pair *connect_pair(void)
{
	struct pair *p = connect_with("token", secret_a, secret_a, SIZE_MAX);
	assert_true(p->parent.opened && p->child.opened);
	return p;
}

static inline void free_pair(struct pair *p)
{
	obi_session_free(&p->parent.session);
	obi_session_free(&p->child.session);
	assert_int_equal(p->parent.closed, 1);
	assert_int_equal(p->child.closed, 1);
	free(p);
}

/* ---- Replies ---- */

struct outcome {
	int ended;
	int code;
	int64_t remote_code;
	char text[64];
	int64_t number;
};

static inline void on_reply(void *user, int code, const struct ob_value *value,
			    const struct ob_error *err)
{
	struct outcome *o = user;
	o->ended++;
	o->code = code;
	o->number = -1;
	(void)ob_get_int(value, &o->number);
	if (err != NULL) {
		o->remote_code = err->remote_code;
		snprintf(o->text, sizeof o->text, "%.63s", err->text);
	}
}

static inline int call(struct end *e, const char *method, int64_t number, int64_t deadline,
		       struct outcome *o, uint32_t *ret_id)
{
	struct ob_value items[1] = {ob_int(number)};
	struct ob_value params = ob_array(items, 1);
	memset(o, 0, sizeof *o);
	struct obi_pending *pending = NULL;
	int r = obi_session_call(&e->session, ob_bytes_text(method), &params, deadline, on_reply, o,
				 &pending, NULL);
	if (ret_id != NULL) {
		*ret_id = r == OB_OK ? pending->id : 0;
	}
	return r;
}

/* ---- Of a group of tests ---- */

static inline int setup(void **state)
{
	return registry_setup(state);
}

static inline int teardown(void **state)
{
	return registry_teardown(state);
}

#endif
