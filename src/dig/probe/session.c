#include "dig/probe/session.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/map.h"
#include "dig/probe/attach.h"

struct clause_state {
	struct probe_maps maps;
	struct probe_layout aggregate[PROBE_ACTIONS_MAX]; /* keys, the same in all variants */
};

struct variant_state {
	struct compiler compiler;
	fd_vec program;
};

struct probe_session {
	struct probe_options options;
	struct probe_program *program;
	struct probe_world world;
	probe_variant_vec variant;
	struct variant_state *state; /* beside `variant` */
	VEC(struct site_place) site;
	struct clause_state clause[PROBE_CLAUSES_MAX];
	int ring, losses;
	fd_vec attached;
	struct ring_buffer *reader;
	int cpus;
	char *verifier;
	bool copies; /* user stacks */
	/* Of the drain that runs. */
	int (*each)(void *arg, const struct probe_record *record, const struct probe_layout *layout);
	void *arg;
	int answer;
	int taken;
};

struct site_place {
	uint32_t variant, index;
};

#define VERIFIER_BYTES (256 << 10)

static void close_all(fd_vec *v)
{
	vec_each(fd, v)
		close(*fd);
	vec_free(v);
}

void probe_session_free(struct probe_session *s)
{
	if (!s)
		return;
	ring_buffer__free(s->reader);
	close_all(&s->attached);
	for (size_t i = 0; s->state && i < s->variant.n; i++)
		close_all(&s->state[i].program);
	free(s->state);
	for (size_t c = 0; c < PROBE_CLAUSES_MAX; c++) {
		for (size_t a = 0; a < PROBE_ACTIONS_MAX; a++)
			if (s->clause[c].maps.aggregate[a] >= 0)
				close(s->clause[c].maps.aggregate[a]);
		if (s->clause[c].maps.scratch >= 0)
			close(s->clause[c].maps.scratch);
	}
	if (s->ring >= 0)
		close(s->ring);
	if (s->losses >= 0)
		close(s->losses);
	vec_free(&s->site);
	probe_variants_deinit(&s->variant);
	probe_world_deinit(&s->world);
	probe_program_free(s->program);
	free(s->verifier);
	free(s);
}

/* ---- understanding ---- */

/* pids are shown and compared as our own namespace counts them. 4026531836 is the first one's number in every kernel. */
static void choose_namespace(struct compile_options *o)
{
	struct stat ours;

	if (stat("/proc/self/ns/pid", &ours) < 0 || ours.st_ino == 0xEFFFFFFCu)
		return;
	o->namespace_device = ours.st_dev;
	o->namespace_inode = ours.st_ino;
}

static bool kernel_kind(enum probe_kind kind)
{
	return kind < PROBE_UPROBE;
}

static int number_sites(struct probe_session *s)
{
	for (size_t i = 0; i < s->variant.n; i++) {
		for (size_t j = 0; j < s->variant.v[i].site.n; j++) {
			struct site_place *p = vec_push(&s->site);
			if (!p)
				return -ENOMEM;
			*p = (struct site_place){ (uint32_t)i, (uint32_t)j };
			s->variant.v[i].site.v[j].number = (uint32_t)(s->site.n - 1);
		}
	}
	return 0;
}

static bool same_layout(const struct probe_layout *a, const struct probe_layout *b)
{
	if (a->nfields != b->nfields || a->bytes != b->bytes || a->value_unsigned != b->value_unsigned)
		return false;
	for (size_t i = 0; i < a->nfields; i++)
		if (a->field[i].value.kind != b->field[i].value.kind || a->field[i].size != b->field[i].size ||
		    a->field[i].value.is_signed != b->field[i].value.is_signed)
			return false;
	return true;
}

static int merge_layouts(struct probe_session *s, struct compiler *c, bool *seen, struct probe_error *error)
{
	size_t n = (size_t)(c->clause - s->program->clause);

	for (size_t i = 0; i < c->clause->nactions; i++) {
		const struct probe_action *a = &c->clause->action[i];

		if (a->kind == ACTION_PRINT)
			continue;
		if (seen[n] && !same_layout(&s->clause[n].aggregate[i], &c->layout[i]))
			return probe_error_set(error, a->column,
					       "the probes that this pattern matches have values of different types here (%.100s is one); "
					       "i64(…) or str(…) make them alike",
					       c->variant->site.v[0].name);
		s->clause[n].aggregate[i] = c->layout[i];
	}
	seen[n] = true;
	return 0;
}

/* Printed user stacks are copied, to be unwound by rules, where the registers are to be had. */
static bool copies_stack(enum probe_kind kind)
{
#ifdef __x86_64__
	return !kernel_kind(kind) || attach_registers_there();
#else
	(void)kind;
	return false;
#endif
}

