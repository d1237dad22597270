/* SPDX-License-Identifier: MIT */
/*
 * order - which child of a config comes after which, and within which: `after` and `within`.
 */
#ifndef OBI_CLI_CONFIG_ORDER_H
#define OBI_CLI_CONFIG_ORDER_H

#include "cli/config/load.h"

/* The longest chain of children that are after each other. */
enum { OBI_ORDER_DEPTH_MAX = 256 };

/* Names that are no child, children after or within themselves, circles, chains that are too
 * long. */
void obi_check_order(const struct obi_run_config *config, struct obi_faults *faults);

#endif
