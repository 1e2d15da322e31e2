#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "act/change_journal.h"
#include "base/cleanup.h"
#include "lab/file.h"

#define FILE_MAX (64 << 10)

/* "none [mq-deadline] kyber" shows all that can be chosen, and takes the one in brackets. */
static struct span keep_chosen(struct span text)
{
	struct span rest = text, before, chosen;

	if (span_until(&rest, '[', &before) && span_until(&rest, ']', &chosen))
		return chosen;
	return text;
}

int change_file_read(const char *path, struct buf *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span chosen;
	ssize_t n;
	int r = buf_reserve(&text, FILE_MAX);

	if (r < 0)
		return note_set(note, r, "%s: %s", path, strerror(-r));
	n = file_read(path, text.data, FILE_MAX);
	if (n < 0)
		return note_set(note, (int)n, "%s: %s", path, strerror((int)-n));
	text.n = (size_t)n;
	chosen = keep_chosen(buf_span(&text));
	r = buf_append(ret, chosen.p, chosen.n);
	return r < 0 ? note_set(note, r, "%s: %s", path, strerror(-r)) : 0;
}

/* Nothing written is nothing changed: an empty value is a line of its own. */
static int write_text(const char *path, const char *text, struct note *note)
{
	int r = file_write(path, text[0] ? text : "\n");

	return r < 0 ? note_set(note, r, "%s: \"%s\": %s", path, text, strerror(-r)) : 0;
}

static int read_now(const struct change *c, const struct change_value *v, struct buf *ret, struct note *note)
{
	struct stat st;

	(void)v;
	if (c->identity && (stat(c->path, &st) < 0 || st.st_ino != c->identity))
		return note_set(note, -ENOENT, "%s is gone, or was made anew since", c->path);
	return change_file_read(c->path, ret, note);
}

static int write_now(const struct change *c, const struct change_value *v, const char *text, struct note *note)
{
	(void)v;
	return write_text(c->path, text, note);
}

const struct change_access change_file_access = { .read = read_now, .write = write_now };

/* Written, but what it says now cannot be read: then as it was written. */
static int read_back(struct change_journal *j, uint64_t id, const char *path, const char *text,
		     struct buf *ret_after, struct note *note)
{
	cleanup(buf_deinit) struct buf now = { 0 };
	int r = change_file_read(path, &now, NULL);

	if (r == 0)
		text = now.data ? now.data : "";
	r = change_commit(j, id, text, note);
	if (r == 0 && ret_after)
		r = buf_append(ret_after, text, strlen(text));
	return r;
}

static bool same_words(const char *a, const char *b)
{
	struct span left = span_trim(span_from(a)), right = span_trim(span_from(b));

	return span_equal(left, right);
}

int change_file(struct change_journal *j, const char *command, const char *attribute, const char *path,
		const char *text, uint64_t *ret_id, struct buf *ret_before, struct buf *ret_after,
		struct note *note)
{
	cleanup(buf_deinit) struct buf before = { 0 };
	int r = change_file_read(path, &before, note);
	struct change_value value;
	uint64_t id;

	if (r == 0 && ret_before)
		r = buf_append(ret_before, before.data ? before.data : "", before.n);
	if (r < 0)
		return r;
	if (same_words(before.data ? before.data : "", text))
		return -EALREADY;
	value = (struct change_value){ .before = before.data, .after = (char *)text };
	struct change c = {
		.command = (char *)command, .attribute = (char *)attribute, .kind = CHANGE_FILE,
		.path = (char *)path, .value = { .v = &value, .n = 1 },
	};

	r = change_begin(j, &c, &id, note);
	if (r < 0)
		return r;
	r = write_text(path, text, note);
	if (r < 0) {
		(void)!change_abort(j, id, NULL);
		return r;
	}
	*ret_id = id;
	return read_back(j, id, path, text, ret_after, note);
}
