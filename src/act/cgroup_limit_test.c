/* What limits of cgroups come to: files of v1 and v2 made of plain text, for no one kernel has both. */
#include "act/cgroup_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "act/words.h"
#include "base/check.h"
#include "base/cleanup.h"

static char dir[] = "/tmp/osprey-cgroup-limit-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static const char *get(const char *name)
{
	static char text[256];
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof text - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static struct cgroup_write write_of(const char *file, const char *attribute, const char *text)
{
	struct cgroup_write w = { 0 };

	snprintf(w.dir, sizeof w.dir, "%s", dir);
	snprintf(w.path, sizeof w.path, "%s/%s", dir, file);
	snprintf(w.attribute, sizeof w.attribute, "%s", attribute);
	snprintf(w.text, sizeof w.text, "%s", text);
	return w;
}

static void check_read(const char *file, const char *attribute, const char *text, const char *wanted)
{
	cleanup(buf_deinit) struct buf now = { 0 };
	struct cgroup_write w = write_of(file, attribute, "");

	put(file, text);
	CHECK(cgroup_limit_read(&w, &now, NULL) == 0);
	CHECK_STR(now.data, wanted);
}

static void test_values_as_they_stand(void)
{
	static const char io[] =
		"8:16 rbps=2097152 wbps=max riops=max wiops=120\n8:1 rbps=7 wbps=8 riops=9 wiops=10\n";

	check_read("io.max", "io 8:16 rbps", io, "2097152");
	check_read("io.max", "io 8:16 wbps", io, "max");
	check_read("io.max", "io 8:16 wiops", io, "120");
	check_read("io.max", "io 8:1 riops", io, "9");
	check_read("io.max", "io 8:32 rbps", io, "max");
	check_read("io.max", "io 8:0 rbps", "", "max");
	check_read("blkio.throttle.read_bps_device", "io 8:16 rbps", "8:1 5\n8:16 1048576\n", "1048576");
	check_read("blkio.throttle.read_bps_device", "io 8:0 rbps", "8:1 5\n", "max");
	check_read("memory.limit_in_bytes", "memory", "9223372036854771712\n", "max");
	check_read("memory.limit_in_bytes", "memory", "9223372036854710272\n", "max"); /* 64 KiB pages */
	check_read("memory.limit_in_bytes", "memory", "104857600\n", "104857600");
	check_read("memory.max", "memory", "max\n", "max");
	check_read("cpu.cfs_quota_us", "cpu", "-1\n", "max");
	check_read("cpu.max", "cpu", "50000 100000\n", "50000 100000");
}

/* What the kernel is told, and what undoing tells it. */
static void check_set(const char *file, const char *attribute, const char *before, const char *text,
		      const char *wanted, const char *now, const char *wanted_undone)
{
	cleanup(buf_deinit) struct buf after = { 0 };
	struct cgroup_write w = write_of(file, attribute, text);
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct change_outcome o;
	struct change_journal *j;
	uint64_t id = 0;

	put(file, before);
	CHECK(change_journal_open(CHANGE_WRITE, &j, NULL) == 0);
	CHECK(cgroup_limit_set(j, "limit", &w, &id, &after, NULL) == 0);
	CHECK(strncmp(get(file), wanted, strlen(wanted)) ==
	      0); /* a plain file keeps the end of what was longer */
	put(file, now);
	change_journal_close(j);
	CHECK(change_journal_open(CHANGE_WRITE, &j, NULL) == 0);
	CHECK(change_commit(j, id, text, NULL) == 0); /* as the kernel would have read back */
	CHECK(changes_list(j, &l, NULL) == 0);
	const struct change *c = change_find(&l, id);

	CHECK(c && change_undo(j, id, cgroup_limit_access(c), false, &o, NULL) == 0 && o.restored == 1);
	CHECK(strncmp(get(file), wanted_undone, strlen(wanted_undone)) == 0);
	change_journal_close(j);
}

static void test_values_as_they_are_set(void)
{
	check_set("io.max", "io 8:0 rbps", "8:0 rbps=7 wbps=9 riops=max wiops=max\n", "1048576",
		  "8:0 rbps=1048576", "8:0 rbps=1048576 wbps=9 riops=max wiops=max\n", "8:0 rbps=7");
	check_set("io.max", "io 8:0 wiops", "", "50", "8:0 wiops=50",
		  "8:0 rbps=max wbps=max riops=max wiops=50\n", "8:0 wiops=max");
	check_set("blkio.throttle.read_bps_device", "io 8:0 rbps", "", "1048576", "8:0 1048576",
		  "8:0 1048576\n", "8:0 0");
	check_set("memory.limit_in_bytes", "memory", "9223372036854771712\n", "104857600", "104857600",
		  "104857600\n", "-1");
	check_set("cpu.max", "cpu", "max 100000\n", "50000 100000", "50000 100000", "50000 100000\n",
		  "max 100000");
	check_set("cpu.cfs_quota_us", "cpu", "-1\n", "50000", "50000", "50000\n", "-1");
	check_set("pids.max", "pids", "max\n", "20", "20", "20\n", "max");
}

int main(void)
{
	static const char *const files[] = { "io.max",
					     "blkio.throttle.read_bps_device",
					     "memory.limit_in_bytes",
					     "memory.max",
					     "cpu.cfs_quota_us",
					     "cpu.max",
					     "pids.max",
					     "changes/journal",
					     "changes/lock" };
	char path[128];

	if (!mkdtemp(dir))
		check_skip("no directory under /tmp");
	setenv("OSPREY_STATE_DIR", dir, 1);
	test_values_as_they_stand();
	test_values_as_they_are_set();
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		(void)!unlink(path);
	}
	snprintf(path, sizeof path, "%s/changes", dir);
	(void)!rmdir(path);
	(void)!rmdir(dir);
	return check_exit();
}
