/* Text from anywhere through what prints it: UTF-8, safe text, JSON strings, durations, guides,
 * wrapped pages. The first byte chooses. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/units.h"
#include "report/guide.h"
#include "report/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void page(struct span s, unsigned width, int unicode)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = width, .unicode = unicode } };

	page_wrap_span(&p, 4, s);
	for (size_t i = 0; i < text.n; i++)
		must(text.data[i] == '\n' || (unsigned char)text.data[i] >= 0x20);
}

static void json(struct span s)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_span(&j, NULL, s);
	must(json_finish(&j) == 0);
	for (size_t i = 0; i + 1 < text.n; i++)
		must((unsigned char)text.data[i] >= 0x20);
}

static void guide(struct span s)
{
	static struct facts *facts;
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = 60, .unicode = true } };

	if (!facts) {
		struct host *h;
		must(host_open_live("/", &h, NULL) == 0 && facts_read(h, &facts) == 0);
		host_free(h);
	}
	must(guide_render(&p, s, facts) >= 0);
	for (size_t i = 0; i < text.n; i++)
		must(text.data[i] == '\n' || (unsigned char)text.data[i] >= 0x20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t ns;

	if (n == 0)
		return 0;
	struct span s = { (const char *)data + 1, n - 1 };
	switch (data[0] % 5) {
	case 0:
		page(s, 40, 1);
		break;
	case 1:
		page(s, 20, 0);
		break;
	case 2:
		json(s);
		break;
	case 3:
		(void)!duration_parse(s, &ns);
		break;
	default:
		guide(s);
	}
	return 0;
}
