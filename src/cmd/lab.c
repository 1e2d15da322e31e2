#include "cmd/lab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/units.h"
#include "conditions/conditions.h"
#include "lab/healthy.h"

const char *const lab_strengths[] = { "weak", "medium", "strong", NULL };

const struct scenario *lab_scenario(size_t i)
{
	size_t n, nhealthy;
	const struct condition *const *conditions = conditions_all(&n);
	const struct scenario *const *healthy = healthy_all(&nhealthy);

	if (i < n)
		return conditions[i]->scenario;
	return i - n < nhealthy ? healthy[i - n] : NULL;
}

const char *lab_scenario_choice(size_t i)
{
	const struct scenario *s = lab_scenario(i);

	return s ? s->name : NULL;
}

const struct scenario *lab_scenario_find(const char *name)
{
	const struct scenario *s;

	for (size_t i = 0; (s = lab_scenario(i)); i++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* ---- talk ---- */

/* The one that has something on its line. */
static struct ticker *shown;

void lab_say_line(const char *line)
{
	if (shown)
		ticker_clear(shown);
	say("lab: %s", line);
}

void ticker_init(struct ticker *t)
{
	struct page_style style;

	*t = (struct ticker){ .watched = output_watched(&style) };
	if (t->watched)
		t->width = style.width - 1;
}

void ticker_show(struct ticker *t, const char *format, ...)
{
	char text[sizeof t->text];
	va_list args;

	if (!t->watched)
		return;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	unsigned columns = (unsigned)n < sizeof text - 1 ? (unsigned)n : sizeof text - 1;
	if (columns > t->width)
		columns = t->width;
	if (t->shown && strcmp(text, t->text) == 0)
		return;
	memcpy(t->text, text, sizeof text);
	unsigned blanks = t->shown > columns ? t->shown - columns : 0;
	fprintf(stderr, "\r%.*s%*s", (int)columns, text, (int)blanks, "");
	fflush(stderr);
	t->shown = columns;
	shown = t;
}

void ticker_clear(struct ticker *t)
{
	if (!t->watched || !t->shown)
		return;
	fprintf(stderr, "\r%*s\r", (int)t->shown, "");
	fflush(stderr);
	t->shown = 0;
	shown = NULL;
}

/* ---- consent ---- */

/* Load that is there before the lab: more than 0.7 tasks a CPU over a minute. */
static bool host_is_loaded(struct note *note)
{
	double load[1];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (getloadavg(load, 1) != 1 || cpus < 1 || load[0] < 0.7 * (double)cpus)
		return false;
	note_set(note, 0, "load average %.1f on %ld CPUs", load[0], cpus);
	return true;
}

bool lab_agreed(const char *command, bool yes)
{
	char answer[16];
	struct note note;

	if (yes || !host_is_loaded(&note))
		return true;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		say("%s: this host carries load already (%s); --yes starts all the same", command, note.text);
		return false;
	}
	fprintf(stderr, "osprey: this host carries load already (%s). Start all the same? [y/N] ", note.text);
	fflush(stderr);
	ssize_t n = read(STDIN_FILENO, answer, sizeof answer);

	if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y'))
		return true;
	say("%s: not started", command);
	return false;
}

/* ---- labels ---- */

static bool same_kind(const struct lab_label *a, const struct lab_label *b)
{
	return a->pid && b->pid && strcmp(a->kind, b->kind) == 0 && strcmp(a->comm, b->comm) == 0;
}

static int process_line(const struct lab_label *labels, size_t n, size_t first, struct buf *out)
{
	enum { SHOWN = 8 };
	unsigned count = 0;
	int r;

	for (size_t i = first; i < n; i++)
		count += same_kind(&labels[first], &labels[i]);
	r = count == 1 ? buf_printf(out, "process %s:", labels[first].comm) :
			 buf_printf(out, "%u processes %s:", count, labels[first].comm);
	count = 0;
	for (size_t i = first; r == 0 && i < n; i++)
		if (same_kind(&labels[first], &labels[i]) && ++count <= SHOWN)
			r = buf_printf(out, " %d", (int)labels[i].pid);
	if (r == 0)
		r = buf_printf(out, "%s\n", count > SHOWN ? " ..." : "");
	return r;
}

int lab_labels_text(const struct lab_label *labels, size_t n, struct buf *ret_lines)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		bool told = false;

		for (size_t k = 0; k < i; k++)
			told |= same_kind(&labels[i], &labels[k]);
		if (!labels[i].pid)
			r = buf_printf(ret_lines, "%s %s\n", labels[i].kind, labels[i].name);
		else if (!told)
			r = process_line(labels, n, i, ret_lines);
	}
	return r;
}

