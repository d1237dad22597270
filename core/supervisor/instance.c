/* SPDX-License-Identifier: MIT */
#include "supervisor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/clock.h"
#include "base/string_list.h"
#include "base/failpoint.h"
#include "files/child_config.h"
#include "access/acl.h"
#include "process/spawn.h"

#include "process/user.h"

enum { LOCK_LOOK_MS = 20 };

/* ---- Exit ---- */

static void tell(struct obi_instance *in, enum obi_life_event event, const struct ob_error *err)
{
	in->setup.events.happened(in->setup.events.user, event, err);
}

static void __attribute__((format(printf, 4, 5)))
tell_failure(struct obi_instance *in, enum obi_life_event event, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	tell(in, event, &err);
}

static void feed_exit(void *user)
{
	struct obi_instance *in = user;
	obi_io_stop(&in->death);
	tell(in, OBI_LIFE_EXITED, NULL);
}

/*
 * The pidfd says that it is dead. libev's default loop may have reaped it already; then its
 * callback brings the status, in this turn: so look at the end of the turn.
 */
static void on_death(void *user, int events)
{
	struct obi_instance *in = user;
	(void)events;
	if (!obi_loop_is_default(in->setup.loop)) {
		feed_exit(in);
		return;
	}
	obi_io_stop(&in->death);
	obi_task_queue(in->setup.loop, &in->death_task);
}

static void on_reaped(void *user, int status)
{
	struct obi_instance *in = user;
	in->exit = obi_exit_of_status(status);
	in->exit_known = true;
}

static void watch_process(struct obi_instance *in)
{
	obi_io_set(in->setup.loop, &in->death, in->process.pidfd, OB_READABLE);
	if (in->process.own && obi_loop_is_default(in->setup.loop)) {
		obi_child_watcher_set(in->setup.loop, &in->child, in->process.id.pid);
	}
}

static void unwatch_process(struct obi_instance *in)
{
	obi_io_stop(&in->death);
	obi_task_stop(&in->death_task);
	obi_child_watcher_stop(&in->child);
}

/* ---- Logs ---- */

static void close_logs(struct obi_instance *in)
{
	obi_log_reader_free(in->out_log);
	obi_log_reader_free(in->err_log);
	in->out_log = in->err_log = NULL;
	obi_fifo_close(&in->out);
	obi_fifo_close(&in->err);
}

static int open_log(struct obi_instance *in, const struct obi_fifo *fifo, int stream,
		    struct obi_log_reader **ret, struct ob_error *reterr)
{
	struct obi_log_reader_setup setup = {
	    .loop = in->setup.loop,
	    .fd = fifo->fd,
	    .stream = stream,
	    .name = in->setup.options->name,
	    .fn = in->setup.events.log,
	    .user = in->setup.events.log_user,
	};
	return fifo->fd >= 0 ? obi_log_reader_new(&setup, ret, reterr) : OB_OK;
}

static int open_logs(struct obi_instance *in, struct ob_error *reterr)
{
	int r = open_log(in, &in->out, 1, &in->out_log, reterr);
	return r == OB_OK ? open_log(in, &in->err, 2, &in->err_log, reterr) : r;
}

/* ---- Looking at who is there ---- */

static int open_directory(struct obi_instance *in, bool create, struct ob_error *reterr)
{
	struct obi_user user;
	if (in->dir.fd >= 0) {
		return OB_OK;
	}
	int r = obi_spawn_user(in->setup.options, &user, reterr);
	if (r < 0) {
		return r;
	}
	r = obi_datadir_open(in->setup.options->data_path, create, user.uid, user.gid, &in->dir,
			     reterr);
	return r == OB_ENOENT ? obi_fail(reterr, OB_ENOENT, 0, "no existing config in %s",
					 in->setup.options->data_path)
			      : r;
}

/* Counters and procid of whoever was in charge before; a file that is not there, or not understood,
 * says nothing. */
static void read_state(struct obi_instance *in)
{
	struct obi_statefile was;
	if (obi_statefile_read(&in->dir, &was, NULL) == OB_OK) {
		in->state = was;
	}
	if (in->forgiven) {
		obi_restart_state_clear(&in->state.restart);
		in->forgiven = false;
	}
}

