/* SPDX-License-Identifier: MIT */
/* The process of a supervised child, its files and its logs: what the machine's actions mean. */
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
#include "supervisor/supervise_private.h"
#include "process/user.h"

enum { LOCK_LOOK_MS = 20 };

static void on_death(void *user, int events);
static void on_config_change(void *user);

/* ---- Exit ---- */

static void tell_exit(struct obi_supervisor *sup)
{
	const char *what = sup->last_exit.kind == OB_EXIT_CODE	   ? "exited with status"
			   : sup->last_exit.kind == OB_EXIT_SIGNAL ? "was killed by signal"
								   : NULL;
	if (what != NULL) {
		obi_supervisor_cause(sup, "process %d %s %d", sup->process.id.pid, what,
				     sup->last_exit.value);
	} else {
		obi_supervisor_cause(sup, "process %d exited; its status is not known",
				     sup->process.id.pid);
	}
}

static void feed_exit(void *user)
{
	struct obi_supervisor *sup = user;
	obi_io_stop(&sup->death);
	obi_machine_raise(&sup->machine, OBI_LIFE_EXITED);
}

/*
 * The pidfd says that it is dead. libev's default loop may have reaped it already; then its
 * callback brings the status, in this turn: so look at the end of the turn.
 */
static void on_death(void *user, int events)
{
	struct obi_supervisor *sup = user;
	(void)events;
	if (!obi_loop_is_default(sup->setup.loop)) {
		feed_exit(sup);
		return;
	}
	obi_io_stop(&sup->death);
	obi_task_queue(sup->setup.loop, &sup->death_task);
}

static void on_reaped(void *user, int status)
{
	struct obi_supervisor *sup = user;
	sup->last_exit = obi_exit_of_status(status);
	sup->exit_known = true;
}

static void watch_process(struct obi_supervisor *sup)
{
	obi_io_set(sup->setup.loop, &sup->death, sup->process.pidfd, OB_READABLE);
	if (sup->process.own && obi_loop_is_default(sup->setup.loop)) {
		obi_child_watcher_set(sup->setup.loop, &sup->child, sup->process.id.pid);
	}
}

static void unwatch_process(struct obi_supervisor *sup)
{
	obi_io_stop(&sup->death);
	obi_task_stop(&sup->death_task);
	obi_child_watcher_stop(&sup->child);
}

/* ---- Logs ---- */

static void close_logs(struct obi_supervisor *sup)
{
	obi_log_reader_free(sup->out_log);
	obi_log_reader_free(sup->err_log);
	sup->out_log = sup->err_log = NULL;
	obi_fifo_close(&sup->out);
	obi_fifo_close(&sup->err);
}

static int open_log(struct obi_supervisor *sup, const struct obi_fifo *fifo, int stream,
		    struct obi_log_reader **ret, struct ob_error *reterr)
{
	struct obi_log_reader_setup setup = {
	    .loop = sup->setup.loop,
	    .fd = fifo->fd,
	    .stream = stream,
	    .name = sup->options->name,
	    .fn = sup->setup.events.log,
	    .user = sup->setup.events.user,
	};
	return fifo->fd >= 0 ? obi_log_reader_new(&setup, ret, reterr) : OB_OK;
}

static int open_logs(struct obi_supervisor *sup, struct ob_error *reterr)
{
	int r = open_log(sup, &sup->out, 1, &sup->out_log, reterr);
	return r == OB_OK ? open_log(sup, &sup->err, 2, &sup->err_log, reterr) : r;
}

/* ---- Looking at who is there ---- */

static int open_directory(struct obi_supervisor *sup, struct ob_error *reterr)
{
	struct obi_user user;
	if (sup->dir.fd >= 0) {
		return OB_OK;
	}
	int r = obi_spawn_user(sup->options, &user, reterr);
	if (r < 0) {
		return r;
	}
	bool create = sup->machine.phase != OBI_PHASE_WAIT_RECONNECT;
	r = obi_datadir_open(sup->options->data_path, create, user.uid, user.gid, &sup->dir,
			     reterr);
	return r == OB_ENOENT ? obi_fail(reterr, OB_ENOENT, 0, "no existing config in %s",
					 sup->options->data_path)
			      : r;
}

