/* SPDX-License-Identifier: MIT */
#include "support/asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "support/scratch.h"

void asked_again(struct asked *a, const char *how)
{
	static const char ready[] = "ready ";
	char *line = scratch_text("start %s", how != NULL ? how : "");
	program_say(&a->program, line);
	free(line);
	const char *answer = program_line(&a->program);
	assert_true(answer != NULL && strncmp(answer, ready, sizeof ready - 1) == 0);
	a->pid = (pid_t)strtol(answer + sizeof ready - 1, NULL, 10);
}

void asked_begin(struct asked *a, const char *dir, const char *name, const char *key)
{
	char *script = scratch_text("%s/tests/support/asked.py", scratch_env("OB_TEST_SOURCE"));
	a->socket = scratch_text("%s/%s", dir, name);
	const char *const argv[] = {"python3", "-IBS", script, a->socket, key, NULL};
	program_begin(&a->program, argv, NULL);
	free(script);
	asked_again(a, NULL);
}

void asked_has_died(struct asked *a)
{
	assert_string_equal(program_line(&a->program), "died 9");
}

void asked_kill(struct asked *a)
{
	program_say(&a->program, "kill");
	asked_has_died(a);
}

void asked_end(struct asked *a)
{
	(void)program_end(&a->program);
	free(a->socket);
}
