/* SPDX-License-Identifier: MIT */
/* cgroup_read - the key `cgroup` of a child. */
#ifndef OBI_CLI_CONFIG_CGROUP_READ_H
#define OBI_CLI_CONFIG_CGROUP_READ_H

#include "cli/config/run_config_read.h"

obi_read_fn obi_read_cgroup; /* const struct ob_cgroup * */

/* The child's cgroup is made below this one, unless root is NULL. */
void obi_cgroup_fill_parent(const char *root, struct ob_connector_options *child);

#endif
