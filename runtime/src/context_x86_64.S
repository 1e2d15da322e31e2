/* Contexts of x86-64 (System V ABI), see context.h.
 *
 * What a function must preserve: rbx, rbp, r12-r15 and rsp. The control bits of mxcsr and the x87 control
 * word, which the ABI lists too, are left to the thread: reading them alone costs as much as all the rest
 * (see context.h). From stack to stack it goes by a jump: a return would miss the CPU's stack of return
 * addresses each time, which costs twice the whole switch. (The return behind it is that of the call;
 * builds without sanitizers have none, see context_jump_inline.) */
	.text

	.macro save reg
	push	%\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
	.endm
	.macro restore reg
	pop	%\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
	.endm

	.globl	context_jump
	.hidden	context_jump
	.type	context_jump, @function
	.p2align 5
context_jump:
	.cfi_startproc
	endbr64
	save	rbx
	save	r12
	save	r13
	save	r14
	save	r15
	lea	1f(%rip), %rax
	push	%rax
	.cfi_adjust_cfa_offset 8
	save	rbp
	mov	%rsp, (%rdi)
	mov	(%rsi), %rsp
	/* From here on it is the other's stack, laid out the same. */
	restore	rbp
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	jmp	*%rcx
1:	endbr64
	restore	r15
	restore	r14
	restore	r13
	restore	r12
	restore	rbx
	ret
	.cfi_endproc
	.size	context_jump, . - context_jump

/* The first thing that runs on a new stack, on which the function lies, and its argument. It goes there as
 * if it had called it, but without a call that is never returned from (context_jump_inline). It is the
 * outermost frame. */
	.globl	context_start
	.hidden	context_start
	.type	context_start, @function
	.p2align 4
context_start:
	.cfi_startproc
	.cfi_undefined rip
	endbr64
	pop	%rdx
	pop	%rdi
	/* What the fiber that was left had in there would be kept on this stack, and be taken for pointers
	 * by who looks for leaks. */
	xor	%ebx, %ebx
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	xor	%ebp, %ebp
	lea	1f(%rip), %rax
	push	%rax
	jmp	*%rdx
1:	ud2
	.cfi_endproc
	.size	context_start, . - context_start

/* Where functions that switch return, see returns.h. Where the jump lands is no mark: it is a return. The
 * compiler chose the name. */
	.globl	__x86_return_thunk
	.hidden	__x86_return_thunk
	.type	__x86_return_thunk, @function
	.p2align 5
__x86_return_thunk:
	.cfi_startproc
	mov	thread_current@gottpoff(%rip), %rcx
	mov	%fs:(%rcx), %rcx
	mov	8(%rcx), %rcx		/* returns_to of struct thread */
	cmp	%rcx, (%rsp)
	jne	1f
	ret
1:	pop	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	notrack jmp *%rcx
	.cfi_endproc
	.size	__x86_return_thunk, . - __x86_return_thunk

	.section .note.GNU-stack, "", @progbits

/* X86_FEATURE_1_AND: IBT */
	.section .note.gnu.property, "a", @note
	.p2align 3
	.long	4, 16, 5
	.asciz	"GNU"
	.long	0xc0000002, 4, 1, 0
