/* SPDX-License-Identifier: MIT */
/* The helper process: loads the file step by step, and says before each step what it is. */
#include "cli/plugin/check_worker.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conformance/verdict.h"
#include "cli/plugin/check_process.h"
#include "plugin/registry.h"
#include "plugin/vtable.h"
#include "cli/config/load.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"
#include "api/runtime.h"

bool obi_check_worker_try(void *user, const char *promise)
{
	struct obi_check_worker_run *run = user;
	run->told = run->at++ >= run->from;
	if (run->told) {
		obi_check_process_tell("try", run->kind, run->name, run->address, promise, NULL);
	}
	return run->told;
}

void obi_check_worker_verdict(void *user, const char *promise, int verdict, const char *why)
{
	static const char *const words[] = {"held", "broken", "skipped"};
	struct obi_check_worker_run *run = user;
	(void)promise;
	if (run->told) {
		obi_check_process_tell("verdict", words[verdict], why, NULL);
	}
}

/* ---- What loading may not change ---- */

struct surroundings {
	int descriptors;
	int threads;
	sigset_t blocked;
	struct sigaction actions[64];
};

static int count_entries(const char *path)
{
	int n = 0;
	DIR *dir = opendir(path);
	while (dir != NULL && readdir(dir) != NULL) {
		n++;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return n;
}

static void look_around(struct surroundings *ret)
{
	memset(ret, 0, sizeof *ret);
	ret->descriptors = count_entries("/proc/self/fd");
	ret->threads = count_entries("/proc/self/task");
	sigprocmask(SIG_SETMASK, NULL, &ret->blocked);
	for (int i = 1; i < 64; i++) {
		sigaction(i, NULL, &ret->actions[i]);
	}
}

static const char *difference(const struct surroundings *before, const struct surroundings *after)
{
	for (int i = 1; i < 64; i++) {
		if (before->actions[i].sa_handler != after->actions[i].sa_handler) {
			return "it changed how a signal is handled";
		}
		if (sigismember(&before->blocked, i) != sigismember(&after->blocked, i)) {
			return "it changed which signals are blocked";
		}
	}
	if (before->threads != after->threads) {
		return "it started a thread";
	}
	return before->descriptors != after->descriptors ? "it left a descriptor open" : NULL;
}

/* ---- Loading ---- */

/* What became of a step of loading; false when it ends here. */
static bool step_done(struct obi_check_worker_run *run, int rc, const struct ob_error *err)
{
	obi_check_worker_verdict(run, "", rc == OB_OK ? OBI_VERDICT_PASS : OBI_VERDICT_FAIL,
				 rc == OB_OK ? "" : err->text);
	return rc == OB_OK;
}

static bool open_file(struct obi_check_worker_run *run, const char *const *dirs, const char *what,
		      struct obi_plugin_file *ret)
{
	struct ob_error err = {0};
	obi_check_worker_try(run, "is a file that may be loaded");
	return step_done(run, obi_plugin_file_open(dirs, what, ret, &err), &err);
}

static bool map_file(struct obi_check_worker_run *run, const struct obi_plugin_file *file,
		     ob_plugin_list *ret)
{
	struct ob_error err = {0};
	void *handle;
	obi_check_worker_try(run, "is taken by the dynamic linker, constructors included");
	if (!step_done(run, obi_plugin_file_map(file, &handle, &err), &err)) {
		return false;
	}
	obi_check_worker_try(run, "tells what it offers");
	return step_done(run, obi_plugin_file_list(file, handle, ret, &err), &err);
}

static bool load(struct obi_check_worker_run *run, const char *const *dirs, const char *what,
		 ob_plugin_list *ret)
{
	struct obi_plugin_file file;
	struct surroundings before, after;
	struct ob_error err = {0};
	if (!open_file(run, dirs, what, &file)) {
		return false;
	}
	look_around(&before);
	bool loaded = map_file(run, &file, ret);
	if (loaded) {
		obi_check_worker_try(run, "has no side effect when it is loaded");
		look_around(&after);
		const char *changed = difference(&before, &after);
		obi_check_worker_verdict(run, "",
					 changed == NULL ? OBI_VERDICT_PASS : OBI_VERDICT_FAIL,
					 changed != NULL ? changed : "");
		obi_check_worker_try(run, "has whole descriptors and tables");
		loaded =
		    step_done(run, obi_registry_add(run->registry, *ret, file.path, &err), &err);
	}
	obi_plugin_file_close(&file);
	return loaded;
}

/* ---- Showing ---- */

static void tell_member(void *user, const char *member, bool there)
{
	(void)user;
	obi_check_process_tell("fact", there ? "has" : "lacks", member, NULL);
}

static void tell_number(const char *key, uint32_t number)
{
	char text[16];
	snprintf(text, sizeof text, "%u", number);
	obi_check_process_tell("fact", key, text, NULL);
}

static void tell_flags(const struct obi_plugin *p)
{
	static const struct {
		uint32_t kind, flag;
		const char *text;
	} known[] = {
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_LOCAL, "local"},
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_MAY_FALL_SILENT, "may-fall-silent"},
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_SINGLE, "single"},
	    {OB_PLUGIN_AUTH, OB_AUTH_LOCAL_ONLY, "local-only"},
	    {OB_PLUGIN_AUTH, OB_AUTH_NEEDS_SECRET, "needs-secret"},
	};
	uint32_t flags = p->kind == OB_PLUGIN_TRANSPORT ? p->as.transport.flags
			 : p->kind == OB_PLUGIN_AUTH	? p->as.auth.flags
							: 0;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].kind == p->kind && (flags & known[i].flag) != 0) {
			obi_check_process_tell("fact", "flags", known[i].text, NULL);
		}
	}
}

