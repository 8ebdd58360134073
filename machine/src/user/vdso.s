// A shared object in one page, as a linker would have made it, and the page of data before it. Programs find it by the auxiliary
// vector and call its functions by name; what it cannot answer it asks the kernel.
//
// No function touches the stack or a register that its caller keeps: where its return address is holds for every instruction.

.section .rodata.machine_vdso, "a", @progbits
.balign 4096
.global machine_vdso
machine_vdso:
.Limage:
.set .Lclock, .Limage - 4096

// The header of the file.
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
    .quad 0
    .short 3, 62
    .long 1
    .quad 0
    .quad .Lprograms - .Limage
    .quad .Lsections - .Limage
    .long 0
    .short 64, 56, (.Lprograms_end - .Lprograms) / 56, 64, (.Lsections_end - .Lsections) / 64, (.Lsection_names - .Lsections) / 64

.macro program kind, flags, first, end, align
    .long \kind, \flags
    .quad \first - .Limage, \first - .Limage, \first - .Limage, \end - \first, \end - \first, \align
.endm
.Lprograms:
    program 1, 5, .Limage, .Lend, 4096
    program 2, 4, .Ldynamic, .Ldynamic_end, 8
    program 4, 4, .Lnote, .Lnote_end, 4
    program 0x6474e550, 4, .Lframes_header, .Lframes_header_end, 4
    program 0x6474e551, 4, .Limage, .Limage, 16
.Lprograms_end:

.Lhash:
    .long 1, 11, 1
    .long 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0
.Lhash_end:

// One bucket, a filter that lets everything through, and each symbol's hash with its last bit as the mark of the end.
    .balign 8
.Lgnu_hash:
    .long 1, 1, 1, 0
    .quad -1
    .long 1
    .long 0x6e43a318, 0xb01bca00, 0x821e8e0c, 0x6562b026, 0x68308f52
    .long 0x71dd557e, 0xe6854b86, 0x7c9e7894, 0xff87586c, 0x9e9a10db
.Lgnu_hash_end:

    .balign 8
.macro symbol name, binding, first, end
    .long \name - .Lstrings
    .byte \binding << 4 | 2, 0
    .short (.Ltext_section - .Lsections) / 64
    .quad \first - .Limage, \end - \first
.endm
.Lsymbols:
    .quad 0, 0, 0
    symbol .Lname_clock_gettime, 1, .Lclock_gettime, .Lclock_gettime_end
    symbol .Lname_gettimeofday, 1, .Lgettimeofday, .Lgettimeofday_end
    symbol .Lname_time, 1, .Ltime, .Ltime_end
    symbol .Lname_getcpu, 1, .Lgetcpu, .Lgetcpu_end
    symbol .Lname_clock_getres, 1, .Lclock_getres, .Lclock_getres_end
    symbol .Lname_clock_gettime + 7, 2, .Lclock_gettime, .Lclock_gettime_end
    symbol .Lname_gettimeofday + 7, 2, .Lgettimeofday, .Lgettimeofday_end
    symbol .Lname_time + 7, 2, .Ltime, .Ltime_end
    symbol .Lname_getcpu + 7, 2, .Lgetcpu, .Lgetcpu_end
    symbol .Lname_clock_getres + 7, 2, .Lclock_getres, .Lclock_getres_end
.Lsymbols_end:

// Names without the seven letters `__vdso_` are the ends of those with them.
.Lstrings:
    .byte 0
.Lname_clock_gettime: .asciz "__vdso_clock_gettime"
.Lname_gettimeofday: .asciz "__vdso_gettimeofday"
.Lname_time: .asciz "__vdso_time"
.Lname_getcpu: .asciz "__vdso_getcpu"
.Lname_clock_getres: .asciz "__vdso_clock_getres"
.Lname_object: .asciz "linux-vdso.so.1"
.Lname_version: .asciz "LINUX_2.6"
.Lstrings_end:

    .balign 8
.Lversions:
    .short 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2
.Lversions_end:

    .balign 8
.macro version flags, number, hash, name, next
    .short 1, \flags, \number, 1
    .long \hash, 20, \next
    .long \name - .Lstrings, 0
.endm
.Lversion_names:
    version 1, 1, 0x0deebfa1, .Lname_object, 28
    version 0, 2, 0x03ae75f6, .Lname_version, 0
