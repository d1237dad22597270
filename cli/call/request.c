/* SPDX-License-Identifier: MIT */
/* outboard start, stop and restart: requests to a running supervisor. */
#include "cli/args.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "cli/config/load.h"
#include "cli/report.h"

enum { PARAMS_MEMORY = 16 << 20 };

struct request {
	const char *verb; /* "start" */
	const char *done; /* "ready" */
	const char *about;
	const char *config;
	const char *root;
	int64_t timeout_ms;
	struct obi_words names;
};

/* ---- Results ---- */

static bool print_result(const struct request *req, const struct ob_value *result)
{
	struct ob_bytes name = {NULL, 0}, error = {NULL, 0};
	bool ok = false;
	(void)ob_get_string(ob_value_find(result, "name"), &name);
	(void)ob_get_string(ob_value_find(result, "error"), &error);
	(void)ob_get_bool(ob_value_find(result, "ok"), &ok);
	FILE *file = ok ? stdout : stderr;
	obi_print_safe(file, name);
	fprintf(file, ": %s", ok ? req->done : "");
	if (!ok) {
		obi_print_safe(file, error);
	}
	fputc('\n', file);
	return ok;
}

static int print_results(const struct request *req, const struct ob_value *results)
{
	int status = OBI_EXIT_OK;
	for (uint32_t i = 0; ob_value_at(results, i) != NULL; i++) {
		if (!print_result(req, ob_value_at(results, i))) {
			status = OBI_EXIT_REMOTE;
		}
	}
	return status;
}

/* ---- The request ---- */

/* [["a", "b"]], or [] for every child. */
static int build_params(const struct request *req, struct obi_arena *arena, struct ob_value *ret,
			struct ob_error *reterr)
{
	struct ob_builder b;
	ob_builder_init(&b, &arena->ob);
	ob_build_array(&b);
	if (req->names.count > 0) {
		ob_build_array(&b);
		for (int i = 0; i < req->names.count; i++) {
			ob_build_string(&b, req->names.items[i]);
		}
		ob_build_end(&b);
	}
	ob_build_end(&b);
	int r = ob_builder_finish(&b, ret);
	return r == OB_OK ? r : obi_fail(reterr, r, 0, "out of memory");
}

static int send(const struct request *req, const char *root, ob_client *client)
{
	char method[32];
	struct ob_error err = {0};
	struct obi_arena arena;
	struct ob_value params;
	ob_reply *reply = NULL;
	obi_arena_init(&arena, PARAMS_MEMORY);
	snprintf(method, sizeof method, "run.%s", req->verb);
	int r = build_params(req, &arena, &params, &err);
	r = r == OB_OK ? ob_reply_new(&reply, &err) : r;
	r = r == OB_OK ? ob_client_call(client, method, &params, req->timeout_ms, NULL, reply, &err)
		       : r;
	if (r < 0) {
		obi_name_supervisor(root, &err);
	}
	int status = r == OB_OK ? print_results(req, ob_reply_value(reply))
				: obi_give_up_call(req->verb, &err);
	ob_reply_free(reply);
	obi_arena_free(&arena);
	return status;
}

static int request_of_root(const struct request *req, const char *root,
			   const struct obi_run_config *config)
{
	struct ob_error err = {0};
	ob_runtime *rt = NULL;
	ob_client *client = NULL;
	int r = obi_load_runtime(config, &rt, &err);
	bool runs = true;
	r = r == OB_OK ? obi_connect_supervisor(rt, root, &client, &runs, &err) : r;
	if (!runs && (r == OB_ENOENT || r == OB_EREFUSED)) {
		obi_wrap(&err, "no supervisor runs there");
	}
	if (r == OB_OK) {
		r = obi_connection_confirm(client, req->timeout_ms, &err);
		if (r < 0) {
			obi_name_supervisor(root, &err);
		}
	}
	int status = r == OB_OK ? send(req, root, client) : obi_give_up(req->verb, &err);
	ob_client_free(client);
	ob_runtime_free(rt);
	return status;
}

static int request_of_config(const struct request *req)
{
	struct obi_run_config config;
	struct obi_faults faults;
	int status = OBI_EXIT_USAGE;
	obi_faults_init(&faults, req->config);
	faults.other_environment = true;
	if (!obi_load_config(req->config, &config, &faults)) {
		obi_faults_print(&faults);
	} else if (config.data_root == NULL) {
		obi_complain("%s: data_root: is required to find the supervisor",
			     obi_input_name(req->config));
		obi_run_config_free(&config);
	} else {
		status = request_of_root(req, config.data_root, &config);
		obi_run_config_free(&config);
	}
	obi_faults_free(&faults);
	return status;
}

/* ---- The command line ---- */

static int run(struct request *req, int argc, char **argv)
{
	int64_t timeout_ms = 0;
	const struct obi_option options[] = {
	    {"config", "CONFIG", "config file of the supervisor, or ...", OBI_OPTION_TEXT,
	     &req->config},
	    {"data-root", "DIR", "... its data_root", OBI_OPTION_TEXT, &req->root},
	    {"timeout", "D", "limit for waiting, such as 30s; default none", OBI_OPTION_DURATION,
	     &timeout_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = req->verb,
					.words = "[NAME...]",
					.about = req->about,
					.options = options,
					.max_words = -1};
	int status;
	if (!obi_args_read(&usage, argc, argv, &req->names, &status)) {
		return status;
	}
	if ((req->config != NULL) == (req->root != NULL)) {
		obi_complain("%s: either --config CONFIG or --data-root DIR is required",
			     req->verb);
		return OBI_EXIT_USAGE;
	}
	req->timeout_ms = timeout_ms == 0 ? -1 : timeout_ms;
	return req->config != NULL ? request_of_config(req) : request_of_root(req, req->root, NULL);
}

int obi_cmd_start(int argc, char **argv)
{
	struct request req = {.verb = "start",
			      .done = "ready",
			      .about =
				  "Starts children of a running \"outboard run\", or all children "
				  "if none is named, and\nwaits until they are ready.\n"};
	return run(&req, argc, argv);
}

int obi_cmd_stop(int argc, char **argv)
{
	struct request req = {.verb = "stop",
			      .done = "stopped",
			      .about =
				  "Stops children of a running \"outboard run\", or all children "
				  "if none is named, and\nwaits until they have ended. The "
				  "supervisor keeps running.\n"};
	return run(&req, argc, argv);
}

int obi_cmd_restart(int argc, char **argv)
{
	struct request req = {
	    .verb = "restart",
	    .done = "ready",
	    .about = "Stops children of a running \"outboard run\", or all children if none is "
		     "named, starts\nthem again with the config that the supervisor has read, and "
		     "waits until they are ready.\n"};
	return run(&req, argc, argv);
}
