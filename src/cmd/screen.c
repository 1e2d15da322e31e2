#include "cmd/screen.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define NCURSES_NOMACROS
#define NCURSES_WIDECHAR 1
#include <curses.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/utf8.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"

/* ---- opening ---- */

static SCREEN *terminal;
static struct termios as_it_was;
static bool is_open;

/* When all goes wrong: no ncurses, no stdio, only what a signal handler may do. Leaves the other screen, shows the
 * cursor, ends the mouse and attributes: sequences that terminals without them ignore. */
static void put_back_roughly(void)
{
	static const char sequences[] = "\033[?1006l\033[?1000l\033[?1049l\033[?25h\033[0m\r\n";

	(void)!write(STDOUT_FILENO, sequences, sizeof sequences - 1);
	tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
}

static void on_crash(int signal_number)
{
	if (is_open)
		put_back_roughly();
	is_open = false;
	raise(signal_number); /* SA_RESETHAND: now it kills */
}

static void catch_crashes(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS };
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER };

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
		sigaction(deadly[i], &action, NULL);
}

static void at_exit(void)
{
	screen_close(NULL);
}

/* The C library needs a locale of UTF-8 for wide characters, by whatever name the host has one. */
static bool set_utf8_locale(void)
{
	static const char *const names[] = { "", "C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8", "POSIX.UTF-8" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (setlocale(LC_CTYPE, names[i]) && MB_CUR_MAX > 1)
			return true;
	setlocale(LC_CTYPE, "C");
	return false;
}

static const struct {
	const char *name, *description;
} built_in[] = {
#define TERMINAL(name, description) { name, description },
#include "cmd/screen_terminals.def"
#undef TERMINAL
};

/* Nearly all of today's terminals understand what xterm does. */
static SCREEN *open_built_in(const char *term)
{
	bool console = strncmp(term, "linux", 5) == 0;
	SCREEN *opened = NULL;

	for (size_t i = 0; i < sizeof built_in / sizeof built_in[0] && !opened; i++) {
		if ((strcmp(built_in[i].name, "linux") == 0) != console)
			continue;
		setenv("TERMINFO", built_in[i].description, 1);
		opened = newterm(built_in[i].name, stdout, stdin);
		unsetenv("TERMINFO");
	}
	return opened;
}

static bool resembles_xterm(const char *term)
{
	static const char *const families[] = { "xterm", "screen", "tmux", "rxvt", "linux", "vt1", "vt2", "ansi", "alacritty",
						"kitty", "foot", "konsole", "gnome", "vte", "putty", "wezterm", "st-",
						"eterm", "contour", "ghostty", "iterm", "mintty" };

	for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
		if (strncasecmp(term, families[i], strlen(families[i])) == 0)
			return true;
	return strstr(term, "256color") || strstr(term, "direct");
}

static int refused(const char *term, struct note *note)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return note_set(note, -ENOTTY, "needs a terminal: standard %s is none",
				isatty(STDIN_FILENO) ? "output" : "input");
	if (!term || !*term)
		return note_set(note, -EINVAL, "cannot draw: the variable TERM is not set");
	if (strcmp(term, "dumb") == 0 || strcmp(term, "unknown") == 0)
		return note_set(note, -EINVAL, "cannot draw on this terminal: TERM=%s", term);
	return 0;
}

static int start_terminal(const char *term, struct note *note)
{
	terminal = newterm(term, stdout, stdin);
	if (!terminal && resembles_xterm(term))
		terminal = open_built_in(term);
	if (!terminal)
		return note_set(note, -ENOENT, "cannot draw: this host has no description of the terminal TERM=%s, "
					       "and its name resembles none that is known", term);
	const char *move = tigetstr("cup");
	if (move && move != (char *)-1)
		return 0;
	endwin();
	return note_set(note, -EINVAL, "cannot draw: the terminal TERM=%s cannot move its cursor", term);
}

