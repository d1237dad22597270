/* SPDX-License-Identifier: MIT */
#include "cli/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { TMPDIR_MAX = 60 };

/* ---- The directory ---- */

int obi_scratch_make(const char *name, char dir[OBI_SCRATCH_MAX], struct ob_error *reterr)
{
	const char *tmp = getenv("TMPDIR");
	bool usable = tmp != NULL && tmp[0] == '/' && strlen(tmp) <= TMPDIR_MAX;
	snprintf(dir, OBI_SCRATCH_MAX, "%s/%s-XXXXXX", usable ? tmp : "/tmp", name);
	if (mkdtemp(dir) != NULL) {
		return OB_OK;
	}
	int r = obi_fail(reterr, OB_EIO, errno, "%s", dir);
	dir[0] = '\0';
	return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void obi_scratch_remove(const char *dir)
{
	if (dir[0] != '\0') {
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
}

/* ---- Signals ---- */

volatile sig_atomic_t obi_scratch_stopped_by;

static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
enum { ENDS = sizeof ends / sizeof ends[0] };

static struct sigaction before[ENDS];
static ob_cancel *to_fire;

static void note_signal(int number)
{
	obi_scratch_stopped_by = number;
	if (to_fire != NULL) {
		ob_cancel_fire(to_fire);
	}
}

void obi_scratch_catch(ob_cancel *cancel)
{
	struct sigaction note = {.sa_handler = note_signal};
	to_fire = cancel;
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < ENDS; i++) {
		sigaction(ends[i], NULL, &before[i]);
		sigaction(ends[i], before[i].sa_handler == SIG_IGN ? NULL : &note, NULL);
	}
}

void obi_scratch_release(void)
{
	for (int i = 0; i < ENDS; i++) {
		sigaction(ends[i], &before[i], NULL);
	}
	if (obi_scratch_stopped_by != 0) {
		raise(obi_scratch_stopped_by);
	}
}
