/* SPDX-License-Identifier: MIT */
/*
 * outboard/auth.h - authentication mechanisms, and encryption.
 *
 * An authenticator does no I/O. It has admit(), which decides on facts that the kernel guarantees,
 * without a round trip; or create() and step(), which exchange messages; or both, and then admit()
 * runs first. Both ends run the same list of mechanisms in the same order, and each must pass.
 * There is no negotiation and no fallback.
 *
 * The exchange:
 *
 *  1. The step() of the dialer is called without input and writes the first message.
 *  2. Each message of one end is the input of the other end's step(), in turns, until the acceptor
 *     returns OB_AUTH_DONE.
 *  3. What the acceptor wrote then (it may be empty) is the last input of the dialer, which must
 *     be done too.
 */
#ifndef OUTBOARD_AUTH_H
#define OUTBOARD_AUTH_H

#include <outboard/value.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ob_auth; /* one end of an exchange; defined by the plugin */

enum ob_auth_role { OB_AUTH_DIALER = 1, OB_AUTH_ACCEPTOR = 2 };

enum ob_auth_state {
	OB_AUTH_DONE = 0, /* this end has authenticated the peer */
	OB_AUTH_MORE = 1, /* this end needs another message of the peer */
	OB_AUTH_WAIT = 2  /* this end waits for something of its own: see wait() */
};

enum { OB_AUTH_OVERHEAD_MAX = 256 };

/* Limits of the claims about one peer: how many, their names, their values, and all together. */
enum {
	OB_CLAIMS_MAX = 32,
	OB_CLAIM_NAME_MAX = 63,
	OB_CLAIM_VALUE_MAX = 255,
	OB_CLAIMS_BYTES_MAX = 4096
};

enum ob_auth_flag {
	/* It shows a secret to the peer, or proves nothing across a network: it is refused on a
	 * transport that is not OB_TRANSPORT_LOCAL, when the config is read. */
	OB_AUTH_LOCAL_ONLY = 1 << 0,
	/*
	 * Only a peer with the secret of ob_auth_params passes. Such a peer may become the parent
	 * of the child, and end it. If no mechanism of the list has this flag, only the child's own
	 * user, root and those that a rule names may do that.
	 */
	OB_AUTH_NEEDS_SECRET = 1 << 1,
	/* It reads the pidfd of the peer. Without this flag there is none, even where the kernel
	 * has it: it takes a descriptor as long as the connection lives. */
	OB_AUTH_USES_PIDFD = 1 << 2,
	/*
	 * It is refused on a transport that is neither OB_TRANSPORT_LOCAL nor OB_TRANSPORT_SEALED
	 * unless a mechanism before it in the list seals, even if plaintext is allowed: without a
	 * seal, one in the middle could use the connection after the exchange, and there would be
	 * no channel binding.
	 */
	OB_AUTH_NEEDS_SEAL = 1 << 3,
	/*
	 * It is refused between parent and child: it may only be in the list for others,
	 * client_auth. For a mechanism that asks people or another program, which may be slow or
	 * not there: a parent must always reach its child.
	 */
	OB_AUTH_CLIENTS_ONLY = 1 << 4
};

/*
 * Facts about one connection. Read each member under OB_HAS(). All views are valid until the
 * exchange has failed, or has passed and identity() and claims() were called. The plugin copies
 * what it needs later for sealing.
 */
struct ob_auth_params {
	uint32_t size;
	uint32_t role;		    /* enum ob_auth_role */
	void *state;		    /* from configure() of the plugin; NULL: it has none */
	struct ob_bytes secret;	    /* 32 bytes that both ends share; empty: none */
	const struct ob_peer *peer; /* never NULL; its `known` says which members are set */
	/*
	 * What both ends must agree on; what an end proves must depend on it. On a transport that
	 * seals, and behind a mechanism that seals, it contains the channel binding: a proof cannot
	 * be relayed into another connection.
	 */
	struct ob_bytes prologue;
	/* false if the child is the dialer. Separates the keys of the two directions. */
	bool parent_dials;
	/* For admit(). Acceptor: a user to admit besides its own and root. Dialer: the user that
	 * the peer must be. (uint32_t)-1: none. */
	uint32_t allowed_uid;
	/* Acceptor: further users and groups to admit, by number. NULL if the count is 0. */
	const uint32_t *uids;
	const uint32_t *gids;
	uint32_t uid_count;
	uint32_t gid_count;
	/* Dialer: whom it has dialled, the name of the child (empty: not known) and the URI.
	 * Acceptor: both are empty. */
	struct ob_bytes target_name;
	struct ob_bytes target_uri;
};

struct ob_auth_ops {
	uint32_t size;
	uint32_t flags; /* bits of enum ob_auth_flag */

	/*
	 * Decide on facts about the peer alone. Called on both ends before any byte is read or
	 * sent. OB_OK: go on; OB_EAUTH: refused. An unknown fact means refused. May be NULL if
	 * create is set.
	 */
	int (*admit)(const struct ob_host *host, const struct ob_auth_params *params,
		     struct ob_error *reterr);

