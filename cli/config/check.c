/* SPDX-License-Identifier: MIT */
/* outboard check: report every fault of a config at once. */
#include <signal.h>

#include "cli/args.h"
#include "base/value.h"
#include "cli/commands.h"
#include "cli/config/load.h"
#include "cli/report.h"

/* warnings may be the same as faults. live: the agents are asked, too. */
static void check(const char *path, bool live, struct obi_faults *faults,
		  struct obi_faults *warnings, uint32_t *ret_children)
{
	struct obi_run_config config;
	struct ob_error err;
	ob_runtime *rt;
	if (!obi_load_config(path, &config, faults)) {
		return;
	}
	*ret_children = config.count;
	if (obi_load_runtime(&config, &rt, &err) < 0) {
		obi_faults_add(faults, "", err.text);
	} else {
		obi_config_check(rt, &config, faults, warnings, faults);
		if (live) {
			signal(SIGPIPE, SIG_IGN);
			obi_config_check_live(rt, &config, faults, warnings);
		}
		ob_runtime_free(rt);
	}
	obi_run_config_free(&config);
}

/* [{"file", "line", "column", "key", "reason"}, ...]; empty if there is no fault. */
static int print_json(struct obi_faults *faults)
{
	struct ob_error err = {0};
	struct ob_builder b;
	struct ob_value list;
	struct obi_arena *arena = &faults->arena;
	ob_builder_init(&b, &arena->ob);
	ob_build_array(&b);
	obi_faults_locate(faults);
	for (const struct obi_fault *f = faults->first; f != NULL; f = f->next) {
		obi_fault_build(&b, arena, faults, f);
	}
	ob_build_end(&b);
	int r = ob_builder_finish(&b, &list);
	r = r == OB_OK ? obi_print_json(stdout, &list, &err) : r;
	if (r < 0) {
		obi_complain("%s", err.text[0] != '\0' ? err.text : "out of memory");
		return OBI_EXIT_USAGE;
	}
	return faults->count == 0 ? OBI_EXIT_OK : OBI_EXIT_USAGE;
}

static int print_text(struct obi_faults *faults, struct obi_faults *warnings, uint32_t children)
{
	obi_faults_print(warnings);
	if (faults->count > 0) {
		obi_faults_print(faults);
		return OBI_EXIT_USAGE;
	}
	obi_print_safe(stdout, ob_bytes_text(faults->file));
	printf(": fine, %u %s\n", children, children == 1 ? "child" : "children");
	return OBI_EXIT_OK;
}

int obi_cmd_check(int argc, char **argv)
{
	bool json = false, strict = false, live = false;
	const struct obi_option options[] = {
	    {"json", NULL, "print the faults as a JSON array of {file, line, column, key, reason}",
	     OBI_OPTION_FLAG, &json},
	    {"strict", NULL, "treat warnings as faults", OBI_OPTION_FLAG, &strict},
	    {"live", NULL, "ask agents that run what they would refuse", OBI_OPTION_FLAG, &live},
	    {0},
	};
	const struct obi_usage usage = {
	    .command = "check",
	    .words = "CONFIG",
	    .about =
		"Reports every fault of a config file, with its place, key and reason, and\n"
		"plugins, users and commands that are missing. Warnings are about choices that\n"
		"are allowed but not safe, and about restarts and heartbeats without a pause;\n"
		"--json omits them. CONFIG may be a pipe, or - for standard input. Nothing is\n"
		"started or changed. The exit status is 0 if there is no fault, else 2.\n",
	    .options = options,
	    .min_words = 1,
	    .max_words = 1,
	};
	struct obi_faults faults, warnings;
	struct obi_words words;
	uint32_t children = 0;
	int status;
	if (!obi_args_read(&usage, argc, argv, &words, &status)) {
		return status;
	}
	obi_faults_init(&faults, words.items[0]);
	obi_faults_init(&warnings, words.items[0]);
	warnings.word = "warning: ";
	check(words.items[0], live, &faults, strict ? &faults : &warnings, &children);
	status = json ? print_json(&faults) : print_text(&faults, &warnings, children);
	obi_faults_free(&warnings);
	obi_faults_free(&faults);
	return status;
}
