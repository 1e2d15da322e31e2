#include "act/change_record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "base/word.h"

static const char *const state_names[] = {
	[CHANGE_BEGUN] = "unfinished", [CHANGE_MADE] = "made", [CHANGE_ABORTED] = "not made",
	[CHANGE_UNDONE] = "undone",    [CHANGE_OBSOLETE] = "obsolete",
};

static const char *const settled_verbs[] = {
	[CHANGE_ABORTED] = "abort",
	[CHANGE_UNDONE] = "undone",
	[CHANGE_OBSOLETE] = "obsolete",
};

const char *change_state_name(enum change_state s)
{
	return state_names[s];
}

bool change_is_open(const struct change *c)
{
	return c->state == CHANGE_BEGUN || c->state == CHANGE_MADE;
}

/* ---- writing ---- */

static int put_text(struct buf *b, const char *key, const char *text)
{
	int r = buf_printf(b, " %s=", key);

	return r < 0 ? r : word_append(b, span_from(text ? text : ""), NULL);
}

static int put_number(struct buf *b, const char *key, uint64_t value)
{
	return buf_printf(b, " %s=%" PRIu64, key, value);
}

static int put_value(struct buf *b, const struct change_value *v)
{
	int r = buf_printf(b, " v=%d/%" PRIu64 "/", v->tid, v->start_ticks);

	if (r == 0)
		r = word_append(b, span_from(v->before ? v->before : ""), "/");
	if (r == 0)
		r = buf_append(b, "/", 1);
	return r < 0 ? r : word_append(b, span_from(v->after ? v->after : ""), "/");
}

/* Ends the record that began at `from`; a record without memory leaves no trace. */
static int finish(struct buf *b, size_t from, int r)
{
	if (r == 0)
		r = buf_printf(b, " sum=%016" PRIx64 "\n", map_hash(b->data + from, b->n - from));
	if (r < 0) {
		b->n = from;
		if (b->data)
			b->data[from] = '\0';
	}
	return r;
}

static int begin_head(struct buf *b, const struct change *c)
{
	int r = buf_printf(b, "begin");

	r = r < 0 ? r : put_number(b, "id", c->id);
	r = r < 0 ? r : put_number(b, "time", c->real_ns);
	r = r < 0 ? r : put_number(b, "uid", c->uid);
	r = r < 0 ? r : put_text(b, "command", c->command);
	r = r < 0 ? r : put_text(b, "who", c->who);
	r = r < 0 ? r : put_text(b, "boot", c->boot);
	r = r < 0 ? r : put_text(b, "space", c->space);
	r = r < 0 ? r : put_text(b, "attribute", c->attribute);
	return r;
}

static int begin_object(struct buf *b, const struct change *c)
{
	int r;

	if (c->kind == CHANGE_FILE) {
		r = put_text(b, "path", c->path);
		return r < 0 ? r : put_number(b, "identity", c->identity);
	}
	r = put_number(b, "pid", (uint64_t)c->pid);
	r = r < 0 ? r : put_number(b, "start", c->start_ticks);
	return r < 0 ? r : put_text(b, "comm", c->comm);
}

int record_begin(struct buf *out, const struct change *c, size_t nvalue)
{
	size_t from = out->n;
	int r = begin_head(out, c);

	if (r == 0)
		r = begin_object(out, c);
	for (size_t i = 0; i < nvalue && r == 0; i++)
		r = put_value(out, &c->value.v[i]);
	return finish(out, from, r);
}

int record_more(struct buf *out, uint64_t id, const struct change_value *value, size_t nvalue)
{
	size_t from = out->n;
	int r = buf_printf(out, "more id=%" PRIu64, id);

	for (size_t i = 0; i < nvalue && r == 0; i++)
		r = put_value(out, &value[i]);
	return finish(out, from, r);
}

int record_commit(struct buf *out, uint64_t id, const char *after)
{
	size_t from = out->n;
	int r = buf_printf(out, "commit id=%" PRIu64, id);

	if (r == 0 && after)
		r = put_text(out, "after", after);
	return finish(out, from, r);
}

int record_settled(struct buf *out, uint64_t id, enum change_state state, uint64_t real_ns)
{
	size_t from = out->n;
	int r = buf_printf(out, "%s id=%" PRIu64 " time=%" PRIu64, settled_verbs[state], id, real_ns);

	return finish(out, from, r);
}

int record_last(struct buf *out, uint64_t id)
{
	size_t from = out->n;

	return finish(out, from, buf_printf(out, "last id=%" PRIu64, id));
}

