/* SPDX-License-Identifier: MIT */
/*
 * plugin/file_trust - whether a plugin file, and the directory it lies in, are of somebody who may
 * run code as us: root or ourselves; with enum ob_plugin_trust also somebody without a number in
 * our user namespace.
 */
#ifndef OBI_PLUGIN_FILE_TRUST_H
#define OBI_PLUGIN_FILE_TRUST_H

#include <outboard/runtime.h>
#include <stddef.h>
#include <sys/stat.h>

/* What an open file or directory is to us, by its owner. */
enum obi_owner {
	OBI_OWNER_TRUSTED,  /* root's, or ours */
	OBI_OWNER_UNMAPPED, /* without a number in our user namespace, where root has none either */
	OBI_OWNER_OTHER
};

/* By the facts. `proven`: it is ours although our own number says nothing, since we have none. */
struct obi_owner_facts {
	uint32_t owner;
	uint32_t euid;
	uint32_t overflow; /* obi_overflow_uid() */
	bool root_is_unmapped;
	bool proven;
};
enum obi_owner obi_owner_of_facts(const struct obi_owner_facts *facts);

/* Check the directory (opened with O_PATH) and a file in it. On failure the reason is written to
 * why, cut at size. */
enum { OBI_FILE_TRUST_WHY = 4096 + 256 };
int obi_file_trust_check(int dir, int file, uint32_t trust, char why[OBI_FILE_TRUST_WHY]);

#endif
