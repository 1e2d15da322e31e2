#include "view/log_book.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"

#define NOW (UINT64_C(1763676000) * NS_PER_S) /* 2025-11-20 22:00:00 UTC */

static void test_levels(void)
{
	uint32_t levels = 0;
	struct note note;

	CHECK(log_levels_parse(SPAN("err"), &levels, NULL) == 0 && levels == 1 << 3);
	CHECK(log_levels_parse(SPAN("err,warn"), &levels, NULL) == 0 && levels == (1 << 3 | 1 << 4));
	CHECK(log_levels_parse(SPAN("err.."), &levels, NULL) == 0 && levels == 0x0f);
	CHECK(log_levels_parse(SPAN("warning+"), &levels, NULL) == 0 && levels == 0x1f);
	CHECK(log_levels_parse(SPAN("+notice"), &levels, NULL) == 0 && levels == 0xe0);
	CHECK(log_levels_parse(SPAN("debug+"), &levels, NULL) == 0 && levels == 0xff);
	CHECK(log_levels_parse(SPAN("loud"), &levels, &note) == -EINVAL && strstr(note.text, "'loud' is no level"));
	CHECK(log_levels_parse(SPAN(""), &levels, &note) == -EINVAL);
	CHECK(log_facilities_parse(SPAN("kern,daemon"), &levels, NULL) == 0 && levels == (1 << 0 | 1 << 3));
	CHECK(log_facilities_parse(SPAN("kernel"), &levels, &note) == -EINVAL);
}

static void test_kinds(void)
{
	uint64_t kinds = 0;
	struct note note;

	CHECK(log_kinds_parse(SPAN("oom,segfault"), &kinds, NULL) == 0);
	CHECK(kinds == (UINT64_C(1) << LOG_OOM_KILL | UINT64_C(1) << LOG_SEGFAULT));
	CHECK(log_kinds_parse(SPAN("segfalt"), &kinds, &note) == -EINVAL && strstr(note.text, "closest: segfault"));
}

static uint64_t at(const char *text)
{
	uint64_t ns = 1;
	struct note note = { "" };

	if (log_time_parse(span_from(text), NOW, &ns, &note) < 0)
		return 1;
	CHECK(!note.text[0]);
	return ns;
}

static void test_times(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	CHECK_U64(at("10m"), NOW - 600 * NS_PER_S);
	CHECK_U64(at("2h"), NOW - 7200 * NS_PER_S);
	CHECK_U64(at("3d"), NOW - 3 * 86400 * NS_PER_S);
	CHECK_U64(at("90000d"), 0);
	CHECK_U64(at("10m ago"), NOW - 600 * NS_PER_S);
	CHECK_U64(at("3d  ago"), NOW - 3 * 86400 * NS_PER_S);
	CHECK_U64(at("21:30 ago"), 1);
	CHECK_U64(at("ago"), 1);
	CHECK_U64(at("boot"), 0);
	CHECK_U64(at("now"), NOW);
	CHECK_U64(at("@1763676000.5"), NOW + NS_PER_S / 2);
	CHECK_U64(at("21:30"), NOW - 1800 * NS_PER_S);
	CHECK_U64(at("21:30:01.25"), NOW - 1799 * NS_PER_S + NS_PER_S / 4);
	CHECK_U64(at("2025-11-20"), NOW - 22 * 3600 * NS_PER_S);
	CHECK_U64(at("2025-11-20 21:00"), NOW - 3600 * NS_PER_S);
	CHECK_U64(at("2025-11-20T21:00:00Z"), NOW - 3600 * NS_PER_S);
	CHECK_U64(at("2025-11-20T21:00:00+02:00"), NOW - 3 * 3600 * NS_PER_S);
	CHECK_U64(at("today"), NOW - 22 * 3600 * NS_PER_S);
	CHECK_U64(at("yesterday"), NOW - 46 * 3600 * NS_PER_S);
	CHECK_U64(at("soon"), 1);
	CHECK_U64(at("25:00"), 1);
	CHECK_U64(at("2025-13-01"), 1);
	CHECK_U64(at("2025-11-20 x"), 1);
	CHECK_U64(at("21:00 later"), 1);
	CHECK_U64(at(""), 1);
}

/* A capture of one tick at NOW whose log's clock is at 1000 s. */
static struct host *log_host(const char *records, size_t size)
{
	struct buf text = { 0 };
	struct host *h = NULL;

