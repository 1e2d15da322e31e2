#include "base/check.h"
#include "base/cleanup.h"
#include "source/process/task.h"

static struct span text(const char *s)
{
	return span_from(s);
}

static struct task blank(void)
{
	struct task t;

	task_missing(READING_ABSENT, &t);
	return t;
}

#define NUMBERS \
	" S 1 4242 4242 0 -1 4194560 1371 25000 3 7 52 31 900 120 20 -5 4 0 8123 238092288 3105 "   \
	"18446744073709551615 94022181273600 94022181293481 140732379370864 0 0 0 0 4096 17642 0 0 0 17 3 50 2 12 0 0 " \
	"94022181309488 94022181311104 94023209955328 140732379371893 140732379371984 140732379371984 140732379373547 0\n"

static void test_stat(void)
{
	struct task t = blank();

	CHECK(task_stat_parse(text("4242 (nginx)" NUMBERS), &t) == 0);
	CHECK_U64((uint64_t)t.tid, 4242);
	CHECK_U64((uint64_t)t.ppid, 1);
	CHECK_STR(t.comm, "nginx");
	CHECK(t.state == 'S' && t.nice == -5 && t.last_cpu == 3 && t.rt_priority == 50 && t.policy == 2);
	CHECK(!(t.flags & TASK_IS_KERNEL_THREAD));
	CHECK_U64(t.minor_faults, 1371);
	CHECK_U64(t.children_minor_faults, 25000);
	CHECK_U64(t.major_faults, 3);
	CHECK_U64(t.user_ns, 520000000);
	CHECK_U64(t.system_ns, 310000000);
	CHECK_U64(t.children_user_ns, 9000000000);
	CHECK_U64(t.children_system_ns, 1200000000);
	CHECK_U64(t.threads, 4);
	CHECK_U64(t.start_ns, 81230000000);
	CHECK_U64(t.virtual_bytes, 238092288);
	CHECK_U64(t.block_delay_ns, 120000000);
}

static void check_name(const char *name, const char *wanted)
{
	char line[600];
	struct task t = blank();

	snprintf(line, sizeof line, "4242 (%s)" NUMBERS, name);
	CHECK(task_stat_parse(text(line), &t) == 0);
	CHECK_STR(t.comm, wanted);
	CHECK(t.state == 'S' && t.ppid == 1);
}

static void test_names(void)
{
	check_name("a) R 1 (b", "a) R 1 (b");
	check_name("a\nb) Z", "a\nb) Z");
	check_name("", "");
	check_name(")", ")");
	check_name("((", "((");
	check_name(" ", " ");
	check_name("0123456789abcdefghij", "0123456789abcde");
	check_name("kworker/0:1-x", "kworker/0:1-x"); /* anybody may call himself so */
}

static void test_kernel_threads(void)
{
	struct task t = blank();

	CHECK(task_stat_parse(text("29 (kworker/0:1-events) I 2 0 0 0 -1 69238880 0 0 0 0 0 5 0 0 20 0 1 0 25 0 0 0"), &t) == 0);
	CHECK_STR(t.comm, "kworker/0:1");
	CHECK(t.flags & TASK_IS_KERNEL_THREAD);
	CHECK(t.state == 'I');
	CHECK_U64(t.block_delay_ns, READING_ABSENT); /* the line ends before it */
	CHECK(task_stat_parse(text("4 (kworker/R-rcu_gp) I 2 0 0 0 -1 69238880 0 0 0 0 0 5 0 0 0 -20 1 0 25 0 0 0"), &t) == 0);
	CHECK_STR(t.comm, "kworker/R-rcu_g");
	CHECK(t.nice == -20);
}

/* What is no stat line leaves the task alone. */
static void test_bad_stat(void)
{
	static const char *const bad[] = {
		"", "\n", "4242", "4242 (nginx", "4242 (nginx)", "4242 (nginx) ", "4242 (nginx) S",
		"4242 (nginx) S 1 2", "4242 (nginx) SS" , "(nginx)" NUMBERS, "x (nginx)" NUMBERS,
		"-1 (nginx)" NUMBERS, "0 (nginx)" NUMBERS, "99999999999 (nginx)" NUMBERS,
		"4242 nginx)" NUMBERS, "4242 (nginx" NUMBERS,
		"7 (a) S x 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 25 0 0",
		"7 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99999999999999999999 0 0",
		"7 (a) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 18446744073709551615 0 0",
		"7 (a) S -3 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 25 0 0",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct task t = blank(), before = t;

		CHECK(task_stat_parse(text(bad[i]), &t) < 0);
		CHECK(memcmp(&t, &before, sizeof t) == 0);
	}
}