/* Pair n is the page_tone n; the pairs behind them are on the bar's ground. */
#define BAR_PAIR 8

static void start_colors(struct screen *s)
{
	if (!s->color || !has_colors() || start_color() == ERR || COLORS < 8) {
		s->color = false;
		return;
	}
	short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;
	init_pair(TONE_RED, COLOR_RED, ground);
	init_pair(TONE_YELLOW, COLOR_YELLOW, ground);
	init_pair(TONE_GREEN, COLOR_GREEN, ground);
	init_pair(TONE_CYAN, COLOR_CYAN, ground);
	init_pair(BAR_PAIR, COLOR_BLACK, COLOR_CYAN);
}

int screen_open(bool no_color, struct screen *ret, struct note *note)
{
	struct page_style style = output_style(no_color);
	const char *term = getenv("TERM");
	int r = refused(term, note);

	if (r < 0)
		return r;
	bool utf8 = style.unicode && set_utf8_locale();
	tcgetattr(STDIN_FILENO, &as_it_was);
	catch_crashes();
	r = start_terminal(term, note);
	if (r < 0)
		return r;
	is_open = true;
	atexit(at_exit);
	*ret = (struct screen){ .color = style.color, .unicode = utf8 };
	set_escdelay(50);
	cbreak();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	start_colors(ret);
	ret->mouse = mousemask(BUTTON1_CLICKED | BUTTON1_PRESSED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL) != 0;
	mouseinterval(0);
	screen_renew(ret);
	return 0;
}

void screen_close(struct screen *s)
{
	if (is_open) {
		is_open = false;
		endwin();
		delscreen(terminal);
	}
	if (s)
		vec_free(&s->shown);
}

static void forget_shown(struct screen *s)
{
	s->shown.n = 0;
	if (vec_reserve(&s->shown, (size_t)s->rows) == 0) {
		s->shown.n = (size_t)s->rows;
		memset(s->shown.v, 0, s->shown.n * sizeof *s->shown.v);
	}
}

void screen_forget(struct screen *s)
{
	getmaxyx(stdscr, s->rows, s->columns);
	werase(stdscr);
	forget_shown(s);
}

void screen_renew(struct screen *s)
{
	clearok(curscr, TRUE);
	screen_forget(s);
}

void screen_show(struct screen *s, int row, int column)
{
	(void)s;
	if (row >= 0) {
		wmove(stdscr, row, column);
		curs_set(1);
	} else {
		curs_set(0);
	}
	wrefresh(stdscr);
}

/* ---- lines ---- */

void line_deinit(struct screen_line *l)
{
	buf_deinit(&l->text);
}

void line_start(struct screen_line *l, const struct screen *s, unsigned tone)
{
	l->screen = s;
	l->width = s->columns;
	l->column = 0;
	l->nruns = 0;
	l->failed = false;
	buf_clear(&l->text);
	line_tone(l, tone);
}

void line_tone(struct screen_line *l, unsigned tone)
{
	if (l->nruns && l->runs[l->nruns - 1].at == l->text.n)
		l->nruns--;
	if (l->nruns && l->runs[l->nruns - 1].tone == tone)
		return;
	if (l->nruns < sizeof l->runs / sizeof l->runs[0])
		l->runs[l->nruns++] = (struct screen_run){ l->text.n, tone };
}

static void put(struct screen_line *l, const char *text, size_t n)
{
	if (buf_append(&l->text, text, n) < 0)
		l->failed = true;
}

/* Safe text, cut to `columns`; `skip` of its columns are left out in front. */
static void put_safe(struct screen_line *l, struct span text, int columns, int skip)
{
	const char *from = text.p;
	uint32_t c;
	int used = 0;

	if (columns > l->width - l->column)
		columns = l->width - l->column;
	for (const char *at = text.p; utf8_next(&text, &c); at = text.p) {
		int width = (int)utf8_width(c);
		if (skip > 0) {
			skip -= width;
			from = text.p;
			continue;
		}
		if (used + width > columns) {
			text.p = at;
			break;
		}
		used += width;
	}
	put(l, from, (size_t)(text.p - from));
	l->column += used;
}

