/* SPDX-License-Identifier: MIT */
/* support/event_types - room for an entry for each type of event, with some to spare for types to
 * come. After cmocka.h. */
#ifndef OB_TESTS_SUPPORT_EVENT_TYPES_H
#define OB_TESTS_SUPPORT_EVENT_TYPES_H

#include <outboard/connector.h>

enum { EVENT_TYPES = 32 };

/* The index of the entry. */
static inline uint32_t event_type(const struct ob_event *event)
{
	assert_true(event->type < EVENT_TYPES);
	return event->type;
}

#endif
