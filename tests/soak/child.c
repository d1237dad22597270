/* SPDX-License-Identifier: MIT */
/*
 * soak-child WITNESS - a child of the soak test. It holds a lock on the file WITNESS as long as it
 * lives and writes its pid there. The kernel releases the lock before anybody can see the death, so
 * a child that does not get the lock is a second living copy; it writes a line to WITNESS.doubles.
 */
#include <outboard/outboard.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static ob_server *server;
static int64_t next_line;

/* ---- The witness ---- */

static void report_double(const char *witness)
{
	char path[1024], line[64];
	snprintf(path, sizeof path, "%s.doubles", witness);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int len =
	    snprintf(line, sizeof line, "second copy: pid %d, parent %d\n", getpid(), getppid());
	if (fd < 0 || write(fd, line, (size_t)len) != len) {
		abort();
	}
	close(fd);
}

static void take_witness(const char *witness)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char pid[32];
	int fd = open(witness, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		abort();
	}
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		report_double(witness);
		return;
	}
	int len = snprintf(pid, sizeof pid, "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
		abort();
	}
}

/* ---- Methods ---- */

static void on_echo(void *user, ob_call *call, const struct ob_value *params)
{
	(void)user;
	ob_call_reply(call, ob_value_at(params, 0));
}

/* log(count): so many numbered records */
static void on_log(void *user, ob_call *call, const struct ob_value *params)
{
	int64_t count = 0;
	(void)user;
	(void)ob_get_int(ob_value_at(params, 0), &count);
	for (int64_t i = 0; i < count; i++) {
		ob_log(ob_server_logger(server), OB_LOG_INFO, "numbered", "{s:I,s:I}", "n",
		       next_line++, "of", (int64_t)getpid());
	}
	ob_call_replyf(call, "I", next_line);
}

static const struct ob_method methods[] = {{"echo", on_echo}, {"log", on_log}, {NULL, NULL}};

int main(int argc, char **argv)
{
	struct ob_error err;
	if (argc != 2) {
		return 2;
	}
	take_witness(argv[1]);
	if (ob_server_open(NULL, &server, &err) < 0 ||
	    ob_server_expose(server, "soak", methods, NULL, &err) < 0 ||
	    ob_server_start(server, &err) < 0) {
		fprintf(stderr, "soak-child: %s\n", err.text);
		return 3;
	}
	(void)ob_server_run(server, NULL);
	ob_server_close(server);
	return 0;
}
