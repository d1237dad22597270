/* SPDX-License-Identifier: MIT */
/*
 * supervisor/reports - what the user of a supervisor is told: events with their cause, the error of
 * a start that fails, and that the status has changed.
 */
#ifndef OBI_SUPERVISOR_REPORTS_H
#define OBI_SUPERVISOR_REPORTS_H

#include <outboard/outboard.h>

#include "base/kept_text.h"
#include "supervisor/instance.h"

struct obi_reports_setup {
	const char *name;		     /* of the child */
	const struct obi_instance *instance; /* pid, exit and counters of the events */
	char *last_error;		     /* of the state, 256 bytes */
	void (*event)(void *user, const struct ob_event *event); /* may be NULL */
	ob_log_fn *log;						 /* may be NULL */
	void (*changed)(void *user);
	void *user;
};

struct obi_reports {
	struct obi_reports_setup setup;
	int note_code; /* why the open start request is about to fail */
	struct obi_kept_text note;
	bool noted;
	bool expected;		    /* the next event was asked for, or is no failure */
	struct obi_kept_text cause; /* of the next event */
	int end_code;		    /* why the child is not gone */
	struct obi_kept_text end;
	struct obi_kept_text reason; /* why the present process does not go on, as far as known */
};

void obi_reports_free(struct obi_reports *reports);

/* Why the open start request is about to fail. The first note counts, until it is taken or
 * dropped. */
void obi_reports_note(struct obi_reports *reports, const struct ob_error *err);
void obi_reports_notef(struct obi_reports *reports, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The note; without one, that the start was canceled. */
struct ob_error obi_reports_take_note(struct obi_reports *reports);

/* Why the child is not gone: that is a reason, and noted, too. */
void obi_reports_not_gone(struct obi_reports *reports, const struct ob_error *err);
struct ob_error obi_reports_why_not_gone(const struct obi_reports *reports);

/* What the next event names as its cause. */
void obi_reports_cause(struct obi_reports *reports, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Why the present process does not go on. What was said before stays in front: the first reason
 * is the one that a person needs. */
void obi_reports_reason(struct obi_reports *reports, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void obi_reports_emit(struct obi_reports *reports, enum ob_event_type type, int64_t delay_ms);

/* What obi_supervisor_status() shows has changed. */
void obi_reports_changed(struct obi_reports *reports);

/* What an operator should know, as a log record. */
void obi_reports_warn(struct obi_reports *reports, const char *text);

/* A fault of this library: as a log record, and as the last error. */
void obi_reports_fault(struct obi_reports *reports, const char *text);

#endif
