#include "tags.h"

#include <ctype.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char *skip_blanks(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static char *cut(const char *from, const char *to)
{
	from = skip_blanks(from);
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	return text_of("%.*s", to > from ? (int)(to - from) : 0, from);
}

/* The end of what stands before the next comma or `)` that is in no parentheses and in no literal; '\0'
 * without. */
static const char *part_end(const char *p)
{
	int depth = 0;

	for (; *p; p++) {
		if (*p == '"' || *p == '\'') {
			char quote = *p;
			for (p++; *p && *p != quote; p++)
				p += *p == '\\' && p[1];
			if (!*p)
				return p;
		} else if (*p == '(') {
			depth++;
		} else if ((*p == ',' || *p == ')') && depth == 0) {
			return p;
		} else if (*p == ')') {
			depth--;
		}
	}
	return p;
}

static struct tag tag_parse(const char *from, const char *to)
{
	const char *p = from;

	while (p < to && *p != '=')
		p++;
	return (struct tag){ .word = cut(from, p), .value = p < to ? cut(p + 1, to) : NULL };
}

/* From behind `(`; returns behind `)`, or NULL. */
static const char *member_parse(const char *p, struct tag_member *m)
{
	const char *end = part_end(p);

	m->path = cut(p, end);
	while (*end == ',') {
		p = end + 1;
		end = part_end(p);
		ADD(m->tags, m->ntags) = tag_parse(p, end);
	}
	return *end == ')' ? end + 1 : NULL;
}

static void annotation_parse(struct annotation *a)
{
	const char *p = part_end(a->text);

	a->type = cut(a->text, p);
	while (*p == ',') {
		struct tag_member m = { 0 };
		p = skip_blanks(p + 1);
		if (!*p)
			break;
		const char *rest = *p == '(' ? member_parse(p + 1, &m) : NULL;
		if (!rest) {
			complain(a->origin, "RT_REFLECT(%s): expected (member, tag, ...) at: %.40s", a->type, p);
			return;
		}
		ADD(a->members, a->nmembers) = m;
		p = skip_blanks(rest);
	}
	if (*p)
		complain(a->origin, "RT_REFLECT(%s): expected a comma at: %.40s", a->type, p);
}

static void add(struct annotations *to, const char *origin, const char *text)
{
	struct annotation a = { .origin = origin, .text = text };

	for (size_t i = 0; i < to->n; i++)
		if (strcmp(to->all[i].text, text) == 0)
			return;
	annotation_parse(&a);
	for (size_t i = 0; i < to->n; i++)
		if (strcmp(to->all[i].type, a.type) == 0)
			complain(a.origin, "%s is annotated at %s too, and otherwise", a.type, to->all[i].origin);
	ADD(to->all, to->n) = a;
}

static void section_read(const char *path, const Elf_Data *data, struct annotations *to)
{
	const char *p = data->d_buf, *end = p + data->d_size;

	while (p && p < end) {
		const char *origin_end = memchr(p, '\0', (size_t)(end - p));
		const char *text_end = origin_end ? memchr(origin_end + 1, '\0', (size_t)(end - origin_end - 1)) : NULL;
		if (!text_end)
			fail("%s: its section .rt_tags ends within a text", path);
		add(to, strdup(p), strdup(origin_end + 1));
		p = text_end + 1;
	}
}

void annotations_read(const char *path, struct annotations *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t names;
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	if (fd < 0)
		fail("%s: %m", path);
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF || elf_getshdrstrndx(elf, &names) != 0)
		fail("%s is no object file", path);
	GElf_Ehdr h;
	if (!gelf_getehdr(elf, &h) || h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB)
		fail("%s is not of a 64-bit little-endian machine", path);
	while ((section = elf_nextscn(elf, section)) && gelf_getshdr(section, &header)) {
		const char *name = elf_strptr(elf, names, header.sh_name);
		Elf_Data *data = name && strcmp(name, ".rt_tags") == 0 ? elf_getdata(section, NULL) : NULL;
		if (data)
			section_read(path, data, to);
	}
	elf_end(elf);
	close(fd);
}

struct tag_member *annotation_member(struct annotation *a, const char *path)
{
	for (size_t i = 0; a && i < a->nmembers; i++)
		if (strcmp(a->members[i].path, path) == 0)
			return &a->members[i];
	return NULL;
}

struct tag *tag_of(struct tag_member *m, const char *word)
{
	for (size_t i = 0; m && i < m->ntags; i++) {
		if (strcmp(m->tags[i].word, word) == 0) {
			m->tags[i].used = true;
			return &m->tags[i];
		}
	}
	return NULL;
}
