#include "cmd/attribute.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/output.h"

void telling_begin(struct telling *t, const char *command, const struct arguments *args)
{
	*t = (struct telling){
		.command = command,
		.json = args->option[PROCESS_JSON].given,
		.dry_run = args->option[PROCESS_DRY_RUN].given,
		.page = { .style = output_style(args->option[PROCESS_NO_COLOR].given) },
		.code = EXIT_FINE,
	};
	t->page.out = t->j.out = &t->text;
	if (!t->json)
		return;
	char schema[64];

	snprintf(schema, sizeof schema, "osprey.%s/1", command);
	json_object(&t->j, NULL);
	json_string(&t->j, "schema", schema);
	json_bool(&t->j, "dry_run", t->dry_run);
	json_array(&t->j, "changes");
}

static void add_json(struct telling *t, const struct told *told)
{
	json_object(&t->j, NULL);
	json_string(&t->j, "what", told->subject);
	json_string(&t->j, "attribute", told->attribute);
	if (told->process) {
		json_u64(&t->j, "pid", (uint64_t)told->process->pid);
		json_u64(&t->j, "start_ticks", told->process->start_ticks);
		json_string(&t->j, "name", told->process->comm);
	}
	if (told->path)
		json_string(&t->j, "path", told->path);
	json_string(&t->j, "before", told->before);
	json_string(&t->j, "after", told->after);
	json_bool(&t->j, "changed", told->error == 0 && !t->dry_run);
	if (told->id)
		json_u64(&t->j, "id", told->id);
	else
		json_null(&t->j, "id");
	json_string(&t->j, "error", told->error < 0 && told->error != -EALREADY ? told->why : NULL);
	json_end(&t->j);
}

static void add_text(struct telling *t, const struct told *told)
{
	struct page *p = &t->page;

	if (told->error == -EALREADY)
		page_put(p, "%s is %s already", told->subject, told->after);
	else if (told->error < 0) {
		page_tone(p, TONE_RED);
		page_put(p, "%s: %s", told->subject, told->why);
		page_tone(p, TONE_PLAIN);
	} else {
		page_put(p, "%s: %s -> %s%s", told->subject, told->before, told->after,
			 told->more ? told->more : "");
		if (t->dry_run)
			page_put(p, "; not done: dry run");
		else
			page_put(p, "; undo: osprey %s --undo %llu", t->command, (unsigned long long)told->id);
	}
	page_newline(p);
}

void telling_add(struct telling *t, const struct told *told)
{
	if (told->error < 0 && told->error != -EALREADY)
		t->code = EXIT_UNABLE;
	if (t->json)
		add_json(t, told);
	else
		add_text(t, told);
}

int telling_end(struct telling *t)
{
	int code;

	if (t->json) {
		json_end(&t->j);
		json_end(&t->j);
		t->page.error = json_finish(&t->j);
	}
	code = output_write(buf_span(&t->text), t->page.error);
	buf_deinit(&t->text);
	return t->code == EXIT_FINE ? code : t->code;
}

struct change_journal *attribute_journal(struct telling *t)
{
	struct change_journal *j = NULL;
	struct note note = { "" };

	if (t->dry_run)
		return NULL;
	if (change_journal_open(CHANGE_WRITE, &j, &note) < 0) {
		say("%s: %s; nothing was changed", t->command, note.text);
		t->code = EXIT_UNABLE;
		return NULL;
	}
	return j;
}

static void more_text(const struct process_changed *c, const struct process_attribute *a, const char *wanted,
		      char *ret, size_t size)
{
	size_t n = 0;

	ret[0] = '\0';
	if (a->per_thread && c->threads > 1)
		n += (size_t)snprintf(ret + n, size - n, " (%zu threads)", c->threads);
	if (strcmp(c->after.data, wanted) != 0)
		n += (size_t)snprintf(ret + n, size - n,
				      " (not %.200s: its cpuset or the kernel allows no more)", wanted);
	if (attribute_one_way(a, c->before.data, c->after.data))
		n += (size_t)snprintf(ret + n, size - n, "; setting it back will need %s, which you lack",
				      attribute_one_way(a, c->before.data, c->after.data));
	if (c->failed)
		snprintf(ret + n, size - n, "; %zu of %zu threads refused: %s", c->failed, c->threads,
			 c->why.text);
}

static void change_one(struct telling *t, struct host *h, struct change_journal *j, const struct process *p,
		       const struct attribute_wish *w)
{
	struct process_changed changed;
	struct note note = { "" };
	char subject[96], more[600];
	int r = process_change(h, j, t->command, p, w->attribute, w->text, &changed, &note);
	struct told told = {
		.subject = subject,
		.process = p,
		.attribute = w->attribute->name,
		.before = changed.before.data,
		.after = changed.after.data ? changed.after.data : w->text,
		.id = changed.id,
		.error = r,
		.more = more,
		.why = note.text[0]  ? note.text
		       : r == -ESRCH ? "it has ended"
				     : strerror(-r),
	};

	snprintf(subject, sizeof subject, "%s of %d (%s)", w->attribute->what, p->pid, p->comm);
	more[0] = '\0';
	if (r == 0)
		more_text(&changed, w->attribute, w->text, more, sizeof more);
	if (r == 0 && t->dry_run && strcmp(changed.before.data, w->text) == 0)
		told.error = -EALREADY;
	telling_add(t, &told);
	if (changed.failed)
		t->code = EXIT_UNABLE;
	if (j && change_journal_slow(j) && !t->slow_told) {
		t->slow_told = true;
		say("%s: storage did not confirm the journal within a second; it was not waited for", t->command);
	}
	process_changed_deinit(&changed);
}

void attributes_change(struct telling *t, struct host *h, struct change_journal *j, const process_vec *v,
		       const struct attribute_wish *wish, size_t nwish)
{
	vec_each(p, v) {
		for (size_t i = 0; i < nwish; i++)
			change_one(t, h, j, p, &wish[i]);
	}
}

const struct change_access *attribute_access(const struct change *c)
{
	return c->kind == CHANGE_PROCESS ? &process_change_access : NULL;
}

void attribute_subject(const struct change *c, char *ret, size_t size)
{
	const struct process_attribute *a = attribute_find(c->attribute);

	snprintf(ret, size, "%s of %d (%s)", a ? a->what : c->attribute, c->pid, c->comm);
}
