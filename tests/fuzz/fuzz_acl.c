/* SPDX-License-Identifier: MIT */
/* access/acl. Input: a text, a NUL, a method. Any text is either rules or refused. Rules decide
 * for every peer, except for the two that "*" does not cover. */
#include <stdlib.h>
#include <string.h>

#include "access/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool promise)
{
	if (!promise) {
		abort();
	}
}

static void judge(const struct obi_acl *rules, const char *method)
{
	const struct ob_pair pairs[] = {{ob_string("role"), ob_string("admin")},
					{ob_string("x"), ob_string("")}};
	const struct ob_value claims = ob_map(pairs, 2);
	struct ob_identity who = {.size = sizeof who,
				  .subject = ob_bytes_text("uid:7"),
				  .method = ob_bytes_text("token")};
	for (uint32_t known = 0; known < 32; known++) {
		who.known = known % 16;
		who.listener = known % 3;
		who.claims = known < 16 ? NULL : &claims;
		who.uid = who.gid = who.cid = 7;
		who.parent = known % 2 == 1;
		enum obi_acl_verdict verdict = obi_acl_judge(rules, &who, ob_bytes_text(method));
		must(verdict != OBI_ACL_NO_MATCH || rules->count == 0 ||
		     strcmp(method, "outboard.supervise") == 0 ||
		     strcmp(method, "outboard-control.shutdown") == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obi_acl rules;
	char *text = calloc(size + 2, 1);
	if (text == NULL) {
		return 0;
	}
	if (size > 0) {
		memcpy(text, data, size);
	}
	if (obi_acl_parse(text, &rules, NULL) == OB_OK) {
		judge(&rules, "kv.get");
		judge(&rules, "outboard-control.shutdown");
		judge(&rules, text + strlen(text) + 1);
	}
	obi_acl_free(&rules);
	free(text);
	return 0;
}
