/* SPDX-License-Identifier: MIT */
/*
 * rpc/handshake - one end of the authentication of one connection: a list of mechanisms, run in
 * order, every one of which must pass. It makes and takes the data of outboard.auth; the session
 * carries it.
 */
#ifndef OBI_RPC_HANDSHAKE_H
#define OBI_RPC_HANDSHAKE_H

#include <outboard/auth.h>

#include "rpc/replay_cache.h"

enum { OBI_MECHANISMS_MAX = 8, OBI_HANDSHAKE_DATA_MAX = 4096, OBI_SUBJECT_MAX = 255 };

struct obi_mechanism {
	const char *name;
	const struct ob_auth_ops
	    *ops; /* a whole table: the host has filled in what the plugin's lacks */
};

/* What a peer that is not authenticated yet has done: begun an exchange; shown that it knows the
 * secret. */
enum obi_handshake_progress { OBI_PROGRESS_NONE, OBI_PROGRESS_TALKING, OBI_PROGRESS_PROVEN };

/* What both ends of a child's connections are configured with. Everything is borrowed. */
struct obi_handshake_setup {
	const struct ob_host *host;
	const struct obi_mechanism *mechanisms;
	uint32_t count;
	const char *codec;	/* its name: part of the prologue */
	struct ob_bytes secret; /* 32 bytes, or empty */
	uint32_t allowed_uid;	/* (uint32_t)-1: nobody besides us and root */
	bool parent_dials;
	const uint32_t *uids; /* whom an acceptor admits besides; by number */
	const uint32_t *gids;
	uint32_t uid_count;
	uint32_t gid_count;
	struct obi_replay_cache *replays; /* of an acceptor, shared by all its connections; may be
					     NULL */
};

struct obi_handshake {
	const struct obi_handshake_setup *setup;
	struct ob_auth_params params;
	struct ob_auth *exchange; /* of the mechanism at `at` */
	uint32_t at;	/* the mechanism that exchanges now; setup->count: all have passed */
	bool satisfied; /* our side of it wants no more messages */
	bool proved;	/* a mechanism that exchanges has passed */
	bool repeated;	/* the peer began a mechanism that seals with a message that somebody has
			   sent before */
	struct ob_auth *sealer; /* the exchange of a mechanism that seals, when it has passed */
	const struct ob_auth_ops *sealer_ops;
	uint8_t prologue[512];
	char subject[OBI_SUBJECT_MAX + 1]; /* of the last mechanism that passed */
	size_t subject_len;
};

/*
 * Begin: build the prologue and ask every mechanism that decides on peer facts. setup and peer must
 * outlive it. OB_EAUTH when one refuses. Free with obi_handshake_end(), whatever the result.
 */
int obi_handshake_begin(struct obi_handshake *auth, const struct obi_handshake_setup *setup,
			enum ob_auth_role role, const struct ob_peer *peer,
			struct ob_error *reterr);

/* Wipe, free, and forget the setup. auth may be all zero, or ended already; nothing but this and a
 * look at it may follow. */
void obi_handshake_end(struct obi_handshake *auth);

/* Whether every mechanism has passed. */
bool obi_handshake_passed(const struct obi_handshake *auth);

/* If the mechanism that has just passed seals: what it left behind, which is the caller's from here
 * on. Else NULL. */
struct ob_auth *obi_handshake_take_sealer(struct obi_handshake *auth,
					  const struct ob_auth_ops **ret_ops);

/* The name of the mechanism whose turn it is. */
const char *obi_handshake_mechanism(const struct obi_handshake *auth);

/* Dialer: the next message to send. in is the peer's last one, empty at the start of a mechanism.
 */
int obi_handshake_ask(struct obi_handshake *auth, struct ob_bytes in, struct ob_sink *out,
		      struct ob_error *reterr);

/* Dialer: the peer said "done", with these data; go on to the next mechanism. */
int obi_handshake_told_done(struct obi_handshake *auth, struct ob_bytes in,
			    struct ob_error *reterr);

/* Acceptor: take a request's data and write the answer's. Returns enum ob_auth_state of this
 * mechanism, or OB_EAUTH. */
int obi_handshake_answer(struct obi_handshake *auth, struct ob_bytes name, struct ob_bytes in,
			 struct ob_sink *out, struct ob_error *reterr);

#endif
