#include "act/tune_apply.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/file.h"

/* ---- pairs of which one at a time is in force ---- */

/* The ratio that setting these bytes puts out of force; NULL: none, or it is out of force already. */
static const struct tunable *ratio_lost(const struct tune_item *item, const struct tune_place *place)
{
	static const struct {
		enum tunable_id bytes, ratio;
	} pairs[] = {
		{ TUNABLE_dirty_bytes, TUNABLE_dirty_ratio },
		{ TUNABLE_dirty_background_bytes, TUNABLE_dirty_background_ratio },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		const struct tune_value *ratio = &place->value[pairs[i].ratio];

		if (tunable_id(item->tunable) == pairs[i].bytes && ratio->error == 0 && ratio->number[0] > 0)
			return &tunables[pairs[i].ratio];
	}
	return NULL;
}

/* ---- setting ---- */

struct setting {
	struct change_journal *j;
	const struct tune_item *item;
	const struct tune_place *place;
	const struct tunable *ratio;
	struct tune_done *done;
	struct note *note;
	char path[160];
};

static int explain(const struct setting *s, int r)
{
	const char *name = s->item->tunable->name, *text = s->note && s->note->text[0] ? s->note->text : strerror(-r);
	char why[200];

	snprintf(why, sizeof why, "%.190s", text);
	switch (r) {
	case -EROFS:
		return note_set(s->note, r, "%s: %s is mounted read-only here, as in containers: set it on "
			    "the host", name,
				strncmp(s->path, "/sys/", 5) == 0 ? "/sys" : "/proc/sys");
	case -EACCES:
	case -EPERM:
		if (geteuid() != 0)
			return note_set(s->note, r, "%s: setting it needs root", name);
		return note_set(s->note, r, "%s: this namespace may not set it (a container, or it belongs to "
			    "the host alone): set it on the host", name);
	case -ENOENT:
		return note_set(s->note, r, "%s: this kernel or network namespace has none", name);
	case -EINVAL:
	case -ERANGE:
		return note_set(s->note, r, "%s: the kernel refuses %s", name, s->item->advice.value);
	default:
		return note_set(s->note, r, "%s", why);
	}
}

static void take_text(struct span text, char *ret, size_t size)
{
	span_copy(span_trim(text), ret, size);
	for (char *c = ret; *c; c++)
		if (*c == '\t' || *c == '\n')
			*c = ' ';
}

static int set_plain(struct setting *s)
{
	cleanup(buf_deinit) struct buf before = { 0 }, after = { 0 };
	int r = change_file(s->j, TUNE_COMMAND, s->item->tunable->name, s->path, s->item->advice.value, &s->done->id,
			    &before, &after, s->note);

	take_text(buf_span(&before), s->done->before, sizeof s->done->before);
	take_text(buf_span(&after), s->done->after, sizeof s->done->after);
	return r;
}

/* Journalled as what the ratio goes through; see the header. */
static int set_bytes(struct setting *s)
{
	cleanup(buf_deinit) struct buf now = { 0 };
	char before[32];
	int r = change_file_read(s->ratio->path, &now, s->note);

	if (r < 0)
		return r;
	take_text(buf_span(&now), before, sizeof before);
	struct change_value value = { .before = before, .after = "0" };
	struct change c = { .command = TUNE_COMMAND, .attribute = (char *)s->ratio->name, .kind = CHANGE_FILE,
			    .path = (char *)s->ratio->path, .value = { .v = &value, .n = 1 } };

	r = change_begin(s->j, &c, &s->done->id, s->note);
	if (r < 0)
		return r;
	r = file_write(s->path, s->item->advice.value);
	if (r < 0) {
		(void)!change_abort(s->j, s->done->id, NULL);
		return r;
	}
	r = change_commit(s->j, s->done->id, NULL, s->note);
	buf_clear(&now);
	if (r == 0)
		r = change_file_read(s->path, &now, s->note);
	snprintf(s->done->before, sizeof s->done->before, "0 (%s %s)", s->ratio->name, before);
	take_text(buf_span(&now), s->done->after, sizeof s->done->after);
	return r;
}

static bool in_namespace(uint64_t inode)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 && st.st_ino == inode;
}

static int set(void *arg)
{
	struct setting *s = arg;

	/* The pid may be another's by now, in another namespace. */
	if (s->place->scope == SCOPE_NET && !in_namespace(s->place->net.inode))
		return note_set(s->note, -ESTALE, "%s: the network namespace of pid %d is gone", s->item->tunable->name,
				s->place->net.pid);
	return s->ratio ? set_bytes(s) : set_plain(s);
}

int tune_apply(struct change_journal *j, const struct tune_item *item, const struct tune_place *place,
	       struct tune_done *ret, struct note *note)
{
	struct tune_done done = { 0 };
	struct note why = { "" };
	struct setting s = { .j = j, .item = item, .place = place, .ratio = ratio_lost(item, place), .done = &done,
			     .note = note ? note : &why };

