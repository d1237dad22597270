/* SPDX-License-Identifier: MIT */
#include "support/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/expect.h"
#include "support/scratch.h"

static const char *const auth[] = {"ask", NULL}, *const parents[] = {"peercred", NULL};

/* ---- Server ---- */

static void am_i(void *user, ob_call *call, const struct ob_value *params)
{
	struct ob_identity who = {.size = sizeof who};
	(void)user, (void)params;
	ob_call_identity(call, &who);
	const struct ob_value subject = ob_stringn((const char *)who.subject.data, who.subject.len);
	ob_call_reply(call, &subject);
}

static const struct ob_method who[] = {{"am_i", am_i}, {NULL, NULL}};

void asking_begin(struct asking *a, const char *key)
{
	const struct ob_runtime_options threaded = {.size = sizeof threaded,
						    .mode = OB_RUNTIME_THREADED};
	struct ob_error err;
	memset(a, 0, sizeof *a);
	a->fds = scratch_open_fds();
	a->dir = scratch_make();
	a->address = scratch_text("unix://%s/s", a->dir);
	a->parents = scratch_text("unix://%s/p", a->dir);
	asked_begin(&a->helper, a->dir, "ask", key);
	expect(ob_runtime_new(&threaded, &a->runtime, &err), OB_OK, &err, NULL);
	a->options = (struct ob_server_options){.size = sizeof a->options,
						.runtime = a->runtime,
						.listen = a->parents,
						.auth = parents,
						.client_listen = a->address,
						.client_auth = auth,
						.auth_timeout_ms = 3600 * 1000};
}

void asking_serve(struct asking *a, const char *more)
{
	struct ob_error err;
	char *settings =
	    scratch_text("{\"client_auth\":{\"ask\":{\"socket\":\"%s\"%s%s}}}", a->helper.socket,
			 more != NULL ? "," : "", more != NULL ? more : "");
	a->options.settings = settings;
	expect(ob_server_open(&a->options, &a->server, &err), OB_OK, &err, NULL);
	expect(ob_server_expose(a->server, "who", who, NULL, &err), OB_OK, &err, NULL);
	expect(ob_server_start(a->server, &err), OB_OK, &err, NULL);
	free(settings);
}

void asking_close(struct asking *a)
{
	ob_server_close(a->server);
	a->server = NULL;
}

void asking_end(struct asking *a)
{
	asking_close(a);
	ob_runtime_free(a->runtime);
	asked_end(&a->helper);
	free(a->address);
	free(a->parents);
	scratch_remove(a->dir);
	assert_int_equal(scratch_open_fds(), a->fds);
}

/* ---- Clients ---- */

struct ob_client_options asking_client(const struct asking *a, const char *settings)
{
	return (struct ob_client_options){.size = sizeof(struct ob_client_options),
					  .address = a->address,
					  .auth = auth,
					  .settings = settings,
					  .connect_timeout_ms = 3600 * 1000};
}

static int call(ob_client *client, char **ret_subject, struct ob_error *reterr)
{
	ob_reply *reply;
	struct ob_bytes text = {NULL, 0};
	assert_int_equal(ob_reply_new(&reply, NULL), OB_OK);
	int r = ob_client_call(client, "who.am_i", NULL, 0, NULL, reply, reterr);
	if (r == OB_OK && ret_subject != NULL) {
		assert_true(ob_get_string(ob_reply_value(reply), &text));
		*ret_subject = scratch_text("%.*s", (int)text.len, (const char *)text.data);
	}
	ob_reply_free(reply);
	return r;
}

int asking_dial(const struct asking *a, const char *settings, char **ret_subject,
		struct ob_error *reterr)
{
	char *whole = scratch_text("{\"auth\":{\"ask\":%s}}", settings);
	const struct ob_client_options options = asking_client(a, whole);
	ob_client *client = NULL;
	int r = ob_client_connect(a->runtime, &options, NULL, &client, reterr);
	r = r == OB_OK ? call(client, ret_subject, reterr) : r;
	ob_client_free(client);
	free(whole);
	return r;
}

/* Text as JSON, quoted. */
static char *quoted(const char *text)
{
	char *out = malloc(2 * strlen(text) + 3), *at = out;
	assert_non_null(out);
	*at++ = '"';
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\') {
			*at++ = '\\';
		}
		*at++ = *text;
	}
	*at++ = '"';
	*at = '\0';
	return out;
}

char *asking_message(const char *user, const char *password)
{
	char *inner = quoted(password);
	char *message = scratch_text("{\"user\":\"%s\",\"password\":%s}", user, inner);
	char *outer = quoted(message);
	char *settings = scratch_text("{\"send\":%s}", outer);
	free(inner);
	free(message);
	free(outer);
	return settings;
}

int asking_log_in(const struct asking *a, const char *user, const char *password,
		  char **ret_subject, struct ob_error *reterr)
{
	char *settings = asking_message(user, password);
	int r = asking_dial(a, settings, ret_subject, reterr);
	free(settings);
	return r;
}
