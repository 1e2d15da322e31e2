#include "dig/symbol/kernel_symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

void kernel_symbols_deinit(struct kernel_symbols *k)
{
	vec_free(&k->entry);
	buf_deinit(&k->names);
}

static int add_name(struct kernel_symbols *k, struct span a, uint32_t *ret)
{
	if (k->names.n + a.n + 1 > UINT32_MAX)
		return -EFBIG;
	*ret = (uint32_t)k->names.n;
	return buf_append(&k->names, a.p, a.n) < 0 || buf_append(&k->names, "", 1) < 0 ? -ENOMEM : 0;
}

/* Symbols of one module stand together, so that its name is kept once for nearly all. */
static int module_name(struct kernel_symbols *k, struct span module, uint32_t *last)
{
	const char *known = k->names.data + *last;

	if (strlen(known) == module.n && memcmp(known, module.p, module.n) == 0)
		return 0;
	return add_name(k, module, last);
}

static bool is_function(struct span type)
{
	return type.n == 1 && strchr("tTwW", type.p[0]);
}

static int parse_line(struct kernel_symbols *k, struct span line, uint32_t *module)
{
	struct span address, type, name, of = SPAN("[kernel]");
	struct kernel_symbol *to;
	uint64_t at;
	uint32_t offset;
	int rc;

	if (!span_word(&line, &address) || !span_word(&line, &type) || !is_function(type) || !span_word(&line, &name) ||
	    !span_hex(address, &at))
		return 0;
	if (!at) {
		k->hidden++;
		return 0;
	}
	(void)span_word(&line, &of);
	rc = module_name(k, of, module);
	if (rc == 0)
		rc = add_name(k, name, &offset);
	if (rc < 0)
		return rc;
	to = vec_push(&k->entry);
	if (!to)
		return -ENOMEM;
	*to = (struct kernel_symbol){ at, offset, *module };
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct kernel_symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return (x->name > y->name) - (x->name < y->name); /* the order of the file */
}

/* One entry an address: the first. */
static void keep_first(struct kernel_symbols *k)
{
	size_t n = 0;

	vec_each(e, &k->entry)
		if (!n || k->entry.v[n - 1].address != e->address)
			k->entry.v[n++] = *e;
	k->entry.n = n;
}

int kernel_symbols_parse(struct span text, struct kernel_symbols *ret)
{
	struct kernel_symbols k = { 0 };
	struct span line;
	uint32_t module;
	int rc = add_name(&k, SPAN("[kernel]"), &module);

	while (rc == 0 && span_line(&text, &line))
		rc = parse_line(&k, line, &module);
	if (rc < 0) {
		kernel_symbols_deinit(&k);
		return rc;
	}
	if (k.entry.n)
		qsort(k.entry.v, k.entry.n, sizeof *k.entry.v, by_address);
	keep_first(&k);
	*ret = k;
	return 0;
}

static int read_file(const char *path, struct buf *to)
{
	cleanup(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0) {
		if (buf_reserve(to, 1 << 20) < 0)
			return -ENOMEM;
		n = read(fd, to->data + to->n, 1 << 20);
		if (n < 0)
			return -errno;
		to->n += (size_t)n;
	}
	to->data[to->n] = '\0';
	return 0;
}

int kernel_symbols_read(struct kernel_symbols *ret)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	int rc = read_file("/proc/kallsyms", &text);

	return rc < 0 ? rc : kernel_symbols_parse(buf_span(&text), ret);
}

const char *kernel_symbols_why(const struct kernel_symbols *k, int read)
{
	if (read == -ENOENT)
		return "this kernel has no /proc/kallsyms";
	if (read < 0)
		return strerror(-read);
	if (k->entry.n)
		return NULL;
	return k->hidden ? "the kernel hides its addresses: needs CAP_SYSLOG (root)" :
	       "/proc/kallsyms names no function";
}

bool kernel_symbols_find(const struct kernel_symbols *k, uint64_t address, const char **ret_name,
			 const char **ret_module, uint64_t *ret_offset)
{
	size_t low = 0, high = k->entry.n;
	const struct kernel_symbol *e;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->entry.v[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	e = low ? &k->entry.v[low - 1] : NULL;
	if (!e || address - e->address >= KERNEL_FUNCTION_MAX)
		return false;
	*ret_name = k->names.data + e->name;
	*ret_module = k->names.data + e->module;
	*ret_offset = address - e->address;
	return true;
}
