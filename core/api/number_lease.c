/* SPDX-License-Identifier: MIT */
#include "api/number_lease.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

static const char *const kinds[] = {"port", "cid"};

/* ---- Holding ---- */

/* The socket, or -errno. */
static int hold(enum obi_number_kind kind, uint32_t number)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "outboard/%s/%u",
			   kinds[kind], number);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	if (bind(fd, (struct sockaddr *)&address, size) < 0) {
		int sys = errno;
		close(fd);
		return -sys;
	}
	return fd;
}

void obi_number_give_back(struct obi_number_lease *lease)
{
	if (lease->fd >= 0) {
		close(lease->fd);
	}
	*lease = OBI_NUMBER_LEASE_NONE;
}

void obi_number_keep(struct obi_number_lease *lease, enum obi_number_kind kind, uint32_t number)
{
	if (number == 0 || (lease->fd >= 0 && lease->number == number)) {
		return;
	}
	obi_number_give_back(lease);
	int fd = hold(kind, number);
	*lease = (struct obi_number_lease){fd >= 0 ? fd : -1, number};
}

/* ---- Whether a port is in use ---- */

/* Where the child would bind it, as it would: a connection that lingers is no obstacle. */
static bool is_bound(int family, uint32_t port)
{
	const int on = 1, off = 0;
	const struct sockaddr_in6 any6 = {.sin6_family = AF_INET6,
					  .sin6_port = htons((uint16_t)port)};
	const struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	bool six = family == AF_INET6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return false;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (six) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	}
	int r = six ? bind(fd, (const struct sockaddr *)&any6, sizeof any6)
		    : bind(fd, (const struct sockaddr *)&any4, sizeof any4);
	bool bound = r < 0 && errno == EADDRINUSE;
	close(fd);
	return bound;
}

static bool is_used(enum obi_number_kind kind, uint32_t number)
{
	return kind == OBI_NUMBER_PORT && (is_bound(AF_INET6, number) || is_bound(AF_INET, number));
}

/* ---- Choosing ---- */

struct choice {
	struct obi_number_lease *lease;
	enum obi_number_kind kind;
	uint32_t held, used; /* numbers that were passed over */
};

/* OB_EBUSY: the next number is to be tried. */
static int try_number(struct choice *c, uint32_t number, struct ob_error *reterr)
{
	struct obi_number_lease *lease = c->lease;
	bool ours = lease->fd >= 0 && lease->number == number;
	int fd = ours ? lease->fd : hold(c->kind, number);
	if (fd == -EADDRINUSE) {
		c->held++;
		return OB_EBUSY;
	}
	if (fd < 0) {
		return obi_fail(reterr, obi_code_of_errno(-fd), -fd, "holding %s %u",
				kinds[c->kind], number);
	}
	if (is_used(c->kind, number)) {
		c->used++;
		if (!ours) {
			close(fd);
		}
		return OB_EBUSY;
	}
	if (!ours) {
		obi_number_give_back(lease);
		*lease = (struct obi_number_lease){fd, number};
	}
	return OB_OK;
}

int obi_number_take(struct obi_number_lease *lease, enum obi_number_kind kind,
		    const struct obi_number_range *range, uint32_t before, uint64_t seed,
		    struct ob_error *reterr)
{
	struct choice c = {.lease = lease, .kind = kind};
	uint32_t count = range->last - range->first + 1, begin = (uint32_t)(seed % count);
	int r = obi_range_has(range, before) ? try_number(&c, before, reterr) : OB_EBUSY;
	for (uint32_t i = 0; r == OB_EBUSY && i < count; i++) {
		uint32_t number = range->first + (begin + i) % count;
		r = number != before ? try_number(&c, number, reterr) : OB_EBUSY;
	}
	if (r != OB_EBUSY) {
		return r;
	}
	return obi_fail(reterr, r, 0,
			"no free %s in %u-%u: %u are of other children, %u are in use otherwise",
			kinds[kind], range->first, range->last, c.held, c.used);
}
