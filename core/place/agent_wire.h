/* SPDX-License-Identifier: MIT */
/*
 * place/agent_wire - what a host and its agent say to each other by the interface `outboard-agent`,
 * as values. docs/PROTOCOL.md describes the methods.
 *
 * What is read comes from the other side, which may be hostile: each text has a maximum, numbers
 * have a range, and an error names the key. Texts in facts may be printed. Nothing here is freed:
 * what is built or read lives in the caller's arena, or in the struct.
 */
#ifndef OBI_PLACE_AGENT_WIRE_H
#define OBI_PLACE_AGENT_WIRE_H

#include <outboard/connector.h>

#include "base/arena.h"
#include "files/statefile.h"

#define OBI_AGENT_INTERFACE "outboard-agent"

enum {
	OBI_AGENT_VERSION = 1,
	OBI_AGENT_ID_SIZE = 33,	     /* of a host or of a run of an agent: 32 hex digits */
	OBI_AGENT_NAME_SIZE = 65,    /* of a child */
	OBI_AGENT_LABEL_SIZE = 129,  /* of the label of a host */
	OBI_AGENT_FAULTS_MAX = 64,   /* in an answer of check */
	OBI_AGENT_TEXT_SIZE = 256,   /* of `error`, `remains` and `cause` of facts */
	OBI_AGENT_WAIT_MAX = 30000,  /* wait_ms of `changes` and `logs`, ms */
	OBI_AGENT_CHANGES_MAX = 64,  /* facts in one answer of `changes` */
	OBI_AGENT_CHUNKS_MAX = 1024, /* chunks in one answer of `logs` */
};

/* Error numbers of the interface, besides those of enum ob_rpc_code. */
enum obi_agent_error {
	OBI_AGENT_UNKNOWN = -32010, /* no such child or instance */
	OBI_AGENT_TAKEN = -32011,   /* another host has taken over */
	OBI_AGENT_STATE = -32012,   /* the state of the child does not allow it */
	OBI_AGENT_REFUSED = -32013  /* `allow`, or a limit */
};

/* ---- Facts of a child ---- */

enum obi_agent_state {
	OBI_AGENT_ABSENT = 0,
	OBI_AGENT_PREPARED,
	OBI_AGENT_RUNNING,
	OBI_AGENT_LINGERING, /* the process is dead, but not all is gone */
	OBI_AGENT_ENDED,     /* gone; its exit is kept until it is acknowledged */
	OBI_AGENT_HELD,	     /* an earlier start left something */
	OBI_AGENT_FAILED     /* something is left, and nothing is done about it */
};

/* "absent", "prepared", "running", "lingering", "ended", "held", "failed". */
const char *obi_agent_state_name(enum obi_agent_state state);

struct obi_agent_exit {
	bool known; /* it has exited, and that was not acknowledged */
	struct obi_exit how;
	char cause[OBI_AGENT_TEXT_SIZE]; /* "": none besides `how` */
	int64_t ago_ms;
};

struct obi_agent_facts {
	char name[OBI_AGENT_NAME_SIZE];
	char instance[OBI_INSTANCE_SIZE]; /* "": none */
	enum obi_agent_state state;
	uint64_t version;		    /* of its last change; 0: it never had one */
	int32_t pid;			    /* at the agent; 0: none */
	char record[OBI_PLACE_RECORD_SIZE]; /* "": none */
	struct obi_agent_exit exit;
	char remains[OBI_AGENT_TEXT_SIZE]; /* "": nothing */
	char error[OBI_AGENT_TEXT_SIZE];   /* "": none */
	uint64_t config_version;	   /* how often the child has rewritten outboard.json */
	bool has_usage;
	struct ob_cgroup_usage usage;
};

/* Copy a text into a member of facts, made to be printed. text may be NULL: "". */
void obi_agent_text_set(char to[OBI_AGENT_TEXT_SIZE], const char *text);

/* A map with kind, value, cause, and the time under this key. */
void obi_agent_exit_build(struct ob_builder *b, const struct obi_agent_exit *end,
			  const char *time_key, int64_t time_ms);
/* value NULL or nil: no exit is known. False: malformed. */
bool obi_agent_exit_read(const struct ob_value *value, const char *time_key,
			 struct obi_agent_exit *ret, int64_t *ret_time_ms);

/* The texts are borrowed. */
void obi_agent_facts_build(struct ob_builder *b, const struct obi_agent_facts *facts);

/* OB_EPROTO: malformed; the text of the error names the key. Unknown keys are ignored. */
int obi_agent_facts_read(const struct ob_value *value, struct obi_agent_facts *ret,
			 struct ob_error *reterr);

/* ---- outboard.json ---- */

/* Which keys of outboard.json cross, and in which direction. */
enum obi_agent_config_keys {
	OBI_AGENT_CONFIG_GIVEN,	 /* by the host, for the child: token, name, codec, auth, ... */
	OBI_AGENT_CONFIG_WRITTEN /* by the child: ready, instance, rpc_addr, pid, ... */
};

/* Build the map of those keys of config that are set. Texts are copied into arena, which is that of
 * the builder. OB_EINVAL: config cannot be written as outboard.json. */
int obi_agent_config_build(struct ob_builder *b, struct obi_arena *arena,
			   enum obi_agent_config_keys keys, const struct ob_config *config,
			   struct ob_error *reterr);

/* Read those keys of the map into *ret, whose size must be set; other keys are ignored. Free it
 * with obi_child_config_clear(). OB_EINVAL as of obi_child_config_parse(); OB_ENOMEM. */
int obi_agent_config_read(const struct ob_value *value, enum obi_agent_config_keys keys,
			  struct ob_config *ret, struct ob_error *reterr);

/* ---- Logs ---- */

struct obi_agent_chunk {
	int stream;	       /* 1: stdout, 2: stderr, 3: the cleanup command */
	uint64_t lost;	       /* bytes that are missing before it */
	struct ob_bytes bytes; /* borrowed */
};

void obi_agent_chunk_build(struct ob_builder *b, const struct obi_agent_chunk *chunk);

/* OB_EPROTO. ret->bytes borrows from the value. */
int obi_agent_chunk_read(const struct ob_value *value, struct obi_agent_chunk *ret,
			 struct ob_error *reterr);

/* ---- Single values, for the params of the methods ---- */

/* Copy a text of at most size - 1 bytes, without a NUL in it. false: it is no such text. */
bool obi_agent_text(const struct ob_value *value, char *ret, size_t size);

/* Copy 32 lower-case hex digits: an instance, a host, a run. */
bool obi_agent_id(const struct ob_value *value, char ret[OBI_AGENT_ID_SIZE]);

#endif
