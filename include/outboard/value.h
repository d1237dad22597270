/* SPDX-License-Identifier: MIT */
/*
 * outboard/value.h - values that do not depend on a codec; every codec reads and writes them.
 *
 * A value is a tree of nil, bool, integer, double, string, binary, array and map. Read it with the
 * ob_get_... and ob_value_... functions; make it with an ob_builder. A tree lives in an arena, from
 * which it is freed as a whole, and borrows its strings. All functions are inline, so that plugins
 * need no library.
 */
#ifndef OUTBOARD_VALUE_H
#define OUTBOARD_VALUE_H

#include <outboard/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ob_type {
	OB_NIL = 0,
	OB_BOOL,
	OB_INT,	   /* any integer that fits into int64_t */
	OB_UINT,   /* only integers above INT64_MAX */
	OB_DOUBLE, /* finite */
	OB_STRING, /* UTF-8, may hold NUL */
	OB_BINARY,
	OB_ARRAY,
	OB_MAP /* ordered; keys are strings */
};

/* The largest depth of containers within containers, the outermost included. */
#define OB_DEPTH_MAX 24

struct ob_pair;

struct ob_value {
	uint8_t type; /* enum ob_type */
	uint8_t zero[3];
	uint32_t count; /* bytes of a string or binary, items of an array, pairs of a map */
	union {
		bool boolean;
		int64_t integer;
		uint64_t uinteger;
		double number;
		const char *string; /* not NUL-terminated */
		const uint8_t *binary;
		const struct ob_value *items;
		const struct ob_pair *pairs;
	} as;
};

struct ob_pair {
	struct ob_value key; /* OB_STRING */
	struct ob_value value;
};

/* ---- Text ---- */

/* Whether the bytes are well-formed UTF-8 (Unicode 15, table 3-7). */
static inline bool ob_is_utf8(struct ob_bytes text)
{
	const uint8_t *p = text.data, *end;
	uint64_t word;
	if (text.len == 0) {
		return true; /* data may be NULL */
	}
	end = p + text.len;
	while (p < end) {
		int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
		uint8_t low = *p == 0xe0 ? 0xa0 : *p == 0xf0 ? 0x90 : 0x80;
		uint8_t high = *p == 0xed ? 0x9f : *p == 0xf4 ? 0x8f : 0xbf;
		if (end - p >= 8 &&
		    (memcpy(&word, p, 8), (word & UINT64_C(0x8080808080808080)) == 0)) {
			p += 8;
			continue;
		}
		if (*p < 0x80) {
			p++;
			continue;
		}
		if (*p < 0xc2 || *p > 0xf4 || end - p <= more) {
			return false;
		}
		if (p[1] < low || p[1] > high || (more > 1 && (p[2] & 0xc0) != 0x80) ||
		    (more > 2 && (p[3] & 0xc0) != 0x80)) {
			return false;
		}
		p += 1 + more;
	}
	return true;
}

/* ---- Making single values ---- */

static inline struct ob_value ob_nil(void)
{
	struct ob_value v;
	memset(&v, 0, sizeof v);
	return v;
}

static inline struct ob_value ob_bool(bool b)
{
	struct ob_value v = ob_nil();
	v.type = OB_BOOL;
	v.as.boolean = b;
	return v;
}

static inline struct ob_value ob_int(int64_t i)
{
	struct ob_value v = ob_nil();
	v.type = OB_INT;
	v.as.integer = i;
	return v;
}

/* An OB_INT if the number fits, so that equal numbers are equal values. */
static inline struct ob_value ob_uint(uint64_t u)
{
	struct ob_value v = ob_nil();
	if (u <= (uint64_t)INT64_MAX) {
		return ob_int((int64_t)u);
	}
	v.type = OB_UINT;
	v.as.uinteger = u;
	return v;
}

static inline struct ob_value ob_double(double d)
{
	struct ob_value v = ob_nil();
	v.type = OB_DOUBLE;
	v.as.number = d;
	return v;
}

/* Borrows text. len must fit into 32 bits. */
static inline struct ob_value ob_stringn(const char *text, size_t len)
{
	struct ob_value v = ob_nil();
	v.type = OB_STRING;
	v.count = (uint32_t)len;
	v.as.string = text;
	return v;
}

/* Borrows a NUL-terminated string; NULL makes nil. */
static inline struct ob_value ob_string(const char *text)
{
	return text != NULL ? ob_stringn(text, strlen(text)) : ob_nil();
}

