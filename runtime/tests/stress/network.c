#include "stress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each object has one fiber on each side (or what it does cannot be undone), so how all ends does not depend
 * on who runs first. */
#define MOST_NODES 7
#define MOST_LINKS 8
#define MOST_STEPS 9
#define PATIENCE_S 60

enum kind {
	K_SEND, K_RECEIVE, K_SELECT_SEND, K_SELECT_RECEIVE, K_SET, K_WAIT, K_POST, K_TAKE, K_DONE, K_WAIT_GROUP, K_JOIN, K_HELD, K_READ_HELD,
	K_WRITE_HELD, K_CONDITION, K_SLEEP, K_YIELD, KINDS
};

static const struct {
	const char *name;
	const char *told;	/* in the report of a deadlock; NULL: it never waits for ever */
} kinds[KINDS] = {
	[K_SEND] = { "send", "sends to channel" },
	[K_RECEIVE] = { "receive", "receives from channel" },
	[K_SELECT_SEND] = { "select send", "selects among the cases at" },
	[K_SELECT_RECEIVE] = { "select receive", "selects among the cases at" },
	[K_SET] = { "set", NULL },
	[K_WAIT] = { "wait", "waits for event" },
	[K_POST] = { "post", NULL },
	[K_TAKE] = { "take", "waits for semaphore" },
	[K_DONE] = { "done", NULL },
	[K_WAIT_GROUP] = { "wait group", "waits for wait group" },
	[K_JOIN] = { "join", "joins fiber" },
	[K_HELD] = { "lock what is held", "waits for mutex" },
	[K_READ_HELD] = { "read what is held", "waits to read under lock" },
	[K_WRITE_HELD] = { "write what is held", "waits to write under lock" },
	[K_CONDITION] = { "wait for condition", "waits for condition" },
	[K_SLEEP] = { "sleep", NULL },
	[K_YIELD] = { "yield", NULL },
};

struct step {
	enum kind kind;
	unsigned object;
};

struct node {
	unsigned n;
	struct step steps[MOST_STEPS];
};

static struct net {
	unsigned nnodes, nlinks, capacity[MOST_LINKS];
	struct node nodes[MOST_NODES];
	unsigned processors;
	/* The objects, at the same addresses in the process that runs it. */
	struct rt_chan *chans[MOST_LINKS];
	struct rt_event events[MOST_LINKS];
	struct rt_semaphore semaphores[MOST_LINKS];
	struct rt_wait_group groups[MOST_LINKS];
	struct rt_mutex held, own[MOST_NODES];
	struct rt_rwlock held_rw;
	struct rt_condition conditions[MOST_NODES];
	struct rt_fiber fibers[MOST_NODES];
} net;

/* What only the running process knows, for the one that waits for it. */
static struct shared {
	const void *cases[MOST_NODES];
	uint64_t fibers[MOST_NODES];		/* their ids */
	int64_t received[MOST_LINKS];	/* how many, and they came in order */
	bool wrong;
} *shared;

static const char *const names[MOST_NODES] = { "f0", "f1", "f2", "f3", "f4", "f5", "f6" };

/* -- making one */

static void add(unsigned node, enum kind kind, unsigned object)
{
	struct node *n = &net.nodes[node];

	if (n->n < MOST_STEPS)
		n->steps[n->n++] = (struct step){ kind, object };
}

static bool ends_forever(struct luck *l)
{
	return below(l, 8) == 0;
}

