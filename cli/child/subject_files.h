/* SPDX-License-Identifier: MIT */
/* subject_files - what a subject writes: its outboard.json, and its output. */
#ifndef OBI_CLI_CHILD_SUBJECT_FILES_H
#define OBI_CLI_CHILD_SUBJECT_FILES_H

#include "cli/child/subject.h"

/* Read a file of JSON into texts[which]; the tree lives until the next start. */
int obi_subject_read(struct obi_subject *s, const char *path, int which, struct ob_value *ret,
		     struct ob_error *reterr);

/* Watch the data directory from before the start on. *ret_watch is to be closed. */
int obi_subject_watch(struct obi_subject *s, int *ret_watch, struct ob_error *reterr);

/* Wait until outboard.json says ready, at most for the patience, and fill in s->readiness. */
void obi_subject_await_told(struct obi_subject *s, int watch);

/* An ob_log_fn: note a line of its output. */
void obi_subject_note_line(void *subject, const struct ob_log_record *record);

#endif
