/* SPDX-License-Identifier: MIT */
#include "cli/config/shared.h"

#include <stdlib.h>

#include "base/number_range.h"

/* A context id that the command of a child gives to a virtual machine. */
struct item {
	uint32_t cid;
	uint32_t index;
};

static const char *next_number(const char *text, uint32_t *ret)
{
	static const char mark[] = "guest-cid=";
	char *end;
	const char *at = strstr(text, mark);
	if (at == NULL) {
		return NULL;
	}
	at += sizeof mark - 1;
	unsigned long long number = strtoull(at, &end, 10);
	*ret = *at >= '0' && *at <= '9' && number <= UINT32_MAX ? (uint32_t)number : 0;
	return end;
}

/* The first one; several machines of one child are its own affair. 0: none. */
static uint32_t cid_of(const struct ob_connector_options *child)
{
	uint32_t cid = 0;
	for (size_t i = 0; child->argv != NULL && child->argv[i] != NULL && cid == 0; i++) {
		const char *at = child->argv[i];
		while (cid == 0 && at != NULL) {
			at = next_number(at, &cid);
		}
	}
	return cid;
}

static int compare(const void *a, const void *b)
{
	const struct item *one = a, *two = b;
	return one->cid != two->cid	 ? (one->cid < two->cid ? -1 : 1)
	       : one->index < two->index ? -1
					 : one->index > two->index;
}

static void check_range(const struct obi_run_config *config, const struct item *item,
			struct obi_faults *faults)
{
	struct obi_number_range range;
	bool is_used = false;
	for (uint32_t i = 0; i < config->count; i++) {
		is_used = is_used || config->children[i].cids != NULL;
	}
	if (is_used && config->cids != NULL &&
	    obi_range_of_cids(config->cids, &range, NULL) == OB_OK &&
	    obi_range_has(&range, item->cid)) {
		obi_child_fault(
		    faults, &config->children[item->index], "command",
		    "guest-cid=%u is in the range \"cids\", and may be given to another "
		    "child: use ${cid}, or one outside of %s",
		    item->cid, config->cids);
	}
}

void obi_check_shared_cids(const struct obi_run_config *config, struct obi_faults *faults)
{
	size_t count = 0;
	struct item *items = calloc((size_t)config->count + 1, sizeof *items);
	if (items == NULL) {
		obi_faults_add(faults, "children", "out of memory");
	}
	for (uint32_t i = 0; items != NULL && i < config->count; i++) {
		items[count] = (struct item){cid_of(&config->children[i]), i};
		count += items[count].cid != 0;
	}
	if (count > 1) {
		qsort(items, count, sizeof *items, compare);
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && items[i].cid == items[i - 1].cid) {
			obi_child_fault(faults, &config->children[items[i].index], "command",
					"guest-cid=%u is already used by \"%s\"", items[i].cid,
					config->children[items[i - 1].index].name);
		} else {
			check_range(config, &items[i], faults);
		}
	}
	free(items);
}