static void make(uint64_t seed)
{
	struct luck l = luck_of(seed);
	unsigned from[MOST_LINKS], to[MOST_LINKS], joined = 0;

	memset(&net, 0, sizeof net);
	net.nnodes = 2 + below(&l, MOST_NODES - 1);
	net.nlinks = 1 + below(&l, MOST_LINKS);
	net.processors = 1 + below(&l, 4);
	for (unsigned i = 0; i < net.nlinks; i++) {
		from[i] = below(&l, net.nnodes);
		to[i] = below(&l, net.nnodes);
		net.capacity[i] = below(&l, 3);
	}
	unsigned actions = net.nlinks * 2 + below(&l, 12);
	for (unsigned k = 0; k < actions; k++) {
		unsigned i = below(&l, net.nlinks), luck = below(&l, 16);
		/* For the most part both sides do their share, so that many networks end. */
		bool both = below(&l, 8) != 0, select = below(&l, 4) == 0;
		switch (luck) {
		default:
			add(from[i], select ? K_SELECT_SEND : K_SEND, i);
			if (both)
				add(to[i], select ? K_SELECT_RECEIVE : K_RECEIVE, i);
			break;
		case 7: case 8:
			add(to[i], K_WAIT, i);
			if (both)
				add(from[i], K_SET, i);
			break;
		case 9: case 10:
			add(from[i], K_POST, i);
			if (both)
				add(to[i], K_TAKE, i);
			break;
		case 11:
			add(to[i], K_WAIT_GROUP, i);
			net.groups[i].count++;
			if (both)
				add(from[i], K_DONE, i);
			break;
		case 12:
			/* Each is joined once, by one that was started later. */
			if (joined + 1 < net.nnodes) {
				add(joined + 1 + below(&l, net.nnodes - joined - 1), K_JOIN, joined);
				joined++;
			}
			break;
		case 13: add(to[i], K_SLEEP, 0); break;
		case 14: add(to[i], K_YIELD, 0); break;
		case 15:
			if (ends_forever(&l))
				add(to[i], K_HELD + below(&l, 4), 0);
			break;
		}
	}
	/* What a full list of steps left out has changed the counts of groups: these are what is done, or one
	 * more. */
	for (unsigned i = 0; i < net.nlinks; i++) {
		net.groups[i].count = below(&l, 10) == 0;
		for (unsigned f = 0; f < net.nnodes; f++)
			for (unsigned s = 0; s < net.nodes[f].n; s++)
				net.groups[i].count += net.nodes[f].steps[s].kind == K_DONE && net.nodes[f].steps[s].object == i;
	}
	/* The rest is joined by the first fiber, in order. */
}

static bool joined_by_another(unsigned node)
{
	for (unsigned f = 0; f < net.nnodes; f++)
		for (unsigned s = 0; s < net.nodes[f].n; s++)
			if (net.nodes[f].steps[s].kind == K_JOIN && net.nodes[f].steps[s].object == node)
				return true;
	return false;
}

static void show(uint64_t seed)
{
	fprintf(stderr, "network %" PRIu64 ", P = %u\n", seed, net.processors);
	for (unsigned i = 0; i < net.nlinks; i++)
		fprintf(stderr, "  channel %u of %u\n", i, net.capacity[i]);
	for (unsigned f = 0; f < net.nnodes; f++) {
		fprintf(stderr, "  %s:", names[f]);
		for (unsigned s = 0; s < net.nodes[f].n; s++)
			fprintf(stderr, " %s %u;", kinds[net.nodes[f].steps[s].kind].name, net.nodes[f].steps[s].object);
		fprintf(stderr, "\n");
	}
}

/* -- how it ends */

struct simulation {
	unsigned at[MOST_NODES];
	int64_t inside[MOST_LINKS], posted[MOST_LINKS], left[MOST_LINKS];
	bool set[MOST_LINKS];
};

static bool at_end(const struct simulation *s, unsigned f)
{
	return s->at[f] == net.nodes[f].n;
}

static bool sends(enum kind k)
{
	return k == K_SEND || k == K_SELECT_SEND;
}

/* The fiber that is at the other side of an exchange without room, or -1. */
static int sender_at(const struct simulation *s, unsigned link, unsigned but)
{
	for (unsigned f = 0; f < net.nnodes; f++)
		if (f != but && !at_end(s, f) && sends(net.nodes[f].steps[s->at[f]].kind) && net.nodes[f].steps[s->at[f]].object == link)
			return (int)f;
	return -1;
}

static bool advance(struct simulation *s, unsigned f)
{
	if (at_end(s, f))
		return false;
	struct step step = net.nodes[f].steps[s->at[f]];
	unsigned o = step.object;
	int sender;
	bool on = true;
	switch (step.kind) {
	case K_SEND: case K_SELECT_SEND:
		on = s->inside[o] < net.capacity[o];
		s->inside[o] += on;
		break;
	case K_RECEIVE: case K_SELECT_RECEIVE:
		on = s->inside[o] > 0;
		if (!on && (sender = sender_at(s, o, f)) >= 0) {
			s->at[sender]++;
			on = true;
		} else {
			s->inside[o] -= on;
		}
		break;
	case K_SET: s->set[o] = true; break;
	case K_WAIT: on = s->set[o]; break;
	case K_POST: s->posted[o]++; break;
	case K_TAKE:
		on = s->posted[o] > 0;
		s->posted[o] -= on;
		break;
	case K_DONE: s->left[o]--; break;
	case K_WAIT_GROUP: on = s->left[o] == 0; break;
	case K_JOIN: on = at_end(s, o); break;
	case K_HELD: case K_READ_HELD: case K_WRITE_HELD: case K_CONDITION: on = false; break;
	default: break;
	}
	s->at[f] += on;
	return on;
}

static void simulate(struct simulation *s)
{
	bool on;

	memset(s, 0, sizeof *s);
	for (unsigned i = 0; i < net.nlinks; i++)
		s->left[i] = net.groups[i].count;
	do {
		on = false;
		for (unsigned f = 0; f < net.nnodes; f++)
			while (advance(s, f))
				on = true;
	} while (on);
}

