#include "view/log_symbol.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether the bytes that the kernel wrote down stand in the file, as far as both go. */
static bool same_code(const struct log_fault *f, const struct elf_symbol *s)
{
	size_t before = f->code_ip < s->code_ip ? f->code_ip : s->code_ip;
	size_t behind = f->code_length - f->code_ip, there = s->code_length - s->code_ip;

	if (there < behind)
		behind = there;
	return memcmp(f->code + f->code_ip - before, s->code + s->code_ip - before, before + behind) == 0;
}

/* True: no better file is to be looked for. */
static bool try_file(struct host *h, const struct log_fault *f, reading real_ns, const char *path,
		     struct log_symbol *best)
{
	struct elf_place place = { f->ip, f->base, f->size, f->file_offset };
	struct elf_symbol s;
	int r = elf_symbol_find(h, path, &place, &s);

	if (r == -ESRCH || r == -EBADMSG) {
		if (best->state == LOG_SYMBOL_NO_FILE) {
			best->state = LOG_SYMBOL_OTHER;
			snprintf(best->path, sizeof best->path, "%s", path);
		}
		return false;
	}
	if (r < 0)
		return false;
	bool known = f->code_length && s.code_length, same = known && same_code(f, &s);
	bool younger = reading_ok(real_ns) && s.changed_real_ns > real_ns;
	if ((known && !same) || (!known && younger)) {
		if (best->state == LOG_SYMBOL_NO_FILE) {
			best->state = LOG_SYMBOL_OTHER;
			snprintf(best->path, sizeof best->path, "%s", path);
		}
		return false;
	}
	if (!same && best->state > LOG_SYMBOL_OTHER)
		return false;
	best->state = s.name[0] ? LOG_SYMBOL_FOUND : LOG_SYMBOL_STRIPPED;
	best->sure = same;
	best->symbol = s;
	snprintf(best->path, sizeof best->path, "%s", path);
	return same;
}

static bool try_in(struct host *h, const struct log_fault *f, reading real_ns, const char *directory,
		   struct log_symbol *best)
{
	char path[PATH_MAX + sizeof f->module];

	snprintf(path, sizeof path, "%s/%s", directory, f->module);
	return try_file(h, f, real_ns, path, best);
}

/* Once for all: on a host of ten thousand processes it is ten thousand system calls. */
static void read_running(struct host *h, struct log_running *running)
{
	struct buf names = { 0 }, target = { 0 };
	struct span rest, name;
	char last[PATH_MAX] = "", path[64];

	running->read = true;
	if (host_list(h, "/proc", &names) < 0)
		names.n = 0;
	rest = buf_span(&names);
	while (span_line(&rest, &name)) {
		if (name.n == 0 || name.p[0] < '0' || name.p[0] > '9' || name.n > 12)
			continue;
		snprintf(path, sizeof path, "/proc/%.*s/exe", (int)name.n, name.p);
		if (host_readlink(h, path, &target) < 0 || strcmp(target.data, last) == 0)
			continue;
		snprintf(last, sizeof last, "%s", target.data);
		if (!strchr(last, '\n') && buf_printf(&running->paths, "%s\n", last) < 0)
			break; /* without memory, without them */
	}
	buf_deinit(&names);
	buf_deinit(&target);
}

/* Programs that run under that name now: a service that was started again, say. */
static bool try_running(struct host *h, const struct log_fault *f, reading real_ns, struct log_running *running,
			struct log_symbol *best)
{
	struct span rest, line;
	char path[PATH_MAX], last[PATH_MAX] = "";

	if (!running->read)
		read_running(h, running);
	rest = buf_span(&running->paths);
	while (span_line(&rest, &line)) {
		span_copy(line, path, sizeof path);
		if (strcmp(base_name(path), f->module) != 0 || strcmp(path, last) == 0)
			continue;
		memcpy(last, path, sizeof last);
		if (try_file(h, f, real_ns, path, best))
			return true;
	}
	return false;
}

static bool try_usual(struct host *h, const struct log_fault *f, reading real_ns, struct log_symbol *best)
{
	static const char *const of_programs[] = {
		"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/bin", "/sbin", "/usr/libexec", NULL,
	};
	static const char *const of_libraries[] = {
		"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu",
		"/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib", "/lib", "/usr/local/lib", NULL,
	};
	bool library = strstr(f->module, ".so") != NULL;

	for (const char *const *d = library ? of_libraries : of_programs; *d; d++)
		if (try_in(h, f, real_ns, *d, best))
			return true;
	return false;
}

static bool try_here(struct host *h, const struct log_fault *f, reading real_ns, struct log_symbol *best)
{
	char here[PATH_MAX];

	return getcwd(here, sizeof here) && here[0] == '/' && try_in(h, f, real_ns, here, best);
}

int log_symbol_find(struct host *h, const struct log_event *e, reading real_ns, const struct log_wanted *wanted,
		    struct log_running *running, struct log_symbol **ret)
{
	const struct log_fault *f = e->fault;
	struct log_symbol *best = calloc(1, sizeof *best);

	if (!best)
		return -ENOMEM;
	*ret = best;
	/* Anonymous memory, or a name that is none of a file. */
	if (!f->module[0] || strchr(f->module, '/'))
		return 0;
	best->state = LOG_SYMBOL_NO_FILE;
	if (f->exe[0] && strcmp(base_name(f->exe), f->module) == 0 && try_file(h, f, real_ns, f->exe, best))
		return 0;
	for (size_t i = 0; i < wanted->nbinaries; i++)
		if (try_in(h, f, real_ns, wanted->binaries[i], best))
			return 0;
	if (try_usual(h, f, real_ns, best) || try_running(h, f, real_ns, running, best))
		return 0;
	(void)try_here(h, f, real_ns, best);
	return 0;
}
