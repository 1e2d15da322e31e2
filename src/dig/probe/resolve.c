#include "dig/probe/resolve.h"

#include <bpf/btf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/closest.h"
#include "base/map.h"
#include "dig/probe/tracepoint.h"
#include "dig/probe/usdt.h"
#include "dig/probe/user_arguments.h"
#include "dig/probe/user_file.h"

struct search {
	struct probe_world *world;
	const struct probe_spec *spec;
	size_t clause;
	probe_variant_vec *ret;
	struct probe_error *error;
	struct note *note;
	size_t found;
	/* For what was not found. */
	struct closest near;
	char wrong[128], nearest[300];
	/* Of a file. */
	char path[PATH_MAX];
	struct elf_image *elf;
	struct user_debug debug;
	struct map seen; /* offsets, for functions with several names */
};

void probe_world_deinit(struct probe_world *w)
{
	if (w->tracefs >= 0)
		close(w->tracefs);
	w->tracefs = -1;
	kernel_types_deinit(&w->types);
}

static int tracefs_of(struct search *s)
{
	if (s->world->tracefs < 0) {
		int fd = tracefs_open(s->note);
		if (fd < 0)
			return fd;
		s->world->tracefs = fd;
	}
	return 0;
}

static struct probe_site *add_site(struct search *s, probe_argument_vec *argument, const char *name)
{
	struct probe_variant *v = probe_variant_for(s->ret, s->spec->kind, s->clause, argument);
	struct probe_site *site = v ? vec_push(&v->site) : NULL;

	if (!site)
		return NULL;
	s->found++;
	if (asprintf(&site->name, "%s:%s", probe_kind_names[s->spec->kind], name) < 0)
		site->name = NULL;
	return site->name ? site : NULL;
}

static bool too_many(const struct search *s)
{
	return s->found >= s->world->max_sites;
}

static int tell_too_many(struct search *s)
{
	return probe_error_set(s->error, s->spec->name_column, "this matches more than %zu places; a narrower pattern, please",
			       s->world->max_sites);
}

/* ---- what was not found ---- */

/* Offers live as long as the call only, so the best is copied. */
static void offer(struct search *s, const char *candidate)
{
	struct closest before = s->near;

	closest_offer(&s->near, s->wrong, candidate);
	if (s->near.word != before.word || s->near.distance != before.distance) {
		snprintf(s->nearest, sizeof s->nearest, "%s", candidate);
		s->near.word = s->nearest;
	}
}

static int not_found(struct search *s, const char *what, const char *where)
{
	bool hint = s->near.word && !probe_has_pattern(s->spec->name) &&
		    (s->near.distance == 0 || s->near.distance <= strlen(s->wrong) / 2);

	return probe_error_set(s->error, s->spec->name_column, "%.120s has no %s '%.60s'%s%.80s%s", where, what,
			       s->wrong[0] ? s->wrong : "*", hint ? "; closest is '" : "", hint ? s->nearest : "", hint ? "'" : "");
}

/* ---- tracepoints ---- */

static int add_tracepoint(void *arg, const char *group, const char *name)
{
	struct search *s = arg;
	probe_argument_vec argument = { 0 };
	struct probe_site *site;
	char full[270];
	uint64_t id = 0;
	int r = 0;

	if (too_many(s))
		return tell_too_many(s);
	if (!s->world->names_only)
		r = tracepoint_read(s->world->tracefs, group, name, &id, &argument);
	if (r == -ENOENT) { /* some have no id: they are ftrace's own */
		vec_free(&argument);
		return 0;
	}
	if (r < 0) {
		vec_free(&argument);
		return note_set(s->note, r, "tracepoint %s:%s: %s", group, name, strerror(-r));
	}
	snprintf(full, sizeof full, "%s:%s", group, name);
	site = add_site(s, &argument, full);
	if (!site)
		return -ENOMEM;
	site->id = id;
	return 0;
}

