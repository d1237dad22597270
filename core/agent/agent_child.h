/* SPDX-License-Identifier: MIT */
/*
 * agent/agent_child - one child of an agent: its local place, what is known of it, and what it has
 * written. It does what it is told; it decides nothing about restarts.
 *
 * An error for the host has its number in remote_code; one without a number is of the options
 * (OB_EINVAL, OB_ETOOBIG), or internal.
 */
#ifndef OBI_AGENT_AGENT_CHILD_H
#define OBI_AGENT_AGENT_CHILD_H

#include "agent/agent_allow.h"
#include "agent/agent_spool.h"
#include "api/connector_options.h"
#include "place/agent_wire.h"
#include "place/place.h"

struct obi_agent_child;

/* Shared by the children of an agent. */
struct obi_agent_child_setup {
	struct ob_runtime *rt;
	const char *root;
	const struct obi_agent_allow *allow;
	size_t log_memory;
	uint64_t *version; /* the number of the last change of any child */
	/* facts.version is a new one. */
	void (*changed)(void *user, struct obi_agent_child *child);
	/* There is more to read in the spool. */
	void (*logged)(void *user, struct obi_agent_child *child);
	/* Something failed that no call is waiting for. */
	void (*warned)(void *user, const struct obi_agent_child *child, const struct ob_error *err);
	void *user;
};

/* What the host asked for outside of a start, until it is answered. */
typedef void obi_agent_config_fn(void *user, const struct ob_config *config,
				 const struct ob_error *err);

/* A call of `logs` that waits. */
struct obi_agent_log_wait {
	struct ob_call *call; /* NULL: none */
	uint64_t offset;
	size_t max;
	struct obi_timer timer;
	bool due; /* it is answered when the timer is over, which is not put off */
};

struct obi_agent_child {
	struct obi_agent_child *next;
	const struct obi_agent_child_setup *setup;
	char *data_path, *state_path;
	struct obi_agent_facts facts;
	char spent[OBI_AGENT_ID_SIZE]; /* the last instance that a process was started for */
	bool spawned;		       /* for facts.instance */
	int64_t exited_at;	       /* CLOCK_BOOTTIME ms */
	struct obi_place_child last;   /* the process of facts.instance, also when it is dead */
	struct obi_agent_spool spool;
	struct obi_agent_log_wait waiting; /* of the methods */

	struct obi_connector_settings settings; /* of the place */
	struct obi_place *place;		/* NULL: none, and no settings */
	struct obi_statefile state;		/* that it keeps */
	struct {
		struct ob_error err;
		struct obi_place_facts facts;
		struct obi_place_child child;
	} answer; /* of the operation that is under way */
	struct {
		obi_agent_config_fn *fn; /* NULL: nobody asks */
		void *user;
	} reader;
	bool stuck;  /* it may not be signalled */
	bool ending; /* the agent shuts down: what the process leaves ends with it */
	bool hurry;  /* also what the process leaves is to be killed at once */
	struct obi_timer end_timer;
	struct obi_task later; /* kill what is left, or free the place */
};

/* OB_ENOMEM. */
int obi_agent_child_new(const struct obi_agent_child_setup *setup, const char *name,
			struct obi_agent_child **ret, struct ob_error *reterr);

/* Let go of the process, which lives on, and free. */
void obi_agent_child_free(struct obi_agent_child *child);

/* Find out what an earlier agent left of it. The state is absent where there is nothing. */
void obi_agent_child_find(struct obi_agent_child *child);

/* The facts, with the age of the exit as it is now. */
struct obi_agent_facts obi_agent_child_facts(const struct obi_agent_child *child);

/* The methods. instance is 32 hex digits. config and options are borrowed. */
int obi_agent_child_prepare(struct obi_agent_child *child, const char *instance,
			    const struct ob_connector_options *options, struct ob_config *config,
			    struct ob_error *reterr);
int obi_agent_child_spawn(struct obi_agent_child *child, const char *instance,
			  struct ob_error *reterr);
int obi_agent_child_signal(struct obi_agent_child *child, const char *instance, int signal,
			   struct ob_error *reterr);
int obi_agent_child_end(struct obi_agent_child *child, const char *instance, int signal,
			int64_t timeout_ms, struct ob_error *reterr);
int obi_agent_child_end_holders(struct obi_agent_child *child, struct ob_error *reterr);
int obi_agent_child_ack_exit(struct obi_agent_child *child, const char *instance,
			     struct ob_error *reterr);
/* fn is called before this returns OB_OK. */
int obi_agent_child_read_config(struct obi_agent_child *child, const char *instance,
				obi_agent_config_fn *fn, void *user, struct ob_error *reterr);

/* End it whatever its state is, without a host: the signal, and SIGKILL after timeout_ms. */
void obi_agent_child_shut_down(struct obi_agent_child *child, int signal, int64_t timeout_ms);

/* An error with this number for the host. Returns OB_EREMOTE. */
int obi_agent_fail(struct ob_error *reterr, int64_t number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
