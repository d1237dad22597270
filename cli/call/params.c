/* SPDX-License-Identifier: MIT */
#include "cli/call/params.h"

#include "cli/input.h"
#include "cli/report.h"
#include "json/json.h"

/* More than any message may have. */
enum { TEXT_MAX = 64 << 20, MEMORY = 1 << 30 };

/* The text of the parameters, and its name in messages. */
static bool find_text(const char *word, struct obi_params *p, struct ob_bytes *ret,
		      const char **ret_name)
{
	struct ob_error err = {0};
	*ret_name = "the JSON argument";
	*ret = ob_bytes_text(word);
	if (word[0] != '@' && strcmp(word, "-") != 0) {
		return true;
	}
	word += word[0] == '@';
	*ret_name = obi_input_name(word);
	if (obi_input_read(word, &p->text, NULL, &err) < 0) {
		obi_complain("call: %s: %s", *ret_name, err.text);
		return false;
	}
	*ret = obi_buf_bytes(&p->text);
	return true;
}

bool obi_params_read(const char *word, struct obi_params *ret)
{
	struct obi_json_fault fault;
	const struct obi_json_limits limits = {.depth = OB_DEPTH_MAX, .fault = &fault};
	struct ob_bytes text;
	const char *name;
	*ret = (struct obi_params){.value = ob_array(NULL, 0)};
	obi_buf_init(&ret->text, TEXT_MAX);
	obi_arena_init(&ret->arena, MEMORY);
	if (word == NULL) {
		return true;
	}
	if (!find_text(word, ret, &text, &name)) {
		return false;
	}
	if (obi_json_parse(text, &ret->arena.ob, &limits, &ret->item, NULL) < 0) {
		struct obi_place place = obi_place_of(text, fault.offset);
		obi_complain("call: %s:%u:%u: %s", name, place.line, place.column, fault.reason);
		return false;
	}
	bool whole = ret->item.type == OB_ARRAY || ret->item.type == OB_MAP;
	ret->value = whole ? ret->item : ob_array(&ret->item, 1);
	return true;
}

void obi_params_free(struct obi_params *params)
{
	obi_arena_free(&params->arena);
	obi_buf_free(&params->text);
}
