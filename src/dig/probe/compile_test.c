/* Expressions are generated, compiled, passed through this kernel's verifier and run; what they give is held to an
 * interpreter that knows nothing of the compiler. */
#include "dig/probe/compile.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"

#define ARGUMENTS 8
static const struct {
	const char *name;
	unsigned bytes;
	bool is_signed;
} shapes[ARGUMENTS] = { { "a", 8, true }, { "b", 8, false }, { "c", 4, true },  { "d", 4, false },
			{ "e", 1, true }, { "f", 2, false }, { "g", 2, true }, { "h", 1, false } };

static probe_argument_vec arguments(void)
{
	probe_argument_vec v = { 0 };

	for (int i = 0; i < ARGUMENTS; i++) {
		struct probe_argument *a = vec_push(&v);
		snprintf(a->name, sizeof a->name, "%s", shapes[i].name);
		a->place = PLACE_CONTEXT;
		a->offset = i * 8;
		a->bytes = (uint16_t)shapes[i].bytes;
		a->is_signed = shapes[i].is_signed;
		a->elements = 1;
		a->index_register = -1;
	}
	return v;
}

/* ---- the interpreter ---- */

struct number {
	uint64_t n;
	bool wide_unsigned; /* 64 bits without sign */
	bool fault;
};

static struct number evaluate(const struct expression *e, const uint64_t *argument);

static uint64_t cut(uint64_t n, unsigned bytes, bool is_signed)
{
	switch (bytes) {
	case 1:
		return is_signed ? (uint64_t)(int8_t)n : (uint8_t)n;
	case 2:
		return is_signed ? (uint64_t)(int16_t)n : (uint16_t)n;
	case 4:
		return is_signed ? (uint64_t)(int32_t)n : (uint32_t)n;
	}
	return n;
}

static struct number divide(struct number l, struct number r, bool modulo)
{
	bool plain = l.wide_unsigned || r.wide_unsigned;

	if (r.n == 0)
		return (struct number){ .fault = true };
	/* The one quotient that does not fit wraps. */
	if (!plain && (int64_t)r.n == -1)
		return (struct number){ .n = modulo ? 0 : 0 - l.n };
	if (plain)
		return (struct number){ .n = modulo ? l.n % r.n : l.n / r.n, .wide_unsigned = true };
	return (struct number){ .n = modulo ? (uint64_t)((int64_t)l.n % (int64_t)r.n) : (uint64_t)((int64_t)l.n / (int64_t)r.n) };
}

static struct number compare(enum operator op, struct number l, struct number r)
{
	bool plain = l.wide_unsigned || r.wide_unsigned;
	int order = plain ? (l.n > r.n) - (l.n < r.n) : ((int64_t)l.n > (int64_t)r.n) - ((int64_t)l.n < (int64_t)r.n);
	bool is = op == OP_EQUAL ? order == 0 : op == OP_UNEQUAL ? order != 0 : op == OP_LESS ? order < 0 :
		  op == OP_LESS_EQUAL ? order <= 0 : op == OP_GREATER ? order > 0 : order >= 0;

	return (struct number){ .n = is };
}

static struct number binary(const struct expression *e, const uint64_t *argument)
{
	struct number l = evaluate(e->left, argument), r;

	if (l.fault)
		return l;
	if (e->op == OP_AND && !l.n)
		return (struct number){ .n = 0 };
	if (e->op == OP_OR && l.n)
		return (struct number){ .n = 1 };
	r = evaluate(e->right, argument);
	if (r.fault)
		return r;
	bool wide = l.wide_unsigned || r.wide_unsigned;
	switch (e->op) {
	case OP_AND:
	case OP_OR:
		return (struct number){ .n = r.n != 0 };
	case OP_BIT_OR:
		return (struct number){ l.n | r.n, wide, false };
	case OP_BIT_XOR:
		return (struct number){ l.n ^ r.n, wide, false };
	case OP_BIT_AND:
		return (struct number){ l.n & r.n, wide, false };
	case OP_SHIFT_LEFT:
		return (struct number){ l.n << (r.n & 63), l.wide_unsigned, false };
	case OP_SHIFT_RIGHT: {
		/* A narrow number without sign has its upper bits 0 either way. */
		uint64_t n = l.wide_unsigned ? l.n >> (r.n & 63) : (uint64_t)((int64_t)l.n >> (r.n & 63));
		return (struct number){ n, l.wide_unsigned, false };
	}
	case OP_ADD:
		return (struct number){ l.n + r.n, wide, false };
	case OP_SUBTRACT:
		return (struct number){ l.n - r.n, wide, false };
	case OP_MULTIPLY:
		return (struct number){ l.n * r.n, wide, false };
	case OP_DIVIDE:
		return divide(l, r, false);
	case OP_MODULO:
		return divide(l, r, true);
	default:
		return compare(e->op, l, r);
	}
}

