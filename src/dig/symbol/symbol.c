#include "dig/symbol/symbol.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "dig/symbol/image_symbols.h"
#include "dig/symbol/kernel_names.h"
#include "dig/symbol/kernel_symbols.h"
#include "dig/symbol/perf_map.h"

/* What was found for one address of one file: frames first … first + n - 1. Their `offset` holds the start of the
 * function, as the same call may be asked for by its own address or the one behind it. */
struct answer {
	uint64_t serial, address;
	uint32_t first, n;
};

struct jit {
	int pid;
	bool tried;
	struct perf_map map;
};

struct symbolizer {
	struct symbolizer_options options;
	VEC(char *) string;
	struct map string_by_hash;
	VEC(struct answer) answer;
	VEC(struct symbol) frame;
	struct map answer_by_hash;
	VEC(struct symbol) out;
	VEC(struct jit) jit;
	struct kernel_names *kernel_names; /* NULL: kallsyms is read in its place */
	bool kernel_names_tried, kernel_asked;
	VEC(struct symbol) kernel_answer;
	struct map kernel_answer_by_address;
	struct kernel_symbols kernel;
	const char *kernel_why;
	bool kernel_tried;
	struct buf name;
};

int symbolizer_new(const struct symbolizer_options *options, struct symbolizer **ret)
{
	struct symbolizer *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	if (options)
		s->options = *options;
	*ret = s;
	return 0;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	vec_each(text, &s->string)
		free(*text);
	vec_each(j, &s->jit)
		perf_map_deinit(&j->map);
	vec_free(&s->string);
	map_deinit(&s->string_by_hash);
	vec_free(&s->answer);
	vec_free(&s->frame);
	map_deinit(&s->answer_by_hash);
	vec_free(&s->out);
	vec_free(&s->jit);
	kernel_names_free(s->kernel_names);
	vec_free(&s->kernel_answer);
	map_deinit(&s->kernel_answer_by_address);
	kernel_symbols_deinit(&s->kernel);
	buf_deinit(&s->name);
	free(s);
}

/* ---- strings: each is kept once ---- */

static const char *intern(struct symbolizer *s, struct span text)
{
	uint64_t hash = map_hash(text.p, text.n);
	uint32_t at = map_get(&s->string_by_hash, hash);
	char *copy, **place;

	if (at != MAP_NONE && strncmp(s->string.v[at], text.p, text.n) == 0 && !s->string.v[at][text.n])
		return s->string.v[at];
	if (vec_reserve(&s->string, 1) < 0 || map_set(&s->string_by_hash, hash, (uint32_t)s->string.n) < 0)
		return NULL;
	place = vec_push(&s->string);
	copy = strndup(text.p, text.n);
	if (!copy) {
		s->string.n--;
		map_remove(&s->string_by_hash, hash);
		return NULL;
	}
	*place = copy;
	return copy;
}

/* The name as it is to be shown; NULL: no memory. */
static const char *shown(struct symbolizer *s, struct span name, const char *suffix)
{
	buf_clear(&s->name);
	if (buf_append(&s->name, name.p, name.n) < 0)
		return NULL;
	if (!s->options.mangled) {
		struct buf plain = { 0 };

		if (demangle(s->name.data, &plain)) {
			buf_deinit(&s->name);
			s->name = plain;
		}
	}
	if (buf_append(&s->name, suffix, strlen(suffix)) < 0)
		return NULL;
	return intern(s, buf_span(&s->name));
}

static struct span base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return span_from(slash && slash[1] ? slash + 1 : path);
}

/* ---- answers ---- */

static uint64_t answer_key(uint64_t serial, uint64_t address)
{
	uint64_t key = (serial * UINT64_C(0xff51afd7ed558ccd)) ^ address;

	return key ? key : 1;
}

