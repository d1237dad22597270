/* SPDX-License-Identifier: MIT */
/* cli/config/run_config_read - the kinds of values that the config of `outboard run` has: each is
 * checked, or its fault is told. */
#ifndef OBI_CLI_CONFIG_RUN_CONFIG_READ_H
#define OBI_CLI_CONFIG_RUN_CONFIG_READ_H

#include "cli/config/run_config.h"

enum { OBI_READING_KEY_MAX = 256 };

/* A reading under way. Faults are told as they are found, and reading goes on. */
struct obi_reading {
	struct obi_arena *arena; /* where what is read is made */
	obi_fault_fn *fault;
	void *user;
	char key[OBI_READING_KEY_MAX]; /* where we are: "children.web.stop" */
	size_t key_len;
	unsigned count;
	char first[512]; /* the first fault, for the error */
};

/* A fault at the key where we are. */
void obi_reading_fault(struct obi_reading *r, const char *reason);

/* Go into a key; returns what leave() needs. A long one is cut: it is for people. */
size_t obi_reading_enter(struct obi_reading *r, struct ob_bytes key);
void obi_reading_leave(struct obi_reading *r, size_t was);

/* Zeroed memory; NULL, and a fault, when there is none. */
void *obi_reading_alloc(struct obi_reading *r, size_t size);

/* The value as a C string; NULL, and a fault, when it is none. */
const char *obi_reading_text(struct obi_reading *r, const struct ob_value *value);

/* Reads value into what `at` points to; more is the reader's own. */
typedef void obi_read_fn(struct obi_reading *r, const struct ob_value *value, void *at,
			 const void *more);

/* One key of an object; a table of them ends with a NULL name. */
struct obi_key {
	const char *name;
	obi_read_fn *read;
	size_t offset; /* of what is read, in what the table describes */
	const void *more;
};

obi_read_fn obi_read_object; /* more: the table of its keys */

obi_read_fn obi_read_text;    /* const char *: not empty */
obi_read_fn obi_read_path;    /* const char *: absolute */
obi_read_fn obi_read_uri;     /* const char * */
obi_read_fn obi_read_plugin;  /* const char *: a plugin's name */
obi_read_fn obi_read_command; /* const char *const *: argv */
obi_read_fn obi_read_paths;   /* const char *const *: absolute paths */
obi_read_fn obi_read_texts;   /* const char *const *: any strings */
obi_read_fn obi_read_auth;    /* const char *const *: one plugin's name, or a list */
obi_read_fn obi_read_env;     /* const char *const *: an object, as "NAME=value" */

obi_read_fn obi_read_bool;	   /* bool */
obi_read_fn obi_read_duration;	   /* int64_t, ms; "0s", which is written for "none", becomes -1: in
				      options 0 is the default */
obi_read_fn obi_read_u64;	   /* uint64_t */
obi_read_fn obi_read_u32;	   /* uint32_t; more: the smallest one allowed */
obi_read_fn obi_read_max_restarts; /* int32_t, -1 and up */
obi_read_fn obi_read_jitter;	   /* double, 0 to 1 */
obi_read_fn obi_read_word;	   /* uint32_t: its place in more, words ended by NULL */
obi_read_fn obi_read_signal;	   /* int */
obi_read_fn obi_read_umask;	   /* int32_t; "000" becomes -1 */
obi_read_fn obi_read_limits;	   /* const struct ob_rlimit *, ended by a NULL name */

#endif
