#include "act/run_group.h"

#include "base/check.h"

static bool parses(const char *text)
{
	struct run_group_name n;

	return run_group_name_parse(span_from(text), &n);
}

int main(void)
{
	struct run_group_name n = { .namespace_inode = 4026531836, .pid = 12, .start_ticks = 345,
				    .controllers = CGROUP_CPU | CGROUP_PIDS },
			      back = { 0 };
	char text[96];

	run_group_name_text(&n, text, sizeof text);
	CHECK_STR(text, "osprey-run-4026531836-12-345-cp");
	CHECK(run_group_name_parse(span_from(text), &back));
	CHECK(back.namespace_inode == n.namespace_inode && back.pid == 12 && back.start_ticks == 345 &&
	      back.controllers == n.controllers);
	n.controllers = 0;
	run_group_name_text(&n, text, sizeof text);
	CHECK_STR(text, "osprey-run-4026531836-12-345");
	CHECK(run_group_name_parse(span_from(text), &back) && back.controllers == 0);
	CHECK(!parses(""));
	CHECK(!parses("osprey-run-"));
	CHECK(!parses("osprey-run-1-2"));
	CHECK(!parses("osprey-run-1-0-3"));
	CHECK(!parses("osprey-run-1-2-3-x"));
	CHECK(!parses("osprey-run-1-2-3-c-m"));
	CHECK(!parses("osprey-run-1--2-3"));
	CHECK(!parses("osprey-run-1-4294967297-3"));
	CHECK(!parses("osprey-lab-12"));
	return check_exit();
}
