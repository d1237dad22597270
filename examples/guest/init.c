/* SPDX-License-Identifier: MIT */
/*
 * guest-init - the first process of a virtual machine that runs one child of outboard, and nothing
 * else. scripts/make-guest puts it into an initramfs, with the child and the kernel's modules. It
 *
 *   1. mounts /proc, /sys, /dev and /run, and loads the modules in /modules, in order of name;
 *   2. gives eth0 an address, if there is one;
 *   3. copies the child's config to /run/outboard.json, with mode 0600;
 *   4. runs the child, whose arguments are in /child.args, each with a zero byte behind it;
 *   5. passes SIGINT and SIGTERM on to the child, and powers the machine off when it has ended.
 *
 * The child's standard output is the virtio port "outboard.log", or else the console. Its standard
 * error, and what is said here, is the console. On the kernel's command line may be:
 *
 *   OUTBOARD_ADDRESS=A/N   of eth0; by default that of QEMU's user network, 10.0.2.15/24
 *   OUTBOARD_DEVICE=PATH   a block device with the config, from its first byte on, up to a zero
 *                          byte; by default the config comes from QEMU, as opt/outboard/config
 *   OUTBOARD_END=reboot    the VMM ends with a reset of the machine; by default it is powered off
 *   OUTBOARD_EXIT=PORT     QEMU has the device isa-debug-exit at this port: it is written to if
 *                          the child has failed, and QEMU ends with status 3
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <sys/io.h>
#endif

#define FW_CFG	 "/sys/firmware/qemu_fw_cfg/by_name/opt/outboard/config/raw"
#define CONFIG	 "/run/outboard.json"
#define LOG_PORT "outboard.log"

enum { CONFIG_MAX = 1024 * 1024, ARGUMENTS = 64, ARGUMENTS_SIZE = 4096 };

extern char **environ;

/* ---- The end of the machine ---- */

static void write_to_exit_port(const char *text)
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned long port = text != NULL ? strtoul(text, NULL, 0) : 0;
	if (port > 0 && port <= 0xffff && ioperm(port, 1, 1) == 0) {
		outb(1, (unsigned short)port);
	}
#else
	(void)text;
#endif
}

static void end(bool failed)
{
	if (failed) {
		write_to_exit_port(getenv("OUTBOARD_EXIT"));
	}
	const char *how = getenv("OUTBOARD_END");
	(void)reboot(how != NULL && strcmp(how, "reboot") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;) {
		pause();
	}
}

static void complain(const char *what)
{
	fprintf(stderr, "guest-init: %s: %s\n", what, strerror(errno));
}

static void give_up(const char *what)
{
	complain(what);
	end(true);
}

/* ---- Files and modules ---- */

static void make_file_systems(void)
{
	static const char *const all[][2] = {
	    {"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		(void)mkdir(all[i][1], 0755);
		if (mount(all[i][0], all[i][1], all[i][0], 0, NULL) < 0 && errno != EBUSY) {
			give_up(all[i][1]);
		}
	}
}

/* The console passes on what is written, and adds nothing to the ends of lines. */
static void use_console(void)
{
	struct termios mode;
	int console = open("/dev/console", O_RDWR | O_NOCTTY);
	for (int fd = 0; fd <= 2 && console >= 0; fd++) {
		(void)dup2(console, fd);
	}
	if (tcgetattr(0, &mode) == 0) {
		cfmakeraw(&mode);
		(void)tcsetattr(0, TCSANOW, &mode);
	}
	if (console > 2) {
		close(console);
	}
}

/* A module for a device that is not there says so: the machine goes on. */
static void load_module(const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "/modules/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != ENODEV)) {
		complain(path);
	}
	if (fd >= 0) {
		close(fd);
	}
}

static void load_modules(void)
{
	struct dirent **names = NULL;
	int count = scandir("/modules", &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			load_module(names[i]->d_name);
		}
		free(names[i]);
	}
	free(names);
}

/* ---- The network ---- */

static int set_up(int fd, struct ifreq *request)
{
	if (ioctl(fd, SIOCGIFFLAGS, request) < 0) {
		return -1;
	}
	request->ifr_flags = (short)(request->ifr_flags | IFF_UP);
	return ioctl(fd, SIOCSIFFLAGS, request);
}

static int set(int fd, struct ifreq *request, unsigned long what, struct in_addr address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};
	memcpy(&request->ifr_addr, &in, sizeof in);
	return ioctl(fd, what, request);
}

/* text is ADDRESS/LENGTH. */
static int set_address(int fd, struct ifreq *request, const char *text)
{
	char address[32];
	struct in_addr in, mask;
	unsigned length = 0;
	if (sscanf(text, "%31[0-9.]/%u", address, &length) != 2 || length < 1 || length > 32 ||
	    inet_aton(address, &in) == 0) {
		errno = EINVAL;
		return -1;
	}
	mask.s_addr = htonl((uint32_t)(0xffffffffU << (32 - length)));
	return set(fd, request, SIOCSIFADDR, in) < 0 ? -1 : set(fd, request, SIOCSIFNETMASK, mask);
}

