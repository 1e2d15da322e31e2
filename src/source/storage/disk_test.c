#include "source/storage/disk.h"

#include "base/check.h"

static const char vda[] = " 254       0 vda 50745 10690 4235874 31113 71217 37996 5719816 17828 3 16980 52293 "
			  "26478 19 2653728 2478 15896 873";

static int parse(const char *line, struct disk *ret)
{
	return disk_parse(span_from(line), ret);
}

static void all_columns(void)
{
	struct disk d;

	CHECK(parse(vda, &d) == 0);
	CHECK_U64(d.major, 254);
	CHECK_U64(d.minor, 0);
	CHECK_STR(d.name, "vda");
	CHECK_U64(d.reads, 50745);
	CHECK_U64(d.read_bytes, UINT64_C(4235874) * 512);
	CHECK_U64(d.read_ns, UINT64_C(31113) * 1000000);
	CHECK_U64(d.writes, 71217);
	CHECK_U64(d.in_flight, 3);
	CHECK_U64(d.busy_ns, UINT64_C(16980) * 1000000);
	CHECK_U64(d.queue_ns, UINT64_C(52293) * 1000000);
	CHECK_U64(d.flushes, 15896);
	CHECK_U64(d.flush_ns, UINT64_C(873) * 1000000);
	CHECK(!d.stacked);
	CHECK_U64(d.queue_requests, READING_ABSENT);
}

static void older_kernels(void)
{
	struct disk d;

	/* 4.4: no discards, no flushes */
	CHECK(parse("   8       0 sda 10 0 80 5 0 0 0 0 0 5 5", &d) == 0);
	CHECK_U64(d.reads, 10);
	CHECK_U64(d.queue_ns, 5000000);
	CHECK_U64(d.discards, READING_ABSENT);
	CHECK_U64(d.flushes, READING_ABSENT);
	/* 4.18: discards, no flushes */
	CHECK(parse("   8       0 sda 10 0 80 5 0 0 0 0 0 5 5 1 2 3 4", &d) == 0);
	CHECK_U64(d.discard_bytes, 3 * 512);
	CHECK_U64(d.flushes, READING_ABSENT);
}

static void stacked_ones(void)
{
	struct disk d;

	CHECK(parse("253 0 dm-0 1 0 8 1 0 0 0 0 0 1 1", &d) == 0 && d.stacked);
	CHECK(parse("9 127 md127 1 0 8 1 0 0 0 0 0 1 1", &d) == 0 && d.stacked);
	CHECK(parse("259 0 nvme0n1 1 0 8 1 0 0 0 0 0 1 1", &d) == 0 && !d.stacked);
}

static void bad_lines(void)
{
	struct disk d = { .major = 77 };
	char cut[sizeof vda];
	size_t whole = 0;

	CHECK(parse("", &d) < 0);
	CHECK(parse("8 0", &d) < 0);
	CHECK(parse("8 0 sda", &d) < 0);
	CHECK(parse("8 0 sda 1 2 3 4 5 6 7 8 9 10", &d) < 0);
	CHECK(parse("x 0 sda 1 2 3 4 5 6 7 8 9 10 11", &d) < 0);
	CHECK(parse("99999999999 0 sda 1 2 3 4 5 6 7 8 9 10 11", &d) < 0);
	CHECK(parse("8 0 a-name-that-no-disk-of-this-world-has-or-will 1 2 3 4 5 6 7 8 9 10 11", &d) < 0);
	CHECK_U64(d.major, 77);
	CHECK(parse("8 0 sda 1 2 x 4 5 6 7 8 9 10 11", &d) == 0);
	CHECK_U64(d.read_bytes, READING_MALFORMED);
	CHECK_U64(d.reads, 1);
	CHECK(parse("8 0 sda 1 2 18446744073709551615 4 5 6 7 8 9 10 11", &d) == 0);
	CHECK_U64(d.read_bytes, READING_MALFORMED);
	/* A line cut anywhere is refused or has the columns before the cut. */
	for (size_t n = 0; n < sizeof vda; n++) {
		memcpy(cut, vda, n);
		cut[n] = '\0';
		if (disk_parse((struct span){ cut, n }, &d) == 0) {
			CHECK_U64(d.reads, 50745);
			whole++;
		}
	}
	CHECK(whole > 10);
}

static void whole_disks(void)
{
	static const char text[] = "8 0 sda 1 0 8 1 0 0 0 0 0 1 1\n"
				   "8 1 sda1 1 0 8 1 0 0 0 0 0 1 1\n"
				   "8 16 sdaa 1 0 8 1 0 0 0 0 0 1 1\n"
				   "259 0 nvme0n1 1 0 8 1 0 0 0 0 0 1 1\n"
				   "259 1 nvme0n1p1 1 0 8 1 0 0 0 0 0 1 1\n"
				   "259 2 nvme0n10 1 0 8 1 0 0 0 0 0 1 1\n"
				   "179 0 mmcblk0 0 0 0 0 1 0 8 1 0 1 1\n"
				   "179 8 mmcblk0boot0 1 0 8 1 0 0 0 0 0 1 1\n"
				   "1 0 ram0 1 0 8 1 0 0 0 0 0 1 1\n"
				   "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"
				   "9 1 md1 1 0 8 1 0 0 0 0 0 1 1\n"
				   "9 10 md10 1 0 8 1 0 0 0 0 0 1 1\n"
				   "garbage\n";
	static const char *const wanted[] = { "sda",	      "sdaa", "nvme0n1", "nvme0n10", "mmcblk0",
					      "mmcblk0boot0", "md1",  "md10" };
	disk_vec disks = { 0 };

	CHECK(disks_parse(SPAN(text), &disks) == 0);
	CHECK_U64(disks.n, 8);
	for (size_t i = 0; i < disks.n && i < 8; i++)
		CHECK_STR(disks.v[i].name, wanted[i]);
	CHECK(disks_parse(SPAN(""), &disks) == 0);
	CHECK_U64(disks.n, 0);
	vec_free(&disks);
}

/* The sum over this machine's disks can be no less than an earlier reading of it. */
static void live(void)
{
	struct buf scratch = { 0 };
	disk_vec before = { 0 }, after = { 0 };
	enum presence presence;
	struct host *h;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK(disks_read(h, &scratch, &before, &presence) == 0);
	if (presence != PRESENT)
		check_skip("/proc/diskstats: %s", presence_name(presence));
	CHECK(disks_read(h, &scratch, &after, &presence) == 0);
	CHECK(after.n >= before.n);
	for (size_t i = 0; i < before.n; i++) {
		CHECK_STR(after.v[i].name, before.v[i].name);
		CHECK(reading_ok(reading_delta(before.v[i].reads, after.v[i].reads)));
		CHECK(reading_ok(before.v[i].queue_requests) || before.v[i].queue_requests == READING_ABSENT);
	}
	host_free(h);
	vec_free(&before);
	vec_free(&after);
	buf_deinit(&scratch);
}

int main(void)
{
	all_columns();
	older_kernels();
	stacked_ones();
	bad_lines();
	whole_disks();
	live();
	return check_exit();
}
