/* SPDX-License-Identifier: MIT */
/*
 * plugin/registry - the plugins a runtime knows, by kind and name, and transports by scheme.
 *
 * What is asked for and not known is loaded from the plugin path, once. Registered plugins stay
 * until the registry is freed; pointers to them stay good until then, and the code behind them for
 * ever. There is no global state: two runtimes have two registries.
 *
 * Not locked: its owner lets one thread in at a time.
 */
#ifndef OBI_PLUGIN_REGISTRY_H
#define OBI_PLUGIN_REGISTRY_H

#include "plugin/descriptor.h"

struct obi_registry;

/*
 * A registry with the built-in plugins only. dirs: the directories of plugin files, ended by NULL,
 * tried in order, copied; NULL for none. OB_EINVAL: one of them is not an absolute path. OB_ENOMEM.
 */
int obi_registry_new(const char *const *dirs, struct obi_registry **ret_registry,
		     struct ob_error *reterr);

/* registry may be NULL. Everything made from its plugins must be gone. */
void obi_registry_free(struct obi_registry *registry);

/* The services to hand to plugins. Lives as long as the registry. */
const struct ob_host *obi_registry_host(const struct obi_registry *registry);

/*
 * Register a list that is linked in, as if it came from a file called origin (copied; NULL: "linked
 * in"). All of it or nothing. OB_EPLUGIN: NULL or empty list, malformed descriptor or table.
 * OB_EEXIST: a name, or a scheme, is taken.
 */
int obi_registry_add(struct obi_registry *registry, ob_plugin_list list, const char *origin,
		     struct ob_error *reterr);

/* Load a bare name or an absolute path, and register all it offers. A file that is registered
 * already is a success, and so is the bare name of a built-in plugin: no file is searched for it.
 */
int obi_registry_load(struct obi_registry *registry, const char *name_or_path,
		      struct ob_error *reterr);

/*
 * A transport that speaks scheme: the one of that name, or (name NULL) the one that claims the
 * scheme. When there is none, the plugin file of that name is loaded first, or the one the scheme
 * is known to live in: "hvsock" in vsock, "a+b" in a, any other in one that is called like it.
 * OB_EINVAL: the named transport does not speak the scheme, or the scheme is not well-formed;
 * otherwise the failures of obi_registry_load(), and OB_EPLUGIN when the file offers no such thing.
 */
int obi_registry_transport(struct obi_registry *registry, const char *name, struct ob_bytes scheme,
			   const struct obi_plugin **ret_plugin, struct ob_error *reterr);

/* The codec, the authenticator of that name; its file is loaded first if need be. Failures as
 * above. */
int obi_registry_codec(struct obi_registry *registry, const char *name,
		       const struct obi_plugin **ret_plugin, struct ob_error *reterr);
int obi_registry_auth(struct obi_registry *registry, const char *name,
		      const struct obi_plugin **ret_plugin, struct ob_error *reterr);

/* The first registered plugin; go on with ->next. NULL: there is none. */
const struct obi_plugin *obi_registry_first(const struct obi_registry *registry);

#endif
