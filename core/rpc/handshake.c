/* SPDX-License-Identifier: MIT */
#include "rpc/handshake.h"

#include "base/arena.h"
#include "base/error.h"

enum { CLAIMS_MEMORY = 64 * 1024 };

static bool put_counted(struct ob_sink *out, struct ob_bytes text)
{
	uint8_t len[2] = {(uint8_t)(text.len >> 8), (uint8_t)text.len};
	return ob_sink_put(out, len, 2) && ob_sink_put(out, text.data, text.len);
}

static int too_long(struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EINVAL, 0, "the names of the authenticators are too long");
}

/* What ties a proof to this connection. An empty binding: nothing does. */
static void put_binding(struct ob_sink *out, const char *of, struct ob_bytes binding)
{
	if (binding.len > 0) {
		put_counted(out, ob_bytes_text(of));
		put_counted(out, binding);
	}
}

/* "outboard/1", the codec, and the mechanisms joined by commas; each is preceded by its length in
 * two bytes, big-endian. If the child dials, "dial-home" follows: what proves something when one
 * end dials proves nothing when the other does. Then the binding of the transport. */
static int build_prologue(struct obi_handshake *auth, struct ob_bytes binding,
			  struct ob_error *reterr)
{
	char list[OBI_MECHANISMS_MAX * 32];
	struct ob_sink names = ob_sink_fixed(list, sizeof list);
	struct ob_sink out = ob_sink_fixed(auth->prologue, sizeof auth->prologue);
	for (uint32_t i = 0; i < auth->setup->count; i++) {
		ob_sink_text(&names, i > 0 ? "," : "");
		ob_sink_text(&names, auth->setup->mechanisms[i].name);
	}
	put_counted(&out, ob_bytes_text("outboard/1"));
	put_counted(&out, ob_bytes_text(auth->setup->codec));
	put_counted(&out, ob_bytes_of(list, names.len));
	if (!auth->setup->parent_dials) {
		put_counted(&out, ob_bytes_text("dial-home"));
	}
	put_binding(&out, "transport", binding);
	if (names.failed || out.failed) {
		return too_long(reterr);
	}
	auth->prologue_len = out.len;
	auth->params.prologue = ob_bytes_of(auth->prologue, out.len);
	return OB_OK;
}

/* The mechanisms behind this one, which seals, prove something of this connection only. */
static int bind_prologue(struct obi_handshake *auth, const struct ob_auth_ops *ops,
			 struct ob_error *reterr)
{
	uint8_t bytes[OB_BINDING_MAX];
	struct ob_sink binding = ob_sink_fixed(bytes, sizeof bytes);
	struct ob_sink out = ob_sink_fixed(auth->prologue + auth->prologue_len,
					   sizeof auth->prologue - auth->prologue_len);
	int r = ops->binding(auth->exchange, &binding);
	if (r < 0 || binding.failed || binding.len < OB_BINDING_MIN) {
		return obi_fail(reterr, OB_EPLUGIN, 0,
				"authenticator %s returned no valid channel binding",
				obi_handshake_mechanism(auth));
	}
	put_binding(&out, "seal", ob_bytes_of(bytes, binding.len));
	if (out.failed) {
		return too_long(reterr);
	}
	auth->params.prologue = ob_bytes_of(auth->prologue, auth->prologue_len + out.len);
	return OB_OK;
}

/* The params for this mechanism: each has a state of its own. */
static const struct ob_auth_params *params_of(struct obi_handshake *auth, uint32_t index)
{
	auth->params.state = auth->setup->mechanisms[index].state;
	return &auth->params;
}

/* Who the peer is if the mechanism does not say. */
static void put_subject_of(const struct ob_peer *peer, struct ob_sink *out)
{
	if ((peer->known & OB_PEER_SUBJECT) != 0) {
		ob_sink_put(out, peer->subject.data, peer->subject.len);
	} else {
		ob_sink_text(out, "outboard");
	}
}

static int take_identity(struct obi_handshake *auth, struct ob_error *reterr)
{
	const struct ob_auth_ops *ops = auth->setup->mechanisms[auth->at].ops;
	struct ob_sink out = ob_sink_fixed(auth->subject, OBI_SUBJECT_MAX);
	if (ops->identity == NULL) {
		put_subject_of(auth->params.peer, &out);
	} else if (ops->identity(auth->exchange, params_of(auth, auth->at), &out) < 0) {
		out.failed = true;
	}
	if (out.failed || out.len == 0) {
		return obi_fail(reterr, OB_EAUTH, 0, "%s%s returned no valid subject",
				ops->identity != NULL ? "authenticator " : "",
				ops->identity != NULL ? obi_handshake_mechanism(auth)
						      : "the transport");
	}
	auth->subject_len = out.len;
	return OB_OK;
}

