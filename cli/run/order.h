/* SPDX-License-Identifier: MIT */
/*
 * order - starts members after those that they are after, and stops them before.
 *
 *  - A member is begun when all that it is after are ready, or have done their work. Until then it
 *    is held, which is shown as the state `blocked`.
 *  - A stop of a member first stops those that are after it and run. They are held then.
 *  - When a member ends, what is within it is killed, and is held until it is ready again. Such an
 *    end is not counted as a restart.
 *  - A member that is to be started again by its restart policy is held too.
 *
 * Members that run when the supervisor begins are adopted at once, whatever they are after.
 */
#ifndef OBI_CLI_RUN_ORDER_H
#define OBI_CLI_RUN_ORDER_H

#include "cli/run/members.h"

/* Whether the member must wait for one that it is after. */
bool obi_order_must_wait(const struct obi_member *member);

/* What a held member waits for: "waits for vm, which is starting". */
void obi_order_reason(const struct obi_member *member, char *text, size_t size);

/* Whether a held member waits for one that only a request starts. */
bool obi_order_waits_in_vain(const struct obi_member *member);

/* Whether the member is after others, and runs already: an earlier supervisor has started it. */
bool obi_order_is_running(const struct obi_member *member);

/* An event of a member. */
void obi_order_event(struct obi_member *member, const struct ob_event *event);

/* Begin those that the member is after, as far as they rest. */
void obi_order_begin_hosts(struct obi_member *member);

/* Stop a member when those that are after it have stopped. done is called as by
 * ob_connector_stop_async(). */
int obi_order_stop(struct obi_member *member, ob_done_fn *done, void *user,
		   struct ob_error *reterr);

/* The edges have changed: begin those that need not wait any more. */
void obi_order_changed(struct obi_members *members);

/* Do not wait with stops any more. */
void obi_order_hurry(struct obi_members *members);

/* The member is about to be closed: stops that wait end with OB_ECLOSED, and it has no edges. */
void obi_order_close(struct obi_member *member);

#endif
