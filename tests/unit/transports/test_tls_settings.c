/* SPDX-License-Identifier: MIT */
/* The settings of tls: what is refused, and files that change. */
#include "unit/transports/tls_bed.h"

#include <sys/stat.h>

/* ---- What is refused ---- */

#define PINNED(digest) "{" SHOW("server") "," CA ",\"fingerprints\":[\"" digest "\"]}"
#define DIGEST(last)   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde" last
#define NO_DIGEST      "fingerprints: item 1 is not a SHA-256 in 64 hex digits"

static const char *const wrong[][2] = {
    {"{}", "certificate: required, with key, unless mutual is false"},
    {"{\"mutual\":false}", "certificate: required to listen, or ca or fingerprints to dial"},
    {"{\"certificat\":\"/x\"}", "unknown key \"certificat\": there are certificate, key, "},
    {"{\"certificate\":\"/x\"," CA "}", "key: required with certificate"},
    {"{\"key\":\"/x\"," CA "}", "certificate: required with key"},
    {"{" SHOW("server") "}", "ca: required, or fingerprints, unless mutual is false"},
    {"{\"certificate\":\"x\",\"key\":\"/x\"," CA "}",
     "certificate: not the absolute path of a file"},
    {"{\"certificate\":7,\"key\":\"/x\"," CA "}", "certificate: not the absolute path of a file"},
    {"{\"mutual\":1," CA "}", "mutual: not true or false"},
    {"{" SHOW("server") "," CA ",\"names\":\"x\"}", "names: not a list of 1 to 1024 strings"},
    {"{" SHOW("server") "," CA ",\"names\":[]}", "names: not a list of 1 to 1024 strings"},
    {"{" SHOW("server") "," CA ",\"names\":[\"a\",\"\"]}",
     "names: item 2 is not a string of 1 to 255 bytes"},
    {PINNED("00:11"), NO_DIGEST},
    {PINNED(DIGEST("g")), NO_DIGEST},
    {PINNED(DIGEST("G")), NO_DIGEST},
    {PINNED(DIGEST("/")), NO_DIGEST},
    {PINNED(DIGEST("@")), NO_DIGEST},
    {PINNED(DIGEST("`")), NO_DIGEST},
    {PINNED(DIGEST(":")), NO_DIGEST},
    {"{" SHOW("server") "," CA ",\"fingerprints\":[7]}", NO_DIGEST},
    {"{" SHOW("server") "," CA ",\"names\":[\"a\\u0000b\"]}",
     "names: item 1 is not a string of 1 to 255 bytes"},
    {"{\"mutual\":false," SHOW("server") ",\"names\":[\"x\"]}",
     "names: of no use without ca or fingerprints"},
    {"{\"certificate\":\"@/none\",\"key\":\"@/server.key\"," CA "}",
     "certificate: @/none: No such file or directory"},
    {"{\"certificate\":\"@/ca.cnf\",\"key\":\"@/server.key\"," CA "}",
     "certificate: @/ca.cnf: there is no PEM certificate in it"},
    {"{\"certificate\":\"@/torn.pem\",\"key\":\"@/server.key\"," CA "}",
     "certificate: @/torn.pem: not a PEM certificate ("},
    {"{\"certificate\":\"@/server.pem\",\"key\":\"@/client.key\"," CA "}",
     "key: @/client.key: it is not the key of the certificate"},
    {"{\"certificate\":\"@/server.pem\",\"key\":\"@/encrypted.key\"," CA "}",
     "key: @/encrypted.key: it is encrypted: a password cannot be asked for"},
    {"{\"certificate\":\"@/server.pem\",\"key\":\"@/server.pem\"," CA "}",
     "key: @/server.pem: there is no PEM private key in it"},
    {"{\"certificate\":\"@/server.pem\",\"key\":\"@/open.key\"," CA "}",
     "key: @/open.key: its mode is 0640, and must not have any of 0177"},
    {"{" SHOW("server") ",\"ca\":\"@\"}", "ca: @: not a regular file"},
    {"{" SHOW("server") ",\"ca\":\"@/shared.pem\"}",
     "ca: @/shared.pem: its mode is 0666, and must not have any of 0022"},
};

static void wrong_settings_name_the_key_and_the_reason(void **state)
{
	const struct tls_bed *bed = *state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct ob_error err = {.text = ""};
		void *made = NULL;
		char *why = placed(bed, wrong[i][1]);
		assert_int_equal(tls_configure(bed, wrong[i][0], &made, &err), OB_EINVAL);
		if (strncmp(err.text, why, strlen(why)) != 0) {
			fail_msg("'%s' instead of '%s'", err.text, why);
		}
		assert_null(made);
		free(why);
	}
}

