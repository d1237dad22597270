/* SPDX-License-Identifier: MIT */
/* support/life - the life of a child: start, call, callback, log, kill, restart, detach, adopt,
 * stop. */
#ifndef OB_TESTS_SUPPORT_LIFE_H
#define OB_TESTS_SUPPORT_LIFE_H

#include "support/family.h"

/* All of it, for a family without a connector yet. */
void life_live(struct family *f);

/* Calls of several kinds, and a callback. The connector must have life_source exposed as "source".
 */
void life_works(struct family *f);
extern const struct ob_method life_source[];

#endif