static const char status_text[] =
	"Name:\tnginx\\nUid:\t0\t0\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t4242\nNgid:\t0\nPid:\t4243\n"
	"PPid:\t1\nTracerPid:\t0\nUid:\t33\t34\t35\t36\nGid:\t33\t33\t33\t33\nFDSize:\t256\nNSpid:\t4243\n"
	"VmPeak:\t  999 kB\nVmSize:\t  232512 kB\nVmRSS:\t12420 kB\nRssAnon:\t 6000 kB\nRssFile:\t 6400 kB\n"
	"RssShmem:\t 20 kB\nVmData:\t 1 kB\nVmSwap:\t 72 kB\nThreads:\t4\nSigQ:\t0/96365\n"
	"voluntary_ctxt_switches:\t151\nnonvoluntary_ctxt_switches:\t9\n";

static void test_status(void)
{
	struct task t = blank();

	task_status_parse(text(status_text), &t);
	CHECK(t.pid == 4242 && t.uid == 34);
	CHECK_U64(t.virtual_bytes, UINT64_C(232512) << 10);
	CHECK_U64(t.anon_bytes, 6000 << 10);
	CHECK_U64(t.file_bytes, 6400 << 10);
	CHECK_U64(t.shmem_bytes, 20 << 10);
	CHECK_U64(t.swap_bytes, 72 << 10);
	CHECK_U64(t.threads, 4);
	CHECK_U64(t.voluntary_switches, 151);
	CHECK_U64(t.involuntary_switches, 9);
}

/* A kernel thread has no memory, an old kernel no RssAnon: missing, not zero. */
static void test_short_status(void)
{
	struct task t = blank();

	t.virtual_bytes = 1;
	task_status_parse(text("Name:\tkthreadd\nTgid:\t2\nUid:\t0\t0\t0\t0\nThreads:\t1\nvoluntary_ctxt_switches:\t5\n"), &t);
	CHECK(t.pid == 2 && t.uid == 0);
	CHECK_U64(t.virtual_bytes, READING_ABSENT);
	CHECK_U64(t.anon_bytes, READING_ABSENT);
	CHECK_U64(t.voluntary_switches, 5);
	CHECK_U64(t.involuntary_switches, READING_ABSENT);
	task_status_parse(text(""), &t);
	CHECK_U64(t.voluntary_switches, READING_ABSENT);
	task_status_parse(text("VmSize:\tx kB\nThreads:\nvoluntary_ctxt_switches:\t99999999999999999999\n"
			       "nonvoluntary_ctxt_switches:\t-1"), &t);
	CHECK_U64(t.virtual_bytes, READING_MALFORMED);
	CHECK_U64(t.threads, READING_MALFORMED);
	CHECK_U64(t.voluntary_switches, READING_MALFORMED);
	CHECK_U64(t.involuntary_switches, READING_MALFORMED);
}

static void test_schedstat(void)
{
	struct task t = blank();

	task_schedstat_parse(text("1271006 42 17\n"), &t);
	CHECK_U64(t.run_ns, 1271006);
	CHECK_U64(t.wait_ns, 42);
	CHECK_U64(t.runs, 17);
	CHECK(t.flags & TASK_HAS_WAIT_NS);
	task_schedstat_parse(text("1271006 x 17\n"), &t);
	CHECK_U64(t.run_ns, 1271006);
	CHECK_U64(t.wait_ns, READING_MALFORMED);
	CHECK(!(t.flags & TASK_HAS_WAIT_NS));
	task_schedstat_parse(text(""), &t);
	CHECK_U64(t.run_ns, READING_MALFORMED);
	CHECK_U64(t.runs, READING_MALFORMED);
}

static void test_io(void)
{
	struct task t = blank();

	task_io_parse(text("rchar: 8700\nwchar: 1724\nsyscr: 16\nsyscw: 3\nread_bytes: 4096\nwrite_bytes: 8192\n"
			   "cancelled_write_bytes: 512\n"), &t);
	CHECK_U64(t.read_bytes, 4096);
	CHECK_U64(t.write_bytes, 8192);
	task_io_parse(text("read_bytes:\n"), &t);
	CHECK_U64(t.read_bytes, READING_MALFORMED);
	CHECK_U64(t.write_bytes, READING_ABSENT);
}

static void check_syscall(const char *line, int syscall, bool has)
{
	struct task t = blank();

	t.flags |= TASK_HAS_SYSCALL;
	task_syscall_parse(text(line), &t);
	CHECK(t.syscall == syscall);
	CHECK(!(t.flags & TASK_HAS_SYSCALL) == !has);
	CHECK(has || t.argument[0] == READING_ABSENT);
}

