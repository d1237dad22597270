/* SPDX-License-Identifier: MIT */
/* where - where a child lives, as far as its config shows. Pure. */
#ifndef OBI_CLI_CONFIG_WHERE_H
#define OBI_CLI_CONFIG_WHERE_H

#include <outboard/outboard.h>

enum obi_where {
	OBI_WHERE_UNKNOWN = 0,
	OBI_WHERE_HOST,	     /* a process beside the supervisor */
	OBI_WHERE_BWRAP,     /* in a sandbox of bubblewrap */
	OBI_WHERE_CONTAINER, /* its runner makes a container */
	OBI_WHERE_VM,	     /* its runner is a virtual machine, or it is reached by vsock */
	OBI_WHERE_FAR,	     /* on another machine */
	OBI_WHERES
};

/* "host"; NULL: unknown. */
const char *obi_where_name(enum obi_where where);

/* The names of all that are known, ended by NULL: the first is that of OBI_WHERE_HOST. */
extern const char *const obi_where_names[];

/*
 * By the program of the command, the scheme of the address that is dialled, and its host, in this
 * order. A command that starts the runner by another program looks like a process of the host.
 */
enum obi_where obi_where_of(const struct ob_connector_options *options);

#endif
