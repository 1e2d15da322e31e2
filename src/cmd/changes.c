/* --list and --undo of the commands that keep a journal of their changes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/output.h"
#include "cmd/processes.h"

struct change_wishes {
	bool all, force, dry_run, json, no_color;
};

/* What can be said of a change in a few words. */
static void standing(const struct change_command *cc, const struct change_list *l, const struct change *c,
		     char *ret, size_t size)
{
	const struct change_access *access = cc->access(c);
	const struct change *over = change_over(l, c);
	struct change_outcome o;
	int r;

	if (!change_is_open(c)) {
		snprintf(ret, size, "%s", change_state_name(c->state));
		return;
	}
	r = access ? change_look(c, access, &o) : -EOPNOTSUPP;
	if (!access)
		snprintf(ret, size, "unknown to this osprey");
	else if (r == 0 && o.obsolete)
		snprintf(ret, size, "obsolete: %.*s", (int)size - 12, o.why.text);
	else if (over)
		snprintf(ret, size, "under change %llu", (unsigned long long)over->id);
	else if (r == -ESTALE)
		snprintf(ret, size, "changed since: %.*s", (int)size - 18, o.now);
	else if (r < 0)
		snprintf(ret, size, "unknown: %.*s", (int)size - 12, o.why.text);
	else if (o.restored == 0)
		snprintf(ret, size, "set back by other hands");
	else
		snprintf(ret, size, c->state == CHANGE_BEGUN ? "in force, though unfinished" : "in force");
}

static void when_text(uint64_t real_ns, char *ret, size_t size)
{
	time_t seconds = (time_t)(real_ns / NS_PER_S), now = (time_t)(clock_real_ns() / NS_PER_S);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(ret, size, now - seconds < 43200 && now >= seconds ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
}

/* "0", or of several values the first and how many. */
static void value_text(const struct change *c, bool after, char *ret, size_t size)
{
	const char *first = after ? c->value.v[0].after : c->value.v[0].before;
	bool mixed = false;

	vec_each(v, &c->value)
		mixed |= strcmp(after ? v->after : v->before, first) != 0;
	snprintf(ret, size, "%s%s", first[0] ? first : "\"\"", mixed ? " …" : "");
}

static void json_change(struct json *j, const struct change_command *cc, const struct change_list *l,
			const struct change *c)
{
	char text[512];

	json_object(j, NULL);
	json_u64(j, "id", c->id);
	json_u64(j, "time_ns", c->real_ns);
	json_string(j, "command_line", c->who);
	json_u64(j, "uid", c->uid);
	cc->subject(c, text, sizeof text);
	json_string(j, "what", text);
	json_string(j, "attribute", c->attribute);
	if (c->kind == CHANGE_FILE)
		json_string(j, "path", c->path);
	else {
		json_u64(j, "pid", (uint64_t)c->pid);
		json_u64(j, "start_ticks", c->start_ticks);
		json_string(j, "name", c->comm);
	}
	json_string(j, "state", change_state_name(c->state));
	standing(cc, l, c, text, sizeof text);
	json_string(j, "standing", text);
	json_array(j, "values");
	vec_each(v, &c->value) {
		json_object(j, NULL);
		if (v->tid)
			json_u64(j, "tid", (uint64_t)v->tid);
		json_string(j, "before", v->before);
		json_string(j, "after", v->after);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static int list_json(const struct change_command *cc, const struct change_list *l)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct json j = { .out = &text };

	json_object(&j, NULL);
	json_string(&j, "schema", "osprey.changes/1");
	json_string(&j, "command", cc->name);
	json_array(&j, "changes");
	vec_each(c, &l->change) {
		if (strcmp(c->command, cc->name) == 0)
			json_change(&j, cc, l, c);
	}
	json_end(&j);
	json_u64(&j, "torn_records", l->ntorn);
	json_end(&j);
	return output_write(buf_span(&text), json_finish(&j));
}

static void put_row(struct cells *cells, const struct change_command *cc, const struct change_list *l,
		    const struct change *c)
{
	char what[512], when[32], before[64], after[64], now[128];

	cc->subject(c, what, sizeof what);
	when_text(c->real_ns, when, sizeof when);
	value_text(c, false, before, sizeof before);
	value_text(c, true, after, sizeof after);
	standing(cc, l, c, now, sizeof now);
	cells_put(cells, "%llu", (unsigned long long)c->id);
	cells_put(cells, "%s", when);
	cells_put(cells, "%s", what);
	cells_put(cells, "%s", before);
	cells_put(cells, "%s", after);
	cells_put(cells, "%s", now);
	cells_put(cells, "%s", c->who);
}

static int list_text(const struct change_command *cc, const struct change_list *l, const char *path,
		     const struct change_wishes *w)
{
	size_t settled = 0;

	cleanup(cells_deinit) struct cells cells = {
		.ncolumns = 7, .header = { "ID", "WHEN", "WHAT", "BEFORE", "AFTER", "NOW", "BY" }, .right = { true },
	};
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = output_table_style(w->no_color) };

	vec_each(c, &l->change) {
		if (strcmp(c->command, cc->name) != 0)
			continue;
		if (change_is_open(c) || w->all)
			put_row(&cells, cc, l, c);
		else
			settled++;
	}
	if (cells.cell.n)
		cells_page(&cells, &p);
	else {
		page_put(&p, "osprey %s has changed nothing that could be undone (journal: %s)", cc->name, path);
		page_newline(&p);
	}
	if (settled) {
		page_put(&p, "%zu more %s undone, obsolete or never made; --list --all shows %s", settled,
			 settled == 1 ? "is" : "are", settled == 1 ? "it" : "them");
		page_newline(&p);
	}
	if (l->ntorn) {
		page_put(&p,
			 "%zu record%s of %s cannot be read: what its writer died over was not made, what was "
			 "damaged since cannot be undone from here.",
			 l->ntorn, l->ntorn == 1 ? "" : "s", path);
		page_newline(&p);
	}
	return output_write(buf_span(&text), p.error);
}

static int list_changes(const struct change_command *cc, const struct change_wishes *w)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };
	struct note note = { "" };
	struct change_journal *j;
	int code = EXIT_UNABLE, r = change_journal_open(CHANGE_READ, &j, &note);

	if (r == 0) {
		r = changes_list(j, &l, &note);
		code = r < 0 ? EXIT_UNABLE : w->json ? list_json(cc, &l) :
						       list_text(cc, &l, change_journal_path(j), w);
		change_journal_close(j);
	}
	if (r < 0) {
		say("%s: %s", cc->name, note.text);
		return EXIT_UNABLE;
	}
	return code;
}

