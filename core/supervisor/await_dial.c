/* SPDX-License-Identifier: MIT */
#include "supervisor/await_dial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "files/child_address.h"

static int begin_to_listen(struct obi_instance *in, struct ob_error *reterr)
{
	const struct obi_instance_events *events = &in->setup.events;
	return events->listen(events->user, in->state.accept, reterr);
}

int obi_await_dial_start(struct obi_instance *in, struct ob_error *reterr)
{
	const struct ob_connector_options *o = in->setup.options;
	in->state.accept[0] = '\0';
	if (!obi_is_home_dialer(o)) {
		return OB_OK;
	}
	if (strlen(o->accept) >= sizeof in->state.accept) {
		return obi_fail(reterr, OB_EINVAL, 0, "accept: longer than %zu bytes",
				sizeof in->state.accept - 1);
	}
	snprintf(in->state.accept, sizeof in->state.accept, "%s", o->accept);
	return begin_to_listen(in, reterr);
}

int obi_await_dial_adopt(struct obi_instance *in, struct ob_error *reterr)
{
	bool dials = in->state.accept[0] != '\0';
	bool expected = obi_is_home_dialer(in->setup.options);
	if (dials && !expected) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"the child was started to dial %.200s (ready mode dial-home), and "
				"the options say that it is dialled: stop it first",
				in->state.accept);
	}
	if (!dials && expected) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"the child was started to be dialled, and the options say that it "
				"dials (ready mode dial-home): stop it first");
	}
	return dials ? begin_to_listen(in, reterr) : OB_OK;
}

void obi_await_dial_begin(struct obi_instance *in, enum obi_life_event failure)
{
	const struct obi_instance_events *events = &in->setup.events;
	struct ob_error err;
	struct ob_sink out = ob_sink_fixed(in->state.address, sizeof in->state.address - 1);
	bool listens = in->state.listen[0] != '\0' &&
		       obi_child_address(in->state.listen, NULL, &out, NULL) == OB_OK;
	in->state.address[listens ? out.len : 0] = '\0';
	free(in->address);
	in->address = strdup(in->state.accept);
	if (in->address == NULL) {
		obi_fail(&err, OB_ENOMEM, 0, "out of memory for the child's address");
		events->happened(events->user, failure, &err);
	} else {
		events->reachable(events->user);
	}
}
