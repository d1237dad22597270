/* SPDX-License-Identifier: MIT */
/* outboard start, stop and restart: requests to a running supervisor. */
#include "cli/call/request.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "cli/config/load.h"
#include "cli/report.h"

enum { PARAMS_MEMORY = 16 << 20 };

/* ---- Results ---- */

bool obi_print_result(const struct ob_value *result, const char *done)
{
	struct ob_bytes name = {NULL, 0}, error = {NULL, 0}, note = {NULL, 0};
	bool ok = false;
	(void)ob_get_string(ob_value_find(result, "name"), &name);
	(void)ob_get_string(ob_value_find(result, "error"), &error);
	(void)ob_get_string(ob_value_find(result, "note"), &note);
	(void)ob_get_bool(ob_value_find(result, "ok"), &ok);
	FILE *file = ok ? stdout : stderr;
	obi_print_safe(file, name);
	fprintf(file, ": %s", ok ? done : "");
	if (!ok) {
		obi_print_safe(file, error);
	}
	if (note.len > 0) {
		fputs(" (", file);
		obi_print_safe(file, note);
		fputc(')', file);
	}
	fputc('\n', file);
	return ok;
}

/* ---- The request ---- */

static int build_params(const struct obi_request *req, struct obi_arena *arena,
			struct ob_value *ret, struct ob_error *reterr)
{
	struct ob_builder b;
	ob_builder_init(&b, &arena->ob);
	req->build(req, &b);
	int r = ob_builder_finish(&b, ret);
	return r == OB_OK ? r : obi_fail(reterr, r, 0, "out of memory");
}

static int send(struct obi_request *req, const char *root, ob_runtime *rt, ob_client *client)
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
	if (r == OB_OK) {
		obi_progress_begin(&req->progress, rt, client);
		r = ob_client_call(client, method, &params,
				   obi_time_left(req->timeout_ms, req->began_ms), NULL, reply,
				   &err);
		obi_progress_end(&req->progress);
	}
	if (r < 0) {
		obi_name_supervisor(root, &err);
	}
	int status =
	    r == OB_OK ? req->print(req, ob_reply_value(reply)) : obi_give_up_call(req->verb, &err);
	ob_reply_free(reply);
	obi_arena_free(&arena);
	return status;
}

static int request_of_root(struct obi_request *req, const char *root,
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
		int64_t left = obi_time_left(req->timeout_ms, req->began_ms);
		r = obi_connection_confirm(client, left > 0 ? left : 0, &err);
		if (r < 0) {
			obi_name_supervisor(root, &err);
		}
	}
	int status = r == OB_OK ? send(req, root, rt, client) : obi_give_up(req->verb, &err);
	ob_client_free(client);
	ob_runtime_free(rt);
	return status;
}

static int request_of_config(struct obi_request *req)
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

int obi_request_send(struct obi_request *req)
{
	if ((req->config != NULL) == (req->root != NULL)) {
		obi_complain("%s: either --config CONFIG or --data-root DIR is required",
			     req->verb);
		return OBI_EXIT_USAGE;
	}
	req->timeout_ms = req->timeout_ms == 0 ? -1 : req->timeout_ms;
	req->began_ms = obi_now_ms();
	return req->config != NULL ? request_of_config(req) : request_of_root(req, req->root, NULL);
}

/* ---- Start, stop and restart ---- */

struct asked {
	const char *done; /* "ready" */
	struct obi_words names;
};

/* [["a", "b"]], or [] for every child. */
static void build_names(const struct obi_request *req, struct ob_builder *b)
{
	const struct asked *asked = req->user;
	ob_build_array(b);
	if (asked->names.count > 0) {
		ob_build_array(b);
		for (int i = 0; i < asked->names.count; i++) {
			ob_build_string(b, asked->names.items[i]);
		}
		ob_build_end(b);
	}
	ob_build_end(b);
}

static int print_results(const struct obi_request *req, const struct ob_value *results)
{
	const struct asked *asked = req->user;
	int status = OBI_EXIT_OK;
	for (uint32_t i = 0; ob_value_at(results, i) != NULL; i++) {
		if (!obi_print_result(ob_value_at(results, i), asked->done)) {
			status = OBI_EXIT_REMOTE;
		}
	}
	return status;
}

static int run(const char *verb, const char *done, const char *about, int argc, char **argv)
{
	struct asked asked = {.done = done};
	struct obi_request req = {
	    .verb = verb, .build = build_names, .print = print_results, .user = &asked};
	const struct obi_option options[] = {OBI_REQUEST_OPTIONS(&req), {0}};
	const struct obi_usage usage = {.command = verb,
					.words = "[NAME...]",
					.about = about,
					.options = options,
					.max_words = -1};
	int status;
	return obi_args_read(&usage, argc, argv, &asked.names, &status) ? obi_request_send(&req)
									: status;
}

int obi_cmd_start(int argc, char **argv)
{
	return run("start", "ready",
		   "Starts children of a running \"outboard run\", or all children if none is "
		   "named, and\nwaits until they are ready.\n",
		   argc, argv);
}

int obi_cmd_stop(int argc, char **argv)
{
	return run("stop", "stopped",
		   "Stops children of a running \"outboard run\", or all children if none is "
		   "named, and\nwaits until they have ended. The supervisor keeps running.\n",
		   argc, argv);
}

int obi_cmd_restart(int argc, char **argv)
{
	return run("restart", "ready",
		   "Stops children of a running \"outboard run\", or all children if none is "
		   "named, starts\nthem again with the config that the supervisor has read, and "
		   "waits until they are ready.\n",
		   argc, argv);
}
