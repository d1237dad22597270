/* SPDX-License-Identifier: MIT */
/* outboard plugin check: whether plugin files keep the promises of their headers. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/findings.h"
#include "cli/plugin/check_runner.h"
#include "cli/plugin/check_worker.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"

enum { PATIENCE_MS = 60000 };

struct check {
	const char *file;
	struct obi_findings findings;
	bool lacks_settings; /* a plugin was not tried for want of them */
};

static void found(void *user, const struct obi_finding *f)
{
	struct check *c = user;
	char heading[OBI_HEADING_MAX];
	bool whole = f->name[0] == '\0', somewhere = f->address[0] != '\0';
	snprintf(heading, sizeof heading, "%s%s%s%s%s%s", whole ? c->file : f->name,
		 whole ? "" : " (", f->kind, whole ? "" : ")", somewhere ? " at " : "", f->address);
	const char *const fields[][2] = {{"file", c->file},
					 {"kind", f->kind},
					 {"name", f->name},
					 {"address", f->address},
					 {NULL, NULL}};
	c->lacks_settings = c->lacks_settings || (strcmp(f->promise, OBI_PROMISE_SETTINGS) == 0 &&
						  strcmp(f->verdict, "skipped") == 0);
	const struct obi_found one = {heading, fields, f->promise, f->verdict, f->why};
	obi_findings_add(&c->findings, &one);
}

static int check_file(struct check *c, struct obi_check_runner *runner, const char *file)
{
	struct ob_error err = {0};
	c->file = runner->file = file;
	int rc = obi_check_runner_run(runner, &err);
	if (rc < 0) {
		return obi_give_up(file, &err);
	}
	obi_findings_sum(&c->findings, file);
	return OBI_EXIT_OK;
}

static bool addresses_are_sound(const struct obi_list *listen, const struct obi_list *dial)
{
	if (dial->count > listen->count) {
		obi_complain("plugin check: each --dial requires a --listen");
		return false;
	}
	for (int i = 0; i < listen->count; i++) {
		if (strstr(listen->items[i], "://") == NULL) {
			obi_complain("plugin check: --listen %s is not a URI", listen->items[i]);
			return false;
		}
	}
	return true;
}

static int check_files(struct check *c, struct obi_check_runner *runner,
		       const struct obi_words *words)
{
	int status = OBI_EXIT_OK;
	if (!addresses_are_sound(runner->listen, runner->dial)) {
		return OBI_EXIT_USAGE;
	}
	obi_findings_begin(&c->findings);
	for (int i = 0; i < words->count && status == OBI_EXIT_OK; i++) {
		status = check_file(c, runner, words->items[i]);
	}
	bool nothing = status == OBI_EXIT_OK && c->findings.tried_in_all == 0;
	status = obi_findings_end(&c->findings, status);
	if (nothing) {
		obi_complain("plugin check: nothing was tried");
		return OBI_EXIT_USAGE;
	}
	if (status == OBI_EXIT_OK && c->lacks_settings) {
		obi_complain("plugin check: a plugin that requires settings was not tried");
		return OBI_EXIT_USAGE;
	}
	return status;
}

static const char about[] =
    "Loads plugin files in a process of their own and tries what the headers of their kind\n"
    "promise. A FILE is a path, or the bare name of a plugin in the plugin path. If a plugin\n"
    "crashes, hangs or exits, the promise being tried is broken, and the others are still tried.\n"
    "Transports other than unix, tcp and wrappers of them (x+tcp) need --listen, in which {dir}\n"
    "is a directory made for the check. A plugin with settings gets those of a file such as\n"
    "{\"settings\": {...}, \"child_settings\": {...}}: the first for the end that dials, the\n"
    "second, by default the same, for the one that listens. The exit status is 1 if a promise is\n"
    "broken, 2 if none was tried, or a plugin lacks the settings that it requires.\n";

int obi_plugin_check(int argc, char **argv)
{
	struct check c = {0};
	struct obi_list listen = {0}, dial = {0};
	struct obi_check_runner runner = {.mode = "check",
					  .patience_ms = PATIENCE_MS,
					  .listen = &listen,
					  .dial = &dial,
					  .found = found,
					  .user = &c};
	const struct obi_option options[] = {
	    {"verbose", NULL, "also show promises that are kept", OBI_OPTION_FLAG,
	     &c.findings.verbose},
	    {"json", NULL,
	     "print a JSON array: file, kind, name, address, promise, verdict, reason",
	     OBI_OPTION_FLAG, &c.findings.json},
	    {"listen", "URI", "where a transport may listen; may be repeated", OBI_OPTION_LIST,
	     &listen},
	    {"dial", "URI", "address for the --listen in the same position, if it differs",
	     OBI_OPTION_LIST, &dial},
	    {"settings", "FILE", "JSON: settings, and child_settings if they differ",
	     OBI_OPTION_TEXT, &runner.settings},
	    {"only", "PROMISE", "try only this promise", OBI_OPTION_TEXT, &runner.only},
	    {"timeout", "D", "limit for one promise; default 60s", OBI_OPTION_LIMIT,
	     &runner.patience_ms},
	    {0},
	};
	const struct obi_usage usage = {.command = "plugin check",
					.words = "FILE...",
					.about = about,
					.options = options,
					.min_words = 1,
					.max_words = -1};
	struct obi_words words;
	int status;
	return obi_args_read(&usage, argc, argv, &words, &status) ? check_files(&c, &runner, &words)
								  : status;
}
