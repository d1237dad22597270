/* SPDX-License-Identifier: MIT */
/*
 * plugin/loader - from a plugin's name to what its file returns. dlopen is called in loader.c and
 * nowhere else.
 *
 * Who can write a plugin runs code as us. So a plugin is found by a bare name in one of the given
 * directories, or by an absolute path, never relative to the working directory, never by the
 * dynamic linker's own search; it is a regular file (no symbolic link); and it and its directory
 * belong to root or to us (plugin/file_trust) and are not writable by group or others. Both are
 * checked on open descriptors, and what is loaded is that name in that very directory, so that
 * nobody can put another file in between.
 *
 * A loaded file stays mapped until the process ends: pointers into it never dangle, and leak
 * reports keep their symbols.
 *
 * /proc must be mounted. A debugger sees a plugin as /proc/self/fd/.../NAME.so; "set
 * solib-search-path DIR" finds its symbols.
 */
#ifndef OBI_PLUGIN_LOADER_H
#define OBI_PLUGIN_LOADER_H

#include <outboard/abi.h>
#include <sys/types.h>

/* A plugin file that passed the checks. */
struct obi_plugin_file {
	char *path; /* where it was found, for people */
	dev_t dev;  /* the same file under two names is the same plugin */
	ino_t ino;
	int dir; /* the directory it lies in */
};

/*
 * Find name_or_path and check it; trust is an enum ob_plugin_trust. dirs are absolute, ended by
 * NULL, tried in order; the first that has the file decides, even if the file is then refused. On
 * success *ret must be closed.
 *
 * OB_EINVAL: neither a plugin's bare name nor an absolute path. OB_EPLUGIN: no such file, not a
 * regular file, or not ELF. OB_EPERM: owner or mode of the file or of its directory. OB_ENOMEM,
 * OB_EIO. Each message names the plugin and the path.
 */
int obi_plugin_file_open(const char *const *dirs, const char *name_or_path, uint32_t trust,
			 struct obi_plugin_file *ret, struct ob_error *reterr);

/* Map an open file: its constructors run. OB_EPLUGIN: the dynamic linker refused it, or it needs
 * the runtime of a sanitizer, which this process does not have. */
int obi_plugin_file_map(const struct obi_plugin_file *file, void **ret_handle,
			struct ob_error *reterr);

/*
 * Ask what was mapped for its list, which is not NULL and not empty. OB_EPLUGIN: it does not export
 * the entry of this ABI's version, or its list is NULL or empty.
 */
int obi_plugin_file_list(const struct obi_plugin_file *file, void *handle, ob_plugin_list *ret_list,
			 struct ob_error *reterr);

/* Both, one after the other. */
int obi_plugin_file_load(const struct obi_plugin_file *file, ob_plugin_list *ret_list,
			 struct ob_error *reterr);

/* Close the directory and free the path. What was loaded stays. */
void obi_plugin_file_close(struct obi_plugin_file *file);

#endif
