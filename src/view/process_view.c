#include "view/process_view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct process_state {
	struct host *host;
	struct process_view_options options;
	struct process_table *table;
	bool commands; /* of all rows, at once */
	int32_t self;  /* who looks: his own arguments hold every word that is sought. 0: unknown */
};

static bool holds(struct span s, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= s.n; i++)
		if (strncasecmp(s.p + i, part, n) == 0)
			return true;
	return false;
}

bool process_row_fits(struct process_row *row, const char *word)
{
	uint64_t number;

	if (span_u64(span_from(word), &number))
		return number == (uint64_t)row->pid || number == (uint64_t)row->ppid || number == (uint64_t)row->tid;
	return holds(span_from(process_row_user(row)), word) || holds(process_row_command(row), word) ||
	       holds((struct span){ row->comm, strnlen(row->comm, sizeof row->comm) }, word) ||
	       holds(span_from(process_row_unit(row)), word);
}

static bool fits_all(const struct process_state *s, struct process_row *row)
{
	if (s->options.no_kernel_threads && (row->flags & TASK_IS_KERNEL_THREAD))
		return false;
	if (s->options.nwords && row->pid == s->self)
		return false;
	for (size_t i = 0; i < s->options.nwords; i++)
		if (!process_row_fits(row, s->options.words[i]))
			return false;
	return true;
}

/* In a tree, whoever fits brings his forefathers along: they say where he stands. */
static void keep_forefathers(process_row_vec *rows, const struct map *by_pid, struct process_row *row)
{
	/* Bounded: parents that were used again could make a circle. */
	for (size_t steps = 0; steps < rows->n; steps++) {
		uint32_t at = map_get(by_pid, (uint64_t)row->ppid);

		if (row->ppid == 0 || at == MAP_NONE || rows->v[at].kept)
			return;
		row = &rows->v[at];
		row->kept = true;
	}
}

/* Threads of a process that fits are what was sought too. */
static void keep_threads(process_row_vec *rows, const struct map *by_pid)
{
	vec_each(row, rows) {
		uint32_t leader = row->tid == row->pid ? MAP_NONE : map_get(by_pid, (uint64_t)row->pid);

		row->kept = row->kept || (leader != MAP_NONE && rows->v[leader].kept);
	}
}

static int mark_kept(struct process_state *s)
{
	process_row_vec *rows = process_table_rows(s->table);
	struct map by_pid = { 0 };
	int r = 0;

	vec_each(row, rows)
		row->kept = fits_all(s, row);
	if (s->options.nwords == 0 || !(s->options.tree || s->options.threads))
		return 0;
	for (size_t i = 0; r == 0 && i < rows->n; i++)
		if (rows->v[i].tid == rows->v[i].pid)
			r = map_set(&by_pid, (uint64_t)rows->v[i].pid, (uint32_t)i);
	if (r == 0 && s->options.threads)
		keep_threads(rows, &by_pid);
	for (size_t i = 0; r == 0 && s->options.tree && i < rows->n; i++)
		if (rows->v[i].kept)
			keep_forefathers(rows, &by_pid, &rows->v[i]);
	map_deinit(&by_pid);
	return r;
}

/* Through the host: a capture knows who took it. */
static int32_t who_looks(struct host *h)
{
	struct buf link = { 0 };
	uint64_t pid = 0;

	if (host_readlink(h, "/proc/self", &link) < 0 || !span_u64(buf_span(&link), &pid) || pid > INT32_MAX)
		pid = 0;
	buf_deinit(&link);
	return (int32_t)pid;
}

