/* SPDX-License-Identifier: MIT */
/* rpc/interfaces - the interfaces that one side exposes: named tables of methods. */
#ifndef OBI_RPC_INTERFACES_H
#define OBI_RPC_INTERFACES_H

#include <outboard/outboard.h>

#include "rpc/call.h"

struct obi_interface {
	struct obi_interface *next;
	const struct ob_method *methods;
	void *user;
	char name[];
};

/* In order of exposure. */
struct obi_interfaces {
	struct obi_interface *first;
};

/* OB_EINVAL: the name is empty, has a dot, or is too long; OB_EEXIST: it is taken. */
int obi_interfaces_add(struct obi_interfaces *list, const char *name,
		       const struct ob_method *methods, void *user, struct ob_error *reterr);
/* The same for a program: names that begin with "outboard" are the library's, but for
 * outboard-ask. */
int obi_interfaces_expose(struct obi_interfaces *list, const char *name,
			  const struct ob_method *methods, void *user, struct ob_error *reterr);
/* Nothing happens if there is none of this name. */
void obi_interfaces_remove(struct obi_interfaces *list, const char *name);
void obi_interfaces_free(struct obi_interfaces *list);

/* Run the handler of the call's method, or answer that there is none. */
void obi_interfaces_call(const struct obi_interfaces *list, struct ob_call *call);

/* The same as a handler of calls. list must outlive the connections that use it. */
struct obi_call_handler obi_interfaces_handler(struct obi_interfaces *list);

#endif
