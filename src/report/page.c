#include "report/page.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Signs of our own texts that have an ASCII form. */
static const struct {
	uint32_t sign;
	const char *ascii;
} ascii_forms[] = {
	{ 0x2013, "-" },  { 0x2014, "-" },  { 0x2018, "'" },  { 0x2019, "'" },	{ 0x201c, "\"" },
	{ 0x201d, "\"" }, { 0x2022, "*" },  { 0x2026, "..." }, { 0x2192, "->" }, { 0x2264, "<=" },
	{ 0x2265, ">=" }, { 0x00d7, "x" },  { 0x00b5, "u" },  { 0x03bc, "u" },	{ 0x00b7, "-" },
	{ 0x00a0, " " },  { 0x2500, "-" },  { 0x2248, "~" },  { 0x00b1, "+-" },
};

static const char *ascii_form(uint32_t c)
{
	for (size_t i = 0; i < sizeof ascii_forms / sizeof ascii_forms[0]; i++)
		if (ascii_forms[i].sign == c)
			return ascii_forms[i].ascii;
	return NULL;
}

/* Characters that change how their neighbours are shown, or hide. */
static bool deceptive(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0x061c || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f);
}

static int escape(uint32_t c, bool unicode, struct buf *ret)
{
	const char *ascii;

	if (c & UTF8_INVALID)
		return buf_printf(ret, "\\x%02x", (unsigned)(c & 0xff));
	if (c == '\n')
		return buf_append(ret, "\\n", 2);
	if (c == '\t')
		return buf_append(ret, "\\t", 2);
	if (c < 0x80)
		return buf_printf(ret, "\\x%02x", (unsigned)c);
	if (!unicode && (ascii = ascii_form(c)))
		return buf_append(ret, ascii, strlen(ascii));
	return buf_printf(ret, "\\u{%x}", (unsigned)c);
}

static bool harmless(uint32_t c, bool unicode)
{
	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	return unicode && !(c & UTF8_INVALID) && c >= 0xa0 && !deceptive(c);
}

int text_safe(struct span s, bool unicode, struct buf *ret)
{
	struct span rest = s;
	uint32_t c;
	int r = 0;

	while (s.n && (unsigned char)s.p[0] >= 0x20 && (unsigned char)s.p[0] < 0x7f) { /* mostly all of it */
		s.p++;
		s.n--;
	}
	for (const char *at = s.p; r == 0 && utf8_next(&s, &c); at = s.p) {
		if (harmless(c, unicode))
			continue;
		r = buf_append(ret, rest.p, (size_t)(at - rest.p));
		if (r == 0)
			r = escape(c, unicode, ret);
		rest = s;
	}
	return r < 0 ? r : buf_append(ret, rest.p, rest.n);
}

static void put_raw(struct page *p, const char *text, size_t n)
{
	if (p->error == 0)
		p->error = buf_append(p->out, text, n);
}

void page_tone(struct page *p, enum page_tone tone)
{
	static const char *const codes[] = {
		[TONE_PLAIN] = "\033[0m",      [TONE_STRONG] = "\033[1m",  [TONE_DIM] = "\033[2m",
		[TONE_RED] = "\033[1;31m",     [TONE_YELLOW] = "\033[1;33m", [TONE_GREEN] = "\033[1;32m",
		[TONE_CYAN] = "\033[36m",
	};

	const char *code = codes[tone];

	if (!p->style.color || p->tone == tone)
		return;
	if (p->style.palette && p->style.palette->code[tone][0])
		code = p->style.palette->code[tone];
	if (p->tone != TONE_PLAIN && tone != TONE_PLAIN)
		put_raw(p, codes[TONE_PLAIN], strlen(codes[TONE_PLAIN]));
	put_raw(p, code, strlen(code));
	p->tone = tone;
}

void page_put_span(struct page *p, struct span s)
{
	size_t before = p->out->n;

	if (s.n == 0)
		return;
	if (p->error == 0)
		p->error = text_safe(s, p->style.unicode, p->out);
	if (p->error == 0)
		p->column += utf8_columns((struct span){ p->out->data + before, p->out->n - before });
	p->parted = s.p[s.n - 1] == ' ';
}

void page_put_safe(struct page *p, struct span safe, unsigned columns)
{
	put_raw(p, safe.p, safe.n);
	p->column += columns;
	p->parted = safe.n && safe.p[safe.n - 1] == ' ';
}

void page_put(struct page *p, const char *format, ...)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	va_list args;

	va_start(args, format);
	int r = buf_vprintf(&text, format, args);
	va_end(args);
	if (r < 0 && p->error == 0)
		p->error = r;
	page_put_span(p, buf_span(&text));
}

void page_newline(struct page *p)
{
	put_raw(p, "\n", 1);
	p->column = 0;
	p->parted = true;
}

void page_indent(struct page *p, unsigned to)
{
	static const char blanks[] = "                                ";

	while (p->column < to) {
		unsigned n = to - p->column < sizeof blanks - 1 ? to - p->column : (unsigned)sizeof blanks - 1;

		put_raw(p, blanks, n);
		p->column += n;
	}
	p->parted = true;
}

void page_room(struct page *p, unsigned hang, unsigned columns, bool glue)
{
	unsigned edge = p->style.width < PAGE_MAX_PROSE ? p->style.width : PAGE_MAX_PROSE;
	unsigned blank = p->column > 0 && !p->parted && !glue;

	/* The first word of a line stays: the next line has no more room. */
	if (p->column > hang && !glue && p->column + blank + columns > edge) {
		page_newline(p);
		page_indent(p, hang);
	} else if (p->column == 0) {
		page_indent(p, hang);
	} else if (blank) {
		page_indent(p, p->column + 1);
	}
}

unsigned text_columns(struct span s, bool unicode)
{
	cleanup(buf_deinit) struct buf safe = { 0 };

	return text_safe(s, unicode, &safe) < 0 ? (unsigned)s.n : utf8_columns(buf_span(&safe));
}

void page_word(struct page *p, unsigned hang, struct span word, bool glue)
{
	page_room(p, hang, text_columns(word, p->style.unicode), glue);
	page_put_span(p, word);
}

void page_wrap_span(struct page *p, unsigned hang, struct span s)
{
	/* Only blanks part words: other white space comes from the host and is shown. */
	while (s.n > 0) {
		const char *blank = memchr(s.p, ' ', s.n);
		struct span word = { s.p, blank ? (size_t)(blank - s.p) : s.n };

		if (word.n > 0)
			page_word(p, hang, word, false);
		size_t taken = word.n + (blank != NULL);
		s.p += taken;
		s.n -= taken;
	}
}

void page_wrap_args(struct page *p, unsigned hang, const char *format, va_list args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	int r = buf_vprintf(&text, format, args);

	if (r < 0 && p->error == 0)
		p->error = r;
	page_wrap_span(p, hang, buf_span(&text));
}

void page_wrap(struct page *p, unsigned hang, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	page_wrap_args(p, hang, format, args);
	va_end(args);
}

void page_heading(struct page *p, const char *text)
{
	page_newline(p);
	page_tone(p, TONE_STRONG);
	page_put(p, "%s", text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

void page_row_name(struct page *p, unsigned hang, const char *name)
{
	page_indent(p, 2);
	page_tone(p, TONE_DIM);
	page_put(p, "%s", name);
	page_tone(p, TONE_PLAIN);
	page_indent(p, hang);
}