/* What the columns that are wanted need of the reader; unit and cgroup are search words' too. */
static unsigned needs_of(const struct view_wanted *wanted, const struct process_view_options *options)
{
	static const struct {
		const char *column;
		unsigned need;
	} needs[] = {
		{ "read_bytes", TASK_NEED_IO }, { "write_bytes", TASK_NEED_IO }, { "read_bytes_per_s", TASK_NEED_IO },
		{ "write_bytes_per_s", TASK_NEED_IO }, { "voluntary_switches", TASK_NEED_SWITCHES },
		{ "involuntary_switches", TASK_NEED_SWITCHES }, { "voluntary_switches_per_s", TASK_NEED_SWITCHES },
		{ "involuntary_switches_per_s", TASK_NEED_SWITCHES }, { "fds", TASK_NEED_FDS }, { "fd_limit", TASK_NEED_FDS },
		{ "fd_pct", TASK_NEED_FDS }, { "unit", TASK_NEED_CGROUPS }, { "cgroup", TASK_NEED_CGROUPS },
	};
	unsigned all = (options->threads ? TASK_NEED_THREADS : 0) | (options->nwords ? TASK_NEED_CGROUPS : 0);

	for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
		if (view_wants_named(wanted, needs[i].column))
			all |= needs[i].need;
	return all | 1u << 31; /* 0 would be all */
}

static int process_open(struct host *h, const struct view_wanted *wanted, const void *options, void **ret_state,
			struct note *note)
{
	struct process_state *s = calloc(1, sizeof *s);
	int r = s ? 0 : note_set(note, -ENOMEM, "out of memory");

	if (r == 0) {
		s->host = h;
		s->options = *(const struct process_view_options *)options;
		s->self = s->options.nwords ? who_looks(h) : 0;
		s->commands = view_wants_named(wanted, "command") || s->options.nwords > 0;
		struct process_table_options table = {
			.threads = s->options.threads, .no_bpf = s->options.no_bpf, .one_look = !s->options.over_time,
			.needs = needs_of(wanted, options),
		};
		r = process_table_new(h, &table, &s->table, note);
	}
	if (r < 0) {
		free(s);
		return r;
	}
	*ret_state = s;
	return 0;
}

static int process_look(void *state, struct note *note)
{
	struct process_state *s = state;
	int r = process_table_look(s->table);

	if (r < 0)
		return note_set(note, r, "processes cannot be read: %s", strerror(-r));
	if (process_table_rows(s->table)->n == 0)
		return note_set(note, -ENOENT, "there are no processes to be seen: is /proc mounted, and not with hidepid?");
	if (s->commands)
		r = process_table_commands(s->table);
	return r < 0 ? note_set(note, r, "out of memory") : 0;
}

static int process_rows(void *state, row_vec *ret)
{
	struct process_state *s = state;
	int r = mark_kept(s);

	vec_each(row, process_table_rows(s->table))
		if (r == 0 && row->kept)
			r = row_push(ret, row);
	return r;
}

static void process_close(void *state)
{
	struct process_state *s = state;

	process_table_free(s->table);
	free(s);
}

/* ---- the tree ---- */

struct node {
	struct process_row *row;
	size_t first_child, next, last_child; /* places + 1; 0: none */
	bool below;
};

struct tree {
	struct node *nodes;
	size_t n;
	row_vec *out;
	bool unicode;
	int error;
};

/* "│  ├─ ": drawn from the branch of the parent. */
static const char *branch_of(struct tree *t, const struct process_row *parent, bool parent_last, bool last)
{
	const char *line = t->unicode ? "│  " : "|  ", *fork = t->unicode ? "├─ " : "|- ", *end = t->unicode ? "└─ " : "`- ";
	size_t stem = strlen(parent->branch) - (parent->depth ? strlen(parent_last ? end : fork) : 0);
	char *branch = process_table_text(parent->table, stem + 16);

	if (!branch) {
		t->error = -ENOMEM;
		return "";
	}
	sprintf(branch, "%.*s%s%s", (int)stem, parent->branch, parent->depth == 0 ? "" : parent_last ? "   " : line,
		last ? end : fork);
	return branch;
}

#define MAX_DEPTH 40 /* deeper ones stand as deep as this: a chain of forks must not cost the square of its length */

