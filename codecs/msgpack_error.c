/* SPDX-License-Identifier: MIT */
#include "codecs/msgpack_error.h"

static const char *const keys[] = {"code", "message", "data"};

static bool has_form(const struct ob_value *error, uint8_t type)
{
	return error->type == type && (error->count == 2 || error->count == 3);
}

bool obi_msgpack_error_is_standard(const struct ob_value *error)
{
	if (!has_form(error, OB_MAP)) {
		return false;
	}
	for (uint32_t i = 0; i < error->count; i++) {
		const struct ob_value *key = &error->as.pairs[i].key;
		if (!ob_bytes_is(ob_bytes_of(key->as.string, key->count), keys[i])) {
			return false;
		}
	}
	return error->as.pairs[0].value.type == OB_INT &&
	       error->as.pairs[1].value.type == OB_STRING;
}

bool obi_msgpack_error_read(struct ob_value *error, struct ob_arena *arena)
{
	if (!has_form(error, OB_ARRAY) || error->as.items[0].type != OB_INT ||
	    error->as.items[1].type != OB_STRING) {
		return true;
	}
	struct ob_pair *pairs = ob_arena_alloc(arena, error->count * sizeof *pairs);
	if (pairs == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < error->count; i++) {
		pairs[i].key = ob_string(keys[i]);
		pairs[i].value = error->as.items[i];
	}
	*error = ob_map(pairs, error->count);
	return true;
}