/* Counters and procid of whoever was in charge before; a file that is not there, or not understood,
 * says nothing. */
static void read_state(struct obi_supervisor *sup)
{
	struct obi_statefile was;
	if (obi_statefile_read(&sup->dir, &was, NULL) == OB_OK) {
		sup->state = was;
	}
	if (sup->forgiven) {
		obi_restart_state_clear(&sup->state.restart);
		sup->forgiven = false;
	}
}

static void note_nobody(struct obi_supervisor *sup)
{
	if (sup->machine.phase != OBI_PHASE_WAIT_RECONNECT) {
		return;
	}
	if (sup->state.procid.pid > 0) {
		obi_supervisor_note(sup, OB_ENOENT, "process not running (pid %d)",
				    sup->state.procid.pid);
	} else {
		obi_supervisor_note(sup, OB_ENOENT, "no existing config in %s",
				    sup->options->data_path);
	}
}

/* A child lives there: whoever asked for a plain start is told so. */
static void found_live(struct obi_supervisor *sup, struct obi_occupant *found)
{
	sup->process = found->process;
	found->process = OBI_PROCESS_NONE;
	if (sup->machine.phase == OBI_PHASE_WAIT_START ||
	    sup->machine.phase == OBI_PHASE_CLEAR_START) {
		obi_supervisor_note(sup, OB_EEXIST, "outboard process %s is already running",
				    sup->options->name);
	}
}

void obi_instance_probe(struct obi_supervisor *sup)
{
	struct ob_error err = {0};
	int r = open_directory(sup, &err);
	bool fresh = r == OB_OK && sup->dir.parent_lock < 0;
	r = r == OB_OK ? obi_datadir_lock(&sup->dir, &err) : r;
	if (r == OB_OK && fresh) {
		read_state(sup);
	}
	r = r == OB_OK ? obi_datadir_probe(&sup->dir, &sup->state.procid, &sup->occupant, &err) : r;
	if (r < 0) {
		obi_supervisor_note_error(sup, &err);
		obi_supervisor_cause(sup, "%s", err.text);
		obi_machine_raise(&sup->machine, OBI_LIFE_LOCK_FAILED);
	} else if (sup->occupant.kind == OBI_OCCUPANT_LIVE) {
		found_live(sup, &sup->occupant);
		obi_machine_raise(&sup->machine, OBI_LIFE_LOCK_LIVE);
	} else if (sup->occupant.kind == OBI_OCCUPANT_LEFTOVERS) {
		if (sup->machine.phase == OBI_PHASE_WAIT_RECONNECT) {
			note_nobody(sup);
		}
		obi_machine_raise(&sup->machine, OBI_LIFE_LOCK_LEFTOVERS);
	} else {
		note_nobody(sup);
		obi_machine_raise(&sup->machine, OBI_LIFE_LOCK_FREE);
	}
}

/* A lock's release makes no event: look again every now and then, for as long as the stop timeout
 * allows. */
static void look_at_lock(void *user)
{
	struct obi_supervisor *sup = user;
	struct obi_occupant now = {.process = OBI_PROCESS_NONE};
	if (sup->machine.phase < OBI_PHASE_CLEAR_START ||
	    sup->machine.phase > OBI_PHASE_CLEAR_AGAIN) {
		return;
	}
	int r = obi_datadir_probe(&sup->dir, &sup->state.procid, &now, NULL);
	if (r == OB_OK && now.kind == OBI_OCCUPANT_NONE) {
		obi_machine_raise(&sup->machine, OBI_LIFE_LOCK_FREE);
		return;
	}
	/* It had been cloned when we looked first, but had not said who it is yet. */
	if (r == OB_OK && now.kind == OBI_OCCUPANT_LIVE) {
		found_live(sup, &now);
		obi_machine_raise(&sup->machine, OBI_LIFE_LOCK_LIVE);
		return;
	}
	obi_process_close(&now.process);
	obi_timer_set(sup->setup.loop, &sup->lock_timer, LOCK_LOOK_MS);
}