static void put_node(struct tree *t, size_t at)
{
	t->error = t->error < 0 ? t->error : row_push(t->out, t->nodes[at].row);
}

/* Depth first, without recursion: a chain of forks can be as long as the table. */
static void walk(struct tree *t, size_t root, size_t *stack, bool *last)
{
	size_t depth = 0;

	stack[0] = root;
	last[0] = true;
	t->nodes[root].row->branch = "";
	t->nodes[root].row->depth = 0;
	put_node(t, root);
	size_t child = t->nodes[root].first_child;
	while (t->error == 0) {
		if (child == 0) {
			if (depth == 0)
				return;
			child = t->nodes[stack[depth--]].next;
			continue;
		}
		struct node *n = &t->nodes[child - 1];
		struct process_row *parent = t->nodes[stack[depth]].row;
		bool is_last = n->next == 0;

		if (parent->depth < MAX_DEPTH) {
			n->row->depth = parent->depth + 1;
			n->row->branch = branch_of(t, parent, last[depth], is_last);
		} else {
			n->row->depth = parent->depth;
			n->row->branch = parent->branch;
		}
		put_node(t, child - 1);
		depth++;
		stack[depth] = child - 1;
		last[depth] = is_last;
		child = n->first_child;
	}
}

static void link_children(struct tree *t, const struct map *by_id, bool threads)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct process_row *row = t->nodes[i].row;
		int32_t parent = threads && row->tid != row->pid ? row->pid : row->ppid;
		uint32_t at = parent > 0 ? map_get(by_id, (uint64_t)parent) : MAP_NONE;

		/* A child that is older than its parent has one whose number was used again. */
		if (at == MAP_NONE || at == i || t->nodes[at].row->start_ns > row->start_ns)
			continue;
		struct node *p = &t->nodes[at];
		if (p->last_child)
			t->nodes[p->last_child - 1].next = i + 1;
		else
			p->first_child = i + 1;
		p->last_child = i + 1;
		t->nodes[i].below = true;
	}
}

int process_rows_tree(row_vec *rows, bool unicode)
{
	struct tree t = { .n = rows->n, .unicode = unicode };
	size_t *stack = calloc(rows->n + 1, sizeof *stack);
	bool *last = calloc(rows->n + 1, sizeof *last);
	struct map by_id = { 0 };
	row_vec ordered = { 0 };

	t.nodes = calloc(rows->n + 1, sizeof *t.nodes);
	t.out = &ordered;
	if (!stack || !last || !t.nodes)
		t.error = -ENOMEM;
	for (size_t i = 0; t.error == 0 && i < rows->n; i++) {
		t.nodes[i].row = (struct process_row *)(uintptr_t)rows->v[i];
		t.error = map_set(&by_id, (uint64_t)t.nodes[i].row->tid, (uint32_t)i);
	}
	if (t.error == 0)
		link_children(&t, &by_id, true);
	for (size_t i = 0; t.error == 0 && i < t.n; i++)
		if (!t.nodes[i].below)
			walk(&t, i, stack, last);
	if (t.error == 0 && ordered.n) {
		memcpy(rows->v, ordered.v, ordered.n * sizeof *ordered.v);
		rows->n = ordered.n;
	}
	vec_free(&ordered);
	map_deinit(&by_id);
	free(t.nodes);
	free(stack);
	free(last);
	return t.error;
}

static const char *branch(const void *row)
{
	return ((const struct process_row *)row)->branch;
}

static const struct view_span *process_span(const void *state)
{
	return process_table_span(((const struct process_state *)state)->table);
}

static const struct view_section sections[] = {
	{ .name = "processes", .entity = &entity_process, .rows = process_rows, .prefix = branch },
};

const struct view view_process = {
	SECTIONS(sections), .open = process_open, .look = process_look, .close = process_close, .span = process_span,
	.over_lives = true,
};
