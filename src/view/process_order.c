#include "view/process_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- marks ---- */

static uint64_t mark_key(struct process_identity id)
{
	return map_hash(&id, sizeof id);
}

void process_marks_deinit(struct process_marks *m)
{
	map_deinit(&m->map);
}

bool process_marked(const struct process_marks *m, struct process_identity id)
{
	return m && m->n && map_get(&m->map, mark_key(id)) == 1;
}

int process_mark(struct process_marks *m, struct process_identity id, bool marked)
{
	bool was = process_marked(m, id);

	if (was == marked)
		return 0;
	int r = map_set(&m->map, mark_key(id), marked);
	if (r == 0)
		m->n = marked ? m->n + 1 : m->n - 1;
	return r;
}

void process_marks_clear(struct process_marks *m)
{
	map_clear(&m->map);
	m->n = 0;
}

/* ---- order of two ---- */

static int compare_texts(const struct process_arrange *how, struct process_row *a, struct process_row *b)
{
	struct span x = how->text(a, how->key_arg), y = how->text(b, how->key_arg);
	int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	if (order == 0)
		order = (x.n > y.n) - (x.n < y.n);
	return how->ascending ? order : -order;
}

static bool goes_first(const struct process_order *o, const struct process_candidate *a,
		       const struct process_candidate *b)
{
	int order = 0;

	if (a->key != b->key)
		return a->key < b->key;
	if (!o->how->number && o->how->text)
		order = compare_texts(o->how, a->row, b->row);
	if (order != 0)
		return order < 0;
	return a->row->tid != b->row->tid ? a->row->tid < b->row->tid : a->row < b->row;
}

static double key_of(const struct process_arrange *how, struct process_row *row)
{
	if (!how->number)
		return 0;
	double key = how->number(row, how->key_arg);
	if (isnan(key))
		return INFINITY;
	return how->ascending ? key : -key;
}

/* ---- selection ---- */

static void swap(struct process_candidate *a, struct process_candidate *b)
{
	struct process_candidate c = *a;

	*a = *b;
	*b = c;
}

static void insertion(const struct process_order *o, struct process_candidate *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && goes_first(o, &v[j], &v[j - 1]); j--)
			swap(&v[j], &v[j - 1]);
}

static size_t partition(const struct process_order *o, struct process_candidate *v, size_t n)
{
	size_t middle = n / 2, last = n - 1, at = 0;

	if (goes_first(o, &v[middle], &v[0]))
		swap(&v[middle], &v[0]);
	if (goes_first(o, &v[last], &v[0]))
		swap(&v[last], &v[0]);
	if (goes_first(o, &v[middle], &v[last]))
		swap(&v[middle], &v[last]);
	struct process_candidate pivot = v[last];
	for (size_t i = 0; i < last; i++)
		if (goes_first(o, &v[i], &pivot))
			swap(&v[i], &v[at++]);
	swap(&v[at], &v[last]);
	return at;
}

/* Heapsort: for the input on which quicksort would take quadratic time. */
static void sift(const struct process_order *o, struct process_candidate *v, size_t at, size_t n)
{
	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && goes_first(o, &v[child], &v[child + 1]))
			child++;
		if (!goes_first(o, &v[at], &v[child]))
			return;
		swap(&v[at], &v[child]);
	}
}

static void heap_sort(const struct process_order *o, struct process_candidate *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift(o, v, i, n);
	for (size_t i = n; i-- > 1;) {
		swap(&v[0], &v[i]);
		sift(o, v, 0, i);
	}
}

/* Puts in place what belongs to positions [from, to): quicksort that passes over the parts that
 * nobody sees. `v` stands at position `at`. */
static void sort_part(const struct process_order *o, struct process_candidate *v, size_t n, size_t at, size_t from,
		      size_t to, unsigned depth)
{
	while (n > 12) {
		if (at + n <= from || at >= to)
			return;
		if (depth-- == 0) {
			heap_sort(o, v, n);
			return;
		}
		size_t left = partition(o, v, n);
		sort_part(o, v, left, at, from, to, depth);
		v += left + 1;
		at += left + 1;
		n -= left + 1;
	}
	insertion(o, v, n);
}

