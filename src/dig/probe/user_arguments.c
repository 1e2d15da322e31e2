#include "dig/probe/user_arguments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dig/symbol/debug_file.h"
#include "dig/symbol/prototype.h"

#define REGISTER_ARGUMENTS 6

void user_debug_deinit(struct user_debug *d)
{
	lines_close(d->lines);
	elf_image_free(d->separate);
	*d = (struct user_debug){ 0 };
}

static int only_memory(int r)
{
	return r == -ENOMEM ? r : 0;
}

static int find_lines(struct user_debug *d, const struct user_function *f)
{
	struct image image = { .elf = f->elf, .path = f->path, .opened_pid = f->pid };
	int r = 0;

	if (d->tried)
		return 0;
	d->tried = true;
	r = lines_open(f->elf, true, &d->lines);
	if (r < 0 && r != -ENOMEM) {
		r = debug_file_open(&image, &d->separate);
		r = r < 0 ? r : lines_open(d->separate, true, &d->lines);
	}
	return only_memory(r);
}

/* ".constprop.0", ".isra.0", ".part.0": gcc gives them other parameters. */
static bool is_clone(const char *name)
{
	return strstr(name, ".constprop.") || strstr(name, ".isra.") || strstr(name, ".part.");
}

static void place(const struct parameter *p, struct probe_argument *a)
{
	a->index_register = -1;
	if (p->where == PARAMETER_REGISTER && register_of_dwarf(p->at) >= 0) {
		a->place = PLACE_REGISTER;
		a->offset = register_of_dwarf(p->at);
	} else if (p->where == PARAMETER_STACK) {
		a->place = PLACE_MEMORY;
		a->offset = register_of_stack();
		a->constant = p->at;
	}
}

static int add(const struct parameter *p, const char *name, probe_argument_vec *ret)
{
	struct probe_argument *a = vec_push(ret);

	if (!a)
		return -ENOMEM;
	snprintf(a->name, sizeof a->name, "%s", name);
	memcpy(a->type, p->type, sizeof a->type);
	_Static_assert(sizeof a->type == sizeof p->type, "names of types are cut once");
	a->is_user = true;
	a->bytes = p->bytes ? (uint16_t)p->bytes : 8;
	a->is_signed = p->is_signed;
	a->is_pointer = p->is_pointer;
	a->is_text = p->is_text;
	a->target_bytes = (uint8_t)p->target_bytes;
	a->target_signed = p->target_signed;
	place(p, a);
	return 0;
}

static int add_parameters(const struct prototype *f, probe_argument_vec *ret)
{
	probe_argument_vec registers = { 0 };
	char name[sizeof f->parameter[0].name];
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		snprintf(name, sizeof name, "%s", f->parameter[i].name);
		if (!name[0])
			snprintf(name, sizeof name, "arg%zu", i);
		r = add(&f->parameter[i], name, ret);
	}
	/* What follows in a call of printf: who knows its format knows their types. */
	if (r == 0 && f->variadic)
		r = probe_register_arguments(&registers);
	for (size_t i = f->registers; r == 0 && i < registers.n; i++) {
		struct probe_argument *a = vec_push(ret);

		r = a ? 0 : -ENOMEM;
		if (!a)
			break;
		*a = registers.v[i];
		snprintf(a->name, sizeof a->name, "arg%zu", ret->n - 1);
	}
	vec_free(&registers);
	return r;
}

int user_arguments_described(struct user_debug *d, const struct user_function *f, bool result, probe_argument_vec *ret)
{
	struct prototype prototype;
	uint64_t address;
	int r = find_lines(d, f);

	if (r < 0)
		return r;
	if (!d->lines || elf_image_address_of(f->elf, f->offset, &address) < 0)
		return -ENOENT;
	r = prototype_read(d->lines, address, is_clone(f->name), &prototype);
	if (r < 0)
		return r == -ENOMEM ? r : -ENOENT;
	return result ? add(&prototype.result, "retval", ret) : add_parameters(&prototype, ret);
}