.Lversion_names_end:

    .balign 4
.Lnote:
    .long 6, 4, 0
    .asciz "Linux"
    .balign 4
    .long 0x060600
.Lnote_end:

// The one rule of unwinding (DWARF): the caller's stack pointer is this one's and 8, the return address lies just below it.
    .balign 8
.Lframes_header:
    .byte 1, 0x1b, 3, 0x3b
    .long .Lframes - .
    .long 1
    .long .Ltext - .Lframes_header, .Lframe - .Lframes_header
.Lframes_header_end:
    .balign 8
.Lframes:
    .long .Lframe - .Lframes_entry
.Lframes_entry:
    .long 0
    .byte 1
    .asciz "zR"
    .byte 1, 0x78, 16, 1, 0x1b
    .byte 0x0c, 7, 8
    .byte 0x80 | 16, 1
    .balign 8, 0
.Lframe:
    .long .Lframe_end - .Lframe_entry
.Lframe_entry:
    .long . - .Lframes
    .long .Ltext - .
    .long .Ltext_end - .Ltext
    .byte 0
    .balign 8, 0
.Lframe_end:
    .long 0
.Lframes_end:

    .balign 8
.Ldynamic:
    .quad 14, .Lname_object - .Lstrings
    .quad 4, .Lhash - .Limage
    .quad 0x6ffffef5, .Lgnu_hash - .Limage
    .quad 5, .Lstrings - .Limage
    .quad 6, .Lsymbols - .Limage
    .quad 10, .Lstrings_end - .Lstrings
    .quad 11, 24
    .quad 0x6ffffff0, .Lversions - .Limage
    .quad 0x6ffffffc, .Lversion_names - .Limage
    .quad 0x6ffffffd, 2
    .quad 0, 0
.Ldynamic_end:

// What follows is code. RAX: nanoseconds of the clock, of the wall where R10 is all ones, since boot where it is 0. RDI and RSI
// stay. The words are those of one write when the sequence is even and the same before and after them (sync::SequenceLock).
.macro nanoseconds otherwise
2:
    mov r8, [rip + .Lclock + {SEQUENCE}]
    test r8b, 1
    jnz 3f
    test byte ptr [rip + .Lclock + {IS_USABLE}], 1
    jz \otherwise
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    xor ecx, ecx
    sub rax, [rip + .Lclock + {START}]
    cmovb rax, rcx
    mul qword ptr [rip + .Lclock + {NANOSECONDS_PER_TICK}]
    shrd rax, rdx, 32
    mov r9, [rip + .Lclock + {BOOT_TIME}]
    and r9, r10
    add rax, r9
    cmp r8, [rip + .Lclock + {SEQUENCE}]
    je 4f
3:
    pause
    jmp 2b
4:
.endm

// RDX: whole seconds of RAX nanoseconds, RCX: nanoseconds beyond them. Divides by 2^9, then by 5^9 as a multiplication.
.macro seconds
    mov rcx, rax
    shr rax, 9
    movabs rdx, 0x44b82fa09b5a53
    mul rdx
    shr rdx, 11
    imul rax, rdx, 1000000000
    sub rcx, rax
.endm

.macro system_call number
    mov eax, \number
    syscall
    ret
.endm

    .balign 16
.Ltext:
// edi: clock, rsi: seconds and nanoseconds
.Lclock_gettime:
    cmp edi, 11
    ja 9f
    mov eax, {KNOWN}
    bt eax, edi
    jnc 9f
    mov eax, {WALL}
    bt eax, edi
    sbb r10, r10
    nanoseconds 9f
    seconds
    mov [rsi], rdx
    mov [rsi + 8], rcx
    xor eax, eax
    ret
9:
    system_call 228
.Lclock_gettime_end:

// rdi: seconds and microseconds or 0, rsi: time zone or 0
    .balign 16
.Lgettimeofday:
    test rdi, rdi
    jz 5f
    mov r10, -1
    nanoseconds 9f
    seconds
    imul rcx, rcx, 274877907
    shr rcx, 38
    mov [rdi], rdx
    mov [rdi + 8], rcx
5:
    xor eax, eax
    test rsi, rsi
    jz 6f
    mov [rsi], rax
6:
    ret
9:
    system_call 96
.Lgettimeofday_end:

// rdi: seconds or 0
    .balign 16
