/* What users write for acts on processes, /etc/passwd and group, and what /proc says of a tree. */
#include "act/identity.h"
#include "act/run_group.h"
#include "act/run_pool.h"
#include "act/run_tree.h"
#include "act/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(struct span text)
{
	struct rlimit_wish limit;
	struct schedule schedule;
	struct cpu_list cpus;
	struct note note;
	uint64_t bytes;
	int number;

	(void)!size_parse(text, &bytes, &note);
	(void)!rlimit_parse(text, &limit, &note);
	(void)!schedule_parse(text, &schedule, &note);
	(void)!nice_parse(text, &number, &note);
	(void)!io_priority_parse(text, &number, &note);
	if (signal_parse(text, &number, &note) == 0)
		(void)signal_text(number);
	if (cpu_list_parse(text, &cpus, &note) == 0) {
		struct buf back = { 0 };

		(void)!cpu_list_text(&cpus, &back);
		buf_deinit(&back);
	}
}

static void accounts(struct span text)
{
	struct identity id;
	struct span user;
	struct note note;

	if (span_until(&text, '\n', &user)) {
		struct span passwd = { text.p, text.n / 2 }, group = { text.p + text.n / 2, text.n - text.n / 2 };

		(void)!identity_parse(user, 1000, passwd, group, &id, &note);
	}
}

static void trees(struct span text)
{
	struct run_group_name name;
	struct tree_process p;
	struct tree_io io;

	(void)!tree_stat_parse(text, &p);
	tree_io_parse(text, &io);
	if (run_group_name_parse(text, &name)) {
		char back[96];

		run_group_name_text(&name, back, sizeof back);
	}
}

static void lists(struct span text)
{
	struct span line;

	while (run_pool_next(&text, true, &line))
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(struct span) = { words, accounts, trees, lists };

	if (size)
		parsers[data[0] % 4]((struct span){ (const char *)data + 1, size - 1 });
	return 0;
}
