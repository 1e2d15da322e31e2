/* The text of a capture, and reading all of it. */
#include <stdlib.h>

#include "kernel/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct capture_reader *r, const char *key)
{
	struct span bytes;
	unsigned sum = 0;

	if (capture_get(r, key, &bytes) < 0)
		return;
	for (size_t i = 0; i < bytes.n; i++)
		sum += (unsigned char)bytes.p[i];
	if (sum > bytes.n * 255)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char head[] = "osprey-capture 1\n";
	struct capture_reader *r = NULL;
	struct buf text = { 0 };

	/* An odd first byte gives the header away: most inputs would end there. */
	if (size == 0 || ((data[0] & 1) && buf_append(&text, head, sizeof head - 1) < 0) ||
	    buf_append(&text, data + 1, size - 1) < 0) {
		buf_deinit(&text);
		return 0;
	}
	if (capture_reader_from_text(&text, &r, NULL) < 0) {
		if (r || text.data)
			abort();
		return 0;
	}
	do {
		touch(r, "k");
		touch(r, "/proc/stat");
		touch(r, "a\nb");
		(void)capture_time(r);
	} while (capture_next(r) == 0);
	capture_reader_free(r);
	return 0;
}
