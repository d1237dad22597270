/* SPDX-License-Identifier: MIT */
/*
 * plugin/vtable - a plugin's table, checked and copied into one of ours.
 *
 * Size is the minor version: of a longer table we take what we know, of a shorter one what it has,
 * and everything else is zero. So an old plugin works under a new library and a new plugin under an
 * old one. A member that is cut in two by the table's size counts as absent.
 *
 * Refused, in every build type and by name: a table too short for a member that must be there, and
 * such a member that is NULL. The reasons start with "its ..."; the caller knows whose and puts the
 * plugin's name and file in front (obi_wrap).
 *
 * Only the table itself is read; no pointer in it is followed. On failure *ret is unchanged.
 */
#ifndef OBI_PLUGIN_VTABLE_H
#define OBI_PLUGIN_VTABLE_H

#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>

/* The descriptor: OB_EPLUGIN when it is too short, or without name, version or ops. Its kind and
 * name are not judged. */
int obi_vtable_plugin(const struct ob_plugin *given, struct ob_plugin *ret,
		      struct ob_error *reterr);

/* The three tables of operations. ret->size becomes the size of ours. OB_EPLUGIN as above. */
int obi_vtable_transport(const struct ob_transport_ops *given, struct ob_transport_ops *ret,
			 struct ob_error *reterr);
int obi_vtable_codec(const struct ob_codec_ops *given, struct ob_codec_ops *ret,
		     struct ob_error *reterr);

/* Also: admit or create must be there; step and destroy with create; overhead, seal and open all or
 * none, with create. */
int obi_vtable_auth(const struct ob_auth_ops *given, struct ob_auth_ops *ret,
		    struct ob_error *reterr);

/* Each member of a checked table of this kind (enum ob_plugin_kind) but its size, in order, and
 * whether it is there. */
void obi_vtable_members(enum ob_plugin_kind kind, const void *table,
			void (*tell)(void *user, const char *member, bool there), void *user);

/* How large our tables of this kind are. */
uint32_t obi_vtable_size(enum ob_plugin_kind kind);

#endif
