/* SPDX-License-Identifier: MIT */
/*
 * rpc/authentication - the exchange of outboard.auth on a session: carries the data of
 * rpc/handshake in messages, starts to seal after a sealing mechanism, and opens the session when
 * every mechanism has passed.
 */
#ifndef OBI_RPC_AUTHENTICATION_H
#define OBI_RPC_AUTHENTICATION_H

#include "rpc/session.h"

/* Check the facts about the peer; as a dialer, queue the first message. May open or close the
 * session at once. */
void obi_authentication_begin(struct obi_session *s);

/* Acceptor: handle a request before the session is OPEN. more: bytes have arrived behind it, which
 * is not allowed. Any error is sent to the peer as "refused" only. */
void obi_authentication_request(struct obi_session *s, const struct ob_message *m, bool more);

/* CONFIRMING: the first record of the dialer was opened. */
void obi_authentication_confirm(struct obi_session *s);

/* The authenticator that waits need not any more: take its next step. */
void obi_authentication_continue(struct obi_session *s);

/* The session ends, or an exchange is given up. May be called again. */
void obi_authentication_end(struct obi_session *s);

#endif
