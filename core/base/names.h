/* SPDX-License-Identifier: MIT */
/* base/names - which names children, plugins, URI schemes and claims may have, where the state of a
 * child is by its name, and what its files are called. */
#ifndef OBI_BASE_NAMES_H
#define OBI_BASE_NAMES_H

#include <outboard/abi.h>

/* Whether the name is valid for a child: [A-Za-z0-9._-]{1,64}. It must not begin with a
 * dot or end in ".state": such names are those of state directories. */
bool obi_name_is_child(struct ob_bytes name);

/* Files in the data directory of a child. */
#define OBI_FILE_CONFIG "outboard.json"
#define OBI_FILE_TOKEN	"token" /* made where ${token_file} refers to it */
#define OBI_FILE_STDOUT "stdout.fifo"
#define OBI_FILE_STDERR "stderr.fifo"
#define OBI_FILE_SOCKET "rpc.sock"

/* The state directories of `outboard run` in its data_root, one of each child's name. */
#define OBI_STATES_DIRECTORY ".state"

/* Write the path of the state directory of the child of this name in data_root. False: it does not
 * fit, and path is empty. */
bool obi_state_path(const char *root, const char *name, char *path, size_t size);

/* Whether the name is valid for a plugin: [a-z][a-z0-9_-]{0,30}. */
bool obi_name_is_plugin(struct ob_bytes name);

/* Whether the name is valid for a claim: [A-Za-z0-9_.-]{1,63}. */
bool obi_name_is_claim(struct ob_bytes name);

/* Whether the name is valid for a URI scheme of a transport: [a-z][a-z0-9+.-]{0,30}. */
bool obi_name_is_scheme(struct ob_bytes name);

#endif
