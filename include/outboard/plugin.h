/* SPDX-License-Identifier: MIT */
/*
 * outboard/plugin.h - the plugins of a runtime, and plugin files.
 *
 * Most programs need none of this: a plugin is loaded when options or a config name it, from the
 * plugin path of the runtime (ob_runtime_options.plugin_path). A plugin file is accepted only if it
 * and its directory belong to root or to this process's user and are not writable by others. What
 * was loaded stays in memory until the process ends.
 */
#ifndef OUTBOARD_PLUGIN_H
#define OUTBOARD_PLUGIN_H

#include <outboard/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Plugins of a runtime ---- */

/*
 * Register plugins that are linked into the program, as if they were loaded from a file called
 * origin (for messages; NULL: "linked in"). All are registered or none. The list must stay valid.
 *
 *   OB_EEXIST   a name or a scheme is taken
 *   OB_EPLUGIN  a descriptor or its table is not acceptable; the message says which and why
 */
OB_API int ob_plugin_register(ob_runtime *runtime, ob_plugin_list list, const char *origin,
			      struct ob_error *reterr);

/*
 * Load a plugin file now and register all its plugins: a bare name is looked up in the plugin path,
 * an absolute path is taken as it is. A file that is loaded already is a success.
 */
OB_API int ob_plugin_load(ob_runtime *runtime, const char *name_or_path, struct ob_error *reterr);

/* A registered plugin. The texts and the table are valid as long as the runtime. */
struct ob_plugin_info {
	uint32_t size;
	uint32_t kind; /* enum ob_plugin_kind */
	const char *name;
	const char *version;
	const char *origin;	    /* the file, or the origin given to ob_plugin_register() */
	const char *const *schemes; /* of a transport, ended by NULL; else NULL */
	uint32_t flags;		    /* enum ob_transport_flag or enum ob_auth_flag, by kind */
	/* Sizes as the plugin was compiled; they may differ from those of these headers. */
	uint32_t descriptor_size;
	uint32_t table_size;
	/*
	 * The library's checked copy of the table: struct ob_transport_ops, ob_codec_ops or
	 * ob_auth_ops, by kind. Members that the plugin lacks are NULL or zero.
	 */
	const void *ops;
	/* See struct ob_plugin; both are NULL if it takes no settings. */
	int (*configure)(const struct ob_host *host, const struct ob_value *settings,
			 void **ret_state, struct ob_error *reterr);
	void (*unconfigure)(void *state);
};

/*
 * Call fn for each registered plugin, in order of registration. A result other than 0 ends this and
 * is returned. fn must not call functions of this runtime.
 */
OB_API int ob_plugin_each(ob_runtime *runtime,
			  int (*fn)(void *user, const struct ob_plugin_info *info), void *user);

/*
 * Find the plugin of this kind and name; its file is loaded first if need be. ret_info->size must
 * be set. OB_EPLUGIN: there is none, or its file is not acceptable.
 */
OB_API int ob_plugin_find(ob_runtime *runtime, uint32_t kind, const char *name,
			  struct ob_plugin_info *ret_info, struct ob_error *reterr);

/*
 * Call fn for each member of a plugin's table, in order, but for its size. present: the plugin has
 * it. Any thread.
 */
OB_API void ob_plugin_members(const struct ob_plugin_info *info,
			      void (*fn)(void *user, const char *member, bool present), void *user);

/* "transport", "codec", "authenticator"; "?" for another number. Any thread. */
OB_API const char *ob_plugin_kind_name(uint32_t kind);

/* The directories of the plugin path in force, ended by NULL. Valid as long as the runtime. */
OB_API const char *const *ob_plugin_path(const ob_runtime *runtime);

/*
 * The services that plugins of this runtime are given, for programs that call the functions of a
 * plugin themselves, such as tests. Valid as long as the runtime.
 */
OB_API const struct ob_host *ob_plugin_host(const ob_runtime *runtime);

/* ---- A plugin file, step by step ---- */

/*
 * ob_plugin_load() in steps, for programs that check plugin files: open (nothing of the file runs),
 * map (its constructors run), list (its entry function runs), then ob_plugin_register().
 */
typedef struct ob_plugin_file ob_plugin_file;

/*
 * Find a file and check its owner, mode and type. It must be closed.
 *
 *   OB_EINVAL   neither the bare name of a plugin nor an absolute path
 *   OB_EPLUGIN  no such file, or not a shared object
 *   OB_EPERM    owner or mode of the file or of its directory
 */
OB_API int ob_plugin_file_open(ob_runtime *runtime, const char *name_or_path,
			       ob_plugin_file **ret_file, struct ob_error *reterr);

/* Where the file was found. Valid until it is closed. */
OB_API const char *ob_plugin_file_path(const ob_plugin_file *file);

/* Map the file. OB_EPLUGIN: the dynamic linker refused it; the message says why. */
OB_API int ob_plugin_file_map(ob_plugin_file *file, struct ob_error *reterr);

/*
 * Get the list of its plugins, unchecked. OB_EPLUGIN: it does not export the entry function of this
 * ABI version, or the list is NULL or empty. OB_EINVAL: the file is not mapped.
 */
OB_API int ob_plugin_file_list(ob_plugin_file *file, ob_plugin_list *ret_list,
			       struct ob_error *reterr);

/* Close and free. What was mapped stays mapped. file may be NULL. */
OB_API void ob_plugin_file_close(ob_plugin_file *file);

#ifdef __cplusplus
}
#endif
#endif
