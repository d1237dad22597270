/* SPDX-License-Identifier: MIT */
#include "plugin/registry.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/names.h"
#include "base/uri.h"
#include "plugin/builtin.h"
#include "plugin/loader.h"

#include <stdlib.h>
#include <time.h>

/* A file that was loaded and registered. */
struct file {
	struct file *next;
	dev_t dev;
	ino_t ino;
};

struct obi_registry {
	struct ob_host host; /* plugins pass it back: registry_of() */
	char **dirs;
	struct obi_plugin *first; /* the built-in plugins come first */
	size_t builtin_count;
	struct file *files;
	uint32_t trust; /* enum ob_plugin_trust */
};

static struct obi_registry *registry_of(const struct ob_host *host)
{
	return (struct obi_registry *)(void *)((char *)(uintptr_t)host -
					       offsetof(struct obi_registry, host));
}

/* ---- Host services ---- */

static const struct ob_transport_ops *find_transport(const struct ob_host *host,
						     struct ob_bytes scheme)
{
	const struct obi_plugin *plugin = NULL;
	int rc = obi_registry_transport(registry_of(host), NULL, scheme, &plugin, NULL);
	return rc == OB_OK ? &plugin->as.transport : NULL;
}

/* A codec with settings would have to be configured first. */
static const struct ob_codec_ops *find_codec(const struct ob_host *host, const char *name)
{
	const struct obi_plugin *plugin = NULL;
	int rc = obi_registry_codec(registry_of(host), name, &plugin, NULL);
	return rc == OB_OK && plugin->configure == NULL ? &plugin->as.codec : NULL;
}

const struct ob_host *obi_registry_host(const struct obi_registry *registry)
{
	return &registry->host;
}

/* ---- Creation and release ---- */

static int copy_dirs(struct obi_registry *registry, const char *const *dirs,
		     struct ob_error *reterr)
{
	size_t count = 0;
	while (dirs != NULL && dirs[count] != NULL) {
		count++;
	}
	registry->dirs = calloc(count + 1, sizeof *registry->dirs);
	for (size_t i = 0; registry->dirs != NULL && i < count; i++) {
		if (dirs[i][0] != '/') {
			return obi_fail(reterr, OB_EINVAL, 0,
					"plugin directory '%.200s' is not an absolute path",
					dirs[i]);
		}
		registry->dirs[i] = strdup(dirs[i]);
		if (registry->dirs[i] == NULL) {
			return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
		}
	}
	return registry->dirs != NULL ? OB_OK : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
}

static void free_plugins(struct obi_plugin *plugin)
{
	while (plugin != NULL) {
		struct obi_plugin *next = plugin->next;
		free(plugin);
		plugin = next;
	}
}

void obi_registry_free(struct obi_registry *registry)
{
	if (registry == NULL) {
		return;
	}
	free_plugins(registry->first);
	while (registry->files != NULL) {
		struct file *next = registry->files->next;
		free(registry->files);
		registry->files = next;
	}
	for (size_t i = 0; registry->dirs != NULL && registry->dirs[i] != NULL; i++) {
		free(registry->dirs[i]);
	}
	free(registry->dirs);
	free(registry);
}

void obi_registry_set_trust(struct obi_registry *registry, uint32_t trust)
{
	registry->trust = trust;
}

uint32_t obi_registry_trust(const struct obi_registry *registry)
{
	return registry->trust;
}

/* ---- Lookup ---- */

const struct obi_plugin *obi_registry_first(const struct obi_registry *registry)
{
	return registry->first;
}

static const struct obi_plugin *by_name(const struct obi_plugin *first, uint32_t kind,
					const char *name)
{
	while (first != NULL && (first->kind != kind || strcmp(first->name, name) != 0)) {
		first = first->next;
	}
	return first;
}

static const struct obi_plugin *by_claim(const struct obi_plugin *first, struct ob_bytes scheme)
{
	while (first != NULL &&
	       (first->kind != OB_PLUGIN_TRANSPORT || !obi_plugin_claims(first, scheme))) {
		first = first->next;
	}
	return first;
}

/* A claim of the full scheme comes before one that ends in '+'. */
static const struct obi_plugin *by_scheme(const struct obi_plugin *first, struct ob_bytes scheme)
{
	const struct obi_plugin *plugin = by_claim(first, scheme);
	while (plugin == NULL && first != NULL) {
		plugin = first->kind == OB_PLUGIN_TRANSPORT && obi_plugin_speaks(first, scheme)
			     ? first
			     : NULL;
		first = first->next;
	}
	return plugin;
}

/* ---- Registration ---- */

/* OB_EEXIST if a plugin from first on has the same name or claims one of the schemes. */
static int judge_taken(const struct obi_plugin *first, const struct obi_plugin *plugin,
		       struct ob_error *reterr)
{
	const struct obi_plugin *other = by_name(first, plugin->kind, plugin->name);
	if (other != NULL) {
		return obi_fail(reterr, OB_EEXIST, 0, "%s %s is already registered, from %s",
				obi_plugin_kind_text(plugin->kind), plugin->name, other->origin);
	}
	if (plugin->kind != OB_PLUGIN_TRANSPORT) {
		return OB_OK;
	}
	for (const char *const *scheme = plugin->as.transport.schemes; *scheme != NULL; scheme++) {
		other = by_claim(first, ob_bytes_text(*scheme));
		if (other != NULL) {
			return obi_fail(reterr, OB_EEXIST, 0,
					"scheme %s is already claimed by %s, from %s", *scheme,
					other->name, other->origin);
		}
	}
	return OB_OK;
}

