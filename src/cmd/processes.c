#include "cmd/processes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/output.h"
#include "source/process/task.h"

#define LISTED_MAX 40

struct host *processes_host(const char *command)
{
	struct note note = { "" };
	struct host *h;
	int r = host_open_live("/", &h, &note);

	if (r == 0)
		return h;
	say("%s: %s", command, note.text[0] ? note.text : strerror(-r));
	return NULL;
}

/* What a name would hit, on stderr. */
static void tell_several(struct host *h, const char *command, const struct process_selection *s)
{
	size_t n = 0;

	say("%s: that means %zu processes; --all takes them all, a pid one of them. Nothing was done.", command,
	    s->process.n);
	vec_each(p, &s->process) {
		char line[160];

		if (n++ == LISTED_MAX) {
			say("  … and %zu more", s->process.n - LISTED_MAX);
			return;
		}
		if (task_command_line(h, p->pid, line, sizeof line) < 0)
			snprintf(line, sizeof line, "[%s]", p->comm);
		say("  %d %s", p->pid, line);
	}
}

int processes_choose(struct host *h, const char *command, const struct arguments *args,
		     bool looks, struct process_selection *ret)
{
	struct process_wish wish = {
		.operand = args->operand,
		.noperands = args->noperands,
		.match = args->option[PROCESS_MATCH].given,
		.user = args->option[PROCESS_USER].text,
		.kin = looks,
		.all = looks || args->option[PROCESS_ALL].given,
		.force = looks || args->option[PROCESS_FORCE].given,
	};
	struct note note = { "" };
	int r = process_select(h, &wish, ret, &note);

	if (r == -ENOTUNIQ) {
		tell_several(h, command, ret);
		return EXIT_USAGE;
	}
	if (r < 0) {
		say("%s: %s; nothing was done", command, note.text[0] ? note.text : strerror(-r));
		return r == -EINVAL || r == -EPERM ? EXIT_USAGE : EXIT_UNABLE;
	}
	vec_each(pid, &ret->missing)
		say("%s: there is no process %d: it has ended, or never was", command, *pid);
	vec_each(p, &ret->kin)
		say("%s: %d (%s) is left out: this osprey descends from it", command, p->pid, p->comm);
	return ret->process.n ? EXIT_FINE : EXIT_UNABLE;
}

int processes_add_tree(struct host *h, process_vec *v)
{
	int added;

	do
		added = process_add_descendants(h, v);
	while (added > 0);
	return added;
}

/* ---- tables ---- */

void cells_put(struct cells *c, const char *format, ...)
{
	char **place = vec_push(&c->cell), *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (place)
		*place = text;
	else
		free(text);
}

void cells_deinit(struct cells *c)
{
	vec_each(cell, &c->cell)
		free(*cell);
	vec_free(&c->cell);
}

static const char *cell_text(const struct cells *c, size_t i)
{
	return c->cell.v[i] ? c->cell.v[i] : "?";
}

/* A cell that starts at column `at`. The last one is never cut: where it does not fit it has a line of
 * its own. */
static void put_cell(struct page *p, const char *text, unsigned at, unsigned width, bool right, bool last)
{
	struct span s = span_from(text);
	unsigned columns = text_columns(s, p->style.unicode);

	if (last && p->column && at + columns > p->style.width) {
		page_newline(p);
		at = 4;
	}
	page_indent(p, right && columns < width ? at + width - columns : at);
	page_put_span(p, s);
}

static void put_row(const struct cells *c, const unsigned *width, char *const *cell, struct page *p)
{
	unsigned at = 0, gap = p->style.width < 60 ? 1 : 2;

	for (size_t i = 0; i < c->ncolumns; i++) {
		const char *text = cell ? cell[i] : c->header[i];

		put_cell(p, text ? text : "?", at, width[i], c->right[i], i + 1 == c->ncolumns);
		at += width[i] + gap;
	}
	page_newline(p);
}

void cells_page(const struct cells *c, struct page *p)
{
	unsigned width[CELLS_MAX] = { 0 };
	size_t n = c->ncolumns;

	for (size_t i = 0; i < n; i++)
		width[i] = (unsigned)strlen(c->header[i]);
	for (size_t i = 0; i < c->cell.n; i++) {
		unsigned columns = text_columns(span_from(cell_text(c, i)), p->style.unicode);

		width[i % n] = columns > width[i % n] ? columns : width[i % n];
	}
	page_tone(p, TONE_STRONG);
	put_row(c, width, NULL, p);
	page_tone(p, TONE_PLAIN);
	for (size_t i = 0; i + n <= c->cell.n; i += n)
		put_row(c, width, c->cell.v + i, p);
}
