/* SPDX-License-Identifier: MIT */
/*
 * rpc/handshake - one end of the authentication of one connection: a list of mechanisms that run in
 * order. All of them must pass. It makes and reads the data of outboard.auth;
 * rpc/authentication carries it in messages.
 */
#ifndef OBI_RPC_HANDSHAKE_H
#define OBI_RPC_HANDSHAKE_H

#include <outboard/auth.h>

#include "rpc/claims.h"
#include "rpc/replay_cache.h"

struct obi_plugin;

enum { OBI_MECHANISMS_MAX = 8, OBI_HANDSHAKE_DATA_MAX = 4096, OBI_SUBJECT_MAX = 255 };

struct obi_mechanism {
	const char *name;
	const struct ob_auth_ops *ops; /* complete: the host has filled in what the plugin lacks */
	const struct obi_plugin *plugin; /* of the table; may be NULL */
	void *state;			 /* for its params */
};

/* What a peer that is not authenticated yet has done: begun an exchange; shown that it knows the
 * secret. */
enum obi_handshake_progress { OBI_PROGRESS_NONE, OBI_PROGRESS_TALKING, OBI_PROGRESS_PROVEN };

/* What both ends of a child's connections are configured with. Everything is borrowed. */
struct obi_handshake_setup {
	const struct ob_host *host;
	const struct obi_mechanism *mechanisms;
	uint32_t count;
	const char *codec;	/* its name, a part of the prologue */
	const char *target;	/* of a dialer: the name of the child; NULL: not known */
	struct ob_bytes secret; /* 32 bytes, or empty */
	uint32_t allowed_uid;	/* trusted, as are root and the own user; UINT32_MAX: none */
	bool parent_dials;
	const uint32_t *uids; /* users and groups that an acceptor admits as well */
	const uint32_t *gids;
	uint32_t uid_count;
	uint32_t gid_count;
	struct obi_replay_cache *replays; /* of an acceptor, shared by all its connections; may be
					     NULL */
};

struct obi_handshake {
	const struct obi_handshake_setup *setup;
	struct ob_auth_params params;
	struct ob_auth *exchange; /* of mechanism `at` */
	uint32_t at;		/* index of the current mechanism; setup->count: all have passed */
	bool satisfied;		/* this side of it needs no more messages */
	bool proved;		/* a mechanism that exchanges messages has passed */
	bool repeated;		/* the first message of a sealing mechanism may be a replay */
	struct ob_auth *sealer; /* the exchange of a sealing mechanism that has passed */
	const struct ob_auth_ops *sealer_ops;
	uint8_t prologue[640];
	size_t prologue_len;		   /* without the binding of a sealing mechanism */
	char subject[OBI_SUBJECT_MAX + 1]; /* of the last mechanism that passed */
	size_t subject_len;
	struct obi_claims *claims; /* of all that passed; NULL: none */
};

/*
 * Begin: build the prologue, and ask every mechanism that decides by the facts about the peer.
 * binding is that of the transport, and empty if it has none. uri is what a dialer has dialled.
 * OB_EAUTH: one of them refuses. All but reterr must outlive the handshake. Call
 * obi_handshake_end() in any case.
 */
int obi_handshake_begin(struct obi_handshake *auth, const struct obi_handshake_setup *setup,
			enum ob_auth_role role, const struct ob_peer *peer, struct ob_bytes binding,
			struct ob_bytes uri, struct ob_error *reterr);

/* Wipe and free. auth may be all zero, or ended already. Afterwards its fields may be read, but no
 * other function be called. */
void obi_handshake_end(struct obi_handshake *auth);

/* Whether every mechanism has passed. */
bool obi_handshake_passed(const struct obi_handshake *auth);

/* If the mechanism that has just passed seals: the object that seals, which the caller frees. Else
 * NULL. */
struct ob_auth *obi_handshake_take_sealer(struct obi_handshake *auth,
					  const struct ob_auth_ops **ret_ops);

/* The claims of all mechanisms that have passed, which the caller frees; NULL: none. */
struct obi_claims *obi_handshake_take_claims(struct obi_handshake *auth);

/* The name of the current mechanism. */
const char *obi_handshake_mechanism(const struct obi_handshake *auth);

/* Dialer: make the next message. in is the last message of the peer, empty at the start of a
 * mechanism. OB_AUTH_WAIT: nothing was made; call it again, without input, when it is time. */
int obi_handshake_ask(struct obi_handshake *auth, struct ob_bytes in, struct ob_sink *out,
		      struct ob_error *reterr);

/* Dialer: the peer answered "done" with these data; go on to the next mechanism. OB_AUTH_WAIT as
 * above. */
int obi_handshake_told_done(struct obi_handshake *auth, struct ob_bytes in,
			    struct ob_error *reterr);

/* Acceptor: read the data of a request and write those of the answer. Returns the enum
 * ob_auth_state of this mechanism, or OB_EAUTH. OB_AUTH_WAIT as above: there is no answer yet. */
int obi_handshake_answer(struct obi_handshake *auth, struct ob_bytes name, struct ob_bytes in,
			 struct ob_sink *out, struct ob_error *reterr);

/* After OB_AUTH_WAIT: when it is time. */
int obi_handshake_want(struct obi_handshake *auth, struct ob_want *ret, struct ob_error *reterr);

#endif
