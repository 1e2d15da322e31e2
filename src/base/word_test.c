#include "base/word.h"

#include <errno.h>

#include "base/check.h"
#include "base/cleanup.h"

static void test_any_bytes_come_back(void)
{
	cleanup(buf_deinit) struct buf word = { 0 }, back = { 0 };
	char bytes[255];

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i + 1);
	CHECK(word_append(&word, (struct span){ bytes, sizeof bytes }, "/=") == 0);
	for (size_t i = 0; i < word.n; i++)
		CHECK(word.data[i] > ' ' && word.data[i] < 0x7f && word.data[i] != '/' && word.data[i] != '=');
	CHECK(word_decode(buf_span(&word), &back) == 0);
	CHECK(span_equal(buf_span(&back), (struct span){ bytes, sizeof bytes }));
}

static void test_refuses(void)
{
	static const char *const bad[] = { "%", "a%4", "%g0", "%0x1", "%00" };

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cleanup(buf_deinit) struct buf back = { 0 };

		CHECK(word_decode(span_from(bad[i]), &back) == -EBADMSG);
	}
}

int main(void)
{
	test_any_bytes_come_back();
	test_refuses();
	return check_exit();
}
