/* SPDX-License-Identifier: MIT */
#include "rpc/claims.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/names.h"

/* While they are added up; the texts are borrowed. */
struct sum {
	uint32_t count;
	size_t bytes;
	struct ob_pair pairs[OB_CLAIMS_MAX];
};

static struct ob_bytes text_of(const struct ob_value *value)
{
	return ob_bytes_of(value->as.string, value->count);
}

static const struct ob_value *find(const struct ob_pair *pairs, uint32_t count,
				   const struct ob_value *name)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ob_bytes_equal(text_of(&pairs[i].key), text_of(name))) {
			return &pairs[i].value;
		}
	}
	return NULL;
}

static int check_one(const struct ob_pair *pair, struct ob_error *reterr)
{
	struct ob_bytes name = text_of(&pair->key), value;
	if (!obi_name_is_claim(name)) {
		return obi_fail(reterr, OB_EAUTH, 0,
				"the name of a claim is not 1 to %d of A-Z a-z 0-9 _ . -",
				OB_CLAIM_NAME_MAX);
	}
	if (!ob_get_string(&pair->value, &value) || !ob_is_utf8(value)) {
		return obi_fail(reterr, OB_EAUTH, 0, "claim %.*s: not a string of UTF-8",
				(int)name.len, (const char *)name.data);
	}
	if (value.len > OB_CLAIM_VALUE_MAX) {
		return obi_fail(reterr, OB_EAUTH, 0, "claim %.*s: longer than %d bytes",
				(int)name.len, (const char *)name.data, OB_CLAIM_VALUE_MAX);
	}
	return OB_OK;
}

static int too_many(struct ob_error *reterr)
{
	return obi_fail(reterr, OB_EAUTH, 0, "more than %d claims", OB_CLAIMS_MAX);
}

static int check(const struct ob_value *said, struct ob_error *reterr)
{
	int r = OB_OK;
	if (said->type != OB_MAP) {
		return obi_fail(reterr, OB_EAUTH, 0, "the claims are not a map");
	}
	if (said->count > OB_CLAIMS_MAX) {
		return too_many(reterr);
	}
	for (uint32_t i = 0; r == OB_OK && i < said->count; i++) {
		const struct ob_pair *pair = &said->as.pairs[i];
		r = check_one(pair, reterr);
		if (r == OB_OK && find(said->as.pairs, i, &pair->key) != NULL) {
			r = obi_fail(reterr, OB_EAUTH, 0, "claim %.*s: occurs twice",
				     (int)pair->key.count, pair->key.as.string);
		}
	}
	return r;
}

static bool put(struct sum *sum, const struct ob_pair *pair)
{
	if (sum->count == OB_CLAIMS_MAX) {
		return false;
	}
	sum->pairs[sum->count++] = *pair;
	sum->bytes += (size_t)pair->key.count + pair->value.count;
	return true;
}

/* *sum is empty. */
static int add_up(const struct obi_claims *before, const struct ob_value *said, struct sum *sum,
		  struct ob_error *reterr)
{
	bool fits = true;
	for (uint32_t i = 0; before != NULL && i < before->map.count; i++) {
		if (find(said->as.pairs, said->count, &before->pairs[i].key) == NULL) {
			fits = put(sum, &before->pairs[i]) && fits;
		}
	}
	for (uint32_t i = 0; fits && i < said->count; i++) {
		fits = put(sum, &said->as.pairs[i]);
	}
	if (!fits) {
		return too_many(reterr);
	}
	return sum->bytes <= OB_CLAIMS_BYTES_MAX
		   ? OB_OK
		   : obi_fail(reterr, OB_EAUTH, 0, "more than %d bytes of claims",
			      OB_CLAIMS_BYTES_MAX);
}

static struct ob_value copy(const struct ob_value *text, char **at)
{
	struct ob_value value = ob_stringn(*at, text->count);
	if (text->count > 0) {
		memcpy(*at, text->as.string, text->count);
	}
	*at += text->count;
	return value;
}

int obi_claims_add(struct obi_claims **claims, const struct ob_value *said, struct ob_error *reterr)
{
	struct sum sum = {0};
	int r = check(said, reterr);
	r = r == OB_OK ? add_up(*claims, said, &sum, reterr) : r;
	if (r < 0 || sum.count == 0) {
		return r;
	}
	struct obi_claims *fresh =
	    malloc(sizeof *fresh + sum.count * sizeof fresh->pairs[0] + sum.bytes);
	if (fresh == NULL) {
		return obi_fail(reterr, OB_ENOMEM, 0, "out of memory");
	}
	char *at = (char *)&fresh->pairs[sum.count];
	for (uint32_t i = 0; i < sum.count; i++) {
		fresh->pairs[i].key = copy(&sum.pairs[i].key, &at);
		fresh->pairs[i].value = copy(&sum.pairs[i].value, &at);
	}
	fresh->map = ob_map(fresh->pairs, sum.count);
	obi_claims_free(*claims);
	*claims = fresh;
	return OB_OK;
}

void obi_claims_free(struct obi_claims *claims)
{
	free(claims);
}
