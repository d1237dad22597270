/* SPDX-License-Identifier: MIT */
#include "agent/agent_hosts.h"

#include "base/error.h"
#include "base/text.h"
#include "json/json.h"

static bool was_replaced(const struct obi_agent_hosts *hosts, const char *id)
{
	for (uint32_t i = 0; i < OBI_AGENT_OLD_HOSTS; i++) {
		if (strcmp(hosts->old[i], id) == 0) {
			return true;
		}
	}
	return false;
}

bool obi_agent_hosts_serves(const struct obi_agent_hosts *hosts, const char *id)
{
	return hosts->current[0] != '\0' && strcmp(hosts->current, id) == 0;
}

bool obi_agent_hosts_hello(struct obi_agent_hosts *hosts, const char *id, const char *label,
			   bool *ret_new)
{
	if (was_replaced(hosts, id)) {
		return false;
	}
	*ret_new = !obi_agent_hosts_serves(hosts, id);
	if (*ret_new && hosts->current[0] != '\0') {
		memcpy(hosts->old[hosts->next], hosts->current, OBI_AGENT_ID_SIZE);
		hosts->next = (hosts->next + 1) % OBI_AGENT_OLD_HOSTS;
	}
	memmove(hosts->current, id, OBI_AGENT_ID_SIZE);
	obi_text_show(label, hosts->label, sizeof hosts->label);
	return true;
}

/* ---- As JSON ---- */

static void build(struct ob_builder *b, const struct obi_agent_hosts *hosts)
{
	ob_build_map(b);
	ob_build_key(b, "current");
	ob_build_string(b, hosts->current);
	ob_build_key(b, "label");
	ob_build_string(b, hosts->label);
	ob_build_key(b, "old");
	ob_build_array(b);
	for (uint32_t i = 0; i < OBI_AGENT_OLD_HOSTS; i++) {
		const char *id = hosts->old[(hosts->next + i) % OBI_AGENT_OLD_HOSTS];
		if (id[0] != '\0') {
			ob_build_string(b, id);
		}
	}
	ob_build_end(b);
	ob_build_end(b);
}

int obi_agent_hosts_format(const struct obi_agent_hosts *hosts, struct ob_sink *out,
			   struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_builder b;
	struct ob_value value = ob_nil();
	obi_arena_init(&arena, 64 * 1024);
	ob_builder_init(&b, &arena.ob);
	build(&b, hosts);
	int r = ob_builder_finish(&b, &value);
	r = r == OB_OK ? obi_json_write(&value, out, reterr)
		       : obi_fail(reterr, r, 0, "out of memory");
	obi_arena_free(&arena);
	return r;
}

static bool read_all(const struct ob_value *map, struct obi_agent_hosts *ret)
{
	const struct ob_value *old = ob_value_find(map, "old");
	char label[OBI_AGENT_LABEL_SIZE];
	if (old == NULL || old->type != OB_ARRAY || old->count > OBI_AGENT_OLD_HOSTS ||
	    !obi_agent_text(ob_value_find(map, "label"), label, sizeof label) ||
	    !obi_agent_id(ob_value_find(map, "current"), ret->current)) {
		return false;
	}
	obi_text_show(label, ret->label, sizeof ret->label);
	for (uint32_t i = 0; i < old->count; i++) {
		if (!obi_agent_id(ob_value_at(old, i), ret->old[i])) {
			return false;
		}
	}
	ret->next = old->count % OBI_AGENT_OLD_HOSTS;
	return true;
}

int obi_agent_hosts_parse(struct ob_bytes text, struct obi_agent_hosts *ret,
			  struct ob_error *reterr)
{
	struct obi_arena arena;
	struct ob_value value = ob_nil();
	*ret = (struct obi_agent_hosts){0};
	obi_arena_init(&arena, 256 * 1024);
	int r = obi_json_parse(text, &arena.ob, NULL, &value, reterr);
	if (r == OB_OK && !read_all(&value, ret)) {
		*ret = (struct obi_agent_hosts){0};
		r = obi_fail(reterr, OB_EPROTO, 0, "malformed");
	}
	obi_arena_free(&arena);
	return r;
}
