/* SPDX-License-Identifier: MIT */
/*
 * plugin/descriptor - one thing that a plugin file offers: its descriptor, judged, with our copy of
 * its table.
 */
#ifndef OBI_PLUGIN_DESCRIPTOR_H
#define OBI_PLUGIN_DESCRIPTOR_H

#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>

/*
 * Every member of the table that must be there is, and what its plugin does not have is zero. Name
 * and version are the plugin's own static text.
 */
struct obi_plugin {
	struct obi_plugin *next; /* in order of registration */
	const char *name;
	const char *version;
	const char *origin;	  /* the file it came from, or what obi_registry_add() was told */
	uint32_t kind;		  /* enum ob_plugin_kind: which member of `as` is meant */
	uint32_t descriptor_size; /* sizes as the plugin was compiled */
	uint32_t table_size;
	union {
		struct ob_transport_ops transport;
		struct ob_codec_ops codec;
		struct ob_auth_ops auth;
	} as;
};

/*
 * Judge a descriptor and its table, and copy them. origin (copied) says where it comes from. free()
 * it. OB_EPLUGIN, with the reason behind "plugin NAME (ORIGIN): ": malformed descriptor, table,
 * name or scheme, or an unknown kind. OB_ENOMEM.
 */
int obi_plugin_new(const struct ob_plugin *given, const char *origin,
		   struct obi_plugin **ret_plugin, struct ob_error *reterr);

/* Whether a transport plugin claims exactly this scheme. */
bool obi_plugin_claims(const struct obi_plugin *transport, struct ob_bytes scheme);

/* Whether it speaks the scheme: claims it, or with a claim that ends in '+' all that begin so. */
bool obi_plugin_speaks(const struct obi_plugin *transport, struct ob_bytes scheme);

/* "transport", "codec", "authenticator". */
const char *obi_plugin_kind_text(enum ob_plugin_kind kind);

#endif
