/* SPDX-License-Identifier: MIT */
/* The complete skeleton of a KIND (transport, codec, auth), for plugins that give it a table of
 * an older or newer library. SKELETON names its source. The descriptor of the skeleton is not
 * used. */
#include <outboard/auth.h>
#include <outboard/codec.h>
#include <outboard/transport.h>

#undef _GNU_SOURCE /* the skeleton defines it */
#undef OB_PLUGIN_ENTRY
#define OB_PLUGIN_ENTRY(skeleton)                                \
	static inline const struct ob_plugin *skeleton_of(void); \
	static inline const struct ob_plugin *skeleton_of(void)  \
	{                                                        \
		return skeleton;                                 \
	}                                                        \
	typedef int ob_plugin_entry_needs_semicolon

#include SKELETON

/* The entry function, which returns a list of one descriptor. */
#define ENTRY_OF(descriptor)                                                        \
	OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void);                   \
	OB_PLUGIN_EXPORT ob_plugin_list outboard_plugin_v1(void)                    \
	{                                                                           \
		static const struct ob_plugin *const list[] = {(descriptor), NULL}; \
		return list;                                                        \
	}                                                                           \
	typedef int entry_of_needs_semicolon