static void sort_between(struct process_order *o, size_t from, size_t to)
{
	sort_part(o, o->candidates.v, o->candidates.n, 0, from, to, 60);
}

/* ---- the list ---- */

static bool matches(const struct process_arrange *how, struct process_row *row)
{
	return !how->matches || how->matches(row, how->matches_arg);
}

static int gather(struct process_order *o, process_row_vec *rows, bool all)
{
	int r = vec_reserve(&o->candidates, rows->n);

	if (r < 0)
		return r;
	vec_each(row, rows) {
		__builtin_prefetch(row + 12);
		bool fits = matches(o->how, row);
		o->matching += fits;
		if (fits || all)
			o->candidates.v[o->candidates.n++] =
				(struct process_candidate){ key_of(o->how, row), row };
	}
	return 0;
}

static int take_list(struct process_order *o, size_t from, size_t n)
{
	sort_between(o, from, from + n);
	for (size_t i = from; i < from + n; i++) {
		struct process_line *line = vec_push(&o->lines);
		if (!line)
			return -ENOMEM;
		*line = (struct process_line){ .row = o->candidates.v[i].row, .sum = MAP_NONE, .members = 1 };
	}
	return 0;
}

/* ---- sums ---- */

static void add(reading *sum, reading more)
{
	*sum = reading_ok(*sum) ? *sum + reading_or(more, 0) : more;
}

static void add_counters(struct process_counters *sum, const struct process_counters *more)
{
#define COUNTER(name, ...) add(&sum->name, more->name);
	PROCESS_COUNTERS(COUNTER)
	PROCESS_LIVE_COUNTERS(COUNTER)
#undef COUNTER
}

static void add_row(struct process_row *sum, const struct process_row *row)
{
	add(&sum->threads, row->threads);
	add(&sum->virtual_bytes, row->virtual_bytes);
	add(&sum->rss_bytes, row->rss_bytes);
	add(&sum->shmem_bytes, row->shmem_bytes);
	add(&sum->swap_bytes, row->swap_bytes);
	add(&sum->fd_count, row->fd_count);
	add_counters(&sum->total, &row->total);
	add_counters(&sum->growth, &row->growth);
}

/* Missing until the first that has a number. */
static struct process_row empty_sum(const struct process_row *like)
{
	struct process_row sum = { .table = like->table, .seconds = like->seconds, .look = like->look };

	sum.threads = sum.virtual_bytes = sum.rss_bytes = sum.shmem_bytes = sum.swap_bytes = READING_ABSENT;
	sum.fd_count = sum.fd_limit = sum.pss_bytes = READING_ABSENT;
	memcpy(sum.cgroup, like->cgroup, sizeof sum.cgroup);
#define COUNTER(name, ...) sum.total.name = sum.growth.name = READING_ABSENT;
	PROCESS_COUNTERS(COUNTER)
	PROCESS_LIVE_COUNTERS(COUNTER)
#undef COUNTER
	return sum;
}

/* ---- the tree ---- */

#define NONE UINT32_MAX

static uint32_t node_of(const struct process_order *o, int32_t tid)
{
	return tid > 0 ? map_get(&o->by_key, (uint64_t)tid) : NONE;
}

static int index_rows(struct process_order *o, process_row_vec *rows)
{
	map_clear(&o->by_key);
	o->nodes.n = 0;
	o->first = rows->v;
	int r = vec_reserve(&o->nodes, rows->n);
	for (size_t i = 0; i < rows->n && r == 0; i++) {
		o->nodes.v[o->nodes.n++] = (struct process_node){ NONE, NONE, NONE, false, false, false };
		r = map_set(&o->by_key, (uint64_t)rows->v[i].tid, (uint32_t)i);
	}
	return r;
}