	CHECK(buf_printf(&text, "osprey-capture 1\ntick 1000000000000 1000000000000 %" PRIu64
				"\nhave 15 kmsg:history:open\nkmsg cleared=2\n\nhave %zu kmsg:history\n",
			 NOW, size) == 0);
	CHECK(buf_append(&text, records, size) == 0 && buf_append(&text, "\n", 1) == 0);
	CHECK(host_open_capture_text(&text, &h, NULL) == 0);
	return h;
}

static struct log_book *read_book(struct host *h, const struct log_wanted *wanted)
{
	struct log_book *b = NULL;
	struct note note = { "" };

	CHECK(log_book_new(h, wanted, &b, &note) == 0);
	CHECK(log_book_read(b, wanted, true, true) == 0);
	return b;
}

static const char records[] =
	"6,0,100000000,-;Linux version 6.18\n\0"
	"3,1,800000000,-;I/O error, dev sda, sector 1 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2\n SUBSYSTEM=block\n\0"
	"3,2,900000000,-;I/O error, dev sda, sector 2 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2\n\0"
	"3,5,950000000,-;I/O error, dev sdb, sector 3 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2\n\0"
	"6,6,960000000,-;e1000e: eth0 NIC Link is Down\n\0"
	"6,7,961000000,-;e1000e: eth0 NIC Link is Up 1000 Mbps Full Duplex\n\0"
	"6,8,970000000,-;e1000e: eth1 NIC Link is Down\n\0"
	"14,9,980000000,-;osprey wrote: I/O error, dev sdz, sector 3\n";

static void test_book(void)
{
	struct host *h = log_host(records, sizeof records);
	struct log_wanted wanted = { .until_ns = UINT64_MAX };
	struct log_book *b = read_book(h, &wanted);

	CHECK_U64(b->all_records, 8);
	CHECK_U64(b->entries.n, 8);
	CHECK_U64(b->lost, 2);
	CHECK_U64(b->cleared, 2);
	CHECK_U64(b->oldest_real_ns, NOW - 900 * NS_PER_S);
	CHECK(b->groups.n == 4);
	/* critical first, of these the most recent; then what is still down, then what came up again */
	CHECK_STR(b->happenings.v[b->groups.v[0].latest].event.object, "sdb");
	CHECK_U64(b->groups.v[1].count, 2);
	CHECK_U64(b->groups.v[1].first_real_ns, NOW - 200 * NS_PER_S);
	CHECK_U64(b->groups.v[1].last_real_ns, NOW - 100 * NS_PER_S);
	CHECK_STR(b->happenings.v[b->groups.v[2].latest].event.object, "eth1");
	CHECK(b->groups.v[2].severity == LOG_WARNING);
	CHECK(b->groups.v[3].severity == LOG_NOTE && b->groups.v[3].ended_well && b->groups.v[3].good_count == 1);
	log_book_free(b);
	wanted.since_ns = NOW - 60 * NS_PER_S;
	b = read_book(h, &wanted);
	CHECK_U64(b->entries.n, 5);
	CHECK_U64(b->groups.n, 3);
	log_book_free(b);
	wanted = (struct log_wanted){ .until_ns = UINT64_MAX, .since_cleared = true, .levels = 1 << LEVEL_ERR };
	b = read_book(h, &wanted);
	CHECK_U64(b->entries.n, 2);
	CHECK_U64(b->groups.n, 2);
	log_book_free(b);
	wanted = (struct log_wanted){ .until_ns = UINT64_MAX, .kinds = UINT64_C(1) << LOG_LINK };
	b = read_book(h, &wanted);
	CHECK_U64(b->entries.n, 3);
	CHECK_U64(b->groups.n, 2);
	log_book_free(b);
	host_free(h);
}

static void test_denied(void)
{
	struct buf text = { 0 };
	struct host *h = NULL;
	struct log_book *b = NULL;
	struct log_wanted wanted = { .until_ns = UINT64_MAX };
	struct note note = { "" };

	CHECK(buf_printf(&text, "osprey-capture 1\ntick 1 1 1\nmiss 1 kmsg:history:open\n") == 0);
	CHECK(host_open_capture_text(&text, &h, NULL) == 0);
	CHECK(log_book_new(h, &wanted, &b, &note) == -EPERM);
	CHECK(strstr(note.text, "CAP_SYSLOG") && strstr(note.text, "dmesg_restrict"));
	host_free(h);
}

int main(void)
{
	test_levels();
	test_kinds();
	test_times();
	test_book();
	test_denied();
	return check_exit();
}
