/* SPDX-License-Identifier: MIT */
#include "access/acl.h"

#include <outboard/auth.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"

/* ---- Words ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool ends_rule(uint8_t c)
{
	return c == ';' || c == '\n';
}

/* Cut the next word off the front; blanks in quotes are part of it. false: there is none, or a
 * quote is not closed. */
static bool next_word(struct ob_bytes *rest, struct ob_bytes *ret_word)
{
	bool quoted = false;
	size_t n = 0;
	while (rest->len > 0 && is_blank(rest->data[0])) {
		*rest = ob_bytes_of(rest->data + 1, rest->len - 1);
	}
	while (n < rest->len && (quoted || !is_blank(rest->data[n]))) {
		quoted = quoted != (rest->data[n] == '"');
		n++;
	}
	*ret_word = ob_bytes_of(rest->data, n);
	*rest = ob_bytes_of(rest->data + n, rest->len - n);
	return n > 0 && !quoted;
}

/* Cut the next rule off the front of text. A separator in quotes is text. */
static struct ob_bytes next_rule(struct ob_bytes *text)
{
	bool quoted = false;
	size_t n = 0;
	while (n < text->len && (quoted || !ends_rule(text->data[n]))) {
		quoted = quoted != (text->data[n] == '"');
		n++;
	}
	struct ob_bytes rule = ob_bytes_of(text->data, n);
	n += n < text->len;
	*text = ob_bytes_of(text->data + n, text->len - n);
	return rule;
}

static bool has_only_blanks(struct ob_bytes text)
{
	size_t n = 0;
	while (n < text.len && is_blank(text.data[n])) {
		n++;
	}
	return n == text.len;
}

/* ---- Conditions ---- */

enum reading { CONDITION, NO_CONDITION, BAD_CONDITION };

static struct ob_bytes without_quotes(struct ob_bytes value)
{
	return value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"'
		   ? ob_bytes_of(value.data + 1, value.len - 2)
		   : value;
}

/* "KEY=value": take the value, without its quotes. */
static bool value_of(struct ob_bytes word, const char *key, struct ob_bytes *ret)
{
	size_t n = strlen(key);
	if (word.len <= n || memcmp(word.data, key, n) != 0 || word.data[n] != '=') {
		return false;
	}
	*ret = without_quotes(ob_bytes_of(word.data + n + 1, word.len - n - 1));
	return true;
}

static bool has_quote(struct ob_bytes value)
{
	return value.len > 0 && memchr(value.data, '"', value.len) != NULL;
}

static bool is_text(struct ob_bytes value)
{
	return value.len > 0 && !has_quote(value);
}

/* UINT32_MAX is not a valid uid, gid or context id. */
static bool read_number(struct ob_bytes value, uint32_t *ret)
{
	uint64_t n = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] < '0' || value.data[i] > '9' || value.len > 10) {
			return false;
		}
		n = n * 10 + (uint64_t)(value.data[i] - '0');
	}
	*ret = (uint32_t)n;
	return value.len > 0 && n < UINT32_MAX;
}

/* "claim.NAME=value": split it. An empty value has quotes, so that none is left out by mistake. */
static enum reading read_claim(struct ob_bytes word, struct ob_bytes *ret_name,
			       struct ob_bytes *ret_value)
{
	static const char prefix[] = "claim.";
	const size_t begin = sizeof prefix - 1;
	const uint8_t *equals = word.len > 0 ? memchr(word.data, '=', word.len) : NULL;
	if (equals == NULL || word.len < begin || memcmp(word.data, prefix, begin) != 0) {
		return NO_CONDITION;
	}
	struct ob_bytes value =
	    ob_bytes_of(equals + 1, word.len - (size_t)(equals + 1 - word.data));
	*ret_name = ob_bytes_of(word.data + begin, (size_t)(equals - word.data) - begin);
	*ret_value = without_quotes(value);
	return obi_name_is_claim(*ret_name) && value.len > 0 &&
		       ret_value->len <= OB_CLAIM_VALUE_MAX && !has_quote(*ret_value)
		   ? CONDITION
		   : BAD_CONDITION;
}

static enum reading read_condition(struct obi_acl_rule *rule, struct ob_bytes word)
{
	const struct {
		const char *key;
		uint32_t known;
		uint32_t *number;
	} numbers[] = {{"uid", OB_PEER_UID, &rule->uid},
		       {"gid", OB_PEER_UID, &rule->gid},
		       {"cid", OB_PEER_CID, &rule->cid}};
	struct ob_bytes name, value;
	enum reading claim = read_claim(word, &name, &value);
	if (claim != NO_CONDITION) {
		rule->claims = true;
		return claim;
	}
	if (ob_bytes_is(word, "parent")) {
		rule->parent = true;
		return CONDITION;
	}
	if (value_of(word, "listener", &value)) {
		rule->listener = ob_bytes_is(value, "parent")	? OB_LISTENER_PARENT
				 : ob_bytes_is(value, "client") ? OB_LISTENER_CLIENT
								: OB_LISTENER_NONE;
		return rule->listener != OB_LISTENER_NONE ? CONDITION : BAD_CONDITION;
	}
	if (value_of(word, "subject", &rule->subject)) {
		return is_text(rule->subject) ? CONDITION : BAD_CONDITION;
	}
	if (value_of(word, "method", &rule->method)) {
		return is_text(rule->method) ? CONDITION : BAD_CONDITION;
	}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		if (value_of(word, numbers[i].key, &value)) {
			rule->known |= numbers[i].known;
			rule->numbers |= 1u << i;
			return read_number(value, numbers[i].number) ? CONDITION : BAD_CONDITION;
		}
	}
	return NO_CONDITION;
}

