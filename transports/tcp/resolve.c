/* SPDX-License-Identifier: MIT */
#include "tcp/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/*
 * A lookup has two owners: the caller, and the queue or the thread that answers. The last one frees
 * it. The descriptor belongs to the caller and is closed on cancel, so a resolver that hangs keeps
 * no descriptor open.
 *
 * A cancelled lookup that a thread already works on goes on as an orphan. A new lookup of the same
 * name, during that time or shortly after, gets its answer. Otherwise a dial that is cancelled and
 * repeated before the resolver has tried all its servers would never get an answer, and each try
 * would occupy another thread.
 */
struct obi_tcp_lookup {
	struct obi_tcp_lookup *next; /* in the queue or in the list of orphans */
	const struct ob_host *host;
	int fd; /* -1: cancelled */
	bool ended;
	bool taken;	  /* by a thread */
	int64_t ended_ms; /* when, if it has */
	int code;	  /* of getaddrinfo() */
	int sys;
	uint16_t port;
	struct obi_tcp_list found;
	char name[256];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct obi_tcp_lookup *queue; /* waiting for a thread, in order of arrival */
static struct obi_tcp_lookup *orphans;
static uint32_t threads;

enum { KEEP_MS = 10000, KEPT_MAX = 16 };

/* Not host->now_ms(): a thread may still run after the host is gone. */
static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- Lists, with the lock held ---- */

static void add(struct obi_tcp_lookup **list, struct obi_tcp_lookup *lookup)
{
	while (*list != NULL) {
		list = &(*list)->next;
	}
	lookup->next = NULL;
	*list = lookup;
}

static void remove_from(struct obi_tcp_lookup **list, struct obi_tcp_lookup *lookup)
{
	while (*list != NULL && *list != lookup) {
		list = &(*list)->next;
	}
	if (*list != NULL) {
		*list = lookup->next;
	}
}

/* Free the answers that are too old or too many. */
static void forget_orphans(int64_t now)
{
	uint32_t kept = 0;
	for (struct obi_tcp_lookup *at = orphans, *next; at != NULL; at = next) {
		next = at->next;
		if (at->ended && (now - at->ended_ms >= KEEP_MS || ++kept > KEPT_MAX)) {
			remove_from(&orphans, at);
			free(at);
		}
	}
}

static struct obi_tcp_lookup *take_orphan(const struct obi_tcp_lookup *like)
{
	struct obi_tcp_lookup *at = orphans;
	while (at != NULL && (at->port != like->port || strcmp(at->name, like->name) != 0)) {
		at = at->next;
	}
	if (at != NULL) {
		remove_from(&orphans, at);
	}
	return at;
}

/* ---- The threads ---- */

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

static void wake(const struct obi_tcp_lookup *lookup)
{
	const uint64_t one = 1;
	ssize_t n = write(lookup->fd, &one, sizeof one);
	(void)n; /* a new eventfd has room */
}

/* Report the end of a lookup, with the lock held. A failure of an orphan is dropped: the next try
 * may succeed. */
static void tell(struct obi_tcp_lookup *lookup)
{
	lookup->ended = true;
	lookup->ended_ms = now_ms();
	if (lookup->fd >= 0) {
		wake(lookup);
	} else if (lookup->found.count == 0) {
		remove_from(&orphans, lookup);
		free(lookup);
	}
}

static void *answer_all(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&lock);
	while (queue != NULL) {
		struct obi_tcp_lookup *lookup = queue;
		queue = lookup->next;
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

/* Start a thread that blocks all signals, with the lock held. Returns an errno. */
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

/* ---- The caller ---- */

static void discard(struct obi_tcp_lookup *lookup)
{
	if (lookup->fd >= 0) {
		close(lookup->fd);
	}
	free(lookup);
}

/* Queue the lookup for a thread. Returns the errno if there is none. */
static int hand_over(struct obi_tcp_lookup *lookup)
{
	pthread_mutex_lock(&lock);
	add(&queue, lookup);
	int sys = threads < OBI_TCP_RESOLVERS ? start_thread() : 0;
	if (threads > 0) {
		sys = 0; /* the existing threads answer it */
	} else {
		remove_from(&queue, lookup);
	}
	pthread_mutex_unlock(&lock);
	return sys;
}

/* Continue an orphan with the same name and port, if there is one: it gets the descriptor of
 * lookup, and lookup is freed. */
static struct obi_tcp_lookup *join(struct obi_tcp_lookup *lookup)
{
	pthread_mutex_lock(&lock);
	forget_orphans(now_ms());
	struct obi_tcp_lookup *found = take_orphan(lookup);
	if (found != NULL) {
		found->host = lookup->host;
		found->fd = lookup->fd;
		if (found->ended) {
			wake(found);
		}
		free(lookup);
	}
	pthread_mutex_unlock(&lock);
	return found;
}

int obi_tcp_lookup_begin(const struct ob_host *host, struct ob_bytes name, uint16_t port,
			 struct obi_tcp_lookup **ret_lookup, int *ret_fd, struct ob_error *reterr)
{
	struct obi_tcp_lookup *lookup = calloc(1, sizeof *lookup);
	if (lookup == NULL || name.len >= sizeof lookup->name) {
		free(lookup);
		return name.len >= sizeof lookup->name
			   ? host->fail(reterr, OB_EINVAL, 0,
					"the host name is longer than 255 bytes")
			   : host->fail(reterr, OB_ENOMEM, 0, "resolving a name: out of memory");
	}
	lookup->host = host;
	lookup->port = port;
	memcpy(lookup->name, name.data, name.len);
	lookup->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int sys = lookup->fd < 0 ? errno : 0;
	struct obi_tcp_lookup *joined = sys == 0 ? join(lookup) : NULL;
	sys = sys == 0 && joined == NULL ? hand_over(lookup) : sys;
	if (sys != 0) {
		host->fail(reterr, OB_ENOMEM, sys, "resolving %s", lookup->name);
		discard(lookup);
		return OB_ENOMEM;
	}
	*ret_lookup = joined != NULL ? joined : lookup;
	*ret_fd = (*ret_lookup)->fd;
	return OB_OK;
}

static int failure(const struct obi_tcp_lookup *lookup, struct ob_error *reterr)
{
	bool unknown =
	    lookup->code == EAI_NONAME || lookup->code == EAI_NODATA || lookup->code == 0;
	return lookup->host->fail(
	    reterr, unknown ? OB_ENOENT : OB_EIO, lookup->sys, "resolving %s: %s", lookup->name,
	    lookup->code == 0 ? "no IPv4 or IPv6 address" : gai_strerror(lookup->code));
}

int obi_tcp_lookup_end(struct obi_tcp_lookup *lookup, struct obi_tcp_list *ret,
		       struct ob_error *reterr)
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
	if (lookup->taken && !(lookup->ended && lookup->found.count == 0)) {
		close(lookup->fd);
		lookup->fd = -1;
		add(&orphans, lookup);
		forget_orphans(now_ms());
	} else {
		remove_from(&queue, lookup);
		discard(lookup);
	}
	pthread_mutex_unlock(&lock);
}
