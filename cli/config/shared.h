/* SPDX-License-Identifier: MIT */
/* shared - what two children of a config, or a child and the supervisor, cannot share: directories
 * and addresses. Costs n log n. */
#ifndef OBI_CLI_CONFIG_SHARED_H
#define OBI_CLI_CONFIG_SHARED_H

#include "cli/config/load.h"

/* Add a fault at children.NAME.KEY; key "": at the child as a whole. */
void obi_child_fault(struct obi_faults *faults, const struct ob_connector_options *child,
		     const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Whether the child listens here at this address of its (NULL: none), where it would meet the
 * others: one with `connect` or `accept` may listen in a container, a virtual machine, or
 * elsewhere. ret_uri: the address, made in arena.
 */
bool obi_child_listens_here(const struct ob_connector_options *child, const char *address,
			    struct obi_arena *arena, struct ob_uri *ret_uri);

/* The key of the config that an option of the library is. */
const char *obi_option_key(const char *option);

/* Data directories that are used twice or lie inside each other; data directories and sockets among
 * the files of outboard run, or of another child. */
void obi_check_shared_paths(const struct obi_run_config *config, struct obi_faults *faults);

/* Context ids of virtual machines that are used twice: guest-cid=NUMBER in the commands. */
void obi_check_shared_cids(const struct obi_run_config *config, struct obi_faults *faults);

/* Containers, as far as the command tells of them: whether the child sees its config and its
 * sockets, and can write its config; and children in virtual machines, which cannot. */
void obi_check_containers(const struct obi_run_config *config, struct obi_faults *faults);

/* Ports that are listened at, or dialled, twice. That the supervisor listens at one for a child is
 * the same. */
void obi_check_shared_ports(const struct obi_run_config *config, struct obi_faults *faults);

/* Helpers of the authenticator ask that are children: those that need each other, and those that do
 * not let ask in. */
void obi_check_askers(const struct obi_run_config *config, struct obi_faults *faults);

#endif