static int offer_tracepoint(void *arg, const char *group, const char *name)
{
	struct search *s = arg;
	char full[270];

	snprintf(full, sizeof full, "%s:%s", group, name);
	offer(s, full);
	return 0;
}

static int resolve_tracepoint(struct search *s)
{
	const struct probe_spec *spec = s->spec;
	struct span any = SPAN("*");
	int r = tracefs_of(s);

	r = r < 0 ? r : tracepoints_each(s->world->tracefs, spec->group.n ? spec->group : any, spec->name.n ? spec->name : any,
					 add_tracepoint, s);
	if (r < 0 || s->found)
		return r;
	snprintf(s->wrong, sizeof s->wrong, "%.*s:%.*s", (int)spec->group.n, spec->group.p, (int)spec->name.n, spec->name.p);
	r = tracepoints_each(s->world->tracefs, any, any, offer_tracepoint, s);
	return r < 0 ? r : not_found(s, "tracepoint", "this kernel");
}

static int add_raw(void *arg, const char *name)
{
	struct search *s = arg;
	probe_argument_vec argument = { 0 };

	if (too_many(s))
		return tell_too_many(s);
	int r = raw_tracepoint_read(&s->world->types, name, &argument);
	if (r < 0) {
		vec_free(&argument);
		return r;
	}
	struct probe_site *site = add_site(s, &argument, name);
	if (!site)
		return -ENOMEM;
	site->function = strdup(name);
	return site->function ? 0 : -ENOMEM;
}

static int offer_name(void *arg, const char *name)
{
	offer(arg, name);
	return 0;
}

static int resolve_raw(struct search *s)
{
	struct span any = SPAN("*");
	int r = raw_tracepoints_each(&s->world->types, s->spec->name.n ? s->spec->name : any, add_raw, s);

	if (r == -EOPNOTSUPP)
		return note_set(s->note, r, "raw tracepoints: not measurable: %s", s->world->types.why);
	if (r < 0 || s->found)
		return r;
	r = raw_tracepoints_each(&s->world->types, any, offer_name, s);
	return r < 0 ? r : not_found(s, "raw tracepoint", "this kernel");
}

/* ---- kernel functions ---- */

static int kernel_arguments(struct search *s, const char *name, probe_argument_vec *ret)
{
	const struct btf *btf = s->world->names_only ? NULL : kernel_types(&s->world->types);
	int32_t id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) : -ENOENT;

	if (s->spec->kind == PROBE_KRETPROBE)
		return probe_result_argument(ret);
	/* Within a function its arguments may have left their registers. */
	if (id <= 0 || s->spec->offset)
		return probe_register_arguments(ret);
	return kernel_prototype(&s->world->types, btf__type_by_id(btf, (uint32_t)id)->type, 0, false, ret);
}

static int add_kernel_function(void *arg, const char *name)
{
	struct search *s = arg;
	probe_argument_vec argument = { 0 };
	char full[200];

	if (too_many(s))
		return tell_too_many(s);
	int r = kernel_arguments(s, name, &argument);
	if (r < 0) {
		vec_free(&argument);
		return r;
	}
	if (s->spec->offset)
		snprintf(full, sizeof full, "%s+0x%llx", name, (unsigned long long)s->spec->offset);
	else
		snprintf(full, sizeof full, "%s", name);
	struct probe_site *site = add_site(s, &argument, full);
	if (!site)
		return -ENOMEM;
	site->offset = s->spec->offset;
	site->function = strdup(name);
	return site->function ? 0 : -ENOMEM;
}

static int resolve_kernel_function(struct search *s)
{
	struct span any = SPAN("*");
	uint32_t type;
	int r = kprobes_there(&type, s->note);

	if (r < 0)
		return r;
	int tracefs = tracefs_of(s) < 0 ? -1 : s->world->tracefs;
	r = kernel_functions_each(tracefs, s->spec->name.n ? s->spec->name : any, add_kernel_function, s);
	if (r < 0 || s->found)
		return r;
	r = kernel_functions_each(tracefs, any, offer_name, s);
	return r < 0 ? r : not_found(s, "function for kprobes called", "this kernel");
}

