#include <errno.h>
#include <sys/socket.h>

#include "base/check.h"
#include "dig/trace/decode.h"
#include "dig/trace/flag_names.h"
#include "dig/trace/trace_capture.h"
#include "dig/trace/trace_filter.h"
#include "dig/trace/trace_summary.h"

static struct trace_capturer c;

static void add_part(unsigned argument, bool at_exit, const void *bytes, size_t n)
{
	struct trace_part *part = (struct trace_part *)(c.payload + c.record.size);

	*part = (struct trace_part){ (uint8_t)argument, 0, at_exit, 0, (uint16_t)n, 0 };
	memcpy(part + 1, bytes, n);
	c.record.size += (uint32_t)(sizeof *part + ((n + 7) & ~(size_t)7));
}

static void begin(unsigned call, int64_t result)
{
	memset(&c, 0, sizeof c);
	c.record.call = (uint16_t)call;
	c.record.result = result;
}

static const char *decoded(struct buf *ret)
{
	struct decode_options o = { .excerpt_bytes = 32 };
	struct trace_event e;

	buf_clear(ret);
	if (trace_event_parse(trace_captured(&c), &e) < 0)
		return "not parsed";
	CHECK(decode_name(&e, ret) == 0 && buf_printf(ret, "(") == 0 && decode_arguments(&e, &o, ret, NULL, NULL) == 0 &&
	      buf_printf(ret, ") = ") == 0 && decode_result(&e, &o, ret) == 0);
	return ret->data;
}

static void decoding(void)
{
	struct buf b = { 0 };

	begin(257, -ENOENT);
	c.record.argument[0] = (uint64_t)-100;
	c.record.argument[1] = 0x1000;
	c.record.argument[2] = 0101;
	c.record.argument[3] = 0640;
	add_part(1, false, "/a\n\0011", 6);
	CHECK_STR(decoded(&b), "openat(AT_FDCWD, \"/a\\n\\0011\", O_WRONLY|O_CREAT, 0640) = -1 ENOENT (No such file or directory)");

	/* Not captured: the address. */
	begin(1, 5);
	c.record.argument[0] = 1;
	c.record.argument[1] = 0xabc;
	c.record.argument[2] = 5;
	CHECK_STR(decoded(&b), "write(1, 0xabc, 5) = 5");
	add_part(1, false, "hel", 3);
	CHECK_STR(decoded(&b), "write(1, \"hel\"..., 5) = 5");

	/* A 32-bit call is marked, and not taken for the 64-bit one of its number. */
	begin(5, 0);
	c.record.flags = RECORD_COMPAT;
	CHECK_STR(decoded(&b), "32-bit:5(0x0, 0x0, 0x0, 0x0, 0x0, 0x0) = 0x0");

	begin(202, -512);
	c.record.argument[1] = 128;
	CHECK_STR(decoded(&b), "futex(NULL, FUTEX_WAIT_PRIVATE, 0, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");

	/* A part that claims more than there is. */
	begin(0, 0);
	add_part(1, true, "x", 1);
	((struct trace_part *)c.payload)->size = 500;
	CHECK_STR(decoded(&b), "not parsed");
	buf_deinit(&b);
}

static void filters(void)
{
	static struct trace_filter f;
	struct trace_event e;

	trace_filter_init(&f);
	CHECK(trace_filter_calls(&f, SPAN("openat,%network"), NULL) == 0);
	CHECK(f.call[257].flags & CALL_WANTED && f.call[41].flags & CALL_WANTED && !(f.call[0].flags & CALL_WANTED));
	CHECK(trace_filter_calls(&f, SPAN("!socket"), NULL) == 0);
	CHECK(!(f.call[41].flags & CALL_WANTED) && f.call[42].flags & CALL_WANTED);
	CHECK(trace_filter_calls(&f, SPAN("opeant"), NULL) == -EINVAL && trace_filter_calls(&f, SPAN("%x"), NULL) == -EINVAL);
	trace_filter_init(&f);
	CHECK(trace_filter_calls(&f, SPAN("!%file"), NULL) == 0);
	CHECK(!(f.call[257].flags & CALL_WANTED) && f.call[0].flags & CALL_WANTED);

	trace_filter_init(&f);
	CHECK(trace_filter_path(&f, SPAN("/usr/*.so"), NULL) == 0 && trace_filter_path(&f, SPAN("=/etc/hosts"), NULL) == 0);
	CHECK(trace_filter_path(&f, SPAN("a*b*c"), NULL) == -EINVAL && trace_filter_path(&f, SPAN(""), NULL) == -EINVAL);
	static const struct {
		const char *path;
		bool fits;
	} paths[] = { { "/usr/lib/x.so", true }, { "/usr/x", false }, { "/etc/hosts", true }, { "/etc/hosts.allow", false } };
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		begin(257, 3);
		add_part(1, false, paths[i].path, strlen(paths[i].path) + 1);
		CHECK(trace_event_parse(trace_captured(&c), &e) == 0 && trace_filter_fits(&f, &e) == paths[i].fits);
	}
	/* A call on a descriptor names no path: who captured it knows. */
	begin(0, 3);
	CHECK(trace_event_parse(trace_captured(&c), &e) == 0 && !trace_filter_fits(&f, &e));
	c.record.flags = RECORD_AT_PATH;
	CHECK(trace_event_parse(trace_captured(&c), &e) == 0 && trace_filter_fits(&f, &e));
	CHECK(f.call[257].flags & CALL_GIVES_FD && !(f.call[0].flags & CALL_GIVES_FD));
	trace_filter_init(&f);
	CHECK(trace_filter_errors(&f, SPAN("EACCES,ENOENT"), NULL) == 0 && trace_filter_errors(&f, SPAN("ENOSUCH"), NULL) == -EINVAL);
	begin(257, -ENOENT);
	CHECK(trace_event_parse(trace_captured(&c), &e) == 0 && trace_filter_fits(&f, &e));
	begin(257, -EPERM);
	CHECK(trace_event_parse(trace_captured(&c), &e) == 0 && !trace_filter_fits(&f, &e));
}

static void buckets(void)
{
	struct trace_sum sum = { .count = 100, .max_ns = 1000000 };

	for (uint64_t ns = 1; ns < UINT64_C(1) << 36; ns += ns / 7 + 1) {
		unsigned i = trace_bucket(ns);

		CHECK(trace_bucket_start_ns(i) <= ns && ns < trace_bucket_start_ns(i + 1));
	}
	CHECK(trace_bucket(UINT64_MAX) == TRACE_BUCKETS - 1);
	sum.bucket[trace_bucket(1000)] = 90;
	sum.bucket[trace_bucket(1000000)] = 10;
	CHECK_NEAR(trace_percentile_ns(&sum, 0.5), 1000, 125);
	CHECK_NEAR(trace_percentile_ns(&sum, 0.99), 1000000, 125000);
}

int main(void)
{
	decoding();
	filters();
	buckets();
	return check_exit();
}
