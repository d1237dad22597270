/* SPDX-License-Identifier: MIT */
/* support/agent_bed - an agent in a process of its own, and a host that calls its methods. Failures
 * fail the test. */
#ifndef OB_TESTS_SUPPORT_AGENT_BED_H
#define OB_TESTS_SUPPORT_AGENT_BED_H

#include "support/program.h"

#define AGENT_HOST  "000102030405060708090a0b0c0d0e0f"
#define AGENT_OTHER "ffffffffffffffffffffffffffffffff"
/* The instance of the n-th start. */
#define AGENT_FIRST  "11111111111111111111111111111111"
#define AGENT_SECOND "22222222222222222222222222222222"
#define AGENT_TOKEN  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct agent_bed {
	char *dir;
	char *root;
	char *address;
	char *never; /* a FIFO in which nothing ever comes */
	const char *log_memory, *children_max;
	const char *allow; /* NULL: no option */
	struct program agent;
	ob_runtime *rt;
	ob_client *client;
	ob_reply *reply;
	struct ob_error err; /* of the last call */
	char run[33];
	uint64_t seen;
};

/* Set the members from log_memory to allow before; zeroed, they are "0", "0" and /bin/sh. */
void agent_bed_begin(struct agent_bed *bed);
void agent_bed_end(struct agent_bed *bed);

/* Kill the agent with SIGKILL; begin another one with the same root. */
void agent_bed_kill(struct agent_bed *bed);
void agent_bed_again(struct agent_bed *bed);

/* Call outboard-agent.METHOD with params by a format of ob_build(). NULL: an error, in bed->err.
 * The value is valid until the next call. */
const struct ob_value *agent_ask(struct agent_bed *bed, const char *method, const char *format,
				 ...);
/* The same with the params {host, name, instance}. */
const struct ob_value *agent_tell(struct agent_bed *bed, const char *method, const char *name,
				  const char *instance);

/* Prepare a child that runs this script of /bin/sh, and start it. It returns its pid. */
const struct ob_value *agent_prepare(struct agent_bed *bed, const char *name, const char *instance,
				     const char *script);
int agent_start(struct agent_bed *bed, const char *name, const char *instance, const char *script);

/* Wait until the child is in a state. Its facts. */
const struct ob_value *agent_await(struct agent_bed *bed, const char *name, const char *state);
/* Wait until its log of this instance has the text, and acknowledge what is before that. */
void agent_await_log(struct agent_bed *bed, const char *name, const char *instance,
		     const char *text);

/* Members of a map. */
int64_t agent_number(const struct ob_value *map, const char *key);
void agent_text(const struct ob_value *map, const char *key, char *ret, size_t size);
void agent_expect_text(const struct ob_value *map, const char *key, const char *want);
/* The exit of the facts. */
void agent_expect_exit(const struct ob_value *facts, int kind, int value);
/* The last call failed with this number, and its text has this part. */
void agent_expect_error(const struct agent_bed *bed, const struct ob_value *result, int64_t number,
			const char *text);

#endif
