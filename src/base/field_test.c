#include "base/field.h"

#include "base/check.h"

#define TEST_FIELDS(FIELD)                                     \
	FIELD(1, total_bytes, "MemTotal", BYTES, GAUGE, "all") \
	FIELD(2, anon_bytes, "Active(anon)", BYTES, GAUGE, "") \
	FIELD(3, pages, "nr_pages", PAGES, COUNTER, "")        \
	FIELD(4, page, "nr_page", PAGES, COUNTER, "")          \
	FIELD(5, waited_ns, "wait_usec", NS, COUNTER, "")

struct values {
	TEST_FIELDS(FIELD_MEMBER)
};

static const struct field fields[] = {
#define ROW(...) FIELD_ROW(struct values, __VA_ARGS__)
	TEST_FIELDS(ROW)
#undef ROW
};
enum { N = sizeof fields / sizeof fields[0] };

static struct values parse(struct span text, uint64_t scale)
{
	struct values v;

	memset(&v, 0x5a, sizeof v);
	fields_parse(text, fields, N, scale, &v);
	return v;
}

static void test_shapes(void)
{
	struct values v = parse(SPAN("MemTotal:       24684084 kB\nActive(anon):\t2 kB\nnr_pages 7\n"), 1);

	CHECK_U64(v.total_bytes, UINT64_C(24684084) * 1024);
	CHECK_U64(v.anon_bytes, 2048);
	CHECK_U64(v.pages, 7);
	CHECK_U64(v.page, READING_ABSENT);
	v = parse(SPAN("wait_usec 3\nMemTotal: 1 kB\n"), 1000);
	CHECK_U64(v.waited_ns, 3000);
	CHECK_U64(v.total_bytes, 1024); /* kB beats the scale */
}

static void test_order_and_strangers(void)
{
	struct values v = parse(SPAN("nr_page 4\nzzz 1\nnr_pagesx 1\nnr_pag 1\nnr_pages 3\nActive(anon): 1\n"
				     "MemTotal: 5\nMemTotalX: 6\n\n:\n : 3\n"), 1);

	CHECK_U64(v.page, 4);
	CHECK_U64(v.pages, 3);
	CHECK_U64(v.anon_bytes, 1);
	CHECK_U64(v.total_bytes, 5);
}

static void test_malformed(void)
{
	struct values v = parse(SPAN("MemTotal:\nActive(anon): x kB\nnr_pages -1\nnr_page 18446744073709551616"), 1);

	CHECK_U64(v.total_bytes, READING_MALFORMED);
	CHECK_U64(v.anon_bytes, READING_MALFORMED);
	CHECK_U64(v.pages, READING_MALFORMED);
	CHECK_U64(v.page, READING_MALFORMED);
	v = parse(SPAN("MemTotal: 18446744073709551 kB\nActive(anon): 99999999999999999 kB\n"
		       "nr_pages 18446744073709551615\n"), 1);
	CHECK_U64(v.anon_bytes, READING_MALFORMED); /* overflows when scaled */
	CHECK_U64(v.pages, READING_MALFORMED);	    /* would be taken for a missing reading */
}

static void test_empty(void)
{
	struct values v = parse(SPAN(""), 1);

	for (size_t i = 0; i < N; i++)
		CHECK_U64(*field_at(&fields[i], &v), READING_ABSENT);
	fields_missing(fields, N, READING_DENIED, &v);
	CHECK_U64(v.waited_ns, READING_DENIED);
}

/* A NUL in the text ends nothing: names are compared by length. */
static void test_bytes(void)
{
	static const char text[] = "nr_page\0x 4\nnr_pages 3\n";
	struct values v = parse((struct span){ text, sizeof text - 1 }, 1);

	CHECK_U64(v.page, READING_ABSENT);
	CHECK_U64(v.pages, 3);
}

int main(void)
{
	test_shapes();
	test_order_and_strangers();
	test_malformed();
	test_empty();
	test_bytes();
	return check_exit();
}
