/* SPDX-License-Identifier: MIT */
/* agent/agent_file - agent.json in the state directory of a child: what an agent that was killed
 * must find again. */
#ifndef OBI_AGENT_AGENT_FILE_H
#define OBI_AGENT_AGENT_FILE_H

#include "place/agent_wire.h"

#define OBI_AGENT_FILE "agent.json"

struct obi_agent_file {
	char instance[OBI_AGENT_ID_SIZE]; /* of the start; "": none */
	char spent[OBI_AGENT_ID_SIZE];	  /* the last one that a process was started for; "" */
	bool spawned;			  /* it was, or may have been */
	struct obi_agent_exit exit;
	int64_t exited_at; /* CLOCK_BOOTTIME ms */
	/* As the host gave them; argv NULL: none. When read they are in the arena. */
	struct ob_connector_options options;
};

/* Read it from the state directory at path. OB_ENOENT: it is not there. OB_EPROTO: malformed. */
int obi_agent_file_read(const char *path, struct obi_arena *arena, struct obi_agent_file *ret,
			struct ob_error *reterr);

/* Replace it. */
int obi_agent_file_write(const char *path, const struct obi_agent_file *file,
			 struct ob_error *reterr);

#endif
