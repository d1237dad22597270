/* SPDX-License-Identifier: MIT */
#include "cli/status/usage.h"

#include <inttypes.h>
#include <stdio.h>

#include <outboard/runtime.h>

/* The members of the map, in order. */
static const struct {
	const char *key;
	size_t offset;
} members[] = {
    {"memory", offsetof(struct ob_cgroup_usage, memory)},
    {"memory_peak", offsetof(struct ob_cgroup_usage, memory_peak)},
    {"cpu_us", offsetof(struct ob_cgroup_usage, cpu_us)},
    {"pids", offsetof(struct ob_cgroup_usage, pids)},
    {"oom_kills", offsetof(struct ob_cgroup_usage, oom_kills)},
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static int64_t number_at(const struct ob_cgroup_usage *usage, size_t i)
{
	return *(const int64_t *)(const void *)((const char *)usage + members[i].offset);
}

bool obi_usage_is_known(const struct ob_cgroup_usage *usage)
{
	bool known = false;
	for (size_t i = 0; i < MEMBERS; i++) {
		known = known || number_at(usage, i) >= 0;
	}
	return known;
}

void obi_usage_headings(const char *headings[OBI_TABLE_COLUMNS_MAX + 1], bool known)
{
	static const char *const more[] = {"MEMORY", "CPU", "PIDS", "ADDRESS", "NOTE"};
	size_t count = 0;
	while (headings[count] != NULL) {
		count++;
	}
	for (size_t i = known ? 0 : 3; i < sizeof more / sizeof more[0]; i++) {
		headings[count++] = more[i];
	}
	headings[count] = NULL;
}

/* "12.3M" */
static void write_bytes(int64_t bytes, char *text, size_t size)
{
	static const char units[] = "BKMGTPE";
	double number = (double)bytes;
	size_t unit = 0;
	while (number >= 1000 && unit + 2 < sizeof units) {
		number /= 1024;
		unit++;
	}
	snprintf(text, size, "%.*f%c", unit > 0 && number < 100 ? 1 : 0, number, units[unit]);
}

void obi_usage_cells(struct obi_table *table, const struct ob_cgroup_usage *usage)
{
	char memory[32] = "", cpu[48] = "", pids[24] = "";
	if (usage->memory >= 0) {
		write_bytes(usage->memory, memory, sizeof memory);
	}
	if (usage->cpu_us >= 0) {
		int64_t ms = usage->cpu_us / 1000;
		ob_duration_format(ms < 60000 ? ms - ms % 10 : ms / 1000 * 1000, cpu, sizeof cpu);
	}
	if (usage->pids >= 0) {
		snprintf(pids, sizeof pids, "%" PRId64, usage->pids);
	}
	obi_table_cell(table, "%s", memory);
	obi_table_cell(table, "%s", cpu);
	obi_table_cell(table, "%s", pids);
}

void obi_usage_build(struct ob_builder *b, const struct ob_cgroup_usage *usage)
{
	if (!obi_usage_is_known(usage)) {
		ob_build_nil(b);
		return;
	}
	ob_build_map(b);
	for (size_t i = 0; i < MEMBERS; i++) {
		int64_t number = number_at(usage, i);
		ob_build_key(b, members[i].key);
		ob_build_value(b, number >= 0 ? ob_int(number) : ob_nil());
	}
	ob_build_end(b);
}

void obi_usage_read(const struct ob_value *value, struct ob_cgroup_usage *ret)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		int64_t *at = (int64_t *)(void *)((char *)ret + members[i].offset);
		if (!ob_get_int(ob_value_find(value, members[i].key), at)) {
			*at = -1;
		}
	}
}
