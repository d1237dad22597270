/* SPDX-License-Identifier: MIT */
/*
 * The reader is a loop without recursion. What is needed to continue an open container is kept
 * on the stack of values, so that a level costs 16 bytes and no C stack.
 *
 * The stack starts inside the parser, and finished runs of items are taken from the arena. A
 * text with more open values gets one pool with room for all values that can follow: the stack
 * grows from its left end, and finished runs from its right end. A value is in one of the two,
 * so it costs 16 bytes, and never more than 8 bytes for each byte of text.
 */
#include "json/json.h"

#include "base/error.h"
#include "json/json_scan.h"
#include "json/json_skim.h"

enum { STACK_FIRST = 64, FEW_KEYS = 16 };

struct parser {
	struct obi_json_scan scan;
	const uint8_t *start;
	uint32_t depth;
	uint32_t depth_max;
	uint32_t flags;
	uint32_t left;	/* values that may still come */
	uint8_t type;	/* of the innermost open container */
	uint32_t count; /* values in it so far, including keys */
	struct ob_value *values;
	uint32_t used;
	uint32_t room; /* in the pool: where the finished runs start */
	struct ob_value first[STACK_FIRST];
};

static bool bad(struct parser *p, const char *wrong)
{
	return obi_json_refuse(&p->scan, OB_EPROTO, wrong);
}

/* What is at scan.at does not belong there. */
static bool misplaced(struct parser *p, const char *wrong)
{
	return bad(p, obi_json_explain(&p->scan, p->start, wrong));
}

static bool no_memory(struct parser *p)
{
	return obi_json_no_memory(&p->scan);
}

/* ---- The stack of values ---- */

/* There is no room for the value at scan.at: switch to a pool. Each further value has a ',',
 * ':', '[' or '{' before it. Of a word scan.at is behind it, so the value may need nothing of what
 * is left. */
static bool open_pool(struct parser *p)
{
	size_t left = (size_t)(p->scan.end - p->scan.at);
	size_t most = 1 + left / 2;
	size_t coming = 1 + obi_json_count_marks(p->scan.at, p->scan.end);
	size_t room = p->used + (coming < most ? coming : most);
	struct ob_value *pool =
	    p->values == p->first ? ob_arena_alloc(p->scan.arena, room * sizeof *pool) : NULL;
	if (pool == NULL) {
		return no_memory(p);
	}
	memcpy(pool, p->values, p->used * sizeof *pool);
	p->values = pool;
	p->room = (uint32_t)room;
	return true;
}

/* The place of the next value. The scan writes into it directly; a copy would cost more than the
 * scan. */
static struct ob_value *next_place(struct parser *p)
{
	if (p->left == 0) {
		obi_json_refuse(&p->scan, OB_ETOOBIG, "too many values");
		return NULL;
	}
	if (p->used == p->room && !open_pool(p)) {
		return NULL;
	}
	p->left--;
	p->count++;
	return &p->values[p->used++];
}

static bool push(struct parser *p, struct ob_value value)
{
	struct ob_value *place = next_place(p);
	if (place != NULL) {
		*place = value;
	}
	return place != NULL;
}

static bool push_string(struct parser *p)
{
	struct ob_value *place = next_place(p);
	p->scan.at++;
	return place != NULL && obi_json_scan_string(&p->scan, place);
}

static bool push_number(struct parser *p)
{
	struct ob_value *place = next_place(p);
	return place != NULL && obi_json_scan_number(&p->scan, place);
}

/* Turn the last n values of the stack into a permanent run. */
static struct ob_value *take_run(struct parser *p, uint32_t n)
{
	struct ob_value *run;
	if (p->values == p->first) {
		run = ob_arena_alloc(p->scan.arena, n * sizeof *run);
		if (run == NULL) {
			no_memory(p);
			return NULL;
		}
	} else {
		p->room -= n;
		run = p->values + p->room;
	}
	p->used -= n;
	memmove(run, p->values + p->used, n * sizeof *run);
	return run;
}

/* ---- Duplicate keys ---- */

static int compare_keys(const struct ob_value *a, const struct ob_value *b)
{
	if (a->count != b->count) {
		return a->count < b->count ? -1 : 1;
	}
	return a->count > 0 ? memcmp(a->as.string, b->as.string, a->count) : 0;
}

