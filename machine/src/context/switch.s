// The stack switch. rdi: *mut Context to leave, rsi: *const Context to go on with.
// Callee-saved registers wait on the stack that is left; everything else is dead at a call.
.section .text.machine_switch, "ax", @progbits
.global machine_switch
.type machine_switch, @function
machine_switch:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov [rdi], rsp
    mov rsp, [rsi]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret
.size machine_switch, . - machine_switch

// The first line of every kernel thread: rbx is its entry, r12 its argument, rbp 0 (the end of backtraces).
.global machine_context_start
.type machine_context_start, @function
machine_context_start:
    mov rdi, r12
    call rbx
    ud2
.size machine_context_start, . - machine_context_start
.text
