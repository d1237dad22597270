/* SPDX-License-Identifier: MIT */
#include "process/user.h"

#include "base/error.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORD = 64 * 1024, GROUPS = 65536 };

/* A number; not -1, which means "no id". */
static bool read_id(const char *text, uint32_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number >= UINT32_MAX) {
		return false;
	}
	*ret = (uint32_t)number;
	return true;
}

struct account {
	char record[RECORD]; /* what passwd points into */
	struct passwd passwd;
};

/* The record of a user that is given by name or number; free it. NULL with *ret_sys 0: none. */
static struct account *find_account(const char *user, int *ret_sys)
{
	struct account *account = malloc(sizeof *account);
	struct passwd *found = NULL;
	uint32_t id;
	*ret_sys = ENOMEM;
	if (account == NULL) {
		return NULL;
	}
	if (read_id(user, &id)) {
		*ret_sys = getpwuid_r(id, &account->passwd, account->record, RECORD, &found);
	} else {
		*ret_sys = getpwnam_r(user, &account->passwd, account->record, RECORD, &found);
	}
	if (found == NULL) {
		/* Some databases report a missing user as an error. */
		*ret_sys = *ret_sys == ENOENT || *ret_sys == ESRCH ? 0 : *ret_sys;
		free(account);
		return NULL;
	}
	*ret_sys = 0;
	return account;
}

/* The uid, and the primary gid unless a group is given too. */
static int find_user(const char *user, bool need_gid, struct obi_user *ret, struct ob_error *reterr)
{
	int sys;
	struct account *account = find_account(user, &sys);
	if (account != NULL) {
		ret->uid = account->passwd.pw_uid;
		ret->gid = account->passwd.pw_gid;
		free(account);
		return OB_OK;
	}
	if (!read_id(user, &ret->uid)) {
		return obi_fail(reterr, OB_EINVAL, sys, "user \"%s\": no such user", user);
	}
	if (need_gid) {
		return obi_fail(reterr, OB_EINVAL, sys,
				"user %s: not in the user database, so a group is required", user);
	}
	return OB_OK;
}

static int find_group(const char *group, struct obi_user *ret, struct ob_error *reterr)
{
	struct group entry, *found = NULL;
	if (read_id(group, &ret->gid)) {
		return OB_OK;
	}
	char *record = malloc(RECORD);
	if (record == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int sys = getgrnam_r(group, &entry, record, RECORD, &found);
	if (found != NULL) {
		ret->gid = entry.gr_gid;
	}
	free(record);
	return found != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_EINVAL, sys, "group \"%s\": no such group", group);
}

int obi_user_number(const char *user, uint32_t *ret, struct ob_error *reterr)
{
	struct obi_user found = {0}; /* gcc -O3 does not see that OB_OK means set */
	int r = find_user(user, false, &found, reterr);
	if (r == OB_OK) {
		*ret = found.uid;
	}
	return r;
}

int obi_group_number(const char *group, uint32_t *ret, struct ob_error *reterr)
{
	struct obi_user found = {0}; /* gcc -O3 does not see that OB_OK means set */
	int r = find_group(group, &found, reterr);
	if (r == OB_OK) {
		*ret = found.gid;
	}
	return r;
}

int obi_spawn_user(const struct ob_connector_options *options, struct obi_user *ret,
		   struct ob_error *reterr)
{
	struct obi_user user = {.uid = geteuid(), .gid = getegid()};
	int r = OB_OK;
	if (options->user != NULL) {
		r = find_user(options->user, options->group == NULL, &user, reterr);
	}
	if (r == OB_OK && options->group != NULL) {
		r = find_group(options->group, &user, reterr);
	}
	if (r == OB_OK) {
		user.change = user.uid != geteuid() || user.gid != getegid();
		*ret = user;
	}
	return r;
}

int obi_child_user(const struct ob_connector_options *options, struct obi_user *ret,
		   struct ob_error *reterr)
{
	const struct ob_run_as *as = options->run_as;
	if (as == NULL) {
		return obi_spawn_user(options, ret, reterr);
	}
	*ret = (struct obi_user){.uid = as->uid, .gid = as->gid};
	ret->change = ret->uid != geteuid() || ret->gid != getegid();
	return OB_OK;
}

int obi_user_groups(const char *user, gid_t gid, struct obi_arena *arena, const gid_t **ret_groups,
		    size_t *ret_count, struct ob_error *reterr)
{
	int sys = 0, count = GROUPS;
	struct account *account = user != NULL ? find_account(user, &sys) : NULL;
	gid_t *groups = malloc(GROUPS * sizeof *groups);
	if (groups == NULL || sys != 0) {
		free(account);
		free(groups);
		return obi_fail(reterr, OB_EIO, sys, "reading the groups of user \"%s\"",
				user != NULL ? user : "");
	}
	groups[0] = gid;
	if (account == NULL) {
		count = 1;
	} else if (getgrouplist(account->passwd.pw_name, gid, groups, &count) < 0) {
		count = GROUPS;
	}
	*ret_count = (size_t)count;
	*ret_groups = obi_arena_copy(arena, groups, (size_t)count * sizeof *groups);
	free(account);
	free(groups);
	return *ret_groups != NULL ? OB_OK : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}
