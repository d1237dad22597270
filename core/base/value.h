/* SPDX-License-Identifier: MIT */
/* base/value - what the library does with whole trees. */
#ifndef OBI_BASE_VALUE_H
#define OBI_BASE_VALUE_H

#include "base/arena.h"

/* A copy of the whole tree, strings included, in arena. OB_ENOMEM when it is full, OB_ETOOBIG when nested too deep. */
int obi_value_copy(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret);

/* Same type, same content, same order. Doubles compare by value. */
bool obi_value_equal(const struct ob_value *a, const struct ob_value *b);

/* Append what ob_build() of outboard.h describes; errors stay in the builder. */
void obi_build_format(struct ob_builder *builder, const char *format, va_list args);

#endif
