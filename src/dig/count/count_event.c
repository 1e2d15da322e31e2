#include "dig/count/count_event.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/closest.h"

const struct count_name count_names[] = {
#define EVENT(name, other, kind, config, unit, help) { name, other, COUNT_##kind, config, COUNT_##unit, help },
#include "dig/count/count_event.def"
#undef EVENT
};
const size_t count_nnames = sizeof count_names / sizeof count_names[0];

static const struct count_name *find_name(struct span word)
{
	for (size_t i = 0; i < count_nnames; i++)
		if (span_is(word, count_names[i].name) || (count_names[i].other[0] && span_is(word, count_names[i].other)))
			return &count_names[i];
	return NULL;
}

static int unknown(struct span word, struct note *note)
{
	struct closest c = { 0 };
	char given[64];

	span_copy(word, given, sizeof given);
	for (size_t i = 0; i < count_nnames; i++) {
		closest_offer(&c, given, count_names[i].name);
		if (count_names[i].other[0])
			closest_offer(&c, given, count_names[i].other);
	}
	return note_set(note, -EINVAL, "unknown event '%s'; closest: %s (osprey count --list names all)", given, c.word);
}

static int set_modifier(struct span modifier, struct count_event *e, struct note *note)
{
	bool user = false, kernel = false;

	for (size_t i = 0; i < modifier.n; i++) {
		user = user || modifier.p[i] == 'u';
		kernel = kernel || modifier.p[i] == 'k';
		if (modifier.p[i] != 'u' && modifier.p[i] != 'k')
			return note_set(note, -EINVAL, "'%s': a modifier is u (user space), k (kernel) or uk", e->text);
	}
	if (!user && !kernel)
		return note_set(note, -EINVAL, "'%s' ends in a colon without u or k", e->text);
	e->only_user = user && !kernel;
	e->only_kernel = kernel && !user;
	return 0;
}

/* The parts of it become parts of a path. */
static bool is_tracepoint_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return s.n > 0;
}

static int parse_tracepoint(struct span system, struct span rest, struct count_event *e, struct note *note)
{
	struct span name = rest, modifier;
	bool modified = span_until(&rest, ':', &name);

	modifier = rest;
	if (!is_tracepoint_word(system) || !is_tracepoint_word(name))
		return unknown(span_from(e->text), note);
	e->kind = COUNT_TRACEPOINT;
	return modified ? set_modifier(modifier, e, note) : 0;
}

static int parse_event(struct span word, struct count_event *e, struct note *note)
{
	struct span rest = word, first = word;
	bool colon = span_until(&rest, ':', &first);

	if (word.n >= sizeof e->text)
		return note_set(note, -EINVAL, "'%.40s…' is too long for an event", word.p);
	span_copy(word, e->text, sizeof e->text);
	if (word.n == 0)
		return note_set(note, -EINVAL, "an event is missing between commas");
	e->name = find_name(first);
	if (e->name) {
		e->kind = e->name->kind;
		e->config = e->name->config;
	} else if (first.n > 1 && first.p[0] == 'r' && span_hex((struct span){ first.p + 1, first.n - 1 }, &e->config)) {
		e->kind = COUNT_RAW;
	} else {
		return colon ? parse_tracepoint(first, rest, e, note) : unknown(word, note);
	}
	return colon ? set_modifier(rest, e, note) : 0;
}

/* The next event's text off the front: up to a comma or a brace. */
static struct span next_word(struct span *text)
{
	struct span word = { text->p, 0 };

	while (word.n < text->n && !memchr(",{}", word.p[word.n], 3))
		word.n++;
	text->p += word.n;
	text->n -= word.n;
	return span_trim(word);
}

static int parse_into(struct span text, count_event_vec *ret, unsigned group, struct note *note)
{
	bool within = false;

	for (;;) {
		if (!within && text.n && text.p[0] == '{') {
			within = true;
			text.p++, text.n--;
		}
		struct count_event e = { .group = group };
		int r = parse_event(next_word(&text), &e, note);
		struct count_event *place = r == 0 ? vec_push(ret) : NULL;

		if (r < 0 || !place)
			return r < 0 ? r : -ENOMEM;
		*place = e;
		if (ret->n > COUNT_MAX_EVENTS)
			return note_set(note, -EINVAL, "more than %d events", COUNT_MAX_EVENTS);
		if (within && text.n && text.p[0] == '}') {
			within = false;
			text.p++, text.n--;
		}
		group += !within;
		if (text.n == 0)
			return within ? note_set(note, -EINVAL, "a group is not closed: } is missing") : 0;
		if (text.p[0] != ',')
			return note_set(note, -EINVAL, "'%c' is not expected behind '%s'", text.p[0], e.text);
		text.p++, text.n--;
	}
}

int count_events_parse(struct span text, count_event_vec *ret, struct note *note)
{
	size_t before = ret->n;
	int r = parse_into(span_trim(text), ret, before ? ret->v[before - 1].group + 1 : 0, note);

	if (r < 0)
		ret->n = before;
	return r;
}

/* ---- tracepoints ---- */

static int tracefs_open(void)
{
	static const char *const places[] = { "/sys/kernel/tracing/events", "/sys/kernel/debug/tracing/events" };

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno == EACCES || errno == EPERM)
			return -errno;
	}
	/* A mount that is attached nowhere: it ends with its descriptor. */
	cleanup(close_fd) int context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	cleanup(close_fd) int root = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (root < 0)
		return -errno;
	int events = openat(root, "events", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return events < 0 ? -errno : events;
}

static int read_id(int events, const char *path, uint64_t *ret)
{
	cleanup(close_fd) int fd = openat(events, path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

	if (n < 0)
		return -errno;
	return span_u64(span_trim((struct span){ text, (size_t)n }), ret) ? 0 : -EBADMSG;
}

int count_event_resolve(struct count_event *e, struct note *note)
{
	struct span rest = span_from(e->text), system, name;
	char path[96];

	if (e->kind != COUNT_TRACEPOINT)
		return 0;
	span_until(&rest, ':', &system);
	if (!span_until(&rest, ':', &name))
		name = rest;
	snprintf(path, sizeof path, "%.*s/%.*s/id", (int)system.n, system.p, (int)name.n, name.p);
	cleanup(close_fd) int events = tracefs_open();
	if (events < 0)
		return note_set(note, events, "needs tracefs: %s",
				events == -EPERM || events == -EACCES ? "it is root's" : strerror(-events));
	int r = read_id(events, path, &e->config);
	if (r == -ENOENT)
		return note_set(note, r, "this kernel has no tracepoint '%s'", e->text);
	return r < 0 ? note_set(note, r, "tracepoint '%s': %s", e->text, strerror(-r)) : 0;
}
