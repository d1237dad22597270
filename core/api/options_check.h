/* SPDX-License-Identifier: MIT */
/* api/options_check - the faults in the options of a connector. */
#ifndef OBI_API_OPTIONS_CHECK_H
#define OBI_API_OPTIONS_CHECK_H

#include <outboard/connector.h>

#include "process/user.h"

/* Where faults go. Zeroed: they are only counted. */
struct obi_option_faults {
	ob_fault_fn *fn; /* may be NULL */
	void *user;
	uint32_t count;	       /* of errors: not of files and warnings */
	struct ob_error first; /* the first of them: "OPTION: REASON" */
};

/* Report a fault of an option. */
void obi_option_fault(struct obi_option_faults *faults, uint32_t kind, const char *option,
		      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Where a child with this directory listens by default. False: the path is too long. */
enum { OBI_LISTEN_SIZE = 12800 };
bool obi_options_default_listen(const char *data_path, char ret[OBI_LISTEN_SIZE]);

/* Report what can be told from each option alone, without the user database, plugins or files; and
 * of run_as what this process may do. */
void obi_options_check(const struct ob_connector_options *options,
		       struct obi_option_faults *faults);

/* Report what stands against run_as on this machine, as this user. */
void obi_options_check_run_as(const struct ob_connector_options *options,
			      struct obi_option_faults *faults);

/* Warn of the user namespace that the command makes, as far as its arguments tell. child: whom the
 * data directory will belong to; peercred: it is in the list between parent and child. */
void obi_options_check_sandbox(const struct ob_connector_options *options, uint32_t child,
			       bool peercred, struct obi_option_faults *faults);

/* Report what makes no sense for a child that others start (argv is NULL), or only for that. */
void obi_options_check_attached(const struct ob_connector_options *options,
				struct obi_option_faults *faults);

/* Report what makes no sense for a child behind an agent (via is set), and the faults in its
 * placeholders, which the agent replaces. */
void obi_options_check_via(const struct ob_connector_options *options,
			   struct obi_option_faults *faults);

/* Report what stands in the way of the directories of a child that runs as this user. Nothing is
 * made or changed. */
void obi_options_check_paths(const struct ob_connector_options *options,
			     const struct obi_user *user, struct obi_option_faults *faults);

#endif