static const struct answer *known_answer(struct symbolizer *s, uint64_t serial, uint64_t address)
{
	uint32_t at = map_get(&s->answer_by_hash, answer_key(serial, address));
	const struct answer *a = at == MAP_NONE ? NULL : &s->answer.v[at];

	return a && a->serial == serial && a->address == address ? a : NULL;
}

static int add_frame(struct symbolizer *s, const char *module, const struct line_frame *from, struct symbol **ret)
{
	struct symbol *f = vec_push(&s->frame);

	if (!f)
		return -ENOMEM;
	*f = (struct symbol){ .function = "", .module = module, .line = from->line, .inlined = from->inlined,
			      .offset = from->start };
	if (from->function)
		f->function = shown(s, span_from(from->function), "");
	if (from->file)
		f->file = intern(s, span_from(from->file));
	*ret = f;
	return !f->function || (from->file && !f->file) ? -ENOMEM : 0;
}

/* The table knows better than DWARF what the function that has code is called: .cold parts, clones, what has
 * no DWARF. */
static int name_outermost(struct symbolizer *s, const struct image_symbols *of, uint64_t address, struct symbol *f)
{
	const struct symbol_entry *e = symbol_table_find(&of->table, address);

	if (!e)
		return 0;
	f->function = shown(s, symbol_entry_name(e), e->stub ? "@plt" : "");
	f->offset = e->address;
	return f->function ? 0 : -ENOMEM;
}

/* Go's own table knows all of its functions, also in a stripped program, and is read faster than DWARF. */
static int find_go(struct symbolizer *s, struct image *i, uint64_t address, struct line_frame *ret, size_t *ret_n)
{
	struct go_line lines[LINES_DEPTH_MAX];
	struct go_function f;
	struct go_image *g = NULL;
	int rc = image_go_of(i, &g);

	if (rc < 0 || !g || !go_table_find(&g->table, address, &f))
		return rc;
	*ret_n = go_table_lines(&g->table, &f, address, lines, LINES_DEPTH_MAX);
	for (size_t k = 0; k < *ret_n; k++) {
		bool told = !s->options.no_lines;

		ret[k] = (struct line_frame){ .function = lines[k].function, .file = told ? lines[k].file : NULL,
					      .line = told ? lines[k].line : 0, .inlined = lines[k].inlined };
	}
	ret[*ret_n - 1].start = f.entry;
	return 0;
}

static int find_frames(struct symbolizer *s, struct image *i, struct image_symbols *of, uint64_t address)
{
	struct line_frame lines[LINES_DEPTH_MAX] = { 0 };
	const char *module = intern(s, base_name(i->path));
	struct lines *from = NULL;
	struct symbol *f = NULL;
	size_t n = 0, from_go;
	int rc = module ? 0 : -ENOMEM;

	if (rc == 0)
		rc = find_go(s, i, address, lines, &n);
	from_go = n;
	if (rc == 0 && !n && !s->options.no_lines)
		rc = image_lines_of(i, of, &from);
	if (rc == 0 && from)
		rc = lines_find(from, address, lines, LINES_DEPTH_MAX, &n);
	for (size_t k = 0; rc == 0 && k < (n ? n : 1); k++)
		rc = add_frame(s, module, &lines[k], &f);
	if (rc < 0)
		return rc;
	f->inlined = false;
	return from_go ? 0 : name_outermost(s, of, address, f);
}

static int new_answer(struct symbolizer *s, struct image *i, struct image_symbols *of, uint64_t address,
		      const struct answer **ret)
{
	size_t first = s->frame.n;
	struct answer *a;
	int rc;

	if (vec_reserve(&s->answer, 1) < 0)
		return -ENOMEM;
	rc = find_frames(s, i, of, address);
	if (rc == 0)
		rc = map_set(&s->answer_by_hash, answer_key(of->serial, address), (uint32_t)s->answer.n);
	if (rc < 0) {
		s->frame.n = first;
		return rc;
	}
	a = vec_push(&s->answer);
	*a = (struct answer){ of->serial, address, (uint32_t)first, (uint32_t)(s->frame.n - first) };
	*ret = a;
	return 0;
}

