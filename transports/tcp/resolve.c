/* SPDX-License-Identifier: MIT */
#include "tcp/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Two own it: who asked, and the line or the thread that answers. The last one frees it. The descriptor is the asker's: it is
 * closed when he lets go, so a resolver that hangs keeps no descriptor of ours.
 */
struct obi_tcp_lookup {
	struct obi_tcp_lookup *next; /* in line */
	const struct ob_host *host;
	int fd; /* -1: nobody wants to know */
	bool ended;
	bool taken; /* by a thread */
	int code;   /* of getaddrinfo() */
	int sys;
	uint16_t port;
	struct obi_tcp_list found;
	char name[256];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct obi_tcp_lookup *line; /* waiting for a thread, first come first */
static uint32_t threads;

/* ---- The threads -------------------------------------------------------------------------------------------------- */

static void ask(struct obi_tcp_lookup *lookup)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
	struct addrinfo *list = NULL;
	lookup->code = getaddrinfo(lookup->name, NULL, &hints, &list);
	lookup->sys = lookup->code == EAI_SYSTEM ? errno : 0;
	for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
		obi_tcp_add(&lookup->found, at->ai_addr, lookup->port);
	}
	if (list != NULL) {
		freeaddrinfo(list);
	}
}

/* With the lock held. */
static void tell(struct obi_tcp_lookup *lookup)
{
	const uint64_t one = 1;
	if (lookup->fd < 0) {
		free(lookup);
		return;
	}
	lookup->ended = true;
	ssize_t n = write(lookup->fd, &one, sizeof one);
	(void)n; /* a fresh eventfd has room */
}

static void *answer_all(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lock);
	while (line != NULL) {
		struct obi_tcp_lookup *lookup = line;
		line = lookup->next;
		lookup->taken = true;
		pthread_mutex_unlock(&lock);
		ask(lookup);
		pthread_mutex_lock(&lock);
		tell(lookup);
	}
	threads--;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* A thread that takes none of the application's signals. With the lock held. */
static int start_thread(void)
{
	pthread_attr_t detached;
	pthread_t thread;
	sigset_t all, was;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	int sys = pthread_create(&thread, &detached, answer_all, NULL);
	pthread_attr_destroy(&detached);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	threads += sys == 0;
	return sys;
}

/* ---- Who asks ----------------------------------------------------------------------------------------------------- */

static void queue(struct obi_tcp_lookup *lookup)
{
	struct obi_tcp_lookup **last = &line;
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = lookup;
}

static void unqueue(struct obi_tcp_lookup *lookup)
{
	struct obi_tcp_lookup **at = &line;
	while (*at != NULL && *at != lookup) {
		at = &(*at)->next;
	}
	if (*at != NULL) {
		*at = lookup->next;
	}
}

static void discard(struct obi_tcp_lookup *lookup)
{
	if (lookup->fd >= 0) {
		close(lookup->fd);
	}
	free(lookup);
}

/* Somebody will answer it. Returns the errno if nobody can. */
static int hand_over(struct obi_tcp_lookup *lookup)
{
	pthread_mutex_lock(&lock);
	queue(lookup);
	int sys = threads < OBI_TCP_RESOLVERS ? start_thread() : 0;
	if (threads > 0) {
		sys = 0; /* those that there are will do */
	} else {
		unqueue(lookup);
	}
	pthread_mutex_unlock(&lock);
	return sys;
}

int obi_tcp_lookup_begin(const struct ob_host *host, struct ob_bytes name, uint16_t port,
			 struct obi_tcp_lookup **ret_lookup, int *ret_fd, struct ob_error *reterr)
{
	struct obi_tcp_lookup *lookup = calloc(1, sizeof *lookup);
	if (lookup == NULL || name.len >= sizeof lookup->name) {
		free(lookup);
		return name.len >= sizeof lookup->name
			   ? host->fail(reterr, OB_EINVAL, 0, "a host's name is not that long")
			   : host->fail(reterr, OB_ENOMEM, 0, "resolving a name: out of memory");
	}
	lookup->host = host;
	lookup->port = port;
	memcpy(lookup->name, name.data, name.len);
	lookup->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int sys = lookup->fd < 0 ? errno : hand_over(lookup);
	if (sys != 0) {
		host->fail(reterr, OB_ENOMEM, sys, "resolving %s", lookup->name);
		discard(lookup);
		return OB_ENOMEM;
	}
	*ret_lookup = lookup;
	*ret_fd = lookup->fd;
	return OB_OK;
}

static int failure(const struct obi_tcp_lookup *lookup, struct ob_error *reterr)
{
	bool nobody = lookup->code == EAI_NONAME || lookup->code == EAI_NODATA || lookup->code == 0;
	return lookup->host->fail(reterr, nobody ? OB_ENOENT : OB_EIO, lookup->sys, "resolving %s: %s", lookup->name,
				  lookup->code == 0 ? "it has no internet address" : gai_strerror(lookup->code));
}

int obi_tcp_lookup_end(struct obi_tcp_lookup *lookup, struct obi_tcp_list *ret, struct ob_error *reterr)
{
	int rc = OB_OK;
	pthread_mutex_lock(&lock);
	bool ended = lookup->ended;
	pthread_mutex_unlock(&lock);
	if (!ended) {
		return OB_EAGAIN;
	}
	if (lookup->found.count > 0) {
		*ret = lookup->found;
	} else {
		rc = failure(lookup, reterr);
	}
	discard(lookup);
	return rc;
}

void obi_tcp_lookup_cancel(struct obi_tcp_lookup *lookup)
{
	if (lookup == NULL) {
		return;
	}
	pthread_mutex_lock(&lock);
	if (lookup->taken && !lookup->ended) {
		close(lookup->fd); /* its thread frees the rest */
		lookup->fd = -1;
	} else {
		unqueue(lookup);
		discard(lookup);
	}
	pthread_mutex_unlock(&lock);
}