	/* Begin an exchange. A failure leaves nothing behind. May be NULL if admit is set. */
	int (*create)(const struct ob_host *host, const struct ob_auth_params *params,
		      struct ob_auth **ret_auth, struct ob_error *reterr);

	/*
	 * Take a message (empty in the first call of the dialer) and write the next one into out,
	 * at most 4096 bytes. Returns enum ob_auth_state or a negative code: OB_EAUTH if the peer
	 * has failed. The peer learns only that it was refused. Required with create.
	 *
	 * Where it needs something else than the peer and does not get it: OB_EDOWN if that could
	 * not be asked, which does not count against the peer; OB_EREMOTE if it has been asked and
	 * gives no proper answer, which counts. An acceptor logs both apart from other refusals.
	 */
	int (*step)(struct ob_auth *auth, struct ob_bytes in, struct ob_sink *out,
		    struct ob_error *reterr);

	/*
	 * After OB_AUTH_WAIT, with which step() writes nothing: what this end waits for, a
	 * descriptor of its own, non-blocking and close-on-exec, that stays open until the next
	 * step() or destroy(), or a deadline. Then step() is called again, with an empty message.
	 * The whole exchange has a deadline, after which it is destroyed. May be NULL if step()
	 * never returns OB_AUTH_WAIT. OB_OK, or a code that ends the exchange.
	 */
	int (*wait)(struct ob_auth *auth, struct ob_want *ret_want);

	/*
	 * After OB_AUTH_DONE: write the subject of the peer, UTF-8, 1 to 255 bytes. auth is NULL
	 * for a mechanism without create. May be NULL: the subject is the one that the transport
	 * has proved (ob_peer.subject), or else "outboard".
	 */
	int (*identity)(struct ob_auth *auth, const struct ob_auth_params *params,
			struct ob_sink *out);

	/* Wipe secrets and free; in any state, once. auth may be NULL. Required with create. */
	void (*destroy)(struct ob_auth *auth);

	/*
	 * Sealing: these four members are set or none, and only with create. After the exchange
	 * every byte is sent in records. The other end opens them in the order in which they were
	 * sealed. The two directions are independent. The object of the exchange seals and opens
	 * from its OB_AUTH_DONE until destroy(); step() is not called any more.
	 *
	 * seal() encrypts the len bytes at data (len may be 0) in place, and writes `overhead`
	 * bytes, at most OB_AUTH_OVERHEAD_MAX, behind them. open() is its inverse; its len includes
	 * the overhead. len, with the overhead, is at most 65535. Both return the new length, or a
	 * negative code after which the connection is closed:
	 *
	 *   OB_EAUTH    not the record that the peer sealed next
	 *   OB_ECLOSED  the keys are used up (see records_max), or gone after an earlier failure
	 *
	 * If the acceptor writes the last message of the exchange, the dialer may have been a
	 * replay: the acceptor is certain of the dialer only with the first record that opens.
	 */
	uint32_t overhead;
	ptrdiff_t (*seal)(struct ob_auth *auth, uint8_t *data, size_t len);
	ptrdiff_t (*open)(struct ob_auth *auth, uint8_t *data, size_t len);

	/*
	 * The channel binding: called once, after OB_AUTH_DONE. Write OB_BINDING_MIN to
	 * OB_BINDING_MAX bytes that are the same at both ends, and that no one can make equal for
	 * two exchanges, whatever he sends: a hash of all messages of the exchange and of both
	 * fresh keys, for example. It needs not be secret.
	 */
	int (*binding)(struct ob_auth *auth, struct ob_sink *out);

	/*
	 * How many records one end may seal, and open, before OB_ECLOSED; 0: unknown. After three
	 * quarters of them the library makes a new connection, with new keys, when the connection
	 * is quiet next; shortly before the last one at any moment.
	 */
	uint64_t records_max;

	/*
	 * After identity(): write what else is known of the peer, a map of strings such as
	 * {"role": "admin"}, or nothing. Rules see it (claim.NAME=VALUE), and handlers
	 * (ob_identity). A name is 1 to OB_CLAIM_NAME_MAX characters of [A-Za-z0-9_.-], a value is
	 * UTF-8 of at most OB_CLAIM_VALUE_MAX bytes. What the builder borrows is copied after the
	 * return: it must not lie on the stack of claims(). auth is NULL for a mechanism without
	 * create.
	 *
	 * The claims of all mechanisms of the list are added up, at most OB_CLAIMS_MAX with
	 * OB_CLAIMS_BYTES_MAX bytes of names and values. One of a mechanism replaces that of the
	 * same name of a mechanism before it. A peer whose claims are malformed or too many is
	 * refused, and so it is if this returns a negative code. May be NULL: no claims.
	 */
	int (*claims)(struct ob_auth *auth, const struct ob_auth_params *params,
		      struct ob_builder *builder);
};

#ifdef __cplusplus
}
#endif
#endif