/* Borrows data. len must fit into 32 bits. */
static inline struct ob_value ob_binary(const void *data, size_t len)
{
	struct ob_value v = ob_nil();
	v.type = OB_BINARY;
	v.count = (uint32_t)len;
	v.as.binary = (const uint8_t *)data;
	return v;
}

/* Borrows the items. */
static inline struct ob_value ob_array(const struct ob_value *items, uint32_t count)
{
	struct ob_value v = ob_nil();
	v.type = OB_ARRAY;
	v.count = count;
	v.as.items = items;
	return v;
}

/* Borrows the pairs. */
static inline struct ob_value ob_map(const struct ob_pair *pairs, uint32_t count)
{
	struct ob_value v = ob_nil();
	v.type = OB_MAP;
	v.count = count;
	v.as.pairs = pairs;
	return v;
}

/* ---- Reading. v may be NULL, which is no value: the result is then false or NULL ---- */

static inline bool ob_is_nil(const struct ob_value *v)
{
	return v == NULL || v->type == OB_NIL;
}

static inline bool ob_get_bool(const struct ob_value *v, bool *ret)
{
	if (v == NULL || v->type != OB_BOOL) {
		return false;
	}
	*ret = v->as.boolean;
	return true;
}

/* An integer that fits into int64_t. A double is not an integer, not even 1.0. */
static inline bool ob_get_int(const struct ob_value *v, int64_t *ret)
{
	if (v == NULL || v->type != OB_INT) {
		return false;
	}
	*ret = v->as.integer;
	return true;
}

/* A non-negative integer. */
static inline bool ob_get_uint(const struct ob_value *v, uint64_t *ret)
{
	if (v != NULL && v->type == OB_UINT) {
		*ret = v->as.uinteger;
		return true;
	}
	if (v == NULL || v->type != OB_INT || v->as.integer < 0) {
		return false;
	}
	*ret = (uint64_t)v->as.integer;
	return true;
}

/* A double, or an integer converted to one. */
static inline bool ob_get_double(const struct ob_value *v, double *ret)
{
	if (v == NULL) {
		return false;
	}
	if (v->type == OB_DOUBLE) {
		*ret = v->as.number;
	} else if (v->type == OB_INT) {
		*ret = (double)v->as.integer;
	} else if (v->type == OB_UINT) {
		*ret = (double)v->as.uinteger;
	} else {
		return false;
	}
	return true;
}

/* The text of a string: borrowed, not NUL-terminated. */
static inline bool ob_get_string(const struct ob_value *v, struct ob_bytes *ret)
{
	if (v == NULL || v->type != OB_STRING) {
		return false;
	}
	*ret = ob_bytes_of(v->as.string, v->count);
	return true;
}

/* The bytes of a binary or of a string (older MessagePack peers have no binary). */
static inline bool ob_get_binary(const struct ob_value *v, struct ob_bytes *ret)
{
	if (v == NULL || (v->type != OB_BINARY && v->type != OB_STRING)) {
		return false;
	}
	*ret = ob_bytes_of(v->as.binary, v->count);
	return true;
}

/* Item i of an array; NULL: v is not an array, or is shorter. */
static inline const struct ob_value *ob_value_at(const struct ob_value *v, uint32_t i)
{
	return v != NULL && v->type == OB_ARRAY && i < v->count ? &v->as.items[i] : NULL;
}

/* The value of the first such key of a map; NULL: v is not a map, or has no such key. */
static inline const struct ob_value *ob_value_find(const struct ob_value *v, const char *key)
{
	size_t len = strlen(key);
	uint32_t i;
	if (v == NULL || v->type != OB_MAP) {
		return NULL;
	}
	for (i = 0; i < v->count; i++) {
		const struct ob_value *k = &v->as.pairs[i].key;
		if (k->count == len && memcmp(k->as.string, key, len) == 0) {
			return &v->as.pairs[i].value;
		}
	}
	return NULL;
}

/* A parameter of a call: by position if params is an array, by name if it is a map; NULL: absent.
 */
static inline const struct ob_value *ob_params_get(const struct ob_value *params, uint32_t index,
						   const char *name)
{
	if (params != NULL && params->type == OB_MAP) {
		return name != NULL ? ob_value_find(params, name) : NULL;
	}
	return ob_value_at(params, index);
}

