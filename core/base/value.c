/* SPDX-License-Identifier: MIT */
#include "base/value.h"

/* ---- Copy ---- */

static int copy(const struct ob_value *value, struct obi_arena *arena, uint32_t depth,
		struct ob_value *ret);

static int copy_bytes(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret)
{
	void *bytes = obi_arena_copy(arena, value->as.binary, value->count);
	if (bytes == NULL) {
		return OB_ENOMEM;
	}
	*ret = value->type == OB_STRING ? ob_stringn(bytes, value->count)
					: ob_binary(bytes, value->count);
	return OB_OK;
}

static int copy_run(const struct ob_value *run, size_t n, struct obi_arena *arena, uint32_t depth,
		    struct ob_value **ret_run)
{
	struct ob_value *made =
	    n <= SIZE_MAX / sizeof *made ? ob_arena_alloc(&arena->ob, n * sizeof *made) : NULL;
	if (made == NULL) {
		return OB_ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		int rc = copy(&run[i], arena, depth, &made[i]);
		if (rc < 0) {
			return rc;
		}
	}
	*ret_run = made;
	return OB_OK;
}

static int copy_container(const struct ob_value *value, struct obi_arena *arena, uint32_t depth,
			  struct ob_value *ret)
{
	struct ob_value *run = NULL;
	bool map = value->type == OB_MAP;
	/* A pair is two successive values. */
	const struct ob_value *from =
	    map ? (const struct ob_value *)(const void *)value->as.pairs : value->as.items;
	int rc = OB_OK;
	if (depth == OB_DEPTH_MAX) {
		return OB_ETOOBIG;
	}
	if (value->count > 0) {
		rc = copy_run(from, map ? (size_t)value->count * 2 : value->count, arena, depth + 1,
			      &run);
	}
	if (rc == OB_OK) {
		*ret = map ? ob_map((const struct ob_pair *)(const void *)run, value->count)
			   : ob_array(run, value->count);
	}
	return rc;
}

static int copy(const struct ob_value *value, struct obi_arena *arena, uint32_t depth,
		struct ob_value *ret)
{
	switch (value->type) {
	case OB_STRING:
	case OB_BINARY:
		return copy_bytes(value, arena, ret);
	case OB_ARRAY:
	case OB_MAP:
		return copy_container(value, arena, depth, ret);
	default:
		*ret = *value;
		return OB_OK;
	}
}

int obi_value_copy(const struct ob_value *value, struct obi_arena *arena, struct ob_value *ret)
{
	struct ob_value made;
	int rc = copy(value, arena, 0, &made);
	if (rc == OB_OK) {
		*ret = made;
	}
	return rc;
}

/* ---- Compare ---- */

static bool equal(const struct ob_value *a, const struct ob_value *b, uint32_t depth);

static bool equal_runs(const struct ob_value *a, const struct ob_value *b, size_t n, uint32_t depth)
{
	for (size_t i = 0; i < n; i++) {
		if (!equal(&a[i], &b[i], depth)) {
			return false;
		}
	}
	return true;
}

static bool equal_containers(const struct ob_value *a, const struct ob_value *b, uint32_t depth)
{
	if (a->count != b->count || depth == OBI_VALUE_DEPTH_MAX) {
		return false;
	}
	if (a->type == OB_ARRAY) {
		return equal_runs(a->as.items, b->as.items, a->count, depth + 1);
	}
	return equal_runs((const struct ob_value *)(const void *)a->as.pairs,
			  (const struct ob_value *)(const void *)b->as.pairs, (size_t)a->count * 2,
			  depth + 1);
}

static bool equal(const struct ob_value *a, const struct ob_value *b, uint32_t depth)
{
	if (a->type != b->type) {
		return false;
	}
	switch (a->type) {
	case OB_NIL:
		return true;
	case OB_BOOL:
		return a->as.boolean == b->as.boolean;
	case OB_INT:
		return a->as.integer == b->as.integer;
	case OB_UINT:
		return a->as.uinteger == b->as.uinteger;
	case OB_DOUBLE:
		return a->as.number == b->as.number;
	case OB_STRING:
	case OB_BINARY:
		return ob_bytes_equal(ob_bytes_of(a->as.binary, a->count),
				      ob_bytes_of(b->as.binary, b->count));
	default:
		return equal_containers(a, b, depth);
	}
}

bool obi_value_equal(const struct ob_value *a, const struct ob_value *b)
{
	return equal(a, b, 0);
}

/* ---- Build by format ---- */

/* va_list may be an array type, which decays as a parameter; inside a struct it can be passed by
 * pointer. */
struct arguments {
	va_list list;
};

static void misuse(struct ob_builder *builder)
{
	if (builder->error == OB_OK) {
		builder->error = OB_EINVAL;
	}
}

static void end_container(struct ob_builder *builder, uint8_t type)
{
	if (builder->error == OB_OK &&
	    (builder->depth == 0 || builder->open[builder->depth - 1].type != type)) {
		misuse(builder);
	}
	ob_build_end(builder);
}

static void build_sized(struct ob_builder *builder, char piece, struct arguments *args)
{
	const void *data = va_arg(args->list, const void *);
	size_t len = va_arg(args->list, size_t);
	if (piece == 'S') {
		ob_build_stringn(builder, data, len);
	} else {
		ob_build_binary(builder, data, len);
	}
}

static void build_tree(struct ob_builder *builder, const struct ob_value *tree)
{
	ob_build_value(builder, tree != NULL ? *tree : ob_nil());
}

static void build_scalar(struct ob_builder *builder, char piece, struct arguments *args)
{
	switch (piece) {
	case 'n':
		ob_build_nil(builder);
		break;
	case 'b':
		ob_build_bool(builder, va_arg(args->list, int) != 0);
		break;
	case 'i':
		ob_build_int(builder, va_arg(args->list, int));
		break;
	case 'I':
		ob_build_int(builder, va_arg(args->list, int64_t));
		break;
	case 'U':
		ob_build_uint(builder, va_arg(args->list, uint64_t));
		break;
	case 'd':
		ob_build_double(builder, va_arg(args->list, double));
		break;
	case 's':
		ob_build_string(builder, va_arg(args->list, const char *));
		break;
	case 'v':
		build_tree(builder, va_arg(args->list, const struct ob_value *));
		break;
	default:
		misuse(builder);
	}
}

static void build_piece(struct ob_builder *builder, char piece, struct arguments *args)
{
	switch (piece) {
	case ' ':
	case '\t':
	case '\n':
	case ',':
	case ':':
		break;
	case '[':
		ob_build_array(builder);
		break;
	case '{':
		ob_build_map(builder);
		break;
	case ']':
		end_container(builder, OB_ARRAY);
		break;
	case '}':
		end_container(builder, OB_MAP);
		break;
	case 'S':
	case 'B':
		build_sized(builder, piece, args);
		break;
	default:
		build_scalar(builder, piece, args);
	}
}

void obi_build_format(struct ob_builder *builder, const char *format, va_list args)
{
	struct arguments copied;
	va_copy(copied.list, args);
	/* Stop at an error: after an unknown piece the types of the arguments are unknown. */
	for (const char *at = format; *at != '\0' && builder->error == OB_OK; at++) {
		build_piece(builder, *at, &copied);
	}
	va_end(copied.list);
}