static int check_taken(const struct obi_registry *registry, const struct obi_plugin *fresh,
		       const struct obi_plugin *plugin, struct ob_error *reterr)
{
	int rc = judge_taken(registry->first, plugin, reterr);
	if (rc == OB_OK) {
		rc = judge_taken(fresh, plugin, reterr);
	}
	if (rc != OB_OK) {
		obi_wrap(reterr, "plugin %s (%s)", plugin->name, plugin->origin);
	}
	return rc;
}

/* Make a chain of plugins from the list, without registering it. On failure the caller frees the
 * chain. */
static int make_chain(const struct obi_registry *registry, ob_plugin_list list, const char *origin,
		      struct obi_plugin **chain, struct ob_error *reterr)
{
	struct obi_plugin **tail = chain;
	for (; *list != NULL; list++) {
		struct obi_plugin *plugin;
		int rc = obi_plugin_new(*list, origin, &plugin, reterr);
		if (rc != OB_OK) {
			return rc;
		}
		rc = check_taken(registry, *chain, plugin, reterr);
		*tail = plugin;
		tail = &plugin->next;
		if (rc != OB_OK) {
			return rc;
		}
	}
	return OB_OK;
}

int obi_registry_add(struct obi_registry *registry, ob_plugin_list list, const char *origin,
		     struct ob_error *reterr)
{
	struct obi_plugin *chain = NULL, **tail = &registry->first;
	origin = origin != NULL ? origin : "linked in";
	if (list == NULL || list[0] == NULL) {
		return obi_fail(reterr, OB_EPLUGIN, 0, "plugins (%s): the list is %s", origin,
				list == NULL ? "NULL" : "empty");
	}
	int rc = make_chain(registry, list, origin, &chain, reterr);
	if (rc != OB_OK) {
		free_plugins(chain);
		return rc;
	}
	while (*tail != NULL) {
		tail = &(*tail)->next;
	}
	*tail = chain;
	return OB_OK;
}

/* ---- Built-in plugins ---- */

static int add_builtin(struct obi_registry *registry, struct ob_error *reterr)
{
	int rc = OB_OK;
	for (size_t i = 0; rc == OB_OK && obi_builtin_plugins[i] != NULL; i++) {
		rc = obi_registry_add(registry, obi_builtin_plugins[i](), OBI_BUILTIN_ORIGIN,
				      reterr);
	}
	for (const struct obi_plugin *p = registry->first; p != NULL; p = p->next) {
		registry->builtin_count++;
	}
	return rc;
}

static bool is_builtin(const struct obi_registry *registry, const char *name)
{
	const struct obi_plugin *plugin = registry->first;
	for (size_t i = 0; i < registry->builtin_count; i++, plugin = plugin->next) {
		if (strcmp(plugin->name, name) == 0) {
			return true;
		}
	}
	return false;
}