/* ---- user files ---- */

static int open_file(struct search *s)
{
	struct note note = { "" };
	int r = user_file_find(s->spec->file, s->world->pid, s->path, sizeof s->path, &note);

	if (r == -ENOENT || r == -EINVAL)
		return probe_error_set(s->error, s->spec->file_column, "%s", note.text);
	if (r < 0)
		return note_set(s->note, r, "%s", note.text);
	r = elf_image_open(s->path, &s->elf, &note);
	if (r < 0)
		return probe_error_set(s->error, s->spec->file_column, "%s: no program or library (64-bit ELF): %s", s->path,
				       note.text[0] ? note.text : strerror(-r));
	return 0;
}

/* The path as a process calls it: without /proc/PID/root. */
static const char *path_in_process(const struct search *s)
{
	const char *root = s->world->pid && strncmp(s->path, "/proc/", 6) == 0 ? strstr(s->path, "/root/") : NULL;

	return root ? root + 5 : s->path;
}

static int site_in_file(struct search *s, probe_argument_vec *argument, const char *name, uint64_t offset)
{
	char *full = NULL;

	if (asprintf(&full, "%s:%s", path_in_process(s), name) < 0) {
		vec_free(argument);
		return -ENOMEM;
	}
	struct probe_site *site = add_site(s, argument, full);
	free(full);
	if (!site)
		return -ENOMEM;
	site->offset = offset;
	site->path = strdup(s->path);
	return site->path ? 0 : -ENOMEM;
}

/* Each description of its own is a program of its own, and values of different types do not add up: what a pattern
 * matches goes by register. So do places within a function, since there its arguments may have moved on. */
static int user_arguments(struct search *s, const char *name, uint64_t offset, probe_argument_vec *ret)
{
	const struct user_function f = { s->elf, path_in_process(s), s->world->pid, name, offset };
	bool result = s->spec->kind == PROBE_URETPROBE, one = !probe_has_pattern(s->spec->name) && s->spec->name.n;
	int r = -ENOENT;

	if (!s->world->names_only && !s->spec->offset && (one || s->world->describe_all))
		r = user_arguments_described(&s->debug, &f, result, ret);
	if (r != -ENOENT)
		return r;
	return result ? probe_result_argument(ret) : probe_register_arguments(ret);
}

static int add_function(void *arg, const char *name, uint64_t offset)
{
	struct search *s = arg;
	probe_argument_vec argument = { 0 };
	char full[300];
	int r;

	if (map_get(&s->seen, offset + 1) != MAP_NONE)
		return 0;
	if (too_many(s))
		return tell_too_many(s);
	r = map_set(&s->seen, offset + 1, 1);
	r = r < 0 ? r : user_arguments(s, name, offset, &argument);
	if (r < 0) {
		vec_free(&argument);
		return r;
	}
	if (s->spec->offset)
		snprintf(full, sizeof full, "%.200s+0x%llx", name, (unsigned long long)s->spec->offset);
	else
		snprintf(full, sizeof full, "%.280s", name);
	return site_in_file(s, &argument, full, offset + s->spec->offset);
}

static int offer_function(void *arg, const char *name, uint64_t offset)
{
	(void)offset;
	offer(arg, name);
	return 0;
}

static int resolve_function(struct search *s)
{
	struct span any = SPAN("*");
	uint64_t address, offset;
	int r = open_file(s);

	if (r < 0)
		return r;
	/* "0x1234": an address of the file, for what has lost its symbols. */
	if (span_starts(s->spec->name, "0x") && span_hex(s->spec->name, &address)) {
		char name[32];
		if (user_offset_of(s->elf, address, &offset) < 0)
			return probe_error_set(s->error, s->spec->name_column, "%s has no code at this address", s->path);
		span_copy(s->spec->name, name, sizeof name);
		return add_function(s, name, offset);
	}
	r = user_functions_each(s->elf, s->spec->name.n ? s->spec->name : any, add_function, s);
	if (r == -ENOENT)
		return probe_error_set(s->error, s->spec->file_column,
				       "%s has no symbols: it is stripped; an address (0x…) can be probed", s->path);
	if (r < 0 || s->found)
		return r;
	r = user_functions_each(s->elf, any, offer_function, s);
	return r < 0 ? r : not_found(s, "function", s->path);
}

