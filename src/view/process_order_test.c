#include "view/process_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"

/* ---- rows made by hand ---- */

static void put(process_row_vec *rows, int pid, int ppid, uint64_t cpu_ns, uint64_t group)
{
	struct process_row *row = vec_push(rows);

	CHECK(row != NULL);
	row->pid = row->tid = pid;
	row->ppid = ppid;
	row->start_ns = (uint64_t)pid * 1000;
	row->growth.user_ns = cpu_ns;
	row->rss_bytes = 100;
	row->swap_bytes = READING_ABSENT;
	row->cgroup[0] = group;
	snprintf(row->comm, sizeof row->comm, "p%d", pid);
}

static double cpu(struct process_row *row, const void *arg)
{
	(void)arg;
	return reading_value(row->growth.user_ns);
}

static struct span name(struct process_row *row, const void *arg)
{
	(void)arg;
	return span_from(row->comm);
}

static uint64_t group(struct process_row *row)
{
	return row->cgroup[0];
}

static bool is_pid(struct process_row *row, void *arg)
{
	return row->pid == *(int *)arg;
}

static bool is_even(struct process_row *row, void *arg)
{
	(void)arg;
	return row->pid % 2 == 0;
}

static const struct process_arrange by_cpu = { .number = cpu, .text = name, .group = group };

/* "12 7 3": pids of the lines taken; a cgroup as "g5". */
static const char *shown(const struct process_order *o)
{
	static char text[512];
	size_t n = 0;

	text[0] = '\0';
	vec_each(line, &o->lines)
		n += (size_t)snprintf(text + n, sizeof text - n, line->is_group ? "%sg%llu" : "%s%llu", n ? " " : "",
				      line->is_group ? (unsigned long long)line->group : (unsigned long long)line->row->pid);
	return text;
}

static void take(struct process_order *o, process_row_vec *rows, const struct process_arrange *how, size_t from, size_t n)
{
	CHECK(process_order_make(o, rows, how) == 0);
	CHECK(process_order_take(o, from, n) == 0);
}

/* ---- the list ---- */

static void test_list(void)
{
	process_row_vec rows = { 0 };
	struct process_order o = { 0 };

	put(&rows, 1, 0, 5, 0);
	put(&rows, 2, 1, READING_DENIED, 0);
	put(&rows, 3, 1, 50, 0);
	put(&rows, 4, 1, 5, 0);
	put(&rows, 5, 1, 0, 0);
	take(&o, &rows, &by_cpu, 0, 10);
	CHECK_U64(o.total, 5);
	/* Equal ones by pid, missing ones last. */
	CHECK_STR(shown(&o), "3 1 4 5 2");
	take(&o, &rows, &by_cpu, 1, 2);
	CHECK_STR(shown(&o), "1 4");
	take(&o, &rows, &by_cpu, 9, 2);
	CHECK_STR(shown(&o), "");
	struct process_arrange up = by_cpu;
	up.ascending = true;
	take(&o, &rows, &up, 0, 10);
	CHECK_STR(shown(&o), "5 1 4 3 2");
	up.number = NULL;
	take(&o, &rows, &up, 0, 10);
	CHECK_STR(shown(&o), "1 2 3 4 5");
	up.ascending = false;
	take(&o, &rows, &up, 0, 10);
	CHECK_STR(shown(&o), "5 4 3 2 1");
	up.matches = is_even;
	take(&o, &rows, &up, 0, 10);
	CHECK_STR(shown(&o), "4 2");
	CHECK_U64(o.matching, 2);
	process_order_deinit(&o);
	vec_free(&rows);
}

static int by_key(const void *a, const void *b)
{
	const struct process_row *x = *(struct process_row *const *)a, *y = *(struct process_row *const *)b;

	if (x->growth.user_ns != y->growth.user_ns)
		return x->growth.user_ns > y->growth.user_ns ? -1 : 1;
	return x->tid < y->tid ? -1 : 1;
}

/* Whatever part of the list is asked for: it is that part of the list in order. */
static void check_parts(process_row_vec *rows)
{
	struct process_row **ordered = calloc(rows->n, sizeof *ordered);
	struct process_order o = { 0 };

	CHECK(ordered != NULL);
	for (size_t i = 0; i < rows->n; i++)
		ordered[i] = &rows->v[i];
	qsort(ordered, rows->n, sizeof *ordered, by_key);
	for (size_t from = 0; from < rows->n; from += 1 + rows->n / 17) {
		take(&o, rows, &by_cpu, from, 50);
		CHECK_U64(o.lines.n, rows->n - from < 50 ? rows->n - from : 50);
		for (size_t i = 0; i < o.lines.n; i++)
			CHECK(o.lines.v[i].row == ordered[from + i]);
		CHECK_U64(process_order_line_of(&o, process_identity(ordered[from])), from);
	}
	process_order_deinit(&o);
	free(ordered);
}

static void test_parts(void)
{
	uint64_t seed = 1;

	for (int kind = 0; kind < 5; kind++) {
		process_row_vec rows = { 0 };
		for (int i = 1; i <= 3000; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			uint64_t keys[] = { seed >> 40, 0, (uint64_t)i, (uint64_t)(3000 - i), (uint64_t)(i % 3) };
			put(&rows, i, 0, keys[kind], 0);
		}
		check_parts(&rows);
		vec_free(&rows);
	}
}

/* ---- the tree ---- */

static void make_family(process_row_vec *rows)
{
	put(rows, 1, 0, 1, 7);
	put(rows, 10, 1, 2, 7);
	put(rows, 11, 1, 9, 8);
	put(rows, 20, 10, 4, 8);
	put(rows, 21, 10, 5, 8);
	put(rows, 30, 21, 1, 8);
	put(rows, 40, 99, 3, 7); /* its parent is not to be seen */
}

