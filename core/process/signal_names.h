/* SPDX-License-Identifier: MIT */
/* process/signal_names - the words of config files for numbers of the system. */
#ifndef OBI_PROCESS_SIGNAL_NAMES_H
#define OBI_PROCESS_SIGNAL_NAMES_H

#include <outboard/abi.h>

/* "SIGTERM", "TERM" or "15" -> 15; -1: no such signal. Case counts. */
int obi_signal_number(struct ob_bytes name);

/* "nofile" -> RLIMIT_NOFILE; -1: no such limit. */
int obi_rlimit_number(struct ob_bytes name);

/* Whether a child may be called so: [A-Za-z0-9._-]{1,64}, not "." or "..". */
bool obi_name_is_child(struct ob_bytes name);

/* Whether a plugin may be called so: [a-z][a-z0-9_-]{0,30}. */
bool obi_name_is_plugin(struct ob_bytes name);

#endif
