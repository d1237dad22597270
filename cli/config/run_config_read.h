/* SPDX-License-Identifier: MIT */
/* run_config_read - readers for the kinds of values in the config of `outboard run`. Each checks a
 * value and reports its faults. */
#ifndef OBI_CLI_CONFIG_RUN_CONFIG_READ_H
#define OBI_CLI_CONFIG_RUN_CONFIG_READ_H

#include "cli/config/run_config.h"

enum { OBI_READING_KEY_MAX = 256 };

/* The pairs of an object that was merged from several (cli/config/templates). */
struct obi_merged {
	struct obi_merged *next;
	struct ob_pair *pairs;
	bool *inherited; /* of each: it is a template's, and was read there */
	uint32_t count;
};

/* The state of reading. After a fault the reading goes on. */
struct obi_reading {
	struct obi_arena *arena; /* of the results */
	const struct obi_run_config_setup *setup;
	char key[OBI_READING_KEY_MAX]; /* the current key: "children.web.stop" */
	size_t key_len;
	uint32_t used; /* 1 << enum obi_placeholder of those that obi_reading_sample() found */
	struct obi_templates *templates;
	struct obi_merged *merged; /* objects of the current child */
	unsigned quiet;		   /* faults are not reported: they were already */
	bool hidden;		   /* there was one that was not reported */
	unsigned count;
	char first[512]; /* the first fault */
};

/* Report a fault at the current key. */
void obi_reading_fault(struct obi_reading *r, const char *reason);

/* The same, of a text that is not JSON: offset is where it is wrong. NULL: it is JSON. */
void obi_reading_fault_at(struct obi_reading *r, const char *reason, const size_t *offset);

/* Enter a key; returns the argument for obi_reading_leave(). Long keys are cut. */
size_t obi_reading_enter(struct obi_reading *r, struct ob_bytes key);
void obi_reading_leave(struct obi_reading *r, size_t was);

/* Whether the pair of an object is a template's: then its faults are not reported until the return
 * value is given to obi_reading_speak(). */
bool obi_reading_hush(struct obi_reading *r, const struct ob_value *object, uint32_t i);
void obi_reading_speak(struct obi_reading *r, bool hushed);

/* Zeroed memory. NULL: out of memory; a fault was reported. */
void *obi_reading_alloc(struct obi_reading *r, size_t size);

/* The value as a C string. NULL: it is not one; a fault was reported. */
const char *obi_reading_text(struct obi_reading *r, const struct ob_value *value);

/*
 * The text with examples in place of its placeholders (base/placeholders): to see whether it is
 * good. The text itself if it has none; NULL: a fault was reported.
 */
const char *obi_reading_sample(struct obi_reading *r, const char *text);

/* Note the placeholders of a text that was read in another way. */
void obi_reading_note(struct obi_reading *r, const char *text);

/* Reads a value into what `at` points to. What `more` is depends on the reader. */
typedef void obi_read_fn(struct obi_reading *r, const struct ob_value *value, void *at,
			 const void *more);

/* One key of an object; a table of them ends with a NULL name. */
struct obi_key {
	const char *name;
	obi_read_fn *read;
	size_t offset; /* of the result, in the struct of the table */
	const void *more;
};

obi_read_fn obi_read_nothing; /* what is read elsewhere */
obi_read_fn obi_read_object;  /* more: the table of its keys */

obi_read_fn obi_read_text;  /* const char *: not empty */
obi_read_fn obi_read_path;  /* const char *: absolute, without placeholders */
obi_read_fn obi_read_uri;   /* const char *: with placeholders */
obi_read_fn obi_read_ports; /* const char *: a range */
obi_read_fn obi_read_cids;  /* const char *: a range */
obi_read_fn obi_read_plugin_name;
obi_read_fn obi_read_plugin;	      /* const char *: a plugin's name, alone or with settings */
obi_read_fn obi_read_command;	      /* const char *const *: argv, with placeholders */
obi_read_fn obi_read_command_or_null; /* the same; null leaves it as it is */
obi_read_fn obi_read_paths;	      /* const char *const *: absolute paths */
obi_read_fn obi_read_texts;	      /* const char *const *: any strings */
obi_read_fn obi_read_auth;	      /* const char *const *: one plugin's name, or a list */
/* The same for the clients of the child: all settings are the child's. */
obi_read_fn obi_read_client_plugin;
obi_read_fn obi_read_client_auth;
obi_read_fn obi_read_env; /* const char *const *: an object, as "NAME=value"; expanded */

/* The settings of all plugins of a child, which was read without a fault or with some. */
void obi_read_all_settings(struct obi_reading *r, const struct ob_value *child,
			   struct ob_connector_options *options);

obi_read_fn obi_check_order_key; /* nothing; more: a key that obi_read_order() reads */

/* The keys of a child that are no options of its connector, which were checked before. */
void obi_read_order(struct obi_reading *r, const struct ob_value *child,
		    struct obi_child_order *order);

/* The canonical text of a child without these keys. NULL: out of memory. */
const char *obi_text_without_order(struct obi_reading *r, const struct ob_value *child);

/* A list of values for `read`, as an array of pointers ended by NULL; not empty. */
void obi_read_list(struct obi_reading *r, const struct ob_value *value, void *at,
		   obi_read_fn *read);

/* The smallest and the largest number allowed. */
struct obi_range {
	uint32_t least;
	uint32_t most;
};

obi_read_fn obi_read_bool;	   /* bool */
obi_read_fn obi_read_duration;	   /* int64_t, ms; "0s" becomes -1, which is none in options */
obi_read_fn obi_read_wait;	   /* int64_t, ms; "0s" is 0 */
obi_read_fn obi_read_u64;	   /* uint64_t */
obi_read_fn obi_read_u32;	   /* uint32_t; more: struct obi_range */
obi_read_fn obi_read_max_restarts; /* int32_t, -1 and up */
obi_read_fn obi_read_jitter;	   /* double, 0 to 1 */
obi_read_fn obi_read_word;	   /* uint32_t: its index in more, words ended by NULL */
obi_read_fn obi_read_signal;	   /* int */
obi_read_fn obi_read_umask;	   /* int32_t; "000" becomes -1 */
obi_read_fn obi_read_run_as;	   /* const struct ob_run_as * */
obi_read_fn obi_read_limits;	   /* const struct ob_rlimit *, ended by a NULL name */

#endif
