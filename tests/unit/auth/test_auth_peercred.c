/* SPDX-License-Identifier: MIT */
/* The peercred authenticator, from its plugin file: which peers the kernel must report for a
 * connection to be accepted. */
#include "unit/auth/auth_group.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOMEBODY = 12345, SOMEBODY_ELSE = 12346, OVERFLOW_ID = 65534 };

static int judge_as(struct exchange *x, uint32_t role, uint32_t known, uint32_t uid,
		    uint32_t allowed)
{
	struct ob_peer peer = {.size = sizeof peer, .known = known, .uid = uid, .pidfd = -1};
	struct ob_auth_params params = x->params[0].role == role ? x->params[0] : x->params[1];
	params.peer = &peer;
	params.allowed_uid = allowed;
	assert_int_equal(params.role, role);
	return x->ops->admit(x->host, &params, &x->err);
}

/* The verdict on a peer with this uid, where both sides must come to the same one. */
static int judge(struct exchange *x, uint32_t known, uint32_t uid, uint32_t allowed)
{
	int acceptor = judge_as(x, OB_AUTH_ACCEPTOR, known, uid, allowed);
	assert_int_equal(judge_as(x, OB_AUTH_DIALER, known, uid, allowed), acceptor);
	return acceptor;
}

static void a_dialer_admits_only_the_user_it_expects(void **state)
{
	struct exchange *x = *state;
	assert_int_equal(judge_as(x, OB_AUTH_DIALER, OB_PEER_UID, SOMEBODY, SOMEBODY), OB_OK);
	assert_int_equal(judge_as(x, OB_AUTH_DIALER, OB_PEER_UID, 0, SOMEBODY), OB_EAUTH);
	assert_int_equal(judge_as(x, OB_AUTH_DIALER, OB_PEER_UID, geteuid(), SOMEBODY), OB_EAUTH);
	assert_int_equal(judge_as(x, OB_AUTH_ACCEPTOR, OB_PEER_UID, 0, SOMEBODY), OB_OK);
	assert_int_equal(judge_as(x, OB_AUTH_ACCEPTOR, OB_PEER_UID, geteuid(), SOMEBODY), OB_OK);
}

static void ourselves_root_and_the_configured_user_are_admitted(void **state)
{
	struct exchange *x = *state;
	assert_int_equal(judge(x, OB_PEER_UID, geteuid(), UINT32_MAX), OB_OK);
	assert_int_equal(judge(x, OB_PEER_UID, 0, UINT32_MAX), OB_OK);
	assert_int_equal(judge(x, OB_PEER_UID, SOMEBODY, SOMEBODY), OB_OK);
}

static void fault_49_another_user_is_refused(void **state)
{
	struct exchange *x = *state;
	assert_int_equal(judge(x, OB_PEER_UID, SOMEBODY, UINT32_MAX), OB_EAUTH);
	assert_int_equal(x->err.code, OB_EAUTH);
	assert_string_equal(x->err.text, "peercred: user 12345 of group 0 is not allowed");
	assert_int_equal(judge(x, OB_PEER_UID, SOMEBODY, SOMEBODY_ELSE), OB_EAUTH);
}

/* The host configures users and groups for peers that dial in. They do not apply to peers that
 * we dial. */
static void configured_peers_are_admitted(void **state)
{
	static const uint32_t uids[] = {7, SOMEBODY}, gids[] = {SOMEBODY_ELSE, OVERFLOW_ID};
	static const struct {
		uint32_t uid, gid;
		int said;
	} rows[] = {{SOMEBODY, 1, OB_OK},	{7, 1, OB_OK},
		    {8, SOMEBODY_ELSE, OB_OK},	{8, 1, OB_EAUTH},
		    {8, OVERFLOW_ID, OB_EAUTH}, {SOMEBODY_ELSE, SOMEBODY, OB_EAUTH}};
	struct exchange *x = *state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ob_peer peer = {.size = sizeof peer,
				       .known = OB_PEER_UID,
				       .uid = rows[i].uid,
				       .gid = rows[i].gid,
				       .pidfd = -1};
		struct ob_auth_params params = x->params[1];
		params.peer = &peer;
		params.uids = uids;
		params.uid_count = 2;
		params.gids = gids;
		params.gid_count = 2;
		assert_int_equal(x->ops->admit(x->host, &params, &x->err), rows[i].said);
		/* A host that does not know these members. */
		params.size = offsetof(struct ob_auth_params, uids);
		assert_int_equal(x->ops->admit(x->host, &params, &x->err), OB_EAUTH);
	}
}

static void fault_49_a_user_without_a_number_is_refused_even_if_configured(void **state)
{
	struct exchange *x = *state;
	assert_int_equal(judge(x, OB_PEER_UID, OVERFLOW_ID, OVERFLOW_ID), OB_EAUTH);
	assert_string_equal(
	    x->err.text,
	    "peercred: the peer's user 65534 is the overflow uid, which stands for users without a "
	    "number in this user namespace: use token or noise instead");
}

