/* SPDX-License-Identifier: MIT */
/* The codec that `outboard plugin new` writes: any bytes are either refused with a proper code,
 * within the limits, or give a message that encodes and decodes to itself. */
#include "fuzz/fuzzed_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzzed_codec(fuzzed_ops(fuzzed_skeleton()), data, size);
}