	s.note->text[0] = '\0';
	tunable_path(item->tunable, place->disk.name, s.path, sizeof s.path);
	int r = net_ns_within(place->scope == SCOPE_NET ? place->net.pid : 0, set, &s);
	if (r < 0)
		return r == -EALREADY || r == -ESTALE ? r : explain(&s, r);
	done.as_advised = strcmp(done.after, item->advice.value) == 0;
	*ret = done;
	return 0;
}

/* ---- undoing ---- */

/* A process in the network namespace of that inode; 0: none, or not to be seen. */
static int process_within(uint64_t inode)
{
	DIR *dir = opendir("/proc");
	int found = 0;

	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		char path[64];
		struct stat st;

		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof path, "/proc/%.20s/ns/net", e->d_name);
		if (stat(path, &st) == 0 && st.st_ino == inode)
			found = atoi(e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

struct undoing {
	struct change_journal *j; /* NULL: only look */
	const struct change *c;
	bool force;
	struct change_outcome *ret;
	struct note *note;
};

static int undo(void *arg)
{
	struct undoing *u = arg;

	if (!u->j)
		return change_look(u->c, &change_file_access, u->ret);
	return change_undo(u->j, u->c->id, &change_file_access, u->force, u->ret, u->note);
}

static int undo_where_it_was(struct undoing *u)
{
	uint64_t inode = 0;
	int pid = 0;

	if (strncmp(u->c->space, "net:", 4) == 0 && span_u64(span_from(u->c->space + 4), &inode) && !in_namespace(inode))
		pid = process_within(inode);
	int r = net_ns_within(pid, undo, u);
	if (r == -EXDEV && inode && pid == 0)
		return note_set(u->note, r, "change %llu was made in a network namespace (%llu) in which no "
			    "process is left that osprey can see: its value went with it, or undo it from "
			    "within", (unsigned long long)u->c->id,
				(unsigned long long)inode);
	return r;
}

int tune_rollback(struct change_journal *j, const struct change *c, bool force, struct change_outcome *ret,
		  struct note *note)
{
	struct undoing u = { j, c, force, ret, note };

	if (!tune_owns(c))
		return note_set(note, -ENOENT, "change %llu was made by `osprey %s`, not by tune", (unsigned long long)c->id, c->command);
	return undo_where_it_was(&u);
}

int tune_rollback_look(const struct change *c, struct change_outcome *ret)
{
	struct undoing u = { NULL, c, false, ret, NULL };

	return undo_where_it_was(&u);
}

/* ---- for people ---- */

static void write_command(const struct tunable *t, const struct tune_place *place, const char *value, char *ret,
			  size_t size)
{
	const char *enter = place->scope == SCOPE_NET ? place->net.enter : "";
	const char *quote = strchr(value, ' ') ? "'" : "";
	char path[160];

	tunable_path(t, place->disk.name, path, sizeof path);
	if (strncmp(path, "/proc/sys/", 10) == 0)
		snprintf(ret, size, "%ssysctl -w %s%s=%s%s", enter, quote, t->name, value, quote);
	else
		snprintf(ret, size, "echo %s > %s", value, path);
}

void tune_command(const struct tune_item *item, const struct tune_place *place, char *ret, size_t size)
{
	write_command(item->tunable, place, item->advice.value, ret, size);
}

void tune_undo_command(const struct tune_item *item, const struct tune_place *place, char *ret, size_t size)
{
	const struct tunable *ratio = ratio_lost(item, place), *t = ratio ? ratio : item->tunable;
	const struct tune_value *v = &place->value[tunable_id(t)];
	char value[96];

	take_text(span_from(t->shape == SHAPE_CHOICE ? v->word : v->text), value, sizeof value);
	write_command(t, place, value, ret, size);
}

void tune_permanent(const struct tune_item *item, const struct tune_place *place, char *ret_file, size_t file_size,
		    char *ret_line, size_t line_size)
{
	const char *value = item->advice.value;
	char path[160];

	tunable_path(item->tunable, place->disk.name, path, sizeof path);
	if (place->scope == SCOPE_NET) {
		snprintf(ret_file, file_size, "whatever makes that namespace");
		snprintf(ret_line, line_size, "docker run --sysctl %s='%s', securityContext.sysctls in "
			    "Kubernetes", item->tunable->name, value);
	} else if (place->scope == SCOPE_DISK) {
		snprintf(ret_file, file_size, "/etc/udev/rules.d/90-osprey.rules");
		snprintf(ret_line, line_size, "ACTION==\"add|change\", KERNEL==\"%s\", ATTR{queue/%s}=\"%s\"", place->disk.name,
			 strrchr(path, '/') + 1, value);
	} else if (strncmp(path, "/proc/sys/", 10) != 0) {
		snprintf(ret_file, file_size, "/etc/tmpfiles.d/90-osprey.conf");
		snprintf(ret_line, line_size, "w %s - - - - %s", path, value);
	} else {
		snprintf(ret_file, file_size, "/etc/sysctl.d/90-osprey.conf");
		snprintf(ret_line, line_size, "%s = %s", item->tunable->name, value);
	}
}