static int in_image(struct symbolizer *s, struct image *i, struct image_symbols *of, uint64_t pc, bool exact)
{
	uint64_t address = exact ? pc : pc - 1;
	const struct answer *a = known_answer(s, of->serial, address);
	int rc = a ? 0 : new_answer(s, i, of, address, &a);

	if (rc == 0)
		rc = vec_reserve(&s->out, a->n);
	if (rc < 0)
		return rc;
	for (uint32_t k = 0; k < a->n; k++) {
		struct symbol *f = vec_push(&s->out);

		*f = s->frame.v[a->first + k];
		f->offset = f->inlined || (k + 1 == a->n && f->function[0] && !f->offset) ? 0 : pc - f->offset;
	}
	return 0;
}

/* ---- code that is in no file ---- */

static int jit_of(struct symbolizer *s, int pid, struct jit **ret)
{
	struct jit *j;

	vec_each(known, &s->jit)
		if (known->pid == pid) {
			*ret = known;
			return 0;
		}
	j = vec_push(&s->jit);
	if (!j)
		return -ENOMEM;
	j->pid = pid;
	*ret = j;
	return 0;
}

/* The map grows while the JIT works: it is read again when an address is not in it and its size has changed. */
static int jit_find(struct jit *j, uint64_t address, const struct perf_map_code **ret)
{
	struct perf_map map;
	int rc = 0;

	*ret = j->tried ? perf_map_find(&j->map, address) : NULL;
	if (*ret)
		return 0;
	rc = perf_map_read(j->pid, j->tried ? j->map.file_size : 0, &map);
	j->tried = true;
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	perf_map_deinit(&j->map);
	j->map = map;
	*ret = perf_map_find(&j->map, address);
	return 0;
}

static int without_file(struct symbolizer *s, const struct address_space *a, const struct mapping *m, uint64_t pc,
			bool exact)
{
	const struct perf_map_code *code = NULL;
	struct symbol *f = vec_push(&s->out);
	struct jit *j = NULL;
	int rc = f ? 0 : -ENOMEM;

	if (rc == 0 && a->pid > 0 && m->flags & MAPPING_EXECUTE)
		rc = jit_of(s, a->pid, &j);
	if (rc == 0 && j)
		rc = jit_find(j, exact ? pc : pc - 1, &code);
	if (rc < 0)
		return rc;
	*f = (struct symbol){ .function = "", .offset = pc };
	f->module = intern(s, code ? SPAN("[jit]") : m->name[0] ? base_name(m->name) : SPAN("[anon]"));
	if (code) {
		f->function = shown(s, code->name, "");
		f->offset = pc - code->start;
	}
	return f->module && f->function ? 0 : -ENOMEM;
}

static int nowhere(struct symbolizer *s, uint64_t pc)
{
	struct symbol *f = vec_push(&s->out);

	if (!f)
		return -ENOMEM;
	*f = (struct symbol){ .function = "", .module = "", .offset = pc };
	return 0;
}

int symbolize(struct symbolizer *s, struct address_space *a, uint64_t pc, bool exact, const struct symbol **ret,
	      size_t *ret_n)
{
	struct image_symbols *of = NULL;
	struct place place;
	int rc = 0;

	s->out.n = 0;
	if (!address_space_find(a, exact ? pc : pc - 1, &place))
		rc = nowhere(s, pc);
	else {
		if (place.image)
			rc = image_symbols_of(place.image, &of);
		if (rc == 0)
			rc = of ? in_image(s, place.image, of, pc - place.bias, exact)
				: without_file(s, a, place.mapping, pc, exact);
	}
	if (rc < 0)
		return rc;
	*ret = s->out.v;
	*ret_n = s->out.n;
	return 0;
}

/* ---- the kernel ---- */

