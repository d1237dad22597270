/* SPDX-License-Identifier: MIT */
/*
 * subject - the child that is checked: started by a connector in a directory made for it, then
 * let go, so that the checks have it to themselves; adopted again, and ended.
 *
 * Nothing of it is left when it is freed: neither the process nor the directory.
 */
#ifndef OBI_CLI_CHILD_SUBJECT_H
#define OBI_CLI_CHILD_SUBJECT_H

#include <outboard/outboard.h>
#include <pthread.h>
#include <signal.h>

#include "base/arena.h"
#include "base/buf.h"
#include "cli/scratch.h"

/* The keys that cli/child/launch.c adds to outboard.json. No child knows them. */
#define OBI_SUBJECT_KEY "outboard-check"

enum { OBI_SUBJECT_MARK = 512, OBI_SUBJECT_PATH_MAX = 128 };

/* How it was seen to become ready. */
struct obi_readiness {
	bool told;	 /* outboard.json says ready: true, with the instance of this start */
	bool in_place;	 /* outboard.json was written into */
	uint32_t mode;	 /* of outboard.json, as stat() says */
	uint32_t owner;	 /* of outboard.json */
	uint32_t strays; /* temporary files that are left beside it */
};

/* What its output was. Under the lock. */
struct obi_output {
	uint32_t lines;
	uint32_t cut; /* lines that were not written to their end within a second, or too long */
	uint32_t records;  /* lines that are a JSON object */
	uint32_t unlevel;  /* records without time, level or msg in the documented form */
	char odd[200];	   /* the first line of cut or unlevel */
	char last[200];	   /* the last line */
	uint32_t marks[2]; /* lines of the check itself that came back, on stdout and stderr */
	bool disordered;   /* they did not come back whole and in order */
};

struct obi_subject {
	/* Set by the owner before obi_subject_init(). */
	char **command; /* ended by NULL */
	int words;	/* of command */
	const char *auth;
	uint32_t ready;	  /* enum ob_ready_mode */
	int64_t patience; /* limit for each step, in ms */
	const volatile sig_atomic_t *stop;

	const char *codec;
	bool keeps_logs; /* the next one that starts keeps its records until it is asked */
	ob_runtime *rt;
	ob_cancel *cancel;
	char dir[OBI_SCRATCH_MAX];
	char data[OBI_SUBJECT_PATH_MAX];
	char state[OBI_SUBJECT_PATH_MAX];
	char program[4096]; /* of this process */

	/* Of the child that runs. */
	ob_connector *connector; /* in charge of it; NULL: nobody is */
	bool running;		 /* started, and not ended by obi_subject_end() */
	int32_t pid;
	int pidfd;
	char token[65];
	char instance[33];
	struct obi_arena arena;
	struct ob_value before; /* outboard.json as it was when the command was executed */
	struct ob_value after;	/* when it was ready */
	struct obi_buf texts[2];
	struct obi_readiness readiness;

	ob_log_reader *readers[2];
	int fifos[2];
	pthread_mutex_t lock;
	struct obi_output output;
	bool exited; /* while a connector was in charge; under the lock, like the next ones */
	uint32_t exit_kind;
	int exit_value;
};

/* Make the runtime and the directory, and catch signals that would end the process. On failure
 * obi_subject_free() is still required. */
int obi_subject_init(struct obi_subject *s, struct ob_error *reterr);

/* End what runs, and remove the directory. A signal that was caught ends the process here. */
void obi_subject_free(struct obi_subject *s);

/*
 * Start it and wait until it is ready. A connector is in charge then. socket: a dead child's socket
 * lies at its address. A failure ends it; the error says what it printed last.
 */
int obi_subject_start(struct obi_subject *s, bool socket, struct ob_error *reterr);

/* Let go of it, and read its output. */
int obi_subject_release(struct obi_subject *s, struct ob_error *reterr);

/* Adopt it, as the next parent would. */
int obi_subject_adopt(struct obi_subject *s, struct ob_error *reterr);

/* Whether its process lives. */
bool obi_subject_lives(const struct obi_subject *s);

/* Wait for the end of its process. False: not in time. */
bool obi_subject_await_end(const struct obi_subject *s);

/* Wait until the connector in charge has seen it exit, and how (enum ob_exit_kind). */
bool obi_subject_await_exit(struct obi_subject *s, uint32_t *ret_kind, int *ret_value);

/* End it, by SIGKILL soon, if it lives, with all that it left. */
void obi_subject_end(struct obi_subject *s);

/* A copy of what its output was so far. */
void obi_subject_output(struct obi_subject *s, struct obi_output *ret);

/* Append ": its last output: ..." to a reason, if there is any. */
void obi_subject_explain(struct obi_subject *s, char *why, size_t size);

/*
 * Pause the reading of its output, and go on; after obi_subject_release(). stop also closes the
 * pipes. A pause begins to count the marks anew.
 */
void obi_subject_pause_reading(struct obi_subject *s);
void obi_subject_stop_reading(struct obi_subject *s);
int obi_subject_read_on(struct obi_subject *s, struct ob_error *reterr);

/* Line number `number` that the check itself writes into a pipe, newline included. */
void obi_subject_mark(uint32_t number, char line[OBI_SUBJECT_MARK]);

/* The path of its socket. */
void obi_subject_socket(const struct obi_subject *s, char *path, size_t size);

#endif
