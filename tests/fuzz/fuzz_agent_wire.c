/* SPDX-License-Identifier: MIT */
/* What host and agent say to each other: anything is read or refused, and what was read builds a
 * value that reads back as the same. The input is a JSON text, as the codec json would bring it. */
#include "base/buf.h"
#include "files/child_config.h"
#include "json/json.h"
#include "place/agent_faults.h"
#include "place/agent_options.h"
#include "place/agent_wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1 << 20, BUDGET = 64 << 20 };

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

/* One text of the value, to compare. */
static struct ob_bytes text_of(struct ob_builder *b, struct obi_arena *arena, struct ob_value *ret)
{
	struct obi_buf text;
	obi_buf_init(&text, 8 * MAX);
	must(ob_builder_finish(b, ret) == OB_OK);
	must(obi_json_write(ret, obi_buf_sink(&text), NULL) == OB_OK);
	size_t len = obi_buf_len(&text);
	char *copy = obi_arena_text(arena, (const char *)obi_buf_bytes(&text).data, len);
	must(copy != NULL);
	obi_buf_free(&text);
	return ob_bytes_of(copy, len);
}

static void facts(const struct ob_value *value, struct obi_arena *arena)
{
	struct obi_agent_facts first, second;
	struct ob_builder b;
	struct ob_value built, again;
	struct ob_error err = {0};
	if (obi_agent_facts_read(value, &first, &err) < 0) {
		must(err.code == OB_EPROTO && err.text[0] != '\0');
		return;
	}
	ob_builder_init(&b, &arena->ob);
	obi_agent_facts_build(&b, &first);
	struct ob_bytes one = text_of(&b, arena, &built);
	must(obi_agent_facts_read(&built, &second, NULL) == OB_OK);
	ob_builder_init(&b, &arena->ob);
	obi_agent_facts_build(&b, &second);
	must(ob_bytes_equal(one, text_of(&b, arena, &again)));
}

static void options(const struct ob_value *value, struct obi_arena *arena)
{
	struct ob_connector_options first, second;
	struct ob_builder b;
	struct ob_value built, again;
	struct ob_error err = {0};
	if (obi_agent_options_read(value, arena, &first, &err) < 0) {
		must(err.code < 0 && memcmp(err.text, "options: ", 9) == 0);
		return;
	}
	must(first.argv != NULL && first.argv[0] != NULL);
	ob_builder_init(&b, &arena->ob);
	obi_agent_options_build(&b, &first);
	struct ob_bytes one = text_of(&b, arena, &built);
	must(obi_agent_options_read(&built, arena, &second, NULL) == OB_OK);
	ob_builder_init(&b, &arena->ob);
	obi_agent_options_build(&b, &second);
	must(ob_bytes_equal(one, text_of(&b, arena, &again)));
}

static void config(const struct ob_value *value, struct obi_arena *arena,
		   enum obi_agent_config_keys keys)
{
	struct ob_config first = {.size = sizeof first}, second = {.size = sizeof second};
	struct ob_builder b;
	struct ob_value built, again;
	if (obi_agent_config_read(value, keys, &first, NULL) < 0) {
		return;
	}
	must(first.listen == NULL && first.fifo_stdout == NULL && first.extra == NULL);
	must(keys == OBI_AGENT_CONFIG_GIVEN || first.token == NULL);
	ob_builder_init(&b, &arena->ob);
	must(obi_agent_config_build(&b, arena, keys, &first, NULL) == OB_OK);
	struct ob_bytes one = text_of(&b, arena, &built);
	must(obi_agent_config_read(&built, keys, &second, NULL) == OB_OK);
	ob_builder_init(&b, &arena->ob);
	must(obi_agent_config_build(&b, arena, keys, &second, NULL) == OB_OK);
	must(ob_bytes_equal(one, text_of(&b, arena, &again)));
	obi_child_config_clear(&first);
	obi_child_config_clear(&second);
}

static void chunk(const struct ob_value *value)
{
	struct obi_agent_chunk read;
	if (obi_agent_chunk_read(value, &read, NULL) == OB_OK) {
		must(read.stream >= 1 && read.stream <= 3);
	}
}

static void on_fault(void *user, const struct ob_fault *fault)
{
	uint32_t *count = user;
	must(fault->kind <= OB_FAULT_WARNING && fault->reason[0] != '\0');
	must(strspn(fault->option, "abcdefghijklmnopqrstuvwxyz0123456789_.") ==
	     strlen(fault->option));
	for (const char *at = fault->reason; *at != '\0'; at++) {
		must((unsigned char)*at >= 0x20 && *at != 0x7f);
	}
	++*count;
}

static void faults(const struct ob_value *value)
{
	uint32_t count = 0;
	struct ob_error err = {0};
	if (obi_agent_faults_read(value, on_fault, &count, &err) < 0) {
		must(err.code == OB_EPROTO && count == 0);
	}
	must(count <= OBI_AGENT_FAULTS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX, .flags = OBI_JSON_BINARY};
	struct obi_arena arena;
	struct ob_value value;
	char id[OBI_AGENT_ID_SIZE];
	if (size > MAX) {
		return 0;
	}
	obi_arena_init(&arena, BUDGET);
	if (obi_json_parse(ob_bytes_of(data, size), &arena.ob, &limits, &value, NULL) == OB_OK) {
		facts(&value, &arena);
		faults(&value);
		options(&value, &arena);
		config(&value, &arena, OBI_AGENT_CONFIG_GIVEN);
		config(&value, &arena, OBI_AGENT_CONFIG_WRITTEN);
		chunk(&value);
		must(!obi_agent_id(&value, id) || strlen(id) == sizeof id - 1);
	}
	obi_arena_free(&arena);
	return 0;
}
