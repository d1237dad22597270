/* SPDX-License-Identifier: MIT */
/*
 * outboard/agent.h - an agent: a server that starts and watches children for a host, which talks to
 * it by the interface outboard-agent. The children are processes of this machine; the host is
 * elsewhere. docs/AGENT.md describes it, and docs/PROTOCOL.md the interface.
 */
#ifndef OUTBOARD_AGENT_H
#define OUTBOARD_AGENT_H

#include <outboard/server.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ob_agent ob_agent;

struct ob_agent_options {
	uint32_t size;
	/* Required: the directory of the children, absolute. ROOT/NAME is the child's own,
	 * ROOT/.state/NAME the agent's. It is made if it is missing. */
	const char *root;
	/*
	 * Which commands may be started, ended by NULL: absolute paths, or patterns of fnmatch(3)
	 * in which a wildcard matches no slash. The file that is executed is compared, with all
	 * links followed; it is looked up in PATH before. NULL or none: what is below ROOT/bin. The
	 * host chooses arguments, environment and user: whoever may start a shell may do
	 * everything.
	 */
	const char *const *allow;
	/* How much of what each child writes is kept for the host, in bytes of memory; default
	 * 1 MiB, at least 64 KiB. What does not fit is dropped, the oldest first, and counted. */
	size_t log_memory;
	uint32_t children_max; /* default 256 */
};

/*
 * Make an agent of a server, between ob_server_open() and ob_server_start(). Children that an
 * earlier agent started with this root are found again: they are what they were, or their exits are
 * kept. The server must outlive the agent.
 *
 *   OB_EINVAL  root is missing or not absolute; a pattern is not absolute
 *   OB_EBUSY   the server was started already
 *   OB_EPERM   the directory, or one above it, is another user's, or others can write to it
 *   OB_EEXIST  the server has an agent
 */
OB_API int ob_agent_new(ob_server *server, const struct ob_agent_options *options,
			ob_agent **ret_agent, struct ob_error *reterr);

/*
 * End all children: SIGTERM, after timeout_ms (0: at once) SIGKILL. done is called once, from the
 * loop, when no process of a child lives, as far as that can be. Starts are refused from now on.
 * For an agent that ends with its machine. done may be NULL.
 */
OB_API void ob_agent_end_children(ob_agent *agent, int64_t timeout_ms, ob_done_fn *done,
				  void *user);

/*
 * Let go of the children, which live on, and free the agent. Before the server is closed. agent may
 * be NULL.
 */
OB_API void ob_agent_free(ob_agent *agent);

#ifdef __cplusplus
}
#endif
#endif
