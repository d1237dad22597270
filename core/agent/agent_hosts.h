/* SPDX-License-Identifier: MIT */
/*
 * agent/agent_hosts - which host an agent serves: the one that said hello last. One that was
 * replaced stays replaced, so that two hosts never take the children from each other in turns.
 */
#ifndef OBI_AGENT_AGENT_HOSTS_H
#define OBI_AGENT_AGENT_HOSTS_H

#include "place/agent_wire.h"

enum { OBI_AGENT_OLD_HOSTS = 64 };

/* Zeroed: no host has said hello yet. */
struct obi_agent_hosts {
	char current[OBI_AGENT_ID_SIZE]; /* "": none */
	char label[OBI_AGENT_LABEL_SIZE];
	char old[OBI_AGENT_OLD_HOSTS][OBI_AGENT_ID_SIZE]; /* that were replaced; a ring */
	uint32_t next;					  /* of the ring */
};

/* A host says hello. False: it was replaced before. label is made to be printed. *ret_new: it is
 * another host than before. */
bool obi_agent_hosts_hello(struct obi_agent_hosts *hosts, const char *id, const char *label,
			   bool *ret_new);

/* Whether requests of this host are served. */
bool obi_agent_hosts_serves(const struct obi_agent_hosts *hosts, const char *id);

/* As JSON, and back: an agent that was restarted must still know who was replaced. OB_EPROTO:
 * malformed; *ret has no host then. */
int obi_agent_hosts_format(const struct obi_agent_hosts *hosts, struct ob_sink *out,
			   struct ob_error *reterr);
int obi_agent_hosts_parse(struct ob_bytes text, struct obi_agent_hosts *ret,
			  struct ob_error *reterr);

#endif
