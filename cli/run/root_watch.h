/* SPDX-License-Identifier: MIT */
/*
 * root_watch - what the supervisor needs in data_root, made again when somebody removes it: a
 * cleaner of temporary files, or `rm -r`.
 *
 * It looks once a second: at data_root and its lock, at the record of the children, at the socket
 * for requests, and at the state directories, at a part of them each time. What belongs to somebody
 * else is left alone and told: a data_root that another supervisor or another user has made, a
 * socket on which another server listens, a file that is no socket.
 */
#ifndef OBI_CLI_RUN_ROOT_WATCH_H
#define OBI_CLI_RUN_ROOT_WATCH_H

#include <sys/types.h>

#include "cli/run/removed.h"
#include "cli/run/requests.h"

enum obi_root_part {
	OBI_ROOT_ITSELF = 0,
	OBI_ROOT_ITS_LOCK,
	OBI_ROOT_ITS_RECORD,
	OBI_ROOT_ITS_SOCKET,
	OBI_ROOT_PARTS
};

struct obi_root_watch {
	ob_runtime *rt;
	struct obi_root *root;
	struct obi_run_log *log;
	struct obi_members *members;
	struct obi_removed *removed;
	struct obi_run_requests *requests;

	ob_watch *timer;
	dev_t socket_dev; /* of the socket that we made */
	ino_t socket_ino;
	uint64_t looked_at; /* number of the last member whose state was looked at */
	/* Why each cannot be made again, as it was told; empty: it is there. */
	char told[OBI_ROOT_PARTS][200];
};

/* Begin, when the requests are served. */
int obi_root_watch_begin(struct obi_root_watch *watch, struct ob_error *reterr);
void obi_root_watch_end(struct obi_root_watch *watch);

#endif
