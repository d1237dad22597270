/* SPDX-License-Identifier: MIT */
/* server/inherited - what a child inherits from its parent, apart from its config. */
#ifndef OBI_SERVER_INHERITED_H
#define OBI_SERVER_INHERITED_H

/* The descriptor of the lock that shows that this process lives; -1: none. Programs that it starts
 * do not get it. */
int obi_inherited_lock_fd(void);

/* Programs that this process starts must not take its settings for theirs, except for the path of
 * the plugins. */
void obi_inherited_clear(void);

#endif
