/* SPDX-License-Identifier: MIT */
/* server/inherited - what a child inherits from its parent, apart from its config. */
#ifndef OBI_SERVER_INHERITED_H
#define OBI_SERVER_INHERITED_H

#include <stdbool.h>

/* The descriptor of the lock that shows that this process lives; -1: none. Programs that it starts
 * do not get it. */
int obi_inherited_lock_fd(void);

/* Programs that this process starts must not take its settings for theirs, except for the path of
 * the plugins. */
void obi_inherited_clear(void);

/* Whether the lock (-1: none) is that of the directory in which a server with this config (may be
 * NULL) is to listen: then a socket that is left there is of a dead process. The lock says nothing
 * of sockets elsewhere. */
bool obi_inherited_lock_covers(int lock_fd, const char *config_path, const char *listen);

#endif
