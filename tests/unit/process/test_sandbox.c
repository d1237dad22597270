/* SPDX-License-Identifier: MIT */
/* What the arguments of a command tell of the user namespace that it makes. */
#include "process/sandbox.h"

#include "base/arena.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define NAMESPACE                                                                 \
	"\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"user\"}],"     \
	"\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}]," \
	"\"gidMappings\":[{\"containerID\":0,\"hostID\":200000,\"size\":1}]}}"

enum { WORDS = 24, LINE = 256 };

struct words {
	char line[LINE];
	const char *argv[WORDS + 1];
};

static void split(const char *line, struct words *ret)
{
	size_t count = 0;
	char *save = NULL;
	assert_true(strlen(line) < LINE);
	strcpy(ret->line, line);
	for (char *word = strtok_r(ret->line, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		assert_true(count < WORDS);
		ret->argv[count++] = word;
	}
	ret->argv[count] = NULL;
}

static const struct {
	const char *line;
	bool as_root;
	enum obi_sandbox_users users;
} arguments[] = {
    {"kv-child --unshare-all", true, OBI_SANDBOX_UNKNOWN},
    {"bwrap --argv0 x --unshare-all x", true, OBI_SANDBOX_ONE},
    {"bwrap --unshare-all --ro-bind / / kv-child", true, OBI_SANDBOX_ONE},
    {"/usr/bin/bwrap --proc /proc --unshare-user --uid 0 kv-child", true, OBI_SANDBOX_ONE},
    {"bwrap --unshare-user-try kv-child", true, OBI_SANDBOX_ONE},
    {"bwrap --ro-bind / / kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"bwrap --ro-bind / / kv-child", false, OBI_SANDBOX_ONE},
    /* Of the command inside, and arguments of other options. */
    {"bwrap --ro-bind / / kv-child --unshare-all", true, OBI_SANDBOX_UNKNOWN},
    {"bwrap --setenv --unshare-all x kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"bwrap --hostname --unshare-all kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"bwrap --bind", true, OBI_SANDBOX_UNKNOWN},
    /* What else may be meant is not known. */
    {"bwrap --unshare-user --args 5 kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"bwrap --userns 5 kv-child", false, OBI_SANDBOX_UNKNOWN},
    {"unshare --user kv-child", true, OBI_SANDBOX_NOBODY},
    {"unshare -mU kv-child", true, OBI_SANDBOX_NOBODY},
    {"unshare -m kv-child -U", true, OBI_SANDBOX_UNKNOWN},
    {"unshare -R -U kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"unshare -UR / kv-child", true, OBI_SANDBOX_NOBODY},
    {"unshare --root -U kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"unshare -r kv-child", false, OBI_SANDBOX_ONE},
    {"unshare -Uc kv-child", false, OBI_SANDBOX_ONE},
    {"unshare --map-user=7 kv-child", false, OBI_SANDBOX_ONE},
    {"unshare --map-auto -r kv-child", false, OBI_SANDBOX_UNKNOWN},
    {"unshare --map-users=100000,0,65536 kv-child", true, OBI_SANDBOX_UNKNOWN},
    {"unshare --user --setgroups deny -- kv-child", true, OBI_SANDBOX_NOBODY},
    {"unshare", true, OBI_SANDBOX_UNKNOWN},
};

static void users_are_told_by_the_arguments(void **state)
{
	struct words words;
	(void)state;
	for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
		print_message("%s\n", arguments[i].line);
		split(arguments[i].line, &words);
		assert_int_equal(obi_sandbox_of(words.argv, arguments[i].as_root),
				 arguments[i].users);
	}
}

struct bundle {
	const char *config;
	uint32_t host; /* a user of the host, and whether it has a number inside */
	bool shows;
	bool known; /* whom the process runs as */
	uint32_t uid, gid;
};

static void expect_bundle(const struct bundle *b)
{
	struct obi_arena arena;
	struct ob_value config;
	uint32_t uid = 0, gid = 0;
	print_message("%s\n", b->config);
	obi_arena_init(&arena, 1 << 20);
	assert_int_equal(obi_json_parse(ob_bytes_text(b->config), &arena.ob, NULL, &config, NULL),
			 OB_OK);
	assert_true(obi_bundle_shows(&config, b->host) == b->shows);
	assert_true(obi_bundle_user(&config, &uid, &gid) == b->known);
	assert_true(!b->known || (uid == b->uid && gid == b->gid));
	obi_arena_free(&arena);
}

static void a_bundle_tells_users(void **state)
{
	static const struct bundle table[] = {
	    {"{\"process\":{\"user\":{\"uid\":7,\"gid\":8}}}", 0, true, true, 7, 8},
	    {"{\"process\":{\"user\":{\"uid\":7,\"gid\":8}},\"linux\":{\"namespaces\":[{\"type\":"
	     "\"pid\"}],\"uidMappings\":[]}}",
	     0, true, true, 7, 8},
	    {"{\"process\":{\"user\":{\"uid\":7,\"gid\":0}}," NAMESPACE, 0, false, true, 100007,
	     200000},
	    {"{\"process\":{\"user\":{\"uid\":65535,\"gid\":0}}," NAMESPACE, 100000, true, true,
	     165535, 200000},
	    {"{\"process\":{\"user\":{\"uid\":65536,\"gid\":0}}," NAMESPACE, 165536, false, false,
	     0, 0},
	    {"{\"process\":{\"user\":{\"uid\":4294967295,\"gid\":0}}}", 0, true, false, 0, 0},
	    {"{\"process\":{\"user\":{\"uid\":-1,\"gid\":0}}}", 0, true, false, 0, 0},
	    {"{\"process\":[]}", 0, true, false, 0, 0},
	    {"{\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\"uidMappings\":7}}", 0, false,
	     false, 0, 0},
	    {"[]", 0, true, false, 0, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		expect_bundle(&table[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(users_are_told_by_the_arguments),
	    cmocka_unit_test(a_bundle_tells_users),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
