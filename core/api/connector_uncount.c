/* SPDX-License-Identifier: MIT */
#include "api/connector.h"
#include "api/runtime.h"

bool ob_connector_uncount(ob_connector *c)
{
	obi_enter(c->rt);
	bool done = !c->freeing && obi_supervisor_uncount(c->supervisor);
	obi_leave(c->rt);
	return done;
}
