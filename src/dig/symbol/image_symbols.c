#include "dig/symbol/image_symbols.h"

#include <errno.h>
#include <stdlib.h>

#include "dig/symbol/debug_file.h"
#include "dig/symbol/symbol.h"

static void forget_tables(struct image_symbols *s)
{
	symbol_table_deinit(&s->table);
	elf_image_free(s->debug);
	elf_image_free(s->mini);
	buf_deinit(&s->mini_bytes);
	s->table = (struct symbol_table){ 0 };
	s->debug = s->mini = NULL;
}

static void free_symbols(void *arg)
{
	struct image_symbols *s = arg;

	lines_close(s->lines);
	go_image_free(s->go);
	forget_tables(s);
	free(s);
}

/* Only the lack of memory is worth telling: what is damaged gives no names. */
static int memory_only(int rc)
{
	return rc == -ENOMEM ? rc : 0;
}

static bool has_table(const struct elf_image *e)
{
	const struct elf_section *s = elf_image_find(e, ".symtab");

	return s && s->header.sh_type != SHT_NOBITS && s->header.sh_size;
}

/* What was stripped: in the debug file, else in the small table that some distributions leave. Both lack what
 * .dynsym has. */
static int read_elsewhere(struct image *i, struct image_symbols *s)
{
	int rc = memory_only(debug_file_open(i, &s->debug));

	if (rc == 0 && s->debug)
		rc = memory_only(symbol_table_add(&s->table, s->debug, ".symtab"));
	if (rc == 0 && !s->debug)
		rc = memory_only(mini_debug_open(i->elf, &s->mini_bytes, &s->mini));
	if (rc == 0 && s->mini)
		rc = memory_only(symbol_table_add(&s->table, s->mini, ".symtab"));
	return rc < 0 ? rc : memory_only(symbol_table_add(&s->table, i->elf, ".dynsym"));
}

static int read_tables(struct image *i, struct image_symbols *s)
{
	int rc = has_table(i->elf) ? memory_only(symbol_table_add(&s->table, i->elf, ".symtab"))
				   : read_elsewhere(i, s);

	if (rc == 0)
		rc = symbol_table_add_stubs(&s->table, i->elf);
	return rc < 0 ? rc : symbol_table_finish(&s->table, s->debug ? s->debug : i->elf);
}

/* Nothing is read yet. NULL in *ret: the image has no file. */
static int slot_of(struct image *i, struct image_symbols **ret)
{
	static uint64_t last;
	struct image_symbols *s = i->symbols;

	if (!s && i->elf) {
		s = calloc(1, sizeof *s);
		if (!s)
			return -ENOMEM;
		s->serial = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
		i->symbols = s;
		i->free_symbols = free_symbols;
	}
	*ret = s;
	return 0;
}

int image_symbols_of(struct image *i, struct image_symbols **ret)
{
	struct image_symbols *s;
	int rc = slot_of(i, &s);

	if (rc == 0 && s && !s->tables_read) {
		rc = read_tables(i, s);
		s->tables_read = rc == 0;
		if (rc < 0)
			forget_tables(s);
	}
	if (rc == 0)
		*ret = s;
	return rc;
}

int image_lines_of(struct image *i, struct image_symbols *s, struct lines **ret)
{
	int rc = 0;

	if (!s->lines_tried) {
		rc = lines_open(i->elf, false, &s->lines);
		if (rc == -ENOENT && !s->debug)
			rc = debug_file_open(i, &s->debug);
		if (rc == -ENOENT && s->debug)
			rc = lines_open(s->debug, false, &s->lines);
		else if (rc == 0 && !s->lines && s->debug)
			rc = lines_open(s->debug, false, &s->lines);
		if (rc == -ENOMEM)
			return rc;
		s->lines_tried = true;
	}
	*ret = s->lines;
	return 0;
}

int image_go_of(struct image *i, struct go_image **ret)
{
	struct image_symbols *s;
	int rc = slot_of(i, &s);

	if (rc == 0 && s && !s->go_tried)
		rc = go_image_open(i, &s->go);
	if (rc == -ENOMEM)
		return rc;
	if (s)
		s->go_tried = true;
	*ret = s ? s->go : NULL;
	return 0;
}

int image_symbol(struct image *i, const char *name, uint64_t *ret_address, uint64_t *ret_size)
{
	struct image_symbols *s;
	struct span wanted = span_from(name);
	int rc = image_symbols_of(i, &s);

	if (rc < 0 || !s)
		return rc < 0 ? rc : -ENOENT;
	struct elf_image *const from[] = { i->elf, s->debug, s->mini, i->elf };
	rc = -ENOENT;
	for (size_t k = 0; rc < 0 && rc != -ENOMEM && k < 4; k++)
		if (from[k])
			rc = symbol_section_value(from[k], k == 3 ? ".dynsym" : ".symtab", wanted,
						  ret_address, ret_size);
	return rc == 0 || rc == -ENOMEM ? rc : -ENOENT;
}

/* Zeroed memory of a file lies behind its mappings, in one of its own. */
static bool file_behind(struct address_space *a, uint64_t address, struct place *ret)
{
	if (!address_space_find(a, address, ret))
		return false;
	const struct mapping *m = ret->mapping;
	if (!ret->image && m > a->map.mapping.v && m[-1].end == m->start && !m->name[0])
		return address_space_find(a, m[-1].start, ret) && ret->image && ret->image->elf;
	return ret->image && ret->image->elf;
}

int variable_at(struct address_space *a, uint64_t address, const char **ret_name, uint64_t *ret_offset)
{
	struct image_symbols *s;
	struct place p;

	if (!file_behind(a, address, &p))
		return -ENOENT;
	int rc = image_symbols_of(p.image, &s);
	if (rc < 0 || !s)
		return rc < 0 ? rc : -ENOENT;
	struct elf_image *const from[] = { p.image->elf, s->debug, p.image->elf };
	rc = -ENOENT;
	for (size_t k = 0; rc < 0 && rc != -ENOMEM && k < 3; k++)
		if (from[k])
			rc = symbol_section_variable(from[k], k == 2 ? ".dynsym" : ".symtab", address - p.bias, ret_name,
						     ret_offset);
	return rc == 0 || rc == -ENOMEM ? rc : -ENOENT;
}