/* ---- undo ---- */

struct undoing {
	const struct change_command *cc;
	const struct change_wishes *w;
	struct host *h;
	struct change_journal *j;
	struct change_list l;
	struct page page;
	struct json json;
	int code;
};

static void tell(struct undoing *u, const struct change *c, const char *state, const char *text)
{
	if (u->w->json) {
		json_object(&u->json, NULL);
		json_u64(&u->json, "id", c->id);
		json_string(&u->json, "result", state);
		json_string(&u->json, "text", text);
		json_end(&u->json);
		return;
	}
	page_put(&u->page, "%s", text);
	page_newline(&u->page);
}

static void tell_undone(struct undoing *u, const struct change *c, const struct change_outcome *o,
			const char *subject)
{
	char text[1024], before[64], gone[64] = "";
	const char *verb = u->w->dry_run ? "would be set back" : "undone";

	value_text(c, false, before, sizeof before);
	if (o->obsolete) {
		snprintf(text, sizeof text, "%s: %s; change %llu is obsolete", subject,
			 o->why.text[0] ? o->why.text : "it is gone", (unsigned long long)c->id);
		tell(u, c, "obsolete", text);
		return;
	}
	if (o->gone)
		snprintf(gone, sizeof gone, "; %zu of %zu threads have ended", o->gone, c->value.n);
	/* What --force would overwrite is foreign still in a dry run. */
	if (o->restored || o->foreign)
		snprintf(text, sizeof text, "%s: %s -> %s%s; change %llu %s", subject,
			 o->now[0] ? o->now : c->value.v[0].after, before, gone, (unsigned long long)c->id, verb);
	else
		snprintf(text, sizeof text, "%s is %s already%s; change %llu %s", subject, before, gone,
			 (unsigned long long)c->id, verb);
	tell(u, c, u->w->dry_run ? "dry run" : "undone", text);
}