/* The refusal is at the later of two equal keys, unless it has escapes: then at the object's end.
 */
static bool repeated(struct parser *p, const struct ob_value *a, const struct ob_value *b)
{
	const uint8_t *text = (const uint8_t *)(a > b ? a : b)->as.string;
	if (text > p->start && text <= p->scan.at) {
		p->scan.at = text - 1;
	}
	return bad(p, "duplicate key in an object");
}

/* Merge two sorted runs. Returns false when they share a key; that is refused. */
static bool merge(struct parser *p, const struct ob_pair **from, size_t n1, size_t n,
		  const struct ob_pair **to)
{
	size_t i = 0, k = n1;
	while (i < n1 && k < n) {
		int order = compare_keys(&from[i]->key, &from[k]->key);
		if (order == 0) {
			return repeated(p, &from[i]->key, &from[k]->key);
		}
		*to++ = order < 0 ? from[i++] : from[k++];
	}
	memcpy(to, from + i, (n1 - i) * sizeof *to);
	memcpy(to + (n1 - i), from + k, (n - k) * sizeof *to);
	return true;
}

/* Sorting finds duplicates in n log n steps for any keys; a hash table could be attacked with
 * collisions. */
static bool check_many_keys(struct parser *p, const struct ob_pair *pairs, size_t n)
{
	const struct ob_pair **from = ob_arena_alloc(p->scan.arena, 2 * n * sizeof(*from));
	if (from == NULL) {
		return no_memory(p);
	}
	const struct ob_pair **to = from + n;
	for (size_t i = 0; i < n; i++) {
		from[i] = &pairs[i];
	}
	for (size_t run = 1; run < n; run *= 2) {
		for (size_t i = 0; i < n; i += 2 * run) {
			size_t left = n - i;
			if (!merge(p, from + i, run < left ? run : left,
				   2 * run < left ? 2 * run : left, to + i)) {
				return false;
			}
		}
		const struct ob_pair **swap = from;
		from = to;
		to = swap;
	}
	return true;
}

static bool check_keys(struct parser *p, const struct ob_pair *pairs, size_t n)
{
	if ((p->flags & OBI_JSON_KEEP_DUPLICATES) != 0) {
		return true;
	}
	if (n > FEW_KEYS) {
		return check_many_keys(p, pairs, n);
	}
	for (size_t i = 1; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (compare_keys(&pairs[i].key, &pairs[k].key) == 0) {
				return repeated(p, &pairs[i].key, &pairs[k].key);
			}
		}
	}
	return true;
}

/* ---- Values ---- */

static void skip_space(struct parser *p)
{
	while (p->scan.at < p->scan.end && (*p->scan.at == ' ' || *p->scan.at == '\n' ||
					    *p->scan.at == '\r' || *p->scan.at == '\t')) {
		p->scan.at++;
	}
}

/* Push what is needed when this container ends: the state of the one around it. */
static bool open_container(struct parser *p, uint8_t type)
{
	struct ob_value outer = ob_nil();
	if (p->depth == p->depth_max) {
		return obi_json_refuse(&p->scan, OB_ETOOBIG, "nested too deep");
	}
	outer.type = p->type;
	outer.count = p->count;
	if (!push(p, outer)) {
		return false;
	}
	p->scan.at++;
	p->depth++;
	p->type = type;
	p->count = 0;
	return true;
}

static bool close_map(struct parser *p, struct ob_value *run, uint32_t n, struct ob_value *ret)
{
	/* A pair is two successive values. */
	struct ob_pair *pairs = (struct ob_pair *)(void *)run;
	*ret = ob_map(pairs, n / 2);
	if (!check_keys(p, pairs, n / 2)) {
		return false;
	}
	return n != 2 || (p->flags & OBI_JSON_BINARY) == 0 ||
	       obi_json_read_binary(&p->scan, pairs, ret);
}

