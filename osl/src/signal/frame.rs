//! What a handler finds on its stack, and taking it back when the handler returns.
//!
//! Invariant: nothing that a program wrote into a frame gets into the registers without being cut to what ring 3 may have:
//! `UserRegisters` and `registers` see to addresses, flags and vector state; segments are not taken over at all.

use alloc::sync::Arc;
use alloc::vec;

use abi::Errno;
use abi::signal::*;
use libkernel::address_space::{UserAddress, user};
use libkernel::thread::registers::{self, Register, UserRegisters};
use sync::TaskContext;

use super::{extended, stack};
use crate::error::errno;
use crate::process::Task;
use crate::process::signals::SignalSet;

const CODE_SEGMENT: u16 = 0x33;
const DATA_SEGMENT: u16 = 0x2b;
const DIRECTION_FLAG: u64 = 1 << 10;
const TRAP_FLAG: u64 = 1 << 8;
const RESUME_FLAG: u64 = 1 << 16;

/// Puts a frame on the stack and sets the registers so that the handler runs next. `mask` is the one to go back to.
pub fn push(
    cx: &mut TaskContext,
    task: &Arc<Task>,
    registers: &mut UserRegisters,
    information: &SignalInfo,
    action: &SignalAction,
    mask: SignalSet,
) -> Result<(), Errno> {
    if action.flags & action::RESTORER == 0 {
        return Err(Errno::EFAULT);
    }
    let extended = extended::marked(registers::extended_state_bytes(cx));
    let other = task.signal_stack(cx);
    let wants_other = action.flags & action::ONSTACK != 0;
    let pointer = registers.stack_pointer();
    let placed = stack::place(pointer, &other, wants_other, extended.len()).ok_or(Errno::EFAULT)?;
    let fault = task.last_fault(cx);
    let mut machine = context_of(registers);
    machine.old_mask = mask.bits();
    machine.extended_state = placed.extended;
    machine.trap_number = fault.vector;
    machine.error_code = fault.error_code;
    machine.fault_address = fault.address;
    let context =
        UserContext { flags: UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS, link: 0, stack: other, machine, mask: mask.bits() };
    let frame = SignalFrame { return_address: action.restorer, context, information: *information };
    user::copy_out(cx, UserAddress::new(placed.extended), &extended).map_err(errno)?;
    user::copy_out_value(cx, UserAddress::new(placed.frame), &frame).map_err(errno)?;
    if other.flags & SS_AUTODISARM != 0 {
        task.set_signal_stack(cx, SignalStack { flags: SS_DISABLE, ..SignalStack::default() });
    }
    enter_handler(registers, information.signal, action, placed.frame);
    Ok(())
}

fn enter_handler(registers: &mut UserRegisters, signal: i32, action: &SignalAction, frame: u64) {
    let context_at = frame + core::mem::offset_of!(SignalFrame, context) as u64;
    let information_at = frame + core::mem::offset_of!(SignalFrame, information) as u64;
    registers.set(Register::Rdi, u64::from(signal.cast_unsigned()));
    registers.set(Register::Rsi, information_at);
    registers.set(Register::Rdx, context_at);
    registers.set(Register::Rax, 0);
    registers.set_stack_pointer(frame);
    registers.set_instruction_pointer(action.handler);
    let cleared = DIRECTION_FLAG | TRAP_FLAG | RESUME_FLAG;
    registers.set_flags(registers.flags() & !cleared);
}

/// The registers' places in a frame.
const PLACES: [Register; 15] = [
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
    Register::Rdi,
    Register::Rsi,
    Register::Rbp,
    Register::Rbx,
    Register::Rdx,
    Register::Rax,
    Register::Rcx,
];

fn slots(context: &mut SignalContext) -> [&mut u64; PLACES.len()] {
    let SignalContext { r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, .. } = context;
    [r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx]
}

fn context_of(registers: &UserRegisters) -> SignalContext {
    let mut context = SignalContext {
        rsp: registers.stack_pointer(),
        rip: registers.instruction_pointer(),
        flags: registers.flags(),
        cs: CODE_SEGMENT,
        ss: DATA_SEGMENT,
        ..SignalContext::default()
    };
    for (slot, register) in slots(&mut context).into_iter().zip(PLACES) {
        *slot = registers.get(register);
    }
    context
}

/// Takes the frame back that the stack pointer stands above, as `rt_sigreturn`. Answers the interrupted result register.
pub fn pop(cx: &mut TaskContext, task: &Arc<Task>, registers: &mut UserRegisters) -> Result<u64, Errno> {
    let at = UserAddress::new(registers.stack_pointer());
    let mut context: UserContext = user::copy_in_value(cx, at).map_err(errno)?;
    restore_extended(cx, context.machine.extended_state)?;
    for (slot, register) in slots(&mut context.machine).into_iter().zip(PLACES) {
        registers.set(register, *slot);
    }
    registers.set_instruction_pointer(context.machine.rip);
    registers.set_stack_pointer(context.machine.rsp);
    registers.set_flags(context.machine.flags);
    registers.forget_system_call();
    let stack = SignalStack { flags: context.stack.flags & (SS_DISABLE | SS_AUTODISARM), padding: 0, ..context.stack };
    if stack.flags & SS_DISABLE != 0 || stack.size >= MINSIGSTKSZ {
        task.set_signal_stack(cx, stack);
    }
    task.process().signals.lock(cx).set_mask(task.id(), SignalSet::from_bits(context.mask));
    Ok(context.machine.rax)
}

fn restore_extended(cx: &mut TaskContext, at: u64) -> Result<(), Errno> {
    if at == 0 {
        return registers::restore_extended_state(cx, &extended::initial()).map_err(errno);
    }
    let own_size = registers::extended_state_bytes(cx).len();
    let mut bytes = vec![0; extended::LEGACY_BYTES];
    user::copy_in(cx, UserAddress::new(at), &mut bytes).map_err(errno)?;
    let mut full = false;
    if let Some(size) = extended::full_size(&bytes, own_size) {
        let mut end = [0; 4];
        let end_at = UserAddress::new(at.saturating_add(size as u64));
        if user::copy_in(cx, end_at, &mut end).is_ok() && extended::is_closed(&end) {
            bytes.resize(size, 0);
            user::copy_in(cx, UserAddress::new(at), &mut bytes).map_err(errno)?;
            full = true;
        }
    }
    let bytes = extended::unmarked(bytes, full, own_size);
    registers::restore_extended_state(cx, &bytes).map_err(errno)
}
