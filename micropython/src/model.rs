//! MicroPython's object layout, which C reports from MicroPython's own headers.

use crate::report::{Failure, Report, Status, guard};
use farcall_arch::endpoint::{
    CatchModel, ErrnoModel, KeptWord, LastError, MAX_SAVED, ObjectModel, PointerField,
    ThreadPointer,
};
use farcall_engine::Describe;
use farcall_memory::try_collect_all;
use std::slice;

/// A type, and the offset of a pointer in its objects. ORDER farcall_pointer_field
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Field {
    ty: usize,
    offset: usize,
}

/// The fields are those of [`ObjectModel`] and [`CatchModel`]. ORDER farcall_object_model
#[derive(Debug)]
#[repr(C)]
pub struct Model {
    none: usize,
    truth: [usize; 2],
    float_type: usize,
    float_value: usize,
    buffers: *const Field,
    buffer_count: usize,
    functions: *const Field,
    function_count: usize,
    function_target: usize,
    function_library: usize,
    library_open: usize,
    thread_pointer: u32,
    innermost: isize,
    call: usize,
    raise: usize,
    new_float: usize,
    new_object: usize,
    find_bytes: usize,
    new_of_bytes: usize,
    errno_address: isize,
    errno_kept: isize,
    errno_given: isize,
    last_error: isize,
    last_error_kept: isize,
    catch_size: usize,
    catch_state: isize,
    catch_innermost: usize,
    catch_prev: usize,
    catch_value: usize,
    catch_instruction_pointer: usize,
    catch_stack_pointer: usize,
    catch_saved: [usize; MAX_SAVED],
    catch_kept: usize,
    catch_kept_state: usize,
}

impl Model {
    /// ORDER farcall_thread_pointer
    fn thread_pointer(&self) -> Result<ThreadPointer, Failure> {
        match self.thread_pointer {
            0 => Ok(ThreadPointer::Fs),
            1 => Ok(ThreadPointer::Gs),
            2 => Ok(ThreadPointer::TpidrEl0),
            _ => Err(Failure::value("expected a thread pointer that is known")),
        }
    }

    /// The places of C's error numbers. Offset 0 means none: nothing lies at the thread pointer itself.
    fn errno(&self) -> Result<Option<ErrnoModel>, Failure> {
        if self.errno_address == 0 {
            return Ok(None);
        }
        let last_error = match self.last_error {
            0 => None,
            own => Some(LastError {
                own: narrow(own)?,
                kept: narrow(self.last_error_kept)?,
            }),
        };
        Ok(Some(ErrnoModel {
            address: narrow(self.errno_address)?,
            kept: narrow(self.errno_kept)?,
            given: narrow(self.errno_given)?,
            last_error,
        }))
    }

    /// The way to catch exceptions; `None` if the record's size is 0, because it is not known.
    fn catch(&self) -> Result<Option<CatchModel>, Failure> {
        if self.catch_size == 0 {
            return Ok(None);
        }
        let mut saved = [0; MAX_SAVED];
        for (to, from) in saved.iter_mut().zip(self.catch_saved) {
            *to = narrow(from)?;
        }
        Ok(Some(CatchModel {
            state: narrow(self.catch_state)?,
            innermost: narrow(self.catch_innermost)?,
            size: narrow(self.catch_size)?,
            prev: narrow(self.catch_prev)?,
            value: narrow(self.catch_value)?,
            instruction_pointer: narrow(self.catch_instruction_pointer)?,
            stack_pointer: narrow(self.catch_stack_pointer)?,
            saved,
            kept: self.kept()?,
        }))
    }

    /// The word that a record keeps of the state. Its offset is never 0, because a record begins with a link to the enclosing one.
    fn kept(&self) -> Result<Option<KeptWord>, Failure> {
        if self.catch_kept == 0 {
            return Ok(None);
        }
        Ok(Some(KeptWord {
            state: narrow(self.catch_kept_state)?,
            jump_buffer: narrow(self.catch_kept)?,
        }))
    }
}

/// # Safety
/// * `model` points to a true description of the interpreter; its lists have as many entries as it says.
/// * `report` points to a place for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_object_model_set(
    model: *const Model,
    report: *mut Report,
) -> Status {
    guard(report, || {
        // SAFETY: `model` points to a description whose lists have as many entries as it says, by the contract of this function.
        let (model, buffers, functions) = unsafe {
            let model = &*model;
            let buffers = slice::from_raw_parts(model.buffers, model.buffer_count);
            (
                model,
                buffers,
                slice::from_raw_parts(model.functions, model.function_count),
            )
        };
        let model = ObjectModel {
            none: narrow(model.none)?,
            truth: [narrow(model.truth[0])?, narrow(model.truth[1])?],
            float_type: model.float_type as u64,
            float_value: narrow(model.float_value)?,
            buffers: fields(buffers)?,
            functions: fields(functions)?,
            function_target: narrow(model.function_target)?,
            function_library: narrow(model.function_library)?,
            library_open: narrow(model.library_open)?,
            thread_pointer: model.thread_pointer()?,
            innermost: narrow(model.innermost)?,
            call: model.call as u64,
            raise: model.raise as u64,
            new_float: model.new_float as u64,
            new_object: model.new_object as u64,
            find_bytes: model.find_bytes as u64,
            new_of_bytes: model.new_of_bytes as u64,
            errno: model.errno()?,
            catch: model.catch()?,
        };
        // SAFETY: the description is true, and each function in it has the type that farcall.h states, by the contract of this
        // function.
        unsafe { farcall_engine::set_object_model(model)? };
        Ok(())
    })
}

/// # Safety
/// * As for [`farcall_engine::describe_objects_by`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_objects_described_by(describe: Describe) {
    // SAFETY: the contract of this function is that of `describe_objects_by`.
    unsafe { farcall_engine::describe_objects_by(describe) };
}

/// # Safety
/// * `report` points to a place for an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn farcall_objects_describe(report: *mut Report) -> Status {
    guard(report, || Ok(farcall_engine::describe_objects()?))
}

fn fields(list: &[Field]) -> Result<Vec<PointerField>, Failure> {
    let field = |field: &Field| {
        Ok(PointerField {
            ty: field.ty as u64,
            offset: narrow(field.offset)?,
        })
    };
    try_collect_all(list.iter().map(field))
}

/// Converts a number that must fit the encoding of an instruction.
fn narrow<T, N: TryFrom<T>>(number: T) -> Result<N, Failure> {
    N::try_from(number)
        .map_err(|_| Failure::value("the interpreter's objects are laid out out of reach"))
}