/* -- running it */

static void receive_one(unsigned link, bool select)
{
	int64_t v = -1;
	struct rt_case k = { .chan = net.chans[link], .receive = &v };

	if (select)
		shared->wrong |= rt_select(&k, 1, RT_FOREVER) != 0;
	else
		shared->wrong |= rt_receive(net.chans[link], &v, RT_FOREVER) != 0;
	shared->wrong |= v != shared->received[link]++;
}

static void send_one(unsigned link, int64_t v, bool select)
{
	struct rt_case k = { .chan = net.chans[link], .send = &v };

	shared->wrong |= (select ? rt_select(&k, 1, RT_FOREVER) : rt_send(net.chans[link], &v, RT_FOREVER)) != 0;
}

/* The cases of a select lie on the stack of who selects: where, the report tells. */
static __attribute__((noinline)) void select_one(unsigned f, unsigned link, int64_t *v, bool sending)
{
	struct rt_case k = { .chan = net.chans[link] };

	if (sending)
		k.send = v;
	else
		k.receive = v;
	shared->cases[f] = &k;
	shared->wrong |= rt_select(&k, 1, RT_FOREVER) != 0;
}

static int node_main(void *arg)
{
	unsigned f = (unsigned)(uintptr_t)arg;
	int64_t sent[MOST_LINKS] = { 0 }, v;

	for (unsigned i = 0; i < net.nodes[f].n; i++) {
		unsigned o = net.nodes[f].steps[i].object;
		switch (net.nodes[f].steps[i].kind) {
		case K_SEND: send_one(o, sent[o]++, false); break;
		case K_RECEIVE: receive_one(o, false); break;
		case K_SELECT_SEND:
			v = sent[o]++;
			select_one(f, o, &v, true);
			break;
		case K_SELECT_RECEIVE:
			select_one(f, o, &v, false);
			shared->wrong |= v != shared->received[o]++;
			break;
		case K_SET: rt_event_set(&net.events[o]); break;
		case K_WAIT: shared->wrong |= rt_event_wait(&net.events[o], RT_FOREVER) != 0; break;
		case K_POST: rt_semaphore_post(&net.semaphores[o], 1); break;
		case K_TAKE: shared->wrong |= rt_semaphore_wait(&net.semaphores[o], 1, RT_FOREVER) != 0; break;
		case K_DONE: rt_wait_group_done(&net.groups[o]); break;
		case K_WAIT_GROUP: shared->wrong |= rt_wait_group_wait(&net.groups[o], RT_FOREVER) != 0; break;
		case K_JOIN: shared->wrong |= rt_join(net.fibers[o], NULL, RT_FOREVER) != 0; break;
		case K_HELD: shared->wrong |= rt_lock(&net.held, RT_FOREVER) != 0; break;
		case K_READ_HELD: shared->wrong |= rt_read_lock(&net.held_rw, RT_FOREVER) != 0; break;
		case K_WRITE_HELD: shared->wrong |= rt_write_lock(&net.held_rw, RT_FOREVER) != 0; break;
		case K_CONDITION:
			shared->wrong |= rt_lock(&net.own[f], RT_FOREVER) != 0;
			shared->wrong |= rt_condition_wait(&net.conditions[f], &net.own[f], RT_FOREVER) != 0;
			break;
		case K_SLEEP: rt_sleep(50000); break;
		default: rt_yield(); break;
		}
	}
	return 0;
}

static int net_main(void *arg)
{
	(void)arg;
	shared->wrong |= rt_lock(&net.held, RT_FOREVER) != 0 || rt_write_lock(&net.held_rw, RT_FOREVER) != 0;
	for (unsigned f = 0; f < net.nnodes; f++) {
		struct rt_spawn_options options = { .name = names[f] };
		shared->wrong |= rt_spawn(node_main, (void *)(uintptr_t)f, &options, &net.fibers[f]) != 0;
		shared->fibers[f] = net.fibers[f].id;
	}
	for (unsigned f = 0; f < net.nnodes; f++)
		if (!joined_by_another(f))
			shared->wrong |= rt_join(net.fibers[f], NULL, RT_FOREVER) != 0;
	return 0;
}

/* -- what the report is to say */

static const void *object_of(unsigned f, struct step step)
{
	unsigned o = step.object;

	switch (step.kind) {
	case K_SEND: case K_RECEIVE: return net.chans[o];
	case K_SELECT_SEND: case K_SELECT_RECEIVE: return shared->cases[f];
	case K_WAIT: return &net.events[o];
	case K_TAKE: return &net.semaphores[o];
	case K_WAIT_GROUP: return &net.groups[o];
	case K_HELD: return &net.held;
	case K_READ_HELD: case K_WRITE_HELD: return &net.held_rw;
	case K_CONDITION: return &net.conditions[f];
	default: return NULL;
	}
}

