/* SPDX-License-Identifier: MIT */
/* base/value - what the library does with whole trees. */
#ifndef OBI_BASE_VALUE_H
#define OBI_BASE_VALUE_H

#include "base/arena.h"

/* A copy of the whole tree, strings included, in arena. OB_ENOMEM when it is full, OB_ETOOBIG when
 * nested too deep. */
int obi_value_copy(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret);

/* Trees of log records may nest deeper than others (log/line.h); nobody follows any tree further
 * down than this. */
#define OBI_VALUE_DEPTH_MAX 512

/* Same type, same content, same order. Doubles compare by value. */
bool obi_value_equal(const struct ob_value *a, const struct ob_value *b);

/* Append what ob_build() of outboard.h describes; errors stay in the builder (OB_EINVAL: an unknown
 * piece, or a bracket that does not match). A NULL tree makes nil. */
void obi_build_format(struct ob_builder *builder, const char *format, va_list args);

#endif
