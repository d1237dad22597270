/* SPDX-License-Identifier: MIT */
/* The plugins of a runtime, and plugin files. */
#include <outboard/plugin.h>

#include <stdlib.h>

#include "api/runtime.h"
#include "base/error.h"
#include "plugin/loader.h"
#include "plugin/vtable.h"

/* ---- Plugins of a runtime ---- */

int ob_plugin_register(ob_runtime *rt, ob_plugin_list list, const char *origin,
		       struct ob_error *reterr)
{
	obi_enter(rt);
	int r = obi_registry_add(rt->registry, list, origin, reterr);
	obi_leave(rt);
	return r;
}

int ob_plugin_load(ob_runtime *rt, const char *name_or_path, struct ob_error *reterr)
{
	obi_enter(rt);
	int r = obi_registry_load(rt->registry, name_or_path, reterr);
	obi_leave(rt);
	return r;
}

static struct ob_plugin_info info_of(const struct obi_plugin *p)
{
	struct ob_plugin_info info = {.size = sizeof info,
				      .kind = p->kind,
				      .name = p->name,
				      .version = p->version,
				      .origin = p->origin,
				      .descriptor_size = p->descriptor_size,
				      .table_size = p->table_size,
				      .ops = &p->as,
				      .configure = p->configure,
				      .unconfigure = p->unconfigure};
	if (p->kind == OB_PLUGIN_TRANSPORT) {
		info.schemes = p->as.transport.schemes;
		info.flags = p->as.transport.flags;
	} else if (p->kind == OB_PLUGIN_AUTH) {
		info.flags = p->as.auth.flags;
	}
	return info;
}

int ob_plugin_each(ob_runtime *rt, int (*fn)(void *user, const struct ob_plugin_info *info),
		   void *user)
{
	int r = 0;
	obi_enter(rt);
	for (const struct obi_plugin *p = obi_registry_first(rt->registry); r == 0 && p != NULL;
	     p = p->next) {
		const struct ob_plugin_info info = info_of(p);
		r = fn(user, &info);
	}
	obi_leave(rt);
	return r;
}

static const struct obi_plugin *find(const struct ob_runtime *rt, uint32_t kind, const char *name)
{
	const struct obi_plugin *p = obi_registry_first(rt->registry);
	while (p != NULL && (p->kind != kind || strcmp(p->name, name) != 0)) {
		p = p->next;
	}
	return p;
}

static int find_or_load(struct ob_runtime *rt, uint32_t kind, const char *name,
			const struct obi_plugin **ret, struct ob_error *reterr)
{
	*ret = find(rt, kind, name);
	if (*ret != NULL) {
		return OB_OK;
	}
	int r = obi_registry_load(rt->registry, name, reterr);
	if (r < 0) {
		return r;
	}
	*ret = find(rt, kind, name);
	return *ret != NULL
		   ? OB_OK
		   : obi_fail(reterr, OB_EPLUGIN, 0, "plugin %s: its file has no %s of that name",
			      name, ob_plugin_kind_name(kind));
}

int ob_plugin_find(ob_runtime *rt, uint32_t kind, const char *name, struct ob_plugin_info *ret_info,
		   struct ob_error *reterr)
{
	const struct obi_plugin *p;
	obi_enter(rt);
	int r = find_or_load(rt, kind, name, &p, reterr);
	obi_leave(rt);
	if (r == OB_OK) {
		const struct ob_plugin_info info = info_of(p);
		uint32_t size =
		    ret_info->size < sizeof info ? ret_info->size : (uint32_t)sizeof info;
		memcpy(ret_info, &info, size);
		ret_info->size = size;
	}
	return r;
}

void ob_plugin_members(const struct ob_plugin_info *info,
		       void (*fn)(void *user, const char *member, bool present), void *user)
{
	obi_vtable_members(info->kind, info->ops, fn, user);
}

const char *ob_plugin_kind_name(uint32_t kind)
{
	return kind <= OB_PLUGIN_AUTH ? obi_plugin_kind_text(kind) : "?";
}

const char *const *ob_plugin_path(const ob_runtime *rt)
{
	return (const char *const *)rt->plugin_path;
}

const struct ob_host *ob_plugin_host(const ob_runtime *rt)
{
	return obi_registry_host(rt->registry);
}

/* ---- Plugin files ---- */

int obi_runtime_take_trust(struct ob_runtime *rt, const char *word, struct ob_error *reterr)
{
	if (word == NULL) {
		return OB_OK;
	}
	if (strcmp(word, "unmapped") != 0) {
		return obi_fail(reterr, OB_EINVAL, 0, "plugin_trust of the config: not known");
	}
	obi_enter(rt);
	obi_registry_set_trust(rt->registry, OB_PLUGIN_TRUST_UNMAPPED);
	obi_leave(rt);
	return OB_OK;
}

struct ob_plugin_file {
	struct obi_plugin_file file;
	void *handle; /* NULL: not mapped */
};

int ob_plugin_file_open(ob_runtime *rt, const char *name_or_path, ob_plugin_file **ret_file,
			struct ob_error *reterr)
{
	struct ob_plugin_file *file = calloc(1, sizeof *file);
	if (file == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	int r = obi_plugin_file_open(ob_plugin_path(rt), name_or_path,
				     obi_registry_trust(rt->registry), &file->file, reterr);
	if (r < 0) {
		free(file);
		return r;
	}
	*ret_file = file;
	return OB_OK;
}

const char *ob_plugin_file_path(const ob_plugin_file *file)
{
	return file->file.path;
}

int ob_plugin_file_map(ob_plugin_file *file, struct ob_error *reterr)
{
	return obi_plugin_file_map(&file->file, &file->handle, reterr);
}

int ob_plugin_file_list(ob_plugin_file *file, ob_plugin_list *ret_list, struct ob_error *reterr)
{
	return file->handle != NULL
		   ? obi_plugin_file_list(&file->file, file->handle, ret_list, reterr)
		   : obi_fail(reterr, OB_EINVAL, 0, "%s: the plugin file is not mapped",
			      file->file.path);
}

void ob_plugin_file_close(ob_plugin_file *file)
{
	if (file != NULL) {
		obi_plugin_file_close(&file->file);
		free(file);
	}
}
