#include "dig/trace/trace_filter.h"

#include <errno.h>
#include <string.h>

#include "base/closest.h"
#include "dig/trace/flag_names.h"

void trace_filter_init(struct trace_filter *f)
{
	memset(f, 0, sizeof *f);
	f->all_calls = true;
	for (unsigned i = 0; i < TRACE_CALLS; i++) {
		f->call[i] = syscall_capture(i);
		f->call[i].flags |= CALL_WANTED;
	}
}

static void choose(struct trace_filter *f, unsigned call, bool wanted)
{
	f->call[call].flags = (uint8_t)((f->call[call].flags & ~CALL_WANTED) | (wanted ? CALL_WANTED : 0));
}

static int unknown(struct note *note, struct span word)
{
	char text[64];
	struct closest near = { NULL, 0 };

	span_copy(word, text, sizeof text);
	for (unsigned i = 0; i < TRACE_CALLS; i++)
		if (syscall_entry(i))
			closest_offer(&near, text, syscall_entry(i)->name);
	if (text[0] == '%')
		return note_set(note, -EINVAL, "there is no class '%s' of calls (%%file, %%process, %%network, %%signal, %%ipc, %%desc, "
					       "%%memory, %%creds, %%clock)", text);
	return note_set(note, -EINVAL, "there is no system call '%s'%s%s%s", text,
			near.word ? "; do you mean '" : "", near.word ? near.word : "", near.word ? "'?" : "");
}

int trace_filter_calls(struct trace_filter *f, struct span words, struct note *note)
{
	struct span word;
	bool first = f->all_calls;

	while (words.n) {
		if (!span_until(&words, ',', &word)) {
			word = words;
			words.n = 0;
		}
		bool wanted = !span_take(&word, "!");
		if (first)
			for (unsigned i = 0; i < TRACE_CALLS; i++)
				choose(f, i, !wanted);
		f->all_calls = first = false;
		int class = word.n && word.p[0] == '%' ? syscall_class((struct span){ word.p + 1, word.n - 1 }) : -ENOENT;
		int number = class < 0 ? syscall_number(word) : -ENOENT;
		if (class < 0 && number < 0)
			return unknown(note, word);
		for (unsigned i = 0; i < TRACE_CALLS; i++)
			if (syscall_entry(i) && (class >= 0 ? syscall_entry(i)->classes >> class & 1 : (int)i == number))
				choose(f, i, wanted);
	}
	return 0;
}

int trace_filter_errors(struct trace_filter *f, struct span words, struct note *note)
{
	struct span word;

	f->settings.failed_only = 1;
	if (span_is(words, "any"))
		return 0;
	f->settings.errnos = 1;
	while (words.n) {
		char text[32];

		if (!span_until(&words, ',', &word)) {
			word = words;
			words.n = 0;
		}
		span_copy(word, text, sizeof text);
		int error = errno_number(text);
		if (error < 0)
			return note_set(note, -EINVAL, "there is no error '%s' (as in ENOENT,EACCES; any: every failure)", text);
		f->settings.errno_wanted[error / 64] |= UINT64_C(1) << error % 64;
	}
	return 0;
}

int trace_filter_path(struct trace_filter *f, struct span pattern, struct note *note)
{
	struct trace_path_filter *to = &f->settings.path[f->settings.npaths];
	struct span prefix = pattern, suffix = { "", 0 };

	if (f->settings.npaths == TRACE_PATHS)
		return note_set(note, -EINVAL, "at most %d paths can be looked for at once", TRACE_PATHS);
	to->exact = span_take(&prefix, "=");
	const char *star = prefix.n ? memchr(prefix.p, '*', prefix.n) : NULL;
	if (star && !to->exact) {
		suffix = (struct span){ star + 1, prefix.n - (size_t)(star + 1 - prefix.p) };
		prefix.n = (size_t)(star - prefix.p);
	}
	if (suffix.n && memchr(suffix.p, '*', suffix.n))
		return note_set(note, -EINVAL, "a path can have one * (as in /usr/lib*.so)");
	if (prefix.n > TRACE_PATH_MAX || suffix.n > TRACE_PATH_MAX)
		return note_set(note, -EINVAL, "a path to look for has %d bytes at most on each side of its *", TRACE_PATH_MAX);
	if (!pattern.n)
		return note_set(note, -EINVAL, "the path to look for is empty");
	memcpy(to->prefix, prefix.p, prefix.n);
	memcpy(to->suffix, suffix.p, suffix.n);
	to->prefix_size = (uint8_t)prefix.n;
	to->suffix_size = (uint8_t)suffix.n;
	f->settings.npaths++;
	return 0;
}

int trace_filter_fd(struct trace_filter *f, struct span words, struct note *note)
{
	struct span word;
	uint64_t fd;

	while (words.n) {
		if (!span_until(&words, ',', &word)) {
			word = words;
			words.n = 0;
		}
		if (!span_u64(word, &fd) || fd > INT32_MAX)
			return note_set(note, -EINVAL, "a descriptor is a number, as in --fd 3,4");
		if (f->settings.nfds == TRACE_FILTER_FDS)
			return note_set(note, -EINVAL, "at most %d descriptors can be looked for at once", TRACE_FILTER_FDS);
		f->settings.fd[f->settings.nfds++] = (int32_t)fd;
	}
	return 0;
}

bool trace_filter_fds_fit(const struct trace_filter *f, const struct trace_record *r)
{
	if (!f->settings.nfds)
		return true;
	for (unsigned i = 0; i < TRACE_ARGUMENTS; i++) {
		if (!(f->call[r->call % TRACE_CALLS].fds >> i & 1))
			continue;
		for (unsigned k = 0; k < f->settings.nfds; k++)
			if (f->settings.fd[k] == (int32_t)r->argument[i])
				return true;
	}
	return false;
}

bool trace_filter_path_fits(const struct trace_filter *f, struct span path)
{
	for (unsigned i = 0; i < f->settings.npaths; i++) {
		const struct trace_path_filter *p = &f->settings.path[i];

		if (p->prefix_size <= path.n && p->suffix_size <= path.n && (!p->exact || path.n == p->prefix_size) &&
		    memcmp(path.p, p->prefix, p->prefix_size) == 0 &&
		    memcmp(path.p + path.n - p->suffix_size, p->suffix, p->suffix_size) == 0)
			return true;
	}
	return false;
}

static bool paths_fit(const struct trace_filter *f, const struct trace_event *e)
{
	uint8_t paths = f->call[e->record->call % TRACE_CALLS].paths;

	for (unsigned i = 0; i < e->nparts; i++) {
		if (e->part[i].argument >= TRACE_ARGUMENTS || !(paths >> e->part[i].argument & 1))
			continue;
		struct span path = { e->part[i].bytes.p, strnlen(e->part[i].bytes.p, e->part[i].bytes.n) };
		if (trace_filter_path_fits(f, path))
			return true;
	}
	return false;
}

bool trace_filter_fits(const struct trace_filter *f, const struct trace_event *e)
{
	const struct trace_record *r = e->record;
	int error = trace_event_error(e);

	if (f->settings.slower_ns && ((r->flags & RECORD_UNFINISHED) || r->duration_ns < f->settings.slower_ns))
		return false;
	if (f->settings.failed_only && !error)
		return false;
	if (f->settings.errnos && (error >= 256 || !(f->settings.errno_wanted[error / 64] >> error % 64 & 1)))
		return false;
	return !f->settings.npaths || (r->flags & RECORD_AT_PATH) || paths_fit(f, e);
}
