#include <errno.h>
#include <stdio.h>

#include "act/change_place.h"
#include "base/cleanup.h"

static bool same_text(const struct change *c, const char *a, const char *b)
{
	struct span left = span_from(a), right = span_from(b), x, y;

	(void)c;
	for (;;) {
		bool more = span_word(&left, &x);

		if (more != span_word(&right, &y))
			return false;
		if (!more)
			return true;
		if (!span_equal(x, y))
			return false;
	}
}

/* What kept the change from being one of this moment; 0: nothing did. */
static int check_world(const struct change *c, struct change_outcome *ret)
{
	char boot[64], space[SPACE_MAX];

	place_boot_id(boot, sizeof boot);
	if (boot[0] && c->boot[0] && strcmp(boot, c->boot) != 0) {
		ret->obsolete = true;
		note_set(&ret->why, 0, "the machine was booted since, and the value with it");
		return 0;
	}
	space_of(c, space);
	if (strcmp(space, c->space) != 0)
		return note_set(&ret->why, -EXDEV,
				"it was made in another namespace (%s, here is %s): undo it there", c->space,
				space);
	return 0;
}

static int fail(struct change_outcome *ret, int r, const struct note *note)
{
	if (ret->failed++ == 0)
		note_set(&ret->why, 0, "%s", note->text[0] ? note->text : strerror(-r));
	return r;
}

/* One value. 0, or why it could not be read or set. */
static int undo_value(const struct change *c, const struct change_value *v, const struct change_access *access,
		      bool force, bool touch, struct change_outcome *ret)
{
	cleanup(buf_deinit) struct buf now = { 0 };
	bool (*same)(const struct change *, const char *, const char *) = access->same ? access->same : same_text;
	struct note note = { "" };
	int r = access->read(c, v, &now, &note);
	const char *text = now.data ? now.data : "";

	if (r == 0) {
		if (same(c, text, v->before)) {
			ret->already++;
			return 0;
		}
		if (!same(c, text, v->after)) {
			if (!ret->now[0])
				snprintf(ret->now, sizeof ret->now, "%s", text);
			ret->foreign += !force;
			if (!force)
				return 0;
		}
		r = touch ? access->write(c, v, v->before, &note) : 0;
	}
	if (r == 0) {
		ret->restored++;
		return 0;
	}
	if (r == -ESRCH || r == -ENOENT || r == -ENODEV) {
		if (ret->gone++ == 0 && note.text[0])
			ret->why = note;
		return 0;
	}
	return fail(ret, r, &note);
}

static int undo_values(const struct change *c, const struct change_access *access, bool force, bool touch,
		       struct change_outcome *ret)
{
	int r;

	*ret = (struct change_outcome){ 0 };
	r = check_world(c, ret);
	if (r < 0 || ret->obsolete)
		return r;
	vec_each(v, &c->value) {
		int failed = undo_value(c, v, access, force, touch, ret);

		r = r < 0 ? r : failed;
	}
	ret->obsolete = ret->gone == c->value.n;
	return r;
}

int change_look(const struct change *c, const struct change_access *access, struct change_outcome *ret)
{
	int r = undo_values(c, access, false, false, ret);

	return r == 0 && ret->foreign ? -ESTALE : r;
}

int change_undo(struct change_journal *j, uint64_t id, const struct change_access *access, bool force,
		struct change_outcome *ret, struct note *note)
{
	cleanup(change_list_deinit) struct change_list l = { 0 };
	int r = changes_list(j, &l, note);
	const struct change *c;

	if (r < 0)
		return r;
	c = change_find(&l, id);
	if (!c)
		return note_set(note, -ENOENT, "there is no change %llu", (unsigned long long)id);
	if (!change_is_open(c)) {
		*ret = (struct change_outcome){ .obsolete = c->state == CHANGE_OBSOLETE };
		return note_set(note, -EALREADY, "change %llu is %s", (unsigned long long)id,
				change_state_name(c->state));
	}
	r = undo_values(c, access, force, true, ret);
	if (r < 0)
		return note_set(note, r, "%s", ret->why.text);
	if (ret->foreign)
		return note_set(note, -ESTALE, "%s is %s now, not %s as change %llu left it", c->attribute,
				ret->now, c->value.v[0].after, (unsigned long long)id);
	return change_settle(j, id, ret->obsolete ? CHANGE_OBSOLETE : CHANGE_UNDONE, note);
}

const struct change *change_over(const struct change_list *l, const struct change *c)
{
	const struct change *over = NULL;

	vec_each(other, &l->change) {
		if (other->id > c->id && change_is_open(other) && other->kind == c->kind &&
		    other->pid == c->pid && other->start_ticks == c->start_ticks &&
		    strcmp(other->path, c->path) == 0 && strcmp(other->attribute, c->attribute) == 0 &&
		    strcmp(other->boot, c->boot) == 0)
			over = other;
	}
	return over;
}
