/* SPDX-License-Identifier: MIT */
#include "cli/plugin/check_runner.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/names.h"
#include "cli/plugin/check_worker.h"
#include "cli/scratch.h"

enum { HANGS_MAX = 3, WORDS_MAX = 10 + 2 * OBI_LIST_MAX + 1, TEXT_MAX = 256 };

struct state {
	const struct obi_check_runner *runner;
	char path[PATH_MAX];
	char dir[OBI_SCRATCH_MAX];
	char parent[16];
	char from[16];
	char *argv[WORDS_MAX];
	uint32_t tried; /* promises announced by all workers */
	uint32_t tried_before;
	uint32_t hangs;
	bool trying; /* a promise is announced, and its verdict is missing */
	bool ended;
	/* The promise announced last. */
	char kind[TEXT_MAX];
	char name[TEXT_MAX];
	char address[4300];
	char promise[TEXT_MAX];
};

/* ---- Lines of a worker ---- */

static void find(const struct state *s, const char *promise, const char *verdict, const char *why)
{
	struct obi_finding finding = {s->kind, s->name, s->address, promise, verdict, why};
	s->runner->found(s->runner->user, &finding);
}

static void take_try(struct state *s, const char *const *fields)
{
	snprintf(s->kind, sizeof s->kind, "%s", fields[1]);
	snprintf(s->name, sizeof s->name, "%s", fields[2]);
	snprintf(s->address, sizeof s->address, "%s", fields[3]);
	snprintf(s->promise, sizeof s->promise, "%s", fields[4]);
	s->trying = true;
	s->tried++;
}

static void take_line(void *user, const char *const fields[OBI_CHECK_PROCESS_FIELDS], int count)
{
	struct state *s = user;
	(void)count;
	if (strcmp(fields[0], "try") == 0) {
		take_try(s, fields);
	} else if (strcmp(fields[0], "verdict") == 0) {
		s->trying = false;
		find(s, s->promise, fields[1], fields[2]);
	} else if (strcmp(fields[0], "end") == 0) {
		s->ended = true;
		s->kind[0] = s->name[0] = s->address[0] = '\0';
	} else if (s->runner->reported != NULL) {
		s->runner->reported(s->runner->user, fields);
	}
}

/* ---- The end of a worker ---- */

static void describe_end(const struct state *s, const struct obi_check_process_end *end, char *why,
			 size_t size)
{
	const char *when = s->trying || s->ended ? "" : ", right after it";
	switch (end->fate) {
	case OBI_CHECK_PROCESS_EXITED:
		snprintf(why, size, "it exited the process with status %d%s", end->number, when);
		break;
	case OBI_CHECK_PROCESS_KILLED:
		snprintf(why, size, "it crashed: SIG%s (%s)%s", sigabbrev_np(end->number),
			 strsignal(end->number), when);
		break;
	case OBI_CHECK_PROCESS_FLOODED:
		snprintf(why, size, "it flooded the pipe for results%s", when);
		break;
	case OBI_CHECK_PROCESS_HUNG:
		snprintf(why, size, "it hung: no result for %.1f s%s",
			 (double)s->runner->patience_ms / 1000, when);
		break;
	}
}

/* Report how a worker ended. Returns whether another one is to go on after it. */
static bool end_worker(struct state *s, const struct obi_check_process_end *end)
{
	char why[TEXT_MAX];
	bool died = end->fate != OBI_CHECK_PROCESS_EXITED || end->number != 0;
	bool of_file = s->name[0] == '\0';
	describe_end(s, end, why, sizeof why);
	if (s->ended && s->runner->only != NULL && !died) {
		return false;
	}
	if (s->ended) {
		find(s, OBI_PROMISE_END, died ? "broken" : "held", died ? why : "");
		return false;
	}
	if (!s->trying && of_file && !died) {
		return false; /* it was not loaded, which was reported */
	}
	find(s, s->promise, "broken", why);
	s->hangs += end->fate == OBI_CHECK_PROCESS_HUNG;
	if (s->hangs == HANGS_MAX) {
		find(s, "all other promises", "skipped", "not tried: it hung too often");
	}
	/* What dies while it is loaded, or before anything new was tried, would do so again. */
	return !of_file && s->hangs < HANGS_MAX && s->tried > s->tried_before;
}

static int run_workers(struct state *s, struct ob_error *reterr)
{
	struct obi_check_process worker = {.argv = s->argv,
					   .patience_ms = s->runner->patience_ms,
					   .line = take_line,
					   .user = s,
					   .stop = &obi_scratch_stopped_by};
	struct obi_check_process_end end;
	do {
		snprintf(s->from, sizeof s->from, "%u", s->tried);
		s->trying = s->ended = false;
		s->tried_before = s->tried;
		int rc = obi_check_process_run(&worker, &end, reterr);
		if (rc != OB_OK) {
			return rc;
		}
	} while (obi_scratch_stopped_by == 0 && end_worker(s, &end));
	return OB_OK;
}

/* ---- Before and after ---- */

/* An absolute path, as the loader requires it; or a bare name, looked up in the plugin path. */
static int find_file(const char *file, char *path, size_t size, struct ob_error *reterr)
{
	char cwd[PATH_MAX] = "";
	bool bare = obi_name_is_plugin(ob_bytes_text(file)), relative = !bare && file[0] != '/';
	if (relative && getcwd(cwd, sizeof cwd) == NULL) {
		return obi_fail(reterr, OB_EIO, errno, "reading the working directory");
	}
	int n = snprintf(path, size, "%s%s%s", cwd, relative ? "/" : "", file);
	return n > 0 && (size_t)n < size
		   ? OB_OK
		   : obi_fail(reterr, OB_EINVAL, 0, "%.100s...: the path is too long", file);
}

static void make_words(struct state *s)
{
	const struct obi_check_runner *w = s->runner;
	char *words[] = {"outboard",
			 "plugin",
			 "check-worker",
			 (char *)(uintptr_t)w->mode,
			 s->parent,
			 s->path,
			 s->from,
			 s->dir,
			 (char *)(uintptr_t)(w->only != NULL ? w->only : ""),
			 (char *)(uintptr_t)(w->settings != NULL ? w->settings : "")};
	int n = sizeof words / sizeof words[0];
	memcpy(s->argv, words, sizeof words);
	for (int i = 0; w->listen != NULL && i < w->listen->count; i++) {
		s->argv[n++] = (char *)(uintptr_t)w->listen->items[i];
		s->argv[n++] = i < w->dial->count ? (char *)(uintptr_t)w->dial->items[i] : "";
	}
	s->argv[n] = NULL;
}

int obi_check_runner_run(const struct obi_check_runner *runner, struct ob_error *reterr)
{
	struct state *s = calloc(1, sizeof *s);
	if (s == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	s->runner = runner;
	snprintf(s->parent, sizeof s->parent, "%d", (int)getpid());
	int rc = find_file(runner->file, s->path, sizeof s->path, reterr);
	if (rc == OB_OK) {
		make_words(s);
		obi_scratch_catch(NULL);
		rc = obi_scratch_make("outboard-check", s->dir, reterr);
		rc = rc == OB_OK ? run_workers(s, reterr) : rc;
		obi_scratch_remove(s->dir);
		obi_scratch_release();
	}
	free(s);
	return rc;
}
