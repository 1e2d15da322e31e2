/* Parsers of src/source/memory; the first byte selects. */
#include <stdlib.h>

#include "source/memory/meminfo.h"
#include "source/memory/vmstat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meminfo memory;
	struct vmstat vmstat;

	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
	if (data[0] % 2) {
		meminfo_parse(text, &memory);
		if (memory.presence == PRESENT && !reading_ok(memory.total_bytes))
			abort();
	} else {
		vmstat_parse(text, &vmstat);
		if (vmstat.presence == PRESENT && !reading_ok(vmstat.faults))
			abort();
	}
	return 0;
}