static void found(struct obi_instance *in, const struct obi_occupant *occupant)
{
	switch (occupant->kind) {
	case OBI_OCCUPANT_LIVE:
		in->process = occupant->process;
		tell(in, OBI_LIFE_LOCK_LIVE, NULL);
		break;
	case OBI_OCCUPANT_LEFTOVERS:
		in->leftovers = occupant->process.id;
		tell(in, OBI_LIFE_LOCK_LEFTOVERS, NULL);
		break;
	default:
		tell(in, OBI_LIFE_LOCK_FREE, NULL);
		break;
	}
}

void obi_instance_probe(struct obi_instance *in, bool create)
{
	struct obi_occupant occupant = {.process = OBI_PROCESS_NONE};
	struct ob_error err = {0};
	int r = open_directory(in, create, &err);
	bool fresh = r == OB_OK && in->dir.parent_lock < 0;
	r = r == OB_OK ? obi_datadir_lock(&in->dir, &err) : r;
	if (r == OB_OK && fresh) {
		read_state(in);
	}
	r = r == OB_OK ? obi_datadir_probe(&in->dir, &in->state.procid, &occupant, &err) : r;
	if (r < 0) {
		tell(in, OBI_LIFE_LOCK_FAILED, &err);
	} else {
		found(in, &occupant);
	}
}

/* The release of a lock makes no event, so the lock is polled. A leftover may turn out to be alive:
 * when the first probe ran, it had been cloned but had not written its pid yet. */
static void look_at_lock(void *user)
{
	struct obi_instance *in = user;
	struct obi_occupant now = {.process = OBI_PROCESS_NONE};
	int r = obi_datadir_probe(&in->dir, &in->state.procid, &now, NULL);
	if (r == OB_OK && now.kind != OBI_OCCUPANT_LEFTOVERS) {
		found(in, &now);
	} else {
		obi_process_close(&now.process);
		obi_timer_set(in->setup.loop, &in->lock_timer, LOCK_LOOK_MS);
	}
}

void obi_instance_kill_leftovers(struct obi_instance *in)
{
	if (in->leftovers.pid > 0) {
		(void)obi_leftovers_kill(&in->leftovers, NULL);
	}
	obi_timer_set(in->setup.loop, &in->lock_timer, LOCK_LOOK_MS);
}

void obi_instance_replace_lock(struct obi_instance *in)
{
	(void)obi_datadir_replace_lock(&in->dir, NULL);
}

/* ---- Starting ---- */

static bool is_dialed_at_once(const struct ob_connector_options *options)
{
	return options->ready == OB_READY_RPC ||
	       (options->ready == OB_READY_NONE && options->connect != NULL);
}

static char *text_of(const char *dir, const char *name)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* A field that names a list, if there is one. */
static int set_list(char **field, const char *const *list, const char *between)
{
	if (list == NULL || list[0] == NULL) {
		return OB_OK;
	}
	char *text = obi_string_list_join(list, between);
	int r = text == NULL ? OB_ENOMEM : OB_EINVAL;
	if (text != NULL && strlen(text) <= OBI_ACL_TEXT_MAX) {
		r = obi_child_config_set(field, text);
	}
	free(text);
	return r;
}

static int fill_access(const struct ob_connector_options *o, struct ob_config *config)
{
	int r = set_list(&config->auth, o->auth, ",");
	r = r == OB_OK ? set_list(&config->rules, o->rules, "; ") : r;
	r = r == OB_OK ? set_list(&config->peer_uids, o->peer_users, ",") : r;
	config->allow_plaintext = o->allow_plaintext;
	return r == OB_OK ? set_list(&config->peer_gids, o->peer_groups, ",") : r;
}

