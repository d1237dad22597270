/* SPDX-License-Identifier: MIT */
#include "cli/config/where.h"

#include <string.h>

#include "base/placeholders.h"
#include "base/runner.h"
#include "base/uri.h"

enum { ARENA_MAX = 64 * 1024 };

const char *const obi_where_names[] = {"host", "bwrap", "container", "vm", "far", NULL};

const char *obi_where_name(enum obi_where where)
{
	return where > OBI_WHERE_UNKNOWN && where < OBI_WHERES ? obi_where_names[where - 1] : NULL;
}

/* ---- The program ---- */

/* A name that ends in '*' stands for all that begin with it. */
static const struct {
	const char *name;
	enum obi_where where;
} programs[] = {
    {"bwrap", OBI_WHERE_BWRAP},
    {"runc", OBI_WHERE_CONTAINER},
    {"crun", OBI_WHERE_CONTAINER},
    {"youki", OBI_WHERE_CONTAINER},
    {"runsc", OBI_WHERE_CONTAINER},
    {"podman", OBI_WHERE_CONTAINER},
    {"docker", OBI_WHERE_CONTAINER},
    {"nerdctl", OBI_WHERE_CONTAINER},
    {"ctr", OBI_WHERE_CONTAINER},
    {"systemd-nspawn", OBI_WHERE_CONTAINER},
    {"lxc-start", OBI_WHERE_CONTAINER},
    {"lxc-execute", OBI_WHERE_CONTAINER},
    {"lxc-attach", OBI_WHERE_CONTAINER},
    {"qemu-system-*", OBI_WHERE_VM},
    {"qemu-kvm", OBI_WHERE_VM},
    {"kvm", OBI_WHERE_VM},
    {"firecracker", OBI_WHERE_VM},
    {"jailer", OBI_WHERE_VM},
    {"cloud-hypervisor", OBI_WHERE_VM},
    {"crosvm", OBI_WHERE_VM},
    {"ssh", OBI_WHERE_FAR},
};

static bool is_named(const char *program, const char *name)
{
	size_t len = strlen(name);
	return name[len - 1] == '*' ? strncmp(program, name, len - 1) == 0
				    : strcmp(program, name) == 0;
}

static enum obi_where by_program(const char *const *argv)
{
	if (argv == NULL) {
		return OBI_WHERE_UNKNOWN;
	}
	const char *program = obi_runner_name(argv);
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		if (is_named(program, programs[i].name)) {
			return programs[i].where;
		}
	}
	return OBI_WHERE_UNKNOWN;
}

/* ---- The address ---- */

static bool begins_with(struct ob_bytes text, const char *what)
{
	size_t len = strlen(what);
	return text.len >= len && memcmp(text.data, what, len) == 0;
}

/* Digits and dots that begin with 127. */
static bool is_loopback_ipv4(struct ob_bytes host)
{
	size_t i = 0;
	while (i < host.len &&
	       (host.data[i] == '.' || (host.data[i] >= '0' && host.data[i] <= '9'))) {
		i++;
	}
	return i == host.len && begins_with(host, "127.");
}

static bool is_loopback(struct ob_bytes host)
{
	return host.len == 0 || ob_bytes_is(host, "localhost") || ob_bytes_is(host, "::1") ||
	       begins_with(host, "::ffff:127.") || is_loopback_ipv4(host);
}

static enum obi_where by_uri(const struct ob_uri *uri, bool is_dialled)
{
	if (obi_uri_is_of_machine(uri)) {
		return OBI_WHERE_VM;
	}
	return is_dialled && ob_bytes_is(obi_uri_socket(uri), "tcp") && !is_loopback(uri->host)
		   ? OBI_WHERE_FAR
		   : OBI_WHERE_UNKNOWN;
}

/* What its placeholders may stand for: no CID of this machine. */
static const char *const samples[OBI_PLACEHOLDERS] = {
    [OBI_PLACEHOLDER_NAME] = "x",    [OBI_PLACEHOLDER_DATA_PATH] = "/x",
    [OBI_PLACEHOLDER_CONFIG] = "/x", [OBI_PLACEHOLDER_TOKEN_FILE] = "/x",
    [OBI_PLACEHOLDER_PORT] = "9",    [OBI_PLACEHOLDER_CID] = "9",
};

static enum obi_where by_address(const char *address, bool is_dialled)
{
	enum obi_where where = OBI_WHERE_UNKNOWN;
	struct obi_arena arena;
	struct obi_placeholders with = {.arena = &arena};
	const char *text;
	struct ob_uri uri;
	if (address == NULL) {
		return where;
	}
	obi_arena_init(&arena, ARENA_MAX);
	memcpy(with.values, samples, sizeof with.values);
	if (obi_placeholders_text(&with, address, OBI_PLACEHOLDER_IN_URI, &text, NULL) == OB_OK &&
	    obi_uri_parse(text, &arena.ob, &uri, NULL) == OB_OK) {
		where = by_uri(&uri, is_dialled);
	}
	obi_arena_free(&arena);
	return where;
}

enum obi_where obi_where_of(const struct ob_connector_options *options)
{
	enum obi_where where = by_program(options->argv);
	if (where == OBI_WHERE_UNKNOWN) {
		where = by_address(options->connect, true);
	}
	if (where == OBI_WHERE_UNKNOWN) {
		where = by_address(options->listen, false);
	}
	if (where == OBI_WHERE_UNKNOWN) {
		where = by_address(options->accept, false);
	}
	return where != OBI_WHERE_UNKNOWN ? where : OBI_WHERE_HOST;
}
