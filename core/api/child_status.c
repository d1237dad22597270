/* SPDX-License-Identifier: MIT */
/* The state of a child, from its files. */
#include <outboard/child.h>

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "api/child_directory.h"
#include "api/connector_options.h"
#include "base/clock.h"
#include "base/error.h"
#include "files/statefile.h"

struct reading {
	struct obi_datadir dir;
	struct obi_statefile state;
	struct obi_occupant occupant;
	bool supervised;
};

bool ob_child_exists(const char *data_path)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/" OBI_FILE_STATE, data_path);
	return n > 0 && (size_t)n < sizeof path && lstat(path, &st) == 0;
}

/* Without a connector, what the last one wrote is history. */
static uint32_t state_now(const struct reading *r, bool lives)
{
	if (r->supervised) {
		return r->state.state;
	}
	if (lives) {
		return OB_STATE_DETACHED;
	}
	return r->state.state == OB_STATE_FAILED || r->state.state == OB_STATE_IDLE
		   ? r->state.state
		   : OB_STATE_STOPPED;
}

static struct ob_status status_of(const struct reading *r)
{
	bool lives = r->occupant.kind == OBI_OCCUPANT_LIVE;
	struct ob_status status = {.size = sizeof status,
				   .state = state_now(r, lives),
				   .link = OB_LINK_DOWN,
				   .uptime_ms = -1,
				   .restarts = (uint32_t)r->state.restart.total,
				   .healthy = -1};
	if (lives) {
		status.pid = r->occupant.process.id.pid;
		status.version = r->state.version;
		status.adopted = r->state.adopted;
	}
	if (lives && r->occupant.recorded) {
		status.uptime_ms = obi_clock_ms(CLOCK_BOOTTIME) - r->state.started_boot_ms;
	}
	snprintf(status.address, sizeof status.address, "%s", r->state.address);
	snprintf(status.last_error, sizeof status.last_error, "%s", r->state.last_error);
	return status;
}

/* Whether a child that lives was started with other options than these. Bad ones are never stale.
 */
static bool is_stale(struct ob_runtime *rt, const struct reading *r,
		     const struct ob_connector_options *options)
{
	struct obi_connector_settings settings;
	bool stale = false;
	if (options == NULL || r->occupant.kind != OBI_OCCUPANT_LIVE) {
		return false;
	}
	obi_enter(rt);
	if (obi_connector_settings(rt, options, &settings, NULL) == OB_OK) {
		stale = strcmp(settings.hash, r->state.config_hash) != 0;
	}
	obi_arena_free(&settings.arena);
	obi_leave(rt);
	return stale;
}

static int read_directory(struct reading *r, struct ob_error *reterr)
{
	int rc = obi_datadir_has_parent(&r->dir, &r->supervised, reterr);
	if (rc < 0) {
		return rc;
	}
	if (obi_statefile_read(&r->dir, &r->state, NULL) < 0) {
		r->state = (struct obi_statefile){.state = OB_STATE_IDLE};
	}
	struct obi_procid known = obi_statefile_procid(&r->state);
	return obi_datadir_probe(&r->dir, &known, &r->occupant, reterr);
}

int ob_child_status(ob_runtime *rt, const char *data_path,
		    const struct ob_connector_options *options, struct ob_status *ret_status,
		    bool *ret_supervised, struct ob_error *reterr)
{
	struct reading r = {.dir = OBI_DATADIR_NONE,
			    .occupant = {.kind = OBI_OCCUPANT_NONE, .process = OBI_PROCESS_NONE}};
	int rc = obi_child_directory_open(data_path, &r.dir, reterr);
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
	obi_process_close(&r.occupant.process);
	obi_datadir_close(&r.dir);
	return rc;
}
