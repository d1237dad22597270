/* SPDX-License-Identifier: MIT */
/* The codec msgpack: any bytes are refused properly, within limits, or can be written again and are
 * the same message then. */
#include "fuzz/fuzzed_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzzed_codec(fuzzed_ops(fuzzed_msgpack()), data, size);
}
