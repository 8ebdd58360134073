// The other CPUs' first instructions.
//
// machine_low_begin .. machine_low_end is copied to a page below 1 MiB, where a CPU begins in real mode with CS = page.
// Three longs in it are filled in by the boot CPU (start_cpu.rs). It goes straight from real mode to long mode on the
// early tables, then up to machine_cpu_entry, which finds out who it is.

// Places in the page, for 16-bit addressing.
.set LOW_GDT_POINTER, low_gdt_pointer - machine_low_begin
.set LOW_ROOT, low_root - machine_low_begin

.section .rodata.machine_low, "a", @progbits
.balign 16
.global machine_low_begin
machine_low_begin:
.code16
    cli
    cld
    mov ax, cs
    mov ds, ax
    lgdt [LOW_GDT_POINTER]
    mov eax, 0x20
    mov cr4, eax
    mov eax, [LOW_ROOT]
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, cr0
    and eax, 0x9fffffff
    or eax, 0x80000001
    mov cr0, eax
    // A far jump with a 32-bit offset.
    .byte 0x66, 0xea
.global machine_low_target
machine_low_target:
    .long low_64 - machine_low_begin
    .word 0x10

.code64
low_64:
    mov eax, 0x18
    mov ss, eax
    mov ds, eax
    mov es, eax
    movabs rax, offset machine_cpu_entry
    jmp rax

.balign 8
low_gdt:
    .quad 0
    .quad 0
    .quad 0x00209b0000000000
    .quad 0x0000930000000000
low_gdt_pointer:
    .word 31
.global machine_low_gdt
machine_low_gdt:
    .long low_gdt - machine_low_begin
.global machine_low_root
machine_low_root:
low_root:
    .long 0
.global machine_low_end
machine_low_end:

.section .text.machine_cpu_entry, "ax", @progbits
.global machine_cpu_entry
.type machine_cpu_entry, @function
machine_cpu_entry:
    // Who am I? The x2APIC id of leaf 0xb where there is one, else the initial APIC id of leaf 1.
    xor eax, eax
    cpuid
    cmp eax, 0xb
    jb 1f
    mov eax, 0xb
    xor ecx, ecx
    cpuid
    test ebx, ebx
    jz 1f
    mov r8d, edx
    jmp 2f
1:
    mov eax, 1
    cpuid
    shr ebx, 24
    mov r8d, ebx
2:
    // Entries of 16 bytes: APIC id, CPU number, stack. The count stands before them.
    lea r9, [rip + machine_expected_cpus]
    mov rcx, [r9]
    mov r10, [r9 + 8]
    add r9, 16
3:
    test rcx, rcx
    jz 5f
    cmp [r9], r8d
    je 4f
    add r9, 16
    dec rcx
    jmp 3b
4:
    mov edi, [r9 + 4]
    mov rsp, [r9 + 8]
    mov cr3, r10
    mov eax, edi
    shl eax, 7
    lea rdx, [rip + machine_cpu_blocks]
    add rax, rdx
    mov rdx, rax
    shr rdx, 32
    mov ecx, 0xc0000101
    wrmsr
    xor ebp, ebp
    call machine_cpu_start
    ud2
5:
    // Nobody expects this CPU.
    cli
    hlt
    jmp 5b
.size machine_cpu_entry, . - machine_cpu_entry
.text
