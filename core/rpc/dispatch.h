/* SPDX-License-Identifier: MIT */
/* rpc/dispatch - what a session does with a message of its peer: methods of the protocol itself are
 * handled here, other calls go to the handler of the session, replies to their calls. */
#ifndef OBI_RPC_DISPATCH_H
#define OBI_RPC_DISPATCH_H

#include "rpc/session.h"

/* Handle one message. more: bytes are buffered behind it. May end the session. */
void obi_dispatch(struct obi_session *s, const struct ob_message *m, bool more);

#endif
