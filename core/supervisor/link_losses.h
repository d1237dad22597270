/* SPDX-License-Identifier: MIT */
/* supervisor/link_losses - what a link monitor reports of connections that break and come back. */
#ifndef OBI_SUPERVISOR_LINK_LOSSES_H
#define OBI_SUPERVISOR_LINK_LOSSES_H

#include "supervisor/link_monitor.h"

void obi_link_losses_init(struct obi_link_monitor *monitor);

/* The link was up and has broken. It is reported when the link is back, or stays away. */
void obi_link_losses_note(struct obi_link_monitor *monitor, const struct ob_error *why);

/* The link is up, perhaps again. Before the child was good nobody is told: `good` tells it. */
void obi_link_losses_over(struct obi_link_monitor *monitor);

#endif
