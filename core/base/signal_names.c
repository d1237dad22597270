/* SPDX-License-Identifier: MIT */
#include "base/signal_names.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct name {
	const char *text;
	int number;
};

static const struct name signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},	      {"QUIT", SIGQUIT}, {"ILL", SIGILL},
    {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},     {"BUS", SIGBUS},	 {"FPE", SIGFPE},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT},
    {"CHLD", SIGCHLD}, {"CONT", SIGCONT},     {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN}, {"TTOU", SIGTTOU},     {"URG", SIGURG},	 {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ}, {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"PWR", SIGPWR},	      {"SYS", SIGSYS},
};

static const struct name limits[] = {
    {"as", RLIMIT_AS},		 {"core", RLIMIT_CORE},		{"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},	 {"fsize", RLIMIT_FSIZE},	{"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},	 {"nproc", RLIMIT_NPROC},	{"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},	 {"rttime", RLIMIT_RTTIME},	{"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
};

static int find(const struct name *names, size_t count, struct ob_bytes text)
{
	for (size_t i = 0; i < count; i++) {
		if (ob_bytes_is(text, names[i].text)) {
			return names[i].number;
		}
	}
	return -1;
}

static int digits(struct ob_bytes text)
{
	int number = 0;
	if (text.len == 0 || text.len > 2) {
		return -1;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9') {
			return -1;
		}
		number = number * 10 + (text.data[i] - '0');
	}
	return number;
}

int obi_signal_number(struct ob_bytes name)
{
	int number = digits(name);
	if (number > 0) {
		return number <= 64 ? number : -1;
	}
	if (name.len > 3 && memcmp(name.data, "SIG", 3) == 0) {
		name = ob_bytes_of(name.data + 3, name.len - 3);
	}
	return find(signals, sizeof signals / sizeof signals[0], name);
}

const char *obi_signal_text(int number, char text[OBI_SIGNAL_NAME_SIZE])
{
	snprintf(text, OBI_SIGNAL_NAME_SIZE, "signal %d", number);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		if (signals[i].number == number) {
			snprintf(text, OBI_SIGNAL_NAME_SIZE, "SIG%s", signals[i].text);
		}
	}
	return text;
}

int obi_rlimit_number(struct ob_bytes name)
{
	return find(limits, sizeof limits / sizeof limits[0], name);
}
