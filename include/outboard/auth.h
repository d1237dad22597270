/* SPDX-License-Identifier: MIT */
/*
 * outboard/auth.h - who may talk.
 *
 * An authenticator does no I/O. It has admit() (decide on facts the kernel vouches for, no round
 * trip), or create() and step() (exchange messages), or both: then admit() runs first. Both ends
 * run the same list of mechanisms, in order, and every one must pass. There is no negotiation and
 * no fallback.
 *
 * The exchange: the dialer's step() is called first, with no input, and writes its first message.
 * From then on each message of one side is the input of the other's step(), until the acceptor says
 * OB_AUTH_DONE; what it wrote then is the dialer's last input (possibly empty), after which the
 * dialer must be done too.
 */
#ifndef OUTBOARD_AUTH_H
#define OUTBOARD_AUTH_H

#include <outboard/value.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ob_auth; /* one exchange, one end; defined by the plugin */

enum ob_auth_role { OB_AUTH_DIALER = 1, OB_AUTH_ACCEPTOR = 2 };

enum ob_auth_state {
	OB_AUTH_DONE = 0, /* this end is satisfied */
	OB_AUTH_MORE = 1  /* it needs another message of the peer */
};

enum { OB_AUTH_OVERHEAD_MAX = 256 };

enum ob_auth_flag {
	/* It shows a secret to the peer, or proves nothing about the far end of a network: refused,
	 * at config time, on a transport that is not OB_TRANSPORT_LOCAL. */
	OB_AUTH_LOCAL_ONLY = 1 << 0,
	/*
	 * Nobody passes it who does not have the secret of ob_auth_params. Whoever does may become
	 * the child's parent, and so end it; where no mechanism of the list says this, that is for
	 * the child's own user and root, and for whom a rule names.
	 */
	OB_AUTH_NEEDS_SECRET = 1 << 1
};

/*
 * Facts for one connection, host to plugin: read under OB_HAS(). All views live until the exchange
 * has failed, or has passed and identity() was asked. What sealing needs later, the plugin must
 * have copied.
 */
struct ob_auth_params {
	uint32_t size;
	uint32_t role;		    /* enum ob_auth_role */
	struct ob_bytes secret;	    /* the 32 bytes both ends share; empty when there is none */
	const struct ob_peer *peer; /* never NULL; look at its known mask */
	struct ob_bytes prologue;   /* what both ends must agree on; bind the exchange to it */
	bool parent_dials; /* false when the child is the dialer: separates the keys of the two
			      directions */
	/* For admit(). Acceptor: a user to admit besides our own and root. Dialer: the user that
	 * the peer must be. (uint32_t)-1: none. */
	uint32_t allowed_uid;
	/* The same for an acceptor that is to admit more: users, and groups, by number. NULL when
	 * the count is 0. */
	const uint32_t *uids;
	const uint32_t *gids;
	uint32_t uid_count;
	uint32_t gid_count;
};

struct ob_auth_ops {
	uint32_t size;
	uint32_t flags; /* enum ob_auth_flag */

	/*
	 * Decide on peer facts alone; called on both ends before any byte is read or sent. OB_OK:
	 * go on; OB_EAUTH: refused. A fact that is not known is a refusal, not a pass. May be NULL
	 * if create is there.
	 */
	int (*admit)(const struct ob_host *host, const struct ob_auth_params *params,
		     struct ob_error *reterr);

	/* Begin an exchange. On failure nothing is left behind. May be NULL if admit is there. */
	int (*create)(const struct ob_host *host, const struct ob_auth_params *params,
		      struct ob_auth **ret_auth, struct ob_error *reterr);

	/*
	 * Take a message (empty for the dialer's first call), write the next into out, at most 4096
	 * bytes. Returns enum ob_auth_state, or a negative code: OB_EAUTH for a peer that failed;
	 * the peer is told nothing but "refused". Must be there if create is.
	 */
	int (*step)(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		    struct ob_error *reterr);

	/*
	 * After OB_AUTH_DONE: write the subject the peer proved to be, UTF-8, 1 to 255 bytes. May
	 * be NULL: the subject is then "outboard". auth is NULL for a mechanism without create.
	 */
	int (*identity)(struct ob_auth *auth, const struct ob_auth_params *params,
			struct ob_sink *out);

	/* Free, and wipe secrets, in any state, exactly once. auth may be NULL. Must be there if
	 * create is. */
	void (*destroy)(struct ob_auth *auth);

	/*
	 * Sealing, all three or none, and then with create: after the exchange every byte crosses
	 * in records, which each open at the other end in the order in which they were sealed; the
	 * two directions have nothing to do with each other. The object of the exchange is what
	 * seals and opens, from its OB_AUTH_DONE until destroy(); step() is not called any more.
	 *
	 * seal() encrypts the len bytes at data, which may be none, in place and writes `overhead`
	 * bytes (at most OB_AUTH_OVERHEAD_MAX) behind them; open() is its inverse, len counting the
	 * overhead. Neither len is more than 65535, overhead included. Both return the new length,
	 * or a negative code after which the connection is dead: OB_EAUTH, it is not the record
	 * that the peer sealed next; OB_ECLOSED, the keys are used up (or gone with an earlier
	 * failure), and it takes a new connection (see records_max).
	 *
	 * Where the acceptor writes the last message of the exchange, it may have spoken with a
	 * recording: what it knows of the dialer it knows with the first record that opens.
	 */
	uint32_t overhead;
	ptrdiff_t (*seal)(struct ob_auth *auth, uint8_t *data, size_t len);
	ptrdiff_t (*open)(struct ob_auth *auth, uint8_t *data, size_t len);

	/*
	 * How many records one end may seal, and open, before OB_ECLOSED; 0: it does not say. When
	 * three quarters of them are used up the library makes a new connection, with new keys, at
	 * the next quiet moment; shortly before the last one at any moment.
	 */
	uint64_t records_max;
};

#ifdef __cplusplus
}
#endif
#endif
