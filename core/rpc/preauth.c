/* SPDX-License-Identifier: MIT */
#include "rpc/preauth.h"

#include <stddef.h>

#include "base/error.h"

/* ---- Slots ---- */

static struct obi_preauth *owner_of(struct obi_admission_slot *slot)
{
	return (struct obi_preauth *)(void *)((char *)slot - offsetof(struct obi_preauth, slot));
}

static bool update_rank(struct obi_preauth *who, int64_t now)
{
	static const enum obi_admission_rank rank_of[] = {
	    [OBI_PROGRESS_NONE] = OBI_ADMISSION_SILENT,
	    [OBI_PROGRESS_TALKING] = OBI_ADMISSION_TALKING,
	    [OBI_PROGRESS_PROVEN] = OBI_ADMISSION_PROVEN,
	};
	return obi_admission_advance(&who->slot, rank_of[obi_connection_progress(who->connection)],
				     now);
}

/* The ranks in admission are old: connections were read from since. The clock is asked once: where
 * that takes a system call, a flood would spend most of its time on it. */
static void update_ranks(struct obi_preauth_line *line)
{
	int64_t now = obi_now_ms();
	for (struct obi_admission_slot *s = line->admission.first; s != NULL; s = s->next) {
		(void)update_rank(owner_of(s), now);
	}
}

/* Its next message may have arrived without having been read yet. Returns whether the connection
 * made progress, opened or ended when it was read. */
static bool read_now(struct obi_preauth_line *line, struct obi_preauth *who)
{
	line->reading = who;
	obi_connection_look(who->connection);
	if (line->reading != who) {
		return true;
	}
	line->reading = NULL;
	return update_rank(who, obi_now_ms());
}

struct obi_admission_answer obi_preauth_admit(struct obi_preauth_line *line, struct obi_origin from)
{
	struct obi_admission_answer answer =
	    obi_admission_ask(&line->admission, from, obi_now_ms());
	if (answer.verdict == OBI_ADMISSION_ENTER || answer.verdict == OBI_ADMISSION_BLOCKED) {
		return answer;
	}
	update_ranks(line);
	for (;;) {
		answer = obi_admission_ask(&line->admission, from, obi_now_ms());
		struct obi_preauth *who = answer.victim != NULL ? owner_of(answer.victim) : NULL;
		if (who != NULL && read_now(line, who)) {
			continue;
		}
		if (answer.verdict != OBI_ADMISSION_EVICT) {
			return answer;
		}
		line->events.evict(line->events.user, who);
	}
}

void obi_preauth_enter(struct obi_preauth_line *line, struct obi_preauth *who,
		       struct obi_origin from)
{
	who->from = from;
	obi_admission_enter(&line->admission, from, obi_now_ms(), &who->slot);
}

int64_t obi_preauth_leave(struct obi_preauth_line *line, struct obi_preauth *who,
			  enum obi_admission_end how)
{
	bool held = obi_admission_is_admitted(&who->slot);
	int64_t ms = obi_admission_leave(&line->admission, &who->slot, how, obi_now_ms());
	if (line->reading == who) {
		line->reading = NULL;
	}
	if (held) {
		line->events.slot_free(line->events.user);
	}
	return ms;
}

/* ---- The end of one ---- */

/*
 * A peer that connects and leaves without a byte, as a port check does, has done nothing wrong. One
 * that leaves after it began has failed: a dialer ends like this if it found our proof to be wrong.
 */
static enum obi_admission_end end_of(const struct obi_preauth *who, const struct ob_error *err)
{
	switch (err->code) {
	case OB_ENOMEM:
	case OB_ECLOSED:
	case OB_EIO:
	case OB_EPLUGIN:
	case OB_EDOWN: /* what a mechanism needs is not there */
		return OBI_ADMISSION_GONE;
	case OB_EREFUSED:
	case OB_ECONNLOST:
		return obi_connection_has_heard(who->connection) ? OBI_ADMISSION_FAILED
								 : OBI_ADMISSION_GONE;
	default:
		return OBI_ADMISSION_FAILED;
	}
}

enum obi_preauth_say obi_preauth_ended(struct obi_preauth_line *line, struct obi_preauth *who,
				       const struct ob_error *err, struct ob_error *ret_shown)
{
	bool left = err->code == OB_ECONNLOST || err->code == OB_EREFUSED;
	enum obi_admission_end how = end_of(who, err);
	/* Who has shown that he knows the secret, and leaves before he is let in, has not failed.
	 */
	bool spared = left && obi_connection_progress(who->connection) == OBI_PROGRESS_PROVEN;
	int64_t ms = obi_preauth_leave(line, who, spared ? OBI_ADMISSION_GONE : how);
	*ret_shown = *err;
	if (left && how == OBI_ADMISSION_GONE) {
		return OBI_PREAUTH_SAY_NOTHING;
	}
	if (left && ms == 0) {
		return OBI_PREAUTH_SAY_LEFT;
	}
	if (ms > 0) {
		obi_fail(ret_shown, err->code, 0,
			 "%.400s; connections from this source are refused for %lld ms", err->text,
			 (long long)ms);
	}
	return OBI_PREAUTH_SAY_REFUSED;
}
