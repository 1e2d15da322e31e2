/* osprey tune --rollback and --changes. */
#include <errno.h>
#include <string.h>

#include "act/tune_apply.h"
#include "base/cleanup.h"
#include "cmd/command.h"
#include "cmd/output.h"
#include "cmd/tune.h"

/* On one line, as sysctl prints it. */
static void flatten(char *text)
{
	for (char *t = text; *t; t++)
		if (*t == '\t' || *t == '\n')
			*t = t[1] ? ' ' : '\0';
}

static void one_line(const char *text, char *ret, size_t size)
{
	span_copy(span_trim(span_from(text)), ret, size);
	flatten(ret);
}

struct change_words {
	char before[96], after[96];
};

static struct change_words words_of(const struct change *c)
{
	struct change_words w = { "?", "?" };

	if (c->value.n) {
		one_line(c->value.v[0].before, w.before, sizeof w.before);
		one_line(c->value.v[0].after, w.after, sizeof w.after);
	}
	return w;
}

static void list_one(struct page *p, const struct change *c)
{
	struct change_outcome now = { 0 };
	struct change_words words = words_of(c);
	int r = tune_rollback_look(c, &now);

	flatten(now.now);
	page_tone(p, TONE_STRONG);
	page_put(p, "%llu", (unsigned long long)c->id);
	page_tone(p, TONE_PLAIN);
	page_wrap(p, 4, "  %s = %s, before %s", c->attribute, words.after, words.before);
	page_tone(p, TONE_DIM);
	page_wrap(p, 4, " (%s%s%s)", c->state == CHANGE_BEGUN ? "its maker died in the middle; " : "",
		  now.obsolete ? "obsolete: " : now.foreign ? "set by somebody else since, to " :
		  now.already ? "not in force" : r < 0 ? "cannot be looked at: " : "in force",
		  now.obsolete || (r < 0 && !now.foreign) ? now.why.text : now.foreign ? now.now : "");
	page_tone(p, TONE_PLAIN);
	page_newline(p);
}

static int roll_one(struct change_journal *j, const struct change *c, bool force, struct page *p)
{
	struct change_outcome done = { 0 };
	struct note note = { "" };
	struct change_words words = words_of(c);
	int r = tune_rollback(j, c, force, &done, &note);

	flatten(done.now);
	if (r == 0 || r == -EALREADY) {
		page_put(p, "%llu  %s:", (unsigned long long)c->id, c->attribute);
		if (done.obsolete)
			page_wrap(p, 4, " obsolete: %s", done.why.text);
		else if (done.restored)
			page_wrap(p, 4, " %s again", words.before);
		else
			page_wrap(p, 4, " was %s already", words.before);
		page_newline(p);
		return EXIT_FINE;
	}
	if (r == -ESTALE)
		say("tune: change %llu: %s is %s now, set by somebody else since osprey set it to %s; it "
			    "stays, unless --force",
		    (unsigned long long)c->id, c->attribute, done.now, words.after);
	else
		say("tune: change %llu: %s", (unsigned long long)c->id,
		    note.text[0] ? note.text : done.why.text[0] ? done.why.text : strerror(-r));
	return EXIT_UNABLE;
}

static bool wanted(const struct change *c, bool all, uint64_t id)
{
	return all ? tune_owns(c) && change_is_open(c) : c->id == id;
}

/* The newest first: what lies on top of another goes before it. */
static int roll_back(const struct change_list *l, struct change_journal *j, bool all, uint64_t id,
		     const struct tune_errand *e, struct page *p)
{
	int code = EXIT_FINE;
	size_t n = 0;

	for (size_t i = l->change.n; i-- > 0;) {
		const struct change *c = &l->change.v[i];

		if (!wanted(c, all, id))
			continue;
		n++;
		if (!tune_owns(c)) {
			say("tune: change %llu was made by `osprey %s`: undo it there", (unsigned long long)id, c->command);
			return EXIT_USAGE;
		}
		if (!change_is_open(c)) {
			say("tune: change %llu is %s already", (unsigned long long)id, change_state_name(c->state));
			return EXIT_FINE;
		}
		if (e->dry_run)
			list_one(p, c);
		else if (roll_one(j, c, e->force, p) != EXIT_FINE)
			code = EXIT_UNABLE;
	}
	if (n == 0 && all)
		say("tune: nothing to take back");
	if (n == 0 && !all) {
		say("tune: there is no change %llu; `osprey tune --changes` lists them", (unsigned long long)id);
		return EXIT_USAGE;
	}
	return code;
}

int tune_take_back(const char *which, const struct tune_errand *e)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct page p = { .out = &text, .style = output_style(e->no_color) };
	bool all = strcmp(which, "all") == 0;
	struct change_journal *j;
	struct note note = { "" };
	uint64_t id = 0;

	if (!all && !span_u64(span_from(which), &id)) {
		say("tune: --rollback takes the number of a change, or all, not '%s'; `osprey tune --changes` "
			    "lists them", which);
		return EXIT_USAGE;
	}
	int r = change_journal_open(e->dry_run ? CHANGE_READ : CHANGE_WRITE, &j, &note);
	if (r < 0) {
		say("tune: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	r = changes_list(j, &l, &note);
	int code = r < 0 ? EXIT_UNABLE : roll_back(&l, j, all, id, e, &p);
	if (r < 0)
		say("tune: %s", note.text[0] ? note.text : strerror(-r));
	change_journal_close(j);
	int written = output_write(buf_span(&text), p.error);
	return written != EXIT_FINE ? written : code;
}

int tune_list_changes(const struct tune_errand *e)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct page p = { .out = &text, .style = output_style(e->no_color) };
	struct change_journal *j;
	struct note note = { "" };
	int r = change_journal_open(CHANGE_READ, &j, &note);

	if (r == 0) {
		r = changes_list(j, &l, &note);
		change_journal_close(j);
	}
	if (r < 0) {
		say("tune: %s", note.text[0] ? note.text : strerror(-r));
		return EXIT_UNABLE;
	}
	vec_each(c, &l.change)
		if (tune_owns(c) && change_is_open(c))
			list_one(&p, c);
	if (text.n == 0)
		say("tune: no change of tune is in force");
	return output_write(buf_span(&text), p.error);
}
