#include "dig/probe/tracepoint.h"

#include <errno.h>

#include "base/check.h"

static const char text[] =
	"name: x\nID: 42\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
	"\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
	"\tfield:char prev_comm[16];\toffset:16;\tsize:16;\tsigned:0;\n"
	"\tfield:pid_t prev_pid;\toffset:32;\tsize:4;\tsigned:1;\n"
	"\tfield:__data_loc char[] filename;\toffset:36;\tsize:4;\tsigned:0;\n"
	"\tfield:const char * name;\toffset:40;\tsize:8;\tsigned:0;\n"
	"\tfield:unsigned long args[6];\toffset:48;\tsize:48;\tsigned:0;\n"
	"\tfield:__rel_loc char[] tail;\toffset:96;\tsize:4;\tsigned:0;\n"
	"\tfield:u8 odd[3];\toffset:100;\tsize:3;\tsigned:0;\n"
	"\tfield:__data_loc u8[] bytes;\toffset:104;\tsize:4;\tsigned:0;\n"
	"\nprint fmt: \"field:int fake;\\toffset:0;\"\n";

static const struct probe_argument *named(const probe_argument_vec *v, const char *name)
{
	static const struct probe_argument none;

	vec_each(a, v)
		if (strcmp(a->name, name) == 0)
			return a;
	CHECK(!"is there");
	return &none;
}

int main(void)
{
	probe_argument_vec v = { 0 };
	uint64_t id = 0;

	CHECK(tracepoint_format_parse(span_from(text), &id, &v) == 0);
	CHECK_U64(id, 42);
	CHECK_U64(v.n, 8);
	CHECK(named(&v, "prev_comm")->place == PLACE_CONTEXT_TEXT && named(&v, "prev_comm")->bytes == 16);
	CHECK(named(&v, "prev_pid")->is_signed && named(&v, "prev_pid")->bytes == 4 && named(&v, "prev_pid")->offset == 32);
	CHECK(named(&v, "filename")->place == PLACE_DATA_LOC && named(&v, "filename")->constant == 0);
	CHECK(named(&v, "tail")->place == PLACE_DATA_LOC && named(&v, "tail")->constant == 100);
	CHECK(named(&v, "name")->is_pointer && strcmp(named(&v, "name")->type, "const char *") == 0);
	CHECK(named(&v, "args")->elements == 6 && named(&v, "args")->bytes == 8);
	CHECK(named(&v, "odd")->elements == 3 && named(&v, "odd")->bytes == 1);
	CHECK(named(&v, "bytes")->place == PLACE_NOWHERE);
	vec_free(&v);
	CHECK(tracepoint_format_parse(SPAN("name: x\n"), &id, &v) == -EBADMSG);
	CHECK(tracepoint_format_parse(SPAN("ID: 1\nfield:int a;\toffset:x;\n"), &id, &v) == -EBADMSG);
	vec_free(&v);
	return check_exit();
}
