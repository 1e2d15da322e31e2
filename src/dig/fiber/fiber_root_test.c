/* Roots that are damaged, hostile or newer; and a process of memory alone: fibers in each state, a stack that runs on, a ring. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "dig/fiber/fiber_deadlock.h"
#include "dig/image/target_memory.h"

#define BASE 0x100000ull
#define FIBERS 0x2000
#define COPY 0x3000
#define STACKS 0x4000
#define MUTEXES 0x9000
#define ALL 0xa000

struct test_fiber {
	uint64_t id;
	uint32_t state, wait;
	uint64_t object, sp, since, copy;
	uint32_t copy_bytes;
	uint32_t turns, unused;
	uint64_t name;
};

struct test_table {
	uint64_t fibers, stacks, stack_bytes, used;
};

static char memory[ALL];
static unsigned reads;
static void (*meanwhile)(uint64_t address); /* the process goes on between two reads */

static int read_memory(void *arg, uint64_t address, void *to, size_t n)
{
	(void)arg;
	reads++;
	if (address < BASE || address - BASE > ALL || n > ALL - (address - BASE))
		return -EFAULT;
	if (meanwhile)
		meanwhile(address);
	memcpy(to, memory + (address - BASE), n);
	return 0;
}

#define FIELD(type, member) { offsetof(struct type, member), sizeof(((struct type *)0)->member) }

static struct inspect_root good(void)
{
	return (struct inspect_root){
		.magic = INSPECT_MAGIC, .version = INSPECT_VERSION, .bytes = sizeof(struct inspect_root), .machine = EM_X86_64,
		.tables = { BASE, 1, sizeof(struct test_table) },
		.table_fibers = FIELD(test_table, fibers), .table_stacks = FIELD(test_table, stacks),
		.table_stack_bytes = FIELD(test_table, stack_bytes), .table_used = FIELD(test_table, used),
		.fiber_stride = sizeof(struct test_fiber),
		.fiber_id = FIELD(test_fiber, id), .fiber_state = FIELD(test_fiber, state), .fiber_wait = FIELD(test_fiber, wait),
		.fiber_object = FIELD(test_fiber, object), .fiber_sp = FIELD(test_fiber, sp),
		.fiber_since = FIELD(test_fiber, since), .fiber_turns = FIELD(test_fiber, turns),
		.fiber_name = FIELD(test_fiber, name),
		.fiber_copy = FIELD(test_fiber, copy), .fiber_copy_bytes = FIELD(test_fiber, copy_bytes),
		.context_bytes = 56, .pc_at = 48,
		.states = { 0, 0, sizeof(struct inspect_state) }, .waits = { 0, 0, sizeof(struct inspect_wait) },
	};
}

static int parse(const struct inspect_root *r, struct note *note)
{
	struct inspect_root out;

	return fiber_root_parse((struct span){ (const char *)r, sizeof *r }, &out, note);
}

static void test_parse(void)
{
	struct note note = { "" };
	struct inspect_root r = good();

	CHECK(parse(&r, &note) == 0);
	r.version = 2;
	CHECK(parse(&r, &note) == -EPROTO && strstr(note.text, "version 2"));
	r = good(), r.magic++;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.bytes = 8;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.fiber_id.offset = UINT32_MAX;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.fiber_state.bytes = 3;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.fiber_stride = 0;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.tables.count = 1u << 30;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.pc_at = 56;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.registers = 1000;
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.fiber_copy = (struct inspect_field){ sizeof(struct test_fiber), 8 };
	CHECK(parse(&r, &note) == -EBADMSG);
	r = good(), r.states.stride = 4;
	CHECK(parse(&r, &note) == -EBADMSG);
	for (size_t n = 0; n < sizeof r; n++) {
		struct inspect_root out;
		r = good();
		CHECK(fiber_root_parse((struct span){ (const char *)&r, n }, &out, &note) == -EBADMSG);
	}
}

/* One of a library that knows less: what it does not say is nothing. */
static void test_older(void)
{
	struct note note = { "" };
	struct inspect_root r = good(), out;

	r.bytes = INSPECT_ROOT_LEAST;
	r.fiber_copy = (struct inspect_field){ 8, 8 };
	CHECK(fiber_root_parse((struct span){ (const char *)&r, INSPECT_ROOT_LEAST }, &out, &note) == 0 && out.fiber_copy.bytes == 0);
	CHECK(fiber_root_parse((struct span){ (const char *)&r, sizeof r }, &out, &note) == 0 && out.fiber_copy.bytes == 0);
	r.bytes--;
	CHECK(fiber_root_parse((struct span){ (const char *)&r, sizeof r }, &out, &note) == -EBADMSG);
}

