/* SPDX-License-Identifier: MIT */
#include "process/process.h"

#include "base/error.h"
#include "loop/loop.h"
#include "process/kernel_calls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* Missing in the headers of many systems. */
#define SIGNAL_PROCESS_GROUP (1U << 2) /* flag of pidfd_send_signal, Linux 6.9 */
#define INFO_EXIT	     (UINT64_C(1) << 3)

/* The first version of struct pidfd_info of <linux/pidfd.h>: 64 bytes. */
struct info {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t ids[11];
	int32_t exit_code; /* a wait status; valid with INFO_EXIT in the mask */
};
_Static_assert(sizeof(struct info) == 64, "the kernel's size");
#define GET_INFO _IOWR(0xFF, 11, struct info)

/* Open the process that has this pid now. */
static int open_pid(int32_t pid, struct obi_process *ret, struct ob_error *reterr)
{
	struct obi_process process = {.pidfd = pidfd_open(pid, 0)};
	if (process.pidfd < 0) {
		int sys = errno;
		if (sys == ESRCH || sys == EINVAL) {
			return obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)",
					(int)pid);
		}
		return obi_kernel_call_failed("pidfd_open", sys, reterr);
	}
	int r = obi_procid_of(process.pidfd, pid, &process.id, reterr);
	if (r == OB_OK && obi_process_is_dead(&process)) {
		r = obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)", (int)pid);
	}
	if (r < 0) {
		close(process.pidfd);
		return r;
	}
	*ret = process;
	return OB_OK;
}

int obi_process_open(const struct obi_procid *id, struct obi_process *ret, struct ob_error *reterr)
{
	struct obi_process process;
	char boot[OBI_BOOT_ID_SIZE];
	int r = obi_boot_id(boot, reterr);
	if (r < 0) {
		return r;
	}
	if (id->pid <= 0 || strcmp(id->boot, boot) != 0) {
		return obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)", (int)id->pid);
	}
	r = open_pid(id->pid, &process, reterr);
	if (r < 0) {
		return r;
	}
	/* Where the kernel numbers pidfds, a record without the number is not of our making. */
	bool incomplete = id->inode == 0 && process.id.inode != 0;
	if (incomplete || !obi_procid_equal(id, &process.id)) {
		obi_process_close(&process);
		return obi_fail(reterr, OB_ENOENT, 0,
				"process not running (pid %d is another process now)",
				(int)id->pid);
	}
	*ret = process;
	return OB_OK;
}

/* A process that started after the pid was noted is another one. */
static bool is_older(const struct obi_procid *id, uint64_t noted_ns)
{
	return id->start <= noted_ns / obi_clock_tick_ns();
}

int obi_process_open_pid(int32_t pid, uint64_t noted_ns, struct obi_process *ret,
			 struct ob_error *reterr)
{
	struct obi_process process;
	int r = pid > 0 ? open_pid(pid, &process, reterr)
			: obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)", (int)pid);
	if (r < 0) {
		return r;
	}
	if (!is_older(&process.id, noted_ns)) {
		obi_process_close(&process);
		return obi_fail(reterr, OB_ENOENT, 0,
				"process not running (pid %d is another process now)", (int)pid);
	}
	*ret = process;
	return OB_OK;
}

int obi_process_identify_dead(int32_t pid, uint64_t noted_ns, struct obi_procid *ret,
			      struct ob_error *reterr)
{
	struct obi_procid id;
	int r = obi_boot_id(ret->boot, reterr);
	int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	ret->pid = pid;
	ret->start = ret->inode = 0;
	if (pidfd >= 0 && obi_procid_of(pidfd, pid, &id, NULL) == OB_OK &&
	    is_older(&id, noted_ns)) {
		*ret = id; /* not reaped yet */
	}
	if (pidfd >= 0) {
		close(pidfd);
	}
	return r;
}

int obi_process_user(const struct obi_process *process, uid_t *ret_uid, struct ob_error *reterr)
{
	char path[32], text[4096];
	unsigned int uid;
	snprintf(path, sizeof path, "/proc/%d/status", (int)process->id.pid);
	int sys = obi_proc_read(path, text, sizeof text);
	const char *line = sys == 0 ? strstr(text, "\nUid:") : NULL;
	/* If it still has its pid, then what was read belongs to it. */
	bool gone = pidfd_send_signal(process->pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
	if (gone || line == NULL || sscanf(line, "\nUid: %*u %u", &uid) != 1) {
		return obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)",
				(int)process->id.pid);
	}
	*ret_uid = uid;
	return OB_OK;
}

void obi_process_close(struct obi_process *process)
{
	if (process->pidfd >= 0) {
		close(process->pidfd);
	}
	*process = OBI_PROCESS_NONE;
}

bool obi_process_is_dead(const struct obi_process *process)
{
	return obi_process_dies(process, 0);
}

/* A pending signal interrupts even a poll that does not wait. */
bool obi_process_dies(const struct obi_process *process, int64_t ms)
{
	struct pollfd p = {.fd = process->pidfd, .events = POLLIN};
	int64_t end = obi_now_ms() + ms, left = ms;
	int n = 0;
	if (process->pidfd < 0) {
		return true;
	}
	while ((n = poll(&p, 1, (int)left)) < 0 && errno == EINTR) {
		int64_t now = obi_now_ms();
		left = now < end ? end - now : 0;
	}
	return n == 1 && (p.revents & (POLLIN | POLLHUP)) != 0;
}

