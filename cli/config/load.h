/* SPDX-License-Identifier: MIT */
/* load - reads and checks the config file of `outboard run`. Faults are collected, each with its
 * key, and printed together. */
#ifndef OBI_CLI_CONFIG_LOAD_H
#define OBI_CLI_CONFIG_LOAD_H

#include "cli/config/run_config.h"

/* Files of `outboard run` in data_root, beside the directories of the children. */
#define OBI_ROOT_SOCKET "run.sock"
#define OBI_ROOT_LOCK	"run.lock"
#define OBI_ROOT_RECORD "run.json"

struct obi_fault {
	struct obi_fault *next;
	const char *key; /* "children.web.stop.signal"; "" for the file as a whole */
	const char *reason;
};

struct obi_faults {
	const char *file;
	const char *word; /* printed before each fault: "warning: "; NULL: none */
	struct obi_arena arena;
	struct obi_fault *first;
	struct obi_fault *last;
	uint32_t count;
};

void obi_faults_init(struct obi_faults *faults, const char *file);
void obi_faults_free(struct obi_faults *faults);

/* Add a fault. An obi_fault_fn. */
void obi_faults_add(void *faults, const char *key, const char *reason);

/* Print a line for each on stderr: file, word, key, reason. */
void obi_faults_print(const struct obi_faults *faults);

/* Read and parse the file. False: faults were added. Free *ret with obi_run_config_free(). */
bool obi_load_config(const char *path, struct obi_run_config *ret, struct obi_faults *faults);

/* Make a runtime with the plugin path of the config. config may be NULL: the default path. */
int obi_load_runtime(const struct obi_run_config *config, ob_runtime **ret,
		     struct ob_error *reterr);

/*
 * Find the faults that the text alone does not show: users, plugins, and options that exclude each
 * other. Nothing is started or made. Choices that are allowed but not safe go to warnings; files
 * that are missing, which may be there when a child is started, to missing (may be NULL).
 */
void obi_config_check(ob_runtime *rt, const struct obi_run_config *config,
		      struct obi_faults *faults, struct obi_faults *warnings,
		      struct obi_faults *missing);

#endif
