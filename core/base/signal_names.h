/* SPDX-License-Identifier: MIT */
/* base/signal_names - the numbers of signals and resource limits that config files name. */
#ifndef OBI_BASE_SIGNAL_NAMES_H
#define OBI_BASE_SIGNAL_NAMES_H

#include <outboard/abi.h>

/* "SIGTERM", "TERM" or "15" -> 15; -1: no such signal. Case matters. */
int obi_signal_number(struct ob_bytes name);

#define OBI_SIGNAL_NAME_SIZE 16

/* 15 -> "SIGTERM"; a number without a name: "signal 35". Returns text. */
const char *obi_signal_text(int number, char text[OBI_SIGNAL_NAME_SIZE]);

/* "nofile" -> RLIMIT_NOFILE; -1: no such limit. */
int obi_rlimit_number(struct ob_bytes name);

#endif