static bool holds_copy(const struct compiler *c)
{
	for (size_t a = 0; a < c->clause->nactions; a++)
		for (size_t i = 0; i < c->layout[a].nfields; i++)
			if (c->layout[a].field[i].value.copied_stack)
				return true;
	return false;
}

static int check_variants(struct probe_session *s, struct probe_error *error)
{
	bool seen[PROBE_CLAUSES_MAX] = { false };
	struct compile_options o = { .stacks = s->options.stacks };

	choose_namespace(&o);
	s->state = calloc(s->variant.n + 1, sizeof *s->state);
	if (!s->state)
		return -ENOMEM;
	for (size_t i = 0; i < s->variant.n; i++) {
		struct probe_variant *v = &s->variant.v[i];
		struct compiler *c = &s->state[i].compiler;

		*c = (struct compiler){ .clause = &s->program->clause[v->clause], .variant = v, .types = &s->world.types,
					.options = o, .error = error };
		if (s->options.pid && kernel_kind(v->kind))
			c->options.only_tgid = (uint32_t)s->options.pid;
		c->options.own_tgid = kernel_kind(v->kind) ? (uint32_t)getpid() : 0;
		c->options.copy_user_stack = true;
		int r = probe_check(c);
		/* Asked of the kernel only when it matters. */
		if (r == 0 && holds_copy(c) && !copies_stack(v->kind)) {
			c->options.copy_user_stack = false;
			r = probe_check(c);
		}
		s->copies |= r == 0 && holds_copy(c);
		r = r < 0 ? r : merge_layouts(s, c, seen, error);
		if (r < 0)
			return r;
		c->error = NULL;
	}
	return 0;
}

int probe_session_new(struct span line, const struct probe_options *options, struct probe_session **ret,
		      struct probe_error *ret_error, struct note *note)
{
	struct probe_session *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->options = *options;
	s->world = (struct probe_world){ .pid = options->pid, .max_sites = PROBE_SITES_MAX, .tracefs = -1 };
	s->ring = s->losses = -1;
	for (size_t c = 0; c < PROBE_CLAUSES_MAX; c++) {
		s->clause[c].maps.scratch = -1;
		for (size_t a = 0; a < PROBE_ACTIONS_MAX; a++)
			s->clause[c].maps.aggregate[a] = -1;
	}
	int r = probe_parse(line, &s->program, ret_error);
	for (size_t i = 0; r == 0 && i < s->program->nclauses; i++)
		r = probe_resolve(&s->world, &s->program->clause[i].spec, i, &s->variant, ret_error, note);
	r = r < 0 ? r : number_sites(s);
	r = r < 0 ? r : check_variants(s, ret_error);
	if (r < 0) {
		probe_session_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- loading ---- */

static int make_map(enum bpf_map_type type, const char *name, uint32_t key, uint32_t value, uint32_t n, int *ret,
		    struct note *note)
{
	int fd = bpf_map_create(type, name, key, value, n, NULL);

	if (fd == -EPERM)
		return note_set(note, fd, geteuid() == 0 ? "BPF: not permitted, even as root (lockdown, seccomp or a container)" :
							   "BPF: needs root, or CAP_BPF and CAP_PERFMON");
	if (fd == -E2BIG && key > 512)
		return note_set(note, fd, "stacks as keys: not measurable: needs Linux 5.11");
	if (fd == -EINVAL && type == BPF_MAP_TYPE_RINGBUF)
		return note_set(note, fd, "printing hits: not measurable: needs the ring buffer of Linux 5.8");
	if (fd < 0)
		return note_set(note, fd, "BPF map: %s", strerror(-fd));
	*ret = fd;
	return 0;
}

static int make_clause_maps(struct probe_session *s, size_t n, struct note *note)
{
	const struct probe_clause *c = &s->program->clause[n];
	struct clause_state *state = &s->clause[n];
	uint32_t scratch = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->nactions; i++) {
		const struct probe_action *a = &c->action[i];
		uint32_t key = state->aggregate[i].bytes;
		bool small = a->kind == ACTION_COUNT || a->kind == ACTION_HISTOGRAM;

		if (a->kind == ACTION_PRINT) {
			if (s->ring < 0)
				r = make_map(BPF_MAP_TYPE_RINGBUF, "osprey_hits", 0, 0, s->copies ? PROBE_RING_STACK_BYTES : PROBE_RING_BYTES, &s->ring,
					     note);
			continue;
		}
		scratch = key > scratch ? key : scratch;
		r = make_map(BPF_MAP_TYPE_PERCPU_HASH, "osprey_sums", key,
			     small ? 8 : (uint32_t)sizeof(struct probe_aggregate), PROBE_KEYS_KEPT, &state->maps.aggregate[i], note);
	}
	if (r == 0 && scratch)
		r = make_map(BPF_MAP_TYPE_PERCPU_ARRAY, "osprey_scratch", 4, (scratch + 7) & ~7u, PROBE_SCRATCH_SLOTS,
			     &state->maps.scratch, note);
	state->maps.ring = s->ring;
	state->maps.losses = s->losses;
	return r;
}

static enum bpf_prog_type program_type(enum probe_kind kind)
{
	return kind == PROBE_TRACEPOINT ? BPF_PROG_TYPE_TRACEPOINT :
	       kind == PROBE_RAW_TRACEPOINT ? BPF_PROG_TYPE_RAW_TRACEPOINT : BPF_PROG_TYPE_KPROBE;
}

static int load_code(struct probe_session *s, const struct emit *code, enum probe_kind kind, bool multi)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = (enum bpf_attach_type)(multi ? ATTACH_UPROBE_MULTI : 0));

	if (s->options.verbose) {
		if (!s->verifier)
			s->verifier = calloc(1, VERIFIER_BYTES);
		opts.log_buf = s->verifier;
		opts.log_size = s->verifier ? VERIFIER_BYTES : 0;
		opts.log_level = s->verifier ? 1 : 0;
	}
	return bpf_prog_load(program_type(kind), "osprey_probe", "Dual MIT/GPL", code->code.v, code->code.n, &opts);
}