static void use_network(void)
{
	const char *address = getenv("OUTBOARD_ADDRESS");
	struct ifreq loopback = {.ifr_name = "lo"}, card = {.ifr_name = "eth0"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || set_up(fd, &loopback) < 0) {
		complain("lo");
	}
	if (ioctl(fd, SIOCGIFFLAGS, &card) == 0 &&
	    (set_address(fd, &card, address != NULL ? address : "10.0.2.15/24") < 0 ||
	     set_up(fd, &card) < 0)) {
		complain("eth0");
	}
	if (fd >= 0) {
		close(fd);
	}
}

/* ---- The config ---- */

/* Reads up to a zero byte, with which a block device is filled up. Returns the length, or 0. */
static size_t read_config(const char *path, char *to)
{
	size_t len = 0;
	ssize_t n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		give_up(path);
	}
	while (len < CONFIG_MAX && memchr(to, '\0', len) == NULL &&
	       (n = read(fd, to + len, CONFIG_MAX - len)) > 0) {
		len += (size_t)n;
	}
	close(fd);
	return n < 0 ? 0 : strnlen(to, len);
}

static void copy_config(void)
{
	static char content[CONFIG_MAX];
	const char *device = getenv("OUTBOARD_DEVICE");
	const char *from = device != NULL ? device : FW_CFG;
	size_t len = read_config(from, content);
	int fd = open(CONFIG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (len == 0 || len == CONFIG_MAX) {
		errno = EBADMSG;
		give_up(from);
	}
	if (fd < 0 || write(fd, content, len) != (ssize_t)len || close(fd) < 0) {
		give_up(CONFIG);
	}
	explicit_bzero(content, len);
}

/* ---- The child ---- */

static bool is_log_port(const char *name)
{
	char path[512], content[sizeof LOG_PORT] = "";
	snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, content, sizeof content) : -1;
	if (fd >= 0) {
		close(fd);
	}
	return n == sizeof content && memcmp(content, LOG_PORT "\n", sizeof content) == 0;
}

/* Where the child's standard output goes. */
static int open_log(void)
{
	char path[512] = "/dev/console";
	DIR *ports = opendir("/sys/class/virtio-ports");
	for (struct dirent *port; ports != NULL && (port = readdir(ports)) != NULL;) {
		if (is_log_port(port->d_name)) {
			snprintf(path, sizeof path, "/dev/%s", port->d_name);
		}
	}
	if (ports != NULL) {
		closedir(ports);
	}
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		give_up(path);
	}
	return fd;
}

/* argv points into text. */
static void read_arguments(char *text, char **argv)
{
	int count = 0, fd = open("/child.args", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd >= 0 ? read(fd, text, ARGUMENTS_SIZE) : -1;
	if (size <= 0 || size == ARGUMENTS_SIZE || text[size - 1] != '\0') {
		errno = size < 0 ? errno : EINVAL;
		give_up("/child.args");
	}
	close(fd);
	for (char *at = text; at < text + size && count < ARGUMENTS; at += strlen(at) + 1) {
		argv[count++] = at;
	}
	argv[count] = NULL;
}

static pid_t start_child(void)
{
	static char text[ARGUMENTS_SIZE], *argv[ARGUMENTS + 1];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid = 0;
	int log = open_log();
	read_arguments(text, argv);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, log, 1);
	setenv("OUTBOARD_CONFIG", CONFIG, 1);
	errno = posix_spawn(&pid, argv[0], &files, &attributes, argv, environ);
	if (errno != 0) {
		give_up(argv[0]);
	}
	close(log); /* the machine must not end with what is written still on its way */
	return pid;
}

static void tell(int status)
{
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "guest-init: the child was killed by signal %d\n",
			WTERMSIG(status));
	} else if (WEXITSTATUS(status) != 0) {
		fprintf(stderr, "guest-init: the child ended with status %d\n",
			WEXITSTATUS(status));
	}
}

/* Other processes that end here are orphans of the child. Returns true when the child has ended. */
static bool reap(pid_t child, int *ret_status)
{
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (pid == child) {
			*ret_status = status;
			return true;
		}
	}
	return false;
}

static int wait_for(pid_t child, const sigset_t *signals)
{
	int status = 0;
	while (!reap(child, &status)) {
		siginfo_t info;
		int number = sigwaitinfo(signals, &info);
		if (number == SIGINT || number == SIGTERM) {
			kill(child, number);
		}
	}
	return status;
}

int main(void)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT); /* the kernel sends it for ctrl-alt-del */
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	make_file_systems();
	(void)umask(077);
	use_console();
	(void)reboot(RB_DISABLE_CAD);
	load_modules();
	use_network();
	copy_config();
	int status = wait_for(start_child(), &signals);
	tell(status);
	(void)tcdrain(2);
	end(status != 0);
	return 0;
}
