/* SPDX-License-Identifier: MIT */
/* usage - what the cgroup of a child uses, as columns of the table and as a value. */
#ifndef OBI_CLI_STATUS_USAGE_H
#define OBI_CLI_STATUS_USAGE_H

#include <outboard/connector.h>

#include "cli/table.h"

bool obi_usage_is_known(const struct ob_cgroup_usage *usage);

/* Append the last headings to those that are there. known: some child has a cgroup. */
void obi_usage_headings(const char *headings[OBI_TABLE_COLUMNS_MAX + 1], bool known);

/* The cells below MEMORY, CPU and PIDS. */
void obi_usage_cells(struct obi_table *table, const struct ob_cgroup_usage *usage);

/* Build a map, or nil if nothing is known; and read it. */
void obi_usage_build(struct ob_builder *builder, const struct ob_cgroup_usage *usage);
void obi_usage_read(const struct ob_value *value, struct ob_cgroup_usage *ret);

#endif