static int fill_config(struct obi_instance *in, struct ob_config *config, struct ob_error *reterr)
{
	char token[OBI_TOKEN_SIZE];
	const char *dir = in->setup.options->data_path;
	int r = obi_token_new(token, reterr);
	r = r == OB_OK ? obi_instance_new(in->state.instance, reterr) : r;
	if (r < 0) {
		return r;
	}
	config->fifo_stdout = text_of(dir, OBI_FILE_STDOUT);
	config->fifo_stderr = text_of(dir, OBI_FILE_STDERR);
	r = config->fifo_stdout != NULL && config->fifo_stderr != NULL ? OB_OK : OB_ENOMEM;
	r = r == OB_OK ? obi_child_config_set(&config->listen, in->setup.options->listen) : r;
	r = r == OB_OK ? obi_child_config_set(&config->token, token) : r;
	r = r == OB_OK ? obi_child_config_set(&config->name, in->setup.options->name) : r;
	r = r == OB_OK ? obi_child_config_set(&config->codec, in->setup.options->codec) : r;
	r = r == OB_OK ? obi_child_config_set(&config->instance, in->state.instance) : r;
	r = r == OB_OK ? fill_access(in->setup.options, config) : r;
	r = r == OB_OK
		? obi_child_config_set(&config->parent_address, in->setup.options->parent_address)
		: r;
	r = r == OB_OK ? obi_child_config_set(&config->transport, in->setup.listen_transport) : r;
	config->heartbeat_ms =
	    in->setup.options->health_interval_ms > 0 ? in->setup.options->health_interval_ms : 0;
	sodium_memzero(token, sizeof token);
	if (r < 0) {
		return obi_fail(reterr, r, 0, "writing outboard config: out of memory");
	}
	return in->setup.events.token(in->setup.events.user, config->token, reterr);
}

static int make_files(struct obi_instance *in, struct ob_config *config, struct ob_error *reterr)
{
	const struct obi_datadir *d = &in->dir;
	uint32_t bytes = in->setup.options->log_pipe_bytes;
	int r = fill_config(in, config, reterr);
	if (r < 0) {
		return r;
	}
	r = obi_fifo_make(d->fd, OBI_FILE_STDOUT, "stdout", bytes, d->uid, d->gid, &in->out,
			  reterr);
	r = r == OB_OK ? obi_fifo_make(d->fd, OBI_FILE_STDERR, "stderr", bytes, d->uid, d->gid,
				       &in->err, reterr)
		       : r;
	if (r == OB_OK && obi_datadir_write_config(d, config, reterr) < 0) {
		r = reterr != NULL ? obi_wrap(reterr, "writing outboard config") : OB_EIO;
	}
	return r == OB_OK ? open_logs(in, reterr) : r;
}

static void note_started(struct obi_instance *in)
{
	in->state.procid = in->process.id;
	in->state.started_ms = obi_clock_ms(CLOCK_REALTIME);
	in->state.started_boot_ms = obi_clock_ms(CLOCK_BOOTTIME);
	in->state.adopted = in->state.was_ready = false;
	in->state.version = 0;
	in->state.address[0] = '\0';
	snprintf(in->state.config_hash, sizeof in->state.config_hash, "%s", in->setup.config_hash);
}

static int spawn(struct obi_instance *in, struct ob_error *reterr)
{
	struct obi_spawn s = {
	    .options = in->setup.options, .plugin_path = in->setup.plugin_path, .lock_fd = -1};
	char *path = text_of(in->setup.options->data_path, OBI_FILE_CONFIG);
	int r = path != NULL ? obi_datadir_lock_child(&in->dir, &s.lock_fd, reterr) : OB_ENOMEM;
	if (r == OB_OK) {
		s.config_path = path;
		s.out_fd = in->out.child_fd;
		s.err_fd = in->err.child_fd;
		r = obi_spawn(&s, &in->process, reterr);
	}
	if (s.lock_fd >= 0) {
		close(s.lock_fd);
	}
	free(path);
	return r;
}

/* The watch is set before the process can write: its rename must not be missed. */
static int start_watch(struct obi_instance *in, struct ob_error *reterr)
{
	return is_dialed_at_once(in->setup.options)
		   ? OB_OK
		   : obi_rename_watch_start(in->setup.loop, in->setup.watches, &in->watch,
					    in->dir.fd, reterr);
}

/* address may be NULL: not known. OB_ENOMEM. */
static int set_address(struct obi_instance *in, const char *address)
{
	char *copy = address != NULL ? strdup(address) : NULL;
	free(in->address);
	in->address = copy;
	snprintf(in->state.address, sizeof in->state.address, "%s", copy != NULL ? copy : "");
	return copy != NULL || address == NULL ? OB_OK : OB_ENOMEM;
}

/* What is known of an earlier process does not hold for the next one. */
static void begin(struct obi_instance *in)
{
	obi_timer_stop(&in->lock_timer);
	(void)set_address(in, NULL);
	in->exit = (struct obi_exit){0};
	in->exit_known = false;
}

