/* SPDX-License-Identifier: MIT */
/*
 * The reader is a loop, not a recursion: what an open container needs to be gone on with lies on the stack of values, so that
 * depth costs 16 bytes and no C stack. The stack is a chain of segments, of which the first is in the parser; it is never
 * moved, so that what the arena gives for it is in proportion to the text.
 */
#include "base/json.h"

#include "base/error.h"
#include "base/json_scan.h"

enum { SEGMENT_FIRST = 64, SEGMENT_MAX = 4096, FEW_KEYS = 16 };

struct segment {
	struct segment *prev;
	struct segment *next; /* kept when the stack shrinks */
	struct ob_value *values;
	uint32_t used;
	uint32_t room;
};

struct parser {
	struct obi_json_scan scan;
	uint32_t depth;
	uint32_t depth_max;
	bool keep_duplicates;
	uint8_t type;	/* of the innermost open container */
	uint32_t count; /* values in it so far, keys included */
	struct segment *top;
	struct segment first;
	struct ob_value first_values[SEGMENT_FIRST];
};

static bool bad(struct parser *p, const char *wrong)
{
	return obi_json_refuse(&p->scan, OB_EPROTO, wrong);
}

static bool no_memory(struct parser *p)
{
	return obi_json_no_memory(&p->scan);
}

/* ---- The stack of values ------------------------------------------------------------------------------------------ */

static bool add_segment(struct parser *p)
{
	struct segment *top = p->top;
	if (top->next == NULL) {
		uint32_t room = top->room < SEGMENT_MAX ? top->room * 2 : SEGMENT_MAX;
		struct segment *next = ob_arena_alloc(p->scan.arena, sizeof *next + room * sizeof(struct ob_value));
		if (next == NULL) {
			return no_memory(p);
		}
		next->prev = top;
		next->next = NULL;
		next->values = (struct ob_value *)(void *)(next + 1);
		next->room = room;
		top->next = next;
	}
	p->top = top->next;
	p->top->used = 0;
	return true;
}

/* A place for the next value. What is scanned is written there at once; going through a copy would cost more than the scan. */
static struct ob_value *next_place(struct parser *p)
{
	if (p->top->used == p->top->room && !add_segment(p)) {
		return NULL;
	}
	p->count++;
	return &p->top->values[p->top->used++];
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

/* Move the last n values of the stack to `to`. */
static void pop(struct parser *p, struct ob_value *to, uint32_t n)
{
	while (n > 0) {
		struct segment *top = p->top;
		uint32_t here = n < top->used ? n : top->used;
		top->used -= here;
		n -= here;
		memcpy(to + n, top->values + top->used, here * sizeof *to);
		if (n > 0) {
			p->top = top->prev;
		}
	}
}

/* ---- Duplicate keys ----------------------------------------------------------------------------------------------- */

static int compare_keys(const struct ob_value *a, const struct ob_value *b)
{
	if (a->count != b->count) {
		return a->count < b->count ? -1 : 1;
	}
	return a->count > 0 ? memcmp(a->as.string, b->as.string, a->count) : 0;
}

/* Merge two sorted runs. Returns false when they share a key. */
static bool merge(const struct ob_pair **from, size_t n1, size_t n, const struct ob_pair **to)
{
	size_t i = 0, k = n1;
	while (i < n1 && k < n) {
		int order = compare_keys(&from[i]->key, &from[k]->key);
		if (order == 0) {
			return false;
		}
		*to++ = order < 0 ? from[i++] : from[k++];
	}
	memcpy(to, from + i, (n1 - i) * sizeof *to);
	memcpy(to + (n1 - i), from + k, (n - k) * sizeof *to);
	return true;
}

/* Sorting finds them in n log n whatever the keys are; a hash table could be flooded. */
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
			if (!merge(from + i, run < left ? run : left, 2 * run < left ? 2 * run : left, to + i)) {
				return bad(p, "two equal keys in an object");
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
	if (p->keep_duplicates) {
		return true;
	}
	if (n > FEW_KEYS) {
		return check_many_keys(p, pairs, n);
	}
	for (size_t i = 1; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (compare_keys(&pairs[i].key, &pairs[k].key) == 0) {
				return bad(p, "two equal keys in an object");
			}
		}
	}
	return true;
}

