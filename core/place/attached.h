/* SPDX-License-Identifier: MIT */
/*
 * place/attached - a child that others start, as a place: nothing is started, signalled or watched
 * here, and no data directory is made. What is ours is the state directory with parent.lock, so
 * that one supervisor at a time attaches to the child.
 *
 * The child always counts as alive: whether it can be reached is a matter of its link. `end`
 * reports its exit: the supervisor calls it when the child has shut down as it was asked to.
 */
#ifndef OBI_PLACE_ATTACHED_H
#define OBI_PLACE_ATTACHED_H

#include <outboard/connector.h>

#include "loop/loop.h"
#include "place/place.h"

/* The record of such a child in state.json. */
#define OBI_ATTACHED_RECORD "attached"

/* options must outlive the place. OB_ENOMEM. */
int obi_place_attached_new(struct obi_loop *loop, const struct ob_connector_options *options,
			   struct obi_place **ret, struct ob_error *reterr);

#endif