/* ---- Patterns ---- */

static bool is_name(struct ob_bytes text)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\0' || strchr(letters, text.data[i]) == NULL) {
			return false;
		}
	}
	return text.len > 0;
}

/* The position of the last dot, which precedes the method; 0: there is none. */
static size_t last_dot(struct ob_bytes text)
{
	size_t n = text.len;
	while (n > 0 && text.data[n - 1] != '.') {
		n--;
	}
	return n > 0 ? n - 1 : 0;
}

static bool is_pattern(struct ob_bytes word)
{
	size_t dot = last_dot(word);
	if (ob_bytes_is(word, "*")) {
		return true;
	}
	struct ob_bytes method = ob_bytes_of(word.data + dot + 1, dot > 0 ? word.len - dot - 1 : 0);
	return dot > 0 && is_name(ob_bytes_of(word.data, dot)) &&
	       (is_name(method) || ob_bytes_is(method, "*"));
}

static bool is_for_the_parent(struct ob_bytes method)
{
	return ob_bytes_is(method, "outboard-control.shutdown") ||
	       ob_bytes_is(method, "outboard.supervise");
}

/* Methods that are reserved for the parent are not allowed by a pattern: "*" never matches them,
 * and only a rule that names them allows them. */
static bool fits(struct ob_bytes pattern, struct ob_bytes method, bool allow)
{
	if (ob_bytes_is(pattern, "*")) {
		return !is_for_the_parent(method);
	}
	if (pattern.data[pattern.len - 1] == '*') {
		size_t dot = pattern.len - 2;
		return last_dot(method) == dot && memcmp(pattern.data, method.data, dot) == 0 &&
		       !(allow && is_for_the_parent(method));
	}
	return ob_bytes_equal(pattern, method);
}

static bool fits_any(const struct obi_acl_rule *rule, struct ob_bytes method)
{
	struct ob_bytes patterns = rule->patterns, word;
	while (next_word(&patterns, &word)) {
		if (fits(word, method, rule->allow)) {
			return true;
		}
	}
	return false;
}

/* ---- Rules ---- */

static int wrong(struct ob_error *reterr, uint32_t number, const char *what, struct ob_bytes word)
{
	int len = (int)(word.len < 64 ? word.len : 64);
	return obi_fail(reterr, OB_EINVAL, 0, "rule %u: %s \"%.*s\"", number, what, len,
			(const char *)word.data);
}

static int parse_patterns(struct obi_acl_rule *rule, uint32_t number, struct ob_error *reterr)
{
	struct ob_bytes rest = rule->patterns, word;
	if (has_only_blanks(rest)) {
		return obi_fail(reterr, OB_EINVAL, 0, "rule %u names no method", number);
	}
	while (!has_only_blanks(rest)) {
		if (!next_word(&rest, &word) || !is_pattern(word)) {
			return wrong(reterr, number, "neither a condition nor a method:", word);
		}
	}
	return OB_OK;
}

static int parse_rule(struct ob_bytes text, uint32_t number, struct obi_acl_rule *rule,
		      struct ob_error *reterr)
{
	struct ob_bytes word;
	enum reading reading = CONDITION;
	next_word(&text, &word);
	rule->allow = ob_bytes_is(word, "allow");
	if (!rule->allow && !ob_bytes_is(word, "deny")) {
		return wrong(reterr, number, "neither allow nor deny:", word);
	}
	rule->conditions = text;
	while (reading == CONDITION) {
		rule->patterns = text;
		reading = next_word(&text, &word) ? read_condition(rule, word) : NO_CONDITION;
	}
	rule->conditions.len -= rule->patterns.len;
	return reading == BAD_CONDITION
		   ? wrong(reterr, number, "a condition without a valid value:", word)
		   : parse_patterns(rule, number, reterr);
}

static bool fits_all(const struct obi_acl_rule *rule)
{
	struct ob_bytes rest = rule->patterns, word;
	if (rule->conditions.len > 0 && !has_only_blanks(rule->conditions)) {
		return false;
	}
	while (next_word(&rest, &word)) {
		if (ob_bytes_is(word, "*")) {
			return true;
		}
	}
	return false;
}

