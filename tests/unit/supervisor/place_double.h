/* SPDX-License-Identifier: MIT */
/*
 * place_double - a place without processes, files or pipes. It notes which operations were called,
 * and the test says when they are answered, in which order and with what; what the process does;
 * and when the place is lost.
 */
#ifndef OB_TESTS_UNIT_PLACE_DOUBLE_H
#define OB_TESTS_UNIT_PLACE_DOUBLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "place/place.h"

enum double_op { DOUBLE_PROBE, DOUBLE_PREPARE, DOUBLE_SPAWN, DOUBLE_ADOPT, DOUBLE_RESOLVE };
enum { DOUBLE_DUE_MAX = 256 };

struct double_due {
	enum double_op op;
	uint64_t number;
	char address[64]; /* to be resolved */
};

struct place_double {
	struct obi_place place;
	bool prompt;			       /* answer within the operation */
	char calls[16 * 1024];		       /* "probe prepare signal:2 ", in their order */
	struct double_due due[DOUBLE_DUE_MAX]; /* not answered yet, the oldest first */
	size_t due_count;
	struct obi_place_facts facts;		  /* for the next answer to a probe */
	const struct obi_statefile *saved_before; /* the same; NULL: none */
	struct obi_statefile saved;		  /* by the last save */
	struct ob_config config;		  /* of the last prepare, or of the test */
	bool has_config;
	int32_t next_pid;
	bool running; /* a process of this place lives */
	bool linger;  /* a process that exits leaves something: the test says when it is gone */
	int freed;
};

static inline struct place_double *double_of(struct obi_place *place)
{
	return (struct place_double *)place;
}