void obi_instance_kill_leftovers(struct obi_supervisor *sup)
{
	if (sup->occupant.process.id.pid > 0) {
		(void)obi_leftovers_kill(&sup->occupant.process.id, NULL);
	}
	obi_timer_set(sup->setup.loop, &sup->lock_timer, LOCK_LOOK_MS);
}

/* ---- Starting ---- */

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

static int fill_config(struct obi_supervisor *sup, struct ob_config *config,
		       struct ob_error *reterr)
{
	char token[OBI_TOKEN_SIZE];
	const char *dir = sup->options->data_path;
	int r = obi_token_new(token, reterr);
	r = r == OB_OK ? obi_instance_new(sup->state.instance, reterr) : r;
	if (r < 0) {
		return r;
	}
	config->fifo_stdout = text_of(dir, OBI_FILE_STDOUT);
	config->fifo_stderr = text_of(dir, OBI_FILE_STDERR);
	r = config->fifo_stdout != NULL && config->fifo_stderr != NULL ? OB_OK : OB_ENOMEM;
	r = r == OB_OK ? obi_child_config_set(&config->listen, sup->options->listen) : r;
	r = r == OB_OK ? obi_child_config_set(&config->token, token) : r;
	r = r == OB_OK ? obi_child_config_set(&config->name, sup->options->name) : r;
	r = r == OB_OK ? obi_child_config_set(&config->codec, sup->options->codec) : r;
	r = r == OB_OK ? obi_child_config_set(&config->instance, sup->state.instance) : r;
	r = r == OB_OK ? fill_access(sup->options, config) : r;
	r = r == OB_OK ? obi_child_config_set(&config->parent_address, sup->options->parent_address)
		       : r;
	r = r == OB_OK ? obi_child_config_set(&config->transport, sup->setup.listen_transport) : r;
	config->heartbeat_ms =
	    sup->options->health_interval_ms > 0 ? sup->options->health_interval_ms : 0;
	sodium_memzero(token, sizeof token);
	if (r < 0) {
		return obi_fail(reterr, r, 0, "writing outboard config: out of memory");
	}
	return sup->setup.events.token(sup->setup.events.user, config->token, reterr);
}

static int make_files(struct obi_supervisor *sup, struct ob_config *config, struct ob_error *reterr)
{
	const struct obi_datadir *d = &sup->dir;
	uint32_t bytes = sup->options->log_pipe_bytes;
	int r = fill_config(sup, config, reterr);
	if (r < 0) {
		return r;
	}
	r = obi_fifo_make(d->fd, OBI_FILE_STDOUT, "stdout", bytes, d->uid, d->gid, &sup->out,
			  reterr);
	r = r == OB_OK ? obi_fifo_make(d->fd, OBI_FILE_STDERR, "stderr", bytes, d->uid, d->gid,
				       &sup->err, reterr)
		       : r;
	if (r == OB_OK && obi_datadir_write_config(d, config, reterr) < 0) {
		r = reterr != NULL ? obi_wrap(reterr, "writing outboard config") : OB_EIO;
	}
	return r == OB_OK ? open_logs(sup, reterr) : r;
}

static void note_started(struct obi_supervisor *sup)
{
	sup->state.procid = sup->process.id;
	sup->state.started_ms = obi_clock_ms(CLOCK_REALTIME);
	sup->state.started_boot_ms = obi_clock_ms(CLOCK_BOOTTIME);
	sup->state.adopted = sup->state.was_ready = false;
	sup->state.version = 0;
	sup->state.address[0] = '\0';
	snprintf(sup->state.config_hash, sizeof sup->state.config_hash, "%s",
		 sup->setup.config_hash);
}