static void test_tree(void)
{
	process_row_vec rows = { 0 };
	struct process_order o = { 0 };
	struct process_marks folded = { 0 };
	struct process_arrange how = by_cpu;

	make_family(&rows);
	how.layout = LAYOUT_TREE;
	how.folded = &folded;
	take(&o, &rows, &how, 0, 20);
	CHECK_STR(shown(&o), "40 1 11 10 21 30 20");
	CHECK_U64(o.lines.v[5].depth, 3);
	CHECK(o.lines.v[6].last && !o.lines.v[4].last && o.lines.v[3].last);
	/* 21 has a sibling below it, 10 has none. */
	CHECK_U64(o.lines.v[5].guides >> 2 & 1, 1);
	CHECK_U64(o.lines.v[5].guides >> 1 & 1, 0);
	CHECK_U64(process_order_line_of(&o, process_identity(&rows.v[5])), 5);
	/* 10 is folded: its line has the sum of four. */
	CHECK(process_mark(&folded, process_identity(&rows.v[1]), true) == 0);
	take(&o, &rows, &how, 0, 20);
	CHECK_STR(shown(&o), "40 1 11 10");
	CHECK_U64(o.lines.v[3].members, 4);
	CHECK_U64(o.sums.v[o.lines.v[3].sum].growth.user_ns, 12);
	CHECK_U64(o.sums.v[o.lines.v[3].sum].rss_bytes, 400);
	CHECK_U64(o.sums.v[o.lines.v[3].sum].swap_bytes, READING_ABSENT);
	CHECK(process_mark(&folded, process_identity(&rows.v[1]), false) == 0);
	/* Who matches brings his forefathers along. */
	int pid = 30;
	how.matches = is_pid;
	how.matches_arg = &pid;
	take(&o, &rows, &how, 0, 20);
	CHECK_STR(shown(&o), "1 10 21 30");
	CHECK(o.lines.v[0].context && !o.lines.v[3].context);
	CHECK_U64(o.matching, 1);
	process_marks_deinit(&folded);
	process_order_deinit(&o);
	vec_free(&rows);
}

/* Numbers that were used again, or a ring: everybody is shown once all the same. */
static void test_odd_trees(void)
{
	process_row_vec rows = { 0 };
	struct process_order o = { 0 };
	struct process_arrange how = by_cpu;

	how.layout = LAYOUT_TREE;
	put(&rows, 5, 6, 1, 0);
	put(&rows, 6, 5, 1, 0);
	put(&rows, 7, 7, 1, 0);
	put(&rows, 8, 9, 1, 0);
	put(&rows, 9, 1, 1, 0);
	rows.v[0].start_ns = rows.v[1].start_ns = 5;
	take(&o, &rows, &how, 0, 20);
	CHECK_U64(o.total, 5);
	/* 8 is older than its parent. */
	vec_each(line, &o.lines)
		CHECK(line->row->pid != 8 || line->depth == 0);
	/* A chain that is longer than any screen is wide. */
	rows.n = 0;
	for (int i = 1; i <= 5000; i++)
		put(&rows, i, i - 1, 0, 0);
	take(&o, &rows, &how, 4990, 20);
	CHECK_U64(o.total, 5000);
	CHECK_STR(shown(&o), "4991 4992 4993 4994 4995 4996 4997 4998 4999 5000");
	process_order_deinit(&o);
	vec_free(&rows);
}

/* ---- cgroups ---- */

static void test_cgroups(void)
{
	process_row_vec rows = { 0 };
	struct process_order o = { 0 };
	struct process_marks folded = { 0 };
	struct process_arrange how = by_cpu;

	make_family(&rows);
	how.layout = LAYOUT_CGROUPS;
	how.folded = &folded;
	take(&o, &rows, &how, 0, 20);
	CHECK_STR(shown(&o), "g8 11 21 20 30 g7 40 10 1");
	CHECK_U64(o.lines.v[0].members, 4);
	CHECK_U64(o.lines.v[0].row->growth.user_ns, 19);
	CHECK(o.lines.v[4].last && !o.lines.v[3].last);
	CHECK(process_mark(&folded, process_line_identity(&o.lines.v[0]), true) == 0);
	take(&o, &rows, &how, 0, 20);
	CHECK_STR(shown(&o), "g8 g7 40 10 1");
	CHECK(o.lines.v[0].folded);
	CHECK_U64(process_order_line_of(&o, (struct process_identity){ 7, 0 }), 1);
	CHECK_U64(process_order_line_of(&o, process_identity(&rows.v[2])), SIZE_MAX);
	process_marks_deinit(&folded);
	process_order_deinit(&o);
	vec_free(&rows);
}

static void test_marks(void)
{
	struct process_marks m = { 0 };
	struct process_identity a = { 10, 1 }, again = { 10, 2 };

	CHECK(!process_marked(&m, a));
	CHECK(process_mark(&m, a, true) == 0);
	CHECK(process_mark(&m, a, true) == 0);
	CHECK_U64(m.n, 1);
	/* The number of one that has ended, used again, is not marked. */
	CHECK(process_marked(&m, a) && !process_marked(&m, again));
	CHECK(process_mark(&m, a, false) == 0);
	CHECK(!process_marked(&m, a) && m.n == 0);
	process_marks_deinit(&m);
}

int main(void)
{
	test_list();
	test_parts();
	test_tree();
	test_odd_trees();
	test_cgroups();
	test_marks();
	return check_exit();
}
