#include "dig/profile/call_tree.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "dig/profile/call_compare.h"
#include "dig/profile/call_folded.h"

static void parse(const char *text, struct call_tree *t)
{
	size_t refused;

	CHECK(call_tree_init(t, CALL_SAMPLES) == 0);
	CHECK(call_folded_parse(span_from(text), t, &refused) == 0);
	CHECK(call_tree_sum(t) == 0);
}

static const struct call_function *function(const struct call_tree *t, const call_functions *all, const char *name)
{
	vec_each(f, all)
		if (strcmp(t->frame.v[f->frame].function, name) == 0)
			return f;
	CHECK(!"there");
	return &all->v[0];
}

static void test_sums(void)
{
	call_functions all = { 0 };
	struct call_tree t;

	parse("a;b;c 3\na;b 2\na;d 7\ne 1\n", &t);
	CHECK_U64(call_tree_total(&t), 13);
	uint32_t a = t.node.v[CALL_ROOT].first_child;
	CHECK_STR(t.frame.v[t.node.v[a].frame].function, "a");
	CHECK_U64(t.node.v[a].total, 12);
	CHECK_U64(t.node.v[a].self, 0);
	CHECK_STR(t.frame.v[t.node.v[t.node.v[a].first_child].frame].function, "d");
	CHECK(call_tree_functions(&t, &all) == 0);
	CHECK_U64(all.n, 5);
	CHECK_STR(t.frame.v[all.v[0].frame].function, "d");
	CHECK_U64(function(&t, &all, "b")->total, 5);
	vec_free(&all);
	call_tree_deinit(&t);
}

static void test_recursion_counts_once(void)
{
	call_functions all = { 0 };
	struct call_tree t;

	parse("a;f;f;g;f 4\na;f 1\nf;a 1\n", &t);
	CHECK(call_tree_functions(&t, &all) == 0);
	CHECK_U64(function(&t, &all, "f")->total, 6);
	CHECK_U64(function(&t, &all, "f")->self, 5);
	CHECK_U64(function(&t, &all, "a")->total, 6);
	vec_free(&all);
	call_tree_deinit(&t);
}

static void test_frames_told_apart(void)
{
	struct call_tree t;
	uint32_t one, two, three, four;

	CHECK(call_tree_init(&t, CALL_COUNT) == 0);
	CHECK(call_tree_frame(&t, &(struct call_frame){ .function = "f", .module = "x", .line = 1 }, &one) == 0);
	CHECK(call_tree_frame(&t, &(struct call_frame){ .function = "f", .module = "x", .line = 2 }, &two) == 0);
	CHECK(call_tree_frame(&t, &(struct call_frame){ .function = "f", .module = "y" }, &three) == 0);
	CHECK(one == two && one != three);
	t.by_line = true;
	CHECK(call_tree_frame(&t, &(struct call_frame){ .function = "f", .module = "x", .line = 2 }, &four) == 0);
	CHECK(four != one);
	call_tree_deinit(&t);
}

static void test_merge(void)
{
	struct call_tree t, u;

	parse("a;b 3\na;c 1\n", &t);
	parse("a;b 10\nz 2\n", &u);
	CHECK(call_tree_merge(&t, &u) == 0 && call_tree_sum(&t) == 0);
	CHECK_U64(call_tree_total(&t), 16);
	CHECK_U64(t.node.n, 5);
	CHECK_U64(t.node.v[t.node.v[CALL_ROOT].first_child].total, 14);
	call_tree_deinit(&u);
	call_tree_deinit(&t);
}

static void test_folded(void)
{
	struct call_tree t;
	size_t refused;

	CHECK(call_tree_init(&t, CALL_SAMPLES) == 0);
	CHECK(call_folded_parse(SPAN("# comment\n\nsh [12];main;x_[k] 3\nno weight\nmain 1.6\n"), &t, &refused) == 0);
	CHECK_U64(refused, 1);
	CHECK(call_tree_sum(&t) == 0);
	CHECK_U64(call_tree_total(&t), 5);
	uint32_t sh = t.node.v[CALL_ROOT].first_child;
	CHECK(t.frame.v[t.node.v[sh].frame].kind == CALL_GROUP);
	CHECK(call_folded_parse(SPAN("nothing of the kind\n"), &t, &refused) < 0);
	call_tree_deinit(&t);
}

/* Long names, and so many that the pool has several chunks. */
static void test_many_names(void)
{
	struct call_tree t;
	char name[20000];
	uint32_t ids[600], again;

	CHECK(call_tree_init(&t, CALL_SAMPLES) == 0);
	for (unsigned i = 0; i < 600; i++) {
		size_t n = i % 50 == 0 ? sizeof name - 1 : 200;

		memset(name, 'x', n);
		name[n] = '\0';
		snprintf(name, 8, "%07u", i);
		name[7] = 'y';
		CHECK(call_tree_frame(&t, &(struct call_frame){ .function = name }, &ids[i]) == 0);
	}
	for (unsigned i = 0; i < 600; i++) {
		CHECK(call_tree_frame(&t, &(struct call_frame){ .function = t.frame.v[ids[i]].function }, &again) == 0);
		CHECK(again == ids[i]);
		CHECK(strtoul(t.frame.v[ids[i]].function, NULL, 10) == i);
	}
	call_tree_deinit(&t);
}

static void test_compare_leaves_pids_out(void)
{
	struct call_tree now, before, both;

	parse("sh [12];f 3\n", &now);
	parse("sh [777];f 1\nsh [777];g 3\n", &before);
	CHECK(call_compare(&now, &before, &both) == 0);
	CHECK_U64(both.node.n, 4);
	const struct call_node *sh = &both.node.v[both.node.v[CALL_ROOT].first_child];
	CHECK_U64(sh->total, 3);
	CHECK_U64(sh->before_total, 4);
	CHECK_NEAR(call_growth(3, 3, 1, 4), 0.75, 1e-9);
	call_tree_deinit(&both);
	call_tree_deinit(&before);
	call_tree_deinit(&now);
}

int main(void)
{
	test_sums();
	test_recursion_counts_once();
	test_frames_told_apart();
	test_merge();
	test_folded();
	test_many_names();
	test_compare_leaves_pids_out();
	return check_exit();
}
