/* SPDX-License-Identifier: MIT */
#include "base/failpoint.h"

/* ISO C requires a declaration in every file. */
typedef int obi_failpoint_file;

#ifdef OB_FAILPOINTS
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/string_list.h"

enum { POINTS = 16, NAME = 64 };

enum action { KILL = 1, EXIT, FAIL };

struct point {
	char name[NAME];
	enum action action;
	int value;	  /* exit status, or errno */
	unsigned long at; /* the hit that counts; 0: all */
	atomic_ulong hits;
};

static struct point points[POINTS];
static int count;

static void complain(const char *text)
{
	fprintf(stderr, "OUTBOARD_FP: cannot read \"%s\"\n", text);
	_exit(70);
}

static int errno_of(const char *name)
{
	for (int i = 1; i < 134; i++) {
		const char *known = strerrorname_np(i);
		if (known != NULL && strcmp(known, name) == 0) {
			return i;
		}
	}
	return 0;
}

/* The text inside "WORD(...)"; false if text does not have this form. */
static bool in_brackets(const char *text, const char *word, char *argument)
{
	size_t len = strlen(word), end = strlen(text);
	if (strncmp(text, word, len) != 0 || text[len] != '(' || text[end - 1] != ')' ||
	    end - len - 2 >= NAME) {
		return false;
	}
	memcpy(argument, text + len + 1, end - len - 2);
	argument[end - len - 2] = '\0';
	return true;
}

/* A whole decimal number. */
static bool read_count(const char *text, unsigned long *ret)
{
	char *end;
	*ret = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool read_action(struct point *point, const char *text)
{
	char argument[NAME];
	unsigned long number;
	if (in_brackets(text, "error", argument)) {
		point->action = FAIL;
		point->value = errno_of(argument);
		return point->value != 0;
	}
	if (in_brackets(text, "exit", argument)) {
		point->action = EXIT;
		bool good = read_count(argument, &number) && number < 256;
		point->value = (int)(number & 0xff);
		return good;
	}
	point->action = KILL;
	return strcmp(text, "kill") == 0;
}

/* NAME=ACTION[@N] */
static void read_point(char *text)
{
	struct point *point = &points[count];
	char *equals = strchr(text, '=');
	char *at = strchr(text, '@');
	bool good = count < POINTS && equals != NULL && equals - text < NAME;
	if (good && at != NULL) {
		*at = '\0';
		good = read_count(at + 1, &point->at) && point->at > 0;
	}
	if (!good || !read_action(point, equals + 1)) {
		complain(text);
	}
	memcpy(point->name, text, (size_t)(equals - text));
	count++;
}

/* Runs before main(), and so before there is a second thread. */
__attribute__((constructor)) static void read_points(void)
{
	const char *given = secure_getenv("OUTBOARD_FP");
	char **list = given != NULL ? obi_string_list_split(given, ';') : NULL;
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		read_point(list[i]);
	}
	obi_string_list_free(list);
}

static bool hit(struct point *point)
{
	unsigned long n = atomic_fetch_add(&point->hits, 1) + 1;
	if (point->at != 0 && n != point->at) {
		return false;
	}
	if (point->action == KILL) {
		raise(SIGKILL);
	}
	if (point->action == EXIT) {
		_exit(point->value);
	}
	errno = point->value;
	return true;
}

bool obi_failpoint(const char *name)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(points[i].name, name) == 0) {
			return hit(&points[i]);
		}
	}
	return false;
}
#endif
