/* SPDX-License-Identifier: MIT */
/* The user namespace that the command makes, as far as its arguments tell: whether the child can be
 * whom its options say, and peercred can work. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/options_check.h"
#include "base/arena.h"
#include "base/runner.h"
#include "json/json.h"
#include "process/sandbox.h"

enum { MEMORY = 16 << 20, VALUES_MAX = 100000, DEPTH = 32 };

/* ---- The config of a bundle ---- */

/* What this file says of users; called with the tree. */
typedef void bundle_fn(const struct ob_value *config, void *user);

static void with_bundle(const char *path, bundle_fn *fn, void *user)
{
	const struct obi_json_limits limits = {.depth = DEPTH, .values = VALUES_MAX};
	struct obi_arena arena;
	struct ob_value config;
	size_t len;
	uint8_t *text = obi_bundle_read(path, &len);
	obi_arena_init(&arena, MEMORY);
	if (text != NULL &&
	    obi_json_parse(ob_bytes_of(text, len), &arena.ob, &limits, &config, NULL) == OB_OK) {
		fn(&config, user);
	}
	obi_arena_free(&arena);
	free(text);
}

/* ---- Warnings ---- */

struct checking {
	const struct ob_connector_options *options;
	const char *bundle; /* of runc or crun */
	uint32_t child;	    /* to whom data_path belongs */
	bool peercred;
	struct obi_option_faults *faults;
};

static void warn_of_peercred(const struct checking *c)
{
	obi_option_fault(c->faults, OB_FAULT_WARNING, "auth",
			 "peercred cannot work: the command makes a user namespace in which the "
			 "supervisor's user %u has no number; use token or noise instead",
			 (unsigned)geteuid());
}

static void check_bundle(const struct ob_value *config, void *user)
{
	const struct checking *c = user;
	uint32_t uid, gid;
	if (c->peercred && !obi_bundle_shows(config, geteuid())) {
		warn_of_peercred(c);
	}
	if (obi_bundle_user(config, &uid, &gid) && uid != c->child) {
		obi_option_fault(c->faults, OB_FAULT_WARNING, "run_as",
				 "%s runs the child as user %u, and its data directory will belong "
				 "to user %u: set run_as to {\"uid\": %u, \"gid\": %u}",
				 c->bundle, uid, c->child, uid, gid);
	}
}

static void check_runc(struct checking *c, const char *bundle)
{
	char path[4096];
	const char *cwd = c->options->cwd != NULL ? c->options->cwd : ".";
	bool absolute = bundle[0] == '/';
	int n = snprintf(path, sizeof path, "%s%s%s/config.json", absolute ? "" : cwd,
			 absolute ? "" : "/", bundle);
	c->bundle = path;
	if (n > 0 && (size_t)n < sizeof path) {
		with_bundle(path, check_bundle, c);
	}
}

void obi_options_check_sandbox(const struct ob_connector_options *o, uint32_t child, bool peercred,
			       struct obi_option_faults *faults)
{
	struct checking c = {.options = o, .child = child, .peercred = peercred, .faults = faults};
	struct obi_user runner;
	const char *bundle = obi_bundle_of(o->argv);
	if (obi_spawn_user(o, &runner, NULL) < 0) {
		return;
	}
	if (bundle != NULL) {
		check_runc(&c, bundle);
		return;
	}
	enum obi_sandbox_users users = obi_sandbox_of(o->argv, runner.uid == 0);
	if (peercred && (users == OBI_SANDBOX_NOBODY ||
			 (users == OBI_SANDBOX_ONE && runner.uid != geteuid()))) {
		warn_of_peercred(&c);
	}
}
