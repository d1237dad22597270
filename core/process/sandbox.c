/* SPDX-License-Identifier: MIT */
#include "process/sandbox.h"

#include "base/runner.h"

#include <stddef.h>
#include <string.h>

/* ---- bubblewrap ---- */

/* In a namespace that is given by a descriptor anybody may have a number. */
static const char *const bwrap_joins[] = {"--userns", "--userns2", NULL};
static const char *const bwrap_makes[] = {"--unshare-all", "--unshare-user", "--unshare-user-try",
					  NULL};

/* It makes a user namespace for everybody but root, and for root if it is asked to. */
static enum obi_sandbox_users of_bwrap(const char *const *argv, bool as_root)
{
	bool makes = !as_root;
	for (int i = 1; argv[i] != NULL && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
		int arity = obi_bwrap_arity(argv[i]);
		makes = makes || obi_runner_word_is_in(argv[i], bwrap_makes);
		if (arity < 0 || obi_runner_word_is_in(argv[i], bwrap_joins)) {
			return OBI_SANDBOX_UNKNOWN;
		}
		for (; arity > 0 && argv[i + 1] != NULL; arity--) {
			i++;
		}
	}
	return makes ? OBI_SANDBOX_ONE : OBI_SANDBOX_UNKNOWN;
}

/* ---- unshare ---- */

struct unshared {
	bool user;    /* a user namespace */
	bool current; /* who runs the command gets a number */
	bool others;  /* others do */
};

static bool is_option(const char *word, const char *option)
{
	size_t len = strlen(option);
	return strncmp(word, option, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

/* Returns whether an argument follows as a word of its own. */
static bool take_long(const char *word, struct unshared *u)
{
	static const char *const with_argument[] = {
	    "--map-user",  "--map-group", "--map-users", "--map-groups", "--propagation",
	    "--setgroups", "--root",	  "--wd",	 "--setuid",	 "--setgid",
	    "--monotonic", "--boottime",  NULL};
	u->current = u->current || is_option(word, "--map-root-user") ||
		     is_option(word, "--map-current-user") || is_option(word, "--map-user");
	u->others = u->others || is_option(word, "--map-auto") || is_option(word, "--map-users");
	u->user = u->user || is_option(word, "--user") || u->current || u->others;
	return obi_runner_word_is_in(word, with_argument);
}

static bool take_short(const char *word, struct unshared *u)
{
	for (const char *c = word + 1; *c != '\0'; c++) {
		u->current = u->current || *c == 'r' || *c == 'c';
		u->user = u->user || *c == 'U' || u->current;
		if (strchr("SGRw", *c) != NULL) {
			return c[1] == '\0';
		}
	}
	return false;
}

static enum obi_sandbox_users of_unshare(const char *const *argv)
{
	struct unshared u = {false, false, false};
	for (int i = 1; argv[i] != NULL && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
		bool more = argv[i][1] == '-' ? take_long(argv[i], &u) : take_short(argv[i], &u);
		i += more && argv[i + 1] != NULL;
	}
	if (!u.user || u.others) {
		return OBI_SANDBOX_UNKNOWN;
	}
	return u.current ? OBI_SANDBOX_ONE : OBI_SANDBOX_NOBODY;
}

enum obi_sandbox_users obi_sandbox_of(const char *const *argv, bool as_root)
{
	const char *name = obi_runner_name(argv);
	return strcmp(name, "bwrap") == 0     ? of_bwrap(argv, as_root)
	       : strcmp(name, "unshare") == 0 ? of_unshare(argv)
					      : OBI_SANDBOX_UNKNOWN;
}

/* ---- The bundle of runc ---- */

static bool has_user_namespace(const struct ob_value *config)
{
	const struct ob_value *all = ob_value_find(ob_value_find(config, "linux"), "namespaces");
	struct ob_bytes type;
	for (uint32_t i = 0; ob_value_at(all, i) != NULL; i++) {
		if (ob_get_string(ob_value_find(ob_value_at(all, i), "type"), &type) &&
		    ob_bytes_is(type, "user")) {
			return true;
		}
	}
	return false;
}

static uint64_t number_of(const struct ob_value *map, const char *key)
{
	uint64_t number = UINT64_MAX;
	return ob_get_uint(ob_value_find(map, key), &number) ? number : UINT64_MAX;
}

/* Look the id up in one column of a map, and return what is in the other. */
static bool translate(const struct ob_value *config, const char *list, const char *from,
		      const char *to, uint64_t id, uint64_t *ret)
{
	const struct ob_value *maps = ob_value_find(ob_value_find(config, "linux"), list);
	for (uint32_t i = 0; ob_value_at(maps, i) != NULL; i++) {
		const struct ob_value *map = ob_value_at(maps, i);
		uint64_t first = number_of(map, from), other = number_of(map, to);
		uint64_t size = number_of(map, "size");
		if (id >= first && size != UINT64_MAX && id - first < size && other < UINT32_MAX) {
			*ret = other + (id - first);
			return *ret < UINT32_MAX;
		}
	}
	return false;
}

bool obi_bundle_shows(const struct ob_value *config, uint32_t uid)
{
	uint64_t inside;
	return !has_user_namespace(config) ||
	       translate(config, "uidMappings", "hostID", "containerID", uid, &inside);
}

static bool host_id(const struct ob_value *config, const char *key, const char *maps, uint32_t *ret)
{
	const struct ob_value *user = ob_value_find(ob_value_find(config, "process"), "user");
	uint64_t id = number_of(user, key);
	if (id >= UINT32_MAX || (has_user_namespace(config) &&
				 !translate(config, maps, "containerID", "hostID", id, &id))) {
		return false;
	}
	*ret = (uint32_t)id;
	return true;
}

bool obi_bundle_user(const struct ob_value *config, uint32_t *ret_uid, uint32_t *ret_gid)
{
	return host_id(config, "uid", "uidMappings", ret_uid) &&
	       host_id(config, "gid", "gidMappings", ret_gid);
}
