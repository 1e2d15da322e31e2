#include "source/cpu/topology.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_lists(void)
{
	uint32_t n = 7;

	CHECK(cpu_list_count(SPAN("0-3,8\n"), &n) == 0 && n == 5);
	CHECK(cpu_list_count(SPAN("0"), &n) == 0 && n == 1);
	CHECK(cpu_list_count(SPAN("0-127\n"), &n) == 0 && n == 128);
	CHECK(cpu_list_count(SPAN("1,3,5,7"), &n) == 0 && n == 4);
	n = 7;
	CHECK(cpu_list_count(SPAN(""), &n) == -EBADMSG && cpu_list_count(SPAN("\n"), &n) == -EBADMSG);
	CHECK(cpu_list_count(SPAN("3-1"), &n) == -EBADMSG && cpu_list_count(SPAN("0-"), &n) == -EBADMSG);
	CHECK(cpu_list_count(SPAN("0,"), &n) == -EBADMSG && cpu_list_count(SPAN("a"), &n) == -EBADMSG);
	CHECK(cpu_list_count(SPAN("0-18446744073709551615"), &n) == -EBADMSG);
	CHECK(cpu_list_count(SPAN("0-65535,0-65535"), &n) == -EBADMSG && n == 7);
}

static char dir[] = "/tmp/osprey-topology-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof path, "mkdir -p $(dirname %s/%s)", dir, name);
	CHECK(system(path) == 0);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static struct topology read_made(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;
	struct topology t;

	CHECK(host_open_live(dir, &h, NULL) == 0);
	topology_read(h, &b, &t);
	host_free(h);
	return t;
}

static void test_made(void)
{
	struct topology t = read_made(); /* an empty root */

	CHECK(t.cpus == 1 && t.nodes == 1 && !t.model[0] && !t.kernel[0] && !t.hostname[0]);
	put("proc/stat", "cpu 1 2\ncpu0 1\ncpu2 1\nctxt 1\n");
	t = read_made();
	CHECK_U64(t.cpus, 2);
	put("sys/devices/system/cpu/online", "0-63\n");
	put("sys/devices/system/node/online", "0-3\n");
	put("proc/cpuinfo", "processor\t: 0\nmodel name\t: A model: with a colon\nflags\t: x\n");
	put("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	put("proc/sys/kernel/hostname", "db-1\n");
	t = read_made();
	CHECK(t.cpus == 64 && t.nodes == 4);
	CHECK_STR(t.model, "A model: with a colon");
	CHECK_STR(t.kernel, "6.1.0-18-amd64");
	CHECK_STR(t.hostname, "db-1");
	put("sys/devices/system/cpu/online", "rubbish\n");
	t = read_made();
	CHECK_U64(t.cpus, 2);
}

static void test_live(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;
	struct topology t;

	CHECK(host_open_live("/", &h, NULL) == 0);
	topology_read(h, &b, &t);
	CHECK_U64(t.cpus, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	CHECK(t.nodes >= 1 && t.kernel[0]);
	host_free(h);
}

int main(void)
{
	char command[80];

	if (!mkdtemp(dir))
		check_skip("no directory for temporary files");
	test_lists();
	test_made();
	test_live();
	snprintf(command, sizeof command, "rm -rf %s", dir);
	CHECK(system(command) == 0);
	return check_exit();
}
