/* SPDX-License-Identifier: MIT */
/* outboard run: supervise the children of a config, in the foreground. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/args.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "api/runtime.h"
#include "cli/report.h"
#include "cli/run/run.h"

enum { LOG_FLUSH_MS = 5000 };

/* ---- Ending ---- */

static void end_if_done(struct obi_run *run)
{
	if (run->mode != OBI_RUN_SERVING && run->pending == 0) {
		ob_runtime_stop(run->rt);
	}
}

void obi_run_done_one(struct obi_run *run)
{
	run->pending--;
	end_if_done(run);
}

void obi_run_stop(struct obi_run *run)
{
	if (run->mode != OBI_RUN_SERVING) {
		return;
	}
	run->mode = OBI_RUN_STOPPING;
	obi_run_log(run, NULL, OB_LOG_INFO, "stopping all children", NULL);
	obi_members_stop(run);
	end_if_done(run);
}

static void detach(struct obi_run *run)
{
	if (run->mode != OBI_RUN_SERVING) {
		return;
	}
	run->mode = OBI_RUN_DETACHING;
	obi_run_log(run, NULL, OB_LOG_INFO, "letting all children go", NULL);
	obi_members_detach(run);
	end_if_done(run);
}

/* ---- Signals ---- */

static void on_signal(void *user, int number)
{
	struct obi_run *run = user;
	if (number == SIGCHLD) {
		obi_reap(run);
	} else if (number == SIGUSR1) {
		detach(run);
	} else {
		obi_run_stop(run);
	}
}

static const int signals[OBI_RUN_SIGNALS] = {SIGINT, SIGTERM, SIGUSR1, SIGCHLD};

/* Before any thread is made: the signals are blocked in the threads that follow. */
static int watch_signals(struct obi_run *run, struct ob_error *reterr)
{
	int r = OB_OK;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; r == OB_OK && i < OBI_RUN_SIGNALS; i++) {
		r = ob_watch_signal(run->rt, signals[i], on_signal, run, &run->signals[i], reterr);
	}
	return r;
}

/* ---- Beginning ---- */

static int open_sinks(struct obi_run *run, struct ob_error *reterr)
{
	struct ob_log_writer_options options = {.size = sizeof options, .format = run->log_format};
	int r = ob_log_writer_new(STDOUT_FILENO, &options, &run->writer, reterr);
	return r == OB_OK ? obi_run_log_open(run, reterr) : r;
}

/* Those that are no longer in the config first: a child may wait for an earlier one of its name. */
static int begin_children(struct obi_run *run, struct ob_error *reterr)
{
	obi_run_log(run, NULL, OB_LOG_INFO, "supervising", "{s:i,s:U,s:s}", "pid", (int)getpid(),
		    "children", (uint64_t)run->count, "socket", run->address);
	obi_removed_begin(run);
	int r = obi_removed_record(run, reterr);
	if (r == OB_OK) {
		obi_members_begin(run);
	}
	return r;
}

static int begin(struct obi_run *run, struct ob_error *reterr)
{
	int r = watch_signals(run, reterr);
	r = r == OB_OK ? obi_root_open(run->config.data_root, &run->root, reterr) : r;
	if (r < 0) {
		return obi_wrap(reterr, "%s: data_root: %s", run->file, run->config.data_root);
	}
	r = obi_unix_address(run->root.path, OBI_ROOT_SOCKET, run->address, sizeof run->address,
			     reterr);
	r = r == OB_OK ? obi_reap_begin(run, reterr) : r;
	r = r == OB_OK ? open_sinks(run, reterr) : r;
	r = r == OB_OK ? obi_members_make(run, reterr) : r;
	r = r == OB_OK ? obi_orders_serve(run, reterr) : r;
	return r == OB_OK ? begin_children(run, reterr) : r;
}

static void end(struct obi_run *run)
{
	ob_watch_free(run->reap_again);
	for (size_t i = 0; i < OBI_RUN_SIGNALS; i++) {
		ob_watch_free(run->signals[i]);
	}
	obi_members_close(run);
	if (run->mode == OBI_RUN_STOPPING) {
		obi_reap_kill(run);
	}
	obi_removed_close(run);
	obi_orders_close(run);
	obi_run_log_close(run);
	ob_log_writer_close(run->writer, LOG_FLUSH_MS);
	obi_root_close(&run->root);
	ob_runtime_free(run->rt);
}

static int supervise(struct obi_run *run)
{
	struct ob_error err = {0};
	int r = begin(run, &err);
	while (r == OB_OK && (run->mode == OBI_RUN_SERVING || run->pending > 0)) {
		(void)ob_runtime_run(run->rt, -1);
	}
	end(run);
	return r < 0 ? obi_give_up("run", &err) : OBI_EXIT_OK;
}

/* ---- The command ---- */

/* Nothing is made before the config is known to be good. */
static bool load(struct obi_run *run)
{
	struct obi_faults faults, warnings;
	struct ob_error err;
	obi_faults_init(&faults, run->file);
	obi_faults_init(&warnings, run->file);
	warnings.word = "warning: ";
	if (obi_load_config(run->file, &run->config, &faults)) {
		if (obi_load_runtime(&run->config, &run->rt, &err) < 0) {
			obi_faults_add(&faults, "plugin_path", err.text);
		} else {
			obi_config_check(run->rt, &run->config, &faults, &warnings, NULL);
		}
	}
	bool good = faults.count == 0;
	obi_faults_print(&warnings);
	obi_faults_print(&faults);
	obi_faults_free(&warnings);
	obi_faults_free(&faults);
	return good;
}

static bool read_format(const char *text, uint32_t *ret)
{
	if (strcmp(text, "text") == 0) {
		*ret = OB_LOG_FORMAT_TEXT;
	} else if (strcmp(text, "json") == 0) {
		*ret = OB_LOG_FORMAT_JSON;
	} else {
		obi_complain("run: --log-format is text or json, not \"%s\"", text);
		return false;
	}
	return true;
}

static const char about[] = "Starts every child of the config and keeps it running, in the "
			    "foreground. Children that run already\n"
			    "are taken over, those that are no longer in the config are ended. "
			    "Logs and events go to stdout.\n\n"
			    "SIGINT and SIGTERM stop all children and end; SIGUSR1 lets them go on "
			    "and ends. \"outboard status\",\n"
			    "\"start\", \"stop\" and \"restart\" reach it through a socket in "
			    "data_root, as the same user or root.\n";

int obi_cmd_run(int argc, char **argv)
{
	const char *format_text = "text";
	const struct obi_option options[] = {
	    {"log-format", "text|json", "how logs and events are printed (default text)",
	     OBI_OPTION_TEXT, &format_text},
	    {0},
	};
	const struct obi_usage usage = {.command = "run",
					.words = "CONFIG",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = 1};
	struct obi_run run = {.own_pipe = {-1, -1}, .root = {.fd = -1, .lock = -1}};
	struct obi_words words;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	if (!read_format(format_text, &run.log_format)) {
		return OBI_EXIT_USAGE;
	}
	run.file = words.items[0];
	if (load(&run)) {
		status = supervise(&run);
	} else {
		ob_runtime_free(run.rt);
		status = OBI_EXIT_USAGE;
	}
	obi_run_config_free(&run.config);
	return status;
}