static void show_plugin(const struct ob_plugin *given, const struct obi_plugin *p)
{
	uint32_t table;
	memcpy(&table, given->ops, sizeof table);
	obi_check_process_tell("plugin", obi_plugin_kind_text(p->kind), p->name, p->version, NULL);
	tell_number("descriptor_size", given->size);
	tell_number("descriptor_size_here", sizeof(struct ob_plugin));
	tell_number("table_size", table);
	tell_number("table_size_here", obi_vtable_size(p->kind));
	for (size_t i = 0; p->kind == OB_PLUGIN_TRANSPORT && p->as.transport.schemes[i] != NULL;
	     i++) {
		obi_check_process_tell("fact", "schemes", p->as.transport.schemes[i], NULL);
	}
	tell_flags(p);
	obi_vtable_members(p->kind, &p->as, tell_member, NULL);
}

/* ---- The process ---- */

static void go_through(struct obi_check_worker_run *run, ob_plugin_list list)
{
	const struct obi_plugin *p = obi_registry_first(run->registry);
	for (; *list != NULL; list++, p = p->next) {
		if (run->inspect) {
			show_plugin(*list, p);
		} else {
			obi_check_worker_plugin(run, p);
		}
	}
}

static int try_file(struct obi_check_worker_run *run, const char *what)
{
	ob_plugin_list list;
	ob_runtime *rt;
	struct ob_error err;
	if (obi_load_runtime(NULL, &rt, &err) < 0) {
		return obi_give_up(NULL, &err);
	}
	run->registry = rt->registry;
	if (load(run, (const char *const *)rt->plugin_path, what, &list)) {
		go_through(run, list);
		obi_check_process_tell("end", NULL);
	}
	ob_runtime_free(rt);
	return OBI_EXIT_OK;
}

int obi_plugin_trial(int argc, char **argv)
{
	if (argc < 5 || !obi_check_process_begin(atoi(argv[1]))) {
		obi_complain("plugin trial: this is for \"outboard plugin check\" to run");
		return OBI_EXIT_USAGE;
	}
	struct obi_check_worker_run run = {
	    .inspect = strcmp(argv[0], "inspect") == 0,
	    .from = (uint32_t)strtoul(argv[3], NULL, 10),
	    .dir = argv[4],
	    .addresses = argv + 5,
	    .kind = "",
	    .name = "",
	    .address = "",
	};
	return try_file(&run, argv[2]);
}
