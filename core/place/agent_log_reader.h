/* SPDX-License-Identifier: MIT */
/*
 * place/agent_log_reader - reads what a child at an agent has written, with one call of `logs`
 * after the other. The offset of a call tells the agent what has arrived.
 */
#ifndef OBI_PLACE_AGENT_LOG_READER_H
#define OBI_PLACE_AGENT_LOG_READER_H

#include "place/agent_hub.h"

struct obi_agent_log_reader_setup {
	struct obi_loop *loop;
	struct obi_agent_hub *hub;
	const char *name;    /* of the child */
	uint32_t answer_max; /* bytes of a message from the agent */
	void (*log)(void *user, int stream, struct ob_bytes chunk, uint64_t lost);
	/* All that was written before obi_agent_log_reader_drain() was called has been reported. */
	void (*drained)(void *user);
	void *user;
};

struct obi_agent_log_reader {
	struct obi_agent_log_reader_setup setup;
	char instance[OBI_INSTANCE_SIZE]; /* "": stopped */
	uint64_t offset;
	char run[OBI_AGENT_ID_SIZE]; /* of the agent that counts so; "": none */
	struct obi_agent_call *call;
	bool waits;	/* the call waits for more */
	bool draining;	/* until an answer is empty */
	uint32_t stops; /* counted, to notice one in a callback */
	struct obi_timer timer;
};

void obi_agent_log_reader_init(struct obi_agent_log_reader *logs,
			       const struct obi_agent_log_reader_setup *setup);

/* Read the logs of this instance, from what the agent has kept, until it is stopped. */
void obi_agent_log_reader_start(struct obi_agent_log_reader *logs, const char *instance);
void obi_agent_log_reader_stop(struct obi_agent_log_reader *logs);

/* The agent is up, or down. */
void obi_agent_log_reader_resume(struct obi_agent_log_reader *logs);
void obi_agent_log_reader_pause(struct obi_agent_log_reader *logs);

/* The process is dead: read the rest, and report it. */
void obi_agent_log_reader_drain(struct obi_agent_log_reader *logs);

#endif