/* Threads stand under their process, processes under their parent. */
static void find_parents(struct process_order *o, process_row_vec *rows)
{
	for (uint32_t i = 0; i < rows->n; i++) {
		struct process_row *row = &rows->v[i];
		uint32_t parent = node_of(o, row->tid != row->pid ? row->pid : row->ppid);

		/* A child that is older than its parent has one whose number was used again. */
		bool real = parent != NONE && parent != i && rows->v[parent].start_ns <= row->start_ns;
		o->nodes.v[i].parent = real ? parent : NONE;
		o->nodes.v[i].matches = o->nodes.v[i].kept = matches(o->how, row);
	}
}

/* What matches keeps its ancestors. A row that is kept already has kept its own. */
static void keep_ancestors(struct process_order *o)
{
	for (uint32_t i = 0; i < o->nodes.n; i++) {
		if (!o->nodes.v[i].matches)
			continue;
		uint32_t at = o->nodes.v[i].parent;
		for (; at != NONE && !o->nodes.v[at].kept; at = o->nodes.v[at].parent)
			o->nodes.v[at].kept = true;
	}
}

/* Candidates are in order: put at the front from behind, children are too. */
static uint32_t link_children(struct process_order *o)
{
	uint32_t roots = NONE;

	for (size_t i = o->candidates.n; i-- > 0;) {
		uint32_t at = (uint32_t)(o->candidates.v[i].row - o->first);
		struct process_node *node = &o->nodes.v[at];
		if (!node->kept)
			continue;
		uint32_t *head = node->parent == NONE ? &roots : &o->nodes.v[node->parent].child;
		node->sibling = *head;
		*head = at;
	}
	return roots;
}

/* The next in depth-first order behind the branch of `at`, within that of `stop`. */
static uint32_t past_branch(const struct process_order *o, uint32_t at, uint32_t stop, unsigned *depth)
{
	for (; at != stop && at != NONE; at = o->nodes.v[at].parent, --*depth)
		if (o->nodes.v[at].sibling != NONE)
			return o->nodes.v[at].sibling;
	return NONE;
}

static uint32_t next_in_branch(const struct process_order *o, uint32_t at, uint32_t stop, unsigned *depth)
{
	if (o->nodes.v[at].child == NONE)
		return past_branch(o, at, stop, depth);
	++*depth;
	return o->nodes.v[at].child;
}

static int fold_branch(struct process_order *o, process_row_vec *rows, uint32_t head, struct process_line *line)
{
	struct process_row *sum = vec_push(&o->sums);
	unsigned depth = 0;

	if (!sum)
		return -ENOMEM;
	*sum = empty_sum(&rows->v[head]);
	line->members = 0;
	for (uint32_t at = head; at != NONE; at = next_in_branch(o, at, head, &depth)) {
		add_row(sum, &rows->v[at]);
		o->nodes.v[at].seen = true;
		line->members++;
	}
	line->sum = (uint32_t)(o->sums.n - 1);
	line->folded = true;
	return 0;
}

static int put_node(struct process_order *o, process_row_vec *rows, uint32_t at, unsigned depth, uint64_t *guides)
{
	struct process_node *node = &o->nodes.v[at];
	struct process_line *line = vec_push(&o->all);

	if (!line)
		return -ENOMEM;
	*line = (struct process_line){ .row = &rows->v[at], .sum = MAP_NONE, .members = 1, .depth = (uint16_t)depth,
				       .last = node->sibling == NONE, .context = !node->matches,
				       .parent = node->child != NONE };
	if (depth < 64)
		*guides = line->last ? *guides & ~(1ull << depth) : *guides | 1ull << depth;
	line->guides = *guides;
	node->seen = true;
	return line->parent && process_marked(o->how->folded, process_identity(line->row)) ? fold_branch(o, rows, at, line) : 0;
}

