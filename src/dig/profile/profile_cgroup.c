/* Which tree of control groups a directory belongs to: cgroups(7), "/proc/pid/cgroup"; proc_pid_mountinfo(5). */
#include <errno.h>
#include <string.h>

#include "dig/profile/profile.h"

static bool has_word(struct span list, struct span word)
{
	struct span one;

	while (span_until(&list, ',', &one))
		if (span_equal(one, word))
			return true;
	return span_equal(list, word);
}

/* Of a line "36 35 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,… - cgroup cgroup rw,cpu,cpuacct": where, its type, its options. */
static bool parse_mount(struct span line, struct span *ret_where, struct span *ret_type, struct span *ret_options)
{
	struct span word;

	for (int i = 0; i < 5; i++)
		if (!span_word(&line, i == 4 ? ret_where : &word))
			return false;
	while (span_word(&line, &word))
		if (span_is(word, "-"))
			return span_word(&line, ret_type) && span_word(&line, &word) && span_word(&line, ret_options);
	return false;
}

static bool is_below(struct span where, const char *directory)
{
	return strncmp(directory, where.p, where.n) == 0 && (directory[where.n] == '/' || directory[where.n] == '\0');
}

/* "4:cpu,cpuacct:/": the line of a hierarchy whose controllers are among the mount's options. */
static int hierarchy_of(struct span cgroups, struct span options, int *ret)
{
	struct span line, number, controllers, one;
	uint64_t n;

	while (span_line(&cgroups, &line)) {
		if (!span_until(&line, ':', &number) || !span_until(&line, ':', &controllers) || !span_u64(number, &n) ||
		    n == 0 || n > INT32_MAX || controllers.n == 0)
			continue;
		if (!span_until(&controllers, ',', &one))
			one = controllers;
		if (span_starts(one, "name=") || !has_word(options, one))
			continue;
		*ret = (int)n;
		return 0;
	}
	return -ENOENT;
}

int profile_cgroup_hierarchy(struct span mountinfo, struct span cgroups, const char *directory, int *ret)
{
	struct span line, where, type, options, best_options = { 0 };
	size_t best = 0;
	bool v2 = false;

	while (span_line(&mountinfo, &line)) {
		if (!parse_mount(line, &where, &type, &options) || !is_below(where, directory) || where.n < best)
			continue;
		if (!span_is(type, "cgroup") && !span_is(type, "cgroup2"))
			continue;
		best = where.n;
		v2 = span_is(type, "cgroup2");
		best_options = options;
	}
	if (best == 0)
		return -ENOENT;
	if (v2) {
		*ret = 0;
		return 0;
	}
	return hierarchy_of(cgroups, best_options, ret);
}
