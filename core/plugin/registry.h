/* SPDX-License-Identifier: MIT */
/*
 * plugin/registry - the plugins of a runtime by kind and name, and its transports by scheme.
 *
 * A plugin that is not registered is loaded from the plugin path when it is first needed.
 * Registered plugins stay until the registry is freed, and their code until the process ends. There
 * is no global state: each runtime has its own registry.
 *
 * There is no lock: the owner admits one thread at a time.
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

/* registry may be NULL. All objects of its plugins must be freed before. */
void obi_registry_free(struct obi_registry *registry);

/* Whose files are loaded from now on: enum ob_plugin_trust. At first OB_PLUGIN_TRUST_OWNED. */
void obi_registry_set_trust(struct obi_registry *registry, uint32_t trust);
uint32_t obi_registry_trust(const struct obi_registry *registry);

/* The services for plugins. Valid as long as the registry. */
const struct ob_host *obi_registry_host(const struct obi_registry *registry);

/*
 * Register a list that is linked into the program. origin is copied; NULL means "linked in". On
 * failure nothing is registered. OB_EPLUGIN: NULL or empty list, malformed descriptor or table.
 * OB_EEXIST: a name or a scheme is taken.
 */
int obi_registry_add(struct obi_registry *registry, ob_plugin_list list, const char *origin,
		     struct ob_error *reterr);

/* Load a bare name or an absolute path, and register all it offers. A file that is registered
 * already is a success, and so is the bare name of a built-in plugin: no file is searched for it.
 */
int obi_registry_load(struct obi_registry *registry, const char *name_or_path,
		      struct ob_error *reterr);

/*
 * A transport for scheme: the one of that name, or, if name is NULL, the one that claims the
 * scheme. If there is none, its plugin file is loaded first: the file of that name, or the file of
 * the scheme ("hvsock" in vsock, "a+b" in a, any other scheme in the file of the same name).
 * OB_EINVAL: the named transport does not support the scheme, or the scheme is malformed. Otherwise
 * the failures of obi_registry_load(), and OB_EPLUGIN if the file has no such plugin.
 */
int obi_registry_transport(struct obi_registry *registry, const char *name, struct ob_bytes scheme,
			   const struct obi_plugin **ret_plugin, struct ob_error *reterr);

/* The codec or authenticator of that name. Its file is loaded first if needed. Failures as above.
 */
int obi_registry_codec(struct obi_registry *registry, const char *name,
		       const struct obi_plugin **ret_plugin, struct ob_error *reterr);
int obi_registry_auth(struct obi_registry *registry, const char *name,
		      const struct obi_plugin **ret_plugin, struct ob_error *reterr);

/* The first registered plugin, or NULL. Continue with ->next. */
const struct obi_plugin *obi_registry_first(const struct obi_registry *registry);

#endif