static void test_note(void)
{
	struct {
		uint32_t namesz, descsz, type;
		char name[12];
		int64_t distance;
	} __attribute__((packed)) n = { 10, 8, INSPECT_NOTE_ROOT, "osprey-rt", -77 };
	int64_t distance = 0;
	size_t at = 0;

	CHECK(fiber_note_find((struct span){ (const char *)&n, sizeof n }, 4, &distance, &at) && distance == -77 && at == 24);
	CHECK(!fiber_note_find((struct span){ (const char *)&n, sizeof n - 1 }, 4, &distance, &at));
	n.type = 2;
	CHECK(!fiber_note_find((struct span){ (const char *)&n, sizeof n }, 4, &distance, &at));
}

static struct test_table *table(void)
{
	return (struct test_table *)(void *)memory;
}

static struct test_fiber *fiber(size_t i)
{
	return (struct test_fiber *)(void *)(memory + FIBERS) + i;
}

/* Five fibers: free, ready, and three that wait for mutexes in a ring, whose owners are their ids. */
static void lay_out(struct fiber_root *root)
{
	memset(memory, 0, sizeof memory);
	*root = (struct fiber_root){ .is = good(), .nstates = 3, .nwaits = 1 };
	root->state[1] = (struct inspect_state){ "ready", INSPECT_READY };
	root->state[2] = (struct inspect_state){ "waiting", INSPECT_PARKED };
	root->wait[0] = (struct inspect_wait){ .name = "mutex", .object = "mutex",
					       .fact = { { "owner", UINT64_MAX >> 1, { 0, 8 }, INSPECT_FIBER, 0 } } };
	*table() = (struct test_table){ BASE + FIBERS, BASE + STACKS, 0x1000, 5 };
	*fiber(1) = (struct test_fiber){ .id = 11, .state = 1 };
	for (uint64_t i = 2; i < 5; i++) {
		*fiber(i) = (struct test_fiber){ .id = 10 + i, .state = 2, .object = BASE + MUTEXES + 8 * i, .turns = 1,
						 .sp = BASE + STACKS + 0x1000 * i + 0xf00 };
		uint64_t owner = 10 + (i < 4 ? i + 1 : 2), pc = BASE + 0x123;
		memcpy(memory + MUTEXES + 8 * i, &owner, 8);
		memcpy(memory + STACKS + 0x1000 * i + 0xf00 + 48, &pc, 8);
	}
}

static int read_own(void *arg, uint64_t address, void *to, size_t n)
{
	(void)arg;
	return target_memory_read(getpid(), address, to, n);
}

static struct address_space space = { .read = read_memory };

static void test_list(void)
{
	struct fiber_root root;
	struct fiber_list l;
	struct fiber_deadlocks d;

	lay_out(&root);
	CHECK(fiber_list_read(&space, &root, NULL, &l) == 0);
	CHECK(l.fiber.n == 4 && l.torn == 0 && l.stack.n == 1 && l.fiber.v[1].id == 12);
	CHECK(fiber_deadlocks_find(&space, &l, &d) == 0);
	CHECK(d.ring.n == 1 && d.member.n == 3 && !d.all);
	fiber_deadlocks_deinit(&d);
	fiber_list_deinit(&l);
}

/* One whose stack lies in a copy, and is cut where that ends. */
static void test_copy(void)
{
	struct fiber_root root;
	struct fiber_list l;

	lay_out(&root);
	memcpy(memory + COPY, memory + STACKS + 0x2000 + 0xf00, 0x100);
	memset(memory + STACKS + 0x2000, 0, 0x1000);
	fiber(2)->copy = BASE + COPY;
	fiber(2)->copy_bytes = 0x100;
	CHECK(fiber_list_read(&space, &root, NULL, &l) == 0);
	CHECK(l.fiber.n == 4 && l.torn == 0 && l.stack.n == 1 && l.fiber.v[1].id == 12 && l.fiber.v[1].stack == 0);
	CHECK(l.cold == 1 && l.fiber.v[1].cold && !l.fiber.v[0].cold);
	fiber_list_deinit(&l);
	fiber(2)->copy_bytes = 48;
	CHECK(fiber_list_read(&space, &root, NULL, &l) == 0);
	CHECK(l.fiber.n == 4 && l.fiber.v[1].stack == FIBER_NO_STACK);
	fiber_list_deinit(&l);
}

static void comes_back(uint64_t address)
{
	if (address == BASE + COPY)
		fiber(2)->copy = 0;
}

