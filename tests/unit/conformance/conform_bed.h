/* SPDX-License-Identifier: MIT */
/* conform_bed - the conformance suite on a transport as it is, and with a fault. */
#ifndef OB_TESTS_UNIT_CONFORM_BED_H
#define OB_TESTS_UNIT_CONFORM_BED_H

#include "unit/transports/wire_bed.h"

#include "conformance/transport.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static const struct ob_transport_ops *sound;
static const struct ob_host *sound_host;
static const char *sound_scheme;

static inline void tell(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	static const char *const words[] = {"holds  ", "BROKEN ", "skipped"};
	(void)user;
	printf("    %s %s%s%s\n", words[verdict], promise, why[0] != '\0' ? ": " : "", why);
}

/* The plugins of the tests are found, too. */
static inline int made_begin(void **state, const char *scheme)
{
	char *was = scratch_text("%s", scratch_env("OUTBOARD_PLUGIN_PATH"));
	char *path = scratch_text("%s/test-plugins", scratch_env("OB_TEST_BUILD"));
	const char *dirs[] = {path, was, NULL};
	struct wire_bed *wire = calloc(1, sizeof *wire);
	const struct obi_plugin *plugin = NULL;
	int rc = wire != NULL ? obi_registry_new(dirs, &wire->registry, NULL) : OB_ENOMEM;
	rc = rc == OB_OK ? obi_registry_transport(wire->registry, NULL, ob_bytes_text(scheme),
						  &plugin, NULL)
			 : rc;
	free(was);
	free(path);
	if (rc == OB_OK) {
		wire->bed.ops = &plugin->as.transport;
		wire->bed.host = obi_registry_host(wire->registry);
	}
	*state = wire;
	return rc;
}

static inline uint32_t conform(const char *listen, const char *dial)
{
	void *state = NULL;
	char *scheme = strndup(listen, strcspn(listen, ":"));
	int rc = made_begin(&state, scheme);
	free(scheme);
	if (rc != 0) {
		return 1;
	}
	struct wire_bed *wire = state;
	struct obi_conform_transport it = {
	    .ops = wire->bed.ops, .host = wire->bed.host, .listen = listen, .dial = dial};
	printf("  %s\n", listen);
	uint32_t broken = obi_conform_transport(&it, tell, NULL);
	wire_end(&state);
	return broken;
}

/* A wrapper keeps the promises of the transport inside, even with delays and small pieces. */
static const char mild[] = "seed=7&delay=0..1ms&chop=1..5000&pause=1/100000:1ms..5ms";

/* ---- With faults ---- */

static inline bool only_that(void *user, const char *promise)
{
	return strcmp(promise, *(const char **)user) == 0;
}

static inline void note(void *user, const char *promise, enum obi_verdict verdict, const char *why)
{
	const char **wanted = user;
	(void)why;
	if (strcmp(promise, *wanted) == 0 && verdict == OBI_VERDICT_FAIL) {
		*wanted = "";
	}
}

static inline void assert_broken(const struct wire_bed *wire, const struct ob_transport_ops *ops,
				 int patience_ms, const char *promise)
{
	char *dir = scratch_make(), *uri = scratch_text("%s://%s/s", sound_scheme, dir);
	const char *wanted = promise;
	struct obi_conform_transport it = {.ops = ops,
					   .host = wire->bed.host,
					   .listen = uri,
					   .begin = only_that,
					   .patience_ms = patience_ms};
	(void)obi_conform_transport(&it, note, &wanted);
	free(uri);
	scratch_remove(dir);
	if (*wanted != '\0') {
		fail_msg("a fault does not break \"%s\"", promise);
	}
}

#define BREAK_IN(patience_ms, promise, ...)                              \
	do {                                                             \
		struct ob_transport_ops ops = *sound;                    \
		__VA_ARGS__;                                             \
		assert_broken(state_of, &ops, (patience_ms), (promise)); \
	} while (0)
#define BREAK(promise, ...) BREAK_IN(0, promise, __VA_ARGS__)
/* Faults that end only by the suite's patience. */
#define STALL(promise, ...) BREAK_IN(300, promise, __VA_ARGS__)

static inline void *begin_sound_of(const char *scheme)
{
	void *bed = NULL;
	assert_int_equal(made_begin(&bed, scheme), 0);
	sound_scheme = scheme;
	sound = ((const struct wire_bed *)bed)->bed.ops;
	sound_host = ((const struct wire_bed *)bed)->bed.host;
	return bed;
}

#endif