static void test_syscall(void)
{
	struct task t = blank();

	task_syscall_parse(text("202 0x7f1200 0x80 0x2 0x0 0x0 0xffffffff 0x7ffd 0x7f00\n"), &t);
	CHECK(t.syscall == 202 && t.flags & TASK_HAS_SYSCALL);
	CHECK_U64(t.argument[0], 0x7f1200);
	CHECK_U64(t.argument[1], 0x80);
	CHECK_U64(t.argument[2], 2);
	check_syscall("running\n", -1, false);
	check_syscall("-1 0x7ffd 0x7f00\n", -1, false);
	check_syscall("", -1, false);
	check_syscall("202 0x1 0x2 0x3", -1, false);
	check_syscall("202 0x1 0x2 0x3 zz", -1, false);
	check_syscall("99999999999 0x1 0x2 0x3 0x4", -1, false);
	check_syscall("0 0x0 0x1 0x2 0x3 0x4 0x5 0x6 0x7", 0, true);
}

static void check_limit(const char *line, reading wanted)
{
	struct task t = blank();

	t.fd_limit = 7;
	task_limits_parse(text(line), &t);
	CHECK_U64(t.fd_limit, wanted);
}

static void test_limits(void)
{
	check_limit("Limit                     Soft Limit           Hard Limit           Units     \n"
		    "Max processes             96365                96365                processes \n"
		    "Max open files            20000                1048576              files     \n", 20000);
	check_limit("Max open files            unlimited            unlimited            files     \n", INT64_MAX);
	check_limit("Max open files            \n", READING_MALFORMED);
	check_limit("Max open files", READING_MALFORMED);
	check_limit("Max open files            many                 more                 files\n", READING_MALFORMED);
	check_limit("Max cpu time              unlimited            unlimited            seconds\n", READING_ABSENT);
	check_limit("", READING_ABSENT);
}

static void test_statm(void)
{
	struct task t = blank();

	task_statm_parse(text("765 436 300 5 0 90 0\n"), 4096, &t);
	CHECK_U64(t.virtual_bytes, 765 * 4096);
	CHECK_U64(t.file_bytes, 300 * 4096);
	CHECK_U64(t.anon_bytes, 136 * 4096);
	CHECK_U64(t.shmem_bytes, READING_ABSENT);
	task_statm_parse(text("765 436\n"), 4096, &t);
	CHECK_U64(t.anon_bytes, READING_MALFORMED);
	task_statm_parse(text("99999999999999999 1 2\n"), 4096, &t);
	CHECK_U64(t.virtual_bytes, READING_MALFORMED);
}

/* Every prefix of a good file is read within its bounds. */
static void test_truncated(void)
{
	static const char *const files[] = { "4242 (ng\ninx)" NUMBERS, status_text, "1 2 3\n",
		"read_bytes: 1\nwrite_bytes: 2\n", "202 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8\n",
		"Max open files            20000                1048576              files     \n" };

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		for (size_t n = 0; n <= strlen(files[i]); n++) {
			struct task t = blank();
			char *copy = malloc(n ? n : 1); /* so that the sanitizer sees the end */

			memcpy(copy, files[i], n);
			struct span s = { copy, n };
			(void)!task_stat_parse(s, &t);
			task_status_parse(s, &t);
			task_schedstat_parse(s, &t);
			task_io_parse(s, &t);
			task_syscall_parse(s, &t);
			task_limits_parse(s, &t);
			task_statm_parse(s, 4096, &t);
			CHECK(memchr(t.comm, '\0', sizeof t.comm) != NULL);
			free(copy);
		}
}

static void test_huge(void)
{
	size_t n = 4 << 20;
	char *junk = malloc(n);
	struct task t = blank();

	memset(junk, '(', n);
	CHECK(task_stat_parse((struct span){ junk, n }, &t) < 0);
	memset(junk, '9', n);
	CHECK(task_stat_parse((struct span){ junk, n }, &t) < 0);
	task_schedstat_parse((struct span){ junk, n }, &t);
	CHECK_U64(t.run_ns, READING_MALFORMED);
	memset(junk, '\n', n);
	task_status_parse((struct span){ junk, n }, &t);
	CHECK_U64(t.threads, READING_ABSENT);
	free(junk);
}

static void test_missing(void)
{
	struct task t;

	task_missing(READING_DENIED, &t);
	CHECK_U64(t.user_ns, READING_DENIED);
	CHECK_U64(t.argument[3], READING_DENIED);
	CHECK_U64(t.children_minor_faults, READING_DENIED);
	CHECK(t.cgroup[0] == 0 && t.net_ns == 0 && t.syscall == -1 && t.flags == 0);
}

int main(void)
{
	test_stat();
	test_names();
	test_kernel_threads();
	test_bad_stat();
	test_status();
	test_short_status();
	test_schedstat();
	test_io();
	test_syscall();
	test_limits();
	test_statm();
	test_truncated();
	test_huge();
	test_missing();
	return check_exit();
}
