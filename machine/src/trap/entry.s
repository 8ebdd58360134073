// The doors. Interrupts are off from the first instruction to the last, unless an upcall turns them on meanwhile.
//
// Three kinds:
//   ordinary   exceptions and interrupts: swapgs exactly when the CPU came from ring 3 (CS says so)
//   paranoid   NMI, double fault, machine check: may come between `syscall` and `swapgs`, or just before `iretq`, where
//              CS says ring 0 but GS is the program's; so they look at the GS base itself, whose sign tells
//   syscall    always from ring 3
//
// The frame is `TrapFrame`; offsets below are in bytes from its start.

.set FRAME_VECTOR, 120
.set FRAME_CS, 144

.macro push_registers
    push rax
    push rcx
    push rdx
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
.endm

.macro pop_registers
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rax
.endm

// Forbids access to user memory again, where the CPU has SMAP: three bytes of nothing that the boot CPU turns into
// `clac` (`user/patch.rs`).
.macro forbid_user_access
771:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_clac, "a", @progbits
    .quad 771b
    .popsection
.endm

.section .text.machine_doors, "ax", @progbits

// 256 doors of 16 bytes each: vector N enters at machine_trap_doors + 16 * N. The CPU itself pushes an error code for
// 8, 10 to 14, 17, 21, 29 and 30; the others push a zero.
.balign 16
.global machine_trap_doors
machine_trap_doors:
.set number, 0
.rept 256
    .balign 16
    .if number == 8 || (number >= 10 && number <= 14) || number == 17 || number == 21 || number == 29 || number == 30
    .else
    .byte 0x6a, 0
    .endif
    .byte 0x68
    .long number
    .if number == 2 || number == 8 || number == 18
    jmp paranoid_door
    .else
    jmp ordinary_door
    .endif
    .set number, number + 1
.endr

.balign 16
.type ordinary_door, @function
ordinary_door:
    push_registers
    cld
    forbid_user_access
    test byte ptr [rsp + FRAME_CS], 3
    jz 1f
    swapgs
    xor ebp, ebp
1:
    mov rdi, rsp
    call machine_trap
    test byte ptr [rsp + FRAME_CS], 3
    jz 2f
    cli
    swapgs
2:
    pop_registers
    add rsp, 16
    iretq
.size ordinary_door, . - ordinary_door

.type paranoid_door, @function
paranoid_door:
    push_registers
    cld
    forbid_user_access
    mov ecx, 0xc0000101
    rdmsr
    xor ebx, ebx
    test edx, edx
    js 1f
    swapgs
    inc ebx
1:
    mov rdi, rsp
    call machine_paranoid_trap
    cli
    test ebx, ebx
    jz 2f
    swapgs
2:
    pop_registers
    add rsp, 16
    iretq
.size paranoid_door, . - paranoid_door

// RCX is the program's RIP, R11 its flags; flags are masked by SYSCALL_MASK. A frame like the CPU's own is built.
.balign 16
.global machine_syscall_door
.type machine_syscall_door, @function
machine_syscall_door:
    swapgs
    mov gs:[{USER_STACK_SCRATCH}], rsp
    mov rsp, gs:[{KERNEL_STACK_TOP}]
    push {USER_DATA}
    push qword ptr gs:[{USER_STACK_SCRATCH}]
    push r11
    push {USER_CODE}
    push rcx
    push rax
    push 0x100
    push_registers
    xor ebp, ebp
    mov rdi, rsp
    call machine_syscall
    cli
    swapgs
    test al, al
    jz 1f
    pop_registers
    mov rsp, [rsp + 40]
    sysretq
1:
    pop_registers
    add rsp, 16
    iretq
.size machine_syscall_door, . - machine_syscall_door

// rdi: a frame that is fit for user mode. Does not return; what is on the stack is forgotten.
.global machine_enter_user
.type machine_enter_user, @function
machine_enter_user:
    cli
    mov rsp, rdi
    swapgs
    pop_registers
    add rsp, 16
    iretq
.size machine_enter_user, . - machine_enter_user
.text