static int spawn(struct obi_supervisor *sup, struct ob_error *reterr)
{
	struct obi_spawn s = {
	    .options = sup->options, .plugin_path = sup->setup.plugin_path, .lock_fd = -1};
	char *path = text_of(sup->options->data_path, OBI_FILE_CONFIG);
	int r = path != NULL ? obi_datadir_lock_child(&sup->dir, &s.lock_fd, reterr) : OB_ENOMEM;
	if (r == OB_OK) {
		s.config_path = path;
		s.out_fd = sup->out.child_fd;
		s.err_fd = sup->err.child_fd;
		r = obi_spawn(&s, &sup->process, reterr);
	}
	if (s.lock_fd >= 0) {
		close(s.lock_fd);
	}
	free(path);
	return r;
}

/* The watch is set before the process can write: its rename must not be missed. */
static int start_watch(struct obi_supervisor *sup, struct ob_error *reterr)
{
	bool known = sup->options->ready == OB_READY_RPC ||
		     (sup->options->ready == OB_READY_NONE && sup->options->connect != NULL);
	return known ? OB_OK
		     : obi_rename_watch_start(sup->setup.loop, sup->setup.watches, &sup->watch,
					      sup->dir.fd, reterr);
}

/* NULL: none. false: there is no memory for it, and then there is none, which is noted. */
static bool set_address(struct obi_supervisor *sup, const char *address)
{
	char *copy = address != NULL ? strdup(address) : NULL;
	free(sup->address);
	sup->address = copy;
	snprintf(sup->state.address, sizeof sup->state.address, "%s", copy != NULL ? copy : "");
	if (address != NULL && copy == NULL) {
		obi_supervisor_note(sup, OB_ENOMEM, "out of memory for the child's address");
	}
	return copy != NULL || address == NULL;
}

void obi_instance_spawn(struct obi_supervisor *sup)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	obi_datadir_clean(&sup->dir, true);
	close_logs(sup);
	(void)set_address(sup, NULL);
	sup->last_exit = (struct obi_exit){0};
	sup->exit_known = false;
	sup->healthy = -1;
	int r = make_files(sup, &config, &err);
	r = r == OB_OK ? start_watch(sup, &err) : r;
	r = r == OB_OK ? spawn(sup, &err) : r;
	obi_child_config_clear(&config);
	obi_fifo_close_child(&sup->out);
	obi_fifo_close_child(&sup->err);
	if (r < 0) {
		obi_rename_watch_stop(&sup->watch);
		close_logs(sup);
		obi_supervisor_note_error(sup, &err);
		obi_supervisor_cause(sup, "%s", err.text);
		obi_machine_raise(&sup->machine, OBI_LIFE_SPAWN_FAILED);
		return;
	}
	note_started(sup);
	watch_process(sup);
	obi_machine_raise(&sup->machine, OBI_LIFE_SPAWNED);
}

/* ---- Readiness ---- */

/* Where to dial: what the user said, else what the child wrote; one that writes nothing listens
 * where it was told to. */
static bool find_address(struct obi_supervisor *sup, const struct ob_config *config)
{
	const char *address =
	    sup->options->connect != NULL ? sup->options->connect : config->rpc_addr;
	if (address == NULL && sup->options->ready == OB_READY_RPC) {
		address = sup->options->listen;
	}
	if (address == NULL) {
		return false;
	}
	return set_address(sup, address);
}

/* The child has written something: is it ready, and is it this start of it that says so? */
static void on_config_change(void *user)
{
	struct obi_supervisor *sup = user;
	struct ob_config config = {.size = sizeof config};
	if (sup->address != NULL || obi_datadir_read_config(&sup->dir, &config, NULL) < 0) {
		return;
	}
	bool ours = config.instance != NULL && strcmp(config.instance, sup->state.instance) == 0;
	if (!ours || !config.ready) {
		obi_child_config_clear(&config);
		return;
	}
	obi_rename_watch_stop(&sup->watch);
	if (find_address(sup, &config)) {
		obi_link_monitor_start(sup);
	} else {
		obi_supervisor_note(
		    sup, OB_EPROTO,
		    "empty RPC address: outboard process %s is ready, and does not say where",
		    sup->options->name);
		obi_supervisor_cause(sup, "empty RPC address");
		obi_machine_raise(&sup->machine, OBI_LIFE_READY_TIMEOUT);
	}
	obi_child_config_clear(&config);
}

