/* SPDX-License-Identifier: MIT */
/*
 * plugin/descriptor - one plugin of a plugin file: its checked descriptor and our copy of its
 * table.
 */
#ifndef OBI_PLUGIN_DESCRIPTOR_H
#define OBI_PLUGIN_DESCRIPTOR_H

#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>

/*
 * All required members of the table are set; members that the plugin does not have are zero. Name
 * and version are static text of the plugin.
 */
struct obi_plugin {
	struct obi_plugin *next; /* in order of registration */
	const char *name;
	const char *version;
	const char *origin;	  /* the file, or the origin given to obi_registry_add() */
	uint32_t kind;		  /* enum ob_plugin_kind: selects the member of `as` */
	uint32_t descriptor_size; /* sizes with which the plugin was compiled */
	uint32_t table_size;
	/* Both are NULL if it takes no settings. */
	int (*configure)(const struct ob_host *host, const struct ob_value *settings,
			 void **ret_state, struct ob_error *reterr);
	void (*unconfigure)(void *state);
	union {
		struct ob_transport_ops transport;
		struct ob_codec_ops codec;
		struct ob_auth_ops auth;
	} as;
};

/*
 * Check a descriptor and its table, and copy them. origin (copied) is the file or another source.
 * Release with free(). OB_EPLUGIN, with the reason behind "plugin NAME (ORIGIN): ": malformed
 * descriptor, table, name or scheme, or an unknown kind. OB_ENOMEM.
 */
int obi_plugin_new(const struct ob_plugin *given, const char *origin,
		   struct obi_plugin **ret_plugin, struct ob_error *reterr);

/* Whether a transport plugin claims exactly this scheme. */
bool obi_plugin_claims(const struct obi_plugin *transport, struct ob_bytes scheme);

/* Whether it supports the scheme: a claim is equal to it, or ends in '+' and is its beginning. */
bool obi_plugin_speaks(const struct obi_plugin *transport, struct ob_bytes scheme);

/* "transport", "codec", "authenticator". */
const char *obi_plugin_kind_text(enum ob_plugin_kind kind);

#endif
