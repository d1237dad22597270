/* SPDX-License-Identifier: MIT */
/*
 * The peercred authenticator: decides by the peer's user and group, which the kernel reports. It
 * runs on both sides, so a process that has taken the path of a socket is refused like one that
 * dials it.
 *
 * An acceptor admits its own effective user, root, and the users and groups that the host
 * configured. A dialer, and a parent whose child dials, admits the user that the host expects;
 * where it expects none, its own user and root.
 *
 * In another user namespace a user may have no number: then the peer cannot be told from others,
 * and is refused. A dialer looks whether it is itself such a user for its peer, which refuses it
 * without a word.
 */
#include <outboard/auth.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OVERFLOW_ID = 65534 };

/* The kernel shows this id in place of a user or group that has no number in our user namespace:
 * it does not identify anyone. */
static bool is_overflow(uint32_t id, const char *path)
{
	char text[16];
	char *end = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	if (fd >= 0) {
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	unsigned long shown = strtoul(text, &end, 10);
	return id == OVERFLOW_ID || (end != text && id == shown);
}

/* Whether the process is in another user namespace than we. False where that cannot be found out.
 */
static bool is_elsewhere(int32_t pid)
{
	char path[32];
	struct stat its, own;
	snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
	return stat(path, &its) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
	       (its.st_ino != own.st_ino || its.st_dev != own.st_dev);
}

/* Whether our user has no number in the user namespace of the process, so that the kernel shows it
 * the overflow uid in place of ours. False where that cannot be found out. */
static bool is_unmapped_for(int32_t pid)
{
	char path[32], line[128];
	unsigned inside, outside, count;
	bool found = false, readable = true;
	snprintf(path, sizeof path, "/proc/%d/uid_map", (int)pid);
	FILE *map = is_elsewhere(pid) ? fopen(path, "re") : NULL;
	while (map != NULL && !found && readable && fgets(line, sizeof line, map) != NULL) {
		/* In the map of another namespace `outside` is a number of ours. */
		readable = sscanf(line, "%u %u %u", &inside, &outside, &count) == 3;
		found = readable && geteuid() >= outside && geteuid() - outside < count;
	}
	readable = readable && map != NULL && ferror(map) == 0;
	if (map != NULL) {
		fclose(map);
	}
	return readable && !found;
}

static bool is_one_of(uint32_t id, const uint32_t *ids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ids[i] == id) {
			return true;
		}
	}
	return false;
}

static bool is_trusted(const struct ob_auth_params *params, const struct ob_peer *peer)
{
	bool configured = OB_HAS(params, allowed_uid) && params->allowed_uid != UINT32_MAX;
	bool home = OB_HAS(params, parent_dials) && !params->parent_dials;
	/* A dialer knows whom it dials, and a parent its child. "Ours or root" would let a child of
	 * another user redirect us to a socket of ours. */
	if (configured && (params->role == OB_AUTH_DIALER || home)) {
		return peer->uid == params->allowed_uid;
	}
	if (peer->uid == (uint32_t)geteuid() || peer->uid == 0 ||
	    (configured && peer->uid == params->allowed_uid)) {
		return true;
	}
	return OB_HAS(params, gid_count) &&
	       (is_one_of(peer->uid, params->uids, params->uid_count) ||
		(is_one_of(peer->gid, params->gids, params->gid_count) &&
		 !is_overflow(peer->gid, "/proc/sys/kernel/overflowgid")));
}

static int admit(const struct ob_host *host, const struct ob_auth_params *params,
		 struct ob_error *reterr)
{
	const struct ob_peer *peer = params->peer;
	if (!OB_HAS(peer, uid) || (peer->known & OB_PEER_UID) == 0 || peer->uid == UINT32_MAX) {
		return host->fail(reterr, OB_EAUTH, 0, "peercred: the peer's user is not known");
	}
	/* Refused even if it is our own id: all processes without a number of their own share
	 * it. */
	if (is_overflow(peer->uid, "/proc/sys/kernel/overflowuid")) {
		return host->fail(reterr, OB_EAUTH, 0,
				  "peercred: the peer's user %u is the overflow uid, which stands "
				  "for users without a number in this user namespace: use token or "
				  "noise instead",
				  peer->uid);
	}
	if (!is_trusted(params, peer)) {
		return host->fail(reterr, OB_EAUTH, 0,
				  "peercred: user %u of group %u is not allowed", peer->uid,
				  peer->gid);
	}
	if (params->role == OB_AUTH_DIALER && (peer->known & OB_PEER_PID) != 0 &&
	    is_unmapped_for(peer->pid)) {
		return host->fail(
		    reterr, OB_EAUTH, 0,
		    "peercred: our user %u has no number in the peer's user namespace: "
		    "use token or noise instead",
		    (unsigned)geteuid());
	}
	return OB_OK;
}

static int identity(struct ob_auth *auth, const struct ob_auth_params *params, struct ob_sink *out)
{
	char text[24];
	(void)auth;
	snprintf(text, sizeof text, "uid:%u", params->peer->uid);
	return ob_sink_text(out, text) ? OB_OK : OB_ENOMEM;
}

static const struct ob_auth_ops ops = {
    .size = sizeof ops,
    .flags = OB_AUTH_LOCAL_ONLY,
    .admit = admit,
    .identity = identity,
};

static const struct ob_plugin peercred = {
    .size = sizeof peercred,
    .kind = OB_PLUGIN_AUTH,
    .name = "peercred",
    .version = "1",
    .ops = &ops,
};

OB_PLUGIN_ENTRY(&peercred);
