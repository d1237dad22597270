/* SPDX-License-Identifier: MIT */
/* outboard call: one call, and its result as JSON. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "base/string_list.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/call/address.h"
#include "cli/call/connect.h"
#include "cli/call/params.h"
#include "cli/call/settings.h"
#include "cli/call/why_down.h"
#include "cli/config/load.h"
#include "cli/input.h"
#include "cli/report.h"

enum { TIMEOUT_MS = 30000 };

struct call {
	const char *address; /* NULL: target is a data directory */
	const char *codec;
	const char *auth;
	const char *token_file;
	int64_t timeout_ms; /* of all; negative: none */
	bool allow_plaintext;
	const char *target;
	const char *state_path; /* NULL: beside the target */
	const char *method;
	const char *text;	    /* of the params; NULL: none */
	const char *settings_file;  /* NULL: none */
	const char *settings;	    /* of plugins; NULL: none */
	const char *agent_settings; /* the same, of the agent that the child is behind */
	struct obi_buf settings_text;
	const char *plugin_path;    /* NULL: that of the config, or the default */
	const char *config;	    /* NULL: none */
	struct obi_run_config read; /* what it says */
	struct obi_params params;
	int64_t began_ms;
};

/* ---- Connecting ---- */

static int connect_address(const struct call *c, ob_runtime *rt, ob_client **ret,
			   struct ob_error *reterr)
{
	const struct obi_address to = {.address = c->address,
				       .codec = c->codec,
				       .auth = c->auth,
				       .token_file = c->token_file,
				       .settings = c->settings,
				       .timeout_ms = c->timeout_ms,
				       .allow_plaintext = c->allow_plaintext};
	return obi_connect_address(rt, &to, ret, reterr);
}

static int connect_directory(const struct call *c, ob_runtime *rt, ob_client **ret,
			     struct ob_error *reterr)
{
	const struct ob_child_connect_options options = {.size = sizeof options,
							 .data_path = c->target,
							 .state_path = c->state_path,
							 .settings = c->settings,
							 .agent_settings = c->agent_settings,
							 .timeout_ms = c->timeout_ms};
	int r = ob_child_connect_with(rt, &options, NULL, ret, reterr);
	if ((r == OB_EDOWN || r == OB_ENOENT) && c->read.data_root != NULL) {
		obi_explain_down(rt, c->read.data_root, c->target, reterr);
	}
	return r;
}

/* ---- The call ---- */

/* The call was executed, so whatever happens to its result has an exit status of its own. */
static int print_result(const struct call *c, const struct ob_value *result)
{
	struct ob_error err = {0};
	const char *why = NULL;
	if (obi_print_json(stdout, result, &err) < 0) {
		why = err.text;
	} else if (fflush(stdout) != 0 || ferror(stdout)) {
		why = strerror(errno);
		__fpurge(stdout);
		clearerr(stdout);
	}
	if (why != NULL) {
		obi_complain("%s: was executed, but the result cannot be printed: %s", c->method,
			     why);
	}
	return why != NULL ? OBI_EXIT_UNPRINTED : OBI_EXIT_OK;
}

/* The data of an error: a member of an object, or the third item of a list. */
static void print_data(const struct ob_value *error)
{
	const struct ob_value *data = ob_value_find(error, "data");
	data = data != NULL ? data : ob_value_at(error, 2);
	if (!ob_is_nil(data)) {
		fputs("outboard: data: ", stderr);
		if (obi_print_json(stderr, data, NULL) < 0) {
			fputs("cannot be shown as JSON\n", stderr);
		}
	}
}

static int fail(const struct call *c, const ob_reply *reply, const struct ob_error *err)
{
	if (err->code != OB_EREMOTE) {
		return obi_give_up_call(c->method, err);
	}
	obi_complain("%s: %s (error %lld)", c->method, err->text, (long long)err->remote_code);
	print_data(ob_reply_value(reply));
	return obi_exit_of_call(err);
}

static int send(const struct call *c, ob_client *client)
{
	struct ob_error err = {0};
	ob_reply *reply;
	if (ob_reply_new(&reply, &err) < 0) {
		return obi_give_up(c->method, &err);
	}
	int r = ob_client_call(client, c->method, &c->params.value,
			       obi_time_left(c->timeout_ms, c->began_ms), NULL, reply, &err);
	int status = r == OB_OK ? print_result(c, ob_reply_value(reply)) : fail(c, reply, &err);
	ob_reply_free(reply);
	return status;
}

static int connect_and_call(struct call *c, ob_runtime *rt)
{
	struct ob_error err = {0};
	ob_client *client = NULL;
	c->began_ms = obi_now_ms();
	int r = c->address != NULL ? connect_address(c, rt, &client, &err)
				   : connect_directory(c, rt, &client, &err);
	if (r == OB_OK && (c->auth == NULL || strcmp(c->auth, "none") != 0)) {
		r = obi_connection_confirm(client, obi_time_left(c->timeout_ms, c->began_ms), &err);
	}
	int status = r == OB_OK ? send(c, client) : obi_give_up(NULL, &err);
	ob_client_free(client);
	return status;
}

/* ---- What comes before ---- */