/* Continue in a user namespace in which no other user has a number. */
static bool enter_namespace(void)
{
	char map[32];
	int len = snprintf(map, sizeof map, "%d %d 1", SOMEBODY, SOMEBODY);
	if (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) != 0 ||
	    setresuid(SOMEBODY, SOMEBODY, SOMEBODY) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0 ||
	    unshare(CLONE_NEWUSER) != 0) {
		return false;
	}
	int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	bool mapped = fd >= 0 && write(fd, map, (size_t)len) == len;
	if (fd >= 0) {
		close(fd);
	}
	return mapped && geteuid() == SOMEBODY;
}

/* A peer outside the namespace: it was root, and cannot be named any more. This process does not
 * come back, so it is the last test. */
static void fault_49_a_peer_outside_our_user_namespace_is_refused(void **state)
{
	struct exchange *x = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX}; /* the kernel chooses an abstract one */
	struct ucred facts = {0};
	socklen_t len = sizeof(sa_family_t);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (geteuid() != 0) {
		print_message("skipped: only root can act as another user\n");
		skip();
	}
	assert_int_equal(bind(listener, (struct sockaddr *)&name, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	len = sizeof name;
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&name, len), 0);
	if (!enter_namespace()) {
		print_message("skipped: no user namespace can be made here\n");
		skip();
	}
	int fd = accept(listener, NULL, NULL);
	len = sizeof facts;
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &facts, &len), 0);
	assert_int_equal(facts.uid, OVERFLOW_ID);
	assert_int_equal(judge(x, OB_PEER_UID, facts.uid, OVERFLOW_ID), OB_EAUTH);
	close(fd);
	close(peer);
	close(listener);
}

static void a_fact_that_is_not_known_is_a_refusal(void **state)
{
	struct exchange *x = *state;
	assert_int_equal(judge(x, 0, geteuid(), UINT32_MAX), OB_EAUTH);
	assert_int_equal(judge(x, OB_PEER_PID | OB_PEER_ADDRESS, 0, UINT32_MAX), OB_EAUTH);
	assert_int_equal(judge(x, OB_PEER_UID, UINT32_MAX, UINT32_MAX), OB_EAUTH);
	assert_string_equal(x->err.text, "peercred: the peer's user is not known");
}

/* The struct of an older host ends before the member: nothing may be read there. */
static void members_that_an_older_host_lacks_are_not_read(void **state)
{
	struct exchange *x = *state;
	struct ob_peer peer = {
	    .size = offsetof(struct ob_peer, uid), .known = OB_PEER_UID, .uid = 0};
	struct ob_auth_params params = x->params[0];
	params.peer = &peer;
	assert_int_equal(x->ops->admit(x->host, &params, NULL), OB_EAUTH);
	peer = (struct ob_peer){.size = sizeof peer, .known = OB_PEER_UID, .uid = SOMEBODY};
	params.size = offsetof(struct ob_auth_params, allowed_uid);
	params.allowed_uid = SOMEBODY;
	assert_int_equal(x->ops->admit(x->host, &params, NULL), OB_EAUTH);
}

static void our_own_socket_is_admitted(void **state)
{
	struct exchange *x = *state;
	int fds[2];
	struct ucred facts = {0};
	socklen_t len = sizeof facts;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &facts, &len), 0);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(judge(x, OB_PEER_UID, facts.uid, UINT32_MAX), OB_OK);
}

static void the_subject_is_the_user(void **state)
{
	struct exchange *x = *state;
	struct ob_peer peer = {.size = sizeof peer, .known = OB_PEER_UID, .uid = SOMEBODY};
	struct ob_auth_params params = x->params[0];
	char text[255];
	struct ob_sink out = ob_sink_fixed(text, sizeof text);
	params.peer = &peer;
	assert_int_equal(x->ops->identity(NULL, &params, &out), OB_OK);
	assert_true(ob_bytes_is(ob_bytes_of(text, out.len), "uid:12345"));
}

static void it_decides_without_a_message_and_on_local_transports_only(void **state)
{
	struct exchange *x = *state;
	assert_null(x->ops->create);
	assert_null(x->ops->step);
	assert_int_equal(x->ops->flags, OB_AUTH_LOCAL_ONLY);
}

static int load(void **state)
{
	return auth_group_setup(state, "peercred", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ourselves_root_and_the_configured_user_are_admitted),
	    cmocka_unit_test(a_dialer_admits_only_the_user_it_expects),
	    cmocka_unit_test(fault_49_another_user_is_refused),
	    cmocka_unit_test(configured_peers_are_admitted),
	    cmocka_unit_test(fault_49_a_user_without_a_number_is_refused_even_if_configured),
	    cmocka_unit_test(a_fact_that_is_not_known_is_a_refusal),
	    cmocka_unit_test(members_that_an_older_host_lacks_are_not_read),
	    cmocka_unit_test(our_own_socket_is_admitted),
	    cmocka_unit_test(the_subject_is_the_user),
	    cmocka_unit_test(it_decides_without_a_message_and_on_local_transports_only),
	    cmocka_unit_test(fault_49_a_peer_outside_our_user_namespace_is_refused),
	};
	return cmocka_run_group_tests(tests, load, auth_group_teardown);
}
