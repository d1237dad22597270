/* SPDX-License-Identifier: MIT */
/* answer - the answer to a request, from values that were built for it. */
#ifndef OBI_CLI_RUN_ANSWER_H
#define OBI_CLI_RUN_ANSWER_H

#include <outboard/outboard.h>

/* Answer the call with what the builder has; with an error, if there was no memory for it. */
void obi_answer_built(ob_call *call, struct ob_builder *b);

/*
 * The names as an array in *ret; NULL: none are given, which means every child. They come as a list
 * or one by one. False: as something else.
 */
bool obi_find_names(const struct ob_value *params, const struct ob_value **ret);

#endif
