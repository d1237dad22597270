/* SPDX-License-Identifier: MIT */
/* supervisor/link_home - a link monitor whose child dials. */
#ifndef OBI_SUPERVISOR_LINK_HOME_H
#define OBI_SUPERVISOR_LINK_HOME_H

#include "supervisor/link_monitor.h"

/* The child is going to dial: listen there, until the monitor is stopped or this is called again.
 * uri NULL: only stop listening. */
int obi_link_monitor_listen(struct obi_link_monitor *monitor, const char *uri,
			    struct ob_error *reterr);

#endif
