#include "dig/profile/profile.h"

#include <unistd.h>

#include "base/check.h"
#include "dig/profile/profile_space.h"

static const char v1_mounts[] =
	"24 30 0:22 / /sys rw,nosuid - sysfs sysfs rw\n"
	"33 32 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"36 32 0:32 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
	"37 32 0:33 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,name=systemd\n"
	"38 32 0:34 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char v1_groups[] = "12:memory:/\n4:cpu,cpuacct:/user\n1:name=systemd:/\n0::/\n";

static int hierarchy(const char *mounts, const char *groups, const char *directory)
{
	int found = -1;
	int r = profile_cgroup_hierarchy(span_from(mounts), span_from(groups), directory, &found);

	return r < 0 ? r : found;
}

static void test_hierarchies(void)
{
	CHECK(hierarchy(v1_mounts, v1_groups, "/sys/fs/cgroup/cpu,cpuacct/web") == 4);
	CHECK(hierarchy(v1_mounts, v1_groups, "/sys/fs/cgroup/memory") == 12);
	CHECK(hierarchy(v1_mounts, v1_groups, "/sys/fs/cgroup/unified/web") == 0);
	CHECK(hierarchy(v1_mounts, v1_groups, "/sys/fs/cgroup/systemd/web") < 0);
	CHECK(hierarchy(v1_mounts, v1_groups, "/sys/fs/cgroup/memoryless") < 0);
	CHECK(hierarchy(v1_mounts, v1_groups, "/proc") < 0);
	CHECK(hierarchy("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/\n", "/sys/fs/cgroup/a/b") == 0);
	CHECK(hierarchy("", "", "/sys/fs/cgroup") < 0);
}

static void test_layout(void)
{
	/* 26 to 28: startcode, endcode, startstack; the name tries to be fields. */
	static const char stat[] = "12 (a) R (b c) S 1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 100 2000 3 18446744073709551615 "
				   "4096 8192 140737 0 0";
	CHECK_U64(profile_layout_parse(SPAN(stat)), ((4096ull * 31 + 8192) * 31 + 140737) | 1);
	CHECK_U64(profile_layout_parse(SPAN("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 6 0 0 18446744073709551615 "
					    "0 0 0 0 0")), 0);
	CHECK_U64(profile_layout_parse(SPAN("12 (a) S 1 1")), 0);
	CHECK_U64(profile_layout_parse(SPAN("")), 0);
	CHECK(profile_layout(getpid()) != 0);
}

static void test_own_space(void)
{
	struct profile_spaces *s;
	struct profile_spaces_statistics statistics;
	struct place place;

	CHECK(profile_spaces_new(-1, -1, &s) == 0);
	CHECK(profile_spaces_load(s, getpid(), NULL) == 0);
	struct profile_space *found = profile_spaces_find(s, getpid(), profile_layout(getpid()));
	CHECK(found && found->pid == getpid());
	CHECK(found && address_space_find(found->space, (uintptr_t)test_own_space, &place) && place.image && place.image->elf);
	/* A child that has not been looked at has its parent's. */
	CHECK(profile_spaces_find(s, 1, profile_layout(getpid())) == found);
	CHECK(profile_spaces_find(s, 1, 12345) == NULL);
	CHECK(profile_spaces_load(s, getpid(), NULL) == 0);
	profile_spaces_statistics(s, &statistics);
	CHECK_U64(statistics.processes, 1);
	profile_spaces_free(s);
}

int main(void)
{
	test_hierarchies();
	test_layout();
	test_own_space();
	return check_exit();
}
