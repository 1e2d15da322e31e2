#include "act/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define WORD(s) (int)((s).n < 60 ? (s).n : 60), (s).p
#define FIELDS 7

/* Up to FIELDS fields of a line; those that are missing are empty. */
static void split(struct span line, struct span ret[FIELDS])
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (i + 1 == FIELDS || !span_until(&line, ':', &ret[i])) {
			ret[i] = line;
			line.n = 0;
		}
	}
}

static bool id_parse(struct span s, unsigned *ret)
{
	uint64_t v;

	/* (uid_t)-1 means "leave it" to the kernel. */
	if (!span_u64(s, &v) || v >= UINT32_MAX)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* The line of a name, else of a number; or of a number alone. passwd and group have name and number in the same
 * columns. */
static bool find_line(struct span text, struct span word, bool is_number, struct span ret[FIELDS])
{
	unsigned wanted = 0, id;
	bool by_number = id_parse(word, &wanted), found = false;
	struct span line, fields[FIELDS];

	while (span_line(&text, &line)) {
		split(line, fields);
		if (!fields[0].n || !id_parse(fields[2], &id))
			continue;
		bool named = !is_number && span_equal(fields[0], word);

		if (named || (by_number && !found && id == wanted)) {
			memcpy(ret, fields, sizeof fields);
			found = true;
		}
		if (named)
			break;
	}
	return found;
}

static int take_group(struct span word, struct span group, gid_t *ret, struct note *note)
{
	struct span fields[FIELDS];

	if (find_line(group, word, false, fields) && id_parse(fields[2], ret))
		return 0;
	if (id_parse(word, ret))
		return 0;
	return note_set(note, -ENOENT, "there is no group '%.*s' in /etc/group", WORD(word));
}

static bool lists(struct span members, struct span name)
{
	struct span one;
	bool more;

	do {
		more = span_until(&members, ',', &one);
		if (span_equal(span_trim(more ? one : members), name))
			return true;
	} while (more);
	return false;
}

static int add_group(struct identity *id, gid_t gid)
{
	for (size_t i = 0; i < id->ngroups; i++)
		if (id->groups[i] == gid)
			return 0;
	if (id->ngroups == IDENTITY_MAX_GROUPS)
		return -E2BIG;
	id->groups[id->ngroups++] = gid;
	return 0;
}

static int add_supplementary(struct identity *id, struct span group, struct note *note)
{
	struct span name = span_from(id->name), line, fields[FIELDS];
	int r = add_group(id, id->gid);

	while (r == 0 && name.n && span_line(&group, &line)) {
		unsigned gid;

		split(line, fields);
		if (id_parse(fields[2], &gid) && lists(fields[3], name))
			r = add_group(id, gid);
	}
	return r < 0 ? note_set(note, r, "user '%s' is in more than %d groups", id->name, IDENTITY_MAX_GROUPS) : 0;
}

int identity_parse(struct span text, uid_t caller, struct span passwd, struct span group, struct identity *ret,
		   struct note *note)
{
	struct span group_word = text, user_word, fields[FIELDS];
	bool has_group = span_until(&group_word, ':', &user_word), is_caller = has_group && user_word.n == 0;
	struct identity id = { .uid = caller };
	char number[16];
	int r = 0;

	if (!has_group)
		user_word = text;
	if (has_group && group_word.n == 0)
		return note_set(note, -EINVAL, "'%.*s': there is no group behind the colon", WORD(text));
	if (user_word.n == 0 && !has_group)
		return note_set(note, -EINVAL, "no user is named");
	if (is_caller) {
		snprintf(number, sizeof number, "%u", caller);
		user_word = span_from(number);
	}
	if (find_line(passwd, user_word, is_caller, fields) && id_parse(fields[2], &id.uid) && id_parse(fields[3], &id.gid)) {
		span_copy(fields[0], id.name, sizeof id.name);
		span_copy(fields[5], id.home, sizeof id.home);
		span_copy(fields[6], id.shell, sizeof id.shell);
	} else if (!id_parse(user_word, &id.uid)) {
		return note_set(note, -ENOENT, "there is no user '%.*s' in /etc/passwd", WORD(user_word));
	} else if (!has_group) {
		return note_set(note, -ENOENT, "user %.*s has no entry in /etc/passwd; write UID:GID", WORD(user_word));
	}
	if (has_group)
		r = take_group(group_word, group, &id.gid, note);
	if (r == 0)
		r = add_supplementary(&id, group, note);
	if (r == 0)
		*ret = id;
	return r;
}

static int read_whole(const char *path, struct buf *ret)
{
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	do {
		r = buf_reserve(ret, 8192);
		if (r < 0)
			return r;
		n = read(fd, ret->data + ret->n, 8192);
		if (n > 0)
			ret->n += (size_t)n;
	} while (n > 0);
	return n < 0 ? -errno : 0;
}

int identity_find(const char *text, struct identity *ret, struct note *note)
{
	cleanup(buf_deinit) struct buf passwd = { 0 }, group = { 0 };
	int r = read_whole("/etc/passwd", &passwd);

	if (r < 0 && r != -ENOENT)
		return note_set(note, r, "/etc/passwd: %s", strerror(-r));
	r = read_whole("/etc/group", &group);
	if (r < 0 && r != -ENOENT)
		return note_set(note, r, "/etc/group: %s", strerror(-r));
	return identity_parse(span_from(text), getuid(), buf_span(&passwd), buf_span(&group), ret, note);
}