int record_change(struct buf *out, const struct change *c)
{
	size_t n = c->value.n < CHANGE_RECORD_VALUES ? c->value.n : CHANGE_RECORD_VALUES;
	int r = record_begin(out, c, n);

	for (size_t i = n; i < c->value.n && r == 0; i += n) {
		n = c->value.n - i < CHANGE_RECORD_VALUES ? c->value.n - i : CHANGE_RECORD_VALUES;
		r = record_more(out, c->id, &c->value.v[i], n);
	}
	if (r == 0 && c->state == CHANGE_MADE)
		r = record_commit(out, c->id, NULL);
	else if (r == 0 && c->state != CHANGE_BEGUN)
		r = record_settled(out, c->id, c->state, c->settled_ns);
	return r;
}

/* ---- reading ---- */

static void value_deinit(struct change_value *v)
{
	free(v->before);
	free(v->after);
}

static void change_deinit(struct change *c)
{
	free(c->command);
	free(c->who);
	free(c->boot);
	free(c->space);
	free(c->path);
	free(c->comm);
	free(c->attribute);
	vec_each(v, &c->value)
		value_deinit(v);
	vec_free(&c->value);
}

void change_list_deinit(struct change_list *l)
{
	vec_each(c, &l->change)
		change_deinit(c);
	vec_free(&l->change);
}

const struct change *change_find(const struct change_list *l, uint64_t id)
{
	size_t low = 0, high = l->change.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->change.v[middle].id == id)
			return &l->change.v[middle];
		if (l->change.v[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int take_text(struct span word, char **ret)
{
	struct buf text = { 0 };
	int r = buf_reserve(&text, 1);

	if (r == 0)
		r = word_decode(word, &text);
	if (r < 0) {
		buf_deinit(&text);
		return r;
	}
	text.data[text.n] = '\0';
	free(*ret);
	*ret = text.data;
	return 0;
}

static int take_value(struct span word, struct change *c)
{
	struct span tid, start, before;
	uint64_t tid_number, start_ticks;
	struct change_value *v;
	int r;

	if (!span_until(&word, '/', &tid) || !span_until(&word, '/', &start) ||
	    !span_until(&word, '/', &before) || !span_u64(tid, &tid_number) || tid_number > INT32_MAX ||
	    !span_u64(start, &start_ticks))
		return -EBADMSG;
	v = vec_push(&c->value);
	if (!v)
		return -ENOMEM;
	v->tid = (int)tid_number;
	v->start_ticks = start_ticks;
	r = take_text(before, &v->before);
	return r < 0 ? r : take_text(word, &v->after);
}

static int take_number(struct span word, uint64_t maximum, uint64_t *ret)
{
	uint64_t value;

	if (!span_u64(word, &value) || value > maximum)
		return -EBADMSG;
	*ret = value;
	return 0;
}

/* Words of a key that this osprey does not know come from a later one, and are passed over. */
static int take_word(struct change *c, struct span key, struct span word)
{
	const struct {
		const char *key;
		char **text;
	} texts[] = {
		{ "command", &c->command }, { "who", &c->who },	  { "boot", &c->boot },
		{ "space", &c->space },	    { "path", &c->path }, { "comm", &c->comm },
		{ "attribute", &c->attribute },
	};
	uint64_t number = 0;
	int r;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		if (!span_is(key, texts[i].key))
			continue;
		return take_text(word, texts[i].text);
	}
	if (span_is(key, "v"))
		return take_value(word, c);
	if (span_is(key, "time"))
		return take_number(word, UINT64_MAX, &c->real_ns);
	if (span_is(key, "start"))
		return take_number(word, UINT64_MAX, &c->start_ticks);
	if (span_is(key, "identity"))
		return take_number(word, UINT64_MAX, &c->identity);
	if (span_is(key, "uid")) {
		r = take_number(word, UINT32_MAX, &number);
		c->uid = (uint32_t)number;
		return r;
	}
	if (span_is(key, "pid")) {
		r = take_number(word, INT32_MAX, &number);
		c->pid = (int)number;
		return r;
	}
	return 0;
}

/* Every text is one, so that nobody above has to ask. */
static int fill_texts(struct change *c)
{
	char **text[] = { &c->command, &c->who, &c->boot, &c->space, &c->path, &c->comm, &c->attribute };

	for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
		if (!*text[i])
			*text[i] = strdup("");
		if (!*text[i])
			return -ENOMEM;
	}
	return 0;
}