/* The other user's file is ours if we are not root; then the test has nothing to look at. */
static void a_key_of_another_user_is_refused(void **state)
{
	const struct tls_bed *bed = *state;
	struct ob_error err = {.text = ""};
	void *made = NULL;
	char *path = placed(bed, "@/renewed.key");
	if (geteuid() != 0) {
		print_message("skipped: only root can give a file to another user\n");
		free(path);
		skip();
	}
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(tls_configure(bed, "{" SHOW("renewed") "," CA "}", &made, &err),
			 OB_EINVAL);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_non_null(strstr(err.text, "it belongs neither to root nor to this user"));
	free(path);
}

static void each_end_says_what_it_lacks(void **state)
{
	const struct tls_bed *bed = *state;
	const struct bed *wire = &bed->wire.bed;
	void *dials = must_configure(bed, "{\"mutual\":false," CA "}"),
	     *listens = must_configure(bed, "{\"mutual\":false," SHOW("server") "}"),
	     *lists = must_configure(
		 bed, "{\"mutual\":false," SHOW("server") "," CA ",\"names\":[\"alice\"]}");
	struct ob_listen_params here = {.state = dials};
	struct ob_dial_params there = {.size = sizeof there, .owner = UINT32_MAX, .state = listens};
	struct ob_listener *listener = NULL;
	struct ob_stream *stream = NULL;
	struct ob_error err = {.text = ""};
	assert_int_equal(bed_listen(wire, "tls+tcp://127.0.0.1:0", here, &listener, &err),
			 OB_EINVAL);
	assert_non_null(strstr(err.text, "listening needs the settings certificate and key"));
	here.state = lists;
	assert_int_equal(bed_listen(wire, "tls+tcp://127.0.0.1:0", here, &listener, &err),
			 OB_EINVAL);
	assert_non_null(strstr(err.text, "listening with mutual false asks for no certificate"));
	assert_int_equal(bed_dial_with(wire, "tls+tcp://127.0.0.1:1", &there, &stream, &err),
			 OB_EINVAL);
	assert_non_null(strstr(err.text, "dialing needs the setting ca or fingerprints"));
	there.state = dials;
	assert_int_equal(bed_dial_with(wire, "tls+unix:///x", &there, &stream, &err), OB_EINVAL);
	assert_non_null(strstr(err.text, "the setting names or fingerprints is required"));
	assert_int_equal(bed_dial_with(wire, "tls+tls+tcp://127.0.0.1:1", &there, &stream, &err),
			 OB_EINVAL);
	assert_non_null(strstr(err.text, "it cannot wrap itself"));
	bed->plugin->unconfigure(dials);
	bed->plugin->unconfigure(listens);
	bed->plugin->unconfigure(lists);
}

/* ---- Files that change ---- */

/* Put the certificate `from` and its key at "live", or links to them. */
static void renew(const struct tls_bed *bed, const char *from, bool links)
{
	static const char *const kinds[] = {"pem", "key"};
	for (int i = 0; i < 2; i++) {
		char *source = scratch_text("%s/%s.%s", bed->certificates, from, kinds[i]),
		     *fresh = scratch_text("%s/live.new", bed->certificates),
		     *live = scratch_text("%s/live.%s", bed->certificates, kinds[i]);
		if (links) {
			assert_int_equal(symlink(source, fresh), 0);
		} else {
			scratch_copy(source, fresh, 0600);
		}
		assert_int_equal(rename(fresh, live), 0);
		free(source);
		free(fresh);
		free(live);
	}
}

/* The next connection of the same two ends, once the files may be looked at again. */
static struct ends meet_again(const struct ends *first)
{
	char *uri = placed(first->bed, "tls+unix://@/live");
	struct ends e = {.bed = first->bed,
			 .states = {first->states[0], first->states[1]},
			 .listener = first->listener,
			 .codes = {1, 1}};
	struct ob_dial_params params = {
	    .size = sizeof params, .owner = UINT32_MAX, .state = e.states[DIALER]};
	struct pollfd none = {.fd = -1};
	poll(&none, 0, 1100);
	assert_int_equal(bed_dial_with(&e.bed->wire.bed, uri, &params, &e.streams[DIALER], NULL),
			 OB_OK);
	e.streams[ACCEPTOR] = must_accept(&e.bed->wire.bed, e.listener);
	free(uri);
	return e;
}

