/* Symbol tables, debug links, packed symbols, names, maps of JITs, the kernel's symbols. The first byte chooses. */
#include <sys/mman.h>
#include <unistd.h>

#include "dig/symbol/debug_file.h"
#include "dig/symbol/demangle.h"
#include "dig/symbol/kernel_symbols.h"
#include "dig/symbol/lines.h"
#include "dig/symbol/perf_map.h"
#include "dig/symbol/prototype.h"
#include "dig/symbol/symbol_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tables(struct span bytes)
{
	struct symbol_table t = { 0 };
	struct elf_image *e;
	uint64_t address, value_size;

	if (elf_image_open_memory(bytes, &e, NULL) < 0)
		return;
	(void)!symbol_table_add(&t, e, ".symtab");
	(void)!symbol_table_add(&t, e, ".dynsym");
	(void)!symbol_table_add_stubs(&t, e);
	if (symbol_table_finish(&t, e) == 0)
		vec_each(s, &t.entry)
		{
			const struct symbol_entry *found = symbol_table_find(&t, s->address);

			(void)symbol_entry_name(s);
			if (s->size && s->address + s->size > s->address && !found)
				__builtin_trap();
		}
	(void)symbol_table_named(&t, SPAN("main"));
	(void)!symbol_section_value(e, ".symtab", SPAN("main"), &address, &value_size);
	symbol_table_deinit(&t);
	elf_image_free(e);
}

/* libdw wants a file. */
static void dwarf(struct span bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct line_frame f[LINES_DEPTH_MAX];
	struct lines *l = NULL;
	struct elf_image *e;
	size_t n = 0;

	if (fd < 0)
		return;
	if (write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n) {
		close(fd);
		return;
	}
	if (elf_image_open_fd(fd, &e, NULL) < 0)
		return;
	if (lines_open(e, true, &l) == 0)
		for (uint64_t at = 0; at < 64; at++)
			if (lines_find(l, e->header.e_entry + at * 8, f, LINES_DEPTH_MAX, &n) == 0) {
				struct prototype p;

				if (n > LINES_DEPTH_MAX)
					__builtin_trap();
				if (n && prototype_read(l, f[n - 1].start, at & 1, &p) == 0 && p.n > PROTOTYPE_PARAMETERS)
					__builtin_trap();
			}
	lines_close(l);
	elf_image_free(e);
}

static void links(struct span bytes)
{
	struct buf out = { 0 };
	const char *name;
	uint32_t crc;

	if (debug_link_parse(bytes, &name, &crc) == 0 && strchr(name, '/'))
		__builtin_trap();
	if (xz_unpack(bytes, &out) == 0)
		buf_deinit(&out);
}

static void name(struct span bytes)
{
	struct buf text = { 0 }, out = { 0 };

	if (buf_append(&text, bytes.p, bytes.n) == 0)
		(void)demangle(text.data, &out);
	buf_deinit(&text);
	buf_deinit(&out);
}

static void jit(struct span bytes)
{
	struct perf_map m;
	struct buf text = { 0 };
	uint32_t user;
	int pid;

	(void)perf_map_identity(bytes, &pid, &user);
	if (buf_append(&text, bytes.p, bytes.n) < 0 || perf_map_parse(&text, &m) < 0)
		return;
	vec_each(c, &m.code)
		if (!perf_map_find(&m, c->start))
			__builtin_trap();
	perf_map_deinit(&m);
}

static void kernel(struct span bytes)
{
	struct kernel_symbols k;
	const char *function, *module;
	uint64_t offset;

	if (kernel_symbols_parse(bytes, &k) < 0)
		return;
	vec_each(e, &k.entry)
		if (!kernel_symbols_find(&k, e->address, &function, &module, &offset) || offset)
			__builtin_trap();
	kernel_symbols_deinit(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct span) = { tables, dwarf, links, name, jit, kernel };

	if (size)
		parsers[data[0] % 6]((struct span){ (const char *)data + 1, size - 1 });
	return 0;
}
