/* Parsers of cgroup files, mounts and /proc/PID/cgroup. */
#include "source/cgroup/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(unsigned which, struct span text, struct cgroup *c)
{
	static const char *const blkio[] = { "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced",
					     "blkio.throttle.read_bps_device",
					     "blkio.throttle.write_iops_device" };
	struct cgroup_mounts mounts;
	char path[32];

	switch (which % 12) {
	case 0:
	case 1:
		cgroup_cpu_stat_parse(text, which % 12 == 1, c);
		break;
	case 2:
		cgroup_cpu_max_parse(text, c);
		break;
	case 3:
		cgroup_memory_events_parse(text, c);
		break;
	case 4:
	case 5:
		cgroup_memory_stat_parse(text, which % 12 == 5, c);
		break;
	case 6:
		cgroup_io_max_parse(text, c);
		cgroup_io_stat_parse(text, c);
		break;
	case 7:
		for (size_t i = 0; i < 4; i++)
			cgroup_blkio_parse(text, blkio[i], c);
		break;
	case 8:
		(void)cgroup_limit_parse(text);
		break;
	case 9:
		(void)!cgroup_of_task_parse(text, CGROUP_IO, path, sizeof path);
		break;
	case 10:
		(void)cgroup_controllers_parse(text);
		break;
	default:
		cgroup_mounts_parse(text, &mounts);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cgroup c = { 0 };

	cgroup_missing(READING_ABSENT, &c);
	if (size)
		parse(data[0], (struct span){ (const char *)data + 1, size - 1 }, &c);
	return 0;
}
