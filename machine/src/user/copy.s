// Everything that touches user memory. Leaf functions without a stack frame: after a fault anywhere between
// machine_user_begin and machine_user_end the door goes on at machine_user_failed, which returns for them.
// All answer RDX = 1 when it went well and RDX = 0 after a fault; a value, if any, is in EAX.
//
// Plain moves, not `rep movs`: software emulation runs these several times as fast, hardware about as fast.

// Three bytes of nothing that the boot CPU turns into `stac` and `clac` where the CPU has SMAP (cpu/smap.rs).
.macro allow_user_access
771:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_stac, "a", @progbits
    .quad 771b
    .popsection
.endm

.macro forbid_user_access_after
771:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_clac, "a", @progbits
    .quad 771b
    .popsection
.endm

.macro done
    forbid_user_access_after
    mov edx, 1
    ret
.endm

.section .text.machine_user, "ax", @progbits
.global machine_user_begin
machine_user_begin:

// rdi: to, rsi: from, rdx: bytes
.global machine_user_copy
.type machine_user_copy, @function
machine_user_copy:
    allow_user_access
    cmp rdx, 32
    jb 2f
1:
    mov rax, [rsi]
    mov rcx, [rsi + 8]
    mov r8, [rsi + 16]
    mov r9, [rsi + 24]
    mov [rdi], rax
    mov [rdi + 8], rcx
    mov [rdi + 16], r8
    mov [rdi + 24], r9
    add rsi, 32
    add rdi, 32
    sub rdx, 32
    cmp rdx, 32
    jae 1b
2:
    cmp rdx, 8
    jb 4f
3:
    mov rax, [rsi]
    mov [rdi], rax
    add rsi, 8
    add rdi, 8
    sub rdx, 8
    cmp rdx, 8
    jae 3b
4:
    test rdx, rdx
    jz 6f
5:
    mov al, [rsi]
    mov [rdi], al
    inc rsi
    inc rdi
    dec rdx
    jnz 5b
6:
    done

// rdi: at, rsi: bytes
.global machine_user_zero
.type machine_user_zero, @function
machine_user_zero:
    allow_user_access
    xor eax, eax
1:
    cmp rsi, 8
    jb 2f
    mov [rdi], rax
    add rdi, 8
    sub rsi, 8
    jmp 1b
2:
    test rsi, rsi
    jz 3f
    mov [rdi], al
    inc rdi
    dec rsi
    jmp 2b
3:
    done

// rdi: at
.global machine_user_load
.type machine_user_load, @function
machine_user_load:
    allow_user_access
    mov eax, [rdi]
    done

// rdi: at, esi: value
.global machine_user_store
.type machine_user_store, @function
machine_user_store:
    allow_user_access
    mov [rdi], esi
    done

// rdi: at, esi: expected, edx: new. EAX is what was there.
.global machine_user_compare_exchange
.type machine_user_compare_exchange, @function
machine_user_compare_exchange:
    allow_user_access
    mov eax, esi
    lock cmpxchg [rdi], edx
    done

// rdi: at, esi: new. EAX is what was there.
.global machine_user_exchange
.type machine_user_exchange, @function
machine_user_exchange:
    allow_user_access
    mov eax, esi
    xchg [rdi], eax
    done

// rdi: at, esi: amount. EAX is what was there.
.global machine_user_add
.type machine_user_add, @function
machine_user_add:
    allow_user_access
    mov eax, esi
    lock xadd [rdi], eax
    done

.global machine_user_end
machine_user_end:

.global machine_user_failed
machine_user_failed:
    forbid_user_access_after
    xor eax, eax
    xor edx, edx
    ret
.text