static inline void double_note(struct place_double *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void double_note(struct place_double *d, const char *format, ...)
{
	size_t len = strlen(d->calls);
	va_list args;
	va_start(args, format);
	vsnprintf(d->calls + len, sizeof d->calls - len, format, args);
	va_end(args);
}

/* What was called since this was asked last. */
static inline void double_expect_calls(struct place_double *d, const char *want)
{
	assert_string_equal(d->calls, want);
	d->calls[0] = '\0';
}

/* ---- Answers ---- */

static inline struct obi_place_child double_child(int32_t pid)
{
	struct obi_place_child child = {.pid = pid};
	snprintf(child.record, sizeof child.record, "double:%d", (int)pid);
	return child;
}

static inline void double_spawned(struct place_double *d, uint64_t number,
				  const struct ob_error *err)
{
	if (err != NULL) {
		d->place.events->spawned(d->place.user, number, NULL, err);
		return;
	}
	struct obi_place_child child = double_child(++d->next_pid);
	d->running = true;
	d->place.events->spawned(d->place.user, number, &child, NULL);
}

/* Answer number i of those that are due. err: NULL: it is done. */
static inline void double_answer_due(struct place_double *d, size_t i, const struct ob_error *err)
{
	const struct obi_place_events *events = d->place.events;
	struct double_due due = d->due[i];
	memmove(&d->due[i], &d->due[i + 1], (--d->due_count - i) * sizeof d->due[0]);
	switch (due.op) {
	case DOUBLE_PROBE: {
		struct obi_place_facts facts = d->facts;
		d->running = err == NULL ? facts.alive : d->running;
		events->probed(d->place.user, due.number, err == NULL ? &facts : NULL,
			       err == NULL ? d->saved_before : NULL, err);
		break;
	}
	case DOUBLE_PREPARE:
		events->prepared(d->place.user, due.number, err);
		break;
	case DOUBLE_SPAWN:
		double_spawned(d, due.number, err);
		break;
	case DOUBLE_ADOPT:
		events->adopted(d->place.user, due.number, err);
		break;
	case DOUBLE_RESOLVE:
		events->resolved(d->place.user, due.number, err == NULL ? due.address : NULL, err);
		break;
	}
}

/* Answer the oldest operation of this kind, which must be due. */
static inline void double_answer(struct place_double *d, enum double_op op,
				 const struct ob_error *err)
{
	for (size_t i = 0; i < d->due_count; i++) {
		if (d->due[i].op == op) {
			double_answer_due(d, i, err);
			return;
		}
	}
	fail_msg("operation %d is not due", (int)op);
}

static inline void double_add(struct place_double *d, enum double_op op, uint64_t number,
			      const char *address)
{
	assert_true(d->due_count < DOUBLE_DUE_MAX);
	struct double_due *due = &d->due[d->due_count++];
	*due = (struct double_due){.op = op, .number = number};
	snprintf(due->address, sizeof due->address, "%s", address);
	if (d->prompt) {
		double_answer_due(d, d->due_count - 1, NULL);
	}
}

/* ---- Events ---- */

/* Nothing is left, or (err) it is and nothing is done about it. */
static inline void double_gone(struct place_double *d, const struct ob_error *err)
{
	struct obi_place_facts facts = {.alive = false};
	d->place.events->gone(d->place.user, err == NULL ? &facts : NULL, err);
}

static inline void double_exit(struct place_double *d, enum ob_exit_kind kind, int value)
{
	struct obi_exit how = {kind, value};
	d->running = false;
	d->place.events->exited(d->place.user, &how);
	if (!d->linger) {
		double_gone(d, NULL);
	}
}

static inline void double_config(struct place_double *d)
{
	struct ob_error err;
	obi_fail(&err, OB_ENOENT, 0, "no config");
	d->place.events->config(d->place.user, d->has_config ? &d->config : NULL,
				d->has_config ? NULL : &err);
}

/* The child writes that it is ready at this address. */
static inline void double_ready(struct place_double *d, const char *address)
{
	d->config.ready = true;
	assert_int_equal(ob_config_set(&d->config.rpc_addr, address), OB_OK);
	double_config(d);
}

static inline void double_lose(struct place_double *d)
{
	struct ob_error err;
	obi_fail(&err, OB_ECONNLOST, 0, "the double is lost");
	d->place.events->lost(d->place.user, &err);
}

/* ---- Operations ---- */

static inline void double_op_probe(struct obi_place *place, uint64_t op, bool create)
{
	double_note(double_of(place), create ? "probe " : "probe-only ");
	double_add(double_of(place), DOUBLE_PROBE, op, "");
}

static inline void double_op_prepare(struct obi_place *place, uint64_t op, struct ob_config *config,
				     uint32_t flags)
{
	struct place_double *d = double_of(place);
	(void)flags;
	double_note(d, "prepare ");
	ob_config_clear(&d->config);
	d->config.ready = false;
	d->has_config = true;
	assert_int_equal(ob_config_set(&d->config.instance, config->instance), OB_OK);
	double_add(d, DOUBLE_PREPARE, op, "");
}

static inline void double_op_spawn(struct obi_place *place, uint64_t op)
{
	struct place_double *d = double_of(place);
	double_note(d, "spawn ");
	assert_false(d->running); /* never two processes */
	double_add(d, DOUBLE_SPAWN, op, "");
}

static inline void double_op_adopt(struct obi_place *place, uint64_t op, const char *record,
				   uint32_t flags)
{
	(void)flags;
	double_note(double_of(place), "adopt:%s ", record);
	double_add(double_of(place), DOUBLE_ADOPT, op, "");
}

static inline void double_op_read_config(struct obi_place *place)
{
	double_note(double_of(place), "read ");
	double_config(double_of(place));
}

static inline void double_op_unwatch(struct obi_place *place)
{
	double_note(double_of(place), "unwatch ");
}

static inline void double_op_resolve(struct obi_place *place, uint64_t op, const char *address)
{
	double_note(double_of(place), "resolve ");
	double_add(double_of(place), DOUBLE_RESOLVE, op, address);
}

static inline void double_op_signal(struct obi_place *place, int signal)
{
	double_note(double_of(place), "signal:%d ", signal);
}

static inline void double_op_end(struct obi_place *place, int64_t wait_ms)
{
	double_note(double_of(place), wait_ms > 0 ? "end-now " : "end ");
	if (wait_ms > 0 && double_of(place)->prompt) {
		double_exit(double_of(place), OB_EXIT_SIGNAL, 9);
	}
}

static inline void double_op_end_holders(struct obi_place *place)
{
	double_note(double_of(place), "end-holders ");
}

static inline void double_op_save(struct obi_place *place, const struct obi_statefile *state)
{
	double_note(double_of(place), "save ");
	double_of(place)->saved = *state;
}

static inline int double_op_renew(struct obi_place *place, const struct obi_statefile *state,
				  bool *ret_renewed, struct ob_error *reterr)
{
	(void)state;
	(void)reterr;
	(void)place;
	*ret_renewed = false;
	return OB_OK;
}

static inline void double_op_clear(struct obi_place *place)
{
	double_note(double_of(place), "clear ");
}

static inline void double_op_detach(struct obi_place *place)
{
	double_note(double_of(place), "detach ");
}

static inline void double_op_free(struct obi_place *place)
{
	struct place_double *d = double_of(place);
	ob_config_clear(&d->config);
	d->freed++;
}

static const struct obi_place_ops double_ops = {
    .probe = double_op_probe,
    .prepare = double_op_prepare,
    .spawn = double_op_spawn,
    .adopt = double_op_adopt,
    .read_config = double_op_read_config,
    .unwatch = double_op_unwatch,
    .resolve = double_op_resolve,
    .signal = double_op_signal,
    .end = double_op_end,
    .end_holders = double_op_end_holders,
    .save = double_op_save,
    .renew = double_op_renew,
    .clear = double_op_clear,
    .detach = double_op_detach,
    .free = double_op_free,
};

static inline void double_init(struct place_double *d)
{
	*d = (struct place_double){.place = {.ops = &double_ops}, .next_pid = 100};
	d->config.size = sizeof d->config;
}

#endif
