/* SPDX-License-Identifier: MIT */
#include "cli/status/probe.h"

#include <stdio.h>

enum { ASK_MS = 2000 };

/* ---- What the child says ---- */

static void ask_client(struct ob_status *status, ob_client *client)
{
	struct ob_health health = {.size = sizeof health};
	struct ob_error err = {0};
	bool restart;
	status->link = OB_LINK_UP;
	if (ob_control_health(client, ASK_MS, &health, &err) == OB_OK) {
		bool is_inner = health.pid > 0 && health.pid <= INT32_MAX && status->pid != 0 &&
				health.pid != status->pid;
		status->healthy = health.healthy;
		status->inner_pid = is_inner ? (int32_t)health.pid : 0;
		if (!health.healthy) {
			snprintf(status->last_error, sizeof status->last_error, "%s",
				 health.last_error);
		}
	} else if (err.code == OB_ETIMEDOUT) {
		status->link = OB_LINK_UNRESPONSIVE;
		return;
	}
	/* No version is below 0, so this call never makes the child end. */
	(void)ob_control_check_version(client, 0, ASK_MS, &status->version, &restart, NULL);
}

static void ask(ob_runtime *rt, struct obi_row *row)
{
	struct ob_status *status = &row->status;
	struct ob_error err = {0};
	ob_client *client;
	int r = ob_child_connect(rt, row->data_path, row->state_path, ASK_MS, NULL, &client, &err);
	if (r == OB_OK) {
		ask_client(status, client);
		ob_client_free(client);
		return;
	}
	status->link = r == OB_ETIMEDOUT ? OB_LINK_UNRESPONSIVE : OB_LINK_DOWN;
	if (status->last_error[0] == '\0') {
		snprintf(status->last_error, sizeof status->last_error, "%.255s", err.text);
	}
}

int obi_status_probe(ob_runtime *rt, const struct ob_connector_options *options,
		     struct obi_row *row, struct ob_error *reterr)
{
	int r = ob_child_status(rt, row->data_path, row->state_path, options, &row->status,
				&row->supervised, reterr);
	if (r == OB_OK && row->status.pid != 0) {
		ask(rt, row);
	}
	return r;
}
