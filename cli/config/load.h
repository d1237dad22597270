/* SPDX-License-Identifier: MIT */
/* load - reads and checks the config file of `outboard run`. Faults are collected, each with its
 * key, and printed together. */
#ifndef OBI_CLI_CONFIG_LOAD_H
#define OBI_CLI_CONFIG_LOAD_H

#include "base/buf.h"
#include "cli/config/run_config.h"
#include "cli/input.h"

/* Files of `outboard run` in data_root, beside the directories of the children. */
#define OBI_ROOT_SOCKET "run.sock"
#define OBI_ROOT_LOCK	"run.lock"
#define OBI_ROOT_RECORD "run.json"

struct obi_fault {
	struct obi_fault *next;
	const char *key; /* "children.web.stop.signal"; "" for the file as a whole */
	const char *reason;
	struct obi_place place; /* unknown until obi_faults_locate() */
};

struct obi_faults {
	const char *file; /* as it is shown */
	const char *word; /* printed before each fault: "warning: "; NULL: none */
	/*
	 * Whoever only looks for the supervisor may have another environment: a variable that is
	 * not set is then no fault, and the value that refers to it stays as it is written.
	 */
	bool other_environment;
	struct obi_buf read;  /* what obi_load_config() has read */
	struct ob_bytes text; /* for places: of `read`, or borrowed. Empty: not JSON, or none */
	struct obi_arena arena;
	struct obi_fault *first;
	struct obi_fault *last;
	uint32_t count;
};

/* file: the path as the user gave it. */
void obi_faults_init(struct obi_faults *faults, const char *file);
void obi_faults_free(struct obi_faults *faults);

/* Add a fault. */
void obi_faults_add(struct obi_faults *faults, const char *key, const char *reason);

/*
 * Find the place of each fault in the text: that of its key, or of an item of a list; if it is not
 * there, that of what would hold it. Takes one pass over the text.
 */
void obi_faults_locate(struct obi_faults *faults);

/* Build {"file", "line", "column", "key", "reason"}; a place that is not known is null. Texts that
 * are not UTF-8 are copied into arena. */
void obi_fault_build(struct ob_builder *b, struct obi_arena *arena, const struct obi_faults *faults,
		     const struct obi_fault *fault);

/* Print a line for each on stderr: FILE:LINE:COLUMN: word, key: reason. */
void obi_faults_print(struct obi_faults *faults);

/*
 * Read and parse what is at path: a file, a pipe, or "-" for standard input (cli/input.h). False:
 * faults were added. Free *ret with obi_run_config_free(); ret->is_file says whether it can be read
 * again. The text stays in faults.
 */
bool obi_load_config(const char *path, struct obi_run_config *ret, struct obi_faults *faults);

/* Make a runtime with the plugin path of the config. config may be NULL: the default path. */
int obi_load_runtime(const struct obi_run_config *config, ob_runtime **ret,
		     struct ob_error *reterr);

/*
 * Find the faults that the text alone does not show: users, plugins, and options that exclude each
 * other. Nothing is started or made. Choices that are allowed but not safe, or make a loop without
 * a pause, go to warnings; files that are missing, which may be there when a child is started, to
 * missing (may be NULL). warnings borrows the text of faults, and may be the same.
 */
void obi_config_check(ob_runtime *rt, const struct obi_run_config *config,
		      struct obi_faults *faults, struct obi_faults *warnings,
		      struct obi_faults *missing);

/* Ask the agents of the config whether they answer, and what they would refuse of the children
 * behind them. Nothing is started, and no agent is taken over. Each may take some seconds. */
void obi_config_check_live(ob_runtime *rt, const struct obi_run_config *config,
			   struct obi_faults *faults, struct obi_faults *warnings);

#endif
