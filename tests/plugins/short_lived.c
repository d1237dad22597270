/* SPDX-License-Identifier: MIT */
/* An authenticator whose keys are used up soon: it pretends to seal a given number of records
 * and no more. It proves nothing. With the setting {"diary": PATH} the file gets a '+' for each
 * create(), a '=' when three quarters of the records are used and a '!' at seven eighths, a '.' for
 * each destroy(), and a '-' for each unconfigure(). */
#include <outboard/auth.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TAG = 8, RECORDS = 400, ROOM = 128 };

struct state {
	char diary[ROOM];
};

struct ob_auth {
	const struct ob_host *host;
	const struct state *state;
	uint64_t sealed, opened, most;
};

static void note(const struct state *state, char what)
{
	int fd = state != NULL && state->diary[0] != '\0'
		     ? open(state->diary, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)
		     : -1;
	if (fd >= 0 && write(fd, &what, 1) != 1) {
		abort();
	}
	close(fd);
}

static int configure(const struct ob_host *host, const struct ob_value *settings, void **ret_state,
		     struct ob_error *reterr)
{
	struct state *state = calloc(1, sizeof *state);
	struct ob_bytes text = {NULL, 0};
	if (state == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "short_lived: out of memory");
	}
	if (ob_get_string(ob_value_find(settings, "diary"), &text) && text.len < ROOM) {
		memcpy(state->diary, text.data, text.len);
	}
	*ret_state = state;
	return OB_OK;
}

static void unconfigure(void *state)
{
	note(state, '-');
	free(state);
}

static int create(const struct ob_host *host, const struct ob_auth_params *params,
		  struct ob_auth **ret_auth, struct ob_error *reterr)
{
	*ret_auth = calloc(1, sizeof **ret_auth);
	if (*ret_auth == NULL) {
		return host->fail(reterr, OB_ENOMEM, 0, "short_lived: out of memory");
	}
	(*ret_auth)->host = host;
	(*ret_auth)->state = params->state;
	note(params->state, '+');
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
	note(auth->state, '.');
	free(auth);
}

static void count(struct ob_auth *auth, uint64_t *records)
{
	uint64_t most = ++*records > auth->most ? ++auth->most : 0;
	if (most == RECORDS * 3 / 4) {
		note(auth->state, '=');
	} else if (most == RECORDS * 7 / 8) {
		note(auth->state, '!');
	}
}

/* The tag is the number of the record. */
static ptrdiff_t seal(struct ob_auth *auth, uint8_t *data, size_t len)
{
	if (auth->sealed == RECORDS) {
		return OB_ECLOSED;
	}
	memcpy(data + len, &auth->sealed, TAG);
	count(auth, &auth->sealed);
	return (ptrdiff_t)(len + TAG);
}

static ptrdiff_t open_one(struct ob_auth *auth, uint8_t *data, size_t len)
{
	if (auth->opened == RECORDS) {
		return OB_ECLOSED;
	}
	if (memcmp(data + len - TAG, &auth->opened, TAG) != 0) {
		return OB_EAUTH;
	}
	count(auth, &auth->opened);
	return (ptrdiff_t)(len - TAG);
}

/* Of nothing: it has no keys. */
static int binding(struct ob_auth *auth, struct ob_sink *out)
{
	static const uint8_t same[OB_BINDING_MIN];
	(void)auth;
	return ob_sink_put(out, same, sizeof same) ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .create = create,
    .step = step,
    .destroy = destroy,
    .overhead = TAG,
    .seal = seal,
    .binding = binding,
    .open = open_one,
    .records_max = RECORDS,
};

static const struct ob_plugin plugin = {.size = sizeof plugin,
					.kind = OB_PLUGIN_AUTH,
					.name = "short_lived",
					.version = "1",
					.ops = &ops,
					.configure = configure,
					.unconfigure = unconfigure};

OB_PLUGIN_ENTRY(&plugin);
