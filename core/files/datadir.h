/* SPDX-License-Identifier: MIT */
/*
 * files/datadir - the data directory of one child: the child's side.
 *
 * It belongs to the child's user and holds outboard.json, the two FIFOs and, by default, the
 * socket. The child can change all of it at any time, so the parent believes nothing in it but what
 * files/child_config and files/child_address allow; what the parent trusts is in files/statedir.
 * Everything here is done through the descriptor of the directory.
 */
#ifndef OBI_FILES_DATADIR_H
#define OBI_FILES_DATADIR_H

#include <outboard/config.h>
#include <sys/types.h>

#include "base/names.h"

/* Which directory is meant, whatever its name is now. Zeroed: none. */
struct obi_directory_id {
	uint64_t device;
	uint64_t inode;
};

struct obi_datadir {
	char *path;
	int fd;	   /* the directory; -1: closed, or resting (then path is set) */
	uid_t uid; /* of the child; it gets the files that it must read */
	gid_t gid;
	struct obi_directory_id made; /* the directory, if we made it; else zeroed */
	struct obi_directory_id id;   /* while it rests */
};

#define OBI_DATADIR_NONE ((struct obi_datadir){.fd = -1})

/*
 * Make the directory at path (absolute) if it is missing, and those above it, and open it. uid and
 * gid are the child's (obi_child_user). A directory that this call makes is given to the child. One
 * that is there must belong to the child, or be `made`, which an earlier call made (the child was
 * of another user then): that is given to the child, too. Any other is refused and not changed. The
 * mode is set to 0700. No directory above may be one that others can redirect (files/trusted_path).
 * "creating data directory: ..."
 */
int obi_datadir_make(const char *path, uid_t uid, gid_t gid, const struct obi_directory_id *made,
		     struct obi_datadir *ret, struct ob_error *reterr);

/* Open one that is there, for a child that lives. It must belong to uid. OB_ENOENT: there is none.
 * "opening data directory: ..." */
int obi_datadir_open(const char *path, uid_t uid, gid_t gid, struct obi_datadir *ret,
		     struct ob_error *reterr);

void obi_datadir_close(struct obi_datadir *dir);

/*
 * Close the descriptor and keep all else: a child that runs costs its parent no descriptor for its
 * directory. obi_datadir_wake() opens the same directory again, by the rules of obi_datadir_open();
 * OB_ENOENT: another one is there now. Both do nothing where there is nothing to do.
 */
void obi_datadir_rest(struct obi_datadir *dir);
int obi_datadir_wake(struct obi_datadir *dir, struct ob_error *reterr);

/* Remove temporary files; with all, also the config, the token, the FIFOs and the socket. No child
 * may live. */
void obi_datadir_clean(const struct obi_datadir *dir, bool all);

/* Read and write outboard.json; see files/child_config. It is written without fsync: its content is
 * void after a reboot. */
int obi_datadir_read_config(const struct obi_datadir *dir, struct ob_config *ret,
			    struct ob_error *reterr);
int obi_datadir_write_config(const struct obi_datadir *dir, const struct ob_config *config,
			     struct ob_error *reterr);

/* Write the file with the token alone, 0600, for the child's user. "writing token file: ..." */
int obi_datadir_write_token(const struct obi_datadir *dir, const char *token,
			    struct ob_error *reterr);

#endif
