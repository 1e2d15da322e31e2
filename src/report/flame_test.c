#include "report/flame.h"

#include "base/check.h"
#include "base/cleanup.h"
#include "dig/profile/call_compare.h"
#include "dig/profile/call_folded.h"
#include "dig/profile/call_pprof.h"

static const char folded[] = "main;work;hash 70\nmain;work;copy;memcpy 20\nmain;work;read;do_syscall_64_[k];vfs_read_[k] 9\n"
			     "main;[libc.so.6] 1\n";
static const char before[] = "main;work;hash 30\nmain;work;copy;memcpy 60\nmain;old 10\n";

static void parse(const char *text, struct call_tree *t)
{
	size_t refused;

	CHECK(call_tree_init(t, CALL_SAMPLES) == 0);
	CHECK(call_folded_parse(span_from(text), t, &refused) == 0);
	CHECK(call_tree_sum(t) == 0);
}

static struct flame flame_of(const struct call_tree *t)
{
	return (struct flame){ .tree = t, .title = "CPU profile of <x> & \"y\"", .whole = "the CPU time", .event = "cpu-clock",
			       .period_ns = 10101010, .duration_ns = 1000000000, .cut = 0.02, .nfunctions = 10,
			       .proof = "100 samples in 1 s." };
}

static void test_text(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text, .style = { .width = 80 } };
	struct call_tree t;

	parse(folded, &t);
	struct flame f = flame_of(&t);
	flame_text(&p, &f);
	CHECK(p.error == 0);
	CHECK_STR(text.data,
		  "70 % of the CPU time is spent in hash, called by work from main.\n"
		  "100 samples in 1 s.\n"
		  "\n"
		  "   self    total  function\n"
		  " 70.0 %  70.0 %   hash\n"
		  " 20.0 %  20.0 %   memcpy\n"
		  "  9.0 %   9.0 %   vfs_read\n"
		  "  1.0 %   1.0 %   [libc.so.6]\n"
		  "\n"
		  "  total     self  calls, outermost first (branches below 2 % are left out)\n"
		  "100.0 %           main\n"
		  " 99.0 %           work\n"
		  " 70.0 %  70.0 %   |-hash\n"
		  " 20.0 %           |-copy\n"
		  " 20.0 %  20.0 %   | memcpy\n"
		  "  9.0 %           `-read\n"
		  "  9.0 %             do_syscall_64\n"
		  "  9.0 %   9.0 %     vfs_read\n");
	call_tree_deinit(&t);
}

static void test_folded_again(void)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct call_tree t, again;

	parse(folded, &t);
	struct flame f = flame_of(&t);
	CHECK(flame_folded(&f, &text) == 0);
	CHECK_STR(text.data, "main;work;hash 70\nmain;work;copy;memcpy 20\nmain;work;read;do_syscall_64_[k];vfs_read_[k] 9\n"
			     "main;[libc.so.6] 1\n");
	parse("a;b;c 1", &again);
	call_tree_deinit(&again);
	call_tree_deinit(&t);
}

static void test_hostile_names(void)
{
	static const char evil[] = "a</script><script>alert(1)</script>\"'&;b\x01\x1b[31m\xff;c]]> 5\n";
	cleanup(buf_deinit) struct buf svg = { 0 }, html = { 0 }, out = { 0 }, json = { 0 }, scope = { 0 };
	struct call_tree t;

	parse(evil, &t);
	struct flame f = flame_of(&t);
	CHECK(flame_svg(&f, &svg) == 0 && flame_html(&f, &html) == 0 && flame_folded(&f, &out) == 0);
	CHECK(flame_json(&f, &json) == 0 && flame_speedscope(&f, &scope) == 0);
	CHECK(!strstr(svg.data, "<script>alert") && !strstr(html.data, "<script>alert"));
	CHECK(!strchr(svg.data, '\x1b') && !strchr(html.data, '\x01') && !strchr(out.data, '\x1b'));
	CHECK(strstr(svg.data, "&lt;/script&gt;") != NULL);
	CHECK(!strchr(json.data, '\x1b') && !strchr(scope.data, '\xff'));
	call_tree_deinit(&t);
}

