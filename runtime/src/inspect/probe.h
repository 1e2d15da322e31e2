/* Probes of provider osprey_rt, as systemtap's <sys/sdt.h> makes them: a nop, and a note that says where it stands and where its arguments
 * lie at that moment. perf, bpftrace, gdb and `osprey probe` put a breakpoint there when asked. Nothing is computed for a probe
 * that the code at hand has not got already. Of our own, so that the library has them wherever it is built.
 *
 * Format: systemtap's UserSpaceProbeImplementation; note type 3 of "stapsdt" in .note.stapsdt, addresses relative to .stapsdt.base.
 *
 *	spawn(fiber, function, creator)		ids; creator 0: rt_run
 *	exit(fiber, result)
 *	park(fiber, wait, object)		wait: enum fiber_wait
 *	ready(fiber, by)			by: the running fiber's id, or 0: a timer, a thread of the system
 *	run(fiber, processor)			it is switched to
 *	steal(thief, victim)			processors; the fiber follows as `run`
 *	handoff(processor)			taken from a thread that blocks or computes
 *	block_begin(fiber), block_end(fiber)	rt_block_begin, rt_block_end
 *	chan_send(channel, length), chan_receive(channel, length)	a value changes hands; how many are inside
 *	chan_close(channel)
 *	timer(timer, deadline)			it fires; ns
 *
 * A probe in an inlined function stands in several places, all under its name. */
#ifndef RT_PROBE_H
#define RT_PROBE_H

#include <stdint.h>

#if defined __x86_64__
#define PROBE_OPERAND "nor"
#else
#define PROBE_OPERAND "nr"
#endif

#define PROBE_NOTE(name, arguments)                                                    \
	"990: nop\n"                                                                   \
	".pushsection .note.stapsdt, \"\", %%note\n"                                  \
	".balign 4\n"                                                                  \
	".4byte 992f - 991f, 994f - 993f, 3\n"                                         \
	"991: .asciz \"stapsdt\"\n"                                                    \
	"992: .balign 4\n"                                                             \
	"993: .8byte 990b, _.stapsdt.base, 0\n"                                        \
	".asciz \"osprey_rt\"\n"                                                       \
	".asciz \"" #name "\"\n"                                                       \
	".asciz \"" arguments "\"\n"                                                   \
	"994: .balign 4\n"                                                             \
	".popsection\n"                                                                \
	".ifndef _.stapsdt.base\n"                                                     \
	".pushsection .stapsdt.base, \"aG\", %%progbits, .stapsdt.base, comdat\n"      \
	".weak _.stapsdt.base\n"                                                       \
	".hidden _.stapsdt.base\n"                                                     \
	"_.stapsdt.base: .space 1\n"                                                   \
	".size _.stapsdt.base, 1\n"                                                    \
	".popsection\n"                                                                \
	".endif\n"

/* Arguments are numbers or pointers of 8 bytes. */
#define PROBE1(name, a) __asm__ volatile(PROBE_NOTE(name, "8@%0") :: PROBE_OPERAND((uint64_t)(a)))
#define PROBE2(name, a, b)                                                             \
	__asm__ volatile(PROBE_NOTE(name, "8@%0 8@%1") :: PROBE_OPERAND((uint64_t)(a)), PROBE_OPERAND((uint64_t)(b)))
#define PROBE3(name, a, b, c)                                                          \
	__asm__ volatile(PROBE_NOTE(name, "8@%0 8@%1 8@%2")                            \
			 :: PROBE_OPERAND((uint64_t)(a)), PROBE_OPERAND((uint64_t)(b)), PROBE_OPERAND((uint64_t)(c)))

#endif
