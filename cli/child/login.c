/* SPDX-License-Identifier: MIT */
/* The dialer's side of outboard.auth, by the authenticators of the plugin path. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/child/wire.h"

enum { TOKEN_BYTES = 32, STEP_MAX = 4096 };

struct exchange {
	struct obi_wire *w;
	const struct obi_login *login;
	uint8_t secret[TOKEN_BYTES];
	struct obi_buf prologue;
	struct ob_peer peer;
	struct ob_error *reterr;
};

static void add_text(struct ob_sink *out, struct ob_bytes text)
{
	ob_sink_byte(out, (uint8_t)(text.len >> 8));
	ob_sink_byte(out, (uint8_t)text.len);
	ob_sink_put(out, text.data, text.len);
}

static void begin_prologue(struct exchange *e)
{
	const char *list = e->login->list != NULL ? e->login->list : e->w->s->auth;
	struct ob_sink *out = obi_buf_sink(&e->prologue);
	add_text(out, ob_bytes_text("outboard/1"));
	add_text(out, ob_bytes_text(e->w->s->codec));
	add_text(out, ob_bytes_text(list));
}

static void read_token(const char *hex, uint8_t out[TOKEN_BYTES])
{
	for (int i = 0; i < TOKEN_BYTES && strlen(hex) == 2 * TOKEN_BYTES; i++) {
		const char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

/* Send one message and read its answer: 1 more, 0 done. */
static int exchange_once(struct exchange *e, const char *name, struct ob_bytes data,
			 struct ob_bytes *ret)
{
	struct obi_wire *w = e->w;
	struct ob_bytes word = {NULL, 0};
	int64_t code;
	if (w->says < OBI_WIRE_SAID_MAX) {
		ob_sink_put(obi_buf_sink(&w->said[w->says]), data.data, data.len);
		w->said_by[w->says++] = name;
	}
	int r = obi_wire_call(w, "outboard.auth", "[sB]", name, data.data, data.len);
	if (r < 0) {
		return obi_fail(e->reterr, r, 0, "no proper answer to outboard.auth");
	}
	if (obi_wire_failed(w, &code)) {
		return obi_fail(e->reterr, OB_EAUTH, 0, "refused with the error %lld",
				(long long)code);
	}
	const struct ob_value *result = &w->message.result;
	const struct ob_value *first = ob_value_at(result, 0), *second = ob_value_at(result, 1);
	bool sound = first != NULL && second != NULL && ob_get_string(first, &word) &&
		     (ob_get_binary(second, ret) || ob_get_string(second, ret));
	if (!sound || !(ob_bytes_is(word, "more") || ob_bytes_is(word, "done"))) {
		return obi_fail(e->reterr, OB_EPROTO, 0,
				"the answer to outboard.auth is not [\"more\" or \"done\", data]");
	}
	return ob_bytes_is(word, "more");
}

/* The messages of one mechanism. */
static int converse(struct exchange *e, const char *name, const struct ob_auth_ops *ops,
		    struct ob_auth *auth)
{
	uint8_t memory[STEP_MAX];
	struct ob_bytes in = {NULL, 0};
	int more = 1, state = OB_AUTH_MORE;
	bool wrong = e->login->token != NULL || e->login->list != NULL;
	while (more == 1) {
		struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
		state = ops->step(auth, in, &out, e->reterr);
		if (state < 0 && wrong) {
			/* The child's proof is not ours. Go on with one that is none. */
			memset(memory, 0x5a, TOKEN_BYTES);
			out.len = TOKEN_BYTES;
			state = OB_AUTH_DONE;
		}
		if (state < 0) {
			return obi_fail(e->reterr, OB_EPROTO, 0,
					"%s: the child did not prove that it knows the token",
					name);
		}
		more = exchange_once(e, name, ob_bytes_of(out.data, out.len), &in);
	}
	if (more == 0 && state == OB_AUTH_MORE) {
		struct ob_sink out = ob_sink_fixed(memory, sizeof memory);
		state = ops->step(auth, in, &out, e->reterr);
	} else if (more == 0 && in.len > 0) {
		return obi_fail(e->reterr, OB_EPROTO, 0, "%s: data behind the last message", name);
	}
	return more < 0		       ? more
	       : state == OB_AUTH_DONE ? OB_OK
				       : obi_fail(e->reterr, OB_EPROTO, 0,
						  "%s: \"done\" too early, or not proven", name);
}

/* From here on there are records. The first is ours. */
static int begin_sealing(struct exchange *e, const struct ob_auth_ops *ops, struct ob_auth *auth)
{
	uint8_t memory[OB_BINDING_MAX];
	struct ob_sink binding = ob_sink_fixed(memory, sizeof memory);
	int r = ops->binding(auth, &binding);
	e->w->seal = ops;
	e->w->sealer = auth;
	add_text(obi_buf_sink(&e->prologue), ob_bytes_text("seal"));
	add_text(obi_buf_sink(&e->prologue), ob_bytes_of(memory, binding.len));
	return r == OB_OK ? obi_wire_put(e->w, NULL, 0) : r;
}

static int pass(struct exchange *e, const char *name, const struct ob_auth_ops *ops)
{
	struct ob_auth *auth;
	const struct ob_auth_params params = {.size = sizeof params,
					      .role = OB_AUTH_DIALER,
					      .secret = ob_bytes_of(e->secret, sizeof e->secret),
					      .peer = &e->peer,
					      .prologue = obi_buf_bytes(&e->prologue),
					      .parent_dials = true,
					      .allowed_uid = (uint32_t)-1};
	int r = ops->create(e->w->plugins->host, &params, &auth, e->reterr);
	if (r < 0) {
		return r;
	}
	r = converse(e, name, ops, auth);
	if (r == OB_OK && ops->seal != NULL) {
		return begin_sealing(e, ops, auth);
	}
	ops->destroy(auth);
	return r;
}

int obi_wire_login(struct obi_wire *w, const struct obi_login *login, struct ob_error *reterr)
{
	static const struct obi_login proper = {.token = NULL};
	struct exchange e = {.w = w,
			     .login = login != NULL ? login : &proper,
			     .peer = {.size = sizeof e.peer, .pidfd = -1},
			     .reterr = reterr};
	int r = OB_OK;
	obi_buf_init(&e.prologue, 1024);
	begin_prologue(&e);
	read_token(e.login->token != NULL ? e.login->token : w->s->token, e.secret);
	for (int i = 0; r == OB_OK && i < w->plugins->count; i++) {
		if (w->plugins->auth[i].ops->create != NULL) {
			r = pass(&e, w->plugins->auth[i].name, w->plugins->auth[i].ops);
		}
	}
	obi_buf_free(&e.prologue);
	return r;
}
