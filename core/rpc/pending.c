/* SPDX-License-Identifier: MIT */
#include "rpc/pending.h"

#include <stdlib.h>

enum { FIRST_ROOM = 16 };

void obi_pending_init(struct obi_pending_table *table)
{
	*table = (struct obi_pending_table){.next_id = 1, .earliest = INT64_MAX};
}

void obi_pending_free(struct obi_pending_table *table)
{
	while (table->spare != NULL) {
		struct obi_pending *next = table->spare->next;
		free(table->spare);
		table->spare = next;
	}
	free(table->slots);
	obi_pending_init(table);
}

static struct obi_pending **slot_of(const struct obi_pending_table *table, uint32_t id)
{
	return &table->slots[id & (table->room - 1)];
}

/* The table is at most half full, so that the slot of the next id is free most of the time. Ids
 * with distinct slots keep distinct slots when the table doubles. */
static bool grow(struct obi_pending_table *table)
{
	struct obi_pending_table wider = *table;
	wider.room = table->room > 0 ? table->room * 2 : FIRST_ROOM;
	wider.slots = calloc(wider.room, sizeof(struct obi_pending *));
	if (wider.slots == NULL) {
		return false;
	}
	for (uint32_t i = 0; i < table->room; i++) {
		if (table->slots[i] != NULL) {
			*slot_of(&wider, table->slots[i]->id) = table->slots[i];
		}
	}
	free(table->slots);
	*table = wider;
	return true;
}

static struct obi_pending *new_entry(struct obi_pending_table *table)
{
	struct obi_pending *call = table->spare;
	if (call == NULL) {
		return malloc(sizeof *call);
	}
	table->spare = call->next;
	return call;
}

struct obi_pending *obi_pending_add(struct obi_pending_table *table, int64_t deadline)
{
	struct obi_pending *call = NULL;
	if (table->used < table->room / 2 || grow(table)) {
		call = new_entry(table);
	}
	if (call == NULL) {
		return NULL;
	}
	while (*slot_of(table, table->next_id) != NULL) {
		table->next_id++;
	}
	*call = (struct obi_pending){.id = table->next_id++, .deadline = deadline};
	*slot_of(table, call->id) = call;
	table->used++;
	if (deadline < table->earliest) {
		table->earliest = deadline;
	}
	return call;
}

static struct obi_pending *take(struct obi_pending_table *table, struct obi_pending **slot)
{
	struct obi_pending *call = *slot;
	*slot = NULL;
	table->used--;
	return call;
}

struct obi_pending *obi_pending_find(const struct obi_pending_table *table, uint32_t id)
{
	struct obi_pending *call = table->room > 0 ? *slot_of(table, id) : NULL;
	return call != NULL && call->id == id ? call : NULL;
}

struct obi_pending *obi_pending_take(struct obi_pending_table *table, uint32_t id)
{
	return obi_pending_find(table, id) != NULL ? take(table, slot_of(table, id)) : NULL;
}

struct obi_pending *obi_pending_take_due(struct obi_pending_table *table, int64_t now)
{
	int64_t earliest = INT64_MAX;
	if (table->earliest > now) {
		return NULL;
	}
	for (uint32_t i = 0; i < table->room; i++) {
		struct obi_pending *call = table->slots[i];
		if (call != NULL && call->deadline <= now) {
			return take(table, &table->slots[i]);
		}
		if (call != NULL && call->deadline < earliest) {
			earliest = call->deadline;
		}
	}
	table->earliest = earliest;
	return NULL;
}

struct obi_pending *obi_pending_take_owned(struct obi_pending_table *table, const void *owner)
{
	for (uint32_t i = 0; table->used > 0 && i < table->room; i++) {
		if (table->slots[i] != NULL && table->slots[i]->owner == owner) {
			return take(table, &table->slots[i]);
		}
	}
	return NULL;
}

struct obi_pending *obi_pending_take_any(struct obi_pending_table *table)
{
	for (uint32_t i = 0; table->used > 0 && i < table->room; i++) {
		if (table->slots[i] != NULL) {
			return take(table, &table->slots[i]);
		}
	}
	return NULL;
}

void obi_pending_give_back(struct obi_pending_table *table, struct obi_pending *call)
{
	call->next = table->spare;
	table->spare = call;
}

void obi_pending_end(struct obi_pending_table *table, struct obi_pending *call, int code,
		     const struct ob_value *value, const struct ob_error *err)
{
	ob_reply_fn *fn = call->fn;
	void *user = call->user;
	obi_pending_give_back(table, call);
	if (fn != NULL) {
		fn(user, code, value, err);
	}
}
