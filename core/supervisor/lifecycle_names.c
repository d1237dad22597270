/* SPDX-License-Identifier: MIT */
/* The properties and names of phases, and the names of events and of public enums. */
#include "supervisor/lifecycle.h"

struct trait {
	const char *name;
	uint32_t state;
	bool process;
	bool start_open;
};

#define TRAIT(phase, state, process, open) \
	[OBI_PHASE_##phase] = {#phase, OB_STATE_##state, process, open}

static const struct trait traits[OBI_PHASE_COUNT] = {
    TRAIT(IDLE, IDLE, false, false),
    TRAIT(WAIT_START, WAITING, false, true),
    TRAIT(WAIT_RECONNECT, WAITING, false, true),
    TRAIT(WAIT_EITHER, WAITING, false, true),
    TRAIT(WAIT_AGAIN, WAITING, false, false),
    TRAIT(WAIT_STOP, STOPPING, false, false),
    TRAIT(CLEAR_START, LINGERING, false, true),
    TRAIT(CLEAR_EITHER, LINGERING, false, true),
    TRAIT(CLEAR_AGAIN, LINGERING, false, false),
    TRAIT(CLEAR_STOP, LINGERING, false, false),
    TRAIT(CLEAR_CLOSE, LINGERING, false, false),
    TRAIT(SPAWN_FIRST, STARTING, false, true),
    TRAIT(SPAWN_AGAIN, STARTING, false, false),
    TRAIT(STARTING_FIRST, STARTING, true, true),
    TRAIT(STARTING_AGAIN, STARTING, true, false),
    TRAIT(ADOPTING_RECONNECT, ADOPTING, true, true),
    TRAIT(ADOPTING_EITHER, ADOPTING, true, true),
    TRAIT(ADOPTING_AGAIN, ADOPTING, true, false),
    TRAIT(READY, READY, true, false),
    TRAIT(DROP_ASKED, STOPPING, false, false),
    TRAIT(DROP_CLOSE, STOPPING, false, false),
    TRAIT(STOP_ASKED, STOPPING, true, false),
    TRAIT(STOP_CLOSE, STOPPING, true, false),
    TRAIT(STOP_FAILED, STOPPING, true, true),
    TRAIT(STOP_REPLACE, STOPPING, true, true),
    TRAIT(STOP_RETRY, STOPPING, true, false),
    TRAIT(STOP_VERSION, STOPPING, true, false),
    TRAIT(LINGER, LINGERING, true, false),
    TRAIT(STOPPED, STOPPED, false, false),
    TRAIT(BACKOFF, BACKOFF, false, false),
    TRAIT(FAILED, FAILED, false, false),
    TRAIT(DONE, DONE, false, false),
    TRAIT(DETACHED, DETACHED, false, false),
    TRAIT(CLOSED, STOPPED, false, false),
};

#define EVENT(event) [OBI_LIFE_##event] = #event

static const char *const events[OBI_LIFE_COUNT] = {
    EVENT(START),	 EVENT(RECONNECT),     EVENT(START_OR_RECONNECT),
    EVENT(SUPERVISE),	 EVENT(STOP),	       EVENT(DETACH),
    EVENT(CLOSE),	 EVENT(CANCEL),	       EVENT(KILL),
    EVENT(LOCK_FREE),	 EVENT(LOCK_LIVE),     EVENT(LOCK_LEFTOVERS),
    EVENT(LOCK_FAILED),	 EVENT(SPAWNED),       EVENT(SPAWN_FAILED),
    EVENT(BECAME_READY), EVENT(READY_TIMEOUT), EVENT(ADOPT_OK),
    EVENT(ADOPT_FAILED), EVENT(EXITED),	       EVENT(GONE),
    EVENT(NOT_GONE),	 EVENT(STUCK),	       EVENT(DONE),
    EVENT(STOP_TIMEOUT), EVENT(BACKOFF_OVER),  EVENT(GAVE_UP),
    EVENT(UNWELL),	 EVENT(VERSION_OLD),   EVENT(PLACE_LOST),
};

uint32_t obi_lifecycle_state(enum obi_phase phase)
{
	return traits[phase].state;
}

bool obi_lifecycle_has_process(enum obi_phase phase)
{
	return traits[phase].process;
}

bool obi_lifecycle_start_open(enum obi_phase phase)
{
	return traits[phase].start_open;
}

const char *obi_phase_name(enum obi_phase phase)
{
	return traits[phase].name;
}

const char *obi_life_event_name(enum obi_life_event event)
{
	return events[event];
}

static const char *pick(const char *const *names, size_t count, uint32_t number)
{
	return number < count && names[number] != NULL ? names[number] : "?";
}

const char *ob_state_name(uint32_t state)
{
	static const char *const names[] = {
	    "idle",    "waiting", "starting", "adopting",  "ready", "stopping",	   "stopped",
	    "backoff", "failed",  "detached", "lingering", "done",  "reconnecting"};
	return pick(names, sizeof names / sizeof names[0], state);
}

const char *ob_link_name(uint32_t link)
{
	static const char *const names[] = {"down", "dialing", "up", "unresponsive"};
	return pick(names, sizeof names / sizeof names[0], link);
}

const char *ob_event_name(uint32_t type)
{
	static const char *const names[] = {
	    NULL,	  "starting", "ready",	   "unhealthy", "unresponsive", "exited",
	    "restarting", "failed",   "adopted",   "detached",	"stopped",	"replaced",
	    "rewound",	  "link_up",  "link_down", "stopping",	"lingering",	"done"};
	return pick(names, sizeof names / sizeof names[0], type);
}