/* It goes on between both looks at it. */
static void test_copy_torn(void)
{
	struct fiber_root root;
	struct fiber_list l;

	lay_out(&root);
	fiber(2)->copy = BASE + COPY;
	fiber(2)->copy_bytes = 0x100;
	meanwhile = comes_back;
	CHECK(fiber_list_read(&space, &root, NULL, &l) == 0);
	meanwhile = NULL;
	CHECK(l.torn == 1 && l.fiber.v[1].id == 12 && l.fiber.v[1].torn);
	fiber_list_deinit(&l);
}

static unsigned looks;
static void moves_on(uint64_t address)
{
	/* After the first look at the fibers one runs, and another ends. */
	if (address == BASE + FIBERS && ++looks == 2) {
		fiber(2)->turns++;
		fiber(3)->id = 99;
	}
}

static void test_torn(void)
{
	struct fiber_root root;
	struct fiber_list l;

	lay_out(&root);
	looks = 0;
	meanwhile = moves_on;
	CHECK(fiber_list_read(&space, &root, NULL, &l) == 0);
	meanwhile = NULL;
	CHECK(l.fiber.n == 3 && l.torn == 1 && l.gone == 1);
	CHECK(l.fiber.v[1].id == 12 && l.fiber.v[1].torn && !l.fiber.v[2].torn);
	fiber_list_deinit(&l);
}

/* Counts that lead out of memory, a list of threads that goes round. */
static void test_hostile(void)
{
	struct fiber_root root;
	struct fiber_list l;

	lay_out(&root);
	table()->used = UINT64_MAX;
	root.is.scheduler = BASE + 0x100;
	root.is.scheduler_threads = (struct inspect_field){ 0, 8 };
	root.is.thread_next = (struct inspect_field){ 0, 8 };
	uint64_t itself = BASE + 0x100;
	memcpy(memory + 0x100, &itself, 8);
	reads = 0;
	CHECK(fiber_list_read(&space, &root, NULL, &l) == 0);
	CHECK(l.unread > 0 && reads < 1000000);
	fiber_list_deinit(&l);
}

/* Our own memory, as that of a live process with many fibers: then threads read ahead. Ids fall in the table, in steps. */
#define MANY 20000u
static void test_live(void)
{
	size_t bytes = (MANY * sizeof(struct test_fiber) + 4095) & ~(size_t)4095;
	struct test_fiber *fibers = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *stacks = malloc((size_t)MANY * 256);
	struct test_table live = { (uint64_t)(uintptr_t)fibers, (uint64_t)(uintptr_t)stacks, 256, MANY };
	struct address_space own = { .pid = getpid(), .read = read_own };
	struct fiber_root root;
	struct fiber_list l;

	CHECK(fibers != MAP_FAILED && stacks && mprotect((char *)fibers + bytes, 4096, PROT_NONE) == 0);
	lay_out(&root);
	root.is.tables.address = (uint64_t)(uintptr_t)&live;
	root.is.scheduler = 0;
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t pc = i % 3 ? 0x1234 : 0x5678;
		fibers[i] = (struct test_fiber){ .id = MANY - i + (i % 2 ? 1000000 : 0), .state = i % 7 ? 2 : 0, .turns = 1,
						 .sp = live.stacks + 256 * i + 100 };
		memcpy(stacks + 256 * i + 100 + 48, &pc, sizeof pc);
	}
	CHECK(fiber_list_read(&own, &root, NULL, &l) == 0);
	CHECK_U64(l.fiber.n, MANY - (MANY + 6) / 7);
	CHECK(l.torn == 0 && l.gone == 0 && l.unread == 0 && l.stack.n == 2);
	for (size_t i = 0; i < l.fiber.n; i++) {
		uint64_t at = MANY - l.fiber.v[i].id % 1000000;
		CHECK(i == 0 || l.fiber.v[i - 1].id < l.fiber.v[i].id);
		CHECK(at % 7 && l.fiber.v[i].stack < l.stack.n &&
		      l.frame.v[l.stack.v[l.fiber.v[i].stack].first].pc == (at % 3 ? 0x1234u : 0x5678u));
	}
	fiber_list_deinit(&l);

	/* A count that leads out of memory ends soon, and what was there is kept. */
	live.used = 1u << 30;
	CHECK(fiber_list_read(&own, &root, NULL, &l) == 0);
	CHECK(l.unread > 0 && l.fiber.n >= MANY - (MANY + 6) / 7 - 512);
	fiber_list_deinit(&l);
	munmap(fibers, bytes + 4096);
	free(stacks);
}

int main(void)
{
	test_parse();
	test_older();
	test_note();
	test_list();
	test_copy();
	test_copy_torn();
	test_torn();
	test_hostile();
	test_live();
	return check_exit();
}
