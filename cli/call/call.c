/* SPDX-License-Identifier: MIT */
/* outboard call: one call, and its result as JSON. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "base/string_list.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "cli/config/load.h"
#include "cli/report.h"

enum { PARAMS_MEMORY = 1 << 30, TOKEN_FILE_MAX = 4096 };

struct call {
	const char *address; /* NULL: target is a data directory */
	const char *codec;
	const char *auth;
	const char *token_file;
	int64_t timeout_ms; /* 0: the default; negative: none */
	bool allow_plaintext;
	const char *target;
	const char *state_path; /* NULL: beside the target */
	const char *method;
	const char *text; /* JSON; NULL: none */
	struct obi_arena arena;
	struct ob_value item;
	struct ob_value params;
	int64_t began_ms;
};

/* ---- Params ---- */

/* An array or an object is the params; any other value is the only parameter. */
static int read_params(struct call *c, struct ob_error *reterr)
{
	struct ob_value value;
	c->params = ob_array(NULL, 0);
	if (c->text == NULL) {
		return OB_OK;
	}
	int r = ob_value_from_json(ob_bytes_text(c->text), NULL, &c->arena.ob, &value, reterr);
	if (r < 0) {
		return r;
	}
	c->item = value;
	c->params = value.type == OB_ARRAY || value.type == OB_MAP ? value : ob_array(&c->item, 1);
	return OB_OK;
}

/* ---- Connecting ---- */

