/* Records of /dev/kmsg, one a NUL, with the state that is carried between them. */
#include <stdlib.h>

#include "source/kernel_log/kernel_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TERMINATED(array) (memchr((array), '\0', sizeof(array)) != NULL)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size }, record;
	struct kernel_event pending = { 0 }, event;

	while (text.n) {
		if (!span_until(&text, '\0', &record)) {
			record = text;
			text.n = 0;
		}
		if (!kernel_log_parse(record, &pending, &event))
			continue;
		if (event.kind == KERNEL_OTHER || event.pid < 0)
			abort();
		if (!TERMINATED(event.comm) || !TERMINATED(event.cgroup) || !TERMINATED(event.text))
			abort();
	}
	return 0;
}
