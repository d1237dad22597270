/* SPDX-License-Identifier: MIT */
#include "cli/status/probe.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "cli/call/connect.h"
#include "api/connector.h"
#include "files/statefile.h"

enum { ASK_MS = 2000 };

struct survey {
	ob_runtime *rt;
	struct obi_row *row;
	struct obi_datadir dir;
	struct obi_statefile state;
	struct obi_occupant occupant;
};

/* ---- What is written ---- */

/*
 * A parent says how its child is. Without one, what it wrote is history: a child that lives is
 * nobody's, and one that does not is stopped, unless it had been given up.
 */
static uint32_t state_now(const struct survey *s, bool lives)
{
	if (s->row->supervised) {
		return s->state.state;
	}
	if (lives) {
		return OB_STATE_DETACHED;
	}
	return s->state.state == OB_STATE_FAILED || s->state.state == OB_STATE_IDLE
		   ? s->state.state
		   : OB_STATE_STOPPED;
}

static void read_state(struct survey *s)
{
	struct ob_status *status = &s->row->status;
	bool lives = s->occupant.kind == OBI_OCCUPANT_LIVE;
	status->state = state_now(s, lives);
	status->restarts = (uint32_t)s->state.restart.total;
	status->link = OB_LINK_DOWN;
	if (lives) {
		status->pid = s->occupant.process.id.pid;
		status->uptime_ms = s->occupant.recorded
					? obi_clock_ms(CLOCK_BOOTTIME) - s->state.started_boot_ms
					: -1;
		status->version = s->state.version;
		status->adopted = s->state.adopted;
	}
	snprintf(status->address, sizeof status->address, "%s", s->state.address);
	snprintf(status->last_error, sizeof status->last_error, "%s", s->state.last_error);
}

/* Whether the child was started with other options than these. */
static void compare(struct survey *s, const struct ob_connector_options *options)
{
	ob_connector *connector;
	if (options == NULL || s->occupant.kind != OBI_OCCUPANT_LIVE ||
	    ob_connector_new(s->rt, options, &connector, NULL) < 0) {
		return;
	}
	s->row->status.stale = strcmp(connector->settings.hash, s->state.config_hash) != 0;
	ob_connector_close(connector);
}

/* ---- What the child says ---- */

static void ask_client(struct survey *s, ob_client *client)
{
	struct ob_status *status = &s->row->status;
	struct ob_health health = {.size = sizeof health};
	struct ob_error err = {0};
	bool restart;
	status->link = OB_LINK_UP;
	if (ob_control_health(client, ASK_MS, &health, &err) == OB_OK) {
		status->healthy = health.healthy;
		if (!health.healthy) {
			snprintf(status->last_error, sizeof status->last_error, "%s",
				 health.last_error);
		}
	} else if (err.code == OB_ETIMEDOUT) {
		status->link = OB_LINK_UNRESPONSIVE;
		return;
	}
	/* Nothing is below version 0, so asking never makes it end. */
	(void)ob_control_check_version(client, 0, ASK_MS, &status->version, &restart, NULL);
}

static void ask(struct survey *s)
{
	ob_client *client;
	struct ob_error err = {0};
	int r = obi_connect_child(s->rt, &s->dir, ASK_MS, &client, &err);
	if (r == OB_OK) {
		ask_client(s, client);
		ob_client_free(client);
		return;
	}
	s->row->status.link = r == OB_ETIMEDOUT ? OB_LINK_UNRESPONSIVE : OB_LINK_DOWN;
	if (s->row->status.last_error[0] == '\0') {
		snprintf(s->row->status.last_error, sizeof s->row->status.last_error, "%.255s",
			 err.text);
	}
}

/* ---- The whole ---- */

static int look(struct survey *s, struct ob_error *reterr)
{
	int r = obi_datadir_has_parent(&s->dir, &s->row->supervised, reterr);
	if (r == OB_OK && obi_statefile_read(&s->dir, &s->state, NULL) < 0) {
		s->state = (struct obi_statefile){.state = OB_STATE_IDLE};
	}
	return r == OB_OK ? obi_datadir_probe(&s->dir, &s->state.procid, &s->occupant, reterr) : r;
}

int obi_status_probe(ob_runtime *rt, const struct ob_connector_options *options,
		     struct obi_row *row, struct ob_error *reterr)
{
	struct survey s = {.rt = rt,
			   .row = row,
			   .dir = OBI_DATADIR_NONE,
			   .occupant = {.kind = OBI_OCCUPANT_NONE, .process = OBI_PROCESS_NONE}};
	int r = obi_open_child(row->data_path, &s.dir, reterr);
	r = r == OB_OK ? look(&s, reterr) : r;
	if (r == OB_OK) {
		read_state(&s);
		compare(&s, options);
		if (s.occupant.kind == OBI_OCCUPANT_LIVE) {
			ask(&s);
		}
	}
	obi_process_close(&s.occupant.process);
	obi_datadir_close(&s.dir);
	return r;
}
