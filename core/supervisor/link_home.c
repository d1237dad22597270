/* SPDX-License-Identifier: MIT */
#include "supervisor/link_home.h"

#include <stdio.h>
#include <string.h>

static struct obi_hello_known on_known(void *user)
{
	const struct obi_link_monitor *m = user;
	struct obi_hello_known known = {.instance = m->instance,
					.connected =
					    m->link != NULL && !obi_connection_is_ending(m->link)};
	memcpy(known.run, m->caller, sizeof known.run);
	return known;
}

static void on_arrived(void *user, struct obi_connection *connection, const char *run)
{
	struct obi_link_monitor *m = user;
	snprintf(m->caller, sizeof m->caller, "%s", run);
	obi_link_monitor_take(m, connection);
}

/* While the child is not there, this may be why. */
static void on_stranger(void *user, const char *text)
{
	struct obi_link_monitor *m = user;
	if (m->link == NULL) {
		obi_kept_text_set(&m->error, text);
		m->setup.events.changed(m->setup.events.user);
	}
	m->setup.events.warn(m->setup.events.user, text);
}

int obi_link_monitor_listen(struct obi_link_monitor *m, const char *uri, struct ob_error *reterr)
{
	const struct obi_home_setup setup = {.loop = m->setup.loop,
					     .connection = &m->setup.connection,
					     .events = {on_known, on_arrived, on_stranger, m}};
	obi_home_close(m->home);
	m->home = NULL;
	return uri != NULL ? obi_home_open(&setup, uri, &m->home, reterr) : OB_OK;
}
