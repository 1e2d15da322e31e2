#include "dig/count/count_pmu.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/span.h"

static struct span read_small(const char *path, char *text, size_t size)
{
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size);

	return (struct span){ text, n > 0 ? (size_t)n : 0 };
}

static bool is_core_pmu(const char *name)
{
	return strcmp(name, "cpu") == 0 || strcmp(name, "cpu_core") == 0 || strcmp(name, "cpu_atom") == 0 ||
	       strncmp(name, "armv8_", 6) == 0 || strncmp(name, "armv9_", 6) == 0 || strncmp(name, "apple_", 6) == 0;
}

static bool in_virtual_machine(void)
{
	char text[4096];
	struct span info = read_small("/proc/cpuinfo", text, sizeof text);

	return memmem(info.p, info.n, " hypervisor", 11) || access("/sys/firmware/devicetree/base/hypervisor", F_OK) == 0 ||
	       access("/sys/hypervisor/type", F_OK) == 0;
}

void count_pmus_read(struct count_pmus *ret)
{
	static const char devices[] = "/sys/bus/event_source/devices";
	struct dirent *entry;
	DIR *d = opendir(devices);

	*ret = (struct count_pmus){ .virtual_machine = in_virtual_machine() };
	while (d && (entry = readdir(d)) && ret->ncores < COUNT_MAX_CORES) {
		char path[320], text[32];
		uint64_t type;

		if (!is_core_pmu(entry->d_name))
			continue;
		snprintf(path, sizeof path, "%s/%s/type", devices, entry->d_name);
		if (span_u64(span_trim(read_small(path, text, sizeof text)), &type))
			ret->core[ret->ncores++] = (uint32_t)type;
	}
	if (d)
		closedir(d);
}

void count_pmu_denied(struct note *ret, bool tracepoint)
{
	char text[32];
	int64_t level;

	if (!span_i64(span_trim(read_small("/proc/sys/kernel/perf_event_paranoid", text, sizeof text)), &level))
		note_set(ret, 0, "needs CAP_PERFMON (before 5.8 CAP_SYS_ADMIN)");
	else
		note_set(ret, 0, "needs CAP_PERFMON, or root: /proc/sys/kernel/perf_event_paranoid is %lld%s", (long long)level,
			 tracepoint ? " (tracepoints are free at -1)" : "");
}
