#include "source/process/cpu_split.h"

void cpu_split_scale(uint64_t user_ns, uint64_t system_ns, uint64_t run_ns, struct cpu_split *kept)
{
	if (kept->user_ns + kept->system_ns >= run_ns)
		return;
	/* Never more than run_ns, for system_ns is at most the sum. */
	double share = system_ns ? (double)system_ns / ((double)system_ns + (double)user_ns) : 0;
	uint64_t system = share >= 1 ? run_ns : (uint64_t)((double)run_ns * share);

	if (system > run_ns)
		system = run_ns;
	if (system < kept->system_ns)
		system = kept->system_ns;
	if (run_ns - system < kept->user_ns)
		system = run_ns - kept->user_ns;
	kept->user_ns = run_ns - system;
	kept->system_ns = system;
}
