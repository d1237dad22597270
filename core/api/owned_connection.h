/* SPDX-License-Identifier: MIT */
/* connection - what connect.c and client.c share: a client may own the connection it uses. */
#ifndef OBI_API_OWNED_CONNECTION_H
#define OBI_API_OWNED_CONNECTION_H

struct ob_client;
struct obi_client_connection;

/* The client now owns this connection, and frees it with free_own. */
void obi_client_own(struct ob_client *client, struct obi_client_connection *own,
		    void (*free_own)(struct obi_client_connection *));

#endif
