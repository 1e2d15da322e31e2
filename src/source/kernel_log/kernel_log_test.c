#include "source/kernel_log/kernel_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "kernel/capture.h"

/* As Linux 6.18 wrote them. */
#define CONSTRAINT                                                                                        \
	"6,431,2495305036,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0," \
	"oom_memcg=/limited,task_memcg=/limited/inner,task=python3,pid=12604,uid=0\n"
#define KILLED(pid)                                                                                 \
	"3,432,2495305071,-;Memory cgroup out of memory: Killed process " #pid " (python3) "        \
	"total-vm:221372kB, anon-rss:32384kB, file-rss:6576kB, shmem-rss:0kB, UID:0 pgtables:128kB " \
	"oom_score_adj:0\n"

static struct kernel_event pending, event;

static bool parse(const char *record)
{
	return kernel_log_parse(span_from(record), &pending, &event);
}

static void test_oom_of_cgroup(void)
{
	pending = (struct kernel_event){ 0 };
	CHECK(!parse(CONSTRAINT));
	CHECK(parse(KILLED(12604)));
	CHECK(event.kind == KERNEL_OOM_KILL);
	CHECK_U64(event.sequence, 432);
	CHECK_U64(event.mono_ns, UINT64_C(2495305071000));
	CHECK(event.pid == 12604);
	CHECK_STR(event.comm, "python3");
	CHECK_STR(event.cgroup, "/limited");
	CHECK_U64(event.anon_bytes, 32384 * 1024);
	CHECK(strncmp(event.text, "Memory cgroup out of memory: Killed process 12604", 49) == 0);
}

/* The constraint line is written at most ten times in five seconds: the kill of another
 * process has no cgroup then, not that of the kill before. */
static void test_rate_limited(void)
{
	pending = (struct kernel_event){ 0 };
	CHECK(!parse(CONSTRAINT));
	CHECK(parse(KILLED(12699)));
	CHECK_STR(event.cgroup, "");
}

static void test_oom_group(void)
{
	pending = (struct kernel_event){ 0 };
	CHECK(!parse(CONSTRAINT));
	CHECK(parse(KILLED(12604)));
	CHECK(!parse("6,433,2495305071,-;Tasks in /limited/inner are going to be killed due to memory.oom.group set\n"));
	CHECK(parse(KILLED(12605)));
	CHECK_STR(event.cgroup, "/limited");
	CHECK(parse("3,440,2499305071,-;Memory cgroup out of memory: Killed process 77 (x) total-vm:1kB, anon-rss:2kB\n"));
	CHECK_STR(event.cgroup, ""); /* four seconds later: another story */
}

static void test_oom_of_host(void)
{
	pending = (struct kernel_event){ 0 };
	CHECK(!parse("6,1,5,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
		     "global_oom,task_memcg=/system.slice/db.service,task=db,pid=7,uid=0\n"));
	CHECK(parse("3,2,6,-;Out of memory: Killed process 7 (db) total-vm:221372kB, anon-rss:5kB, file-rss:6kB\n"));
	CHECK(event.kind == KERNEL_OOM_KILL && event.pid == 7);
	CHECK_STR(event.cgroup, "");
	CHECK_U64(event.anon_bytes, 5 * 1024);
}

static void test_old_kernels(void)
{
	pending = (struct kernel_event){ 0 };
	CHECK(!parse("6,1,5,-;Task in /a/b killed as a result of limit of /a\n"));
	CHECK(!parse("3,2,6,-;Memory cgroup out of memory: Kill process 7 (x) score 1 or sacrifice child\n"));
	CHECK(parse("3,3,7,-;Killed process 7 (x) total-vm:1kB, anon-rss:3kB, file-rss:0kB\n"));
	CHECK_STR(event.cgroup, "/a");
	CHECK(event.pid == 7 && event.anon_bytes == 3072);
}