static bool close_container(struct parser *p)
{
	uint32_t n = p->count;
	struct ob_value *run = NULL, value;
	if (n > 0 && (run = take_run(p, n)) == NULL) {
		return false;
	}
	if (p->type == OB_ARRAY) {
		value = ob_array(run, n);
	} else if (!close_map(p, run, n, &value)) {
		return false;
	}
	struct ob_value outer = p->values[--p->used];
	p->left++; /* the container itself takes the place of that */
	p->scan.at++;
	p->depth--;
	p->type = outer.type;
	p->count = outer.count;
	return push(p, value);
}

static bool parse_word(struct parser *p, const char *word, struct ob_value value)
{
	size_t len = strlen(word);
	if ((size_t)(p->scan.end - p->scan.at) < len || memcmp(p->scan.at, word, len) != 0) {
		return misplaced(p, "not a value");
	}
	p->scan.at += len;
	return push(p, value);
}

/* A scalar, or the start of a container. */
static bool begin_value(struct parser *p)
{
	switch (p->scan.at < p->scan.end ? *p->scan.at : '\0') {
	case '{':
		return open_container(p, OB_MAP);
	case '[':
		return open_container(p, OB_ARRAY);
	case '"':
		return push_string(p);
	case 't':
		return parse_word(p, "true", ob_bool(true));
	case 'f':
		return parse_word(p, "false", ob_bool(false));
	case 'n':
		return parse_word(p, "null", ob_nil());
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		return push_number(p);
	default:
		return misplaced(p, p->scan.at < p->scan.end ? "not a value" : "unexpected end");
	}
}

static bool parse_key(struct parser *p)
{
	if (p->scan.at == p->scan.end || *p->scan.at != '"') {
		return misplaced(p, "a key is missing");
	}
	if (!push_string(p)) {
		return false;
	}
	skip_space(p);
	if (p->scan.at == p->scan.end || *p->scan.at != ':') {
		return misplaced(p, "':' is missing");
	}
	p->scan.at++;
	skip_space(p);
	return true;
}

/* In an open container: its end, or the next item. */
static bool step(struct parser *p)
{
	skip_space(p);
	if (p->scan.at == p->scan.end) {
		return misplaced(p, "unexpected end");
	}
	if (*p->scan.at == (p->type == OB_MAP ? '}' : ']')) {
		return close_container(p);
	}
	if (p->count > 0) {
		if (*p->scan.at != ',') {
			return misplaced(p, "',' is missing");
		}
		p->scan.at++;
		skip_space(p);
	}
	return (p->type != OB_MAP || parse_key(p)) && begin_value(p);
}

static bool parse(struct parser *p, struct ob_value *ret)
{
	skip_space(p);
	if (!begin_value(p)) {
		return false;
	}
	while (p->depth > 0) {
		if (!step(p)) {
			return false;
		}
	}
	skip_space(p);
	if (p->scan.at < p->scan.end) {
		return misplaced(p, "unexpected text after the value");
	}
	*ret = p->values[0];
	return true;
}

int obi_json_parse(struct ob_bytes text, struct ob_arena *arena,
		   const struct obi_json_limits *limits, struct ob_value *ret,
		   struct ob_error *reterr)
{
	static const uint8_t nothing[1];
	const uint8_t *start = text.len > 0 ? text.data : nothing;
	struct parser p; /* not cleared: first is large, and is written before it is read */
	p.scan = (struct obi_json_scan){start, start + text.len, arena, OB_OK, NULL};
	p.start = start;
	p.depth = 0;
	p.depth_max = limits != NULL ? limits->depth : OB_DEPTH_MAX;
	p.flags = limits != NULL ? limits->flags : 0;
	p.left = limits != NULL && limits->values > 0 ? limits->values : UINT32_MAX;
	p.type = OB_NIL;
	p.count = 0;
	p.values = p.first;
	p.used = 0;
	p.room = STACK_FIRST;
	if (text.len > UINT32_MAX) {
		obi_json_refuse(&p.scan, OB_ETOOBIG, "more than 4 GiB");
	} else if (parse(&p, ret)) {
		return OB_OK;
	}
	size_t offset = (size_t)(p.scan.at - start);
	if (limits != NULL && limits->fault != NULL) {
		*limits->fault = (struct obi_json_fault){offset, p.scan.wrong};
	}
	return obi_fail(reterr, p.scan.code, 0, "JSON, byte %zu: %s", offset, p.scan.wrong);
}
