/* SPDX-License-Identifier: MIT */
/* The faults of a config that its text alone does not show. The library finds those of each child.
 */
#include <stdio.h>

#include "cli/config/load.h"

enum { MACHINE_SIZE = 512 };

struct child {
	const struct ob_connector_options *options;
	struct obi_faults *faults;
	struct obi_faults *warnings;
	struct obi_faults *missing;
	char *machine; /* the last fault that is of no option, and of every child */
};

/* Options are named by the struct of the library, keys by the config file. */
static const char *key_of(const char *option)
{
	static const char *const other[][2] = {{"argv", "command"}, {"stdin_path", "stdin"}};
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		if (strcmp(option, other[i][0]) == 0) {
			return other[i][1];
		}
	}
	return option;
}

static void add(const struct child *c, struct obi_faults *where, const char *key,
		const char *reason)
{
	char path[256];
	snprintf(path, sizeof path, "children.%s.%s", c->options->name, key);
	obi_faults_add(where, path, reason);
}

static void on_fault(void *user, const struct ob_fault *fault)
{
	const struct child *c = user;
	struct obi_faults *where = fault->kind == OB_FAULT_WARNING ? c->warnings
				   : fault->kind == OB_FAULT_FILE  ? c->missing
								   : c->faults;
	if (where == NULL) {
		return;
	}
	if (fault->option[0] != '\0') {
		add(c, where, key_of(fault->option), fault->reason);
	} else if (strcmp(c->machine, fault->reason) != 0) {
		snprintf(c->machine, MACHINE_SIZE, "%s", fault->reason);
		obi_faults_add(where, "children", fault->reason);
	}
}

static const char *skip_separators(const char *path)
{
	while (path[0] == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))) {
		path++;
	}
	return path;
}

/* What is left of path below the directory, "" for the directory itself; NULL: it is elsewhere.
 * Empty and "." parts do not count. Paths with ".." are refused at the start. */
static const char *skip_path(const char *path, const char *directory)
{
	for (;;) {
		path = skip_separators(path);
		directory = skip_separators(directory);
		size_t len = strcspn(directory, "/");
		if (len == 0) {
			return path;
		}
		if (len != strcspn(path, "/") || strncmp(path, directory, len) != 0) {
			return NULL;
		}
		path += len;
		directory += len;
	}
}

/* Files of `outboard run` itself lie in data_root, under these names. */
static void check_data_path(const struct child *c, const char *root)
{
	static const char *const taken[] = {"", OBI_ROOT_SOCKET, OBI_ROOT_LOCK, OBI_ROOT_RECORD,
					    ".state"};
	const char *rest = skip_path(c->options->data_path, root);
	for (size_t i = 0; rest != NULL && i < sizeof taken / sizeof taken[0]; i++) {
		if (strlen(taken[i]) == strcspn(rest, "/") &&
		    strncmp(rest, taken[i], strlen(taken[i])) == 0) {
			add(c, c->faults, "data_path", "is reserved for the files of outboard run");
		}
	}
}

void obi_config_check(ob_runtime *rt, const struct obi_run_config *config,
		      struct obi_faults *faults, struct obi_faults *warnings,
		      struct obi_faults *missing)
{
	if (config->data_root == NULL) {
		obi_faults_add(faults, "data_root",
			       "is required: outboard run keeps its socket and its record in it");
	}
	char machine[MACHINE_SIZE] = "";
	for (uint32_t i = 0; i < config->count; i++) {
		struct child c = {&config->children[i], faults, warnings, missing, machine};
		if (config->data_root != NULL) {
			check_data_path(&c, config->data_root);
		}
		(void)ob_connector_options_check(rt, c.options, on_fault, &c, NULL);
	}
}
