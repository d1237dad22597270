/* SPDX-License-Identifier: MIT */
/* conformance/auth_trial - one promise of an authenticator being tried: two ends of an exchange,
 * and why it failed. */
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
enum { OBI_DIALER = 0, OBI_ACCEPTOR = 1 }; /* as an index */

struct obi_mech_message {
	size_t len;
	uint8_t bytes[OBI_MECH_MESSAGE];
};

/* An exchange, as the library would run it. The dialer sent the even messages. */
struct obi_mech_talk {
	struct ob_auth_params params[2]; /* to be changed before it is run */
	/* May change message number i on its way. */
	void (*meddle)(struct obi_mech_talk *talk, uint32_t i, struct obi_mech_message *message);
	uint32_t at; /* for the meddler */
	size_t place;
	uint8_t mask;
	/* What came of it. */
	struct ob_auth *end[2];
	int said[2]; /* enum ob_auth_state or a code */
	uint32_t count;
	struct obi_mech_message sent[OBI_MECH_MESSAGES]; /* as they were written */
	struct ob_error err;
};

struct obi_mech_trial {
	const struct ob_auth_ops *ops;
	const struct ob_host *host;
	struct ob_peer peer; /* ourselves, as a socket of the kernel would tell */
	uint8_t secret[2][OBI_MECH_SECRET];
	struct obi_mech_talk *talk; /* two, for those who need more than one */
	struct obi_outcome outcome;
};

/* A promise: returns early once the trial has failed. */
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

/* Whether it can be made without a secret. */
bool obi_mech_needs_no_secret(struct obi_mech_trial *trial);

/* "dialer", "acceptor" */
const char *obi_mech_end_text(int end);

/* Params of both ends that agree on everything. */
void obi_mech_agree(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* Make an end of these params. false: the trial failed. */
bool obi_mech_make(struct obi_mech_trial *trial, const struct ob_auth_params *params,
		   struct ob_auth **ret);

/* One step, into *ret, of which room bytes may be used. What is written beyond them fails the
 * trial. */
int obi_mech_step(struct obi_mech_trial *trial, struct ob_auth *end, struct ob_bytes in,
		  size_t room, struct obi_mech_message *ret, struct ob_error *reterr);

/* Run it with new ends, at most `messages` of them. false: an end could not be made, or it does not
 * come to an end. */
bool obi_mech_run(struct obi_mech_trial *trial, struct obi_mech_talk *talk, uint32_t messages);
void obi_mech_end(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* Whether both ends were satisfied, and can read each other's records if there are any. */
bool obi_mech_passed(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* obi_mech_agree(), run and passed: else the trial failed. */
bool obi_mech_pair(struct obi_mech_trial *trial, struct obi_mech_talk *talk);

/* Seal at `from` and open at the other end: true when the same comes out. */
bool obi_mech_cross(struct obi_mech_trial *trial, struct obi_mech_talk *talk, int from,
		    uint8_t *record, size_t len);

#endif
