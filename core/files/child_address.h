/* SPDX-License-Identifier: MIT */
/*
 * files/child_address - where to dial a child, from what the parent told it and what it wrote.
 *
 * The child writes rpc_addr into outboard.json, and could name any other server there. So the
 * parent takes nothing from it but a port that `listen` left open.
 */
#ifndef OBI_FILES_CHILD_ADDRESS_H
#define OBI_FILES_CHILD_ADDRESS_H

#include <outboard/abi.h>

/*
 * Write the address to dial: `listen`, with port 0 replaced by the port of rpc_addr. rpc_addr may
 * be NULL where listen leaves nothing open. OB_EPROTO: rpc_addr is another address (another scheme,
 * path or port), is not an address, or is missing; the text names both. OB_EINVAL: listen is not
 * an address.
 */
int obi_child_address(const char *listen, const char *rpc_addr, struct ob_sink *out,
		      struct ob_error *reterr);

#endif