/* The line of one fiber, from its name on; and the first fiber's, which has none. */
static unsigned expect(const struct simulation *s, char (*lines)[160])
{
	unsigned n = 0;
	bool first_waits = false;

	for (unsigned f = 0; f < net.nnodes; f++) {
		if (at_end(s, f))
			continue;
		struct step step = net.nodes[f].steps[s->at[f]];
		if (step.kind == K_JOIN)
			snprintf(lines[n++], sizeof *lines, "(%s), started by fiber X: %s %llu\n", names[f], kinds[step.kind].told,
				 (unsigned long long)shared->fibers[step.object]);
		else
			snprintf(lines[n++], sizeof *lines, "(%s), started by fiber X: %s %p\n", names[f], kinds[step.kind].told,
				 object_of(f, step));
	}
	for (unsigned f = 0; f < net.nnodes && !first_waits; f++)
		if (!at_end(s, f) && !joined_by_another(f)) {
			snprintf(lines[n++], sizeof *lines, ", started by rt_run: joins fiber %llu\n",
				 (unsigned long long)shared->fibers[f]);
			first_waits = true;
		}
	return n;
}

/* Each line "fiber N…" of the report is one that is expected, and each of those comes once. */
static bool as_expected(FILE *report, const struct simulation *s)
{
	char lines[MOST_NODES + 1][160], line[512], tail[160];
	unsigned n = expect(s, lines), told = 0;
	bool same = true;

	while (fgets(line, sizeof line, report)) {
		unsigned long long id, creator;
		int at = 0, after = 0;
		if (sscanf(line, "fiber %llu%n", &id, &at) != 1)
			continue;
		const char *from = line + at + (line[at] == ' ');
		const char *by = strstr(from, "started by fiber ");
		if (by && sscanf(by, "started by fiber %llu%n", &creator, &after) == 1)
			snprintf(tail, sizeof tail, "%.*sstarted by fiber X%s", (int)(by - from), from, by + after);
		else
			snprintf(tail, sizeof tail, "%s", from);
		unsigned i = 0;
		while (i < n && strcmp(tail, lines[i]) != 0)
			i++;
		told++;
		if (i < n)
			lines[i][0] = 0;
		else
			same = fprintf(stderr, "  not expected: %s", line) < 0;
	}
	for (unsigned i = 0; i < n; i++)
		if (lines[i][0])
			same = fprintf(stderr, "  missing: %s", lines[i]) < 0;
	return same && told == n;
}

static bool ran_as_simulated(int status, FILE *report, const struct simulation *s)
{
	bool deadlock = false, told_deadlock = false;
	char first[200];

	for (unsigned f = 0; f < net.nnodes; f++)
		deadlock |= !at_end(s, f);
	if (shared->wrong) {
		fprintf(stderr, "  something failed that could not, or values came in another order\n");
		return false;
	}
	rewind(report);
	if (fgets(first, sizeof first, report))
		told_deadlock = strstr(first, "deadlock:") != NULL;
	if (!deadlock) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && ftell(report) == 0)
			return true;
		fprintf(stderr, "  it was to end, status %#x: %s", (unsigned)status, ftell(report) ? first : "\n");
		return false;
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !told_deadlock) {
		fprintf(stderr, "  it was to be a deadlock, status %#x\n", (unsigned)status);
		return false;
	}
	return as_expected(report, s);
}

static _Noreturn void child(FILE *report)
{
	struct rt_options options = { .processors = net.processors };
	struct rlimit none = { 0 };

	setrlimit(RLIMIT_CORE, &none);
	dup2(fileno(report), STDERR_FILENO);
	alarm(PATIENCE_S);
	_exit(rt_run(&options, net_main, NULL) != 0);
}

bool network_run(uint64_t seed)
{
	struct simulation end;
	int status = 0;

	make(seed);
	simulate(&end);
	if (!shared) {
		shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (shared == MAP_FAILED)
			abort();
	}
	memset(shared, 0, sizeof *shared);
	for (unsigned i = 0; i < net.nlinks; i++)
		if (rt_chan_new(sizeof(int64_t), net.capacity[i], &net.chans[i]) < 0)
			abort();
	FILE *report = tmpfile();
	if (!report)
		abort();
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		child(report);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	bool well = ran_as_simulated(status, report, &end);
	if (!well)
		show(seed);
	fclose(report);
	for (unsigned i = 0; i < net.nlinks; i++)
		rt_chan_free(net.chans[i]);
	return well;
}