/* The order of two keys: by bytes, then by length. */
static inline int ob_key_compare(const struct ob_value *a, const struct ob_value *b)
{
	uint32_t n = a->count < b->count ? a->count : b->count;
	int order = n > 0 ? memcmp(a->as.string, b->as.string, n) : 0;
	return order != 0 ? order : (a->count > b->count) - (a->count < b->count);
}

/* A step of heap sort: move the key at i down to its place among the first n. */
static inline void ob_keys_sift(const struct ob_value **keys, uint32_t i, uint32_t n)
{
	while (i < n / 2) {
		const struct ob_value *key = keys[i];
		uint32_t child = 2 * i + 1;
		if (child + 1 < n && ob_key_compare(keys[child], keys[child + 1]) < 0) {
			child++;
		}
		if (ob_key_compare(key, keys[child]) >= 0) {
			return;
		}
		keys[i] = keys[child];
		keys[child] = key;
		i = child;
	}
}

/*
 * Whether two keys of a map are equal: 1, 0 or OB_ENOMEM. Codecs must refuse such maps. The time is
 * never quadratic in the number of keys. Large maps take memory from arena.
 */
static inline int ob_map_has_duplicates(const struct ob_pair *pairs, uint32_t count,
					struct ob_arena *arena)
{
	const struct ob_value **keys;
	uint32_t i, j;
	if (count <= 8) {
		for (i = 1; i < count; i++) {
			for (j = 0; j < i; j++) {
				if (pairs[i].key.count == pairs[j].key.count &&
				    ob_key_compare(&pairs[i].key, &pairs[j].key) == 0) {
					return 1;
				}
			}
		}
		return 0;
	}
	keys = (const struct ob_value **)ob_arena_alloc(arena, count * sizeof *keys);
	if (keys == NULL) {
		return OB_ENOMEM;
	}
	for (i = 0; i < count; i++) {
		keys[i] = &pairs[i].key;
	}
	for (i = count / 2; i-- > 0;) {
		ob_keys_sift(keys, i, count);
	}
	for (i = count; i-- > 1;) {
		const struct ob_value *largest = keys[0];
		keys[0] = keys[i];
		keys[i] = largest;
		ob_keys_sift(keys, 0, i);
		if (i + 1 < count && ob_key_compare(keys[i], keys[i + 1]) == 0) {
			return 1;
		}
	}
	return count > 1 && ob_key_compare(keys[0], keys[1]) == 0;
}

/* ---- Builder ---- */

/*
 * Makes a tree from front to back:
 *
 *   ob_builder_init(&b, arena);
 *   ob_build_map(&b);
 *   ob_build_key(&b, "n");
 *   ob_build_int(&b, 1);
 *   ob_build_end(&b);
 *   r = ob_builder_finish(&b, &value);
 *
 * The builder remembers the first error, so it is enough to check the result of
 * ob_builder_finish(). Strings are borrowed; ob_build_copy() copies. A builder is not freed; its
 * memory is the arena's.
 */
#define OB_BUILDER_INLINE 16

struct ob_builder {
	struct ob_arena *arena;
	struct ob_value *stack; /* complete values whose container has not ended */
	uint32_t used;
	uint32_t room;
	uint32_t depth;
	int error; /* OB_OK, OB_ENOMEM, OB_ETOOBIG (too deep) or OB_EINVAL (misuse) */
	struct {
		uint32_t base; /* where the values of this container start on the stack */
		uint8_t type;
	} open[OB_DEPTH_MAX];
	struct ob_value first[OB_BUILDER_INLINE];
};

/* Start, or start over. The tree is made in arena, which the caller owns and must keep as long. */
static inline void ob_builder_init(struct ob_builder *b, struct ob_arena *arena)
{
	b->arena = arena;
	b->stack = b->first;
	b->used = 0;
	b->room = OB_BUILDER_INLINE;
	b->depth = 0;
	b->error = OB_OK;
}

static inline void ob_build_value(struct ob_builder *b, struct ob_value value)
{
	if (b->used == b->room && b->error == OB_OK) {
		struct ob_value *wider = b->room > UINT32_MAX / 4
					     ? NULL
					     : (struct ob_value *)ob_arena_alloc(
						   b->arena, (size_t)b->room * 2 * sizeof *wider);
		if (wider == NULL) {
			b->error = OB_ENOMEM;
		} else {
			memcpy(wider, b->stack, b->used * sizeof *wider);
			b->stack = wider;
			b->room *= 2;
		}
	}
	if (b->error == OB_OK) {
		b->stack[b->used++] = value;
	}
}