static int walk_tree(struct process_order *o, process_row_vec *rows, uint32_t at)
{
	uint64_t guides = 0;
	unsigned depth = 0;

	while (at != NONE) {
		int r = put_node(o, rows, at, depth, &guides);
		if (r < 0)
			return r;
		at = o->all.v[o->all.n - 1].folded ? past_branch(o, at, NONE, &depth) :
						     next_in_branch(o, at, NONE, &depth);
	}
	return 0;
}

/* Parents are read one after another while processes move, so a ring is possible: cut open. */
static int walk_rings(struct process_order *o, process_row_vec *rows)
{
	for (uint32_t i = 0; i < o->nodes.n; i++) {
		struct process_node *node = &o->nodes.v[i];
		if (!node->kept || node->seen)
			continue;
		struct process_line *line = vec_push(&o->all);
		if (!line)
			return -ENOMEM;
		*line = (struct process_line){ .row = &rows->v[i], .sum = MAP_NONE, .members = 1, .last = true,
					       .context = !node->matches };
		node->seen = true;
	}
	return 0;
}

static int make_tree(struct process_order *o, process_row_vec *rows)
{
	int r = index_rows(o, rows);

	if (r < 0)
		return r;
	find_parents(o, rows);
	keep_ancestors(o);
	r = gather(o, rows, true);
	if (r < 0)
		return r;
	sort_between(o, 0, o->candidates.n);
	r = walk_tree(o, rows, link_children(o));
	return r < 0 ? r : walk_rings(o, rows);
}

/* ---- cgroups ---- */

/* The position of its cgroup among the sums. */
static int group_of(struct process_order *o, struct process_row *row, uint32_t *ret)
{
	uint64_t id = o->how->group(row);
	uint32_t at = map_get(&o->by_key, id + 1);

	if (at == MAP_NONE) {
		struct process_row *sum = vec_push(&o->sums);
		struct process_group *group = vec_push(&o->groups);
		if (!sum || !group)
			return -ENOMEM;
		*sum = empty_sum(row);
		*group = (struct process_group){ NONE, 0, id };
		at = (uint32_t)(o->sums.n - 1);
		int r = map_set(&o->by_key, id + 1, at);
		if (r < 0)
			return r;
	}
	*ret = at;
	return 0;
}

static int sum_groups(struct process_order *o)
{
	map_clear(&o->by_key);
	o->nodes.n = o->groups.n = 0;
	for (size_t i = 0; i < o->candidates.n; i++) {
		struct process_node *node = vec_push(&o->nodes);
		if (!node)
			return -ENOMEM;
		/* `parent` is the sum; the row's place among the candidates is the node's. */
		*node = (struct process_node){ .child = NONE, .sibling = NONE };
		int r = group_of(o, o->candidates.v[i].row, &node->parent);
		if (r < 0)
			return r;
		add_row(&o->sums.v[node->parent], o->candidates.v[i].row);
	}
	return 0;
}

/* Candidates are in order; each group gets a chain of its members. */
static void chain_members(struct process_order *o)
{
	for (size_t i = o->candidates.n; i-- > 0;) {
		struct process_group *group = &o->groups.v[o->nodes.v[i].parent];
		o->nodes.v[i].sibling = group->first;
		group->first = (uint32_t)i;
		group->members++;
	}
}

static int push_group(struct process_order *o, const struct process_candidate *members, uint32_t sum)
{
	struct process_line *line = vec_push(&o->all);

	if (!line)
		return -ENOMEM;
	bool folded = process_marked(o->how->folded, (struct process_identity){ o->groups.v[sum].id, 0 });
	*line = (struct process_line){ .row = &o->sums.v[sum], .group = o->groups.v[sum].id,
				       .sum = sum, .is_group = true, .parent = true,
				       .members = o->groups.v[sum].members, .folded = folded };
	if (folded)
		return 0;
	for (uint32_t at = o->groups.v[sum].first; at != NONE; at = o->nodes.v[at].sibling) {
		line = vec_push(&o->all);
		if (!line)
			return -ENOMEM;
		*line = (struct process_line){ .row = members[at].row, .sum = MAP_NONE, .members = 1, .depth = 1,
					       .last = o->nodes.v[at].sibling == NONE };
	}
	return 0;
}

