/* SPDX-License-Identifier: MIT */
#include "supervisor/machine.h"

#include <string.h>

void obi_machine_init(struct obi_machine *machine, const struct obi_machine_setup *setup)
{
	*machine = (struct obi_machine){.setup = *setup, .phase = OBI_PHASE_IDLE};
}

static bool is_queued(const struct obi_machine *machine, enum obi_life_event event)
{
	return memchr(machine->queue, (int)event, machine->count) != NULL;
}

static enum obi_life_event take_first(struct obi_machine *machine)
{
	enum obi_life_event event = machine->queue[0];
	machine->count--;
	memmove(machine->queue, machine->queue + 1, machine->count);
	return event;
}

static void step(struct obi_machine *machine, enum obi_life_event event)
{
	struct obi_step step = obi_lifecycle_step(machine->phase, event);
	machine->phase = step.next;
	for (int act = 0; act < OBI_ACT_COUNT; act++) {
		if ((step.actions & (UINT64_C(1) << act)) != 0) {
			machine->setup.handlers[act](machine->setup.user, event);
		}
	}
	machine->setup.stepped(machine->setup.user);
}

void obi_machine_raise(struct obi_machine *machine, enum obi_life_event event)
{
	if (!is_queued(machine, event)) {
		machine->queue[machine->count++] = (uint8_t)event;
	}
	if (machine->running) {
		return;
	}
	machine->running = true;
	while (machine->count > 0) {
		step(machine, take_first(machine));
	}
	machine->running = false;
}
