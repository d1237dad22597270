/* SPDX-License-Identifier: MIT */
#include "base/number_range.h"

#include "base/error.h"

enum { NUMBERS_MAX = 65536, DIGITS_MAX = 10 };

/* At most ten digits, without leading zeros. */
static bool read_number(const char **at, uint64_t *ret)
{
	const char *begin = *at;
	uint64_t number = 0;
	for (; **at >= '0' && **at <= '9' && *at - begin <= DIGITS_MAX; (*at)++) {
		number = 10 * number + (uint64_t)(**at - '0');
	}
	*ret = number;
	return *at > begin && *at - begin <= DIGITS_MAX && *begin != '0';
}

static int read_range(const char *text, uint64_t least, uint64_t most, const char *example,
		      struct obi_number_range *ret, struct ob_error *reterr)
{
	uint64_t first, last;
	const char *at = text;
	bool good = read_number(&at, &first);
	last = first;
	if (good && *at == '-') {
		at++;
		good = read_number(&at, &last);
	}
	if (!good || *at != '\0' || first < least || last > most || first > last) {
		return obi_fail(reterr, OB_EINVAL, 0,
				"must be a range from %llu to %llu, such as \"%s\"",
				(unsigned long long)least, (unsigned long long)most, example);
	}
	if (last - first >= NUMBERS_MAX) {
		return obi_fail(reterr, OB_EINVAL, 0, "must have at most %d numbers", NUMBERS_MAX);
	}
	*ret = (struct obi_number_range){(uint32_t)first, (uint32_t)last};
	return OB_OK;
}

int obi_range_of_ports(const char *text, struct obi_number_range *ret, struct ob_error *reterr)
{
	return read_range(text, 1, UINT16_MAX, "20000-20999", ret, reterr);
}

int obi_range_of_cids(const char *text, struct obi_number_range *ret, struct ob_error *reterr)
{
	return read_range(text, 3, UINT32_MAX - 1, "100-999", ret, reterr);
}
