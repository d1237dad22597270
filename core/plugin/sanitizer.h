/* SPDX-License-Identifier: MIT */
/* plugin/sanitizer - whether a shared object was built with a sanitizer. Its runtime must be in the
 * process from the start: otherwise it ends the process when the object is mapped. */
#ifndef OBI_PLUGIN_SANITIZER_H
#define OBI_PLUGIN_SANITIZER_H

#include <outboard/abi.h>

struct obi_sanitizer {
	const char *name;    /* "AddressSanitizer" */
	const char *symbol;  /* that its runtime defines */
	const char *library; /* "libasan.so" */
};

/* The sanitizer whose runtime this ELF file of the machine's own kind refers to; NULL: none, or the
 * file is not understood. */
const struct obi_sanitizer *obi_sanitizer_of(struct ob_bytes file);

#endif
