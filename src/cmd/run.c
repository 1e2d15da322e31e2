#include "cmd/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/output.h"

static const char *const leftovers[] = { "leave", "wait", "end", NULL };
static const char *const job_outputs[] = { "plain", "header", "prefix", NULL };

#define ANY_DURATION UINT64_C(1000000), UINT64_C(31536000000000000) /* 1 ms to a year */

static const struct option options[] = {
	[RUN_TIMEOUT] = { "timeout", 't', OPTION_DURATION, "DURATION",
			  "end it after so long: TERM to all its processes, after --grace KILL", ANY_DURATION },
	[RUN_CPU_TIMEOUT_OPTION] = { "cpu-timeout", 0, OPTION_DURATION, "DURATION",
				     "the same when its processes together have used so much CPU time", ANY_DURATION },
	[RUN_GRACE] = { "grace", 'k', OPTION_DURATION, "DURATION", "between TERM and KILL (5s); 0s: KILL at once", 0,
			UINT64_C(31536000000000000) },
	[RUN_SIGNAL] = { "signal", 's', OPTION_TEXT, "SIGNAL", "what is sent first in place of TERM" },
	[RUN_LEFTOVER] = { "leftover", 0, OPTION_CHOICE, "CHOICE",
			   "what outlives it: leave, wait (for it, until TERM, INT, HUP or QUIT to osprey), end (TERM, "
			   "grace, KILL); default: end with a timeout or a cgroup, else leave",
			   0, 0, leftovers },
	[RUN_LIMIT] = { "limit", 'l', OPTION_TEXT, "NAME=SOFT[:HARD]",
			"a resource limit: nofile, nproc, as, core, cpu, data, fsize, memlock, stack…; often" },
	[RUN_NICE] = { "nice", 'n', OPTION_TEXT, "N", "nice value, -20 to 19" },
	[RUN_POLICY] = { "policy", 0, OPTION_TEXT, "POLICY", "other, batch, idle, fifo:N or rr:N" },
	[RUN_CPUS] = { "cpus", 0, OPTION_TEXT, "LIST", "run on these CPUs alone: 0-1,3" },
	[RUN_IO] = { "io", 0, OPTION_TEXT, "CLASS", "I/O class: idle, best-effort:N or realtime:N" },
	[RUN_CPU_LIMIT] = { "cpu-limit", 0, OPTION_TEXT, "CPUS", "cgroup: so many CPUs at most, 0.5 say" },
	[RUN_MEMORY_LIMIT] = { "memory-limit", 'm', OPTION_TEXT, "SIZE", "cgroup: memory at most, 512M say" },
	[RUN_MEMORY_HIGH] = { "memory-high", 0, OPTION_TEXT, "SIZE",
			      "cgroup: above this it is slowed and reclaimed from (v2)" },
	[RUN_SWAP_LIMIT] = { "swap-limit", 0, OPTION_TEXT, "SIZE", "cgroup: swap at most, 0 for none" },
	[RUN_PIDS_LIMIT] = { "pids-limit", 0, OPTION_COUNT, "N", "cgroup: processes and threads at most", 1, 4194304 },
	[RUN_IO_LIMIT] = { "io-limit", 0, OPTION_TEXT, "DEVICE:KEY=VALUE,…",
			   "cgroup: rbps, wbps, riops, wiops of a disk; often" },
	[RUN_CGROUP] = { "cgroup", 0, OPTION_FLAG, NULL, "make a cgroup without limits, to measure by" },
	[RUN_ENV] = { "env", 'e', OPTION_TEXT, "NAME=VALUE", "set in its environment; often" },
	[RUN_CLEAR_ENV] = { "clear-env", 0, OPTION_FLAG, NULL, "start from an empty environment" },
	[RUN_DIRECTORY] = { "directory", 'C', OPTION_FILE, "DIR", "its working directory" },
	[RUN_USER] = { "user", 'u', OPTION_TEXT, "NAME[:GROUP]", "run as this user, with all groups of it" },
	[RUN_REPEAT] = { "repeat", 'r', OPTION_COUNT, "N",
			 "run it N times, one after another; print min, median, max, mean, stddev", 1, 100000 },
	[RUN_JOBS] = { "jobs", 'J', OPTION_COUNT, "N",
		       "run every line of stdin by /bin/sh -c, N at once; no COMMAND then", 1, 1024 },
	[RUN_FAIL_FAST] = { "fail-fast", 0, OPTION_FLAG, NULL,
			    "with --jobs, --repeat: end at the first failure (default: keep going)" },
	[RUN_JOB_OUTPUT] = { "job-output", 0, OPTION_CHOICE, "CHOICE",
			     "a job's output, printed whole when it ends: plain, header, prefix (each line)", 0, 0,
			     job_outputs },
	[RUN_OUTPUT] = { "output", 'o', OPTION_FILE, "FILE", "write the summary there in place of stderr" },
	[RUN_JSON] = { "json", 'j', OPTION_FLAG, NULL, "summary as one JSON document, schema osprey.run/1" },
	[RUN_QUIET] = { "quiet", 'q', OPTION_FLAG, NULL, "no summary" },
	[RUN_NO_COLOR] = { "no-color", 0, OPTION_FLAG, NULL, "do not colour the summary" },
};

