/* The parsers of /proc/PID and of taskstats. The first byte picks one. */
#include <assert.h>

#include "source/process/task.h"
#include "source/process/taskstats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct span text = { (const char *)data + 1, size - 1 };
	struct taskstats_delays delays;
	struct task t, before;
	uint16_t family;

	task_missing(READING_ABSENT, &t);
	before = t;
	switch (data[0] % 10) {
	case 0:
		if (task_stat_parse(text, &t) < 0)
			assert(memcmp(&t, &before, sizeof t) == 0);
		else
			assert(t.tid > 0 && memchr(t.comm, '\0', sizeof t.comm));
		break;
	case 1:
		task_status_parse(text, &t);
		break;
	case 2:
		task_schedstat_parse(text, &t);
		assert(!(t.flags & TASK_HAS_WAIT_NS) || reading_ok(t.wait_ns));
		break;
	case 3:
		task_io_parse(text, &t);
		break;
	case 4:
		task_syscall_parse(text, &t);
		assert((t.syscall >= 0) == !!(t.flags & TASK_HAS_SYSCALL));
		break;
	case 5:
		task_limits_parse(text, &t);
		break;
	case 6:
		task_statm_parse(text, 4096, &t);
		break;
	case 7:
		(void)!taskstats_parse(text, &delays);
		break;
	case 8:
		(void)!taskstats_family_parse(text, &family);
		break;
	case 9:
		(void)!taskstats_text_parse(text, &delays);
		break;
	}
	return 0;
}
