/* SPDX-License-Identifier: MIT */
/* The state of a child, from its files. */
#include <outboard/child.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "api/child_directory.h"
#include "api/connector_options.h"
#include "base/clock.h"
#include "base/error.h"
#include "files/statefile.h"
#include "place/agent_place.h"
#include "place/attached.h"

struct reading {
	struct obi_child_directory dir;
	struct obi_runner runner;
	bool supervised;
};

bool ob_child_exists(const char *data_path, const char *state_path)
{
	struct obi_child_directory dir;
	struct stat st;
	bool exists =
	    obi_child_directory_open(data_path, state_path, &dir, NULL) == OB_OK &&
	    (dir.state_dir.fd >= 0
		 ? fstatat(dir.state_dir.fd, OBI_FILE_STATE, &st, AT_SYMLINK_NOFOLLOW) == 0
		 : fstatat(dir.data.fd, OBI_FILE_CONFIG, &st, AT_SYMLINK_NOFOLLOW) == 0);
	obi_child_directory_close(&dir);
	return exists;
}

/* Without a connector, what the last one wrote is history. */
static uint32_t state_now(const struct reading *r, bool lives)
{
	if (r->supervised) {
		return r->dir.state.state;
	}
	/* Others start it, or it is elsewhere: whether it lives is not known. */
	bool elsewhere = strcmp(r->dir.state.record, OBI_ATTACHED_RECORD) == 0 ||
			 obi_is_agent_record(r->dir.state.record);
	if (lives || elsewhere) {
		return OB_STATE_DETACHED;
	}
	switch (r->dir.state.state) {
	case OB_STATE_FAILED:
	case OB_STATE_IDLE:
	case OB_STATE_DONE:
		return r->dir.state.state;
	default:
		return r->runner.held || r->dir.state.local.cleanup.pending ? OB_STATE_LINGERING
									    : OB_STATE_STOPPED;
	}
}

static struct ob_status status_of(const struct reading *r)
{
	bool lives = r->runner.alive;
	struct ob_status status = {.size = sizeof status,
				   .state = state_now(r, lives),
				   .link = OB_LINK_DOWN,
				   .uptime_ms = -1,
				   .next_try_ms = -1,
				   .restarts = (uint32_t)r->dir.state.restart.total,
				   .healthy = -1,
				   .usage = obi_cgroup_usage(&r->dir.state.local.cgroup)};
	if (lives) {
		status.pid = r->runner.process.id.pid;
		status.version = r->dir.state.version;
		status.adopted = r->dir.state.adopted;
	}
	if (lives && r->runner.recorded) {
		status.uptime_ms = obi_clock_ms(CLOCK_BOOTTIME) - r->dir.state.started_boot_ms;
		status.inner_pid = r->dir.state.run.pid != status.pid ? r->dir.state.run.pid : 0;
	}
	const struct obi_statefile *state = &r->dir.state;
	snprintf(status.address, sizeof status.address, "%.255s",
		 state->address[0] != '\0' ? state->address : state->accept);
	snprintf(status.client_address, sizeof status.client_address, "%.255s",
		 lives ? r->dir.state.client_address : "");
	bool over = status.state == OB_STATE_STOPPED || status.state == OB_STATE_DONE;
	snprintf(status.last_error, sizeof status.last_error, "%s",
		 over ? "" : r->dir.state.last_error);
	return status;
}

/* Whether a child that lives was started with other options than these. Bad ones are never stale.
 */
static bool is_stale(struct ob_runtime *rt, const struct reading *r,
		     const struct ob_connector_options *options)
{
	struct obi_connector_settings settings;
	bool stale = false;
	if (options == NULL || !r->runner.alive) {
		return false;
	}
	obi_enter(rt);
	if (obi_connector_settings(rt, options, &settings, NULL) == OB_OK) {
		stale = strcmp(settings.hash, r->dir.state.config_hash) != 0;
	}
	obi_connector_settings_free(&settings);
	obi_leave(rt);
	return stale;
}

/* The process that the child itself names, for its own user. */
static int read_own_word(struct reading *r, struct ob_error *reterr)
{
	struct ob_config config = {.size = sizeof config};
	int rc = obi_datadir_read_config(&r->dir.data, &config, reterr);
	if (rc == OB_ENOENT) {
		return OB_OK;
	}
	if (rc == OB_OK && config.pid > 0 && config.pid <= INT32_MAX) {
		struct ob_error err;
		r->runner.alive = obi_process_open_pid((int32_t)config.pid, UINT64_MAX,
						       &r->runner.process, &err) == OB_OK;
	}
	ob_config_clear(&config);
	return rc;
}

static int read_directory(struct reading *r, struct ob_error *reterr)
{
	if (r->dir.state_dir.fd < 0) {
		return read_own_word(r, reterr);
	}
	int rc = obi_statedir_has_parent(&r->dir.state_dir, &r->supervised, reterr);
	struct obi_procid known = obi_statefile_procid(&r->dir.state);
	return rc == OB_OK ? obi_statedir_probe(&r->dir.state_dir, &known, &r->runner, reterr) : rc;
}

int ob_child_status(ob_runtime *rt, const char *data_path, const char *state_path,
		    const struct ob_connector_options *options, struct ob_status *ret_status,
		    bool *ret_supervised, struct ob_error *reterr)
{
	struct reading r = {.runner = {.process = OBI_PROCESS_NONE}};
	int rc = obi_child_directory_open(data_path, state_path, &r.dir, reterr);
	rc = rc == OB_OK ? read_directory(&r, reterr) : rc;
	if (rc == OB_OK) {
		struct ob_status status = status_of(&r);
		uint32_t size =
		    ret_status->size < sizeof status ? ret_status->size : (uint32_t)sizeof status;
		status.stale = is_stale(rt, &r, options);
		memcpy(ret_status, &status, size);
		ret_status->size = size;
		if (ret_supervised != NULL) {
			*ret_supervised = r.supervised;
		}
	}
	obi_process_close(&r.runner.process);
	obi_child_directory_close(&r.dir);
	return rc;
}
