#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "dig/unwind/frame_program.h"
#include "dig/unwind/unwind_table.h"

static void lay_out(struct unwind_table *t, size_t nrows, size_t nrules, size_t expressions_size)
{
	size_t rows_size = nrows * sizeof *t->row, rules_size = nrules * sizeof *t->rule;
	const char *p = t->storage;

	t->storage_size = rows_size + rules_size + expressions_size;
	t->row = (const struct unwind_row *)p;
	t->nrows = nrows;
	t->rule = (const struct unwind_rule *)(p + rows_size);
	t->nrules = nrules;
	t->expressions = (struct span){ p + rows_size + rules_size, expressions_size };
}

int unwind_table_new(size_t nrows, size_t nrules, size_t expressions_size, struct unwind_table **ret)
{
	struct unwind_table *t = calloc(1, sizeof *t);
	size_t size = nrows * sizeof *t->row + nrules * sizeof *t->rule + expressions_size;

	if (!t)
		return -ENOMEM;
	if (!(t->storage = malloc(size ? size : 1))) {
		free(t);
		return -ENOMEM;
	}
	lay_out(t, nrows, nrules, expressions_size);
	*ret = t;
	return 0;
}

void unwind_table_free(struct unwind_table *t)
{
	if (!t)
		return;
	free(t->storage);
	free(t);
}

size_t unwind_table_row(const struct unwind_table *t, uint64_t address)
{
	uint64_t pc = address - t->base;
	const struct unwind_row *row = t->row;
	size_t n = t->nrows;

	if (n == 0 || address < t->base || pc < row->pc)
		return UNWIND_NO_ROW;
	/* The last row with row.pc <= pc: it is among the n from `row` on. Halving without a branch that one could
	 * mispredict. */
	while (n > 1) {
		size_t half = n / 2;
		row += row[half].pc <= pc ? half : 0;
		n -= half;
	}
	return (size_t)(row - t->row);
}

const struct unwind_rule *unwind_table_find(const struct unwind_table *t, uint64_t address)
{
	size_t row = unwind_table_row(t, address);

	return row != UNWIND_NO_ROW && t->row[row].rule < t->nrules ? &t->rule[t->row[row].rule] : NULL;
}

/* Order of FDEs by start: keys of 32 bits of start and the index below. Stable radix sort, a byte a pass. */
static int sort_keys(uint64_t *key, size_t n)
{
	uint64_t *from = key, *to = malloc((n ? n : 1) * sizeof *to), *spare = to;
	bool sorted = true;

	if (!to)
		return -ENOMEM;
	for (size_t i = 1; i < n && sorted; i++)
		sorted = key[i - 1] <= key[i];
	for (unsigned shift = 32; shift < 64 && !sorted; shift += 8) {
		size_t at[256] = { 0 }, sum = 0;
		for (size_t i = 0; i < n; i++)
			at[from[i] >> shift & 255]++;
		for (size_t i = 0; i < 256; i++) {
			size_t count = at[i];
			at[i] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[at[from[i] >> shift & 255]++] = from[i];
		uint64_t *other = from;
		from = to;
		to = other;
	}
	if (from != key)
		memcpy(key, from, n * sizeof *key);
	free(spare);
	return 0;
}

static int order_by_start(const struct frame_entries *e, uint64_t base, uint64_t **ret)
{
	uint64_t *key = malloc((e->fde.n ? e->fde.n : 1) * sizeof *key);
	int rc;

	if (!key)
		return -ENOMEM;
	for (size_t i = 0; i < e->fde.n; i++)
		key[i] = (e->fde.v[i].start - base) << 32 | i;
	if ((rc = sort_keys(key, e->fde.n)) < 0) {
		free(key);
		return rc;
	}
	*ret = key;
	return 0;
}

static int compare_overlap(const void *a, const void *b)
{
	const struct frame_fde *x = a, *y = b;

	return x->end <= y->start ? -1 : x->start >= y->end;
}

static void free_nothing(void *node)
{
	(void)node;
}

/* Drops FDEs that overlap one before them in the section. */
static int drop_later(struct frame_entries *e)
{
	void *tree = NULL;
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < e->fde.n; i++) {
		e->fde.v[kept] = e->fde.v[i];
		void *const *found = tsearch(&e->fde.v[kept], &tree, compare_overlap);
		if (!found) {
			rc = -ENOMEM;
			break;
		}
		kept += *found == &e->fde.v[kept];
	}
	tdestroy(tree, free_nothing);
	e->fde.n = kept;
	return rc;
}

static bool overlaps(const struct frame_entries *e, const uint64_t *key)
{
	uint64_t end = 0;

	for (size_t i = 0; i < e->fde.n; i++) {
		const struct frame_fde *f = &e->fde.v[key[i] & UINT32_MAX];
		if (f->start < end)
			return true;
		end = f->end;
	}
	return false;
}

