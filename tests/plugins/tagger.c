/* SPDX-License-Identifier: MIT */
/*
 * Two authenticators that let everybody pass and claim what their settings say: {"NAME": TEXT,
 * ...}. `tagger` exchanges no messages; `stamper` does, and is loaded with it. A value that is not
 * a text is claimed as it is, if it is a number; "code": NUMBER is what claims() returns.
 */
#include <outboard/auth.h>

#include <stdlib.h>

enum { MOST = 40, NAME_ROOM = 80, TEXT_ROOM = 300 };

struct tag {
	char name[NAME_ROOM];
	char text[TEXT_ROOM];
	size_t name_len, text_len;
	bool is_number;
};

struct state {
	uint32_t count;
	int code;
	struct tag tags[MOST];
};

struct ob_auth {
	const struct state *state;
};

static bool take(struct state *state, const struct ob_pair *pair)
{
	struct tag *tag = &state->tags[state->count];
	struct ob_bytes text = {NULL, 0};
	int64_t number;
	if (ob_bytes_is(ob_bytes_of(pair->key.as.string, pair->key.count), "code")) {
		state->code = ob_get_int(&pair->value, &number) ? (int)number : 0;
		return true;
	}
	tag->is_number = !ob_get_string(&pair->value, &text);
	if (state->count == MOST || pair->key.count > NAME_ROOM || text.len > TEXT_ROOM) {
		return false;
	}
	tag->name_len = pair->key.count;
	tag->text_len = text.len;
	memcpy(tag->name, pair->key.as.string, tag->name_len);
	memcpy(tag->text, text.len > 0 ? (const char *)text.data : "", text.len);
	state->count++;
	return true;
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct state *state = calloc(1, sizeof *state);
	bool good = state != NULL;
	for (uint32_t i = 0; good && settings->type == OB_MAP && i < settings->count; i++) {
		good = take(state, &settings->as.pairs[i]);
	}
	if (!good) {
		free(state);
		return host->fail(reterr, OB_EINVAL, 0, "too much");
	}
	*ret_state = state;
	return OB_OK;
}

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	return params->peer->known != 0 ? OB_OK : host->fail(reterr, OB_EAUTH, 0, "nobody");
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	*ret_auth = malloc(sizeof **ret_auth);
	if (*ret_auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	(*ret_auth)->state = params->state;
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	(void)auth, (void)in, (void)out, (void)reterr;
	return OB_AUTH_DONE;
}

static void destroy(struct ob_auth *auth)
{
	free(auth);
}

static int claims(struct ob_auth *auth, const struct ob_auth_params *params,
		  struct ob_builder *builder)
{
	const struct state *state = auth != NULL ? auth->state : params->state;
	if (state->count > 0) {
		ob_build_map(builder);
	}
	for (uint32_t i = 0; i < state->count; i++) {
		const struct tag *tag = &state->tags[i];
		ob_build_stringn(builder, tag->name, tag->name_len);
		ob_build_value(builder,
			       tag->is_number ? ob_int(7) : ob_stringn(tag->text, tag->text_len));
	}
	if (state->count > 0) {
		ob_build_end(builder);
	}
	return state->code;
}

static const struct ob_auth_ops tagger_ops = {
    .size = sizeof tagger_ops, .admit = admit, .claims = claims};

static const struct ob_auth_ops stamper_ops = {.size = sizeof stamper_ops,
					       .create = create,
					       .step = step,
					       .destroy = destroy,
					       .claims = claims};

static const struct ob_plugin tagger = {.size = sizeof tagger,
					.kind = OB_PLUGIN_AUTH,
					.name = "tagger",
					.version = "1",
					.ops = &tagger_ops,
					.configure = configure,
					.unconfigure = free};

static const struct ob_plugin stamper = {.size = sizeof stamper,
					 .kind = OB_PLUGIN_AUTH,
					 .name = "stamper",
					 .version = "1",
					 .ops = &stamper_ops,
					 .configure = configure,
					 .unconfigure = free};

OB_PLUGIN_ENTRY(&tagger, &stamper);
