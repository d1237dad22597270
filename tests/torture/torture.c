/* SPDX-License-Identifier: MIT */
/*
 * torture SCENARIO N DIRECTORY PROGRAM - do something ordinary while tests/shim/fail.c lets the Nth
 * fallible call fail; or, without that and with OB_TORTURE_ROOM=KIB in the environment, while the
 * process may take so much more memory only. Whatever then fails must say so, and everything must
 * be gone in the end.
 * PROGRAM is the child of those scenarios that have one. `torture list` prints the scenarios.
 *
 * Prints "calls COUNT", the places of the calls, and what the first failure said; exit status 1:
 * something was left, or an error said nothing.
 */
#include "torture/torture.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

const char token[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const char *directory, *program;
static unsigned long victim;
static int faults;
static struct ob_error first;

/* ---- Memory ---- */

static rlim_t memory_in_use(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL || fscanf(file, "%ld", &pages) != 1) {
		exit(2);
	}
	fclose(file);
	return (rlim_t)(pages * sysconf(_SC_PAGESIZE));
}

/* The soft limit: a child may raise it again. */
static void limit_memory(bool begin)
{
	const char *room = getenv("OB_TORTURE_ROOM");
	struct rlimit limit;
	if (room != NULL && getrlimit(RLIMIT_AS, &limit) == 0) {
		limit.rlim_cur = begin ? memory_in_use() + ((rlim_t)strtoul(room, NULL, 10) << 10)
				       : limit.rlim_max;
		(void)setrlimit(RLIMIT_AS, &limit);
	}
}

/* ---- The shim ---- */

void arm(void)
{
	limit_memory(true);
	void (*fn)(unsigned long) = NULL;
	*(void **)&fn = dlsym(RTLD_DEFAULT, "fail_arm");
	if (fn != NULL) {
		fn(victim);
	}
}

void disarm(void)
{
	limit_memory(false);
	unsigned long (*fn)(void) = NULL;
	const char *(*name)(void) = NULL;
	void (*print_places)(FILE *) = NULL;
	*(void **)&fn = dlsym(RTLD_DEFAULT, "fail_disarm");
	*(void **)&name = dlsym(RTLD_DEFAULT, "fail_name");
	*(void **)&print_places = dlsym(RTLD_DEFAULT, "fail_print_places");
	if (fn != NULL && name != NULL && print_places != NULL) {
		printf("calls %lu\n", fn());
		printf("failed %s\n", name() != NULL ? name() : "nothing");
		print_places(stdout);
	}
}

/* ---- What must be true of every failure ---- */

void wrong(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	faults++;
}

bool good(const char *what, int code, const struct ob_error *err)
{
	if (code >= 0) {
		return true;
	}
	if (err->code != code || err->text[0] == '\0') {
		wrong("%s: %s, and the error says %d \"%s\"", what, ob_result_name(code), err->code,
		      err->text);
	}
	if (first.code == 0) {
		first = *err;
	}
	return false;
}

void must(const char *what, int code, const struct ob_error *err)
{
	if (code < 0) {
		printf("cannot prepare: %s: %s\n", what, err->text);
		exit(2);
	}
}

void call_some(ob_client *client)
{
	struct ob_error err = {0};
	ob_reply *reply = NULL;
	int64_t n = 0;
	if (!good("reply", ob_reply_new(&reply, &err), &err)) {
		return;
	}
	for (int i = 0; i < 5; i++) {
		int r = ob_client_callf(client, SHORT_MS, reply, &err, "act.echo", "[i]", i);
		if (good("call", r, &err) && (!ob_get_int(ob_reply_value(reply), &n) || n != i)) {
			wrong("call %d was answered with %lld", i, (long long)n);
		}
	}
	ob_reply_free(reply);
}

/* ---- The end ---- */

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;
	while (dir != NULL && readdir(dir) != NULL) {
		count++;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return count;
}

static void list_fds(void)
{
	char path[64], target[256];
	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(path, target, sizeof target - 1);
		if (n > 0) {
			printf("  %d %.*s\n", fd, (int)n, target);
		}
	}
}

static void check_end(int fds)
{
	if (open_fds() != fds) {
		wrong("descriptors are left:");
		list_fds();
	}
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		wrong("a child is left");
	}
}

/* ---- Which ---- */

static const struct scenario *const lists[] = {parent_scenarios, peer_scenarios, file_scenarios};

/* The one of that name; NULL: print all names. */
static const struct scenario *find(const char *name)
{
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		for (const struct scenario *s = lists[i]; s->name != NULL; s++) {
			if (name == NULL) {
				printf("%s\n", s->name);
			} else if (strcmp(s->name, name) == 0) {
				return s;
			}
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		(void)find(NULL);
		return 0;
	}
	const struct scenario *scenario = argc == 5 ? find(argv[1]) : NULL;
	if (scenario == NULL) {
		return 2;
	}
	victim = strtoul(argv[2], NULL, 10);
	directory = argv[3];
	program = argv[4];
	signal(SIGPIPE, SIG_IGN);
	int fds = open_fds();
	scenario->run();
	check_end(fds);
	if (first.code != 0) {
		printf("%s: %s\n", ob_result_name(first.code), first.text);
	}
	printf("end\n");
	fflush(stdout);
	return faults > 0;
}