static int run_in_order(struct frame_runner *r, const struct frame_entries *e, const uint64_t *key)
{
	int rc = 0;

	for (size_t i = 0; i < e->fde.n && rc == 0;) {
		const struct frame_fde *f = &e->fde.v[key[i] & UINT32_MAX];
		size_t next = i + 1;
		/* Linkers sort equal starts by size: a search ends at the longest. */
		for (; next < e->fde.n && key[next] >> 32 == key[i] >> 32; next++)
			if (e->fde.v[key[next] & UINT32_MAX].end > f->end)
				f = &e->fde.v[key[next] & UINT32_MAX];
		uint64_t end = f->end, limit = r->base + (next < e->fde.n ? key[next] >> 32 : UINT64_MAX - r->base);
		rc = frame_runner_add(r, f, f->start, end < limit ? end : limit);
		i = next;
	}
	return rc < 0 ? rc : frame_runner_finish(r);
}

static int rows_of(struct frame_section *s, uint64_t low, uint64_t high, struct unwind_rules *rules,
		   unwind_row_vec *ret)
{
	struct frame_entries entries = { 0 };
	struct frame_runner r = { .section = s, .entries = &entries, .rules = rules, .rows = ret, .base = low };
	uint64_t *key = NULL;
	int rc = frame_section_parse(s, low, high, &entries);

	if (rc == 0)
		rc = order_by_start(&entries, low, &key);
	if (rc == 0 && !s->searched && overlaps(&entries, key)) {
		free(key);
		key = NULL;
		if ((rc = drop_later(&entries)) == 0)
			rc = order_by_start(&entries, low, &key);
	}
	if (rc == 0)
		rc = run_in_order(&r, &entries, key);
	free(key);
	frame_runner_deinit(&r);
	frame_entries_deinit(&entries);
	return rc;
}

/* Both are sorted; `over` is believed where it says something. */
static int overlay(const unwind_row_vec *over, const unwind_row_vec *under, unwind_row_vec *ret)
{
	uint32_t top = UNWIND_NO_RULE_INDEX, bottom = UNWIND_NO_RULE_INDEX;
	size_t i = 0, j = 0;

	while (i < over->n || j < under->n) {
		uint32_t pc = i < over->n && (j == under->n || over->v[i].pc <= under->v[j].pc) ? over->v[i].pc
												  : under->v[j].pc;
		if (i < over->n && over->v[i].pc == pc)
			top = over->v[i++].rule;
		if (j < under->n && under->v[j].pc == pc)
			bottom = under->v[j++].rule;
		uint32_t rule = top != UNWIND_NO_RULE_INDEX ? top : bottom;
		if (ret->n ? ret->v[ret->n - 1].rule == rule : rule == UNWIND_NO_RULE_INDEX)
			continue;
		struct unwind_row *row = vec_push(ret);
		if (!row)
			return -ENOMEM;
		*row = (struct unwind_row){ pc, rule };
	}
	return 0;
}

/* Takes the rows over: grown in place they are the front of the table's storage, and no page is touched twice. */
static int keep(const struct unwind_rules *rules, unwind_row_vec *rows, uint64_t base, struct unwind_table **ret)
{
	size_t rows_size = rows->n * sizeof *rows->v, rules_size = rules->rule.n * sizeof *rules->rule.v;
	struct unwind_table *t;
	int rc = unwind_table_new(0, 0, 0, &t);

	if (rc < 0)
		return rc;
	char *p = realloc(rows->v, rows_size + rules_size + rules->expressions.n);
	if (!p) {
		unwind_table_free(t);
		return -ENOMEM;
	}
	rows->v = NULL;
	free(t->storage);
	t->storage = p;
	if (rules_size)
		memcpy(p + rows_size, rules->rule.v, rules_size);
	if (rules->expressions.n)
		memcpy(p + rows_size + rules_size, rules->expressions.data, rules->expressions.n);
	lay_out(t, rows->n, rules->rule.n, rules->expressions.n);
	t->base = base;
	*ret = t;
	return 0;
}

int unwind_table_of_sections(struct frame_section *eh_frame, struct frame_section *debug_frame, uint64_t low,
			     uint64_t high, struct unwind_table **ret)
{
	struct unwind_rules rules = { 0 };
	unwind_row_vec eh = { 0 }, debug = { 0 }, both = { 0 };
	unwind_row_vec *rows = &eh;
	int rc = 0;

	if (low >= high)
		return -ENOENT;
	if (high - low > UINT32_MAX)
		return -EFBIG;
	if (eh_frame)
		rc = rows_of(eh_frame, low, high, &rules, &eh);
	if (rc == 0 && debug_frame) {
		rc = rows_of(debug_frame, low, high, &rules, &debug);
		if (rc == 0)
			rc = overlay(&eh, &debug, &both);
		rows = &both;
	}
	if (rc == 0)
		rc = rows->n ? keep(&rules, rows, low, ret) : -ENOENT;
	vec_free(&eh);
	vec_free(&debug);
	vec_free(&both);
	unwind_rules_deinit(&rules);
	return rc;
}
