/* SPDX-License-Identifier: MIT */
/* outboard run: supervise the children of a config, in the foreground. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/args.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/call/connect.h"
#include "api/runtime.h"
#include "cli/report.h"
#include "cli/run/run.h"

enum { LOG_FLUSH_MS = 5000, SIGNALS_A_READ = 16 };

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

/* ---- Signals: they arrive as something to read, so that nothing ever runs inside a handler ----
 */

static void on_signals(void *user, int events)
{
	struct obi_run *run = user;
	struct signalfd_siginfo got[SIGNALS_A_READ];
	(void)events;
	ssize_t n = read(run->signal_fd, got, sizeof got);
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof got[0]; i++) {
		switch (got[i].ssi_signo) {
		case SIGCHLD:
			obi_reap(run);
			break;
		case SIGUSR1:
			detach(run);
			break;
		default:
			obi_run_stop(run);
			break;
		}
	}
}

/* Before any thread is made, so that none gets a signal that is meant for the loop. */
static int block_signals(struct obi_run *run, struct ob_error *reterr)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd >= 0 ? OB_OK : obi_fail(reterr, OB_EIO, errno, "signalfd");
}

static void watch_signals(struct obi_run *run)
{
	run->signals.fn = on_signals;
	run->signals.user = run;
	obi_io_set(run->rt->loop, &run->signals, run->signal_fd, OB_READABLE);
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
	int r = block_signals(run, reterr);
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
	r = r == OB_OK ? begin_children(run, reterr) : r;
	if (r == OB_OK) {
		watch_signals(run);
	}
	return r;
}

static void end(struct obi_run *run)
{
	obi_io_stop(&run->signals);
	obi_timer_stop(&run->reap_again);
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
	if (run->signal_fd >= 0) {
		close(run->signal_fd);
	}
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
			obi_config_check(run->rt, &run->config, &faults, &warnings);
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
	struct obi_run run = {
	    .signal_fd = -1, .own_pipe = {-1, -1}, .root = {.fd = -1, .lock = -1}};
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