/* ---- list ---- */

static void list_row(struct page *p, const struct scenario *s)
{
	cleanup(buf_deinit) struct buf touches = { 0 };
	unsigned hang = p->style.width < 60 ? 2 : 22;
	struct note note = { "" };
	int r = lab_possible(s, &note);

	page_tone(p, TONE_STRONG);
	page_put(p, "%s", s->name);
	page_tone(p, TONE_PLAIN);
	if (p->column >= hang)
		page_newline(p);
	page_indent(p, hang);
	page_wrap(p, hang, "%s", s->summary);
	page_newline(p);
	page_indent(p, hang);
	page_wrap(p, hang, "moves: %s", s->moves);
	page_newline(p);
	p->error = p->error ? p->error : scenario_touches(s, &touches);
	page_indent(p, hang);
	page_wrap(p, hang, "takes: %s", touches.data ? touches.data : "");
	page_newline(p);
	if (r == 0)
		return;
	page_indent(p, hang);
	page_tone(p, TONE_YELLOW);
	page_wrap(p, hang, "not here: %s", note.text);
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

enum { LIST_NO_COLOR };

static const struct option list_options[] = {
	[LIST_NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the text" },
};

static int list(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_style(args->option[LIST_NO_COLOR].given) };
	const struct scenario *s;

	for (size_t i = 0; (s = lab_scenario(i)); i++)
		list_row(&p, s);
	return output_write(buf_span(&text), p.error);
}

static const struct command command_list = {
	.name = "list",
	.summary = "list the scenarios: what each does, takes and needs",
	.description = "The healthy_… scenarios are loads in which nothing is wrong: the doctor must find nothing in "
		       "them. \"not here\" tells what this host or this user lacks.",
	OPTIONS(list_options),
	.run = list,
};

/* ---- clean ---- */

static int clean(const struct arguments *args)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct note note = { "" };
	unsigned undone;
	int r = lab_clean(&undone, &note);

	(void)args;
	if (r < 0) {
		say("lab clean: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	if (undone == 0)
		r = buf_printf(&text, "nothing to undo\n");
	else
		r = buf_printf(&text, "undone: %u change%s\n", undone, undone == 1 ? "" : "s");
	return output_write(buf_span(&text), r);
}

static const struct command command_clean = {
	.name = "clean",
	.summary = "undo what a killed lab has left",
	.description =
		"The guardian of a lab undoes everything when the lab ends, however it ends. When the guardian itself "
		"was killed, its journal tells what is left to undo: this does it. Labs that run are left alone.",
	.run = clean,
};

static const struct command *const commands[] = { &command_list, &command_lab_run, &command_clean,
						  &command_lab_score, NULL };

const struct command command_lab = {
	.name = "lab",
	.summary = "make faults whose cause is known, within bounds, and undo them",
	.description =
		"A lab of faults: each condition that the doctor knows has a scenario that produces it. A scenario runs "
		"in a process tree that cannot outlive the lab, under a guardian that writes down each change before it "
		"is made and undoes all of them when the lab ends: by itself, by Ctrl-C or by kill -9.",
	.commands = commands,
};
