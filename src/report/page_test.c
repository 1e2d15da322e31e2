#include "report/page.h"

#include "base/check.h"
#include "base/cleanup.h"

static void check_safe(struct span from, bool unicode, const char *wanted)
{
	cleanup(buf_deinit) struct buf text = { 0 };

	CHECK(text_safe(from, unicode, &text) == 0);
	CHECK_STR(text.data, wanted);
}

static void check_wrapping(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = 20 } };

	page_indent(&p, 2);
	page_wrap(&p, 4, "one two three four five a-word-that-is-longer-than-a-line six");
	page_newline(&p);
	CHECK_STR(text.data, "  one two three four\n    five\n    a-word-that-is-longer-than-a-line\n    six\n");
	CHECK(p.error == 0);
}

/* A newline in a name is no newline on the page. */
static void check_host_text(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = 40, .unicode = true } };

	page_wrap(&p, 0, "comm %s end", "a\nb\033[2J");
	CHECK_STR(text.data, "comm a\\nb\\x1b[2J end");
	CHECK(p.column == strlen(text.data));
}

static void check_tones(void)
{
	cleanup(buf_deinit) struct buf plain = { 0 }, color = { 0 };
	struct page without = { .out = &plain, .style = { .width = 40 } };
	struct page with = { .out = &color, .style = { .width = 40, .color = true } };

	for (int i = 0; i < 2; i++) {
		struct page *p = i ? &with : &without;
		page_tone(p, TONE_RED);
		page_put(p, "x");
		page_tone(p, TONE_PLAIN);
		CHECK(p->column == 1);
	}
	CHECK_STR(plain.data, "x");
	CHECK_STR(color.data, "\033[1;31mx\033[0m");
}

int main(void)
{
	check_safe(SPAN(""), true, "");
	check_safe(SPAN("plain text"), false, "plain text");
	check_safe(SPAN("a\tb\nc\x7f\0"), true, "a\\tb\\nc\\x7f\\x00");
	check_safe(SPAN("gr\xc3\xbcn"), true, "gr\xc3\xbcn");
	check_safe(SPAN("gr\xc3\xbcn"), false, "gr\\u{fc}n");
	check_safe(SPAN("5 \xc3\x97 2 \xe2\x80\xa6"), false, "5 x 2 ...");
	check_safe(SPAN("\xff\xfe"), true, "\\xff\\xfe");
	check_safe(SPAN("\xc2\x9b"), true, "\\u{9b}");		  /* CSI in one character */
	check_safe(SPAN("a\xe2\x80\xae" "b"), true, "a\\u{202e}b"); /* right-to-left override */
	check_safe(SPAN("\xe2\x80\x8b"), true, "\\u{200b}");	  /* no width */
	check_safe(SPAN("cut \xe2\x80"), true, "cut \\xe2\\x80");
	check_wrapping();
	check_host_text();
	check_tones();
	return check_exit();
}