static int load(struct probe_session *s, size_t variant, bool multi, struct note *note)
{
	struct variant_state *state = &s->state[variant];
	const struct probe_variant *v = &s->variant.v[variant];
	int r = -EINVAL;

	/* Kernels before 5.12 know no compare-and-exchange: then without. */
	for (int with = 1; with >= 0 && (r == -EINVAL || r == -EACCES); with--) {
		struct emit code = { 0 };

		state->compiler.options.compare_exchange = with;
		state->compiler.options.multi = multi;
		r = probe_compile(&state->compiler, &s->clause[v->clause].maps, &code);
		r = r < 0 ? r : load_code(s, &code, v->kind, multi);
		emit_deinit(&code);
	}
	if (r >= 0) {
		int *slot = vec_push(&state->program);
		if (slot)
			*slot = r;
		else
			close(r);
		return slot ? r : -ENOMEM;
	}
	if (r == -E2BIG)
		return note_set(note, r, "%.100s: this is too large for one BPF program; fewer values, please", v->site.v[0].name);
	if (r == -EPERM)
		return note_set(note, r, "BPF: %s", geteuid() == 0 ? "not permitted, even as root (lockdown, seccomp or a container)" :
								     "needs root, or CAP_BPF and CAP_PERFMON");
	return note_set(note, r, "%.100s: refused by this kernel's verifier (%s); --verbose shows its words", v->site.v[0].name,
			strerror(-r));
}

/* Before 6.11 the link's pid meant one thread (7d0d673627e2). */
static bool multi_by_pid(void)
{
	struct utsname u;
	unsigned major = 0, minor = 0;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 11));
}

static bool one_file(const struct probe_variant *v)
{
	for (size_t i = 1; i < v->site.n; i++)
		if (strcmp(v->site.v[0].path, v->site.v[i].path) != 0)
			return false;
	return true;
}

static int attach_variant(struct probe_session *s, size_t i, bool multi, bool cookies, struct note *note)
{
	struct probe_variant *v = &s->variant.v[i];
	struct compile_options *o = &s->state[i].compiler.options;
	int program = -1, r = 0;

	if (v->kind >= PROBE_UPROBE && multi && one_file(v)) {
		o->cookie = true;
		program = load(s, i, true, note);
		return program < 0 ? program : attach_multi(program, v, s->options.pid, &s->attached, note);
	}
	o->cookie = cookies && v->kind != PROBE_RAW_TRACEPOINT && v->site.n > 1;
	for (size_t j = 0; r == 0 && j < v->site.n; j++) {
		o->site = v->site.v[j].number;
		if (program < 0 || !o->cookie)
			program = load(s, i, false, note);
		if (program < 0)
			return program;
		r = attach_site(program, v->kind, &v->site.v[j], s->options.pid, o->cookie, &s->attached, note);
	}
	return r;
}