static inline void ob_build_nil(struct ob_builder *b)
{
	ob_build_value(b, ob_nil());
}
static inline void ob_build_bool(struct ob_builder *b, bool v)
{
	ob_build_value(b, ob_bool(v));
}
static inline void ob_build_int(struct ob_builder *b, int64_t v)
{
	ob_build_value(b, ob_int(v));
}
static inline void ob_build_uint(struct ob_builder *b, uint64_t v)
{
	ob_build_value(b, ob_uint(v));
}
static inline void ob_build_double(struct ob_builder *b, double v)
{
	ob_build_value(b, ob_double(v));
}
static inline void ob_build_string(struct ob_builder *b, const char *v)
{
	ob_build_value(b, ob_string(v));
}

static inline void ob_build_stringn(struct ob_builder *b, const char *v, size_t n)
{
	if (n > UINT32_MAX) {
		b->error = OB_ETOOBIG;
		return;
	}
	ob_build_value(b, ob_stringn(v, n));
}

static inline void ob_build_binary(struct ob_builder *b, const void *v, size_t n)
{
	if (n > UINT32_MAX) {
		b->error = OB_ETOOBIG;
		return;
	}
	ob_build_value(b, ob_binary(v, n));
}

/* A string, copied into the arena. */
static inline void ob_build_copy(struct ob_builder *b, const char *v, size_t n)
{
	char *copy = n <= UINT32_MAX ? (char *)ob_arena_alloc(b->arena, n) : NULL;
	if (copy == NULL) {
		b->error = OB_ENOMEM;
		return;
	}
	if (n > 0) {
		memcpy(copy, v, n);
	}
	ob_build_value(b, ob_stringn(copy, n));
}

static inline void ob_build_begin(struct ob_builder *b, uint8_t type)
{
	if (b->depth == OB_DEPTH_MAX) {
		b->error = OB_ETOOBIG;
		return;
	}
	b->open[b->depth].base = b->used;
	b->open[b->depth].type = type;
	b->depth++;
}

/* Begin an array. The values up to ob_build_end() are its items. */
static inline void ob_build_array(struct ob_builder *b)
{
	ob_build_begin(b, OB_ARRAY);
}
/* Begin a map. ob_build_key() and a value follow in turns, up to ob_build_end(). */
static inline void ob_build_map(struct ob_builder *b)
{
	ob_build_begin(b, OB_MAP);
}
/* The key of the next value, borrowed. */
static inline void ob_build_key(struct ob_builder *b, const char *key)
{
	ob_build_value(b, ob_string(key));
}

/* Whether the values of an open map are keys and values in turns. */
static inline bool ob_builder_keys_ok(const struct ob_value *flat, uint32_t n)
{
	uint32_t i;
	for (i = 0; i < n; i += 2) {
		if (flat[i].type != OB_STRING) {
			return false;
		}
	}
	return n % 2 == 0;
}

/* End the innermost open container. */
static inline void ob_build_end(struct ob_builder *b)
{
	uint32_t base, n;
	uint8_t type;
	struct ob_value *flat = NULL;
	if (b->error != OB_OK || b->depth == 0) {
		b->error = b->error != OB_OK ? b->error : OB_EINVAL;
		return;
	}
	b->depth--;
	base = b->open[b->depth].base;
	type = b->open[b->depth].type;
	n = b->used - base;
	if (type == OB_MAP && !ob_builder_keys_ok(b->stack + base, n)) {
		b->error = OB_EINVAL;
		return;
	}
	if (n > 0) {
		flat = (struct ob_value *)ob_arena_alloc(b->arena, n * sizeof *flat);
		if (flat == NULL) {
			b->error = OB_ENOMEM;
			return;
		}
		memcpy(flat, b->stack + base, n * sizeof *flat);
	}
	b->used = base;
	/* A pair is two values in a row, so the values are an array of pairs. */
	ob_build_value(b, type == OB_MAP ? ob_map((const struct ob_pair *)(const void *)flat, n / 2)
					 : ob_array(flat, n));
}

/* Store the tree in *ret. OB_EINVAL: a container is open, or there is not exactly one value. */
static inline int ob_builder_finish(struct ob_builder *b, struct ob_value *ret)
{
	if (b->error == OB_OK && (b->depth != 0 || b->used != 1)) {
		b->error = OB_EINVAL;
	}
	if (b->error == OB_OK) {
		*ret = b->stack[0];
	}
	return b->error;
}

#ifdef __cplusplus
}
#endif
#endif