/* The file contains only the token, and perhaps a newline. */
static int read_token(const char *path, struct obi_buf *out, struct ob_error *reterr)
{
	int r = ob_file_read(AT_FDCWD, path, (uint32_t)-1, obi_buf_sink(out), reterr);
	if (r < 0) {
		return r;
	}
	struct ob_bytes text = obi_buf_bytes(out);
	while (text.len > 0 &&
	       (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
		text.len--;
	}
	obi_buf_truncate(out, text.len);
	if (!ob_sink_byte(obi_buf_sink(out), '\0')) {
		return obi_fail(reterr, OB_ETOOBIG, 0, "%s is too long for a token", path);
	}
	return OB_OK;
}

static int connect_address(const struct call *c, ob_runtime *rt, ob_client **ret,
			   struct ob_error *reterr)
{
	struct obi_buf token;
	char **auth = c->auth != NULL ? obi_string_list_split(c->auth, ',') : NULL;
	struct ob_client_options options = {.size = sizeof options,
					    .address = c->address,
					    .codec = c->codec,
					    .auth = (const char *const *)auth,
					    .connect_timeout_ms = c->timeout_ms,
					    .allow_plaintext = c->allow_plaintext};
	obi_buf_init(&token, TOKEN_FILE_MAX);
	int r = c->token_file != NULL ? read_token(c->token_file, &token, reterr) : OB_OK;
	if (r == OB_OK) {
		options.token = c->token_file != NULL ? (const char *)token.sink.data : NULL;
		r = ob_client_connect(rt, &options, NULL, ret, reterr);
	}
	obi_buf_free(&token);
	obi_string_list_free(auth);
	return r;
}

static int connect_directory(const struct call *c, ob_runtime *rt, ob_client **ret,
			     struct ob_error *reterr)
{
	return ob_child_connect(rt, c->target, c->state_path, c->timeout_ms, NULL, ret, reterr);
}

/* ---- The call ---- */

/* The time that is left after connecting. */
static int64_t time_left(const struct call *c)
{
	int64_t left = c->timeout_ms - (obi_now_ms() - c->began_ms);
	return c->timeout_ms <= 0 ? c->timeout_ms : left > 0 ? left : 1;
}

static int send(const struct call *c, ob_client *client)
{
	struct ob_error err = {0};
	ob_reply *reply;
	int r = ob_reply_new(&reply, &err);
	if (r == OB_OK) {
		r = ob_client_call(client, c->method, &c->params, time_left(c), NULL, reply, &err);
		r = r == OB_OK ? obi_print_json(ob_reply_value(reply), &err) : r;
		ob_reply_free(reply);
	}
	if (r == OB_EREMOTE) {
		obi_complain("%s: %s (error %lld)", c->method, err.text,
			     (long long)err.remote_code);
		return obi_exit_of(&err);
	}
	return r < 0 ? obi_give_up(c->method, &err) : OBI_EXIT_OK;
}

static int connect_and_call(struct call *c)
{
	struct ob_error err = {0};
	ob_runtime *rt = NULL;
	ob_client *client = NULL;
	int status;
	if (read_params(c, &err) < 0) {
		obi_complain("call: the JSON argument: %s", err.text);
		return OBI_EXIT_USAGE;
	}
	int r = obi_load_runtime(NULL, &rt, &err);
	if (r == OB_OK) {
		c->began_ms = obi_now_ms();
		r = c->address != NULL ? connect_address(c, rt, &client, &err)
				       : connect_directory(c, rt, &client, &err);
	}
	status = r == OB_OK ? send(c, client) : obi_give_up(NULL, &err);
	ob_client_free(client);
	ob_runtime_free(rt);
	return status;
}

static int call(struct call *c)
{
	obi_arena_init(&c->arena, PARAMS_MEMORY);
	int status = connect_and_call(c);
	obi_arena_free(&c->arena);
	return status;
}

/* ---- The command line ---- */

static bool place_words(struct call *c, const struct obi_words *words)
{
	int at = 0;
	bool fits = c->address != NULL ? words->count <= 2 : words->count >= 2;
	if (!fits) {
		obi_complain("call: %s", c->address != NULL
					     ? "give either a TARGET or --address, not both"
					     : "a TARGET and a METHOD are required");
		return false;
	}
	if (c->address == NULL) {
		c->target = words->items[at++];
	}
	c->method = words->items[at++];
	c->text = at < words->count ? words->items[at] : NULL;
	if (c->address == NULL &&
	    (c->codec != NULL || c->auth != NULL || c->token_file != NULL || c->allow_plaintext)) {
		obi_complain(
		    "call: --codec, --auth, --token-file and --allow-plaintext are only for "
		    "--address; a data directory contains these settings");
		return false;
	}
	if (c->address != NULL && c->state_path != NULL) {
		obi_complain("call: --state is only for a TARGET");
		return false;
	}
	if (c->address != NULL && c->auth == NULL && c->token_file == NULL) {
		obi_complain(
		    "call: --address requires --token-file, or an --auth that needs no token");
		return false;
	}
	return true;
}

static const char about[] =
    "Calls METHOD (\"interface.method\") of a child and prints the result as JSON. TARGET is the\n"
    "data directory of the child; with --address there is no TARGET. JSON is an array or an\n"
    "object of parameters; any other value is the only parameter. The parent of the child is not\n"
    "disturbed.\n";

int obi_cmd_call(int argc, char **argv)
{
	struct call c = {.timeout_ms = 0};
	int64_t timeout_ms = INT64_MIN;
	const struct obi_option options[] = {
	    {"address", "URI", "call the server at this address instead of a TARGET",
	     OBI_OPTION_TEXT, &c.address},
	    {"codec", "NAME", "with --address: the codec; default msgpack", OBI_OPTION_TEXT,
	     &c.codec},
	    {"auth", "NAME[,NAME...]", "with --address: mechanisms; \"none\" for foreign servers",
	     OBI_OPTION_TEXT, &c.auth},
	    {"token-file", "FILE", "with --address: file with the token, 64 hex digits, mode 0600",
	     OBI_OPTION_TEXT, &c.token_file},
	    {"allow-plaintext", NULL,
	     "with --address: permit an unencrypted connection that others can reach",
	     OBI_OPTION_FLAG, &c.allow_plaintext},
	    {"state", "DIR", "state directory of TARGET, if it is not found beside it",
	     OBI_OPTION_TEXT, &c.state_path},
	    {"timeout", "D",
	     "limit for connecting and calling, such as 500ms; default 30s, 0s none",
	     OBI_OPTION_DURATION, &timeout_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = "call",
					.words = "TARGET METHOD [JSON]",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = 3};
	struct obi_words words;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	if (!place_words(&c, &words)) {
		return OBI_EXIT_USAGE;
	}
	c.timeout_ms = timeout_ms == INT64_MIN ? 0 : timeout_ms == 0 ? -1 : timeout_ms;
	return call(&c);
}