/* Names may hold what surrounds them, and bytes that the log escapes. */
static void test_hostile_names(void)
{
	pending = (struct kernel_event){ 0 };
	CHECK(!parse("6,1,5,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"
		     "oom_memcg=/a,pid=3\\x5cb,task_memcg=/x,task=a,pid=9,uid=1,pid=8,uid=0\n"));
	CHECK(parse("3,2,6,-;Memory cgroup out of memory: Killed process 8 (a) total-vm:1 () total-vm:4kB, anon-rss:8kB\n"));
	CHECK_STR(event.cgroup, "/a,pid=3\\b");
	CHECK_STR(event.comm, "a) total-vm:1 (");
	CHECK_U64(event.anon_bytes, 8192);
	CHECK(parse("3,2,6,-;Out of memory: Killed process 8 (\\x1b[2J\\xzz) total-vm:4kB\n"));
	CHECK_STR(event.comm, "\x1b[2J\\xzz");
	CHECK_U64(event.anon_bytes, READING_ABSENT);
}

static void test_other_kinds(void)
{
	CHECK(parse("3,9,1,-;INFO: task kworker/0:1:123 blocked for more than 120 seconds.\n"));
	CHECK(event.kind == KERNEL_HUNG_TASK && event.pid == 123);
	CHECK_STR(event.comm, "kworker/0:1");
	CHECK(parse("0,9,1,-;watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [my:task:4]\n"));
	CHECK(event.kind == KERNEL_SOFT_LOCKUP && event.pid == 4);
	CHECK_STR(event.comm, "my:task");
	CHECK(parse("0,9,1,-;watchdog: Watchdog detected hard LOCKUP on cpu 3\n") && event.kind == KERNEL_HARD_LOCKUP);
	CHECK(parse("3,9,1,-;rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\n") &&
	      event.kind == KERNEL_RCU_STALL && event.pid == 0);
	CHECK(parse("3,9,1,-;Buffer I/O error on dev sda1, logical block 0, async page read\n") &&
	      event.kind == KERNEL_IO_ERROR);
	CHECK(parse("2,9,1,-;EXT4-fs (sda1): Remounting filesystem read-only\n") && event.kind == KERNEL_FS_READONLY);
	CHECK(parse("4,9,1,-;sched: RT throttling activated\n") && event.kind == KERNEL_RT_THROTTLED);
	CHECK(parse("4,9,1,-;nf_conntrack: nf_conntrack: table full, dropping packet\n") &&
	      event.kind == KERNEL_TABLE_FULL);
	CHECK(parse("6,9,1,-,caller=T12;TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:80. Sending cookies.\n "
		    "SUBSYSTEM=net\n") && event.kind == KERNEL_TABLE_FULL);
	CHECK(strstr(event.text, "SUBSYSTEM") == NULL);
	CHECK(!parse("6,340,464480,-;process (1): drop_caches: 3\n"));
}

static void test_not_the_kernel(void)
{
	/* What a process writes to /dev/kmsg has facility user (1) or more. */
	CHECK(!parse("11,432,1,-;Out of memory: Killed process 7 (db) total-vm:1kB, anon-rss:5kB\n"));
}

static void test_malformed(void)
{
	static const char whole[] = CONSTRAINT;
	static const char killed[] = KILLED(12604);
	static const char *const bad[] = {
		"", ";", "3", "3,1,1,-", "x,1,1,-;Out of memory: Killed process 7 (db) total-vm:1kB",
		"3,1,18446744073709551615,-;Out of memory: Killed process 7 (db) total-vm:1kB",
		"3,1,1,-;", "3,1,1,-;Out of memory: Killed process", "3,1,1,-;Out of memory: Killed process x (a) ",
		"3,1,1,-;Out of memory: Killed process 0 (a) total-vm:", "3,1,1,-;Out of memory: Killed process 99999999999 (a)",
		"3,1,1,-;Out of memory: Killed process 7 a total-vm",
		"3,1,1,-;Tasks in are going to be killed due to memory.oom.group set",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (parse(bad[i]))
			fprintf(stderr, "case %zu\n", i);
		CHECK(!parse(bad[i]));
	}
	for (size_t n = 0; n < sizeof whole; n++) {
		(void)kernel_log_parse((struct span){ whole, n }, &pending, &event);
		(void)kernel_log_parse((struct span){ killed, n < sizeof killed ? n : 0 }, &pending, &event);
	}
	CHECK(!parse(CONSTRAINT "")); /* still in order after all that */
	CHECK(parse(KILLED(12604)));
	CHECK_STR(event.cgroup, "/limited");
}

