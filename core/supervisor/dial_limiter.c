/* SPDX-License-Identifier: MIT */
#include "supervisor/dial_limiter.h"

/* From the loop, and not inside the call of whoever made room. */
static void on_task(void *user)
{
	struct obi_dial_turn *turn = user;
	turn->fn(turn->user);
}

static void grant(struct obi_dial_limiter *pacer, struct obi_dial_turn *turn)
{
	turn->holding = true;
	pacer->holding++;
}

bool obi_dial_limiter_ask(struct obi_dial_limiter *pacer, struct obi_loop *loop,
			  struct obi_dial_turn *turn)
{
	turn->pacer = pacer;
	turn->next = NULL;
	turn->task.fn = on_task;
	turn->task.user = turn;
	turn->loop = loop;
	if (pacer->holding < OBI_DIAL_LIMITER_MAX) {
		grant(pacer, turn);
		return true;
	}
	if (pacer->first == NULL) {
		pacer->first = turn;
	} else {
		pacer->last->next = turn;
	}
	pacer->last = turn;
	return false;
}

static void leave_line(struct obi_dial_limiter *pacer, const struct obi_dial_turn *turn)
{
	struct obi_dial_turn **at = &pacer->first, *before = NULL;
	while (*at != turn) {
		before = *at;
		at = &(*at)->next;
	}
	*at = turn->next;
	if (pacer->last == turn) {
		pacer->last = before;
	}
}

static void call_next(struct obi_dial_limiter *pacer)
{
	struct obi_dial_turn *next = pacer->first;
	if (next != NULL) {
		leave_line(pacer, next);
		grant(pacer, next);
		obi_task_queue(next->loop, &next->task);
	}
}

void obi_dial_turn_end(struct obi_dial_turn *turn)
{
	struct obi_dial_limiter *pacer = turn->pacer;
	if (pacer == NULL) {
		return;
	}
	turn->pacer = NULL;
	if (!turn->holding) {
		leave_line(pacer, turn);
		return;
	}
	turn->holding = false;
	obi_task_stop(&turn->task);
	pacer->holding--;
	call_next(pacer);
}

bool obi_dial_turn_is_wanted(const struct obi_dial_turn *turn)
{
	return turn->pacer != NULL;
}