int obi_registry_new(const char *const *dirs, struct obi_registry **ret_registry,
		     struct ob_error *reterr)
{
	struct obi_registry *registry = calloc(1, sizeof *registry);
	if (registry == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	registry->host = (struct ob_host){.size = sizeof(struct ob_host),
					  .fail = obi_fail,
					  .now_ms = obi_now_ms,
					  .find_transport = find_transport,
					  .parse_uri = obi_uri_parse,
					  .find_codec = find_codec};
	int rc = copy_dirs(registry, dirs, reterr);
	if (rc == OB_OK) {
		rc = add_builtin(registry, reterr);
	}
	if (rc != OB_OK) {
		obi_registry_free(registry);
		return rc;
	}
	*ret_registry = registry;
	return OB_OK;
}

/* ---- Load ---- */

static bool is_loaded(const struct obi_registry *registry, const struct obi_plugin_file *file)
{
	const struct file *known = registry->files;
	while (known != NULL && (known->dev != file->dev || known->ino != file->ino)) {
		known = known->next;
	}
	return known != NULL;
}

static int load_file(struct obi_registry *registry, const struct obi_plugin_file *file,
		     struct ob_error *reterr)
{
	ob_plugin_list list;
	struct file *known = malloc(sizeof *known);
	if (known == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int rc = obi_plugin_file_load(file, &list, reterr);
	if (rc == OB_OK) {
		rc = obi_registry_add(registry, list, file->path, reterr);
	}
	if (rc != OB_OK) {
		free(known);
		return rc;
	}
	*known = (struct file){.next = registry->files, .dev = file->dev, .ino = file->ino};
	registry->files = known;
	return OB_OK;
}

int obi_registry_load(struct obi_registry *registry, const char *name_or_path,
		      struct ob_error *reterr)
{
	struct obi_plugin_file file;
	if (is_builtin(registry, name_or_path)) {
		return OB_OK;
	}
	int rc = obi_plugin_file_open((const char *const *)registry->dirs, name_or_path,
				      registry->trust, &file, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	if (!is_loaded(registry, &file)) {
		rc = load_file(registry, &file, reterr);
	}
	obi_plugin_file_close(&file);
	return rc;
}

/* ---- Search with load ---- */

/* The name of the plugin file for a scheme or for a transport of this name. */
static void file_of_scheme(struct ob_bytes scheme, char name[32])
{
	static const struct {
		const char *scheme, *file;
	} elsewhere[] = {{"hvsock", "vsock"}};
	const uint8_t *plus = memchr(scheme.data, '+', scheme.len);
	size_t len = plus != NULL ? (size_t)(plus - scheme.data) : scheme.len;
	memcpy(name, scheme.data, len);
	name[len] = '\0';
	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
		if (strcmp(name, elsewhere[i].scheme) == 0) {
			strcpy(name, elsewhere[i].file);
		}
	}
}

static int load_by_name(struct obi_registry *registry, enum ob_plugin_kind kind, const char *name,
			struct ob_error *reterr)
{
	char file[32];
	if (kind != OB_PLUGIN_TRANSPORT) {
		return obi_registry_load(registry, name, reterr);
	}
	file_of_scheme(ob_bytes_text(name), file);
	return obi_registry_load(registry, file, reterr);
}

static int find(struct obi_registry *registry, enum ob_plugin_kind kind, const char *name,
		const struct obi_plugin **ret_plugin, struct ob_error *reterr)
{
	const struct obi_plugin *plugin = by_name(registry->first, kind, name);
	if (plugin == NULL) {
		if (!obi_name_is_plugin(ob_bytes_text(name))) {
			return obi_fail(reterr, OB_EINVAL, 0, "'%.200s' is not a plugin's name",
					name);
		}
		int rc = load_by_name(registry, kind, name, reterr);
		if (rc != OB_OK) {
			return rc;
		}
		plugin = by_name(registry->first, kind, name);
	}
	if (plugin == NULL) {
		return obi_fail(reterr, OB_EPLUGIN, 0,
				"plugin %s: its file offers no %s of that name", name,
				obi_plugin_kind_text(kind));
	}
	*ret_plugin = plugin;
	return OB_OK;
}

int obi_registry_codec(struct obi_registry *registry, const char *name,
		       const struct obi_plugin **ret_plugin, struct ob_error *reterr)
{
	return find(registry, OB_PLUGIN_CODEC, name, ret_plugin, reterr);
}

int obi_registry_auth(struct obi_registry *registry, const char *name,
		      const struct obi_plugin **ret_plugin, struct ob_error *reterr)
{
	return find(registry, OB_PLUGIN_AUTH, name, ret_plugin, reterr);
}

static int named_transport(struct obi_registry *registry, const char *name, struct ob_bytes scheme,
			   const struct obi_plugin **ret_plugin, struct ob_error *reterr)
{
	const struct obi_plugin *plugin;
	int rc = find(registry, OB_PLUGIN_TRANSPORT, name, &plugin, reterr);
	if (rc != OB_OK) {
		return rc;
	}
	if (!obi_plugin_speaks(plugin, scheme)) {
		return obi_fail(reterr, OB_EINVAL, 0, "transport %s does not support %.*s", name,
				(int)scheme.len, (const char *)scheme.data);
	}
	*ret_plugin = plugin;
	return OB_OK;
}

static int load_for_scheme(struct obi_registry *registry, struct ob_bytes scheme,
			   struct ob_error *reterr)
{
	char name[32];
	file_of_scheme(scheme, name);
	if (!obi_name_is_plugin(ob_bytes_text(name))) {
		return obi_fail(reterr, OB_EPLUGIN, 0, "the scheme is not a valid plugin name");
	}
	int rc = obi_registry_load(registry, name, reterr);
	if (rc == OB_OK && by_scheme(registry->first, scheme) == NULL) {
		return obi_fail(reterr, OB_EPLUGIN, 0, "plugin %s has no transport for it", name);
	}
	return rc;
}

int obi_registry_transport(struct obi_registry *registry, const char *name, struct ob_bytes scheme,
			   const struct obi_plugin **ret_plugin, struct ob_error *reterr)
{
	if (!obi_name_is_scheme(scheme)) {
		return obi_fail(reterr, OB_EINVAL, 0, "'%.*s' is not a URI scheme",
				(int)(scheme.len < 31 ? scheme.len : 31),
				(const char *)scheme.data);
	}
	if (name != NULL) {
		return named_transport(registry, name, scheme, ret_plugin, reterr);
	}
	if (by_scheme(registry->first, scheme) == NULL) {
		int rc = load_for_scheme(registry, scheme, reterr);
		if (rc != OB_OK) {
			obi_wrap(reterr, "no transport for %.*s", (int)scheme.len,
				 (const char *)scheme.data);
			return rc;
		}
	}
	*ret_plugin = by_scheme(registry->first, scheme);
	return OB_OK;
}