static void test_pprof_again(void)
{
	cleanup(buf_deinit) struct buf packed = { 0 }, first = { 0 }, second = { 0 };
	struct call_tree t, again;
	const struct call_frame frames[] = {
		{ "python3 [12]", "process", "", 0, CALL_GROUP, false }, { "main", "python3", "m.c", 7, CALL_USER, false },
		{ "work", "python3", "m.c", 9, CALL_USER, true }, { "", "libc.so.6", "", 0, CALL_USER, false },
		{ "vfs_read", "[kernel]", "", 0, CALL_KERNEL, false }, { "jitted", "[jit]", "", 0, CALL_JIT, false },
	};
	uint32_t ids[6], node;

	CHECK(call_tree_init(&t, CALL_SAMPLES) == 0);
	t.by_line = true;
	for (size_t i = 0; i < 6; i++)
		CHECK(call_tree_frame(&t, &frames[i], &ids[i]) == 0);
	CHECK(call_tree_add(&t, ids, 6, 41, &node) == 0 && call_tree_add(&t, ids, 3, 1, &node) == 0);
	CHECK(call_tree_add(&t, ids, 1, 5, &node) == 0);
	CHECK(call_tree_sum(&t) == 0);
	struct flame f = flame_of(&t);
	CHECK(flame_pprof(&f, &packed) == 0);
	CHECK(call_tree_init(&again, CALL_COUNT) == 0);
	again.by_line = true;
	CHECK(call_pprof_is(buf_span(&packed)) && call_pprof_parse(buf_span(&packed), &again) == 0);
	CHECK(call_tree_sum(&again) == 0);
	CHECK(again.unit == CALL_SAMPLES);
	CHECK_U64(call_tree_total(&again), 47);
	CHECK_U64(again.frame.n, 6);
	for (size_t i = 0; i < 6 && i < again.frame.n; i++) {
		CHECK_STR(again.frame.v[i].function, frames[i].function);
		CHECK_STR(again.frame.v[i].module, frames[i].module);
		CHECK_STR(again.frame.v[i].file, frames[i].file);
		CHECK_U64(again.frame.v[i].line, frames[i].line);
		CHECK(again.frame.v[i].kind == frames[i].kind && again.frame.v[i].inlined == frames[i].inlined);
	}
	struct flame g = flame_of(&again);
	CHECK(flame_folded(&f, &first) == 0 && flame_folded(&g, &second) == 0);
	CHECK_STR(second.data, first.data);
	for (size_t n = 0; n < packed.n; n++) { /* cut short anywhere: refused */
		struct call_tree cut;

		CHECK(call_tree_init(&cut, CALL_COUNT) == 0);
		CHECK(call_pprof_parse((struct span){ packed.data, n }, &cut) < 0);
		call_tree_deinit(&cut);
	}
	call_tree_deinit(&again);
	call_tree_deinit(&t);
}

static void test_compared(void)
{
	cleanup(buf_deinit) struct buf text = { 0 }, svg = { 0 };
	struct page p = { .out = &text, .style = { .width = 80 } };
	struct call_tree now, then, both;

	parse(folded, &now);
	parse(before, &then);
	CHECK(call_compare(&now, &then, &both) == 0);
	struct flame f = flame_of(&both);
	f.compared = true;
	f.proof = NULL;
	flame_compared_text(&p, &f);
	CHECK(p.error == 0);
	text.data[text.n > 520 ? 520 : text.n] = '\0';
	CHECK(strncmp(text.data,
		      "hash grew most: by 40.0 points of the CPU time. memcpy shrank most: by 40.0\n"
		      "points.\n"
		      "\n"
		      " points   before     now    function, by itself\n"
		      "  +40.0   30.0 %  > 70.0 %   hash\n"
		      "   +9.0    0.0 %  >  9.0 %   vfs_read\n"
		      "   +1.0    0.0 %  >  1.0 %   [libc.so.6]\n"
		      "  -10.0   10.0 %  >  0.0 %   old\n"
		      "  -40.0   60.0 %  > 20.0 %   memcpy\n", 300) == 0);
	CHECK(flame_svg(&f, &svg) == 0 && strstr(svg.data, "before 30.00 %") != NULL);
	call_tree_deinit(&both);
	call_tree_deinit(&then);
	call_tree_deinit(&now);
}

static void test_widths(void)
{
	struct call_tree t;

	parse("a_function_with_a_rather_long_name_that_no_terminal_can_hold_in_one_line_whatever_it_does;b;c 10\n", &t);
	for (unsigned width = 20; width <= 100; width++) {
		cleanup(buf_deinit) struct buf text = { 0 };
		struct page p = { .out = &text, .style = { .width = width, .unicode = width & 1 } };
		struct flame f = flame_of(&t);

		f.answered = true; /* a word longer than the line is left whole in prose */
		flame_text(&p, &f);
		struct span rest = buf_span(&text), line;
		while (width >= 80 && span_line(&rest, &line))
			CHECK(text_columns(line, true) <= width);
	}
	call_tree_deinit(&t);
}

int main(void)
{
	test_text();
	test_folded_again();
	test_hostile_names();
	test_pprof_again();
	test_compared();
	test_widths();
	return check_exit();
}
