/* SPDX-License-Identifier: MIT */
#include "agent/agent_allow.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/string_list.h"
#include "process/environ.h"

static char **copy_list(const char *const *list)
{
	size_t n = 0;
	while (list != NULL && list[n] != NULL) {
		n++;
	}
	char **copy = calloc(n + 1, sizeof *copy);
	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(list[i]);
		if (copy[i] == NULL) {
			obi_string_list_free(copy);
			return NULL;
		}
	}
	return copy;
}

int obi_agent_allow_init(struct obi_agent_allow *allow, const char *root,
			 const char *const *patterns, struct ob_error *reterr)
{
	*allow = (struct obi_agent_allow){0};
	for (size_t i = 0; patterns != NULL && patterns[i] != NULL; i++) {
		if (patterns[i][0] != '/') {
			return obi_fail(reterr, OB_EINVAL, 0, "allow: %.200s: must be absolute",
					patterns[i]);
		}
	}
	allow->patterns = copy_list(patterns);
	if (allow->patterns == NULL || asprintf(&allow->bin, "%s/bin", root) < 0) {
		allow->bin = NULL;
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	return OB_OK;
}

void obi_agent_allow_free(struct obi_agent_allow *allow)
{
	obi_string_list_free(allow->patterns);
	free(allow->bin);
	*allow = (struct obi_agent_allow){0};
}

/* A pattern without wildcards may be a link, such as /bin/sh. */
static bool matches(const char *pattern, const char *file)
{
	if (fnmatch(pattern, file, FNM_PATHNAME) == 0) {
		return true;
	}
	char *real = strpbrk(pattern, "*?[\\") == NULL ? realpath(pattern, NULL) : NULL;
	bool same = real != NULL && strcmp(real, file) == 0;
	free(real);
	return same;
}

static bool is_below(const char *directory, const char *file)
{
	char *real = realpath(directory, NULL);
	size_t len = real != NULL ? strlen(real) : 0;
	bool below = real != NULL && strncmp(file, real, len) == 0 && file[len] == '/';
	free(real);
	return below;
}

static bool is_allowed(const struct obi_agent_allow *allow, const char *file)
{
	for (char **p = allow->patterns; *p != NULL; p++) {
		if (matches(*p, file)) {
			return true;
		}
	}
	return allow->patterns[0] == NULL && is_below(allow->bin, file);
}

int obi_agent_allow_command(const struct obi_agent_allow *allow, const char *command,
			    const char *const *env, struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_error err = {0};
	const char *file = NULL;
	obi_arena_init(&arena, 1 << 20);
	int r = obi_environ_find(command, env, &arena, &file, &err);
	char *real = r == OB_OK ? realpath(file, NULL) : NULL;
	if (r < 0) {
		r = obi_fail(reterr, OB_EINVAL, 0, "%s", err.text);
	} else if (real == NULL) {
		r = obi_fail(reterr, OB_EINVAL, errno, "%.200s", file);
	} else if (!is_allowed(allow, real)) {
		r = obi_fail(reterr, OB_EPERM, 0, "%.200s: the agent does not allow it", real);
	}
	free(real);
	obi_arena_free(&arena);
	return r;
}

static int check(const struct obi_agent_allow *allow, const char *what, const char *command,
		 const char *const *env, struct ob_error *reterr)
{
	struct ob_error err;
	int r = obi_agent_allow_command(allow, command, env, &err);
	return r == OB_OK ? OB_OK : obi_fail(reterr, r, 0, "%s: %s", what, err.text);
}

int obi_agent_allow_check(const struct obi_agent_allow *allow,
			  const struct ob_connector_options *options, struct ob_error *reterr)
{
	int r = check(allow, "argv", options->argv[0], options->env, reterr);
	if (r == OB_OK && options->cleanup != NULL && options->cleanup[0] != NULL) {
		r = check(allow, "cleanup", options->cleanup[0], options->env, reterr);
	}
	return r;
}
