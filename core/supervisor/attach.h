/* SPDX-License-Identifier: MIT */
/* supervisor/attach - what is different for a child that others start (options.argv is NULL): it is
 * never signalled or started, and its token is read again for each connection. */
#ifndef OBI_SUPERVISOR_ATTACH_H
#define OBI_SUPERVISOR_ATTACH_H

#include "supervisor/instance.h"

struct obi_supervisor;

static inline bool obi_is_attached(const struct ob_connector_options *options)
{
	return options->argv == NULL;
}

/* What state.json says of such a child, from the options. The token comes with the first dial. */
void obi_attach_note(const struct ob_connector_options *options, const char *config_hash,
		     struct obi_statefile *state);

/* Before a dial: get the token anew, and keep it in the state. */
int obi_attach_token(struct obi_supervisor *sup, struct ob_error *reterr);

/* What a request is for such a child. A start attaches. A stop lets go, unless it is to ask for a
 * shutdown (stop_rpc_ms). A close that only lets go is a detach first. */
enum obi_life_event obi_attach_request(const struct ob_connector_options *options,
				       enum obi_life_event request);

/* The actions of a stop. */
void obi_attach_stop(struct obi_supervisor *sup);
void obi_attach_stop_next(struct obi_supervisor *sup);
void obi_attach_kill(struct obi_supervisor *sup);

/* The link is up, or gone. A child that was asked to shut down, and agreed, has ended then; one
 * that could not be asked is asked. */
void obi_attach_link(struct obi_supervisor *sup, bool up);

/* The cause of the event `adopted`. */
const char *obi_attach_cause(const struct obi_supervisor *sup, char *text, size_t size);

#endif