void obi_instance_await_ready(struct obi_supervisor *sup)
{
	bool adopting = obi_lifecycle_is_adopting(sup->machine.phase);
	if (adopting) {
		return; /* obi_instance_adopt() has seen to it */
	}
	if (sup->options->ready == OB_READY_RPC ||
	    (sup->options->ready == OB_READY_NONE && sup->options->connect != NULL)) {
		if (!set_address(sup, sup->options->connect != NULL ? sup->options->connect
								    : sup->options->listen)) {
			obi_machine_raise(&sup->machine, OBI_LIFE_READY_TIMEOUT);
			return;
		}
		obi_link_monitor_start(sup);
	}
	if (sup->options->ready == OB_READY_NONE) {
		sup->heart.judged = true;
		obi_machine_raise(&sup->machine, OBI_LIFE_BECAME_READY);
	}
	if (sup->address == NULL) {
		on_config_change(sup);
	}
}

/* ---- Taking over ---- */

static void open_old_fifos(struct obi_supervisor *sup)
{
	struct ob_error err = {0};
	(void)obi_fifo_open(sup->dir.fd, OBI_FILE_STDOUT, "stdout", sup->dir.uid, &sup->out, &err);
	(void)obi_fifo_open(sup->dir.fd, OBI_FILE_STDERR, "stderr", sup->dir.uid, &sup->err, &err);
	(void)open_logs(sup, &err);
}

static void adopt_failed(struct obi_supervisor *sup, const struct ob_error *err)
{
	obi_supervisor_note_error(sup, err);
	obi_supervisor_cause(sup, "%s", err->text);
	obi_machine_raise(&sup->machine, OBI_LIFE_ADOPT_FAILED);
}

/*
 * A child that was ready is dialled where it listens. One whose parent died before that is waited
 * for as if we had started it; and where nothing but `none` was ever expected, being alive is
 * enough.
 */
static void take_over(struct obi_supervisor *sup, struct ob_config *config)
{
	bool silent = sup->options->ready == OB_READY_NONE && sup->options->connect != NULL;
	bool dial = config->ready || sup->options->ready == OB_READY_RPC || silent;
	if (config->instance != NULL) {
		snprintf(sup->state.instance, sizeof sup->state.instance, "%s", config->instance);
	}
	sup->state.was_ready = sup->state.was_ready || config->ready;
	if (dial && find_address(sup, config)) {
		obi_link_monitor_start(sup);
	}
	if (sup->options->ready == OB_READY_NONE) {
		sup->heart.judged = true;
		obi_machine_raise(&sup->machine, OBI_LIFE_ADOPT_OK);
	} else if (sup->address == NULL && config->ready) {
		obi_supervisor_note(sup, OB_EINVAL,
				    "invalid config state: pid=%lld, addr=, ready=true",
				    (long long)config->pid);
		obi_machine_raise(&sup->machine, OBI_LIFE_ADOPT_FAILED);
	}
}

void obi_instance_adopt(struct obi_supervisor *sup)
{
	struct ob_config config = {.size = sizeof config};
	struct ob_error err = {0};
	obi_orphans_remove(sup->setup.strays, &sup->process.id);
	sup->state.procid = sup->process.id;
	sup->state.adopted = true;
	sup->last_exit = (struct obi_exit){0};
	sup->exit_known = false;
	sup->healthy = -1;
	(void)set_address(sup, NULL);
	watch_process(sup);
	open_old_fifos(sup);
	int r = start_watch(sup, &err);
	r = r == OB_OK ? obi_datadir_read_config(&sup->dir, &config, &err) : r;
	if (r == OB_OK && config.token != NULL) {
		r = sup->setup.events.token(sup->setup.events.user, config.token, &err);
	}
	if (r < 0) {
		adopt_failed(sup, &err);
	} else {
		take_over(sup, &config);
	}
	obi_child_config_clear(&config);
}

