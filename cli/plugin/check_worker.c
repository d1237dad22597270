/* SPDX-License-Identifier: MIT */
#include "cli/plugin/check_worker.h"

#include <dirent.h>
#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conformance/verdict.h"
#include "cli/plugin/check_process.h"
#include "cli/config/load.h"
#include "cli/plugin/plugin.h"
#include "cli/report.h"

bool obi_check_worker_try(void *user, const char *promise)
{
	struct obi_check_worker *worker = user;
	bool wanted = *worker->only == '\0' || strcmp(worker->only, promise) == 0;
	worker->announced = wanted && worker->at++ >= worker->from;
	if (worker->announced) {
		obi_check_process_report("try", worker->kind, worker->name, worker->address,
					 promise, NULL);
	}
	return worker->announced;
}

void obi_check_worker_verdict(struct obi_check_worker *worker, int verdict, const char *why)
{
	static const char *const words[] = {"held", "broken", "skipped"};
	if (worker->announced) {
		obi_check_process_report("verdict", words[verdict], why, NULL);
	}
}

/* ---- What loading must not change ---- */

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

/* The outcome of a step. Returns whether to go on. */
static bool step_done(struct obi_check_worker *worker, int rc, const struct ob_error *err)
{
	obi_check_worker_verdict(worker, rc == OB_OK ? OBI_VERDICT_PASS : OBI_VERDICT_FAIL,
				 rc == OB_OK ? "" : err->text);
	return rc == OB_OK;
}

static bool map_file(struct obi_check_worker *worker, ob_plugin_file *file, ob_plugin_list *ret)
{
	struct ob_error err = {0};
	obi_check_worker_try(worker, "is loaded by the dynamic linker");
	if (!step_done(worker, ob_plugin_file_map(file, &err), &err)) {
		return false;
	}
	obi_check_worker_try(worker, "lists its plugins");
	return step_done(worker, ob_plugin_file_list(file, ret, &err), &err);
}

static bool load_file(struct obi_check_worker *worker, ob_plugin_file *file, ob_plugin_list *ret)
{
	struct surroundings before, after;
	struct ob_error err = {0};
	look_around(&before);
	if (!map_file(worker, file, ret)) {
		return false;
	}
	obi_check_worker_try(worker, "has no side effect when it is loaded");
	look_around(&after);
	const char *changed = difference(&before, &after);
	obi_check_worker_verdict(worker, changed == NULL ? OBI_VERDICT_PASS : OBI_VERDICT_FAIL,
				 changed != NULL ? changed : "");
	obi_check_worker_try(worker, "has complete descriptors and tables");
	return step_done(
	    worker, ob_plugin_register(worker->rt, *ret, ob_plugin_file_path(file), &err), &err);
}

static bool load(struct obi_check_worker *worker, const char *what, ob_plugin_list *ret)
{
	ob_plugin_file *file;
	struct ob_error err = {0};
	obi_check_worker_try(worker, "is a file that may be loaded");
	if (!step_done(worker, ob_plugin_file_open(worker->rt, what, &file, &err), &err)) {
		return false;
	}
	bool loaded = load_file(worker, file, ret);
	ob_plugin_file_close(file);
	return loaded;
}

/* ---- Inspecting ---- */

static void report_member(void *user, const char *member, bool present)
{
	(void)user;
	obi_check_process_report("fact", present ? "has" : "lacks", member, NULL);
}

static void report_number(const char *key, uint32_t number)
{
	char text[16];
	snprintf(text, sizeof text, "%u", number);
	obi_check_process_report("fact", key, text, NULL);
}

static void report_flags(const struct ob_plugin_info *p)
{
	static const struct {
		uint32_t kind, flag;
		const char *text;
	} known[] = {
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_LOCAL, "local"},
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_MAY_FALL_SILENT, "may-fall-silent"},
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_SINGLE, "single"},
	    {OB_PLUGIN_TRANSPORT, OB_TRANSPORT_SEALED, "sealed"},
	    {OB_PLUGIN_AUTH, OB_AUTH_LOCAL_ONLY, "local-only"},
	    {OB_PLUGIN_AUTH, OB_AUTH_NEEDS_SECRET, "needs-secret"},
	    {OB_PLUGIN_AUTH, OB_AUTH_USES_PIDFD, "uses-pidfd"},
	    {OB_PLUGIN_AUTH, OB_AUTH_NEEDS_SEAL, "needs-seal"},
	    {OB_PLUGIN_AUTH, OB_AUTH_CLIENTS_ONLY, "clients-only"},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].kind == p->kind && (p->flags & known[i].flag) != 0) {
			obi_check_process_report("fact", "flags", known[i].text, NULL);
		}
	}
}

static void inspect(const struct ob_plugin_info *p)
{
	const uint32_t table_sizes[] = {[OB_PLUGIN_TRANSPORT] = sizeof(struct ob_transport_ops),
					[OB_PLUGIN_CODEC] = sizeof(struct ob_codec_ops),
					[OB_PLUGIN_AUTH] = sizeof(struct ob_auth_ops)};
	obi_check_process_report("plugin", ob_plugin_kind_name(p->kind), p->name, p->version, NULL);
	report_number("descriptor_size", p->descriptor_size);
	report_number("descriptor_size_here", sizeof(struct ob_plugin));
	report_number("table_size", p->table_size);
	report_number("table_size_here", table_sizes[p->kind]);
	for (size_t i = 0; p->schemes != NULL && p->schemes[i] != NULL; i++) {
		obi_check_process_report("fact", "schemes", p->schemes[i], NULL);
	}
	report_flags(p);
	ob_plugin_members(p, report_member, NULL);
	if (p->configure != NULL) {
		report_member(NULL, "configure", true);
	}
}

/* ---- The process ---- */

static int go_through(struct obi_check_worker *worker, ob_plugin_list list)
{
	for (; *list != NULL; list++) {
		struct ob_plugin_info info = {.size = sizeof info};
		struct ob_error err;
		if (ob_plugin_find(worker->rt, (*list)->kind, (*list)->name, &info, &err) < 0) {
			return obi_give_up(NULL, &err);
		}
		if (worker->inspect) {
			inspect(&info);
		} else {
			obi_check_worker_suite(worker, &info);
		}
	}
	return OBI_EXIT_OK;
}

static int try_file(struct obi_check_worker *worker, const char *what)
{
	ob_plugin_list list;
	struct ob_error err;
	int status = OBI_EXIT_OK;
	if (obi_load_runtime(NULL, &worker->rt, &err) < 0) {
		return obi_give_up(NULL, &err);
	}
	if (load(worker, what, &list)) {
		status = go_through(worker, list);
		obi_check_process_report("end", NULL);
	}
	ob_runtime_free(worker->rt);
	return status;
}

int obi_plugin_check_worker(int argc, char **argv)
{
	if (argc < 7 || !obi_check_process_begin(atoi(argv[1]))) {
		obi_complain("plugin check-worker: only \"outboard plugin check\" may run this");
		return OBI_EXIT_USAGE;
	}
	struct obi_check_worker worker = {
	    .inspect = strcmp(argv[0], "inspect") == 0,
	    .from = (uint32_t)strtoul(argv[3], NULL, 10),
	    .dir = argv[4],
	    .only = argv[5],
	    .settings = argv[6],
	    .addresses = argv + 7,
	    .kind = "",
	    .name = "",
	    .address = "",
	};
	return try_file(&worker, argv[2]);
}
