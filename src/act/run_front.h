/* Keepers as their front sees them: one, or many at once. The parts of run_program. */
#ifndef OSPREY_ACT_RUN_FRONT_H
#define OSPREY_ACT_RUN_FRONT_H

#include "act/run.h"

#define RUN_MAX_JOBS 1024 /* at once */

struct run_job {
	const struct run_spec *spec;
	struct run_result *result; /* shared with the keeper */
	pid_t keeper;		   /* 0: none is at work */
	bool has_ended;		   /* reaped; `status` is its exit code or signal */
	int status;
};

int run_job_init(struct run_job *job, struct note *note) __attribute__((warn_unused_result));
void run_job_deinit(struct run_job *job);
/* `spec` must live until the job has ended. Also for a job that has ended: starts another. */
int run_job_start(struct run_job *job, const struct run_spec *spec, struct note *note)
	__attribute__((warn_unused_result));

/* A job that has just ended, or NULL: none. What a killed keeper leaves is ended first. */
struct run_job *run_jobs_reap(struct run_job *jobs, size_t njobs);
/* The next signal, which is taken; 0: none until then (UINT64_MAX: however long it takes). */
int run_wait_signal(siginfo_t *ret, uint64_t until_ns);
/* To all programs, unless they have had it from the terminal. The signal if it asks for an end, else 0. */
int run_jobs_forward(struct run_job *jobs, size_t njobs, const siginfo_t *info);
/* To one keeper: RUN_SIGNAL_END ends what it keeps. */
void run_job_signal(const struct run_job *job, int number);

#endif
