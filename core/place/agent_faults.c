/* SPDX-License-Identifier: MIT */
#include "place/agent_faults.h"

#include <string.h>

#include "base/error.h"
#include "place/agent_wire.h"

enum { OPTION_SIZE = 64 };

const char *const obi_agent_fault_kinds[] = {"error", "file", "warning"};

/* The name of an option, and nothing else: letters, digits, "_" and ".". */
static void read_option(const struct ob_value *value, char ret[OPTION_SIZE])
{
	bool good = obi_agent_text(value, ret, OPTION_SIZE);
	for (const char *at = ret; good && *at != '\0'; at++) {
		good = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || *at == '_' ||
		       *at == '.';
	}
	ret[good ? strlen(ret) : 0] = '\0';
}

static void report(const struct ob_value *value, ob_fault_fn *fn, void *user)
{
	char option[OPTION_SIZE] = "", text[OBI_AGENT_TEXT_SIZE] = "", shown[OBI_AGENT_TEXT_SIZE];
	struct ob_bytes kind = {NULL, 0};
	struct ob_fault fault = {.size = sizeof fault, .option = option, .reason = shown};
	(void)ob_get_string(ob_value_find(value, "kind"), &kind);
	read_option(ob_value_find(value, "option"), option);
	bool told = obi_agent_text(ob_value_find(value, "reason"), text, sizeof text);
	obi_agent_text_set(shown, told && text[0] != '\0' ? text : "is refused");
	while (fault.kind < OB_FAULT_WARNING &&
	       !ob_bytes_is(kind, obi_agent_fault_kinds[fault.kind])) {
		fault.kind++;
	}
	fn(user, &fault);
}

int obi_agent_faults_read(const struct ob_value *answer, ob_fault_fn *fn, void *user,
			  struct ob_error *reterr)
{
	uint64_t version = 0;
	const struct ob_value *faults = ob_value_find(answer, "faults");
	if (!ob_get_uint(ob_value_find(answer, "version"), &version) || version < 1 ||
	    faults == NULL || faults->type != OB_ARRAY) {
		return obi_fail(reterr, OB_EPROTO, 0, "outboard-agent.check: malformed answer");
	}
	for (uint32_t i = 0; i < faults->count && i < OBI_AGENT_FAULTS_MAX; i++) {
		report(ob_value_at(faults, i), fn, user);
	}
	return OB_OK;
}
