#include "dig/probe/scope.h"

#include <asm/ptrace.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void probe_site_deinit(struct probe_site *s)
{
	free(s->name);
	free(s->path);
	free(s->function);
}

void probe_variants_deinit(probe_variant_vec *v)
{
	vec_each(variant, v) {
		vec_each(site, &variant->site)
			probe_site_deinit(site);
		vec_free(&variant->site);
		vec_free(&variant->argument);
	}
	vec_free(v);
}

static bool same_arguments(const probe_argument_vec *a, const probe_argument_vec *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

struct probe_variant *probe_variant_for(probe_variant_vec *v, enum probe_kind kind, size_t clause,
					probe_argument_vec *argument)
{
	vec_each(known, v) {
		if (known->clause == clause && known->kind == kind && same_arguments(&known->argument, argument)) {
			vec_free(argument);
			return known;
		}
	}
	struct probe_variant *fresh = vec_push(v);
	if (!fresh) {
		vec_free(argument);
		return NULL;
	}
	fresh->kind = kind;
	fresh->clause = clause;
	fresh->argument.v = argument->v;
	fresh->argument.n = argument->n;
	fresh->argument.capacity = argument->capacity;
	memset(argument, 0, sizeof *argument);
	return fresh;
}

/* ---- registers ---- */

#ifdef __x86_64__
#define AT(member) (int)offsetof(struct pt_regs, member)
static const struct {
	const char name[4][5]; /* 8, 4, 2, 1 bytes */
	int offset;
} registers[] = {
	{ { "rax", "eax", "ax", "al" }, AT(rax) },     { { "rbx", "ebx", "bx", "bl" }, AT(rbx) },
	{ { "rcx", "ecx", "cx", "cl" }, AT(rcx) },     { { "rdx", "edx", "dx", "dl" }, AT(rdx) },
	{ { "rsi", "esi", "si", "sil" }, AT(rsi) },    { { "rdi", "edi", "di", "dil" }, AT(rdi) },
	{ { "rbp", "ebp", "bp", "bpl" }, AT(rbp) },    { { "rsp", "esp", "sp", "spl" }, AT(rsp) },
	{ { "r8", "r8d", "r8w", "r8b" }, AT(r8) },     { { "r9", "r9d", "r9w", "r9b" }, AT(r9) },
	{ { "r10", "r10d", "r10w", "r10b" }, AT(r10) }, { { "r11", "r11d", "r11w", "r11b" }, AT(r11) },
	{ { "r12", "r12d", "r12w", "r12b" }, AT(r12) }, { { "r13", "r13d", "r13w", "r13b" }, AT(r13) },
	{ { "r14", "r14d", "r14w", "r14b" }, AT(r14) }, { { "r15", "r15d", "r15w", "r15b" }, AT(r15) },
	{ { "rip", "eip", "ip", "" }, AT(rip) },
};

int register_named(struct span name, unsigned *ret_bytes)
{
	for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++) {
		for (unsigned j = 0; j < 4; j++) {
			if (name.n && span_is(name, registers[i].name[j])) {
				*ret_bytes = 8 >> j;
				return registers[i].offset;
			}
		}
	}
	return -1;
}

int register_of_argument(unsigned i)
{
	static const int order[] = { AT(rdi), AT(rsi), AT(rdx), AT(rcx), AT(r8), AT(r9) };

	return i < 6 ? order[i] : -1;
}

int register_of_dwarf(unsigned number)
{
	static const int order[] = { AT(rax), AT(rdx), AT(rcx), AT(rbx), AT(rsi), AT(rdi), AT(rbp), AT(rsp),
				     AT(r8),  AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15) };

	return number < sizeof order / sizeof order[0] ? order[number] : -1;
}

int register_of_result(void) { return AT(rax); }
int register_of_stack(void) { return AT(rsp); }
int register_of_pc(void) { return AT(rip); }
#elif defined(__aarch64__)
/* struct user_pt_regs: x0 to x30, sp, pc. */
int register_named(struct span name, unsigned *ret_bytes)
{
	uint64_t n;

	if (span_is(name, "sp") || span_is(name, "pc")) {
		*ret_bytes = 8;
		return name.p[0] == 's' ? 31 * 8 : 32 * 8;
	}
	if (name.n < 2 || (name.p[0] != 'x' && name.p[0] != 'w') ||
	    !span_u64((struct span){ name.p + 1, name.n - 1 }, &n) || n > 30)
		return -1;
	*ret_bytes = name.p[0] == 'x' ? 8 : 4;
	return (int)n * 8;
}
int register_of_argument(unsigned i) { return i < 8 ? (int)i * 8 : -1; }
int register_of_dwarf(unsigned number) { (void)number; return -1; }
int register_of_result(void) { return 0; }
int register_of_stack(void) { return 31 * 8; }
int register_of_pc(void) { return 32 * 8; }
#else
int register_named(struct span name, unsigned *ret_bytes) { (void)name; (void)ret_bytes; return -1; }
int register_of_argument(unsigned i) { (void)i; return -1; }
int register_of_dwarf(unsigned number) { (void)number; return -1; }
int register_of_result(void) { return -1; }
int register_of_stack(void) { return -1; }
int register_of_pc(void) { return -1; }
#endif

static struct probe_argument *push_register(probe_argument_vec *v, int offset)
{
	struct probe_argument *a = vec_push(v);

	if (a) {
		a->place = PLACE_REGISTER;
		a->offset = offset;
		a->bytes = 8;
		a->is_signed = true;
		a->index_register = -1;
	}
	return a;
}

