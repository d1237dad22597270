/* SPDX-License-Identifier: MIT */
/*
 * outboard/check.h - the options of a connector, checked before there is one.
 */
#ifndef OUTBOARD_CHECK_H
#define OUTBOARD_CHECK_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ob_connector_options; /* connector.h */

enum ob_fault_kind {
	OB_FAULT_ERROR = 0, /* the options are refused */
	OB_FAULT_FILE,	    /* a file is missing, or a directory is not the child's: a start would
			       fail now, and may succeed later */
	OB_FAULT_WARNING    /* allowed, but not safe */
};

/* One fault. Valid for the length of the callback. */
struct ob_fault {
	uint32_t size;
	uint32_t kind;	    /* enum ob_fault_kind */
	const char *option; /* "cwd", "restart.jitter"; "" for the options as a whole */
	const char *reason;
};

typedef void ob_fault_fn(void *user, const struct ob_fault *fault);

/*
 * Report every fault in options, with one call of fault each, before this returns. That is what
 * ob_connector_new() would refuse, and in addition:
 *
 *  - a transport of listen that is not installed here (ob_connector_new() accepts that if connect
 *    is set, since the child may be on another machine),
 *  - settings of the plugins for clients (client_listen), if connect is not set: a warning if the
 *    child runs as another user, who may be able to read other files,
 *  - user or run_as 65534 together with peercred, which refuses it,
 *  - a system call that is needed to start and stop children, and that a filter (seccomp) denies:
 *    the option is "", and every start would fail with the same reason,
 *  - a data_path or state_path with "..",
 *  - files that are missing, a data_path that another user owns or that the child's user cannot
 *    reach, directories above that others may write to (OB_FAULT_FILE),
 *  - what the arguments of bwrap, unshare and `runc run` tell of the child's users: a user
 *    namespace in which peercred cannot work, a bundle with another user than run_as
 *    (OB_FAULT_WARNING),
 *  - unsafe choices (OB_FAULT_WARNING).
 *
 * Nothing is started or made. Plugins that the options name are loaded. fault may be NULL; it must
 * not call functions of this runtime. Returns OB_OK if no fault is an OB_FAULT_ERROR; else
 * OB_EINVAL, with their number and the first one in *reterr.
 */
OB_API int ob_connector_options_check(ob_runtime *runtime,
				      const struct ob_connector_options *options,
				      ob_fault_fn *fault, void *user, struct ob_error *reterr);

/*
 * Ask an agent what it would refuse: the faults that ob_connector_options_check() finds there, by
 * its users, files, limits and cgroups, and commands that it does not allow. For options of a child
 * whose `via` is the connector of that agent; options NULL: only whether an agent answers. Each
 * fault leads to one call of fault before this returns; what the agent says is not believed further
 * than that. Nothing is started, and whom the agent serves is not changed.
 *
 *   agent       a client of the agent: of its address, or of ob_child_connect()
 *   timeout_ms  0: 30 s
 *
 * OB_EREMOTE: the peer is no agent, or an older one that cannot tell (remote_code -32601).
 */
OB_API int ob_agent_check(ob_client *agent, const struct ob_connector_options *options,
			  int64_t timeout_ms, ob_fault_fn *fault, void *user,
			  struct ob_error *reterr);

#ifdef __cplusplus
}
#endif
#endif
