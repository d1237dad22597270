/* SPDX-License-Identifier: MIT */
/*
 * plugin/vtable - check the table of a plugin and copy it into one of ours.
 *
 * The size is the minor version. Of a longer table we take the members that we know, of a shorter
 * one the members that it has; all other members are zero. So an old plugin works with a new
 * library, and a new plugin with an old one. A member that the size cuts in two counts as absent.
 *
 * Refused, with the name of the member: a table too short for a required member, and a required
 * member that is NULL. The reasons begin with "its ..."; the caller puts the name and the file of
 * the plugin in front (obi_wrap).
 *
 * Only the table itself is read; no pointer in it is followed. On failure *ret is unchanged.
 */
#ifndef OBI_PLUGIN_VTABLE_H
#define OBI_PLUGIN_VTABLE_H

#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>

/* The descriptor. OB_EPLUGIN: it is too short, or has no name, version or ops. Kind and name are
 * not checked. */
int obi_vtable_plugin(const struct ob_plugin *given, struct ob_plugin *ret,
		      struct ob_error *reterr);

/* The three tables of operations. ret->size becomes the size of our table. OB_EPLUGIN as above. */
int obi_vtable_transport(const struct ob_transport_ops *given, struct ob_transport_ops *ret,
			 struct ob_error *reterr);
int obi_vtable_codec(const struct ob_codec_ops *given, struct ob_codec_ops *ret,
		     struct ob_error *reterr);

/* Also required: admit or create; step and destroy with create; overhead, seal and open all or
 * none, and only with create. */
int obi_vtable_auth(const struct ob_auth_ops *given, struct ob_auth_ops *ret,
		    struct ob_error *reterr);

/* Call tell for each member of a checked table of this kind (enum ob_plugin_kind), in order and
 * without the size, with whether it is set. */
void obi_vtable_members(enum ob_plugin_kind kind, const void *table,
			void (*tell)(void *user, const char *member, bool there), void *user);

#endif
