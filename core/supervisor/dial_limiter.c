/* SPDX-License-Identifier: MIT */
#include "supervisor/dial_limiter.h"

/* From the loop, and not inside the call of whoever made room. */
static void on_task(void *user)
{
	struct obi_turn *turn = user;
	turn->fn(turn->user);
}

static void grant(struct obi_pacer *pacer, struct obi_turn *turn)
{
	turn->holding = true;
	pacer->holding++;
}

bool obi_pacer_ask(struct obi_pacer *pacer, struct obi_loop *loop, struct obi_turn *turn)
{
	turn->pacer = pacer;
	turn->next = NULL;
	turn->task.fn = on_task;
	turn->task.user = turn;
	turn->loop = loop;
	if (pacer->holding < OBI_PACER_DIALS) {
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

static void leave_line(struct obi_pacer *pacer, const struct obi_turn *turn)
{
	struct obi_turn **at = &pacer->first, *before = NULL;
	while (*at != turn) {
		before = *at;
		at = &(*at)->next;
	}
	*at = turn->next;
	if (pacer->last == turn) {
		pacer->last = before;
	}
}

static void call_next(struct obi_pacer *pacer)
{
	struct obi_turn *next = pacer->first;
	if (next != NULL) {
		leave_line(pacer, next);
		grant(pacer, next);
		obi_task_queue(next->loop, &next->task);
	}
}

void obi_turn_end(struct obi_turn *turn)
{
	struct obi_pacer *pacer = turn->pacer;
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

bool obi_turn_is_wanted(const struct obi_turn *turn)
{
	return turn->pacer != NULL;
}
