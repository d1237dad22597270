/* SPDX-License-Identifier: MIT */
#include "supervisor/reports.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

static void set_last_error(struct obi_reports *reports, const char *text)
{
	snprintf(reports->setup.last_error, 256, "%.255s", text);
}

enum { TEXT = 256 };

void obi_reports_free(struct obi_reports *reports)
{
	obi_kept_text_clear(&reports->note);
	obi_kept_text_clear(&reports->cause);
	obi_kept_text_clear(&reports->end);
	obi_kept_text_clear(&reports->reason);
}

void obi_reports_note(struct obi_reports *reports, const struct ob_error *err)
{
	if (!reports->noted) {
		reports->note_code = err->code;
		obi_kept_text_set(&reports->note, err->text);
		reports->noted = true;
	}
	set_last_error(reports, err->text);
}

void obi_reports_notef(struct obi_reports *reports, int code, const char *format, ...)
{
	struct ob_error err;
	va_list args;
	va_start(args, format);
	obi_failv(&err, code, 0, format, args);
	va_end(args);
	obi_reports_note(reports, &err);
}

struct ob_error obi_reports_take_note(struct obi_reports *reports)
{
	struct ob_error err;
	if (reports->noted) {
		obi_fail(&err, reports->note_code, 0, "%s", obi_kept_text(&reports->note));
	} else {
		obi_fail(&err, OB_ECANCELED, 0, "the start of outboard process %s was canceled",
			 reports->setup.name);
	}
	reports->noted = false;
	obi_kept_text_clear(&reports->note);
	return err;
}

void obi_reports_cause(struct obi_reports *reports, const char *format, ...)
{
	char text[TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	obi_kept_text_set(&reports->cause, text);
}

void obi_reports_reason(struct obi_reports *reports, const char *format, ...)
{
	const char *before = obi_kept_text(&reports->reason);
	char text[TEXT], both[2 * TEXT + 2];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (before[0] == '\0') {
		obi_kept_text_set(&reports->reason, text);
	} else if (strstr(before, text) == NULL) {
		snprintf(both, sizeof both, "%s; %s", before, text);
		both[TEXT - 1] = '\0';
		obi_kept_text_set(&reports->reason, both);
	}
}

void obi_reports_not_gone(struct obi_reports *reports, const struct ob_error *err)
{
	reports->end_code = err->code;
	obi_kept_text_set(&reports->end, err->text);
	obi_reports_reason(reports, "%s", err->text);
	obi_reports_note(reports, err);
}

struct ob_error obi_reports_why_not_gone(const struct obi_reports *reports)
{
	struct ob_error err;
	obi_fail(&err, reports->end_code, 0, "%s", obi_kept_text(&reports->end));
	return err;
}

void obi_reports_emit(struct obi_reports *reports, enum ob_event_type type, int64_t delay_ms)
{
	const struct obi_instance *instance = reports->setup.instance;
	char cause[TEXT]; /* the callback may lead to another one */
	snprintf(cause, sizeof cause, "%s", obi_kept_text(&reports->cause));
	struct ob_event event = {
	    .size = sizeof event,
	    .type = type,
	    .name = reports->setup.name,
	    .pid = instance->pid,
	    .exit_kind = instance->exit.kind,
	    .exit_value = instance->exit.value,
	    .cause = cause,
	    .restarts = instance->state.restart.count,
	    .delay_ms = delay_ms,
	    .expected = reports->expected,
	    .usage = instance->usage,
	};
	if (type == OB_EVENT_RESTARTING || type == OB_EVENT_FAILED || type == OB_EVENT_UNHEALTHY ||
	    type == OB_EVENT_UNRESPONSIVE) {
		set_last_error(reports, cause);
	}
	reports->expected = false;
	obi_reports_changed(reports);
	if (reports->setup.event != NULL) {
		reports->setup.event(reports->setup.user, &event);
	}
}

void obi_reports_changed(struct obi_reports *reports)
{
	reports->setup.changed(reports->setup.user);
}

static void log_line(const struct obi_reports *reports, int level, const char *text)
{
	struct ob_log_record record = {
	    .size = sizeof record,
	    .name = reports->setup.name,
	    .stream = 2,
	    .level = level,
	    .message = ob_bytes_text(text),
	    .attrs = ob_map(NULL, 0),
	    .line = ob_bytes_text(text),
	};
	clock_gettime(CLOCK_REALTIME, &record.time);
	if (reports->setup.log != NULL) {
		reports->setup.log(reports->setup.user, &record);
	}
}

void obi_reports_warn(struct obi_reports *reports, const char *text)
{
	log_line(reports, OB_LOG_WARN, text);
}

void obi_reports_fault(struct obi_reports *reports, const char *text)
{
	set_last_error(reports, text);
	log_line(reports, OB_LOG_ERROR, text);
}
