#include "source/kernel_log/ring.h"

#include <errno.h>

#include "base/check.h"
#include "source/kernel_log/record.h"

static void test_from_syslog(void)
{
	struct buf out = { 0 };
	struct span rest, record;
	struct log_record r;

	CHECK(log_ring_from_syslog(SPAN("<6>[    5.123456] first\n<30>[    6.5][   T12] sys\x1b[2J\\tem\nno head at all\n"
					"<4>no time\n<5>[hardware] is no time\n"),
				   &out) == 0);
	rest = buf_span(&out);
	CHECK(span_until(&rest, '\0', &record) && log_record_parse(record, &r));
	CHECK(r.level == 6 && r.log_ns == UINT64_C(5123456000) && span_is(r.text, "first") && r.sequence == 0);
	CHECK(span_until(&rest, '\0', &record) && log_record_parse(record, &r));
	CHECK(r.facility == 3 && r.log_ns == UINT64_C(6500000000) && span_is(r.caller, "T12"));
	CHECK(span_is(r.text, "sys\\x1b[2J\\x5ctem"));
	CHECK(span_until(&rest, '\0', &record) && log_record_parse(record, &r));
	CHECK(r.log_ns == READING_ABSENT && span_is(r.text, "no head at all") && r.sequence == 2);
	CHECK(span_until(&rest, '\0', &record) && log_record_parse(record, &r) && span_is(r.text, "no time") && r.level == 4);
	CHECK(span_until(&rest, '\0', &record) && log_record_parse(record, &r) && span_is(r.text, "[hardware] is no time"));
	CHECK(rest.n == 0);
	buf_deinit(&out);
}

static struct host *host_of(const char *answers)
{
	struct buf text = { 0 };
	struct host *h = NULL;

	CHECK(buf_printf(&text, "osprey-capture 1\ntick 1 1 1\n%s", answers) == 0);
	CHECK(host_open_capture_text(&text, &h, NULL) == 0);
	return h;
}

static void test_captured(void)
{
	struct host *h = host_of("have 15 kmsg:history:open\nkmsg cleared=7\n\nhave 3 kmsg:history\nabc\n");
	struct log_ring *ring = NULL;
	struct buf text = { 0 };
	struct note note = { "" };

	CHECK(log_ring_new(h, LOG_START_OLDEST, &ring, &note) == 0);
	CHECK_U64(log_ring_cleared(ring), 7);
	CHECK(log_ring_read(ring, 1000, &text) == 0 && text.n == 3);
	CHECK(log_ring_wait(ring, 0) == -EOPNOTSUPP);
	log_ring_free(ring);
	CHECK(log_ring_new(h, LOG_START_NOW, &ring, &note) == -ENOENT);
	CHECK(strstr(note.text, "--capture"));
	buf_deinit(&text);
	host_free(h);
}

static void test_denied(void)
{
	struct host *h = host_of("miss 1 kmsg:history:open\n");
	struct log_ring *ring = NULL;
	struct note note = { "" };

	CHECK(log_ring_new(h, LOG_START_OLDEST, &ring, &note) == -EPERM);
	CHECK(strstr(note.text, "CAP_SYSLOG"));
	host_free(h);
}

/* This machine's log, where it may be read: record after record, no gap but those that are told. */
static void test_live(void)
{
	struct log_ring *ring = NULL;
	struct host *h;
	struct buf text = { 0 };
	struct span rest, record;
	uint64_t next = 0, n = 0;

	CHECK(host_open_live("/", &h, NULL) == 0);
	if (log_ring_new(h, LOG_START_OLDEST, &ring, NULL) == 0) {
		CHECK(log_ring_read(ring, 64 << 20, &text) == 0);
		for (rest = buf_span(&text); span_until(&rest, '\0', &record); n++) {
			struct log_record r;

			CHECK(log_record_parse(record, &r));
			CHECK(n == 0 || r.sequence >= next);
			next = r.sequence + 1;
		}
		CHECK(n > 0);
		log_ring_free(ring);
	}
	buf_deinit(&text);
	host_free(h);
}

int main(void)
{
	test_from_syslog();
	test_captured();
	test_denied();
	test_live();
	return check_exit();
}