static int read_kernel(struct symbolizer *s)
{
	int rc = s->kernel_tried ? 0 : kernel_symbols_read(&s->kernel);

	if (s->kernel_tried || rc == -ENOMEM)
		return rc;
	s->kernel_tried = true;
	s->kernel_why = kernel_symbols_why(&s->kernel, rc);
	return 0;
}

/* Answers are kept: the array they lie in moves as it grows. */
static int keep_kernel(struct symbolizer *s, uint64_t pc, const struct symbol *f)
{
	struct symbol *to;

	if (pc == 0)
		pc = UINT64_MAX; /* no key is 0 */
	if (map_set(&s->kernel_answer_by_address, pc, (uint32_t)s->kernel_answer.n) < 0)
		return -ENOMEM;
	to = vec_push(&s->kernel_answer);
	if (!to) {
		map_remove(&s->kernel_answer_by_address, pc);
		return -ENOMEM;
	}
	*to = *f;
	return 0;
}

static int keep_line(struct symbolizer *s, uint64_t pc, struct span line)
{
	struct symbol f = { .function = "", .module = "[kernel]", .offset = pc };
	struct kernel_name name;

	if (kernel_name_parse(line, &name)) {
		f.function = intern(s, name.function);
		f.module = intern(s, name.module);
		f.offset = name.offset;
	}
	return f.function && f.module ? keep_kernel(s, pc, &f) : -ENOMEM;
}

/* Below 0 but -ENOMEM: not in this way. */
static int ask_kernel(struct symbolizer *s, const uint64_t *pcs, size_t n)
{
	cleanup(buf_deinit) struct buf lines = { 0 };
	struct span rest, line;

	if (!s->kernel_names_tried) {
		s->kernel_names_tried = true;
		int rc = kernel_names_new(&s->kernel_names, NULL);
		if (rc < 0)
			return rc;
	}
	if (!s->kernel_names)
		return -EOPNOTSUPP;
	int rc = kernel_names_look(s->kernel_names, pcs, n, &lines);
	rest = buf_span(&lines);
	for (size_t i = 0; rc == 0 && i < n && span_line(&rest, &line); i++)
		rc = keep_line(s, pcs[i], line);
	return rc;
}

static int search_kernel(struct symbolizer *s, uint64_t pc)
{
	struct symbol f = { .function = "", .module = "[kernel]", .offset = pc };
	int rc = read_kernel(s);

	if (rc < 0)
		return rc;
	(void)kernel_symbols_find(&s->kernel, pc, &f.function, &f.module, &f.offset);
	return keep_kernel(s, pc, &f);
}

int symbolize_kernel(struct symbolizer *s, uint64_t pc, const struct symbol **ret)
{
	uint32_t at = map_get(&s->kernel_answer_by_address, pc ? pc : UINT64_MAX);

	s->kernel_asked = true;
	if (at == MAP_NONE) {
		int rc = ask_kernel(s, &pc, 1);
		if (rc < 0 && rc != -ENOMEM)
			rc = search_kernel(s, pc);
		if (rc < 0)
			return rc;
		at = (uint32_t)(s->kernel_answer.n - 1);
	}
	*ret = &s->kernel_answer.v[at];
	return 0;
}

int symbolize_kernel_many(struct symbolizer *s, const uint64_t *pcs, size_t n)
{
	VEC(uint64_t) fresh = { 0 };
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		uint64_t *to = map_get(&s->kernel_answer_by_address, pcs[i] ? pcs[i] : UINT64_MAX) == MAP_NONE ?
				       vec_push(&fresh) : NULL;
		if (to)
			*to = pcs[i];
	}
	if (fresh.n)
		rc = ask_kernel(s, fresh.v, fresh.n);
	vec_free(&fresh);
	return rc == -ENOMEM ? rc : 0;
}

const char *symbolizer_kernel_why(struct symbolizer *s)
{
	if (!s->kernel_asked || s->kernel_names)
		return NULL;
	int rc = read_kernel(s);

	return rc < 0 ? strerror(-rc) : s->kernel_why;
}
