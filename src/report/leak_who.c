#include <math.h>
#include <string.h>

#include "report/leak.h"

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_runtime(const char *module)
{
	static const char *const prefixes[] = { "libc.so", "libc-", "ld-linux", "ld-musl", "libstdc++.so",
						"libc++.so", "libc++abi", "libjemalloc", "libtcmalloc",
						"libmimalloc", "libglib-2.0.so" };

	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (starts(module, prefixes[i]))
			return true;
	return false;
}

bool leak_is_wrapper(const char *function, const char *module, const char *allocator)
{
	static const char *const names[] = { "malloc", "calloc", "realloc", "reallocarray", "strdup",
					     "strndup", "__strdup", "__strndup", "asprintf", "vasprintf",
					     "getline", "getdelim", "xmalloc", "xcalloc", "xrealloc",
					     "xstrdup", "xstrndup", "xmemdup", "zmalloc", "zcalloc",
					     "zrealloc", "PyMem_Malloc", "PyObject_Malloc", "__libc_malloc" };
	static const char *const prefixes[] = { "operator new", "std::", "__gnu_cxx::", "alloc::",
						"<alloc::", "__rust_", "__rdl_", "hashbrown::",
						"void* std::", "void std::", "g_malloc", "g_realloc",
						"g_strdup" };
	const char *slash = strrchr(allocator, '/');

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(function, names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (starts(function, prefixes[i]))
			return true;
	return is_runtime(module) || (slash && strstr(module, ".so") && strcmp(module, slash + 1) == 0);
}

int leak_site_who(const struct leak_report *report, uint32_t site, struct symbol *ret)
{
	const struct leak_site *s = &report->watch->sites.site.v[site];
	struct symbol first = { .function = "", .module = "" };

	for (size_t i = 0; i < s->nframes; i++) {
		const struct symbol *symbols;
		size_t n;
		int r = symbolize(report->symbolizer, report->watch->space, s->frames[i].pc,
				  s->frames[i].exact, &symbols, &n);

		if (r < 0)
			return r;
		for (size_t k = 0; k < n; k++) {
			if (!first.function[0] && symbols[k].function[0])
				first = symbols[k];
			if (symbols[k].function[0] &&
			    !leak_is_wrapper(symbols[k].function, symbols[k].module, report->watch->allocator.object)) {
				*ret = symbols[k];
				return 0;
			}
			if (i == 0 && k == 0 && !symbols[k].function[0])
				first.module = symbols[k].module;
		}
	}
	*ret = first;
	return 0;
}

double leak_cost_cpus(const struct leak_report *report)
{
	const struct leak_counts *c = &report->watch->counts;
	double seconds = (double)(report->window->end_ns - report->window->start_ns) / 1e9;
	double traps = (double)c->frees + (double)c->allocations * (report->watch->session ? 1 : 2);

	return seconds > 0 && report->watch->trap_ns ? traps * (double)report->watch->trap_ns / 1e9 / seconds : NAN;
}
