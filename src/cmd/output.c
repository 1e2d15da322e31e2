#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "cmd/command.h"

static int write_all(int fd, struct span text)
{
	while (text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd ready = { .fd = fd, .events = POLLOUT };
			(void)!poll(&ready, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		} else if (n > 0) {
			text.p += n;
			text.n -= (size_t)n;
		}
	}
	return 0;
}

int output_write(struct span text, int error)
{
	int r = error < 0 ? error : write_all(STDOUT_FILENO, text);

	if (r < 0 && r != -EPIPE)
		say("cannot write the answer: %s", strerror(-r));
	return r < 0 ? EXIT_UNABLE : EXIT_FINE;
}

/* The C library's locales are no part of a static binary, so the names alone decide. */
static bool locale_is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static unsigned columns_of(int fd)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	uint64_t n;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col < 20 ? 20 : size.ws_col;
	if (columns && span_u64(span_from(columns), &n) && n >= 20 && n <= 1000)
		return (unsigned)n;
	return 80;
}

static unsigned rows_of(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

/* One that knows escapes. */
static bool able_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

int output_write_file(const char *command, const char *path, struct span text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : output_write_fd(fd, text);

	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		return EXIT_FINE;
	say("%s: cannot write %s: %s", command, path, strerror(-r));
	return EXIT_UNABLE;
}

bool output_in_place(void)
{
	return able_terminal(STDOUT_FILENO);
}

/* NO_COLOR: see no-color.org. */
static bool color_wanted(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return able_terminal(fd) && !(no_color && *no_color);
}

struct page_style output_style(bool no_color)
{
	return (struct page_style){
		.width = columns_of(STDOUT_FILENO),
		.rows = rows_of(STDOUT_FILENO),
		.color = !no_color && color_wanted(STDOUT_FILENO),
		.unicode = locale_is_utf8(),
	};
}

struct page_style output_table_style(bool no_color)
{
	struct page_style style = output_style(no_color);
	const char *columns = getenv("COLUMNS");

	if (!isatty(STDOUT_FILENO) && !(columns && *columns))
		style.width = 1u << 24;
	return style;
}

struct page_style output_talk_style(bool no_color)
{
	return (struct page_style){
		.width = columns_of(STDERR_FILENO),
		.color = !no_color && color_wanted(STDERR_FILENO),
		.unicode = locale_is_utf8(),
	};
}

int output_write_fd(int fd, struct span text)
{
	return write_all(fd, text);
}

bool output_watched(struct page_style *ret)
{
	if (!isatty(STDERR_FILENO))
		return false;
	*ret = (struct page_style){
		.width = columns_of(STDERR_FILENO),
		.color = color_wanted(STDERR_FILENO),
		.unicode = locale_is_utf8(),
	};
	return true;
}

void output_progress(const char *line)
{
	cleanup(buf_deinit) struct buf safe = { 0 }, text = { 0 };
	bool able = able_terminal(STDERR_FILENO);
	struct page_style style;
	unsigned columns = 0;
	uint32_t c;

	if (!output_watched(&style) || text_safe(span_from(line), style.unicode, &safe) < 0)
		return;
	/* The last column is left: some terminals wrap as soon as it is filled. */
	struct span rest = buf_span(&safe), shown = { rest.p, 0 };
	while (utf8_next(&rest, &c) && columns + utf8_width(c) < style.width) {
		columns += utf8_width(c);
		shown.n = (size_t)(rest.p - shown.p);
	}
	int r = buf_printf(&text, "\r%.*s%*s%s", (int)shown.n, shown.p ? shown.p : "",
			   able ? 0 : (int)(style.width - 1 - columns), "", able ? "\033[K" : "\r");
	if (r == 0)
		(void)!write_all(STDERR_FILENO, buf_span(&text));
}

void say(const char *format, ...)
{
	cleanup(buf_deinit) struct buf text = { 0 }, safe = { 0 };
	va_list args;

	va_start(args, format);
	int r = buf_vprintf(&text, format, args);
	va_end(args);
	if (r == 0)
		r = buf_append(&safe, "osprey: ", 8);
	if (r == 0)
		r = text_safe(buf_span(&text), locale_is_utf8(), &safe);
	if (r == 0)
		r = buf_append(&safe, "\n", 1);
	if (r == 0)
		(void)!write_all(STDERR_FILENO, buf_span(&safe));
}

/* As sh runs it, so that $PAGER may have options. */
int output_page(struct span text)
{
	const char *pager = getenv("PAGER");
	FILE *f;

	setenv("LESS", "FRSX", 0);
	f = popen(pager && *pager ? pager : "less", "w");
	if (!f || fwrite(text.p, 1, text.n, f) != text.n) {
		if (f)
			pclose(f);
		return output_write(text, 0);
	}
	return WEXITSTATUS(pclose(f)) == 127 ? output_write(text, 0) : EXIT_FINE;
}