/* ---- the summary ---- */

int run_tell(const struct arguments *args, const struct run_report *report, int output, int code)
{
	cleanup(buf_deinit) struct buf text = { 0 };
	struct page p = { .out = &text };
	int r;

	if (args->option[RUN_QUIET].given && output < 0)
		return code;
	if (args->option[RUN_JSON].given) {
		r = run_json(report, &text);
	} else {
		p.style = output_talk_style(args->option[RUN_NO_COLOR].given || output >= 0);
		run_text(report, &p);
		r = p.error;
	}
	if (r == 0)
		r = output_write_fd(output >= 0 ? output : STDERR_FILENO, buf_span(&text));
	if (r < 0 && output >= 0) {
		say("run: the summary could not be written to %s: %s", args->option[RUN_OUTPUT].text, strerror(-r));
		return code ? code : RUN_FAILED;
	}
	return code;
}

/* ---- one run, or one again and again ---- */

static void tell_warning(const struct run_result *result)
{
	if (result->warning.text[0])
		say("run: %s", result->warning.text);
}

static int once(const struct arguments *args, const struct run_request *q, int output, int *ret_signal)
{
	struct run_result result;
	struct run_report report = { .argv = q->spec.argv, .result = &result };
	struct note note = { "" };
	uint64_t start = clock_mono_ns();
	int interrupted = 0, r = run_program(&q->spec, &result, &interrupted, &note);

	if (r < 0) {
		say("run: %s", note.text);
		return RUN_FAILED;
	}
	report.elapsed_ns = clock_mono_ns() - start;
	tell_warning(&result);
	if (!result.pid) {
		say("run: %s", result.failed.text);
		if (!args->option[RUN_JSON].given)
			return result.exit_code;
	}
	*ret_signal = result.timeout ? 0 : result.signal;
	return run_tell(args, &report, output, result.exit_code);
}

static int repeatedly(const struct arguments *args, const struct run_request *q, int output, int *ret_signal)
{
	run_line_vec lines = { 0 };
	struct run_report report = { .argv = q->spec.argv, .repeats = &lines };
	uint64_t start = clock_mono_ns(), times = args->option[RUN_REPEAT].number;
	int code = 0, interrupted = 0;

	for (uint64_t i = 0; i < times && !interrupted; i++) {
		struct run_result result;
		struct note note = { "" };
		struct run_line *line = vec_push(&lines);
		int r = line ? run_program(&q->spec, &result, &interrupted, &note) : -ENOMEM;

		if (r < 0) {
			say("run: %s", note.text[0] ? note.text : strerror(-r));
			lines.n -= line != NULL;
			code = code ? code : RUN_FAILED;
			break;
		}
		tell_warning(&result);
		run_line_fill(&result, line);
		if (!code && !result.timeout)
			*ret_signal = result.signal;
		code = code ? code : result.exit_code;
		if (!result.pid) {
			say("run: %s", result.failed.text);
			break;
		}
		if (code && args->option[RUN_FAIL_FAST].given)
			break;
	}
	if (interrupted)
		say("run: interrupted by %s after %zu of %llu runs", signal_text(interrupted).text, lines.n,
		    (unsigned long long)times);
	report.elapsed_ns = clock_mono_ns() - start;
	if (interrupted) {
		code = 128 + interrupted;
		*ret_signal = interrupted;
	}
	if (lines.n && (lines.v[0].failed_to_start == false || args->option[RUN_JSON].given))
		code = run_tell(args, &report, output, code);
	vec_free(&lines);
	return code;
}

/* ---- arguments ---- */

