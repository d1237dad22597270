/* SPDX-License-Identifier: MIT */
#include "rpc/pending.h"

#include <stdlib.h>

enum { FIRST = 16 };

static struct obi_pending *slot_of(struct obi_pending_table *table, uint32_t id)
{
	return &table->slots[id & (table->room - 1)];
}

/* At most half full, so that the next id's slot is most often free. Ids keep distinct slots when
 * the table doubles. */
static bool grow(struct obi_pending_table *table)
{
	struct obi_pending_table wider = *table;
	wider.room = table->room > 0 ? table->room * 2 : FIRST;
	wider.slots = calloc(wider.room, sizeof *wider.slots);
	if (wider.slots == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < table->room; i++) {
		if (table->slots[i].fn != NULL) {
			*slot_of(&wider, table->slots[i].id) = table->slots[i];
		}
	}
	wider.earliest = table->room > 0 ? table->earliest : INT64_MAX;
	free(table->slots);
	*table = wider;
	return true;
}

struct obi_pending *obi_pending_add(struct obi_pending_table *table, int64_t deadline)
{
	if (table->used >= table->room / 2 && !grow(table)) {
		return NULL;
	}
	while (slot_of(table, table->next_id)->fn != NULL) {
		table->next_id++;
	}
	struct obi_pending *slot = slot_of(table, table->next_id);
	slot->id = table->next_id++;
	slot->deadline = deadline;
	table->used++;
	if (deadline < table->earliest) {
		table->earliest = deadline;
	}
	return slot;
}

static void take(struct obi_pending_table *table, struct obi_pending *slot, struct obi_pending *ret)
{
	*ret = *slot;
	slot->fn = NULL;
	table->used--;
}

bool obi_pending_take(struct obi_pending_table *table, uint32_t id, struct obi_pending *ret)
{
	if (table->room == 0 || slot_of(table, id)->fn == NULL || slot_of(table, id)->id != id) {
		return false;
	}
	take(table, slot_of(table, id), ret);
	return true;
}

bool obi_pending_take_due(struct obi_pending_table *table, int64_t now, struct obi_pending *ret)
{
	int64_t earliest = INT64_MAX;
	if (table->room == 0 || table->earliest > now) {
		return false;
	}
	for (uint32_t i = 0; i < table->room; i++) {
		struct obi_pending *slot = &table->slots[i];
		if (slot->fn != NULL && slot->deadline <= now) {
			take(table, slot, ret);
			return true;
		}
		if (slot->fn != NULL && slot->deadline < earliest) {
			earliest = slot->deadline;
		}
	}
	table->earliest = earliest;
	return false;
}

bool obi_pending_take_any(struct obi_pending_table *table, struct obi_pending *ret)
{
	for (uint32_t i = 0; table->used > 0 && i < table->room; i++) {
		if (table->slots[i].fn != NULL) {
			take(table, &table->slots[i], ret);
			return true;
		}
	}
	return false;
}

void obi_pending_free(struct obi_pending_table *table)
{
	free(table->slots);
	memset(table, 0, sizeof *table);
}