/* The groups themselves are ordered as their members are. A text has no sum: then by cgroup. */
static int make_cgroups(struct process_order *o, process_row_vec *rows)
{
	int r = gather(o, rows, false);

	if (r < 0)
		return r;
	sort_between(o, 0, o->candidates.n);
	if ((r = sum_groups(o)) < 0)
		return r;
	chain_members(o);
	size_t n = o->candidates.n;
	if ((r = vec_reserve(&o->candidates, o->sums.n)) < 0)
		return r;
	struct process_candidate *groups = o->candidates.v + n;
	for (size_t i = 0; i < o->sums.n; i++)
		groups[i] = (struct process_candidate){ o->how->number ? key_of(o->how, &o->sums.v[i]) : (double)i,
							&o->sums.v[i] };
	/* tids of sums are 0, so equal keys leave them in the order of their first member. */
	heap_sort(o, groups, o->sums.n);
	for (size_t i = 0; i < o->sums.n && r == 0; i++)
		r = push_group(o, o->candidates.v, (uint32_t)(groups[i].row - o->sums.v));
	return r;
}

/* ---- all ---- */

void process_order_deinit(struct process_order *o)
{
	vec_free(&o->lines);
	vec_free(&o->sums);
	vec_free(&o->candidates);
	vec_free(&o->all);
	vec_free(&o->nodes);
	vec_free(&o->groups);
	map_deinit(&o->by_key);
}

int process_order_make(struct process_order *o, process_row_vec *rows, const struct process_arrange *how)
{
	int r;

	o->how = how;
	o->candidates.n = o->all.n = o->sums.n = o->lines.n = o->matching = o->total = 0;
	if (how->layout == LAYOUT_TREE)
		r = make_tree(o, rows);
	else if (how->layout == LAYOUT_CGROUPS)
		r = make_cgroups(o, rows);
	else
		r = gather(o, rows, false);
	if (r == 0)
		o->total = how->layout == LAYOUT_LIST ? o->candidates.n : o->all.n;
	return r;
}

static bool is_task(const struct process_row *row, struct process_identity id)
{
	struct process_identity own = process_identity(row);

	return own.id == id.id && own.start_ns == id.start_ns;
}

struct process_identity process_line_identity(const struct process_line *line)
{
	return line->is_group ? (struct process_identity){ line->group, 0 } : process_identity(line->row);
}

/* In the list it is the number of those that go first: no need to sort. */
static size_t rank_in_list(const struct process_order *o, struct process_identity id)
{
	const struct process_candidate *self = NULL;
	size_t rank = 0;

	vec_each(c, &o->candidates)
		if (is_task(c->row, id))
			self = c;
	if (!self)
		return SIZE_MAX;
	vec_each(c, &o->candidates)
		rank += goes_first(o, c, self);
	return rank;
}

size_t process_order_line_of(const struct process_order *o, struct process_identity id)
{
	if (o->how->layout == LAYOUT_LIST)
		return rank_in_list(o, id);
	for (size_t i = 0; i < o->all.n; i++) {
		struct process_identity own = process_line_identity(&o->all.v[i]);
		if (own.id == id.id && own.start_ns == id.start_ns)
			return i;
	}
	return SIZE_MAX;
}

int process_order_take(struct process_order *o, size_t from, size_t n)
{
	o->lines.n = 0;
	if (from >= o->total)
		return 0;
	n = n < o->total - from ? n : o->total - from;
	if (o->how->layout == LAYOUT_LIST)
		return take_list(o, from, n);
	int r = vec_reserve(&o->lines, n);
	if (r < 0)
		return r;
	memcpy(o->lines.v, o->all.v + from, n * sizeof *o->lines.v);
	o->lines.n = n;
	return 0;
}