static struct number call(const struct expression *e, const uint64_t *argument)
{
	struct number v = evaluate(e->left, argument);
	char name[8];
	uint64_t bits = 32;

	span_copy(e->text, name, sizeof name);
	if (v.fault || strcmp(name, "hex") == 0)
		return v;
	struct span digits = { name + 1, strlen(name) - 1 };
	if (strcmp(name, "int") != 0)
		CHECK(span_u64(digits, &bits));
	return (struct number){ cut(v.n, (unsigned)bits / 8, name[0] == 'i'), bits == 64 && name[0] == 'u', false };
}

static struct number evaluate(const struct expression *e, const uint64_t *argument)
{
	struct number v;

	switch (e->kind) {
	case EXPRESSION_NUMBER:
		return (struct number){ e->number, e->number > INT64_MAX, false };
	case EXPRESSION_NAME:
		for (int i = 0; i < ARGUMENTS; i++)
			if (span_is(e->text, shapes[i].name))
				return (struct number){ cut(argument[i], shapes[i].bytes, shapes[i].is_signed),
							shapes[i].bytes == 8 && !shapes[i].is_signed, false };
		break;
	case EXPRESSION_CALL:
		return call(e, argument);
	case EXPRESSION_UNARY:
		v = evaluate(e->left, argument);
		if (v.fault)
			return v;
		if (e->op == OP_NOT)
			return (struct number){ .n = v.n == 0 };
		return e->op == OP_NEGATE ? (struct number){ .n = 0 - v.n } : (struct number){ ~v.n, v.wide_unsigned, false };
	case EXPRESSION_BINARY:
		return binary(e, argument);
	default:
		break;
	}
	CHECK(!"not generated");
	return (struct number){ 0 };
}

/* ---- generated text ---- */

static uint64_t state = 88172645463325252u;

static unsigned chance(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 20) % below;
}

static void generate(struct buf *b, unsigned depth)
{
	static const char *const numbers[] = { "0", "1", "2", "7", "63", "255", "0x80000000", "4294967296", "9223372036854775807",
					       "0xffffffffffffffff", "1000", "4k" };
	static const char *const operators[] = { "||", "&&", "==", "!=", "<", "<=", ">", ">=", "|", "^", "&", "<<", ">>",
						 "+", "-", "*", "/", "%" };
	static const char *const casts[] = { "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "int", "hex" };
	static const char *const unary[] = { "!", "-", "~" };
	unsigned what = depth == 0 ? chance(2) : chance(10);
	int r;

	switch (what) {
	case 0:
		r = buf_printf(b, "%s", numbers[chance(12)]);
		break;
	case 1:
		r = buf_printf(b, "%s", shapes[chance(ARGUMENTS)].name);
		break;
	case 2:
		r = buf_printf(b, "%s(", casts[chance(10)]);
		generate(b, depth - 1);
		r = r < 0 ? r : buf_printf(b, ")");
		break;
	case 3:
		r = buf_printf(b, "%s", unary[chance(3)]);
		generate(b, depth - 1);
		break;
	default:
		r = buf_printf(b, "(");
		generate(b, depth - 1);
		r = r < 0 ? r : buf_printf(b, " %s ", operators[chance(18)]);
		generate(b, depth - 1);
		r = r < 0 ? r : buf_printf(b, ")");
	}
	CHECK(r == 0);
}

/* ---- running ---- */

struct bench {
	int losses, sums, program;
	struct probe_program *parsed;
	struct probe_layout layout;
};

static void bench_deinit(struct bench *b)
{
	if (b->program >= 0)
		close(b->program);
	if (b->losses >= 0)
		close(b->losses);
	if (b->sums >= 0)
		close(b->sums);
	probe_program_free(b->parsed);
}

static char verifier[1 << 20];

/* 0; -EINVAL: refused by the check. */
static int prepare(const char *line, struct probe_variant *v, struct kernel_types *types, struct bench *ret)
{
	struct probe_error error = { .text = "" };
	struct probe_maps maps = { .ring = -1, .scratch = -1 };
	struct compiler c = { .variant = v, .types = types, .error = &error, .options = { .compare_exchange = true } };
	struct emit code = { 0 };

	*ret = (struct bench){ -1, -1, -1, NULL, { .nfields = 0 } };
	int r = probe_parse(span_from(line), &ret->parsed, &error);
	if (r < 0) {
		fprintf(stderr, "%s\n%*s^ %s\n", line, (int)error.column, "", error.text);
		return r;
	}
	c.clause = &ret->parsed->clause[0];
	r = probe_check(&c);
	if (r < 0)
		return r;
	ret->layout = c.layout[0];
	bool small = c.clause->action[0].kind == ACTION_COUNT || c.clause->action[0].kind == ACTION_HISTOGRAM;
	ret->losses = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, LOSS_KINDS * 8, 1, NULL);
	ret->sums = bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, NULL, c.layout[0].bytes, small ? 8 : 16, 128, NULL);
	if (ret->losses < 0 || ret->sums < 0)
		return ret->losses < 0 ? ret->losses : ret->sums;
	maps.losses = ret->losses;
	maps.aggregate[0] = ret->sums;
	r = probe_compile(&c, &maps, &code);
	CHECK(r == 0 || r == -E2BIG);
	if (r == 0) {
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = verifier, .log_size = sizeof verifier, .log_level = 1);
		r = ret->program = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL, "GPL", code.code.v, code.code.n, &opts);
		if (r < 0 && r != -EPERM)
			fprintf(stderr, "refused: %s\n%.2000s\n", line, verifier + (strlen(verifier) > 2000 ? strlen(verifier) - 2000 : 0));
	}
	emit_deinit(&code);
	return r < 0 ? r : 0;
}