static int call_claims(struct obi_handshake *auth, struct obi_arena *arena, struct ob_error *err)
{
	const struct ob_auth_ops *ops = auth->setup->mechanisms[auth->at].ops;
	struct ob_builder builder;
	struct ob_value said;
	ob_builder_init(&builder, &arena->ob);
	int r = ops->claims(auth->exchange, params_of(auth, auth->at), &builder);
	if (r < 0) {
		return obi_fail(err, OB_EAUTH, 0, "its claims failed with code %d", r);
	}
	if (builder.used == 0 && builder.depth == 0 && builder.error == OB_OK) {
		return OB_OK;
	}
	return ob_builder_finish(&builder, &said) < 0
		   ? obi_fail(err, OB_EAUTH, 0, "it returned malformed claims")
		   : obi_claims_add(&auth->claims, &said, err);
}

static int take_claims(struct obi_handshake *auth, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_error err;
	if (auth->setup->mechanisms[auth->at].ops->claims == NULL) {
		return OB_OK;
	}
	obi_arena_init(&arena, CLAIMS_MEMORY);
	int r = call_claims(auth, &arena, &err);
	obi_arena_free(&arena);
	return r == OB_OK ? OB_OK
			  : obi_fail(reterr, r, 0, "authenticator %s: %s",
				     obi_handshake_mechanism(auth), err.text);
}

/* Who the peer is, by the current mechanism. */
static int take_facts(struct obi_handshake *auth, struct ob_error *reterr)
{
	int r = take_identity(auth, reterr);
	return r == OB_OK ? take_claims(auth, reterr) : r;
}

static void end_exchange(struct obi_handshake *auth)
{
	if (auth->exchange != NULL) {
		auth->setup->mechanisms[auth->at].ops->destroy(auth->exchange);
		auth->exchange = NULL;
	}
}

/* The current mechanism has passed: go on to the next one that exchanges messages. */
static int pass(struct obi_handshake *auth, struct ob_error *reterr)
{
	const struct ob_auth_ops *ops = auth->setup->mechanisms[auth->at].ops;
	int r = take_facts(auth, reterr);
	if (ops->seal != NULL && r == OB_OK) {
		r = bind_prologue(auth, ops, reterr);
	}
	if (ops->seal != NULL && r == OB_OK) {
		auth->sealer = auth->exchange;
		auth->sealer_ops = ops;
		auth->exchange = NULL;
	}
	end_exchange(auth);
	auth->proved = true;
	auth->satisfied = false;
	auth->at++;
	while (r == OB_OK && auth->at < auth->setup->count &&
	       auth->setup->mechanisms[auth->at].ops->create == NULL) {
		r = take_facts(auth, reterr);
		auth->at++;
	}
	return r;
}

static void set_params(struct obi_handshake *auth, enum ob_auth_role role,
		       const struct ob_peer *peer, struct ob_bytes uri)
{
	const struct obi_handshake_setup *setup = auth->setup;
	auth->params = (struct ob_auth_params){.size = sizeof auth->params,
					       .role = role,
					       .secret = setup->secret,
					       .peer = peer,
					       .parent_dials = setup->parent_dials,
					       .allowed_uid = setup->allowed_uid};
	if (role == OB_AUTH_ACCEPTOR) {
		auth->params.uids = setup->uids;
		auth->params.uid_count = setup->uid_count;
		auth->params.gids = setup->gids;
		auth->params.gid_count = setup->gid_count;
	} else {
		auth->params.target_name = ob_bytes_text(setup->target);
		auth->params.target_uri = uri;
	}
}

int obi_handshake_begin(struct obi_handshake *auth, const struct obi_handshake_setup *setup,
			enum ob_auth_role role, const struct ob_peer *peer, struct ob_bytes binding,
			struct ob_bytes uri, struct ob_error *reterr)
{
	memset(auth, 0, sizeof *auth);
	auth->setup = setup;
	set_params(auth, role, peer, uri);
	int r = build_prologue(auth, binding, reterr);
	for (uint32_t i = 0; r == OB_OK && i < setup->count; i++) {
		const struct ob_auth_ops *ops = setup->mechanisms[i].ops;
		r = ops->admit != NULL ? ops->admit(setup->host, params_of(auth, i), reterr)
				       : OB_OK;
	}
	while (r == OB_OK && auth->at < setup->count &&
	       setup->mechanisms[auth->at].ops->create == NULL) {
		r = take_facts(auth, reterr);
		auth->at++;
	}
	return r < 0 ? r : OB_OK;
}

struct ob_auth *obi_handshake_take_sealer(struct obi_handshake *auth,
					  const struct ob_auth_ops **ret_ops)
{
	struct ob_auth *sealer = auth->sealer;
	*ret_ops = auth->sealer_ops;
	auth->sealer = NULL;
	return sealer;
}