static bool any_user(const struct probe_session *s)
{
	vec_each(v, &s->variant)
		if (v->kind >= PROBE_UPROBE)
			return true;
	return false;
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int on_record(void *arg, void *data, size_t size)
{
	struct probe_session *s = arg;
	const struct probe_record *record = data;

	if (size < sizeof *record || record->site >= s->site.n || record->action >= PROBE_ACTIONS_MAX)
		return 0;
	const struct probe_layout *l = &s->state[s->site.v[record->site].variant].compiler.layout[record->action];
	if (l->bytes > size)
		return 0;
	s->taken++;
	s->answer = s->each(s->arg, record, l);
	return s->answer ? -1 : 0;
}

int probe_session_attach(struct probe_session *s, struct note *note)
{
	raise_descriptors();
	libbpf_set_print(NULL);
	s->cpus = libbpf_num_possible_cpus();
	if (s->cpus <= 0)
		return note_set(note, -EINVAL, "the number of CPUs cannot be read");
	int r = make_map(BPF_MAP_TYPE_ARRAY, "osprey_losses", 4, LOSS_KINDS * 8, 1, &s->losses, note);
	for (size_t i = 0; r == 0 && i < s->program->nclauses; i++)
		r = make_clause_maps(s, i, note);
	if (r < 0)
		return r;
	if (s->ring >= 0) {
		s->reader = ring_buffer__new(s->ring, on_record, s, NULL);
		if (!s->reader)
			return note_set(note, -errno, "the ring buffer cannot be mapped: %s", strerror(errno));
	}
	bool multi = any_user(s) && attach_multi_there() && (!s->options.pid || multi_by_pid());
	bool cookies = attach_cookies_there();
	for (size_t i = 0; r == 0 && i < s->variant.n; i++)
		r = attach_variant(s, i, multi, cookies, note);
	return r;
}

/* ---- what it saw ---- */

const struct probe_program *probe_session_program(const struct probe_session *s)
{
	return s->program;
}

size_t probe_session_sites(const struct probe_session *s)
{
	return s->site.n;
}

static bool prints_all(const struct probe_clause *c)
{
	for (size_t i = 0; i < c->nactions; i++)
		if (c->action[i].kind == ACTION_PRINT && c->action[i].nvalues == 0)
			return true;
	return false;
}

bool probe_session_by_register(const struct probe_session *s)
{
	vec_each(v, &s->variant)
		if (probe_goes_by_register(v) && prints_all(&s->program->clause[v->clause]))
			return true;
	return false;
}

const char *probe_session_site_name(const struct probe_session *s, uint32_t site)
{
	if (site >= s->site.n)
		return "?";
	struct site_place p = s->site.v[site];
	return s->variant.v[p.variant].site.v[p.index].name;
}

const char *probe_session_verifier(const struct probe_session *s)
{
	return s->verifier ? s->verifier : "";
}

const struct probe_layout *probe_session_layout(const struct probe_session *s, uint32_t site, size_t clause, size_t action)
{
	if (s->program->clause[clause].action[action].kind != ACTION_PRINT)
		return &s->clause[clause].aggregate[action];
	return &s->state[s->site.v[site].variant].compiler.layout[action];
}

int probe_session_drain(struct probe_session *s,
			int (*each)(void *arg, const struct probe_record *record, const struct probe_layout *layout), void *arg)
{
	if (!s->reader)
		return 0;
	s->each = each;
	s->arg = arg;
	s->answer = s->taken = 0;
	int r = ring_buffer__consume(s->reader);
	return s->answer ? s->answer : r < 0 ? r : s->taken;
}

int probe_session_losses(const struct probe_session *s, struct probe_losses *ret)
{
	uint64_t lost[LOSS_KINDS];
	uint32_t zero = 0;
	uint64_t missed = 0;
	int r = bpf_map_lookup_elem(s->losses, &zero, lost);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->variant.n; i++) {
		vec_each(fd, &s->state[i].program) {
			struct bpf_prog_info info = { 0 };
			uint32_t size = sizeof info;
			if (bpf_obj_get_info_by_fd(*fd, &info, &size) == 0)
				missed += info.recursion_misses;
		}
	}
	*ret = (struct probe_losses){ lost[LOSS_RECORDS], lost[LOSS_KEYS], lost[LOSS_UNREADABLE], lost[LOSS_FILTER], missed };
	return 0;
}

/* ---- aggregates ---- */