int probe_register_arguments(probe_argument_vec *ret)
{
	for (unsigned i = 0; i < 6; i++) {
		struct probe_argument *a = push_register(ret, register_of_argument(i));
		if (!a)
			return -ENOMEM;
		snprintf(a->name, sizeof a->name, "arg%u", i);
	}
	return 0;
}

int probe_result_argument(probe_argument_vec *ret)
{
	struct probe_argument *a = push_register(ret, register_of_result());

	if (!a)
		return -ENOMEM;
	snprintf(a->name, sizeof a->name, "retval");
	return 0;
}

bool probe_goes_by_register(const struct probe_variant *v)
{
	return (v->kind == PROBE_UPROBE || v->kind == PROBE_URETPROBE) && v->argument.n && !v->argument.v[0].is_user;
}

/* ---- types of the kernel ---- */

void kernel_types_deinit(struct kernel_types *t)
{
	btf__free(t->btf);
	*t = (struct kernel_types){ 0 };
}

const struct btf *kernel_types(struct kernel_types *t)
{
	if (!t->tried) {
		t->tried = true;
		t->btf = btf__load_vmlinux_btf();
		if (!t->btf)
			snprintf(t->why, sizeof t->why, "this kernel's types are not known: %s",
				 errno == ENOENT ? "needs CONFIG_DEBUG_INFO_BTF" : strerror(errno));
	}
	return t->btf;
}

static bool take_trimmed(struct span *s, const char *prefix)
{
	bool taken = span_take(s, prefix);

	*s = span_trim(*s);
	return taken;
}

uint32_t kernel_type_named(struct kernel_types *t, struct span c_name)
{
	const struct btf *btf = kernel_types(t);
	char name[72];
	int kind = BTF_KIND_TYPEDEF;

	if (!btf)
		return 0;
	c_name = span_trim(c_name);
	while (take_trimmed(&c_name, "const ") || take_trimmed(&c_name, "volatile "))
		;
	if (take_trimmed(&c_name, "struct "))
		kind = BTF_KIND_STRUCT;
	else if (take_trimmed(&c_name, "union "))
		kind = BTF_KIND_UNION;
	else if (take_trimmed(&c_name, "enum "))
		kind = BTF_KIND_ENUM;
	while (c_name.n && (c_name.p[c_name.n - 1] == '*' || c_name.p[c_name.n - 1] == ' '))
		c_name.n--;
	if (c_name.n == 0 || c_name.n >= sizeof name)
		return 0;
	span_copy(c_name, name, sizeof name);
	int32_t id = btf__find_by_name_kind(btf, name, (uint32_t)kind);
	return id > 0 ? (uint32_t)id : 0;
}

static uint32_t plain_type(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	for (unsigned i = 0; t && i < 32 && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t)); i++) {
		id = t->type;
		t = btf__type_by_id(btf, id);
	}
	return id;
}

static void name_type(const struct btf *btf, uint32_t id, char *ret, size_t size)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	char inner[64];

	if (!t || id == 0) {
		snprintf(ret, size, "void");
	} else if (btf_is_ptr(t)) {
		name_type(btf, t->type, inner, sizeof inner);
		snprintf(ret, size, "%s%s*", inner, inner[strlen(inner) - 1] == '*' ? "" : " ");
	} else if (btf_is_const(t)) {
		name_type(btf, t->type, inner, sizeof inner);
		snprintf(ret, size, "const %s", inner);
	} else if (btf_is_mod(t)) {
		name_type(btf, t->type, ret, size);
	} else {
		const char *name = btf__name_by_offset(btf, t->name_off);
		snprintf(ret, size, "%s%s", btf_is_struct(t) ? "struct " : btf_is_union(t) ? "union " : btf_is_any_enum(t) ? "enum " : "",
			 btf_is_func_proto(t) ? "(function)" : name && *name ? name : "(anonymous)");
	}
}

int kernel_prototype(struct kernel_types *t, uint32_t proto, unsigned skip, bool in_context, probe_argument_vec *ret)
{
	const struct btf *btf = kernel_types(t);
	const struct btf_type *f = btf ? btf__type_by_id(btf, proto) : NULL;

	if (!f || !btf_is_func_proto(f))
		return -ENOENT;
	const struct btf_param *param = btf_params(f);
	for (unsigned i = skip; i < btf_vlen(f); i++) {
		struct probe_argument *a;
		uint32_t id = plain_type(btf, param[i].type);
		const struct btf_type *type = btf__type_by_id(btf, id);
		int64_t bytes = btf__resolve_size(btf, param[i].type);

		if (!in_context && register_of_argument(i - skip) < 0)
			break;
		a = push_register(ret, in_context ? (int)(i - skip) * 8 : register_of_argument(i - skip));
		if (!a)
			return -ENOMEM;
		a->place = in_context ? PLACE_CONTEXT : PLACE_REGISTER;
		snprintf(a->name, sizeof a->name, "%s", btf__name_by_offset(btf, param[i].name_off));
		name_type(btf, param[i].type, a->type, sizeof a->type);
		a->btf_type = id;
		a->is_pointer = type && btf_is_ptr(type);
		a->bytes = bytes == 1 || bytes == 2 || bytes == 4 ? (uint16_t)bytes : 8;
		a->is_signed = type && ((btf_is_int(type) && (btf_int_encoding(type) & BTF_INT_SIGNED)) || btf_is_enum(type));
		if (bytes > 8 || (type && btf_is_composite(type)))
			a->place = PLACE_NOWHERE; /* by value: two registers, or none */
	}
	return 0;
}
