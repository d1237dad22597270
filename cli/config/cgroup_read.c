/* SPDX-License-Identifier: MIT */
#include "cli/config/cgroup_read.h"

#include <inttypes.h>

/* Read digits from *at on. False: there are none, or the number is too large. */
static bool read_digits(const char **at, uint64_t *ret)
{
	uint64_t number = 0;
	const char *start = *at;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		unsigned digit = (unsigned)(**at - '0');
		if (number > ((uint64_t)INT64_MAX - digit) / 10) {
			return false;
		}
		number = number * 10 + digit;
	}
	*ret = number;
	return *at > start;
}

static bool is_max(const struct ob_value *value)
{
	struct ob_bytes text;
	return ob_get_string(value, &text) && ob_bytes_is(text, "max");
}

/* "64M": as the kernel reads it, K, M, G and T are powers of 1024. */
static bool read_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *at = text, *unit;
	if (!read_digits(&at, ret)) {
		return false;
	}
	unit = *at != '\0' ? strchr(units, *at) : NULL;
	for (ptrdiff_t i = 0; unit != NULL && i <= unit - units; i++) {
		if (*ret > INT64_MAX / 1024) {
			return false;
		}
		*ret *= 1024;
	}
	return *at == '\0' || (unit != NULL && at[1] == '\0');
}

static void read_bytes(struct obi_reading *r, const struct ob_value *value, void *at,
		       const void *more)
{
	(void)more;
	uint64_t number = 0;
	bool good = is_max(value) || (ob_get_uint(value, &number) && number > 0);
	if (!good && value->type == OB_STRING) {
		const char *text = obi_reading_text(r, value);
		good = text != NULL && read_size(text, &number) && number > 0;
	}
	if (!good) {
		obi_reading_fault(r,
				  "must be a number of bytes, a text such as \"64M\" (K, M, G or "
				  "T), or \"max\"");
	}
	*(uint64_t *)at = number;
}

static void read_pids(struct obi_reading *r, const struct ob_value *value, void *at,
		      const void *more)
{
	(void)more;
	uint64_t number = 0;
	if (!is_max(value) && (!ob_get_uint(value, &number) || number == 0)) {
		obi_reading_fault(r, "must be a number above 0, or \"max\"");
	}
	*(uint64_t *)at = number;
}

/* "50000 100000": µs within each period, as the kernel has it. The period may be missing. */
static void read_cpu_max(struct obi_reading *r, const struct ob_value *value, void *at,
			 const void *more)
{
	(void)more;
	struct ob_cgroup *cgroup = at;
	const char *text = is_max(value) ? NULL : "";
	if (value->type == OB_STRING && text != NULL) {
		text = obi_reading_text(r, value);
		text = text != NULL ? text : "";
	}
	if (text == NULL) {
		return; /* max */
	}
	bool good = read_digits(&text, &cgroup->cpu_max_us) && cgroup->cpu_max_us > 0;
	if (good && *text == ' ') {
		text++;
		good = read_digits(&text, &cgroup->cpu_period_us) && cgroup->cpu_period_us > 0;
	}
	if (!good || *text != '\0') {
		obi_reading_fault(r, "must be \"TIME PERIOD\" in µs, such as \"50000 100000\", or "
				     "\"max\"");
	}
}

static const struct obi_range weights = {1, 10000};

#define AT(member) offsetof(struct ob_cgroup, member)
static const struct obi_key keys[] = {
    {"memory.max", read_bytes, AT(memory_max), NULL},
    {"memory.high", read_bytes, AT(memory_high), NULL},
    {"pids.max", read_pids, AT(pids_max), NULL},
    {"cpu.max", read_cpu_max, 0, NULL},
    {"cpu.weight", obi_read_u32, AT(cpu_weight), &weights},
    {"io.weight", obi_read_u32, AT(io_weight), &weights},
    {"oom.group", obi_read_bool, AT(oom_group), NULL},
    {0},
};
#undef AT

void obi_read_cgroup(struct obi_reading *r, const struct ob_value *value, void *at,
		     const void *more)
{
	(void)more;
	struct ob_cgroup *cgroup = obi_reading_alloc(r, sizeof *cgroup);
	if (cgroup != NULL) {
		cgroup->size = sizeof *cgroup;
		obi_read_object(r, value, cgroup, keys);
	}
	*(const struct ob_cgroup **)at = cgroup;
}

void obi_cgroup_fill_parent(const char *root, struct ob_connector_options *child)
{
	/* It was made here, while the config was read. */
	struct ob_cgroup *cgroup = (struct ob_cgroup *)(uintptr_t)child->cgroup;
	if (cgroup != NULL) {
		cgroup->parent = root;
	}
}
