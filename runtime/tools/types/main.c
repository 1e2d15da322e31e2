/* osprey-rt-types: descriptors of annotated C types, from the debug information of objects. See its manual
 * page. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "describe.h"
#include "emit.h"
#include "look.h"
#include "tool.h"

static const char usage[] =
	"usage: osprey-rt-types [-o FILE] [-i HEADER]... [-f dwarf|btf] OBJECT...\n"
	"       osprey-rt-types -p PID|-c CORE [-s] [TYPE ADDRESS]\n"
	"Writes a C source with descriptors of the types that OBJECTs annotate by RT_REFLECT; or lists those of a process or a\n"
	"core file, or prints the value of a type at an address there (-s: secrets too).\n";

struct order {
	const char *output;
	const char **headers;
	size_t nheaders;
	const char *format;
	const char *pid, *core;
	bool secrets;
};

static struct c_source *source_of(const char *path, const char *format)
{
	struct c_source *s = NULL;

	if (!format || strcmp(format, "dwarf") == 0)
		s = c_source_dwarf(path);
	if (!s && (!format || strcmp(format, "btf") == 0))
		s = c_source_btf(path);
	if (!s)
		fail("%s has no debug information%s%s: compile it with -g", path, format ? " of the kind " : "", format ? format : "");
	return s;
}

static void describe(const struct order *o, char **paths, size_t n, struct descriptions *d)
{
	struct c_source **sources = get(n * sizeof *sources);

	for (size_t i = 0; i < n; i++)
		annotations_read(paths[i], &d->annotations);
	if (complaints)
		exit(1);
	if (!d->annotations.n)
		fail("no type is annotated: RT_REFLECT does it, osprey/rt/reflect.h tells how");
	for (size_t i = 0; i < n; i++)
		sources[i] = source_of(paths[i], o->format);
	describe_all(d, sources, n);
	if (complaints)
		exit(1);
}

/* A source that was not written whole would look newer than the object to make. */
static void write_to(const struct order *o, const struct descriptions *d)
{
	char *name = o->output ? text_of("%s.%d.tmp", o->output, (int)getpid()) : NULL;
	FILE *to = name ? fopen(name, "w") : stdout;

	if (!to)
		fail("%s: %m", name);
	emit(d, o->headers, o->nheaders, to);
	if (fflush(to) != 0 || ferror(to) || (name && (fclose(to) != 0 || rename(name, o->output) != 0))) {
		int error = errno;
		if (name)
			unlink(name);
		fail("%s: %s", name ? o->output : "standard output", strerror(error));
	}
}

static int look_at(const struct order *o, char **words, int n)
{
	struct target t;
	char *end;
	uint64_t address = 0;

	if (o->output || o->nheaders || o->format || (o->pid && o->core) || (n != 0 && n != 2)) {
		fputs(usage, stderr);
		return 2;
	}
	if (n == 2) {
		address = strtoull(words[1], &end, 0);
		if (end == words[1] || *end)
			fail_usage("%s is no address", words[1]);
	}
	if (o->pid) {
		long pid = strtol(o->pid, &end, 10);
		if (pid <= 0 || pid > 1 << 30 || *end)
			fail_usage("%s is no process", o->pid);
		target_process((int)pid, &t);
	} else {
		target_core(o->core, &t);
	}
	return look(&t, n ? words[0] : NULL, address, o->secrets);
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct order o = { 0 };
	struct descriptions d = { 0 };

	for (int c; (c = getopt_long(argc, argv, "o:i:f:p:c:sh", options, NULL)) != -1;) {
		switch (c) {
		case 'o':
			o.output = optarg;
			break;
		case 'i':
			ADD(o.headers, o.nheaders) = optarg;
			break;
		case 'f':
			if (strcmp(optarg, "dwarf") != 0 && strcmp(optarg, "btf") != 0)
				fail_usage("-f takes dwarf or btf");
			o.format = optarg;
			break;
		case 'p':
			o.pid = optarg;
			break;
		case 'c':
			o.core = optarg;
			break;
		case 's':
			o.secrets = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (o.pid || o.core)
		return look_at(&o, argv + optind, argc - optind);
	if (optind == argc || o.secrets) {
		fputs(usage, stderr);
		return 2;
	}
	describe(&o, argv + optind, (size_t)(argc - optind), &d);
	write_to(&o, &d);
	return 0;
}
