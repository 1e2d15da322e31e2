#include "base/buf.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_empty(void)
{
	struct buf b = { 0 };

	CHECK(buf_span(&b).n == 0 && buf_span(&b).p != NULL);
	buf_clear(&b);
	CHECK(buf_append(&b, NULL, 0) == 0);
	CHECK_STR(b.data, "");
	buf_deinit(&b);
	CHECK(b.data == NULL && b.n == 0 && b.capacity == 0);
	buf_deinit(&b);
}

static void test_growth(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };

	for (int i = 0; i < 5000; i++)
		CHECK(buf_printf(&b, "%d,", i) == 0);
	CHECK_U64(b.n, strlen(b.data));
	CHECK(strncmp(b.data, "0,1,2,", 6) == 0);
	CHECK_STR(b.data + b.n - 5, "4999,");
}

static void test_kept_storage(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };

	CHECK(buf_reserve(&b, 1000) == 0);
	const char *data = b.data;
	size_t capacity = b.capacity;
	for (int i = 0; i < 100; i++) {
		buf_clear(&b);
		CHECK(buf_append(&b, "0123456789", 10) == 0);
	}
	CHECK(b.data == data && b.capacity == capacity);
	CHECK_STR(b.data, "0123456789");
}

static void test_format_longer_than_room(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };
	char long_text[3000];

	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	CHECK(buf_append(&b, "a", 1) == 0);
	CHECK(buf_printf(&b, "<%s>", long_text) == 0);
	CHECK_U64(b.n, 1 + 2 + sizeof long_text - 1);
	CHECK(b.data[1] == '<' && b.data[b.n - 1] == '>' && b.data[b.n] == '\0');
}

static void test_absurd_size(void)
{
	cleanup(buf_deinit) struct buf b = { 0 };

	CHECK(buf_append(&b, "kept", 4) == 0);
	CHECK(buf_reserve(&b, SIZE_MAX) == -ENOMEM);
	CHECK(buf_reserve(&b, SIZE_MAX - 4) == -ENOMEM);
	CHECK(buf_reserve(&b, SIZE_MAX / 2 + 1) == -ENOMEM);
	CHECK_STR(b.data, "kept");
}

int main(void)
{
	test_empty();
	test_growth();
	test_kept_storage();
	test_format_longer_than_room();
	test_absurd_size();
	return check_exit();
}