static void hit(const struct bench *b, const uint64_t *argument)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = argument, .ctx_size_in = ARGUMENTS * 8);

	CHECK(bpf_prog_test_run_opts(b->program, &opts) == 0);
}

static struct probe_aggregate sum_of(const struct bench *b, const void *key, bool small)
{
	struct probe_aggregate total = { 0 }, one;
	int cpus = libbpf_num_possible_cpus();
	char values[256 * 16] = { 0 };

	if (cpus > 256 || bpf_map_lookup_elem(b->sums, key, values) < 0)
		return total;
	for (int i = 0; i < cpus; i++) {
		one.value = 0;
		memcpy(&one, values + i * (small ? 8 : 16), small ? 8 : 16);
		total.count += one.count;
		total.value += one.value;
	}
	return total;
}

static uint64_t lost(const struct bench *b, enum probe_loss kind)
{
	uint64_t v[LOSS_KINDS] = { 0 };
	uint32_t zero = 0;

	CHECK(bpf_map_lookup_elem(b->losses, &zero, v) == 0);
	return v[kind];
}

static void random_arguments(uint64_t *ret)
{
	static const uint64_t edges[] = { 0, 1, 2, 255, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX,
					  UINT64_C(1) << 63, 63, 64 };

	for (int i = 0; i < ARGUMENTS; i++)
		ret[i] = chance(2) ? edges[chance(12)] : state;
}

static const uint64_t zero_key;

static void one_generated(struct probe_variant *v, struct kernel_types *types, unsigned *ran)
{
	struct buf line = { 0 };
	uint64_t argument[ARGUMENTS];
	struct bench b;

	CHECK(buf_printf(&line, "rawtracepoint:x if ") == 0);
	generate(&line, 1 + chance(3));
	CHECK(buf_printf(&line, " sum ") == 0);
	generate(&line, 1 + chance(4));
	int r = prepare(line.data, v, types, &b);
	if (r == -EPERM)
		check_skip("BPF needs root");
	CHECK(r == 0 || r == -EINVAL || r == -E2BIG);
	for (unsigned i = 0; r == 0 && i < 4; i++) {
		struct probe_aggregate before = sum_of(&b, &zero_key, false), after;
		uint64_t unreadable = lost(&b, LOSS_UNREADABLE), filtered = lost(&b, LOSS_FILTER);

		random_arguments(argument);
		hit(&b, argument);
		after = sum_of(&b, &zero_key, false);
		struct number filter = evaluate(b.parsed->clause[0].filter, argument);
		struct number value = evaluate(b.parsed->clause[0].action[0].value[0], argument);
		bool counted = !filter.fault && filter.n && !value.fault;
		bool good = after.count - before.count == counted && (!counted || after.value - before.value == value.n) &&
			    lost(&b, LOSS_FILTER) - filtered == filter.fault &&
			    lost(&b, LOSS_UNREADABLE) - unreadable == (!filter.fault && filter.n && value.fault);
		CHECK(good);
		if (!good)
			fprintf(stderr, "%s\n", line.data);
		++*ran;
	}
	bench_deinit(&b);
	buf_deinit(&line);
}

