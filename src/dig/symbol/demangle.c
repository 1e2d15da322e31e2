#include "dig/symbol/demangle.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>

/* The printers of libiberty cannot be told to stop: leaving them by longjmp costs nothing, as all they hold is on
 * the stack. */
struct output {
	struct buf text;
	bool failed;
	jmp_buf enough;
};

static void take(const char *part, size_t n, void *arg)
{
	struct output *o = arg;

	o->failed = o->text.n + n > DEMANGLE_OUTPUT_MAX || buf_append(&o->text, part, n) < 0;
	if (o->failed)
		longjmp(o->enough, 1);
}

static bool print(const char *name, struct output *o)
{
	const int style = DMGL_PARAMS | DMGL_ANSI;

	if (setjmp(o->enough))
		return false;
	if (name[0] == '_' && (name[1] == 'R' || name[1] == 'Z') && rust_demangle_callback(name, style, take, o))
		return true;
	if (o->text.n)
		buf_clear(&o->text);
	return name[1] == 'Z' && cplus_demangle_v3_callback(name, style, take, o) != 0;
}

static bool print_d(const char *name, struct output *o)
{
	char *text = strlen(name) < 1024 ? dlang_demangle(name, DMGL_PARAMS | DMGL_ANSI) : NULL;
	bool is = text && buf_append(&o->text, text, strlen(text)) == 0;

	free(text);
	return is;
}

bool demangle(const char *name, struct buf *ret)
{
	struct output o = { 0 };
	bool is;

	if (name[0] != '_' || !strchr("ZRD", name[1]) || !name[1] || strnlen(name, DEMANGLE_MAX) == DEMANGLE_MAX)
		return false;
	is = (name[1] == 'D' ? print_d(name, &o) : print(name, &o)) && o.text.n;
	if (!is) {
		buf_deinit(&o.text);
		return false;
	}
	buf_deinit(ret);
	*ret = o.text;
	return true;
}
