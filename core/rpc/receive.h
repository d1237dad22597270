/* SPDX-License-Identifier: MIT */
/* rpc/receive - the input of a session: opens sealed records, cuts messages out of the bytes,
 * decodes them and dispatches each. */
#ifndef OBI_RPC_RECEIVE_H
#define OBI_RPC_RECEIVE_H

#include "rpc/session.h"

/* Where to read to. NULL: out of memory; the session has closed itself. */
uint8_t *obi_receive_room(struct obi_session *s, size_t *ret_room);

/* n bytes were read there: handle every message that is complete. */
void obi_receive(struct obi_session *s, size_t n);

#endif