static bool find_symbol(void *arg, struct span name, uint64_t *ret_address)
{
	return user_symbol_find(arg, name, ret_address);
}

static int add_usdt(struct search *s, const struct usdt *u)
{
	struct usdt_symbols symbols = { find_symbol, s->elf, u->address };
	probe_argument_vec argument = { 0 };
	char full[200];
	uint64_t offset, semaphore = 0;

	if (user_offset_of(s->elf, u->address, &offset) < 0 ||
	    (u->semaphore && user_offset_of(s->elf, u->semaphore, &semaphore) < 0))
		return 0; /* nothing that is mapped */
	if (too_many(s))
		return tell_too_many(s);
	int r = usdt_arguments_parse(u->arguments, &symbols, &argument);
	if (r < 0) {
		vec_free(&argument);
		return r;
	}
	snprintf(full, sizeof full, "%.*s:%.*s", (int)(u->provider.n > 80 ? 80 : u->provider.n), u->provider.p,
		 (int)(u->name.n > 100 ? 100 : u->name.n), u->name.p);
	r = site_in_file(s, &argument, full, offset);
	if (r == 0) {
		/* It went to the end of its variant. */
		vec_each(v, s->ret)
			if (v->clause == s->clause && v->site.n && v->site.v[v->site.n - 1].offset == offset)
				v->site.v[v->site.n - 1].semaphore = semaphore;
	}
	return r;
}

static int resolve_usdt(struct search *s)
{
	struct span any = SPAN("*");
	usdt_vec notes = { 0 };
	int r = open_file(s);

	if (r < 0)
		return r;
	r = usdt_read(s->elf, &notes);
	if (r == -ENOENT) {
		r = probe_error_set(s->error, s->spec->file_column, "%s has no USDT probes (no section .note.stapsdt)", s->path);
		goto out;
	}
	r = r == -EBADMSG ? 0 : r; /* those before the damage are good */
	span_copy(s->spec->name, s->wrong, sizeof s->wrong);
	vec_each(u, &notes) {
		char name[128];

		if (r < 0)
			break;
		span_copy(u->name, name, sizeof name);
		offer(s, name);
		if (probe_matches(s->spec->group.n ? s->spec->group : any, u->provider) &&
		    probe_matches(s->spec->name.n ? s->spec->name : any, u->name))
			r = add_usdt(s, u);
	}
	if (r == 0 && s->found == 0)
		r = not_found(s, "USDT probe", s->path);
out:
	vec_free(&notes);
	return r;
}

int probe_resolve(struct probe_world *w, const struct probe_spec *spec, size_t clause, probe_variant_vec *ret,
		  struct probe_error *ret_error, struct note *note)
{
	struct search *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->world = w;
	s->spec = spec;
	s->clause = clause;
	s->ret = ret;
	s->error = ret_error;
	s->note = note;
	span_copy(spec->name, s->wrong, sizeof s->wrong);
	switch (spec->kind) {
	case PROBE_TRACEPOINT:
		r = resolve_tracepoint(s);
		break;
	case PROBE_RAW_TRACEPOINT:
		r = resolve_raw(s);
		break;
	case PROBE_KPROBE:
	case PROBE_KRETPROBE:
		r = resolve_kernel_function(s);
		break;
	case PROBE_USDT:
		r = resolve_usdt(s);
		break;
	default:
		r = resolve_function(s);
	}
	user_debug_deinit(&s->debug);
	elf_image_free(s->elf);
	map_deinit(&s->seen);
	free(s);
	return r;
}