void obi_instance_spawn(struct obi_instance *in)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	obi_datadir_clean(&in->dir, true);
	close_logs(in);
	begin(in);
	int r = make_files(in, &config, &err);
	r = r == OB_OK ? start_watch(in, &err) : r;
	r = r == OB_OK ? spawn(in, &err) : r;
	obi_child_config_clear(&config);
	obi_fifo_close_child(&in->out);
	obi_fifo_close_child(&in->err);
	if (r < 0) {
		obi_rename_watch_stop(&in->watch);
		close_logs(in);
		tell(in, OBI_LIFE_SPAWN_FAILED, &err);
		return;
	}
	note_started(in);
	watch_process(in);
	tell(in, OBI_LIFE_SPAWNED, NULL);
}

/* ---- Readiness ---- */

/* Where to dial: the option, else what the child wrote, which may be NULL; a child that writes
 * nothing listens where it was told to. NULL: not known. */
static const char *find_address(const struct ob_connector_options *options, const char *rpc_addr)
{
	if (options->connect != NULL) {
		return options->connect;
	}
	return rpc_addr == NULL && options->ready == OB_READY_RPC ? options->listen : rpc_addr;
}

/* failure: the event where there is no memory for the address. */
static void reach(struct obi_instance *in, const char *address, enum obi_life_event failure)
{
	if (set_address(in, address) < 0) {
		tell_failure(in, failure, OB_ENOMEM, "out of memory for the child's address");
	} else {
		in->setup.events.reachable(in->setup.events.user);
	}
}

/* The child has written its config: is it ready, and was it written by this process? */
static void on_config_change(void *user)
{
	struct obi_instance *in = user;
	struct ob_config config = {.size = sizeof config};
	if (in->address != NULL || obi_datadir_read_config(&in->dir, &config, NULL) < 0) {
		return;
	}
	bool own = config.instance != NULL && strcmp(config.instance, in->state.instance) == 0;
	if (own && config.ready) {
		const char *address = find_address(in->setup.options, config.rpc_addr);
		obi_rename_watch_stop(&in->watch);
		if (address != NULL) {
			reach(in, address, OBI_LIFE_READY_TIMEOUT);
		} else {
			tell_failure(in, OBI_LIFE_READY_TIMEOUT, OB_EPROTO,
				     "empty RPC address: outboard process %s is ready, but its "
				     "config does not say where it listens",
				     in->setup.options->name);
		}
	}
	obi_child_config_clear(&config);
}

void obi_instance_await_ready(struct obi_instance *in)
{
	const struct ob_connector_options *o = in->setup.options;
	if (is_dialed_at_once(o)) {
		reach(in, find_address(o, NULL), OBI_LIFE_READY_TIMEOUT);
	}
	if (o->ready == OB_READY_NONE) {
		tell(in, OBI_LIFE_BECAME_READY, NULL);
	}
	if (in->address == NULL) {
		on_config_change(in);
	}
}

/* ---- Taking over ---- */

static void open_old_fifos(struct obi_instance *in)
{
	struct ob_error err = {0};
	(void)obi_fifo_open(in->dir.fd, OBI_FILE_STDOUT, "stdout", in->dir.uid, &in->out, &err);
	(void)obi_fifo_open(in->dir.fd, OBI_FILE_STDERR, "stderr", in->dir.uid, &in->err, &err);
	(void)open_logs(in, &err);
}

/*
 * A child that was ready is dialled where it listens. One whose parent died before that is waited
 * for as after a start. In the ready mode `none`, being alive is enough.
 */
static void take_over(struct obi_instance *in, const struct ob_config *config)
{
	const struct ob_connector_options *o = in->setup.options;
	const char *address = find_address(o, config->rpc_addr);
	if (config->instance != NULL) {
		snprintf(in->state.instance, sizeof in->state.instance, "%s", config->instance);
	}
	in->state.was_ready = in->state.was_ready || config->ready;
	if (o->ready == OB_READY_NONE) {
		tell(in, OBI_LIFE_ADOPT_OK, NULL);
	}
	if (address != NULL && (config->ready || is_dialed_at_once(o))) {
		reach(in, address, OBI_LIFE_ADOPT_FAILED);
	} else if (config->ready && o->ready != OB_READY_NONE) {
		tell_failure(in, OBI_LIFE_ADOPT_FAILED, OB_EINVAL,
			     "invalid config state: pid=%lld, addr=, ready=true",
			     (long long)config->pid);
	}
}

