/* SPDX-License-Identifier: MIT */
/* input - text that the user names: a file, a pipe, or standard input; and places in it. */
#ifndef OBI_CLI_INPUT_H
#define OBI_CLI_INPUT_H

#include <outboard/outboard.h>

#include "base/buf.h"

/*
 * Append what can be read from path to out, up to its end; "-" is standard input. Anything that can
 * be read is taken: files, FIFOs, /dev/fd/N, terminals. Waits as long as the other end of a pipe
 * takes. *ret_is_file (may be NULL): it was a regular file under a name, which can be read again.
 * OB_ETOOBIG: more than the maximum of out. The message does not contain the path.
 */
int obi_input_read(const char *path, struct obi_buf *out, bool *ret_is_file,
		   struct ob_error *reterr);

/* A path as it is shown: "-" becomes "standard input". */
const char *obi_input_name(const char *path);

/* A place in a text, both counted from 1; a column is a character. {0, 0}: unknown. */
struct obi_place {
	uint32_t line;
	uint32_t column;
};

/* The place of a byte, counted on from the place of an earlier one. */
struct obi_place obi_place_after(struct obi_place from, struct ob_bytes between);

/* The place of the byte at this offset of a text. */
struct obi_place obi_place_of(struct ob_bytes text, size_t offset);

#endif
