/* SPDX-License-Identifier: MIT */
#include "supervisor/dial_limiter.h"

enum { DOUBLINGS_MAX = 5 };

/* ---- Lines ---- */

static void append(struct obi_dial_line *line, struct obi_dial_turn *turn)
{
	turn->next = NULL;
	turn->previous = line->last;
	if (line->last != NULL) {
		line->last->next = turn;
	} else {
		line->first = turn;
	}
	line->last = turn;
}

static void leave(struct obi_dial_line *line, struct obi_dial_turn *turn)
{
	if (turn->previous != NULL) {
		turn->previous->next = turn->next;
	} else {
		line->first = turn->next;
	}
	if (turn->next != NULL) {
		turn->next->previous = turn->previous;
	} else {
		line->last = turn->previous;
	}
}

static struct obi_dial_line *line_of(struct obi_dial_turn *turn)
{
	return turn->silent > 0 ? &turn->limiter->silent : &turn->limiter->waiting;
}

static struct obi_dial_turn *first_waiting(const struct obi_dial_limiter *limiter)
{
	return limiter->waiting.first != NULL ? limiter->waiting.first : limiter->silent.first;
}

/* ---- Turns that are over ---- */

static int64_t due_at(const struct obi_dial_limiter *limiter, const struct obi_dial_turn *turn)
{
	return turn->since + ((int64_t)OBI_DIAL_LIMITER_MS
			      << (limiter->waiting.first != NULL ? 0 : turn->silent));
}

/* The holder that has not been told yet whose turn is over first; NULL: none. At most
 * OBI_DIAL_LIMITER_MAX steps. */
static struct obi_dial_turn *first_due(const struct obi_dial_limiter *limiter)
{
	struct obi_dial_turn *first = NULL, *turn = limiter->holders.first;
	for (; turn != NULL; turn = turn->next) {
		if (turn->place == OBI_DIAL_HOLDING &&
		    (first == NULL || due_at(limiter, turn) < due_at(limiter, first))) {
			first = turn;
		}
	}
	return first;
}

static void set_timer(struct obi_dial_limiter *limiter);

static void on_timer(void *user)
{
	struct obi_dial_limiter *limiter = user;
	int64_t now = obi_now_ms();
	struct obi_dial_turn *turn = first_due(limiter);
	while (turn != NULL && first_waiting(limiter) != NULL && due_at(limiter, turn) <= now) {
		turn->place = OBI_DIAL_TOLD;
		turn->overdue(turn->user); /* it may give its turn back at once */
		turn = first_due(limiter);
	}
	set_timer(limiter);
}

/* The timer runs only while the end of a turn would be of use to another. */
static void set_timer(struct obi_dial_limiter *limiter)
{
	const struct obi_dial_turn *waits = first_waiting(limiter);
	const struct obi_dial_turn *due = waits != NULL ? first_due(limiter) : NULL;
	if (due == NULL) {
		obi_timer_stop(&limiter->timer);
		return;
	}
	int64_t ms = due_at(limiter, due) - obi_now_ms();
	limiter->timer.fn = on_timer;
	limiter->timer.user = limiter;
	obi_timer_set(waits->loop, &limiter->timer, ms > 0 ? ms : 0);
}

/* ---- Turns ---- */

static void grant(struct obi_dial_limiter *limiter, struct obi_dial_turn *turn)
{
	turn->place = OBI_DIAL_HOLDING;
	turn->since = obi_now_ms();
	append(&limiter->holders, turn);
	limiter->holding++;
}

/* Called from the loop, not inside the call of whoever made room. */
static void on_task(void *user)
{
	struct obi_dial_turn *turn = user;
	turn->fn(turn->user);
}

static void call_next(struct obi_dial_limiter *limiter)
{
	struct obi_dial_turn *next = first_waiting(limiter);
	if (next != NULL) {
		leave(line_of(next), next);
		grant(limiter, next);
		obi_task_queue(next->loop, &next->task);
	}
}

static void give_back(struct obi_dial_limiter *limiter, struct obi_dial_turn *turn)
{
	if (obi_now_ms() - turn->since < OBI_DIAL_LIMITER_MS) {
		turn->silent = 0;
	} else if (turn->silent < DOUBLINGS_MAX) {
		turn->silent++;
	}
	obi_task_stop(&turn->task);
	leave(&limiter->holders, turn);
	limiter->holding--;
	call_next(limiter);
}

bool obi_dial_limiter_ask(struct obi_dial_limiter *limiter, struct obi_loop *loop,
			  struct obi_dial_turn *turn)
{
	turn->limiter = limiter;
	turn->task.fn = on_task;
	turn->task.user = turn;
	turn->loop = loop;
	if (limiter->holding < OBI_DIAL_LIMITER_MAX) {
		grant(limiter, turn);
		return true;
	}
	turn->place = OBI_DIAL_WAITING;
	append(line_of(turn), turn);
	if (line_of(turn)->first == turn) {
		set_timer(limiter);
	}
	return false;
}

void obi_dial_turn_end(struct obi_dial_turn *turn)
{
	struct obi_dial_limiter *limiter = turn->limiter;
	uint8_t place = turn->place;
	if (place == OBI_DIAL_NOWHERE) {
		return;
	}
	turn->place = OBI_DIAL_NOWHERE;
	if (place == OBI_DIAL_WAITING) {
		leave(line_of(turn), turn);
	} else {
		give_back(limiter, turn);
	}
	set_timer(limiter);
}

bool obi_dial_turn_is_wanted(const struct obi_dial_turn *turn)
{
	return turn->place != OBI_DIAL_NOWHERE;
}