void line_put_span(struct screen_line *l, struct span text, int columns, int skip)
{
	/* A command line may be 2 MiB: no more of it is made safe than can be seen. */
	size_t most = 4 * (size_t)(columns + skip > 0 ? columns + skip : 0) + 64;
	struct buf safe = { 0 };

	if (columns <= 0)
		return;
	if (text.n > most)
		text.n = most;
	bool plain = true;
	for (size_t i = 0; i < text.n && plain; i++)
		plain = text.p[i] >= 0x20 && text.p[i] < 0x7f;
	if (plain) {
		put_safe(l, text, columns, skip);
		return;
	}
	if (text_safe(text, l->screen->unicode, &safe) == 0)
		put_safe(l, buf_span(&safe), columns, skip);
	else
		l->failed = true;
	buf_deinit(&safe);
}

void line_put(struct screen_line *l, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	line_put_span(l, span_from(text), l->width - l->column, 0);
}

void line_repeat(struct screen_line *l, const char *sign, int times)
{
	for (int i = 0; i < times && l->column < l->width; i++) {
		put(l, sign, strlen(sign));
		l->column++;
	}
}

void line_to(struct screen_line *l, int column)
{
	line_repeat(l, " ", column - l->column);
}

static attr_t attributes(const struct screen *s, unsigned tone, short *ret_pair)
{
	unsigned color = tone & 15;
	attr_t a = A_NORMAL;

	*ret_pair = 0;
	if (tone & TONE_BAR) {
		*ret_pair = s->color ? BAR_PAIR : 0;
		a |= s->color ? A_NORMAL : A_REVERSE;
		return color == TONE_STRONG ? a | A_BOLD : a;
	}
	if (color == TONE_STRONG)
		a |= A_BOLD;
	else if (color == TONE_DIM)
		a |= A_DIM;
	else if (color >= TONE_RED)
		*ret_pair = s->color ? (short)color : 0;
	if (color == TONE_RED)
		a |= A_BOLD;
	if (tone & TONE_SELECTED)
		a |= A_REVERSE;
	if (tone & TONE_KEY)
		a |= A_BOLD;
	return a;
}

static uint64_t hash_of(const struct screen_line *l, int column)
{
	uint64_t h = map_hash(l->text.data ? l->text.data : "", l->text.n);

	for (size_t i = 0; i < l->nruns; i++)
		h = (h ^ (l->runs[i].at << 8 ^ l->runs[i].tone)) * 0x9e3779b97f4a7c15u;
	return (h ^ (uint64_t)(unsigned)column) | 1;
}

void line_draw(struct screen_line *l, struct screen *s, int row, int column)
{
	short pair;

	if (row < 0 || row >= s->rows || (size_t)row >= s->shown.n)
		return;
	uint64_t hash = hash_of(l, column);
	if (column == 0 && s->shown.v[row] == hash)
		return;
	/* A part of a row that lies over others: what is below is to be drawn again. */
	s->shown.v[row] = column == 0 ? hash : 0;
	wmove(stdscr, row, column);
	for (size_t i = 0; i < l->nruns; i++) {
		size_t to = i + 1 < l->nruns ? l->runs[i + 1].at : l->text.n;
		attr_t a = attributes(s, l->runs[i].tone, &pair);
		wattr_set(stdscr, a, pair, NULL);
		waddnstr(stdscr, l->text.data + l->runs[i].at, (int)(to - l->runs[i].at));
	}
	wattr_set(stdscr, A_NORMAL, 0, NULL);
	if (column == 0 && l->column < s->columns)
		wclrtoeol(stdscr);
}