static uint64_t count_of(const char *line, struct probe_variant *v, struct kernel_types *types, const uint64_t *argument)
{
	struct bench b;
	int r = prepare(line, v, types, &b);
	uint64_t n = UINT64_MAX;

	if (r == 0) {
		hit(&b, argument);
		n = sum_of(&b, &zero_key, true).count;
	}
	bench_deinit(&b);
	return n;
}

static void test_texts(struct probe_variant *v, struct kernel_types *types)
{
	char line[200], comm[16] = "";
	const char text[] = "/etc/passwd";
	uint64_t argument[ARGUMENTS] = { 0, (uintptr_t)text };
	static const struct {
		const char *filter;
		uint64_t wanted;
	} cases[] = {
		{ "str(b) == \"/etc/passwd\"", 1 },	{ "str(b) == \"/etc/passw\"", 0 },
		{ "str(b) == \"/etc/passwd1\"", 0 },	{ "str(b) != \"/etc/passwd\"", 0 },
		{ "str(b) != \"/etc\"", 1 },		{ "str(b) starts \"/etc/\"", 1 },
		{ "str(b) starts \"/etc/passwd\"", 1 }, { "str(b) starts \"/etc/passwd1\"", 0 },
		{ "!(str(b) starts \"/usr\")", 1 },	{ "str(b) == \"\"", 0 },
		{ "comm == \"probing test\"", 1 },	{ "comm == \"probing\"", 0 },
		{ "comm starts \"probing\"", 1 },	{ "comm != \"x\" && comm != \"y\"", 1 },
		{ "comm == \"x\" || str(b) starts \"/\"", 1 }, { "str(b + 5) == \"passwd\"", 1 },
		{ "read8(b + 1) == 0x65", 1 },		{ "read16(b) == 0x652f", 1 },
		{ "str(b + 11) == \"\"", 1 },		{ "current->tgid == pid", 1 },
	};

	CHECK(prctl(PR_SET_NAME, "probing test") == 0 && prctl(PR_GET_NAME, comm) == 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(line, sizeof line, "rawtracepoint:x if %s count", cases[i].filter);
		uint64_t n = count_of(line, v, types, argument);
		CHECK_U64(n, cases[i].wanted);
		if (n != cases[i].wanted)
			fprintf(stderr, "%s\n", line);
	}
}

/* What cannot be read is no match, and no zero. */
static void test_unreadable(struct probe_variant *v, struct kernel_types *types)
{
	uint64_t argument[ARGUMENTS] = { 0, 16 };
	struct bench b;

	CHECK(prepare("rawtracepoint:x if read64(b) == 0 count", v, types, &b) == 0);
	hit(&b, argument);
	CHECK_U64(sum_of(&b, &zero_key, true).count, 0);
	CHECK_U64(lost(&b, LOSS_FILTER), 1);
	bench_deinit(&b);
	CHECK(prepare("rawtracepoint:x sum read64(b)", v, types, &b) == 0);
	hit(&b, argument);
	CHECK_U64(sum_of(&b, &zero_key, false).count, 0);
	CHECK_U64(lost(&b, LOSS_UNREADABLE), 1);
	bench_deinit(&b);
}

