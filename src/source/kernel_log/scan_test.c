#include "source/kernel_log/scan.h"

#include <stdlib.h>

#include "base/check.h"

static struct scan got;

static bool match(const char *line, const char *pattern)
{
	struct scan_pairs pairs;
	struct scan_needs needs = scan_needs_of(pattern);
	bool matches = scan_match(span_from(line), pattern, &got);

	/* The quick no must never be wrong. */
	scan_pairs_of(span_from(line), &pairs);
	CHECK(!matches || scan_may_match(&pairs, &needs));
	return matches;
}

static void test_captures(void)
{
	CHECK(match("I/O error, dev sda, sector 123 op 0x0:(READ) flags", "*I/O error, dev {O}, sector {n} op *({d}) *"));
	CHECK(span_is(got.object, "sda") && got.number == 123 && span_is(got.detail, "READ"));
	CHECK(!match("I/O error, dev sda, sector x", "*I/O error, dev {O}, sector {n}*"));
	CHECK(match("r8169 0000:03:00.0 enp3s0: Link is Down", "*{O}: Link is Down*") && span_is(got.object, "enp3s0"));
	CHECK(match("e1000e: eth0 NIC Link is Down", "*{O} NIC Link is Down*") && span_is(got.object, "eth0"));
	CHECK(match("INFO: task a:b:12 blocked for more than 120 seconds.", "INFO: task {c}:{p} blocked{d}more than {n} seconds*"));
	CHECK(span_is(got.comm, "a:b") && got.pid == 12 && got.number == 120);
	CHECK(match("x", "*") && match("", "*") && match("", ""));
	CHECK(!match("", "{o}") && !match("x", ""));
	CHECK(match("CPU7 z", "CPU{k} *") && got.cpu == 7);
	CHECK(!match("CPU4294967296 z", "CPU{k} *"));
	CHECK(!match("a[0]", "{c}[{p}]") && match("a[1]", "{c}[{p}]"));
	/* No task's name is longer than 15 bytes. */
	CHECK(match("123456789012345[1]", "{c}[{p}]") && !match("1234567890123456[1]", "{c}[{p}]"));
}

/* Lines made to be slow give up instead. */
static void test_hostile(void)
{
	char line[4096];

	memset(line, ':', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	CHECK(!match(line, "*{o}: *{d}: *{w}: x"));
	memset(line, ' ', sizeof line - 1);
	CHECK(!match(line, "* {o} {d} {w} x*"));
}

static void test_copy(void)
{
	char out[16];
	struct span s = SPAN("a\\x1b[2J\\x0a\\x00\\xzz");

	scan_copy(SPAN("a\\x1b[2J"), out, sizeof out);
	CHECK_STR(out, "a\x1b[2J");
	scan_copy(SPAN("0123456789abcdefgh"), out, sizeof out);
	CHECK_STR(out, "0123456789abcde");
	char *bytes = malloc(s.n);
	size_t n = scan_unescape(s, bytes);
	CHECK(n == 10 && memcmp(bytes, "a\x1b[2J\n\\xzz", 10) == 0);
	free(bytes);
}

static void test_words(void)
{
	struct span s = SPAN("a, b, c");
	uint64_t n;
	int32_t pid;

	CHECK(scan_past(&s, ", ") && span_is(s, "b, c"));
	CHECK(!scan_past(&s, "x") && span_is(s, "b, c"));
	CHECK(scan_before_last(SPAN("a, b, c"), ", ", &s) && span_is(s, "a, b"));
	CHECK(!scan_before_last(SPAN("a"), ", ", &s) && !scan_before_last(SPAN(""), ", ", &s));
	CHECK(scan_number_after(SPAN("failcnt 12,"), "failcnt ", &n) && n == 12);
	CHECK(!scan_number_after(SPAN("failcnt x"), "failcnt ", &n));
	CHECK(!scan_pid(SPAN("0"), &pid) && !scan_pid(SPAN("2147483648"), &pid) && scan_pid(SPAN("2147483647"), &pid));
}

int main(void)
{
	test_captures();
	test_hostile();
	test_copy();
	test_words();
	return check_exit();
}
