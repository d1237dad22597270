/* SPDX-License-Identifier: MIT */
/* base/value - operations on whole trees of values. */
#ifndef OBI_BASE_VALUE_H
#define OBI_BASE_VALUE_H

#include "base/arena.h"

/* Copy the whole tree, strings included, into arena. OB_ENOMEM: the arena is full; OB_ETOOBIG:
 * nested too deep. */
int obi_value_copy(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret);

/* Trees of log records may nest deeper than others (log/line.h). No code follows a tree deeper
 * than this. */
#define OBI_VALUE_DEPTH_MAX 512

/* The same types, contents and order. Doubles compare by value. */
bool obi_value_equal(const struct ob_value *a, const struct ob_value *b);

/* Append what the format describes, as ob_build() documents it. Errors stay in the builder
 * (OB_EINVAL: an unknown piece, or an unmatched bracket). A NULL tree makes nil. */
void obi_build_format(struct ob_builder *builder, const char *format, va_list args);

#endif