/* Out of order the one above would bring back what this one set. */
static void tell_over(struct undoing *u, const struct change *c, const char *subject)
{
	const struct change *over = change_over(&u->l, c);
	char text[1024];

	snprintf(text, sizeof text,
		 "%s: change %llu was made over change %llu: osprey %s --undo %llu comes first", subject,
		 (unsigned long long)over->id, (unsigned long long)c->id, over->command,
		 (unsigned long long)over->id);
	tell(u, c, "under another change", text);
	u->code = EXIT_UNABLE;
}

static void tell_foreign(struct undoing *u, const struct change *c, const struct change_outcome *o,
			 const char *subject)
{
	char text[1024], before[64], rest[96] = "";

	value_text(c, false, before, sizeof before);
	if (o->restored)
		snprintf(rest, sizeof rest, "; its other values (%zu) %s set back", o->restored,
			 u->w->dry_run ? "would be" : "were");
	snprintf(
		text, sizeof text,
		"%s is %s, not %s as change %llu left it: it was changed since, and is left; --force sets it "
		"back to %s all the same%s",
		subject, o->now, c->value.v[0].after, (unsigned long long)c->id, before, rest);
	tell(u, c, "changed since", text);
	u->code = EXIT_UNABLE;
}

static void tell_failed(struct undoing *u, const struct change *c, const struct change_outcome *o,
			const char *subject, const char *why)
{
	char text[1024];

	snprintf(text, sizeof text, "%s: change %llu could not be undone%s: %s", subject,
		 (unsigned long long)c->id, o->restored ? " wholly" : "", why);
	tell(u, c, "failed", text);
	u->code = EXIT_UNABLE;
}

static void undo_one(struct undoing *u, const struct change *c)
{
	const struct change_access *access = u->cc->access(c);
	struct change_outcome o = { 0 };
	struct note note = { "" };
	char subject[512];
	int r = 0;

	u->cc->subject(c, subject, sizeof subject);
	if (!access) {
		tell_failed(u, c, &o, subject, "this osprey does not know how");
		return;
	}
	r = change_look(c, access, &o);
	if (change_over(&u->l, c) && !o.obsolete && !u->w->force)
		r = -EEXIST;
	else if (!u->w->dry_run) {
		r = 0;
		if (u->cc->before_undo)
			r = u->cc->before_undo(u->h, u->j, c, &note);
		if (r == 0)
			r = change_undo(u->j, c->id, access, u->w->force, &o, &note);
	}
	if (r == -EEXIST)
		tell_over(u, c, subject);
	else if (r == -ESTALE && !(u->w->dry_run && u->w->force))
		tell_foreign(u, c, &o, subject);
	else if (r < 0 && r != -ESTALE)
		tell_failed(u, c, &o, subject,
			    o.why.text[0]  ? o.why.text
			    : note.text[0] ? note.text
					   : strerror(-r));
	else
		tell_undone(u, c, &o, subject);
	/* So that the next one does not find it above itself. */
	if (r == 0 && !u->w->dry_run)
		((struct change *)c)->state = CHANGE_UNDONE;
	else if (u->w->dry_run)
		((struct change *)c)->state = CHANGE_ABORTED;
}

static void refuse(struct undoing *u, const char *text)
{
	say("%s: %s", u->cc->name, text);
	u->code = EXIT_USAGE;
}

/* The newest that is open; `all`: one after another, newest first. */
static void undo_newest(struct undoing *u, bool all)
{
	bool any = false;

	for (size_t i = u->l.change.n; i > 0; i--) {
		const struct change *c = &u->l.change.v[i - 1];

		if (!change_is_open(c) || strcmp(c->command, u->cc->name) != 0)
			continue;
		any = true;
		undo_one(u, c);
		if (!all)
			return;
	}
	if (!any)
		say("%s: there is nothing to undo", u->cc->name);
}