static void close_streams(const struct ends *e)
{
	e->bed->wire.bed.ops->close(e->streams[0]);
	e->bed->wire.bed.ops->close(e->streams[1]);
}

static const char any_of_them[] = "{" SHOW(
    "client") "," CA
	      ",\"names\":[\"spiffe://example.org/server\",\"spiffe://example.org/renewed\"]}";

static void use_new_files(const struct tls_bed *bed, bool links)
{
	char text[256];
	renew(bed, "server", links);
	struct ends e = ends_at(bed, any_of_them, "{" SHOW("live") "," CA "}", "tls+unix://@/live");
	must_shake(&e);
	renew(bed, "renewed", links);
	struct ends again = meet_again(&e);
	must_shake(&again);
	assert_string_equal(subject_of(&again, DIALER, text), "spiffe://example.org/renewed");
	assert_string_equal(subject_of(&e, DIALER, text), "spiffe://example.org/server");
	must_put(&e, DIALER, "still here");
	must_get(&e, ACCEPTOR, "still here");
	close_streams(&again);
	end_ends(&e);
}

static void new_files_are_used_and_connections_stay(void **state)
{
	use_new_files(*state, false);
}

static void so_are_files_behind_new_links(void **state)
{
	use_new_files(*state, true);
}

/* A certificate without its key, for a moment or for longer, changes nothing. */
static void files_that_cannot_be_used_change_nothing(void **state)
{
	const struct tls_bed *bed = *state;
	char text[256], *live = placed(bed, "@/live.key");
	renew(bed, "server", false);
	struct ends e = ends_at(bed, any_of_them, "{" SHOW("live") "," CA "}", "tls+unix://@/live");
	must_shake(&e);
	assert_int_equal(unlink(live), 0);
	struct ends again = meet_again(&e);
	must_shake(&again);
	assert_string_equal(subject_of(&again, DIALER, text), "spiffe://example.org/server");
	close_streams(&again);
	renew(bed, "renewed", false);
	again = meet_again(&e);
	must_shake(&again);
	assert_string_equal(subject_of(&again, DIALER, text), "spiffe://example.org/renewed");
	close_streams(&again);
	end_ends(&e);
	free(live);
}

/* Who looks for the reason of a refusal finds that the new files are not in use. */
static void a_failure_tells_of_files_that_cannot_be_used(void **state)
{
	const struct tls_bed *bed = *state;
	char *live = placed(bed, "@/live.key");
	renew(bed, "server", false);
	struct ends e =
	    ends_at(bed, "{" SHOW("foreign") "," CA ",\"names\":[\"spiffe://example.org/server\"]}",
		    "{" SHOW("live") "," CA "}", "tls+unix://@/live");
	assert_int_equal(chmod(live, 0644), 0);
	struct ends again = meet_again(&e);
	shake(&again);
	assert_int_equal(again.codes[ACCEPTOR], OB_EAUTH);
	assert_non_null(strstr(again.errors[ACCEPTOR].text,
			       "no CA of the setting ca has signed it; "
			       "changed files are not used: key: "));
	assert_non_null(strstr(again.errors[ACCEPTOR].text, "its mode is 0644"));
	close_streams(&again);
	end_ends(&e);
	free(live);
}

static int group_setup(void **state)
{
	int rc = tls_group_setup(state);
	const struct tls_bed *bed = *state;
	char *command = placed(
	    bed, "umask 022; head -c 300 @/server.pem >@/torn.pem; cp @/server.key @/open.key;"
		 "chmod 640 @/open.key; cp @/ca.pem @/shared.pem; chmod 666 @/shared.pem");
	rc = rc != 0 ? rc : system(command);
	free(command);
	return rc;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WIRE_TEST(wrong_settings_name_the_key_and_the_reason),
	    WIRE_TEST(a_key_of_another_user_is_refused),
	    WIRE_TEST(each_end_says_what_it_lacks),
	    WIRE_TEST(new_files_are_used_and_connections_stay),
	    WIRE_TEST(so_are_files_behind_new_links),
	    WIRE_TEST(files_that_cannot_be_used_change_nothing),
	    WIRE_TEST(a_failure_tells_of_files_that_cannot_be_used),
	};
	return cmocka_run_group_tests(tests, group_setup, tls_group_teardown);
}
