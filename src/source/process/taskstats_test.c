#include "source/process/taskstats.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

/* An answer as the kernel builds it: message { aggregate { pid, stats } }. */
static size_t answer(const struct taskstats *stats, size_t size, char *ret)
{
	struct nlattr pid = { NLA_HDRLEN + 4, TASKSTATS_TYPE_PID };
	struct nlattr body = { (uint16_t)(NLA_HDRLEN + size), TASKSTATS_TYPE_STATS };
	struct nlattr aggregate = { (uint16_t)(NLA_HDRLEN + 8 + body.nla_len), TASKSTATS_TYPE_AGGR_PID };
	struct nlmsghdr header = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + GENL_HDRLEN + aggregate.nla_len), .nlmsg_type = 30 };

	memset(ret, 0, header.nlmsg_len);
	memcpy(ret, &header, sizeof header);
	char *p = ret + NLMSG_HDRLEN + GENL_HDRLEN;
	memcpy(p, &aggregate, sizeof aggregate);
	memcpy(p + 4, &pid, sizeof pid);
	memcpy(p + 12, &body, sizeof body);
	memcpy(p + 16, stats, size);
	return header.nlmsg_len;
}

static struct taskstats sample(void)
{
	return (struct taskstats){ .version = 13, .cpu_count = 9, .cpu_delay_total = 900, .blkio_count = 2,
				   .blkio_delay_total = 70, .swapin_count = 1, .swapin_delay_total = 5,
				   .freepages_count = 3, .freepages_delay_total = 33, .thrashing_delay_total = 4,
				   .compact_delay_total = 8, .wpcopy_count = 6, .wpcopy_delay_total = 66 };
}

static void test_parse(void)
{
	struct taskstats stats = sample();
	struct taskstats_delays d;
	char message[1024];
	size_t n = answer(&stats, sizeof stats, message);

	CHECK(taskstats_parse((struct span){ message, n }, &d) == 0);
	CHECK_U64(d.cpu_count, 9);
	CHECK_U64(d.cpu_ns, 900);
	CHECK_U64(d.block_ns, 70);
	CHECK_U64(d.swapin_ns, 5);
	CHECK_U64(d.reclaim_count, 3);
	CHECK_U64(d.reclaim_ns, 33);
	CHECK_U64(d.thrashing_ns, 4);
	CHECK_U64(d.compact_ns, 8);
	CHECK_U64(d.copy_ns, 66);
	for (size_t cut = 0; cut < n; cut++) {
		char *copy = malloc(cut ? cut : 1);

		memcpy(copy, message, cut);
		CHECK(taskstats_parse((struct span){ copy, cut }, &d) < 0);
		free(copy);
	}
}

/* Older kernels send a shorter struct, and what they lack is missing. */
static void test_versions(void)
{
	struct taskstats stats = sample();
	struct taskstats_delays d;
	char message[1024];

	stats.version = 8;
	size_t n = answer(&stats, offsetof(struct taskstats, thrashing_count), message);
	CHECK(taskstats_parse((struct span){ message, n }, &d) == 0);
	CHECK_U64(d.reclaim_ns, 33);
	CHECK_U64(d.thrashing_ns, READING_ABSENT);
	CHECK_U64(d.copy_ns, READING_ABSENT);
	stats.version = 15;
	n = answer(&stats, sizeof stats, message);
	CHECK(taskstats_parse((struct span){ message, n }, &d) == -EOPNOTSUPP);
}

/* Accounting off, or on since after the task was born. */
static void test_not_covered(void)
{
	struct taskstats stats = { .version = 13, .cpu_count = 5, .cpu_delay_total = 50 };
	struct taskstats_delays d;
	char message[1024];
	size_t n = answer(&stats, sizeof stats, message);

	CHECK(taskstats_parse((struct span){ message, n }, &d) == 0);
	CHECK_U64(d.cpu_ns, 50);
	CHECK_U64(d.block_ns, READING_ABSENT);
	CHECK_U64(d.copy_count, READING_ABSENT);
}

static void test_errors(void)
{
	struct {
		struct nlmsghdr header;
		int error;
	} message = { { .nlmsg_len = sizeof message, .nlmsg_type = NLMSG_ERROR }, -ESRCH };
	struct span text = { (const char *)&message, sizeof message };
	struct taskstats_delays d;
	uint16_t family = 7;

	CHECK(taskstats_parse(text, &d) == -ESRCH);
	CHECK(taskstats_family_parse(text, &family) == -ESRCH && family == 7);
	message.error = 5;
	CHECK(taskstats_parse(text, &d) == -EBADMSG);
}

static void test_text(void)
{
	struct taskstats_delays d;

	CHECK(taskstats_text_parse(SPAN("1 2 3 4 5 6 7 8 - - 11 12 13 14 "), &d) == 0);
	CHECK_U64(d.cpu_count, 1);
	CHECK_U64(d.thrashing_ns, READING_ABSENT);
	CHECK_U64(d.copy_ns, 14);
	CHECK(taskstats_text_parse(SPAN("1 2 3 4 5 6 7 8 - - 11 12 13"), &d) == -EBADMSG);
	CHECK(taskstats_text_parse(SPAN("1 2 3 4 5 6 7 8 - - 11 12 13 x"), &d) == -EBADMSG);
	CHECK(taskstats_text_parse(SPAN(""), &d) == -EBADMSG);
}

static bool accounting(char value, char *ret_before)
{
	cleanup(close_fd) int fd = open("/proc/sys/kernel/task_delayacct", O_RDWR | O_CLOEXEC);

	if (fd < 0 || (ret_before && pread(fd, ret_before, 1, 0) != 1))
		return false;
	return pwrite(fd, &value, 1, 0) == 1;
}

/* A child born after accounting was switched on is covered; we, born before, are not. */
static void test_live(struct host *h)
{
	struct taskstats_delays d;
	char before;
	int r = taskstats_read(h, getpid(), &d);

	if (r == -EPERM || r == -ENOENT)
		check_skip("taskstats: %s", strerror(-r));
	CHECK(r == 0);
	CHECK(taskstats_read(h, 0x3fffff, &d) == -ESRCH);
	if (!accounting('1', &before))
		check_skip("delay accounting cannot be switched on here");
	pid_t child = fork();
	if (child == 0) {
		*(volatile char *)&before = '1'; /* copies a page */
		for (;;)
			pause();
	}
	usleep(20000);
	r = taskstats_read(h, child, &d);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(accounting(before, NULL));
	CHECK(r == 0);
	CHECK(reading_ok(d.cpu_count) && d.cpu_count > 0);
	CHECK(reading_ok(d.block_ns));
	if (before == '0') {
		CHECK(taskstats_read(h, getpid(), &d) == 0);
		CHECK_U64(d.block_ns, READING_ABSENT);
		CHECK(reading_ok(d.cpu_ns));
	}
}

int main(void)
{
	struct host *h;

	test_parse();
	test_versions();
	test_not_covered();
	test_errors();
	test_text();
	if (check_exit())
		return 1;
	CHECK(host_open_live("/", &h, NULL) == 0);
	test_live(h);
	host_free(h);
	return check_exit();
}
