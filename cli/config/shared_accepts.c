/* SPDX-License-Identifier: MIT */
#include "cli/config/shared.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	const struct ob_connector_options *const *one = a, *const *two = b;
	int by_address = strcmp((*one)->accept, (*two)->accept);
	/* Those of the array are in its order. */
	return by_address != 0 ? by_address : *one < *two ? -1 : *one > *two;
}

void obi_check_shared_accepts(const struct obi_run_config *config, struct obi_faults *faults)
{
	const struct ob_connector_options **list = calloc((size_t)config->count + 1, sizeof *list);
	size_t count = 0;
	if (list == NULL) {
		obi_faults_add(faults, "children", "out of memory");
		return;
	}
	for (uint32_t i = 0; i < config->count; i++) {
		/* A port that is allocated is another one for each. */
		const char *accept = config->children[i].accept;
		if (accept != NULL && strstr(accept, "${") == NULL) {
			list[count++] = &config->children[i];
		}
	}
	qsort(list, count, sizeof *list, compare);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(list[i]->accept, list[i - 1]->accept) == 0) {
			obi_child_fault(faults, list[i], "accept", "is already used by \"%s\"",
					list[i - 1]->name);
		}
	}
	free(list);
}
