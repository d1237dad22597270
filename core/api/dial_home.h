/* SPDX-License-Identifier: MIT */
/* api/dial_home - the options of a child that dials its parent. */
#ifndef OBI_API_DIAL_HOME_H
#define OBI_API_DIAL_HOME_H

#include "api/options_check.h"
#include "base/arena.h"

static inline bool obi_options_dial_home(const struct ob_connector_options *options)
{
	return options->ready == OB_READY_DIAL_HOME;
}

/* Report what contradicts itself in these options. */
void obi_dial_home_check(const struct ob_connector_options *options,
			 struct obi_option_faults *faults);

/* Set options->dial, if it is not set, by options->accept. OB_ENOMEM. */
int obi_dial_home_fill(struct obi_arena *arena, struct ob_connector_options *options);

/*
 * Whether a socket file of this address lies where only this process can put one: not in the
 * child's directory, and in none that another user may write to. Other addresses are good.
 * OB_EPERM, OB_EINVAL; OB_ENOENT: there is no such directory.
 */
int obi_dial_home_check_accept(const struct ob_connector_options *options, const char *uri,
			       struct ob_error *reterr);

#endif