/* ---- Values ------------------------------------------------------------------------------------------------------- */

static void skip_space(struct parser *p)
{
	while (p->scan.at < p->scan.end &&
	       (*p->scan.at == ' ' || *p->scan.at == '\n' || *p->scan.at == '\r' || *p->scan.at == '\t')) {
		p->scan.at++;
	}
}

/* Push what must be known when this container ends: that of the one around it. */
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

static bool close_container(struct parser *p)
{
	uint32_t n = p->count;
	bool map = p->type == OB_MAP;
	struct ob_value *run = NULL, outer;
	if (n > 0) {
		run = ob_arena_alloc(p->scan.arena, n * sizeof *run);
		if (run == NULL) {
			return no_memory(p);
		}
		pop(p, run, n);
	}
	/* A pair is two values in a row. */
	const struct ob_pair *pairs = (const struct ob_pair *)(const void *)run;
	if (map && !check_keys(p, pairs, n / 2)) {
		return false;
	}
	pop(p, &outer, 1);
	p->scan.at++;
	p->depth--;
	p->type = outer.type;
	p->count = outer.count;
	return push(p, map ? ob_map(pairs, n / 2) : ob_array(run, n));
}

static bool parse_word(struct parser *p, const char *word, struct ob_value value)
{
	size_t len = strlen(word);
	if ((size_t)(p->scan.end - p->scan.at) < len || memcmp(p->scan.at, word, len) != 0) {
		return bad(p, "not a value");
	}
	p->scan.at += len;
	return push(p, value);
}

/* A scalar, or the beginning of a container. */
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
		return bad(p, p->scan.at < p->scan.end ? "not a value" : "it ends too early");
	}
}

static bool parse_key(struct parser *p)
{
	if (p->scan.at == p->scan.end || *p->scan.at != '"') {
		return bad(p, "a key is missing");
	}
	if (!push_string(p)) {
		return false;
	}
	skip_space(p);
	if (p->scan.at == p->scan.end || *p->scan.at != ':') {
		return bad(p, "':' is missing");
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
		return bad(p, "it ends too early");
	}
	if (*p->scan.at == (p->type == OB_MAP ? '}' : ']')) {
		return close_container(p);
	}
	if (p->count > 0) {
		if (*p->scan.at != ',') {
			return bad(p, "',' is missing");
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
		return bad(p, "something follows the value");
	}
	pop(p, ret, 1);
	return true;
}

int obi_json_parse(struct ob_bytes text, struct ob_arena *arena, const struct obi_json_limits *limits,
		   struct ob_value *ret, struct ob_error *reterr)
{
	static const uint8_t nothing[1];
	const uint8_t *start = text.len > 0 ? text.data : nothing;
	struct parser p; /* not cleared: first_values is large, and written before it is read */
	p.scan = (struct obi_json_scan){start, start + text.len, arena, OB_OK, NULL};
	p.depth = 0;
	p.depth_max = limits != NULL ? limits->depth : OB_DEPTH_MAX;
	p.keep_duplicates = limits != NULL && (limits->flags & OBI_JSON_KEEP_DUPLICATES) != 0;
	p.type = OB_NIL;
	p.count = 0;
	p.first = (struct segment){NULL, NULL, p.first_values, 0, SEGMENT_FIRST};
	p.top = &p.first;
	if (text.len > UINT32_MAX) {
		obi_json_refuse(&p.scan, OB_ETOOBIG, "more than 4 GiB");
	} else if (parse(&p, ret)) {
		return OB_OK;
	}
	return obi_fail(reterr, p.scan.code, 0, "JSON, byte %zu: %s", (size_t)(p.scan.at - start), p.scan.wrong);
}