struct obi_claims *obi_handshake_take_claims(struct obi_handshake *auth)
{
	struct obi_claims *claims = auth->claims;
	auth->claims = NULL;
	return claims;
}

void obi_handshake_end(struct obi_handshake *auth)
{
	obi_claims_free(obi_handshake_take_claims(auth));
	if (auth->setup != NULL && auth->at < auth->setup->count) {
		end_exchange(auth);
	}
	if (auth->sealer != NULL) {
		auth->sealer_ops->destroy(auth->sealer);
		auth->sealer = NULL;
	}
	auth->setup = NULL;
}

bool obi_handshake_passed(const struct obi_handshake *auth)
{
	return auth->at == auth->setup->count;
}

const char *obi_handshake_mechanism(const struct obi_handshake *auth)
{
	return auth->setup->mechanisms[auth->at].name;
}

/* One step of the current mechanism. The first one creates the exchange. */
static int step(struct obi_handshake *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	const struct ob_auth_ops *ops = auth->setup->mechanisms[auth->at].ops;
	if (auth->exchange == NULL) {
		int r = ops->create(auth->setup->host, params_of(auth, auth->at), &auth->exchange,
				    reterr);
		if (r < 0) {
			auth->exchange = NULL;
			return r;
		}
	}
	int r = ops->step(auth->exchange, in, out, reterr);
	if (r >= 0 && out->failed) {
		return obi_fail(reterr, OB_ETOOBIG, 0,
				"authenticator %s wrote a message that is too long",
				obi_handshake_mechanism(auth));
	}
	if (r > OB_AUTH_WAIT || (r == OB_AUTH_WAIT && ops->wait == NULL)) {
		return obi_fail(reterr, OB_EPLUGIN, 0, "authenticator %s returned an unknown state",
				obi_handshake_mechanism(auth));
	}
	if (r == OB_AUTH_WAIT && out->len > 0) {
		return obi_fail(reterr, OB_EPLUGIN, 0, "authenticator %s wrote a message and waits",
				obi_handshake_mechanism(auth));
	}
	return r;
}

int obi_handshake_ask(struct obi_handshake *auth, struct ob_bytes in, struct ob_sink *out,
		      struct ob_error *reterr)
{
	if (auth->satisfied) {
		return obi_fail(reterr, OB_EAUTH, 0,
				"authenticator %s: the peer continues an exchange that is complete",
				obi_handshake_mechanism(auth));
	}
	int r = step(auth, in, out, reterr);
	auth->satisfied = r == OB_AUTH_DONE;
	return r < 0 || r == OB_AUTH_WAIT ? r : OB_OK;
}

int obi_handshake_told_done(struct obi_handshake *auth, struct ob_bytes in, struct ob_error *reterr)
{
	uint8_t none[1];
	struct ob_sink out = ob_sink_fixed(none, 0);
	int r = OB_AUTH_DONE;
	if (!auth->satisfied) {
		r = step(auth, in, &out, reterr);
	} else if (in.len > 0) {
		r = OB_AUTH_MORE;
	}
	if (r == OB_AUTH_MORE) {
		return obi_fail(reterr, OB_EAUTH, 0,
				"authenticator %s: the peer ended the exchange too early",
				obi_handshake_mechanism(auth));
	}
	return r < 0 || r == OB_AUTH_WAIT ? r : pass(auth, reterr);
}

int obi_handshake_want(struct obi_handshake *auth, struct ob_want *ret, struct ob_error *reterr)
{
	const struct ob_auth_ops *ops = auth->setup->mechanisms[auth->at].ops;
	*ret = (struct ob_want){.fd = -1, .deadline = -1};
	int r = ops->wait(auth->exchange, ret);
	if (r == OB_OK && ret->fd < 0 && ret->deadline < 0) {
		r = OB_EPLUGIN;
	}
	return r < 0 ? obi_fail(reterr, r, 0, "authenticator %s cannot wait",
				obi_handshake_mechanism(auth))
		     : OB_OK;
}

int obi_handshake_answer(struct obi_handshake *auth, struct ob_bytes name, struct ob_bytes in,
			 struct ob_sink *out, struct ob_error *reterr)
{
	if (!ob_bytes_is(name, obi_handshake_mechanism(auth))) {
		return obi_fail(reterr, OB_EAUTH, 0, "the peer uses another authenticator than %s",
				obi_handshake_mechanism(auth));
	}
	bool first = auth->exchange == NULL && auth->setup->mechanisms[auth->at].ops->seal != NULL;
	int r = step(auth, in, out, reterr);
	if (r >= 0 && first && auth->setup->replays != NULL) {
		auth->repeated = obi_replay_cache_seen(auth->setup->replays, in);
	}
	if (r == OB_AUTH_DONE) {
		int passed = pass(auth, reterr);
		return passed < 0 ? passed : OB_AUTH_DONE;
	}
	return r;
}