.Ltime:
    mov r10, -1
    nanoseconds 9f
    seconds
    mov rax, rdx
    test rdi, rdi
    jz 6f
    mov [rdi], rax
6:
    ret
9:
    system_call 201
.Ltime_end:

// rdi: number of the CPU or 0, rsi: number of the node or 0. Each CPU has a segment whose limit says both (cpu/gdt.rs).
    .balign 16
.Lgetcpu:
    mov eax, {CPU_NUMBER}
    lsl eax, eax
    jnz 9f
    test rdi, rdi
    jz 5f
    mov ecx, eax
    and ecx, 0xfff
    mov [rdi], ecx
5:
    test rsi, rsi
    jz 6f
    shr eax, 12
    mov [rsi], eax
6:
    xor eax, eax
    ret
9:
    system_call 309
.Lgetcpu_end:

// edi: clock, rsi: seconds and nanoseconds or 0
    .balign 16
.Lclock_getres:
    cmp edi, 11
    ja 9f
    mov eax, {KNOWN}
    bt eax, edi
    jnc 9f
    test rsi, rsi
    jz 6f
    mov eax, {COARSE}
    bt eax, edi
    mov eax, 1
    mov ecx, 1000000
    cmovc eax, ecx
    mov [rsi + 8], rax
    xor eax, eax
    mov [rsi], rax
6:
    xor eax, eax
    ret
9:
    system_call 229
.Lclock_getres_end:
.Ltext_end:

// For debuggers: the same parts as sections.
.Lheadings:
    .byte 0
.Lheading_hash: .asciz ".hash"
.Lheading_gnu_hash: .asciz ".gnu.hash"
.Lheading_symbols: .asciz ".dynsym"
.Lheading_strings: .asciz ".dynstr"
.Lheading_versions: .asciz ".gnu.version"
.Lheading_version_names: .asciz ".gnu.version_d"
.Lheading_note: .asciz ".note"
.Lheading_frames_header: .asciz ".eh_frame_hdr"
.Lheading_frames: .asciz ".eh_frame"
.Lheading_dynamic: .asciz ".dynamic"
.Lheading_text: .asciz ".text"
.Lheading_headings: .asciz ".shstrtab"
.Lheadings_end:

.macro section heading, kind, flags, first, end, link, information, align, entry, place
    .long \heading - .Lheadings, \kind
    .quad \flags, \place, \first - .Limage, \end - \first
    .long \link, \information
    .quad \align, \entry
.endm
.macro loaded heading, kind, flags, first, end, link, information, align, entry
    section \heading, \kind, \flags, \first, \end, \link, \information, \align, \entry, "\first - .Limage"
.endm
    .balign 8
.Lsections:
    .quad 0, 0, 0, 0, 0, 0, 0, 0
    loaded .Lheading_hash, 5, 2, .Lhash, .Lhash_end, 3, 0, 8, 4
    loaded .Lheading_gnu_hash, 0x6ffffff6, 2, .Lgnu_hash, .Lgnu_hash_end, 3, 0, 8, 0
    loaded .Lheading_symbols, 11, 2, .Lsymbols, .Lsymbols_end, 4, 1, 8, 24
    loaded .Lheading_strings, 3, 2, .Lstrings, .Lstrings_end, 0, 0, 1, 0
    loaded .Lheading_versions, 0x6fffffff, 2, .Lversions, .Lversions_end, 3, 0, 2, 2
    loaded .Lheading_version_names, 0x6ffffffd, 2, .Lversion_names, .Lversion_names_end, 4, 2, 8, 0
    loaded .Lheading_note, 7, 2, .Lnote, .Lnote_end, 0, 0, 4, 0
    loaded .Lheading_frames_header, 1, 2, .Lframes_header, .Lframes_header_end, 0, 0, 4, 0
    loaded .Lheading_frames, 1, 2, .Lframes, .Lframes_end, 0, 0, 8, 0
    loaded .Lheading_dynamic, 6, 2, .Ldynamic, .Ldynamic_end, 4, 0, 8, 16
.Ltext_section:
    loaded .Lheading_text, 1, 6, .Ltext, .Ltext_end, 0, 0, 16, 0
.Lsection_names:
    section .Lheading_headings, 3, 0, .Lheadings, .Lheadings_end, 0, 0, 1, 0, 0
.Lsections_end:
    .balign 4096
.Lend:
.text