/* ---- Ending ---- */

/* The signal, and SIGCONT, so that a stopped process hears it. */
void obi_instance_signal_stop(struct obi_supervisor *sup)
{
	(void)obi_process_signal(&sup->process, sup->options->stop_signal, NULL);
	(void)obi_process_signal(&sup->process, SIGCONT, NULL);
}

static void note_exit(struct obi_supervisor *sup)
{
	tell_exit(sup);
	if (obi_lifecycle_start_open(sup->machine.phase) || sup->start != NULL) {
		obi_supervisor_note(sup, OB_EEXITED, "waiting for outboard process to be ready: %s",
				    sup->cause);
	}
	sup->state.last_exit = sup->last_exit;
}

void obi_instance_reap(struct obi_supervisor *sup)
{
	struct obi_exit end = {0};
	unwatch_process(sup);
	obi_rename_watch_stop(&sup->watch);
	obi_link_monitor_stop(sup);
	int32_t pid = sup->process.id.pid;
	if (obi_process_end(&sup->process, &end) == OB_EBUSY) {
		obi_orphans_add(sup->setup.strays, sup->setup.loop, &sup->process);
	}
	if (!sup->exit_known || end.kind != OB_EXIT_UNKNOWN) {
		sup->last_exit = end;
	}
	if (sup->out_log != NULL) {
		obi_log_reader_drain(sup->out_log);
	}
	if (sup->err_log != NULL) {
		obi_log_reader_drain(sup->err_log);
	}
	close_logs(sup);
	sup->process.id.pid = pid;
	note_exit(sup);
	sup->state.procid.pid = 0;
}

void obi_instance_let_go(struct obi_supervisor *sup)
{
	unwatch_process(sup);
	obi_rename_watch_stop(&sup->watch);
	obi_link_monitor_stop(sup);
	if (sup->out_log != NULL) {
		obi_log_reader_flush(sup->out_log);
	}
	if (sup->err_log != NULL) {
		obi_log_reader_flush(sup->err_log);
	}
	close_logs(sup);
	obi_orphans_add(sup->setup.strays, sup->setup.loop, &sup->process);
}

/* ---- state.json ---- */

void obi_instance_save(struct obi_supervisor *sup)
{
	uint32_t state = obi_lifecycle_state(sup->machine.phase);
	if (sup->dir.fd < 0 || sup->dir.parent_lock < 0) {
		return;
	}
	sup->state.state = state;
	sup->state.desired =
	    state == OB_STATE_STOPPED || state == OB_STATE_STOPPING || state == OB_STATE_IDLE
		? OBI_DESIRED_STOPPED
		: OBI_DESIRED_RUNNING;
	if (obi_boot_id(sup->state.restart_boot, NULL) < 0) {
		sup->state.restart_boot[0] = '\0';
	}
	(void)obi_statefile_write(&sup->dir, &sup->state, NULL);
	OBI_CRASHPOINT("state_written");
}

/* ---- Life ---- */

int obi_instance_init(struct obi_supervisor *sup, struct ob_error *reterr)
{
	(void)reterr;
	sup->dir = OBI_DATADIR_NONE;
	sup->process = OBI_PROCESS_NONE;
	sup->occupant.process = OBI_PROCESS_NONE;
	sup->out = sup->err = OBI_FIFO_NONE;
	sup->death.fn = on_death;
	sup->death_task.fn = feed_exit;
	sup->child.fn = on_reaped;
	sup->watch.fn = on_config_change;
	sup->lock_timer.fn = look_at_lock;
	sup->death.user = sup->death_task.user = sup->child.user = sup->watch.user =
	    sup->lock_timer.user = sup;
	return OB_OK;
}

void obi_instance_free(struct obi_supervisor *sup)
{
	obi_timer_stop(&sup->lock_timer);
	obi_instance_let_go(sup);
	obi_datadir_close(&sup->dir);
	free(sup->address);
}
