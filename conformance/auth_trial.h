/* SPDX-License-Identifier: MIT */
/* conformance/auth_trial - one promise of an authenticator under trial: both ends of an
 * exchange, and the outcome. */
#ifndef OB_CONFORMANCE_AUTH_TRIAL_H
#define OB_CONFORMANCE_AUTH_TRIAL_H

#include "conformance/auth.h"
#include "conformance/suite.h"

enum {
	OBI_MECH_MESSAGE = 4096,
	OBI_MECH_MESSAGES = 16,
	OBI_MECH_SECRET = 32,
	OBI_MECH_PLAIN = 16384
};
enum { OBI_DIALER = 0, OBI_ACCEPTOR = 1 }; /* indexes */

struct obi_mech_message {
	size_t len;
	uint8_t bytes[OBI_MECH_MESSAGE];
};

/* An exchange, run as the library does. The dialer sends messages 0, 2, ... */
struct obi_mech_talk {
	struct ob_auth_params params[2]; /* may be changed before the run */
	/* May change message i in transit. */
	void (*meddle)(struct obi_mech_talk *talk, uint32_t i, struct obi_mech_message *message);
	uint32_t at; /* for meddle() */
	size_t place;
	uint8_t mask;
	/* Results. */
	struct ob_auth *end[2];
	int said[2]; /* enum ob_auth_state or a code */
	uint32_t count;
	struct obi_mech_message sent[OBI_MECH_MESSAGES]; /* before meddle() changed them */
	struct ob_error err;
};

struct obi_mech_trial {
	const struct ob_auth_ops *ops;
	const struct ob_host *host;
	void *state[2];
	/* This process, as a socket would report it; with a subject if the mechanism needs a seal.
	 */
	struct ob_peer peer;
	uint8_t secret[2][OBI_MECH_SECRET];
	struct obi_mech_talk *talk; /* an array of two */
	struct obi_outcome outcome;
};

/* A promise returns early once the trial has failed. */
typedef void obi_mech_promise_fn(struct obi_mech_trial *trial);

struct obi_mech_promise {
	const char *name;
	obi_mech_promise_fn *fn;
};

extern const struct obi_mech_promise obi_mech_promises_of_facts[];
extern const struct obi_mech_promise obi_mech_promises_of_ends[];     /* about a single end */
extern const struct obi_mech_promise obi_mech_promises_of_exchange[]; /* about both */
extern const struct obi_mech_promise obi_mech_promises_of_records[];

bool obi_mech_is_local(const struct obi_mech_trial *trial);
bool obi_mech_needs_seal(const struct obi_mech_trial *trial);

/* What a mechanism with OB_AUTH_NEEDS_SEAL need not do: a broken promise becomes a skipped one. */
void obi_mech_lift(struct obi_mech_trial *trial);

/* Whether create() succeeds without a secret. */
bool obi_mech_needs_no_secret(struct obi_mech_trial *trial);

/* "dialer", "acceptor" */
const char *obi_mech_end_text(int end);

/* Set the params of both ends so that they agree. */
void obi_mech_agree(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* Make an end. Returns false when the trial failed. */
bool obi_mech_make(struct obi_mech_trial *trial, const struct ob_auth_params *params,
		   struct ob_auth **ret);

/* One step, with at most `room` bytes of output into *ret. Output beyond that fails the
 * trial. */
int obi_mech_step(struct obi_mech_trial *trial, struct ob_auth *end, struct ob_bytes in,
		  size_t room, struct obi_mech_message *ret, struct ob_error *reterr);

/* Run the exchange with new ends and at most `messages` messages. Returns false if an end could
 * not be made, or if the exchange does not end. */
bool obi_mech_run(struct obi_mech_trial *trial, struct obi_mech_talk *talk, uint32_t messages);
void obi_mech_end(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* Whether both ends are done and, if the mechanism seals, can read each other's records. */
bool obi_mech_passed(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* obi_mech_agree() and a run that must pass; otherwise the trial fails. */
bool obi_mech_pair(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* Seal at `from` and open at the other end. Returns whether the plain text is the same. */
bool obi_mech_cross(struct obi_mech_trial *trial, struct obi_mech_talk *talk, int from,
		    uint8_t *record, size_t len);

#endif