static void undo_word(struct undoing *u, const char *word)
{
	const struct change *c;
	char text[192];
	uint64_t id;

	if (strcmp(word, "last") == 0 || strcmp(word, "all") == 0) {
		undo_newest(u, word[0] == 'a');
		return;
	}
	if (!span_u64(span_from(word), &id)) {
		snprintf(text, sizeof text,
			 "'%.40s' is no change: --undo takes the ID of --list, last or all", word);
		refuse(u, text);
		return;
	}
	c = change_find(&u->l, id);
	if (!c)
		snprintf(text, sizeof text, "there is no change %llu; osprey %s --list shows them",
			 (unsigned long long)id, u->cc->name);
	else if (strcmp(c->command, u->cc->name) != 0)
		snprintf(text, sizeof text, "change %llu is not of this command: osprey %.16s --undo %llu",
			 (unsigned long long)id, c->command, (unsigned long long)id);
	else if (!change_is_open(c))
		snprintf(text, sizeof text, "change %llu is %s already", (unsigned long long)id,
			 change_state_name(c->state));
	else {
		undo_one(u, c);
		return;
	}
	refuse(u, text);
}

static void undo_words(struct undoing *u, const char *const *operand, size_t noperands, struct buf *text)
{
	if (u->w->json) {
		json_object(&u->json, NULL);
		json_string(&u->json, "schema", "osprey.undo/1");
		json_string(&u->json, "command", u->cc->name);
		json_bool(&u->json, "dry_run", u->w->dry_run);
		json_array(&u->json, "changes");
	}
	for (size_t i = 0; i < noperands; i++)
		undo_word(u, operand[i]);
	if (noperands == 0)
		undo_newest(u, false);
	if (u->w->json) {
		json_end(&u->json);
		json_end(&u->json);
		u->page.error = json_finish(&u->json);
	}
	if (text->n) {
		int code = output_write(buf_span(text), u->page.error);

		u->code = u->code == EXIT_FINE ? code : u->code;
	}
}

static int undo_changes(const struct change_command *cc, const char *const *operand, size_t noperands,
			 const struct change_wishes *w)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct undoing u = {
		.cc = cc,
		.w = w,
		.h = processes_host(cc->name),
		.page = { .out = &text, .style = output_style(w->no_color) },
		.json = { .out = &text },
		.code = EXIT_FINE,
	};
	struct note note = { "" };
	int r;

	if (!u.h)
		return EXIT_UNABLE;
	r = change_journal_open(w->dry_run ? CHANGE_READ : CHANGE_WRITE, &u.j, &note);
	if (r == 0) {
		r = changes_list(u.j, &u.l, &note);
		if (r == 0)
			undo_words(&u, operand, noperands, &text);
		change_list_deinit(&u.l);
		change_journal_close(u.j);
	}
	host_free(u.h);
	if (r < 0) {
		say("%s: %s", cc->name, note.text);
		return EXIT_UNABLE;
	}
	return u.code;
}

/* ---- the options ---- */

static int refuse_beside(const struct change_command *cc, const char *option, const char *what)
{
	say("%s: --%s and %s exclude each other; nothing was done", cc->name, option, what);
	return EXIT_USAGE;
}

bool changes_command(const struct change_command *cc, const struct arguments *args, const struct option *options,
		     size_t noptions, size_t list, size_t undo, int *ret_code)
{
	const struct option_value *o = args->option;
	const struct change_wishes w = {
		.all = o[PROCESS_ALL].given,
		.force = o[PROCESS_FORCE].given,
		.dry_run = o[PROCESS_DRY_RUN].given,
		.json = o[PROCESS_JSON].given,
		.no_color = o[PROCESS_NO_COLOR].given,
	};
	size_t given = o[undo].given ? undo : list;

	if (!o[list].given && !o[undo].given)
		return false;
	for (size_t i = 0; i < noptions; i++) {
		char what[64];

		if (!o[i].given || i == given || (i < PROCESS_OWN && i != PROCESS_MATCH && i != PROCESS_USER))
			continue;
		snprintf(what, sizeof what, "--%.60s", options[i].name);
		*ret_code = refuse_beside(cc, options[given].name, what);
		return true;
	}
	if (given == list && args->noperands)
		*ret_code = refuse_beside(cc, options[list].name, "operands");
	else
		*ret_code = given == list ? list_changes(cc, &w) :
					    undo_changes(cc, args->operand, args->noperands, &w);
	return true;
}
