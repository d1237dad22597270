/* SPDX-License-Identifier: MIT */
#include "support/reachable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/netns.h"
#include "support/peer.h"
#include "support/scratch.h"

long reachable_peak_kib(int32_t pid)
{
	char path[64], line[256];
	long kib = -1;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof line, file) != NULL) {
		(void)sscanf(line, "VmHWM: %ld", &kib);
	}
	fclose(file);
	return kib;
}

static void read_config(struct reachable *bed)
{
	struct ob_error err;
	char *path = family_path(&bed->f, "outboard.json");
	bed->config.size = sizeof bed->config;
	if (ob_config_read(path, &bed->config, &err) < 0) {
		fail_msg("%s", err.text);
	}
	free(path);
}

void reachable_start(struct reachable *bed, const char *mechanism)
{
	/* Few descriptors more than the slots take. */
	static const struct ob_rlimit limits[] = {{"nofile", DESCRIPTORS + 32, DESCRIPTORS + 32},
						  {NULL, 0, 0}};
	struct ob_error err = {0};
	bed->auth[0] = mechanism;
	bed->f.options.auth = bed->auth;
	bed->f.options.listen = bed->bind;
	bed->f.options.limits = limits;
	bed->f.options.allow_plaintext = true;
	bed->f.options.health_interval_ms = -1;
	bed->f.options.ready_timeout_ms = REACHABLE_CONNECT_MS;
	family_connector(&bed->f);
	if (ob_connector_start(bed->f.connector, 0, NULL, &err) < 0) {
		fail_msg("%s", err.text);
	}
	bed->pid = ob_connector_pid(bed->f.connector);
	bed->fds = peer_open_fds(bed->pid);
	bed->rss = reachable_peak_kib(bed->pid);
	read_config(bed);
}

void reachable_start_unix(struct reachable *bed, const char *mechanism, const char *argument)
{
	*bed = (struct reachable){0};
	family_begin(&bed->f, OB_RUNTIME_INLINE, argument, NULL);
	assert_int_equal(chmod(bed->f.scratch, 0711), 0);
	bed->open_dir = scratch_text("%s/open", bed->f.scratch);
	assert_int_equal(mkdir(bed->open_dir, 0755), 0);
	bed->bind = scratch_text("unix://%s/rpc.sock", bed->open_dir);
	bed->place = scratch_text("unix:%s/rpc.sock", bed->open_dir);
	reachable_start(bed, mechanism);
	assert_int_equal(chmod(bed->place + strlen("unix:"), 0666), 0);
}

void reachable_start_tcp(struct reachable *bed, const char *mechanism, const char *host)
{
	*bed = (struct reachable){0};
	family_begin(&bed->f, OB_RUNTIME_INLINE, NULL);
	bed->bind = scratch_text("tcp://%s:0", host);
	reachable_start(bed, mechanism);
	bed->place = scratch_text("tcp:%s", bed->config.rpc_addr + strlen("tcp://"));
}

static bool has_freed_all(void *user)
{
	const struct reachable *bed = user;
	return peer_open_fds(bed->pid) <= bed->fds;
}

void reachable_end(struct reachable *bed)
{
	int64_t n = 0;
	family_until(&bed->f, has_freed_all, bed);
	assert_true(ob_get_int(family_call(&bed->f, "echo", "[i]", 42), &n));
	assert_int_equal(n, 42);
	assert_int_equal(ob_connector_pid(bed->f.connector), bed->pid);
	/* Not by the list of events, which may be full. */
	assert_int_not_equal(bed->f.last_exit.type, OB_EVENT_EXITED);
	ob_config_clear(&bed->config);
	free(bed->place);
	free(bed->bind);
	free(bed->open_dir);
	family_end(&bed->f);
}

int reachable_call(struct reachable *bed, const char *token, struct ob_error *err)
{
	struct ob_client_options o = {.size = sizeof o,
				      .address = bed->config.rpc_addr,
				      .auth = bed->auth,
				      .token = token,
				      .allow_plaintext = true};
	ob_client *client;
	int r = ob_client_connect(bed->f.runtime, &o, NULL, &client, err);
	if (r < 0) {
		return r;
	}
	r = ob_client_callf(client, 0, NULL, err, "act.echo", "[i]", 1);
	ob_client_free(client);
	return r;
}

bool reachable_told(const struct family *f, const char *text)
{
	for (uint32_t i = 0; i < f->line_count; i++) {
		if (strstr(f->lines[i], text) != NULL) {
			return true;
		}
	}
	return false;
}

void reachable_network(void)
{
	static bool made;
	static const char *const up[] = {"ip", "link", "set", "lo", "up", NULL};
	static const char *const addresses[] = {"192.0.2.1/32", "192.0.2.2/32"};
	const char *why = made ? NULL : netns_enter();
	if (why != NULL) {
		print_message("skipped: %s\n", why);
		skip();
	}
	for (size_t i = 0; i < 2 && !made; i++) {
		const char *const add[] = {"ip", "addr", "add", addresses[i], "dev", "lo", NULL};
		assert_true(netns_run(-1, add));
	}
	assert_true(made || netns_run(-1, up));
	made = true;
}
