/* SPDX-License-Identifier: MIT */
#include "plugin/descriptor.h"

#include "base/error.h"
#include "base/names.h"
#include "plugin/vtable.h"

#include <stdlib.h>

/* A plugin followed by the text of its origin. */
struct descriptor_entry {
	struct obi_plugin plugin;
	char origin[];
};

/* ---- Names ---- */

const char *obi_plugin_kind_text(enum ob_plugin_kind kind)
{
	static const char *const text[] = {"?", "transport", "codec", "authenticator"};
	return text[kind];
}

bool obi_plugin_claims(const struct obi_plugin *plugin, struct ob_bytes scheme)
{
	const char *const *one = plugin->as.transport.schemes;
	while (*one != NULL && !ob_bytes_is(scheme, *one)) {
		one++;
	}
	return *one != NULL;
}

/* The claim "chaos+" covers chaos+unix, chaos+tcp, and so on. */
static bool covers(const char *claim, struct ob_bytes scheme)
{
	size_t len = strlen(claim);
	return claim[len - 1] == '+' && scheme.len > len && memcmp(scheme.data, claim, len) == 0;
}

bool obi_plugin_speaks(const struct obi_plugin *plugin, struct ob_bytes scheme)
{
	const char *const *one = plugin->as.transport.schemes;
	while (*one != NULL && !ob_bytes_is(scheme, *one) && !covers(*one, scheme)) {
		one++;
	}
	return *one != NULL;
}

/* ---- Creation from a descriptor ---- */

static int judge_schemes(const char *const *schemes, struct ob_error *reterr)
{
	if (schemes[0] == NULL) {
		return obi_fail(reterr, OB_EPLUGIN, 0,
				"its transport table has an empty list of schemes");
	}
	for (; *schemes != NULL; schemes++) {
		if (!obi_name_is_scheme(ob_bytes_text(*schemes))) {
			return obi_fail(reterr, OB_EPLUGIN, 0,
					"it claims '%.40s', which is not a URI scheme", *schemes);
		}
	}
	return OB_OK;
}

static int copy_ops(const struct ob_plugin *given, struct obi_plugin *plugin,
		    struct ob_error *reterr)
{
	int rc;
	switch (given->kind) {
	case OB_PLUGIN_TRANSPORT:
		rc = obi_vtable_transport(given->ops, &plugin->as.transport, reterr);
		return rc == OB_OK ? judge_schemes(plugin->as.transport.schemes, reterr) : rc;
	case OB_PLUGIN_CODEC:
		return obi_vtable_codec(given->ops, &plugin->as.codec, reterr);
	case OB_PLUGIN_AUTH:
		return obi_vtable_auth(given->ops, &plugin->as.auth, reterr);
	default:
		return obi_fail(reterr, OB_EPLUGIN, 0, "its kind %u is unknown", given->kind);
	}
}

static int fill(const struct ob_plugin *given, struct obi_plugin *plugin, struct ob_error *reterr)
{
	struct ob_plugin own;
	int rc = obi_vtable_plugin(given, &own, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	if (!obi_name_is_plugin(ob_bytes_text(own.name))) {
		return obi_fail(reterr, OB_EPLUGIN, 0,
				"its name is not [a-z][a-z0-9_-]* of at most 31 characters");
	}
	plugin->name = own.name;
	plugin->version = own.version;
	plugin->kind = own.kind;
	plugin->descriptor_size = given->size;
	plugin->configure = own.configure;
	plugin->unconfigure = own.unconfigure;
	rc = copy_ops(&own, plugin, reterr);
	if (rc == OB_OK) {
		memcpy(&plugin->table_size, own.ops, sizeof plugin->table_size);
	}
	return rc;
}

int obi_plugin_new(const struct ob_plugin *given, const char *origin,
		   struct obi_plugin **ret_plugin, struct ob_error *reterr)
{
	size_t len = strlen(origin) + 1;
	struct descriptor_entry *entry = calloc(1, sizeof *entry + len);
	if (entry == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	memcpy(entry->origin, origin, len);
	entry->plugin.origin = entry->origin;
	entry->plugin.name = "?";
	int rc = fill(given, &entry->plugin, reterr);
	if (rc != OB_OK) {
		obi_wrap(reterr, "plugin %.31s (%s)", entry->plugin.name, origin);
		free(entry);
		return rc;
	}
	*ret_plugin = &entry->plugin;
	return OB_OK;
}
