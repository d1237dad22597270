/* SPDX-License-Identifier: MIT */
/* outboard run: supervise the children of a config, in the foreground, in one thread. */
#include <signal.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/args.h"
#include "cli/call/connect.h"
#include "cli/commands.h"
#include "cli/config/load.h"
#include "cli/report.h"
#include "cli/run/members.h"
#include "cli/run/reap.h"
#include "cli/run/removed.h"
#include "cli/run/requests.h"
#include "cli/run/root.h"
#include "cli/run/root_watch.h"
#include "cli/run/run_log.h"

static const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGCHLD};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

struct run {
	const char *file; /* of the config */
	uint32_t log_format;
	struct obi_run_config config;
	ob_runtime *rt;
	ob_watch *signals[SIGNALS];
	struct obi_root root;
	struct obi_run_log log;
	struct obi_members members;
	struct obi_removed removed;
	struct obi_run_requests requests;
	struct obi_reaper reaper;
	struct obi_root_watch root_watch;
	char address[4096]; /* of the socket for requests */
	bool stopped;	    /* the children are stopped, not detached */
};

/* ---- Ending ---- */

static bool is_over(const struct run *run)
{
	return run->members.ending && run->members.pending == 0 && run->removed.pending == 0;
}

static void end_if_over(void *user)
{
	struct run *run = user;
	if (is_over(run)) {
		ob_runtime_stop(run->rt);
	}
}

static void stop(void *user)
{
	struct run *run = user;
	if (!run->members.ending) {
		run->stopped = true;
		obi_run_log(&run->log, NULL, OB_LOG_INFO, "stopping all children", NULL);
		obi_members_stop(&run->members);
		end_if_over(run);
	}
}

static void detach(struct run *run)
{
	if (!run->members.ending) {
		obi_run_log(&run->log, NULL, OB_LOG_INFO, "detaching all children", NULL);
		obi_members_detach(&run->members);
		end_if_over(run);
	}
}

/* ---- Events ---- */

static void on_signal(void *user, int number)
{
	struct run *run = user;
	if (number == SIGCHLD) {
		obi_reap(&run->reaper);
	} else if (number == SIGUSR1) {
		detach(run);
	} else {
		stop(run);
	}
}

static void on_event(void *user, struct obi_member *member, const struct ob_event *event)
{
	(void)user;
	obi_requests_event(member, event);
}

/* ---- Beginning ---- */

/* Before any thread is made: the signals are blocked in the threads that follow. */
static int watch_signals(struct run *run, struct ob_error *reterr)
{
	int r = OB_OK;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; r == OB_OK && i < SIGNALS; i++) {
		r = ob_watch_signal(run->rt, signals[i], on_signal, run, &run->signals[i], reterr);
	}
	return r;
}

/* Children that are no longer in the config first: a child may have to wait for one of them. */
static int begin_children(struct run *run, struct ob_error *reterr)
{
	obi_run_log(&run->log, NULL, OB_LOG_INFO, "supervising", "{s:i,s:U,s:s}", "pid",
		    (int)getpid(), "children", (uint64_t)run->members.count, "socket",
		    run->address);
	int r = obi_removed_begin(&run->removed, reterr);
	if (r == OB_OK) {
		obi_members_begin(&run->members);
	}
	return r;
}

static bool has_other_users(const struct obi_run_config *config)
{
	bool found = false;
	for (uint32_t i = 0; i < config->count; i++) {
		found = found || config->children[i].user != NULL;
	}
	return found;
}