static int check(const struct arguments *args, struct note *note)
{
	const struct option_value *o = args->option;

	if (o[RUN_JOBS].given && args->noperands)
		return note_set(note, -EINVAL, "--jobs takes its commands from stdin, one a line; '%.60s' is too much",
				args->operand[0]);
	if (!o[RUN_JOBS].given && !args->noperands)
		return note_set(note, -EINVAL, "a command is missing; usage: osprey run [OPTION…] [--] COMMAND [ARGUMENT…]");
	if (args->noperands && !args->operand[0][0])
		return note_set(note, -EINVAL, "the command is empty");
	if (o[RUN_JOBS].given && o[RUN_REPEAT].given)
		return note_set(note, -EINVAL, "--jobs and --repeat exclude each other");
	if (o[RUN_JOB_OUTPUT].given && !o[RUN_JOBS].given)
		return note_set(note, -EINVAL, "--job-output is for --jobs");
	if (o[RUN_FAIL_FAST].given && !o[RUN_JOBS].given && !o[RUN_REPEAT].given)
		return note_set(note, -EINVAL, "--fail-fast is for --jobs and --repeat");
	if (o[RUN_QUIET].given && (o[RUN_JSON].given || o[RUN_OUTPUT].given))
		return note_set(note, -EINVAL, "--quiet leaves nothing for --%s", o[RUN_JSON].given ? "json" : "output");
	return 0;
}

static int open_output(const struct arguments *args, int *ret)
{
	const char *path = args->option[RUN_OUTPUT].text;

	*ret = -1;
	if (!args->option[RUN_OUTPUT].given)
		return 0;
	*ret = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (*ret >= 0)
		return 0;
	say("run: cannot write %s: %s; nothing was started", path, strerror(errno));
	return -errno;
}

static int run(const struct arguments *args)
{
	struct note note = { "" };
	struct run_request q;
	cleanup(close_fd) int output = -1;
	int r = check(args, &note), signal_number = 0;

	if (r == 0)
		r = run_request_init(args, &q, &note);
	if (r < 0) {
		say("run: %s", note.text[0] ? note.text : strerror(-r));
		return r == -EINVAL || r == -ERANGE ? EXIT_USAGE : RUN_FAILED;
	}
	r = open_output(args, &output);
	if (r == 0) {
		run_front_begin(&q.spec.inherited);
		q.spec.stops_caller = !args->option[RUN_JOBS].given;
		r = args->option[RUN_JOBS].given   ? run_jobs(args, &q, output, &signal_number) :
		    args->option[RUN_REPEAT].given ? repeatedly(args, &q, output, &signal_number) :
						     once(args, &q, output, &signal_number);
	} else {
		r = RUN_FAILED;
	}
	run_request_deinit(&q);
	if (signal_number)
		run_die_of(signal_number);
	return r;
}

const struct command command_run = {
	.name = "run",
	.summary = "run a program bounded and measured, and leave nothing of it behind",
	.description =
		"Starts COMMAND with the limits, priorities, user and cgroup given, passes stdin, the terminal and signals "
		"through, and tells on stderr what it took: time, memory, faults, switches, I/O; with a cgroup also how "
		"often and how long it was held up.\n\n"
		"A timeout ends all processes of it, those too that left their parent, session and process group: TERM, "
		"after --grace KILL. When osprey is killed itself, by KILL even, the same happens at once. What a limit "
		"needs and cannot have (root, a controller) is an error before anything starts.\n\n"
		"Cgroup limits make a cgroup below that of the caller (v1) or beside it (v2), and remove it afterwards.\n\n"
		"Exit code: that of COMMAND; when a signal ended COMMAND, osprey dies of the same one (a shell says 128 + N, and "
		"Ctrl-C ends its loop); 124 after a timeout; 125 when osprey could not "
		"do what was asked; 126 when COMMAND cannot be executed, 127 when it is not found; 2 when the arguments "
		"of osprey are wrong. With --repeat and --jobs: that of the first failure, in time; interrupted, osprey dies "
		"of the signal. Output of a job that cannot be written is a failure (125).\n\n"
		"--jobs: blank lines and lines that begin with # are passed over; each job's stdin is /dev/null; its "
		"output is printed whole when it has ended.",
	.operands = "[--] COMMAND [ARGUMENT…]",
	.max_operands = OPERANDS_ANY,
	.operands_end_options = true,
	OPTIONS(options),
	.run = run,
};