/* An event that crosses a capture: constraint and kill in different looks. */
static void test_captured(void)
{
	struct span first = SPAN(CONSTRAINT "\0"), second = SPAN(KILLED(12604) "\0");
	struct capture_writer *writer = NULL;
	struct host *h = NULL;
	struct kernel_log *log = NULL;
	enum presence presence = UNREAD;
	kernel_event_vec events = { 0 };
	char path[] = "/tmp/osprey-kmsg-XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0 && close(fd) == 0 && capture_writer_new(path, &writer, NULL) == 0);
	capture_write_tick(writer, (struct host_time){ 1, 1, 1 });
	capture_write(writer, "kmsg:open", 0, SPAN(""));
	capture_write(writer, "kmsg", 0, first);
	capture_write_tick(writer, (struct host_time){ 2, 2, 2 });
	capture_write(writer, "kmsg", 0, second);
	capture_write_tick(writer, (struct host_time){ 3, 3, 3 });
	CHECK(capture_writer_end(writer) == 0);
	CHECK(host_open_capture(path, &h, NULL) == 0);
	CHECK(kernel_log_new(h, &log, &presence) == 0 && presence == PRESENT);
	CHECK(kernel_log_read(log, &events) == 0 && events.n == 0);
	CHECK(host_tick(h, 0) == 0 && kernel_log_read(log, &events) == 0 && events.n == 1);
	CHECK(events.n == 1 && strcmp(events.v[0].cgroup, "/limited") == 0);
	CHECK(host_tick(h, 0) == 0 && kernel_log_read(log, &events) == 0 && events.n == 1);
	kernel_log_free(log);
	host_free(h);
	vec_free(&events);
	unlink(path);
}

/* Here: history is not read, our own line is no event, and a read never waits. */
static void test_live(void)
{
	struct host *h = NULL;
	struct kernel_log *log = NULL;
	enum presence presence = UNREAD;
	kernel_event_vec events = { 0 };
	uint64_t start = clock_mono_ns();

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(kernel_log_new(h, &log, &presence) == 0);
	if (presence == PRESENT) {
		CHECK(kernel_log_read(log, &events) == 0);
		int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			static const char line[] = "osprey test: Out of memory: Killed process 7 (db) total-vm:1kB";
			CHECK(write(fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1);
			close(fd);
		}
		CHECK(kernel_log_read(log, &events) == 0);
		vec_each(e, &events)
			CHECK(strstr(e->text, "osprey test") == NULL);
		CHECK(clock_mono_ns() - start < 2 * NS_PER_S);
	} else {
		CHECK(kernel_log_read(log, &events) == 0 && events.n == 0);
	}
	kernel_log_free(log);
	kernel_log_free(NULL);
	host_free(h);
	vec_free(&events);
}

static void test_absent(void)
{
	struct host *h = NULL;
	struct kernel_log *log = NULL;
	enum presence presence = UNREAD;
	kernel_event_vec events = { 0 };

	CHECK(host_open_live("/proc/self/fdinfo", &h, NULL) == 0); /* a root without /dev */
	CHECK(kernel_log_new(h, &log, &presence) == 0 && presence == ABSENT);
	CHECK(kernel_log_read(log, &events) == 0 && events.n == 0);
	kernel_log_free(log);
	host_free(h);
}

/* Something in the place of the log that can be opened, but not read as one. */
static void test_no_log(void)
{
	static const char text[] = "osprey-capture 1\ntick 1 1 1\nhave 0 kmsg:open\n\nmiss 22 kmsg\n";
	struct buf copy = { 0 };
	struct host *h = NULL;
	struct kernel_log *log = NULL;
	enum presence presence = UNREAD;
	kernel_event_vec events = { 0 };

	CHECK(buf_append(&copy, text, sizeof text - 1) == 0);
	CHECK(host_open_capture_text(&copy, &h, NULL) == 0);
	CHECK(kernel_log_new(h, &log, &presence) == 0 && presence == PRESENT);
	CHECK(kernel_log_read(log, &events) == 0 && events.n == 0);
	kernel_log_free(log);
	host_free(h);
}

int main(void)
{
	test_no_log();
	test_oom_of_cgroup();
	test_rate_limited();
	test_oom_group();
	test_oom_of_host();
	test_old_kernels();
	test_hostile_names();
	test_other_kinds();
	test_not_the_kernel();
	test_malformed();
	test_captured();
	test_live();
	test_absent();
	return check_exit();
}