static int begin(struct run *run, struct ob_error *reterr)
{
	int r = watch_signals(run, reterr);
	r = r == OB_OK ? ob_raise_descriptor_limit(NULL, reterr) : r;
	if (r < 0) {
		return r;
	}
	r = obi_root_open(run->config.data_root, has_other_users(&run->config), &run->root, reterr);
	if (r < 0) {
		return obi_wrap(reterr, "%s: data_root: %s", run->file, run->config.data_root);
	}
	r = obi_unix_address(run->root.path, OBI_ROOT_SOCKET, run->address, sizeof run->address,
			     reterr);
	r = r == OB_OK ? obi_reap_begin(&run->reaper, run->rt, reterr) : r;
	r = r == OB_OK ? obi_run_log_open(&run->log, run->rt, run->log_format, reterr) : r;
	r = r == OB_OK ? obi_members_make(&run->members, run->rt, &run->config, reterr) : r;
	r = r == OB_OK ? obi_requests_serve(&run->requests, run->rt, run->address,
					    run->log.server_logger, reterr)
		       : r;
	r = r == OB_OK ? obi_root_watch_begin(&run->root_watch, reterr) : r;
	return r == OB_OK ? begin_children(run, reterr) : r;
}

static void end(struct run *run)
{
	obi_root_watch_end(&run->root_watch);
	obi_reap_end(&run->reaper);
	for (size_t i = 0; i < SIGNALS; i++) {
		ob_watch_free(run->signals[i]);
	}
	obi_members_close(&run->members);
	if (run->stopped) {
		obi_reap_kill(&run->log);
	}
	obi_removed_close(&run->removed);
	obi_requests_close(&run->requests);
	obi_run_log_close(&run->log);
	obi_root_close(&run->root);
	ob_runtime_free(run->rt);
}

static void connect_parts(struct run *run)
{
	run->log = OBI_RUN_LOG_NONE;
	run->root = OBI_ROOT_NONE;
	run->members = (struct obi_members){
	    .log = &run->log, .on_event = on_event, .on_done = end_if_over, .user = run};
	run->removed = (struct obi_removed){.rt = run->rt,
					    .root = &run->root,
					    .log = &run->log,
					    .members = &run->members,
					    .on_done = end_if_over,
					    .user = run};
	run->requests =
	    (struct obi_run_requests){.members = &run->members, .on_shutdown = stop, .user = run};
	run->reaper = (struct obi_reaper){.members = &run->members};
	run->root_watch = (struct obi_root_watch){.rt = run->rt,
						  .root = &run->root,
						  .log = &run->log,
						  .members = &run->members,
						  .removed = &run->removed,
						  .requests = &run->requests};
}

static int supervise(struct run *run)
{
	struct ob_error err = {0};
	connect_parts(run);
	int r = begin(run, &err);
	while (r == OB_OK && !is_over(run)) {
		(void)ob_runtime_run(run->rt, -1);
	}
	end(run);
	return r < 0 ? obi_give_up("run", &err) : OBI_EXIT_OK;
}

/* ---- The command ---- */

/* Read and check the config before anything is made. */
static bool load(struct run *run)
{
	struct obi_faults faults, warnings;
	struct ob_error err;
	obi_faults_init(&faults, run->file);
	obi_faults_init(&warnings, run->file);
	warnings.word = "warning: ";
	if (obi_load_config(run->file, &run->config, &faults)) {
		if (obi_load_runtime(&run->config, &run->rt, &err) < 0) {
			obi_faults_add(&faults, "", err.text);
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
		obi_complain("run: --log-format must be text or json, not \"%s\"", text);
		return false;
	}
	return true;
}

static const char about[] =
    "Starts every child of the config and keeps it running, in the foreground. Children that\n"
    "already run are adopted; those that are no longer in the config are ended. Logs and events\n"
    "go to stdout.\n\n"
    "SIGINT and SIGTERM stop all children, then end; SIGUSR1 detaches them: they keep running.\n"
    "\"outboard status\", \"start\", \"stop\" and \"restart\" reach the supervisor through\n"
    "a socket in data_root, as the same user or root.\n";

int obi_cmd_run(int argc, char **argv)
{
	const char *format_text = "text";
	const struct obi_option options[] = {
	    {"log-format", "text|json", "format of logs and events; default text", OBI_OPTION_TEXT,
	     &format_text},
	    {0},
	};
	const struct obi_usage usage = {.command = "run",
					.words = "CONFIG",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = 1};
	struct run run = {.rt = NULL};
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
