/* SPDX-License-Identifier: MIT */
#include "support/vmm.h"

#include "support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATIENCE_MS = 20000 };

static void answer(struct vmm *vmm, char *line, size_t size)
{
	size_t len = 0;
	do {
		struct pollfd wait = {.fd = vmm->answers, .events = POLLIN};
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_int_equal(read(vmm->answers, line + len, 1), 1);
	} while (line[len++] != '\n' && len < size - 1);
	line[len] = '\0';
}

void vmm_begin(struct vmm *vmm, const char *dir)
{
	int in[2], out[2];
	char line[32];
	posix_spawn_file_actions_t actions;
	vmm->path = scratch_text("%s/v.sock", dir);
	vmm->guest = scratch_text("%s/guest", dir);
	char *program = scratch_text("%s/children/child-muxer", scratch_env("OB_TEST_BUILD"));
	char *argv[] = {program, vmm->path, vmm->guest, NULL};
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	assert_int_equal(posix_spawn(&vmm->pid, program, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	vmm->orders = in[1];
	vmm->answers = out[0];
	answer(vmm, line, sizeof line);
	assert_string_equal(line, "ok\n");
	free(program);
}

void vmm_end(struct vmm *vmm)
{
	int status;
	kill(vmm->pid, SIGCONT);
	close(vmm->orders);
	close(vmm->answers);
	assert_int_equal(waitpid(vmm->pid, &status, 0), vmm->pid);
	assert_int_equal(status, 0);
	unlink(vmm->path);
	free(vmm->path);
	free(vmm->guest);
}

unsigned vmm_order(struct vmm *vmm, const char *order)
{
	char line[32];
	assert_int_equal(write(vmm->orders, order, strlen(order)), strlen(order));
	assert_int_equal(write(vmm->orders, "\n", 1), 1);
	answer(vmm, line, sizeof line);
	return (unsigned)strtoul(line, NULL, 10);
}