void obi_instance_adopt(struct obi_instance *in)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	obi_orphans_remove(in->setup.orphans, &in->process.id);
	in->state.procid = in->process.id;
	in->state.adopted = true;
	begin(in);
	watch_process(in);
	open_old_fifos(in);
	int r = start_watch(in, &err);
	r = r == OB_OK ? obi_datadir_read_config(&in->dir, &config, &err) : r;
	if (r == OB_OK && config.token != NULL) {
		r = in->setup.events.token(in->setup.events.user, config.token, &err);
	}
	if (r < 0) {
		tell(in, OBI_LIFE_ADOPT_FAILED, &err);
	} else {
		take_over(in, &config);
	}
	obi_child_config_clear(&config);
}

/* ---- Ending ---- */

/* SIGCONT lets a stopped process handle the signal. */
void obi_instance_signal_stop(struct obi_instance *in)
{
	(void)obi_process_signal(&in->process, in->setup.options->stop_signal, NULL);
	(void)obi_process_signal(&in->process, SIGCONT, NULL);
}

void obi_instance_kill(struct obi_instance *in)
{
	(void)obi_process_signal_group(&in->process, SIGKILL, NULL);
}

bool obi_instance_kill_now(struct obi_instance *in, int64_t ms)
{
	obi_instance_kill(in);
	return obi_process_dies(&in->process, ms);
}

void obi_instance_reap(struct obi_instance *in)
{
	struct obi_exit end = {0};
	unwatch_process(in);
	obi_rename_watch_stop(&in->watch);
	int32_t pid = in->process.id.pid;
	if (obi_process_end(&in->process, &end) == OB_EBUSY) {
		obi_orphans_add(in->setup.orphans, in->setup.loop, &in->process);
	}
	if (!in->exit_known || end.kind != OB_EXIT_UNKNOWN) {
		in->exit = end;
	}
	if (in->out_log != NULL) {
		obi_log_reader_drain(in->out_log);
	}
	if (in->err_log != NULL) {
		obi_log_reader_drain(in->err_log);
	}
	close_logs(in);
	in->process.id.pid = pid;
	in->state.last_exit = in->exit;
	in->state.procid.pid = 0;
}

void obi_instance_let_go(struct obi_instance *in)
{
	unwatch_process(in);
	obi_rename_watch_stop(&in->watch);
	if (in->out_log != NULL) {
		obi_log_reader_flush(in->out_log);
	}
	if (in->err_log != NULL) {
		obi_log_reader_flush(in->err_log);
	}
	close_logs(in);
	obi_orphans_add(in->setup.orphans, in->setup.loop, &in->process);
}

/* ---- The directory ---- */

bool obi_instance_is_locked(const struct obi_instance *in)
{
	return in->dir.parent_lock >= 0;
}

void obi_instance_clean(struct obi_instance *in)
{
	if (obi_instance_is_locked(in)) {
		obi_datadir_clean(&in->dir, true);
	}
}

void obi_instance_save(struct obi_instance *in, uint32_t state)
{
	if (!obi_instance_is_locked(in)) {
		return;
	}
	in->state.state = state;
	in->state.desired =
	    state == OB_STATE_STOPPED || state == OB_STATE_STOPPING || state == OB_STATE_IDLE
		? OBI_DESIRED_STOPPED
		: OBI_DESIRED_RUNNING;
	if (obi_boot_id(in->state.restart_boot, NULL) < 0) {
		in->state.restart_boot[0] = '\0';
	}
	(void)obi_statefile_write(&in->dir, &in->state, NULL);
	OBI_CRASHPOINT("state_written");
}

void obi_instance_release(struct obi_instance *in)
{
	obi_timer_stop(&in->lock_timer);
	obi_datadir_close(&in->dir);
}

/* ---- Life ---- */

void obi_instance_init(struct obi_instance *in, const struct obi_instance_setup *setup)
{
	*in = (struct obi_instance){.setup = *setup};
	in->dir = OBI_DATADIR_NONE;
	in->process = OBI_PROCESS_NONE;
	in->out = in->err = OBI_FIFO_NONE;
	in->death.fn = on_death;
	in->death_task.fn = feed_exit;
	in->child.fn = on_reaped;
	in->watch.fn = on_config_change;
	in->lock_timer.fn = look_at_lock;
	in->death.user = in->death_task.user = in->child.user = in->watch.user =
	    in->lock_timer.user = in;
}

void obi_instance_free(struct obi_instance *in)
{
	obi_instance_let_go(in);
	obi_instance_release(in);
	free(in->address);
}
