/* SPDX-License-Identifier: MIT */
/*
 * outboard/child.h - a child by its data directory alone, without the connector that supervises it.
 *
 * For tools beside the supervisor: show how children are, call one, end one that has no supervisor
 * any more. data_path and state_path are the two directories of the child (ob_connector_options).
 * Both may be relative. state_path may be NULL: DATA_PATH.state, or ../.state/NAME.
 *
 * What a child wrote is not believed: all functions take what they need from the state directory,
 * whose state.json must belong to this process's user, also where that is root. Without a
 * state directory only the owner of the data directory, the child's own user, gets an answer, from
 * what the child wrote.
 */
#ifndef OUTBOARD_CHILD_H
#define OUTBOARD_CHILD_H

#include <outboard/connector.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a connector ever kept a child in this directory. Any thread. */
OB_API bool ob_child_exists(const char *data_path, const char *state_path);

/*
 * Read the state of a child from its files, without a call to it and without a lock.
 *
 * While a connector is in charge of the child the state is the one that it last wrote. Otherwise it
 * is OB_STATE_DETACHED if the process lives, OB_STATE_LINGERING if only something that it left
 * lives or is to be cleaned up, and else OB_STATE_STOPPED, OB_STATE_DONE, OB_STATE_FAILED or
 * OB_STATE_IDLE. link is always OB_LINK_DOWN and healthy is -1: use ob_child_connect() to ask the
 * child. uptime_ms is -1 also for a process that no connector has recorded.
 *
 *   options         may be NULL; else `stale` says whether the child was started with other ones.
 *                   runtime finds the plugins that the options name; it may be NULL without options
 *   ret_status      size must be set
 *   ret_supervised  may be NULL; whether a connector is in charge
 *
 * OB_ENOENT: there is no such directory. OB_EPERM: it is another user's, and there is no state.
 */
OB_API int ob_child_status(ob_runtime *runtime, const char *data_path, const char *state_path,
			   const struct ob_connector_options *options, struct ob_status *ret_status,
			   bool *ret_supervised, struct ob_error *reterr);

/*
 * Connect to a child, with the address, token and plugins that its parent saved. settings of these
 * plugins are for the caller to know, as in ob_client_options; NULL: none. Its connector is not
 * disturbed. timeout_ms includes authentication; 0: 10 s. Free the client with
 * ob_client_free(). OB_EDOWN: no child runs there, or it has reported no address (yet).
 */
OB_API int ob_child_connect(ob_runtime *runtime, const char *data_path, const char *state_path,
			    const char *settings, int64_t timeout_ms, ob_cancel *cancel,
			    ob_client **ret_client, struct ob_error *reterr);
OB_API int ob_child_connect_async(ob_runtime *runtime, const char *data_path,
				  const char *state_path, const char *settings, int64_t timeout_ms,
				  ob_client_fn *done, void *user, struct ob_error *reterr);

/* Which child, and what is not in its files. */
struct ob_child_connect_options {
	uint32_t size;
	const char *data_path;	/* Required */
	const char *state_path; /* NULL: DATA_PATH.state, or ../.state/NAME */
	const char *settings;	/* of the plugins that the child uses; NULL: none */
	/* Of the plugins that reach the agent, if the child is behind one (`via`); NULL: none. */
	const char *agent_settings;
	int64_t timeout_ms; /* includes authentication; 0: 10 s */
};

/*
 * The same by options. A child behind an agent is reached through the agent, with the address and
 * the token that the connector of the agent saved: its state directory is read, too. Whom the agent
 * serves is not changed. OB_ENOTSUP: the child was started by an older version of the library.
 */
OB_API int ob_child_connect_with(ob_runtime *runtime,
				 const struct ob_child_connect_options *options, ob_cancel *cancel,
				 ob_client **ret_client, struct ob_error *reterr);
OB_API int ob_child_connect_with_async(ob_runtime *runtime,
				       const struct ob_child_connect_options *options,
				       ob_client_fn *done, void *user, struct ob_error *reterr);

struct ob_child_end_options {
	uint32_t size;
	const char *name;	 /* name of its log records; default the last part of data_path */
	int stop_signal;	 /* default SIGINT */
	int64_t stop_timeout_ms; /* from the signal to SIGKILL; default 10 s, -1: no SIGKILL */
	ob_log_fn *on_log;	 /* what it and its cleanup command log; NULL: thrown away */
	void *user_data;	 /* of on_log */
};

/*
 * End a child that no connector is in charge of, as a stop would: the signal, then SIGKILL to its
 * process group, to what it left running (ob_leftover), and its cleanup command, with the
 * environment of this process. The directory is left as after a stop. Succeeds if nothing is left.
 * options may be NULL.
 *
 * The default timeout is none, since SIGKILL ends the child. When the call returns OB_ETIMEDOUT or
 * OB_ECANCELED, the signal was sent and the child may still end. When the runtime is freed, work
 * that is under way ends with OB_ECANCELED in the same way.
 *
 * OB_EBUSY: a connector is in charge of the child. OB_ENOENT: there is no such directory.
 * OB_ENOTSUP: the child was started behind an agent, and only its connector can end it. OB_EPERM:
 * the child did not end by itself, and SIGKILL is not permitted; it lives on. OB_EEXITED: its
 * cleanup command failed; the next call tries it again.
 */
OB_API int ob_child_end(ob_runtime *runtime, const char *data_path, const char *state_path,
			const struct ob_child_end_options *options, int64_t timeout_ms,
			ob_cancel *cancel, struct ob_error *reterr);
OB_API int ob_child_end_async(ob_runtime *runtime, const char *data_path, const char *state_path,
			      const struct ob_child_end_options *options, ob_done_fn *done,
			      void *user, struct ob_error *reterr);

/*
 * Shorten every ob_child_end() and ob_child_end_async() that is under way in this runtime: SIGKILL
 * is sent at once to a process that still lives. Cleanup commands run as without this. Any thread;
 * never blocks.
 */
OB_API void ob_child_end_hurry(ob_runtime *runtime);

#ifdef __cplusplus
}
#endif
#endif
