/* SPDX-License-Identifier: MIT */
/* outboard start, stop and restart: orders to a running supervisor. */
#include "cli/args.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "cli/config/load.h"
#include "cli/report.h"

enum { PARAMS_MEMORY = 16 << 20 };

struct order {
	const char *verb; /* "start" */
	const char *done; /* "started" */
	const char *about;
	const char *config;
	const char *root;
	int64_t timeout_ms;
	struct obi_words names;
};

/* ---- What came of it ---- */

static bool print_result(const struct order *o, const struct ob_value *result)
{
	struct ob_bytes name = {NULL, 0}, error = {NULL, 0};
	bool ok = false;
	(void)ob_get_string(ob_value_find(result, "name"), &name);
	(void)ob_get_string(ob_value_find(result, "error"), &error);
	(void)ob_get_bool(ob_value_find(result, "ok"), &ok);
	FILE *file = ok ? stdout : stderr;
	obi_print_safe(file, name);
	fprintf(file, ": %s", ok ? o->done : "");
	if (!ok) {
		obi_print_safe(file, error);
	}
	fputc('\n', file);
	return ok;
}

static int print_results(const struct order *o, const struct ob_value *results)
{
	int status = OBI_EXIT_OK;
	for (uint32_t i = 0; ob_value_at(results, i) != NULL; i++) {
		if (!print_result(o, ob_value_at(results, i))) {
			status = OBI_EXIT_REMOTE;
		}
	}
	return status;
}

/* ---- Asking ---- */

/* [["a", "b"]], or [] for every child. */
static int build_params(const struct order *o, struct obi_arena *arena, struct ob_value *ret)
{
	struct ob_builder b;
	ob_builder_init(&b, &arena->ob);
	ob_build_array(&b);
	if (o->names.count > 0) {
		ob_build_array(&b);
		for (int i = 0; i < o->names.count; i++) {
			ob_build_string(&b, o->names.items[i]);
		}
		ob_build_end(&b);
	}
	ob_build_end(&b);
	return ob_builder_finish(&b, ret);
}

static int send(const struct order *o, ob_client *client)
{
	char method[32];
	struct ob_error err = {0};
	struct obi_arena arena;
	struct ob_value params;
	ob_reply *reply = NULL;
	obi_arena_init(&arena, PARAMS_MEMORY);
	snprintf(method, sizeof method, "run.%s", o->verb);
	int r = build_params(o, &arena, &params);
	r = r == OB_OK ? ob_reply_new(&reply, &err) : r;
	r = r == OB_OK ? ob_client_call(client, method, &params, o->timeout_ms, NULL, reply, &err)
		       : r;
	int status =
	    r == OB_OK ? print_results(o, ob_reply_value(reply)) : obi_give_up(o->verb, &err);
	ob_reply_free(reply);
	obi_arena_free(&arena);
	return status;
}

static int carry_out(const struct order *o, const char *root, const struct obi_run_config *config)
{
	struct ob_error err = {0};
	ob_runtime *rt = NULL;
	ob_client *client = NULL;
	int r = obi_load_runtime(config, &rt, &err);
	r = r == OB_OK ? obi_connect_supervisor(rt, root, &client, &err) : r;
	int status = r == OB_OK ? send(o, client) : obi_give_up("no supervisor answers", &err);
	ob_client_free(client);
	ob_runtime_free(rt);
	return status;
}

static int carry_out_of_config(const struct order *o)
{
	struct obi_run_config config;
	struct obi_faults faults;
	int status = OBI_EXIT_USAGE;
	obi_faults_init(&faults, o->config);
	if (!obi_load_config(o->config, &config, &faults)) {
		obi_faults_print(&faults);
	} else if (config.data_root == NULL) {
		obi_complain("%s: data_root: must be there to find its supervisor", o->config);
		obi_run_config_free(&config);
	} else {
		status = carry_out(o, config.data_root, &config);
		obi_run_config_free(&config);
	}
	obi_faults_free(&faults);
	return status;
}

/* ---- The command line ---- */

static int run(struct order *o, int argc, char **argv)
{
	int64_t timeout_ms = 0;
	const struct obi_option options[] = {
	    {"config", "CONFIG", "the file that the supervisor was given ...", OBI_OPTION_TEXT,
	     &o->config},
	    {"data-root", "DIR", "... or its data_root", OBI_OPTION_TEXT, &o->root},
	    {"timeout", "D",
	     "how long to wait for the outcome, as 30s; default: until there is one",
	     OBI_OPTION_DURATION, &timeout_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = o->verb,
					.words = "[NAME...]",
					.about = o->about,
					.options = options,
					.max_words = -1};
	int status;
	if (!obi_args_read(&usage, argc, argv, &o->names, &status)) {
		return status;
	}
	if ((o->config != NULL) == (o->root != NULL)) {
		obi_complain("%s: whose children? Say --config CONFIG or --data-root DIR", o->verb);
		return OBI_EXIT_USAGE;
	}
	o->timeout_ms = timeout_ms == 0 ? -1 : timeout_ms;
	return o->config != NULL ? carry_out_of_config(o) : carry_out(o, o->root, NULL);
}

int obi_cmd_start(int argc, char **argv)
{
	struct order order = {.verb = "start",
			      .done = "ready",
			      .about = "Starts children of a running \"outboard run\", all if none "
				       "is named, and waits until they\n"
				       "are ready.\n"};
	return run(&order, argc, argv);
}

int obi_cmd_stop(int argc, char **argv)
{
	struct order order = {.verb = "stop",
			      .done = "stopped",
			      .about = "Stops children of a running \"outboard run\", all if none "
				       "is named, and waits until they\n"
				       "have ended. The supervisor runs on.\n"};
	return run(&order, argc, argv);
}

int obi_cmd_restart(int argc, char **argv)
{
	struct order order = {
	    .verb = "restart",
	    .done = "ready",
	    .about = "Stops children of a running \"outboard run\", all if none is named, starts "
		     "them anew with\n"
		     "the config that the supervisor has, and waits until they are ready.\n"};
	return run(&order, argc, argv);
}