/* A name is a child of the config; a word with a slash is a directory. */
static bool find_child(struct call *c)
{
	if (c->target == NULL || strchr(c->target, '/') != NULL) {
		return true;
	}
	for (uint32_t i = 0; i < c->read.count; i++) {
		const struct ob_connector_options *child = &c->read.children[i];
		if (strcmp(child->name, c->target) == 0) {
			c->target = child->data_path;
			c->state_path = c->state_path != NULL ? c->state_path : child->state_path;
			c->settings = child->settings;
			c->agent_settings = obi_run_config_agent_settings(&c->read, i);
			return true;
		}
	}
	obi_complain("call: %s: has no child \"%s\"; a directory is written with a slash",
		     obi_input_name(c->config), c->target);
	return false;
}

static bool read_config(struct call *c)
{
	struct obi_faults faults;
	if (c->config == NULL) {
		return true;
	}
	obi_faults_init(&faults, c->config);
	faults.other_environment = true;
	bool good = obi_load_config(c->config, &c->read, &faults);
	obi_faults_print(&faults);
	obi_faults_free(&faults);
	return good && find_child(c);
}

/* Those of a file come before those of the config. */
static bool read_settings(struct call *c)
{
	const char *given;
	bool good = obi_settings_read("call", c->settings_file, &c->settings_text, &given);
	c->settings = given != NULL ? given : c->settings;
	return good;
}

static int make_runtime(const struct call *c, ob_runtime **ret, struct ob_error *reterr)
{
	char **path = c->plugin_path != NULL ? obi_string_list_split(c->plugin_path, ':') : NULL;
	struct obi_run_config given = c->read;
	if (c->plugin_path != NULL && path == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	given.plugin_path = path != NULL ? (const char *const *)path : given.plugin_path;
	int r = obi_load_runtime(&given, ret, reterr);
	obi_string_list_free(path);
	return r;
}

static int call(struct call *c)
{
	struct ob_error err = {0};
	ob_runtime *rt = NULL;
	int status = OBI_EXIT_USAGE;
	bool good = obi_params_read(c->text, &c->params) && read_config(c) && read_settings(c);
	if (good && make_runtime(c, &rt, &err) < 0) {
		status = obi_give_up(NULL, &err);
	} else if (good) {
		status = connect_and_call(c, rt);
	}
	ob_runtime_free(rt);
	obi_run_config_free(&c->read);
	obi_params_free(&c->params);
	obi_buf_free(&c->settings_text);
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
	if (c->config != NULL && strcmp(c->config, "-") == 0 && c->text != NULL &&
	    (strcmp(c->text, "-") == 0 || strcmp(c->text, "@-") == 0)) {
		obi_complain("call: only one of the config and the parameters can be -");
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
    "data directory of the child, or with --config also its name; with --address there is no\n"
    "TARGET. JSON is an array or an object of parameters; any other value is the only parameter.\n"
    "@FILE reads it from a file, and - from standard input. The parent of the child is not\n"
    "disturbed.\n\n"
    "Exit status: 0 the result was printed; 1 the remote side answered with an error, which is\n"
    "printed with its data; 2 nothing was sent: the arguments or the config are not acceptable;\n"
    "3 nothing was executed: no connection, refused, or too busy; 4 it is not known whether the\n"
    "call was executed: the connection was lost, or the time was over; 5 the call was executed,\n"
    "but the result could not be printed.\n";

static bool read_arguments(struct call *c, int64_t *timeout_ms, int argc, char **argv,
			   struct obi_words *words, int *ret_exit)
{
	const struct obi_option options[] = {
	    {"address", "URI", "call the server at this address instead of a TARGET",
	     OBI_OPTION_TEXT, &c->address},
	    {"codec", "NAME", "with --address: the codec; default msgpack", OBI_OPTION_TEXT,
	     &c->codec},
	    {"auth", "NAME[,NAME...]", "with --address: mechanisms; \"none\" for foreign servers",
	     OBI_OPTION_TEXT, &c->auth},
	    {"token-file", "FILE", "with --address: file with the token, 64 hex digits, mode 0600",
	     OBI_OPTION_TEXT, &c->token_file},
	    {"allow-plaintext", NULL,
	     "with --address: permit an unencrypted connection that others can reach",
	     OBI_OPTION_FLAG, &c->allow_plaintext},
	    {"state", "DIR", "state directory of TARGET, if it is not found beside it",
	     OBI_OPTION_TEXT, &c->state_path},
	    {"config", "CONFIG",
	     "config of the supervisor: names of children, plugin_path, settings", OBI_OPTION_TEXT,
	     &c->config},
	    {"plugin-path", "DIR[:DIR...]", "directories of plugins, in place of the usual ones",
	     OBI_OPTION_TEXT, &c->plugin_path},
	    {"settings", "FILE", "JSON with settings of plugins, in place of those of the config",
	     OBI_OPTION_TEXT, &c->settings_file},
	    {"timeout", "D",
	     "limit for connecting and calling, such as 500ms; default 30s, 0s none",
	     OBI_OPTION_DURATION, timeout_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = "call",
					.words = "TARGET METHOD [JSON|@FILE|-]",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = 3};
	return obi_args_read(&usage, argc, argv, words, ret_exit);
}

int obi_cmd_call(int argc, char **argv)
{
	struct call c = {.timeout_ms = -1};
	int64_t timeout_ms = TIMEOUT_MS;
	struct obi_words words;
	int status;
	if (!read_arguments(&c, &timeout_ms, argc, argv, &words, &status)) {
		return status;
	}
	if (!place_words(&c, &words)) {
		return OBI_EXIT_USAGE;
	}
	c.timeout_ms = timeout_ms > 0 ? timeout_ms : -1;
	/* So that a reader that is gone is an error of writing, which has its exit status. */
	signal(SIGPIPE, SIG_IGN);
	return call(&c);
}
