#include "source/memory/page_size.h"

#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

static uint64_t captured(const char *text)
{
	struct buf capture = { 0 }, b = { 0 };
	struct host *h = NULL;
	uint64_t bytes;

	CHECK(buf_append(&capture, text, strlen(text)) == 0 && host_open_capture_text(&capture, &h, NULL) == 0);
	bytes = page_bytes_read(h, &b);
	host_free(h);
	buf_deinit(&b);
	return bytes;
}

int main(void)
{
	const uint64_t ours = (uint64_t)sysconf(_SC_PAGESIZE);
	cleanup(buf_deinit) struct buf b = { 0 };
	struct host *h = NULL;

	CHECK(host_open_live("/", &h, NULL) == 0);
	CHECK_U64(page_bytes_read(h, &b), ours);
	host_free(h);
	CHECK_U64(captured("osprey-capture 1\ntick 1 1 1\nhave 6 page_bytes\n65536\n\n"), 65536);
	CHECK_U64(captured("osprey-capture 1\ntick 1 1 1\nhave 6 page_bytes\n65537\n\n"), ours);
	CHECK_U64(captured("osprey-capture 1\ntick 1 1 1\n"), ours);
	CHECK_U64(pages_in_bytes(3, 4096), 12288);
	CHECK_U64(pages_in_bytes(READING_DENIED, 4096), READING_DENIED);
	CHECK_U64(pages_in_bytes(UINT64_MAX / 2, 4096), READING_MALFORMED);
	return check_exit();
}