/* Eighths of a block where there are any: a bar of ten columns shows 80 steps. */
void line_bar(struct screen_line *l, int width, const struct bar_part *parts, size_t n)
{
	double sum = 0;
	int at = 0;

	for (size_t i = 0; i < n; i++) {
		if (!(parts[i].share > 0))
			continue;
		sum += parts[i].share;
		int to = (int)(sum * width + 0.5);
		to = to > width ? width : to;
		line_tone(l, parts[i].tone);
		line_repeat(l, l->screen->unicode ? "\u2588" : "|", to - at);
		at = to > at ? to : at;
	}
	line_tone(l, TONE_DIM);
	line_repeat(l, l->screen->unicode ? "\u00b7" : ".", width - at);
	line_tone(l, TONE_PLAIN);
}

/* ---- keys ---- */

static struct screen_event mouse_event(void)
{
	MEVENT m;

	if (getmouse(&m) != OK)
		return (struct screen_event){ KEY_UNKNOWN, 0, 0 };
	int key = m.bstate & BUTTON4_PRESSED	     ? KEY_WHEEL_UP :
		  m.bstate & BUTTON5_PRESSED	     ? KEY_WHEEL_DOWN :
		  m.bstate & BUTTON1_DOUBLE_CLICKED ? KEY_DOUBLE_CLICK :
		  m.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED) ? KEY_CLICK :
						       KEY_UNKNOWN;
	return (struct screen_event){ key, m.y, m.x };
}

static int translate(int key)
{
	static const struct {
		int curses, ours;
	} keys[] = {
		{ KEY_UP, KEY_GO_UP }, { KEY_DOWN, KEY_GO_DOWN }, { KEY_LEFT, KEY_GO_LEFT },
		{ KEY_RIGHT, KEY_GO_RIGHT }, { KEY_PPAGE, KEY_PAGE_UP }, { KEY_NPAGE, KEY_PAGE_DOWN },
		{ KEY_HOME, KEY_TO_START }, { KEY_END, KEY_TO_END }, { KEY_BACKSPACE, KEY_ERASE },
		{ KEY_DC, KEY_DELETE_NEXT }, { KEY_BTAB, KEY_BACK_TAB }, { KEY_RESIZE, KEY_RESIZED },
		{ KEY_ENTER, KEY_RETURN }, { KEY_FIND, KEY_TO_START }, { KEY_SELECT, KEY_TO_END },
	};

	if (key < 256)
		return key == 127 || key == 8 ? KEY_ERASE : key == '\n' ? KEY_RETURN : key;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].curses == key)
			return keys[i].ours;
	if (key >= KEY_F0 && key <= KEY_F0 + 24)
		return KEY_FUNCTION + (key - KEY_F0);
	return KEY_UNKNOWN;
}

static struct screen_event next_event(struct screen *s)
{
	int key = wgetch(stdscr);

	if (key == ERR)
		return (struct screen_event){ KEY_NONE_YET, 0, 0 };
	if (key == KEY_MOUSE)
		return mouse_event();
	if (key == KEY_RESIZE)
		screen_renew(s);
	return (struct screen_event){ translate(key), 0, 0 };
}

/* The size may change while no key is pending: ncurses notices in wgetch. */
struct screen_event screen_wait(struct screen *s, uint64_t mono_ns)
{
	for (;;) {
		struct screen_event event = next_event(s);
		uint64_t now = clock_mono_ns();
		struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

		if (event.key != KEY_NONE_YET || now >= mono_ns || interrupted)
			return event;
		int n = poll(&input, 1, (int)((mono_ns - now + NS_PER_MS - 1) / NS_PER_MS));
		if (n > 0 && !(input.revents & POLLIN))
			return (struct screen_event){ KEY_CLOSED, 0, 0 };
		int waiting = 0;
		if (n > 0 && ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting == 0)
			return (struct screen_event){ KEY_CLOSED, 0, 0 };
	}
}
