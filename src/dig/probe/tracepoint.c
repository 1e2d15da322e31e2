#include "dig/probe/tracepoint.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

static int read_at(int dir, const char *path, struct buf *ret)
{
	cleanup(close_fd) int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret->n = 0;
	for (;;) {
		if (buf_reserve(ret, 8192) < 0)
			return -ENOMEM;
		ssize_t n = read(fd, ret->data + ret->n, 8192);
		if (n < 0)
			return -errno;
		ret->n += (size_t)n;
		ret->data[ret->n] = '\0';
		if (n == 0)
			return 0;
	}
}

/* ---- tracefs ---- */

static int mount_detached(void)
{
	cleanup(close_fd) int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	long fd = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	return fd < 0 ? -errno : (int)fd;
}

static int open_mounted(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (faccessat(fd, "events/header_page", F_OK, 0) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

int tracefs_open(struct note *note)
{
	int fd = open_mounted("/sys/kernel/tracing");

	if (fd < 0)
		fd = open_mounted("/sys/kernel/debug/tracing");
	if (fd < 0)
		fd = mount_detached();
	if (fd == -ENODEV)
		return note_set(note, -EOPNOTSUPP, "tracepoints: this kernel has no tracefs (needs CONFIG_TRACING)");
	if (fd == -EPERM || fd == -EACCES)
		return note_set(note, fd, "tracepoints: /sys/kernel/tracing cannot be read; needs root (CAP_SYS_ADMIN where it is "
					  "not mounted)");
	if (fd < 0)
		return note_set(note, fd, "tracepoints: tracefs is not mounted and cannot be: %s", strerror(-fd));
	return fd;
}

/* ---- formats ---- */

static bool take_number(struct span *line, const char *key, uint64_t *ret)
{
	const char *at = memmem(line->p, line->n, key, strlen(key));

	if (!at)
		return false;
	struct span rest = { at + strlen(key), (size_t)(line->p + line->n - at) - strlen(key) }, value;

	return span_until(&rest, ';', &value) && span_u64(span_trim(value), ret);
}

/* "char prev_comm[16]", "__data_loc char[] filename", "const char * name", "unsigned long args[6]" */
static void split_declaration(struct span d, struct probe_argument *a, uint64_t size)
{
	struct span name, type = d;
	uint64_t n = 0;

	d = span_trim(d);
	if (d.n && d.p[d.n - 1] == ']' && memrchr(d.p, '[', d.n)) {
		const char *open = memrchr(d.p, '[', d.n);
		struct span count = { open + 1, (size_t)(d.p + d.n - 1 - open) - 1 };
		/* The number may be the name of a constant: then the size tells. */
		n = span_u64(count, &n) && n ? n : size;
		d.n = (size_t)(open - d.p);
	}
	size_t i = d.n;
	while (i && d.p[i - 1] != ' ' && d.p[i - 1] != '*')
		i--;
	name = (struct span){ d.p + i, d.n - i };
	type = span_trim((struct span){ d.p, i });
	span_copy(name, a->name, sizeof a->name);
	span_copy(type, a->type, sizeof a->type);
	a->elements = (uint16_t)(n > UINT16_MAX ? 0 : n);
}

static void classify(struct probe_argument *a, uint64_t offset, uint64_t size, bool is_signed)
{
	struct span type = span_from(a->type);
	bool relative = span_starts(type, "__rel_loc "), dynamic = relative || span_starts(type, "__data_loc ");

	a->offset = (int32_t)offset;
	a->index_register = -1;
	a->is_signed = is_signed;
	a->is_pointer = !dynamic && a->type[0] && a->type[type.n - 1] == '*';
	if (dynamic) {
		a->elements = 1;
		a->bytes = 4;
		a->constant = relative ? (int64_t)offset + 4 : 0;
		a->place = strstr(a->type, "char") ? PLACE_DATA_LOC : PLACE_NOWHERE;
		return;
	}
	if (a->elements && strcmp(a->type, "char") == 0) {
		a->place = PLACE_CONTEXT_TEXT;
		a->bytes = (uint16_t)size;
		a->elements = 1;
		return;
	}
	uint64_t element = a->elements > 1 ? size / a->elements : size;
	a->elements = a->elements ? a->elements : 1;
	a->bytes = (uint16_t)element;
	a->place = (element == 1 || element == 2 || element == 4 || element == 8) && element * a->elements == size ?
			   PLACE_CONTEXT :
			   PLACE_NOWHERE;
}

static int parse_field(struct span line, probe_argument_vec *ret)
{
	struct span declaration;
	uint64_t offset, size, is_signed = 0;

	if (!span_until(&line, ';', &declaration) || !take_number(&line, "offset:", &offset) ||
	    !take_number(&line, "size:", &size) || offset > 8192 || size > 8192)
		return -EBADMSG;
	take_number(&line, "signed:", &is_signed);
	if (offset < 8)
		return 0; /* the common ones: their place holds something else when a BPF program runs */
	struct probe_argument *a = vec_push(ret);
	if (!a)
		return -ENOMEM;
	split_declaration(declaration, a, size);
	classify(a, offset, size, is_signed != 0);
	if (strncmp(a->name, "common_", 7) == 0 || strcmp(a->name, "__syscall_nr") == 0)
		ret->n--;
	return 0;
}

int tracepoint_format_parse(struct span text, uint64_t *ret_id, probe_argument_vec *ret)
{
	struct span line;
	uint64_t id = UINT64_MAX;

	while (span_line(&text, &line)) {
		line = span_trim(line);
		if (span_take(&line, "ID:")) {
			if (!span_u64(span_trim(line), &id))
				return -EBADMSG;
		} else if (span_take(&line, "field:")) {
			int r = parse_field(line, ret);
			if (r < 0)
				return r;
		}
	}
	if (id == UINT64_MAX)
		return -EBADMSG;
	*ret_id = id;
	return 0;
}

int tracepoint_read(int tracefs, const char *group, const char *event, uint64_t *ret_id, probe_argument_vec *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	char path[300];

	if (snprintf(path, sizeof path, "events/%s/%s/format", group, event) >= (int)sizeof path || strchr(group, '/') ||
	    strchr(event, '/'))
		return -ENOENT;
	int r = read_at(tracefs, path, &text);
	return r < 0 ? r : tracepoint_format_parse(buf_span(&text), ret_id, ret);
}

/* ---- lists ---- */

int tracepoints_each(int tracefs, struct span group, struct span name,
		     int (*each)(void *arg, const char *group, const char *name), void *arg)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest, line, of;
	int r = read_at(tracefs, "available_events", &text);

	if (r < 0)
		return r;
	rest = buf_span(&text);
	while (r == 0 && span_line(&rest, &line)) {
		char g[128], n[128];

		if (!span_until(&line, ':', &of) || !probe_matches(group, of) || !probe_matches(name, line))
			continue;
		span_copy(of, g, sizeof g);
		span_copy(line, n, sizeof n);
		r = each(arg, g, n);
	}
	return r;
}

#define RAW_PREFIX "btf_trace_"

int raw_tracepoints_each(struct kernel_types *t, struct span name, int (*each)(void *arg, const char *name), void *arg)
{
	const struct btf *btf = kernel_types(t);
	int r = 0;

	if (!btf)
		return -EOPNOTSUPP;
	for (uint32_t i = 1; r == 0 && i < btf__type_cnt(btf); i++) {
		const struct btf_type *type = btf__type_by_id(btf, i);
		if (!btf_is_typedef(type))
			continue;
		const char *own = btf__name_by_offset(btf, type->name_off);
		if (strncmp(own, RAW_PREFIX, sizeof RAW_PREFIX - 1) == 0 &&
		    probe_matches(name, span_from(own + sizeof RAW_PREFIX - 1)))
			r = each(arg, own + sizeof RAW_PREFIX - 1);
	}
	return r;
}

int raw_tracepoint_read(struct kernel_types *t, const char *name, probe_argument_vec *ret)
{
	const struct btf *btf = kernel_types(t);
	char full[160];

	if (!btf)
		return -EOPNOTSUPP;
	snprintf(full, sizeof full, RAW_PREFIX "%s", name);
	int32_t id = btf__find_by_name_kind(btf, full, BTF_KIND_TYPEDEF);
	if (id <= 0)
		return -ENOENT;
	/* The function that calls who is attached has names for the arguments (since 5.10), the type has none. */
	snprintf(full, sizeof full, "__traceiter_%s", name);
	int32_t caller = btf__find_by_name_kind(btf, full, BTF_KIND_FUNC);
	if (caller > 0)
		return kernel_prototype(t, btf__type_by_id(btf, (uint32_t)caller)->type, 1, true, ret);
	const struct btf_type *type = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	/* A pointer to a function whose first argument is the private data of who attached. */
	return btf_is_ptr(type) ? kernel_prototype(t, type->type, 1, true, ret) : -ENOENT;
}

int kprobes_there(uint32_t *ret_type, struct note *note)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	uint64_t type;
	int r = read_at(AT_FDCWD, "/sys/bus/event_source/devices/kprobe/type", &text);

	if (r < 0 || !span_u64(span_trim(buf_span(&text)), &type))
		return note_set(note, -EOPNOTSUPP, "kprobes: not measurable: needs CONFIG_KPROBES, which this kernel lacks");
	*ret_type = (uint32_t)type;
	return 0;
}

static bool symbol_line(struct span line, bool kallsyms, struct span *ret)
{
	struct span type;

	if (!kallsyms)
		return span_word(&line, ret);
	if (!span_word(&line, ret) || !span_word(&line, &type) || !span_word(&line, ret))
		return false;
	return type.n == 1 && (type.p[0] == 't' || type.p[0] == 'T' || type.p[0] == 'w' || type.p[0] == 'W');
}

int kernel_functions_each(int tracefs, struct span name, int (*each)(void *arg, const char *name), void *arg)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct span rest, line, symbol;
	int r = tracefs >= 0 ? read_at(tracefs, "available_filter_functions", &text) : -ENOENT;
	bool kallsyms = r < 0 || text.n == 0;

	if (kallsyms)
		r = read_at(AT_FDCWD, "/proc/kallsyms", &text);
	if (r < 0)
		return r;
	rest = buf_span(&text);
	while (r == 0 && span_line(&rest, &line)) {
		char own[160];

		if (!symbol_line(line, kallsyms, &symbol) || !probe_matches(name, symbol))
			continue;
		span_copy(symbol, own, sizeof own);
		r = each(arg, own);
	}
	return r;
}
