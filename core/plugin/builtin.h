/* SPDX-License-Identifier: MIT */
/*
 * plugin/builtin - the plugins that are compiled into the library. The build writes the table
 * (cmake/Library.cmake): it is empty in liboutboard.so, and lists the shipped plugins in
 * liboutboard.a with OUTBOARD_BUILTIN_PLUGINS.
 */
#ifndef OBI_PLUGIN_BUILTIN_H
#define OBI_PLUGIN_BUILTIN_H

#include <outboard/abi.h>

/* What ob_plugin_each() shows as their origin. */
#define OBI_BUILTIN_ORIGIN "built in"

/* The entry functions, ended by NULL. */
extern const ob_plugin_entry_fn obi_builtin_plugins[];

#endif
