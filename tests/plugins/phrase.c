/* SPDX-License-Identifier: MIT */
/*
 * An authenticator with settings: {"phrase": TEXT, "diary": PATH}. The dialer shows its phrase,
 * and the acceptor compares it with its own. If there is a diary, it gets a '+' for each
 * configure() and a '-' for each unconfigure(). {"file": PATH} must be readable. {"target": PATH}
 * gets a line "[NAME] [URI]" for each exchange: the target of its params.
 */
#include <outboard/auth.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROOM = 128 };

struct state {
	char phrase[ROOM];
	char diary[ROOM];
	char target[ROOM];
};

struct ob_auth {
	const struct ob_host *host;
	const struct state *state;
	bool dialer;
};

static void note(const char *diary, char what)
{
	int fd = *diary != '\0' ? open(diary, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (fd >= 0 && write(fd, &what, 1) != 1) {
		abort();
	}
	close(fd);
}

static bool take(const struct ob_value *settings, const char *key, char ret[ROOM])
{
	struct ob_bytes text = {NULL, 0};
	if (!ob_get_string(ob_value_find(settings, key), &text) || text.len >= ROOM) {
		return false;
	}
	memcpy(ret, text.data, text.len);
	return true;
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct state *state = calloc(1, sizeof *state);
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	if (take(settings, "file", state->diary) && access(state->diary, R_OK) < 0) {
		int r = host->fail(reterr, OB_EIO, errno, "file: %s", state->diary);
		free(state);
		return r;
	}
	if (!take(settings, "phrase", state->phrase)) {
		free(state);
		return host->fail(reterr, OB_EINVAL, 0, "phrase: required");
	}
	(void)take(settings, "diary", state->diary);
	(void)take(settings, "target", state->target);
	note(state->diary, '+');
	*ret_state = state;
	return OB_OK;
}

static void unconfigure(void *state)
{
	note(((struct state *)state)->diary, '-');
	free(state);
}

static void note_target(const struct state *state, const struct ob_auth_params *params)
{
	FILE *file = state->target[0] != '\0' ? fopen(state->target, "ae") : NULL;
	if (file != NULL) {
		fprintf(file, "[%.*s] [%.*s]\n", (int)params->target_name.len,
			(const char *)params->target_name.data, (int)params->target_uri.len,
			(const char *)params->target_uri.data);
		fclose(file);
	}
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	*ret_auth = calloc(1, sizeof **ret_auth);
	if (*ret_auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "phrase: out of memory");
	}
	(*ret_auth)->host = host;
	(*ret_auth)->state = params->state;
	(*ret_auth)->dialer = params->role == OB_AUTH_DIALER;
	note_target(params->state, params);
	return OB_OK;
}

static int step(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		struct ob_error *reterr)
{
	if (auth->dialer) {
		return ob_sink_text(out, auth->state->phrase) ? OB_AUTH_DONE : OB_ENOMEM;
	}
	return ob_bytes_is(in, auth->state->phrase)
		   ? OB_AUTH_DONE
		   : auth->host->fail(reterr, OB_EAUTH, 0, "phrase: another one");
}

static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	const struct state *state = params->state;
	(void)auth;
	return ob_sink_text(out, "one who knows ") && ob_sink_text(out, state->phrase) ? OB_OK
										       : OB_ENOMEM;
}

static void destroy(struct ob_auth *auth)
{
	free(auth);
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops, .create = create, .step = step, .identity = identity, .destroy = destroy};

static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_AUTH,
					.name = "phrase",
					.version = "1",
					.ops = &ops,
					.configure = configure,
					.unconfigure = unconfigure};

OB_PLUGIN_ENTRY(&plugin);
