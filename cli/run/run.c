/* SPDX-License-Identifier: MIT */
/* outboard run: supervise the children of a config, in the foreground, in one thread. */
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/args.h"
#include "cli/call/connect.h"
#include "cli/commands.h"
#include "cli/config/load.h"
#include "cli/report.h"
#include "cli/run/log_file.h"
#include "cli/run/members.h"
#include "cli/run/patience.h"
#include "cli/run/reap.h"
#include "cli/run/reload.h"
#include "cli/run/removed.h"
#include "cli/run/requests.h"
#include "cli/run/root.h"
#include "cli/run/root_watch.h"
#include "cli/run/run_log.h"
#include "cli/run/terminal.h"

static const int signals[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
enum { SIGNALS = sizeof signals / sizeof signals[0], AGAIN_MS = 200 };

struct run {
	const char *file; /* of the config */
	uint32_t log_format;
	const char *log_path;		   /* of --log-file; NULL: stdout */
	struct obi_generation *generation; /* of the start: its data_root is in use */
	ob_runtime *rt;
	ob_watch *signals[SIGNALS];
	struct obi_root root;
	struct obi_run_log log;
	struct obi_members members;
	struct obi_removed removed;
	struct obi_run_requests requests;
	struct obi_reaper reaper;
	struct obi_root_watch root_watch;
	struct obi_reload reload;
	struct obi_patience patience;
	struct obi_log_file log_file;
	bool had_terminal;
	char address[4096]; /* of the socket for requests */
	bool stopped;	    /* the children are stopped, not detached */
	bool hurried;
	int64_t asked_ms; /* when a signal asked for the end first */
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
		obi_patience_begin(&run->patience, run->rt);
		obi_members_stop(&run->members);
		end_if_over(run);
	}
}

static void detach(struct run *run, const char *why)
{
	if (!run->members.ending) {
		obi_run_log(&run->log, NULL, OB_LOG_INFO, why, NULL);
		obi_patience_begin(&run->patience, run->rt);
		obi_members_detach(&run->members);
		end_if_over(run);
	}
}

/* Whoever asks a second time does not want to wait. timeout(1) sends its signal to the process and
 * then to its group, which is one request. */
static void stop_or_hurry(struct run *run)
{
	if (!run->members.ending) {
		stop(run);
		run->asked_ms = obi_now_ms();
	} else if (!run->hurried && obi_now_ms() - run->asked_ms >= AGAIN_MS) {
		run->hurried = true;
		obi_run_log(&run->log, NULL, OB_LOG_WARN,
			    run->stopped ? "asked again: killing the children that still run"
					 : "killing the removed children that still run",
			    NULL);
		obi_members_hurry(&run->members);
		obi_removed_hurry(&run->removed);
	}
}

/* ---- Events ---- */

static void hang_up(struct run *run)
{
	if (run->had_terminal && obi_terminal_is_gone()) {
		detach(run, "the terminal was closed, detaching all children");
	} else {
		obi_requests_reload(&run->requests);
	}
}

static void reopen_log(struct run *run)
{
	struct ob_error err = {0};
	int r = obi_log_file_reopen(&run->log_file, &err);
	r = r == OB_OK ? obi_run_log_move(&run->log, run->log_file.fd, &err) : r;
	if (r == OB_OK) {
		obi_run_log(&run->log, NULL, OB_LOG_INFO, "opened the log anew", "{s:s}", "file",
			    run->log_file.path);
	} else {
		obi_run_log(&run->log, NULL, OB_LOG_WARN, "nothing was opened anew", "{s:s}",
			    "cause", err.text);
	}
}

static void on_signal(void *user, int number)
{
	struct run *run = user;
	switch (number) {
	case SIGCHLD:
		obi_reap(&run->reaper);
		break;
	case SIGUSR1:
	case SIGQUIT:
		detach(run, "detaching all children");
		break;
	case SIGUSR2:
		reopen_log(run);
		break;
	case SIGHUP:
		hang_up(run);
		break;
	default:
		stop_or_hurry(run);
		break;
	}
}

/* A member that is about to be started again takes the config of the file. */
static void on_event(void *user, struct obi_member *member, const struct ob_event *event)
{
	(void)user;
	obi_requests_event(member, event);
	if (event->type == OB_EVENT_RESTARTING && member->next.generation != NULL &&
	    member->stopping == 0) {
		obi_member_restart(member);
	}
}

static void on_renewed(void *user)
{
	struct run *run = user;
	obi_removed_write_soon(&run->removed);
}

/* ---- Beginning ---- */

