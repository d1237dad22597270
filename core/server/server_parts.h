/* SPDX-License-Identifier: MIT */
/* server/server_parts - what interfaces of the library itself need of a server. */
#ifndef OBI_SERVER_SERVER_PARTS_H
#define OBI_SERVER_SERVER_PARTS_H

#include "server/connections.h"

/* Its connections, with the interfaces that it exposes. NULL: it was started already. */
struct obi_connections *obi_server_connections(struct ob_server *server);

#endif