void obi_process_reap(const struct obi_process *process)
{
	siginfo_t info;
	while (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED) < 0 && errno == EINTR) {
		;
	}
}

static int signal_failed(const struct obi_process *process, int sys, struct ob_error *reterr)
{
	if (sys == ESRCH) {
		return obi_fail(reterr, OB_ENOENT, 0, "process not running (pid %d)",
				(int)process->id.pid);
	}
	return obi_fail(reterr, obi_code_of_errno(sys), sys, "sending a signal to process %d",
			(int)process->id.pid);
}

int obi_process_signal(const struct obi_process *process, int sig, struct ob_error *reterr)
{
	if (process->pidfd < 0) {
		return signal_failed(process, ESRCH, reterr);
	}
	return pidfd_send_signal(process->pidfd, sig, NULL, 0) == 0
		   ? OB_OK
		   : signal_failed(process, errno, reterr);
}

/* Whether our child exists, at least as a zombie: then no other process has its pid. */
static bool is_unreaped(const struct obi_process *process)
{
	siginfo_t info;
	return process->own &&
	       waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOWAIT | WNOHANG) == 0;
}

int obi_process_signal_group(const struct obi_process *process, int sig, struct ob_error *reterr)
{
	if (process->pidfd < 0) {
		return signal_failed(process, ESRCH, reterr);
	}
	/* The pidfd keeps the number reserved, so this is the right group even when the process is
	 * dead. */
	if (pidfd_send_signal(process->pidfd, sig, NULL, SIGNAL_PROCESS_GROUP) == 0) {
		return OB_OK;
	}
	if (errno != EINVAL) {
		return signal_failed(process, errno, reterr);
	}
	if (!is_unreaped(process) && obi_process_is_dead(process)) {
		return signal_failed(process, ESRCH, reterr);
	}
	return kill(-process->id.pid, sig) == 0 ? OB_OK : signal_failed(process, errno, reterr);
}

int obi_leftovers_kill(const struct obi_procid *leader, struct ob_error *reterr)
{
	char boot[OBI_BOOT_ID_SIZE];
	int r = obi_boot_id(boot, reterr);
	if (r < 0) {
		return r;
	}
	const struct obi_process nobody = {.id = *leader, .pidfd = -1};
	if (leader->pid <= 1 || strcmp(leader->boot, boot) != 0) {
		return signal_failed(&nobody, ESRCH, reterr);
	}
	/* A pid that a group still has is not reused. So a process that has it now was started
	 * after the end of the group, unless it is the leader itself, as a zombie. */
	struct obi_process now = {.pidfd = pidfd_open(leader->pid, 0)};
	if (now.pidfd < 0 && errno != ESRCH) {
		return signal_failed(&nobody, errno, reterr);
	}
	if (now.pidfd >= 0) {
		bool zombie = obi_procid_of(now.pidfd, leader->pid, &now.id, NULL) == OB_OK &&
			      obi_procid_equal(&now.id, leader) && obi_process_is_dead(&now);
		obi_process_close(&now);
		if (!zombie) {
			return signal_failed(&nobody, ESRCH, reterr);
		}
	}
	return kill(-leader->pid, SIGKILL) == 0 ? OB_OK : signal_failed(&nobody, errno, reterr);
}

struct obi_exit obi_exit_of_status(int status)
{
	if (WIFEXITED(status)) {
		return (struct obi_exit){OB_EXIT_CODE, WEXITSTATUS(status)};
	}
	if (WIFSIGNALED(status)) {
		return (struct obi_exit){OB_EXIT_SIGNAL, WTERMSIG(status)};
	}
	return (struct obi_exit){OB_EXIT_UNKNOWN, 0};
}

static struct obi_exit exit_of_siginfo(const siginfo_t *info)
{
	enum ob_exit_kind kind = info->si_code == CLD_EXITED ? OB_EXIT_CODE : OB_EXIT_SIGNAL;
	return (struct obi_exit){kind, info->si_status};
}

/* How a process ended that was reaped elsewhere: newer kernels tell it by its pidfd. */
static struct obi_exit ask_pidfd(int pidfd)
{
	struct info info = {.mask = INFO_EXIT};
	if (ioctl(pidfd, GET_INFO, &info) == 0 && (info.mask & INFO_EXIT) != 0) {
		return obi_exit_of_status(info.exit_code);
	}
	return (struct obi_exit){OB_EXIT_UNKNOWN, 0};
}

int obi_process_end(struct obi_process *process, struct obi_exit *ret_exit)
{
	if (!obi_process_is_dead(process)) {
		return OB_EAGAIN;
	}
	siginfo_t info = {0};
	struct obi_exit end = {OB_EXIT_UNKNOWN, 0};
	bool traced = false;
	if (process->pidfd >= 0) {
		obi_process_signal_group(process, SIGKILL,
					 NULL); /* before the reaping frees its pid */
		bool waited = waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG) == 0;
		traced = waited && info.si_pid == 0;
		end =
		    waited && info.si_pid != 0 ? exit_of_siginfo(&info) : ask_pidfd(process->pidfd);
	}
	*ret_exit = end;
	if (traced) {
		return OB_EBUSY;
	}
	obi_process_close(process);
	return OB_OK;
}