static int parse_list(struct obi_acl *rules, struct ob_error *reterr)
{
	struct ob_bytes rest = ob_bytes_text(rules->text);
	int r = OB_OK;
	while (r == OB_OK && rest.len > 0) {
		struct ob_bytes text = next_rule(&rest);
		if (has_only_blanks(text)) {
			continue;
		}
		if (rules->count == OBI_ACL_MAX) {
			return obi_fail(reterr, OB_EINVAL, 0, "more than %d rules", OBI_ACL_MAX);
		}
		r = parse_rule(text, rules->count + 1, &rules->list[rules->count], reterr);
		rules->count++;
	}
	if (r == OB_OK && (rules->count == 0 || !fits_all(&rules->list[rules->count - 1]))) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"the last rule must be \"allow *\" or \"deny *\"");
	}
	return r;
}

int obi_acl_parse(const char *text, struct obi_acl *ret, struct ob_error *reterr)
{
	struct obi_acl rules = {0};
	*ret = rules;
	if (text == NULL) {
		return OB_OK;
	}
	if (strlen(text) > OBI_ACL_TEXT_MAX) {
		return obi_fail(reterr, OB_EINVAL, 0, "the rules are longer than %d bytes",
				OBI_ACL_TEXT_MAX);
	}
	rules.text = strdup(text);
	rules.list = calloc(OBI_ACL_MAX, sizeof *rules.list);
	int r = rules.text != NULL && rules.list != NULL
		    ? parse_list(&rules, reterr)
		    : obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	if (r < 0) {
		obi_acl_free(&rules);
		return r;
	}
	*ret = rules;
	return OB_OK;
}

int obi_acl_check(const char *const *list, struct ob_error *reterr)
{
	struct obi_acl rules;
	char *text = malloc(OBI_ACL_TEXT_MAX + 1);
	struct ob_sink out = ob_sink_fixed(text, text != NULL ? OBI_ACL_TEXT_MAX : 0);
	for (size_t i = 0; text != NULL && list != NULL && list[i] != NULL; i++) {
		ob_sink_text(&out, i > 0 ? "; " : "");
		ob_sink_text(&out, list[i]);
	}
	if (text == NULL || out.failed) {
		free(text);
		return obi_fail(reterr, OB_EINVAL, 0, "the rules are longer than %d bytes",
				OBI_ACL_TEXT_MAX);
	}
	text[out.len] = '\0';
	int r = obi_acl_parse(list != NULL ? text : NULL, &rules, reterr);
	obi_acl_free(&rules);
	free(text);
	return r;
}

void obi_acl_free(struct obi_acl *rules)
{
	free(rules->text);
	free(rules->list);
	*rules = (struct obi_acl){0};
}

/* ---- Judging ---- */

static bool same(struct ob_bytes wanted, struct ob_bytes is)
{
	return wanted.len == 0 || ob_bytes_equal(wanted, is);
}

static bool claims_have(const struct ob_value *claims, struct ob_bytes name, struct ob_bytes value)
{
	struct ob_bytes key, is;
	for (uint32_t i = 0; claims != NULL && i < claims->count; i++) {
		const struct ob_pair *pair = &claims->as.pairs[i];
		if (ob_get_string(&pair->key, &key) && ob_bytes_equal(key, name)) {
			return ob_get_string(&pair->value, &is) && ob_bytes_equal(is, value);
		}
	}
	return false;
}

static bool has_claims(const struct obi_acl_rule *rule, const struct ob_value *claims)
{
	struct ob_bytes rest = rule->conditions, word, name, value;
	while (rule->claims && next_word(&rest, &word)) {
		if (read_claim(word, &name, &value) == CONDITION &&
		    !claims_have(claims, name, value)) {
			return false;
		}
	}
	return true;
}

/* A condition on a fact that is not known does not hold. */
static bool is_meant(const struct obi_acl_rule *rule, const struct ob_identity *who)
{
	return (!rule->parent || who->parent) &&
	       (rule->listener == OB_LISTENER_NONE || rule->listener == who->listener) &&
	       (who->known & rule->known) == rule->known &&
	       ((rule->numbers & 1) == 0 || rule->uid == who->uid) &&
	       ((rule->numbers & 2) == 0 || rule->gid == who->gid) &&
	       ((rule->numbers & 4) == 0 || rule->cid == who->cid) &&
	       same(rule->subject, who->subject) && same(rule->method, who->method) &&
	       has_claims(rule, who->claims);
}

enum obi_acl_verdict obi_acl_judge(const struct obi_acl *rules, const struct ob_identity *who,
				   struct ob_bytes method)
{
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct obi_acl_rule *rule = &rules->list[i];
		if (is_meant(rule, who) && fits_any(rule, method)) {
			return rule->allow ? OBI_ACL_ALLOWED : OBI_ACL_DENIED;
		}
	}
	return OBI_ACL_NO_MATCH;
}