static int take_words(struct span rest, struct change *c)
{
	struct span word, key;
	int r = 0;

	while (r == 0 && span_word(&rest, &word))
		r = span_until(&word, '=', &key) ? take_word(c, key, word) : -EBADMSG;
	return r;
}

static int parse_begin(struct span rest, uint64_t id, struct change_list *l)
{
	struct change c = { .id = id, .pid = -1 };
	struct change *place;
	int r = take_words(rest, &c);

	if (r == 0)
		r = fill_texts(&c);
	/* Ids grow, so none comes twice and the list is in their order. */
	if (r == 0 && ((l->change.n && l->change.v[l->change.n - 1].id >= id) || c.value.n == 0 ||
		       (c.path[0] == '\0') == (c.pid < 0)))
		r = -EBADMSG;
	c.kind = c.pid < 0 ? CHANGE_FILE : CHANGE_PROCESS;
	place = r == 0 ? vec_push(&l->change) : NULL;
	if (!place) {
		change_deinit(&c);
		return r < 0 ? r : -ENOMEM;
	}
	*place = c;
	return 0;
}

static int parse_more(struct span rest, struct change *c)
{
	struct change more = { 0 };
	int r = take_words(rest, &more);

	if (r == 0)
		r = vec_reserve(&c->value, more.value.n);
	if (r == 0 && more.value.n) {
		memcpy(c->value.v + c->value.n, more.value.v, more.value.n * sizeof *more.value.v);
		c->value.n += more.value.n;
		more.value.n = 0;
	}
	change_deinit(&more);
	return r;
}

/* What was read back is what all of them have: they were set to the same. */
static int parse_after(struct span word, struct change *c)
{
	int r = 0;

	vec_each(v, &c->value)
		r = r < 0 ? r : take_text(word, &v->after);
	return r;
}

static int parse_commit(struct span rest, struct change *c)
{
	struct span word, key;

	if (c->state == CHANGE_BEGUN)
		c->state = CHANGE_MADE;
	while (span_word(&rest, &word)) {
		if (span_until(&word, '=', &key) && span_is(key, "after"))
			return parse_after(word, c);
	}
	return 0;
}

static int parse_settled(struct span rest, enum change_state state, struct change *c)
{
	struct change time = { 0 };
	int r = take_words(rest, &time);

	c->state = state;
	c->settled_ns = time.real_ns;
	change_deinit(&time);
	return r;
}

/* What stands before the checksum, when it is right. */
static bool check_sum(struct span *line)
{
	struct span rest = *line, word;
	uint64_t sum;

	if (!span_until_last(&rest, ' ', &word) || !span_starts(word, "sum="))
		return false;
	word.p += 4;
	word.n -= 4;
	if (word.n != 16 || !span_hex(word, &sum) || sum != map_hash(rest.p, rest.n))
		return false;
	*line = rest;
	return true;
}

static int parse_line(struct span line, struct change_list *l)
{
	struct span verb, word;
	uint64_t id;
	struct change *c;

	if (!check_sum(&line) || !span_word(&line, &verb) || !span_word(&line, &word) ||
	    !span_starts(word, "id=") || !span_u64((struct span){ word.p + 3, word.n - 3 }, &id) || id == 0 ||
	    id == UINT64_MAX)
		return -EBADMSG;
	if (span_is(verb, "last")) {
		l->last_id = id > l->last_id ? id : l->last_id;
		return 0;
	}
	if (span_is(verb, "begin")) {
		l->last_id = id > l->last_id ? id : l->last_id;
		return parse_begin(line, id, l);
	}
	c = (struct change *)change_find(l, id);
	if (!c)
		return -EBADMSG;
	if (span_is(verb, "more"))
		return parse_more(line, c);
	if (span_is(verb, "commit"))
		return parse_commit(line, c);
	for (enum change_state s = CHANGE_ABORTED; s <= CHANGE_OBSOLETE; s++) {
		if (span_is(verb, settled_verbs[s]))
			return parse_settled(line, s, c);
	}
	return 0; /* a verb of a later osprey */
}

int change_list_parse(struct span text, struct change_list *ret)
{
	struct change_list l = { 0 };
	struct span line;
	int r = 0;

	while (r == 0 && span_line(&text, &line)) {
		if (line.n == 0) /* stands behind a torn record */
			continue;
		r = parse_line(line, &l);
		if (r == -EBADMSG) {
			l.ntorn++;
			r = 0;
		}
	}
	if (r < 0) {
		change_list_deinit(&l);
		return r;
	}
	*ret = l;
	return 0;
}