static void fold(struct probe_row *row, const char *values, size_t value_size, int cpus, const struct probe_action *a,
		 bool value_unsigned)
{
	uint64_t extreme = 0;
	int64_t sum = 0;

	for (int i = 0; i < cpus; i++) {
		struct probe_aggregate v = { 0 };

		memcpy(&v, values + (size_t)i * value_size, value_size);
		row->count += v.count;
		sum = (int64_t)((uint64_t)sum + v.value);
		extreme = v.value > extreme ? v.value : extreme;
	}
	row->value = a->kind == ACTION_MIN || a->kind == ACTION_MAX ? probe_aggregate_extreme(a->kind, value_unsigned, extreme) : sum;
}

struct raw_row {
	size_t key_at;
	struct probe_row row;
};
typedef VEC(struct raw_row) raw_row_vec;

static struct raw_row *row_of_key(raw_row_vec *rows, struct map *index, const char *key, size_t bytes, struct buf *keys)
{
	uint64_t hash = map_hash(key, bytes);
	uint32_t at = map_get(index, hash);

	/* Two keys with one hash: 2^-64 a pair; they are told apart all the same. */
	if (at != MAP_NONE && memcmp(keys->data + rows->v[at].key_at, key, bytes) == 0)
		return &rows->v[at];
	struct raw_row *fresh = vec_push(rows);
	if (!fresh)
		return NULL;
	fresh->key_at = keys->n;
	if (buf_append(keys, key, bytes) < 0 || (at == MAP_NONE && map_set(index, hash, (uint32_t)(rows->n - 1)) < 0))
		return NULL;
	return fresh;
}

static int read_entries(const struct probe_session *s, int map, const struct probe_layout *l, const struct probe_action *a,
			raw_row_vec *rows, struct buf *keys)
{
	size_t value_size = a->kind == ACTION_COUNT || a->kind == ACTION_HISTOGRAM ? 8 : sizeof(struct probe_aggregate);
	size_t bytes = l->bytes - (a->kind == ACTION_HISTOGRAM ? 8 : 0);
	char *key = malloc(l->bytes * 2), *values = malloc(value_size * (size_t)s->cpus), *from = NULL;
	struct map index = { 0 };
	int r = key && values ? 0 : -ENOMEM;

	/* Nothing is removed while it runs, so the walk does not start again. */
	for (size_t n = 0; r == 0 && n < 2 * PROBE_KEYS_KEPT && bpf_map_get_next_key(map, from, key) == 0; n++) {
		struct probe_row one = { 0 };
		uint64_t bucket = 0;

		from = key + l->bytes;
		memcpy(from, key, l->bytes);
		if (bpf_map_lookup_elem(map, key, values) < 0)
			continue;
		fold(&one, values, value_size, s->cpus, a, l->value_unsigned);
		struct raw_row *row = row_of_key(rows, &index, key, bytes, keys);
		if (!row) {
			r = -ENOMEM;
			break;
		}
		if (a->kind == ACTION_HISTOGRAM) {
			memcpy(&bucket, key + bytes, 8);
			if (bucket < PROBE_BUCKETS)
				row->row.bucket[bucket] += one.count;
			row->row.count += one.count;
		} else {
			row->row = one;
		}
	}
	map_deinit(&index);
	free(key);
	free(values);
	return r;
}

static int64_t rank(const struct probe_row *r, enum action_kind kind)
{
	return kind == ACTION_COUNT || kind == ACTION_HISTOGRAM ? (int64_t)r->count :
	       kind == ACTION_AVG ? r->value / (int64_t)(r->count ? r->count : 1) : r->value;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct probe_action *action = arg;
	const struct probe_row *ra = a, *rb = b;
	int64_t va = rank(ra, action->kind), vb = rank(rb, action->kind);

	if (va != vb)
		return (va < vb) == (action->kind != ACTION_MIN) ? 1 : -1;
	return (ra->count < rb->count) - (ra->count > rb->count);
}

int probe_session_aggregate(const struct probe_session *s, size_t clause, size_t action, probe_row_vec *ret,
			    struct buf *keys)
{
	const struct probe_action *a = &s->program->clause[clause].action[action];
	const struct probe_layout *l = &s->clause[clause].aggregate[action];
	raw_row_vec rows = { 0 };

	ret->n = 0;
	buf_clear(keys);
	int r = read_entries(s, s->clause[clause].maps.aggregate[action], l, a, &rows, keys);
	vec_each(raw, &rows) {
		struct probe_row *row = r == 0 ? vec_push(ret) : NULL;
		if (!row)
			break;
		*row = raw->row;
		row->key = keys->data ? keys->data + raw->key_at : "";
	}
	if (r == 0 && ret->n < rows.n)
		r = -ENOMEM;
	vec_free(&rows);
	if (r == 0 && ret->n)
		qsort_r(ret->v, ret->n, sizeof ret->v[0], compare_rows, (void *)(uintptr_t)a);
	return r;
}
