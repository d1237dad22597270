/* SPDX-License-Identifier: MIT */
#include "place/state_renewal.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "place/agent_place.h"

/* Whether it lives is not known here. States of earlier versions do not name the agent. */
static int check_agent(const struct obi_statefile *state, const char *agent,
		       struct ob_error *reterr)
{
	bool same = agent != NULL && (state->agent[0] == '\0' || strcmp(state->agent, agent) == 0);
	const char *name = strrchr(state->agent, '/');
	if (!obi_may_be_at_agent(state) || same) {
		return OB_OK;
	}
	return obi_fail(
	    reterr, OB_EEXIST, 0,
	    "it was started behind the agent %.64s, and may run there: stop it with that "
	    "as its agent (via) before it is started elsewhere",
	    name != NULL ? name + 1 : "of an earlier config");
}

int obi_state_take(struct obi_statedir *dir, uid_t uid, const char *agent,
		   struct obi_statefile *ret, bool *ret_has, struct ob_error *reterr)
{
	*ret = (struct obi_statefile){.local.uid = uid};
	int r = obi_statefile_find(dir, ret, ret_has, reterr);
	r = r == OB_OK && *ret_has ? check_agent(ret, agent, reterr) : r;
	if (agent == NULL) {
		ret->agent[0] = '\0'; /* what is started from here on is behind none */
	}
	if (r < 0) {
		explicit_bzero(ret->token, sizeof ret->token);
		obi_statedir_unlock(dir);
	}
	return r;
}

/* A state.json that another connector left there, and whose process lives, is its. */
static int check_state(const struct obi_statedir *dir, const struct obi_statefile *saved,
		       struct ob_error *reterr)
{
	struct obi_statefile found = {0};
	struct obi_runner runner = {.process = OBI_PROCESS_NONE};
	bool has;
	int r = obi_statefile_find(dir, &found, &has, reterr);
	bool other = has && strcmp(found.record, saved->record) != 0;
	struct obi_procid known = obi_statefile_procid(&found);
	explicit_bzero(&found, sizeof found);
	if (r < 0 || !other) {
		return r;
	}
	r = obi_statedir_probe(dir, &known, &runner, reterr);
	if (r == OB_OK && runner.alive) {
		r = obi_fail(reterr, OB_EEXIST, 0, "%s: belongs to process %d", dir->path,
			     (int)runner.process.id.pid);
	}
	obi_process_close(&runner.process);
	return r;
}

static int take_directory(struct obi_statedir *dir, const char *path,
			  const struct obi_statefile *saved, struct ob_error *reterr)
{
	struct obi_statedir fresh = OBI_STATEDIR_NONE;
	int r = obi_statedir_open(path, true, saved->local.uid, &fresh, reterr);
	r = r == OB_OK ? obi_statedir_lock(&fresh, reterr) : r;
	r = r == OB_OK ? check_state(&fresh, saved, reterr) : r;
	if (r < 0) {
		obi_statedir_close(&fresh);
		return r;
	}
	obi_statedir_close(dir);
	*dir = fresh;
	return OB_OK;
}

int obi_state_renew(struct obi_statedir *dir, const char *path, const struct obi_statefile *saved,
		    bool lives, bool *ret_renewed, struct ob_error *reterr)
{
	struct stat st;
	int r = OB_OK;
	bool in_place = obi_statedir_is_in_place(dir, path);
	*ret_renewed = false;
	if (in_place &&
	    (!lives || fstatat(dir->fd, OBI_FILE_STATE, &st, AT_SYMLINK_NOFOLLOW) == 0)) {
		return OB_OK;
	}
	r = in_place ? OB_OK : take_directory(dir, path, saved, reterr);
	r = r == OB_OK ? obi_statefile_write(dir, saved, reterr) : r;
	*ret_renewed = r == OB_OK;
	return r;
}
