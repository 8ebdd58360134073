// The first instructions. A PVH loader jumps here in 32-bit protected mode, paging off, EBX the start info's address.
// Runs at physical addresses until the early tables are loaded: a symbol's physical address is its own less IMAGE,
// which is the same as adding 2 GiB in 32 bits.
//
// Early tables: the first 4 GiB, in pages of 2 MiB, at 0 (identity), at DIRECT_MAP, and its first 2 GiB at IMAGE.
// All CPUs start on them; nothing ever gives their memory back.

.set PHYSICAL, 0x80000000
.set PRESENT_WRITABLE, 0x3
.set LARGE_PAGE, 0x83

.section .note.pvh, "a", @note
.balign 4
    .long 4
    .long 8
    .long 18
    .asciz "Xen"
    .quad machine_entry - 0xffffffff80000000

.section .bss.machine_early_tables, "aw", @nobits
.balign 4096
.global machine_early_root
machine_early_root:
    .skip 4096
early_low:
    .skip 4096
early_high:
    .skip 4096
early_directories:
    .skip 4 * 4096

.section .data.machine_entry, "aw", @progbits
.balign 8
.global machine_entry_ticks
machine_entry_ticks:
    .quad 0

.section .rodata.machine_entry, "a", @progbits
.balign 8
entry_gdt:
    .quad 0
    .quad 0
    .quad 0x00209b0000000000
    .quad 0x0000930000000000
entry_gdt_pointer:
    .word 31
    .long entry_gdt + PHYSICAL

.section .text.machine_entry, "ax", @progbits
.code32
.global machine_entry
.type machine_entry, @function
machine_entry:
    cli
    cld
    rdtsc
    mov dword ptr [machine_entry_ticks + PHYSICAL], eax
    mov dword ptr [machine_entry_ticks + PHYSICAL + 4], edx
    mov esi, ebx

    // 2048 large pages.
    mov edi, offset early_directories + PHYSICAL
    mov eax, LARGE_PAGE
    mov ecx, 2048
1:
    mov [edi], eax
    mov dword ptr [edi + 4], 0
    add edi, 8
    add eax, 0x200000
    dec ecx
    jnz 1b

    mov eax, offset early_directories + PHYSICAL + PRESENT_WRITABLE
    mov edi, offset early_low + PHYSICAL
    mov dword ptr [early_high + PHYSICAL + 510 * 8], eax
    mov ecx, 4
2:
    mov [edi], eax
    add edi, 8
    add eax, 4096
    dec ecx
    jnz 2b
    mov eax, offset early_directories + PHYSICAL + PRESENT_WRITABLE + 4096
    mov dword ptr [early_high + PHYSICAL + 511 * 8], eax

    mov eax, offset early_low + PHYSICAL + PRESENT_WRITABLE
    mov dword ptr [machine_early_root + PHYSICAL], eax
    mov dword ptr [machine_early_root + PHYSICAL + 256 * 8], eax
    mov eax, offset early_high + PHYSICAL + PRESENT_WRITABLE
    mov dword ptr [machine_early_root + PHYSICAL + 511 * 8], eax

    // PAE; the root; long mode and NX; paging.
    mov eax, 0x20
    mov cr4, eax
    mov eax, offset machine_early_root + PHYSICAL
    mov cr3, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, cr0
    and eax, 0x9fffffff
    or eax, 0x80000001
    mov cr0, eax
    lgdt [entry_gdt_pointer + PHYSICAL]
    .byte 0xea
    .long entry_64 + PHYSICAL
    .word 0x10

.code64
entry_64:
    mov eax, 0x18
    mov ss, eax
    mov ds, eax
    mov es, eax
    movabs rax, offset entry_high
    jmp rax

entry_high:
    lea rsp, [rip + machine_boot_stack_top]
    // GS: the boot CPU's block, whose first word is its own address.
    lea rax, [rip + machine_cpu_blocks]
    mov [rax], rax
    mov rdx, rax
    shr rdx, 32
    mov ecx, 0xc0000101
    wrmsr
    xor ebp, ebp
    mov edi, esi
    call machine_start
    ud2
.size machine_entry, . - machine_entry

// The boot CPU's stacks. They come first among what is writable, so that the lowest one ends at read-only memory.
.section .boot_stacks, "aw", @nobits
.balign 4096
    .skip 64 * 1024
.global machine_boot_stack_top
machine_boot_stack_top:
    .skip 16 * 1024
.global machine_boot_double_fault_top
machine_boot_double_fault_top:
    .skip 16 * 1024
.global machine_boot_nmi_top
machine_boot_nmi_top:
    .skip 16 * 1024
.global machine_boot_machine_check_top
machine_boot_machine_check_top:
.text