static void test_extremes(struct probe_variant *v, struct kernel_types *types)
{
	static const char *const lines[] = { "rawtracepoint:x min a", "rawtracepoint:x max a", "rawtracepoint:x min b",
					     "rawtracepoint:x max b" };
	static const uint64_t values[] = { 5, UINT64_MAX - 2, 17, 0 };
	static const int64_t wanted[] = { -3, 17, 0, -3 };

	for (size_t i = 0; i < 4; i++) {
		struct bench b;
		int cpus = libbpf_num_possible_cpus();
		struct probe_aggregate all[256] = { 0 };
		uint64_t most = 0, count = 0;

		CHECK(prepare(lines[i], v, types, &b) == 0);
		for (size_t j = 0; j < 4; j++)
			hit(&b, (const uint64_t[ARGUMENTS]){ values[j], values[j] });
		CHECK(cpus <= 256 && bpf_map_lookup_elem(b.sums, &zero_key, all) == 0);
		for (int c = 0; c < cpus; c++) {
			most = all[c].value > most ? all[c].value : most;
			count += all[c].count;
		}
		CHECK_U64(count, 4);
		CHECK(b.layout.value_unsigned == (i >= 2));
		CHECK(probe_aggregate_extreme(i % 2 ? ACTION_MAX : ACTION_MIN, b.layout.value_unsigned, most) == wanted[i]);
		bench_deinit(&b);
	}
}

static unsigned bucket_of(int64_t n)
{
	return n < 0 ? 0 : n == 0 ? 1 : 2 + 63 - (unsigned)__builtin_clzll((uint64_t)n);
}

static void test_buckets(struct probe_variant *v, struct kernel_types *types)
{
	struct bench b;
	uint64_t wanted[PROBE_BUCKETS] = { 0 };

	CHECK(prepare("rawtracepoint:x histogram a", v, types, &b) == 0);
	for (unsigned i = 0; i < 300; i++) {
		int64_t n = i < 64 ? (int64_t)(UINT64_C(1) << i) : i < 128 ? (int64_t)((UINT64_C(1) << (i - 64)) - 1) : (int64_t)i - 200;
		hit(&b, (const uint64_t[ARGUMENTS]){ (uint64_t)n });
		wanted[bucket_of(n)]++;
	}
	for (uint64_t i = 0; i < PROBE_BUCKETS; i++)
		CHECK_U64(sum_of(&b, &i, true).count, wanted[i]);
	bench_deinit(&b);
}

static void test_refusals(struct probe_variant *v, struct kernel_types *types)
{
	static const struct {
		const char *line, *words;
		size_t column;
	} cases[] = {
		{ "rawtracepoint:x if nome == 1 count", "there is no 'nome' here", 19 },
		{ "rawtracepoint:x if comm == 1 count", "compared by '=='", 24 },
		{ "rawtracepoint:x if a == \"x\" count", "str(a)", 19 },
		{ "rawtracepoint:x sum comm", "takes a number", 20 },
		{ "rawtracepoint:x sum a / 0", "nothing is divided", 24 },
		{ "rawtracepoint:x sum a << 64", "0 to 63", 25 },
		{ "rawtracepoint:x print strr(a)", "closest is 'str'", 22 },
		{ "rawtracepoint:x print a[1]", "neither an array", 22 },
		{ "rawtracepoint:x print retval", "uretprobe", 22 },
		{ "rawtracepoint:x print current->comn", "closest is 'comm'", 31 },
		{ "rawtracepoint:x if comm == \"a text too long\" && comm == \"sixteen bytes is.\" count", "at most 15 bytes", 56 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct probe_error error = { .text = "" };
		struct probe_program *p = NULL;
		struct compiler c = { .variant = v, .types = types, .error = &error };

		CHECK(probe_parse(span_from(cases[i].line), &p, &error) == 0);
		c.clause = &p->clause[0];
		CHECK(probe_check(&c) == -EINVAL);
		CHECK(strstr(error.text, cases[i].words) != NULL);
		CHECK_U64(error.column, cases[i].column);
		if (!strstr(error.text, cases[i].words))
			fprintf(stderr, "%s: %s\n", cases[i].line, error.text);
		probe_program_free(p);
	}
}

int main(void)
{
	struct probe_variant v = { .kind = PROBE_RAW_TRACEPOINT };
	struct kernel_types types = { 0 };
	probe_argument_vec a = arguments();
	unsigned ran = 0;

	v.argument.v = a.v;
	v.argument.n = a.n;
	v.argument.capacity = a.capacity;
	libbpf_set_print(NULL);
	if (!kernel_types(&types))
		check_skip("%s", types.why);
	for (unsigned i = 0; i < 200; i++)
		one_generated(&v, &types, &ran);
	CHECK(ran > 400);
	test_texts(&v, &types);
	test_unreadable(&v, &types);
	test_extremes(&v, &types);
	test_buckets(&v, &types);
	test_refusals(&v, &types);
	vec_free(&v.argument);
	kernel_types_deinit(&types);
	return check_exit();
}