/* Whoever started it with nohup does not want it to end with the terminal, nor to reload. */
static bool is_left_ignored(int number)
{
	struct sigaction now;
	return number == SIGHUP && sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* Before any thread is made: the signals are blocked in the threads that follow. */
static int watch_signals(struct run *run, struct ob_error *reterr)
{
	int r = OB_OK;
	signal(SIGPIPE, SIG_IGN);
	run->had_terminal = obi_terminal_exists();
	for (size_t i = 0; r == OB_OK && i < SIGNALS; i++) {
		r = is_left_ignored(signals[i]) ? OB_OK
						: ob_watch_signal(run->rt, signals[i], on_signal,
								  run, &run->signals[i], reterr);
	}
	return r;
}

/* Before there is a child without a cgroup beside us. What fails here fails at the start of the
 * child, too, which tells it. */
static void prepare_cgroups(struct run *run)
{
	const struct obi_run_config *config = &run->generation->config;
	for (uint32_t i = 0; i < config->count; i++) {
		if (config->children[i].cgroup != NULL) {
			(void)ob_cgroup_prepare(config->children[i].cgroup, NULL);
		}
	}
}

/* Children that are no longer in the config first: a child may have to wait for one of them. */
static int begin_children(struct run *run, struct ob_error *reterr)
{
	obi_run_log(&run->log, NULL, OB_LOG_INFO, "supervising", "{s:i,s:U,s:s}", "pid",
		    (int)getpid(), "children", (uint64_t)run->members.count, "socket",
		    run->address);
	prepare_cgroups(run);
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
		const struct ob_connector_options *child = &config->children[i];
		found = found || child->user != NULL || child->run_as != NULL;
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
	const struct obi_run_config *config = &run->generation->config;
	r = obi_root_open(config->data_root, has_other_users(config), &run->root, reterr);
	if (r < 0) {
		return obi_wrap(reterr, "%s: data_root", run->file);
	}
	r = obi_unix_address(run->root.path, OBI_ROOT_SOCKET, run->address, sizeof run->address,
			     reterr);
	r = r == OB_OK ? obi_reap_begin(&run->reaper, run->rt, reterr) : r;
	r = r == OB_OK ? obi_log_file_open(run->log_path, &run->log_file, reterr) : r;
	run->log.fd = run->log_file.fd;
	r = r == OB_OK ? obi_run_log_open(&run->log, run->rt, run->log_format, reterr) : r;
	r = r == OB_OK ? obi_members_make(&run->members, run->generation, reterr) : r;
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
	obi_patience_end(&run->patience);
	obi_removed_flush(&run->removed);
	obi_members_close(&run->members);
	if (run->stopped) {
		obi_reap_kill(&run->log);
	}
	obi_removed_close(&run->removed);
	obi_requests_close(&run->requests);
	obi_reload_close(&run->reload);
	obi_run_log_close(&run->log);
	obi_log_file_close(&run->log_file);
	obi_root_close(&run->root);
	ob_runtime_free(run->rt);
}

static void connect_parts(struct run *run)
{
	run->log = OBI_RUN_LOG_NONE;
	run->root = OBI_ROOT_NONE;
	run->log_file = (struct obi_log_file){.fd = STDOUT_FILENO};
	run->members = (struct obi_members){.rt = run->rt,
					    .log = &run->log,
					    .on_event = on_event,
					    .on_done = end_if_over,
					    .on_renewed = on_renewed,
					    .user = run};
	run->removed = (struct obi_removed){.rt = run->rt,
					    .root = &run->root,
					    .log = &run->log,
					    .members = &run->members,
					    .on_done = end_if_over,
					    .user = run};
	run->reload = (struct obi_reload){.file = run->file,
					  .rt = run->rt,
					  .log = &run->log,
					  .members = &run->members,
					  .removed = &run->removed};
	obi_reload_init(&run->reload, run->generation);
	run->requests = (struct obi_run_requests){.members = &run->members,
						  .removed = &run->removed,
						  .reload = &run->reload,
						  .on_shutdown = stop,
						  .user = run};
	run->reaper = (struct obi_reaper){.members = &run->members};
	run->root_watch = (struct obi_root_watch){.rt = run->rt,
						  .root = &run->root,
						  .log = &run->log,
						  .members = &run->members,
						  .removed = &run->removed,
						  .requests = &run->requests};
	run->patience = (struct obi_patience){
	    .log = &run->log, .members = &run->members, .removed = &run->removed};
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
	struct obi_run_config config = {.count = 0};
	struct obi_faults faults, warnings;
	struct ob_error err;
	obi_faults_init(&faults, run->file);
	obi_faults_init(&warnings, run->file);
	warnings.word = "warning: ";
	if (obi_load_config(run->file, &config, &faults)) {
		if (obi_load_runtime(&config, &run->rt, &err) < 0) {
			obi_faults_add(&faults, "", err.text);
		} else {
			obi_config_check(run->rt, &config, &faults, &warnings, NULL);
		}
	}
	run->generation = faults.count == 0 ? obi_generation_new(&config) : NULL;
	if (run->generation == NULL) {
		obi_run_config_free(&config);
	}
	if (run->generation == NULL && faults.count == 0) {
		obi_faults_add(&faults, "", "out of memory");
	}
	obi_faults_print(&warnings);
	obi_faults_print(&faults);
	obi_faults_free(&warnings);
	obi_faults_free(&faults);
	return run->generation != NULL;
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
    "SIGINT and SIGTERM stop all children, then end; a second one kills those that still run.\n"
    "SIGUSR1 and SIGQUIT detach them, then end: they keep running. SIGHUP reloads the config\n"
    "file, as \"outboard reload\" does; if the terminal was closed, it detaches. SIGUSR2 opens\n"
    "the log file anew.\n\n"
    "\"outboard status\", \"start\", \"stop\", \"restart\" and \"reload\" reach the supervisor\n"
    "through a socket in data_root, as the same user or root.\n";

int obi_cmd_run(int argc, char **argv)
{
	const char *format_text = "text";
	struct run run = {.rt = NULL};
	const struct obi_option options[] = {
	    {"log-format", "text|json", "format of logs and events; default text", OBI_OPTION_TEXT,
	     &format_text},
	    {"log-file", "FILE", "append logs and events to FILE, not to stdout", OBI_OPTION_TEXT,
	     &run.log_path},
	    {0},
	};
	const struct obi_usage usage = {.command = "run",
					.words = "CONFIG",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = 1};
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
	obi_generation_unref(run.generation);
	return status;
}
