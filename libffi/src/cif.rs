//! `ffi_cif`: a signature as programs hold it, and how one is prepared.
//!
//! A cif is plain data. Programs keep it on stacks, copy it, and forget it without a word, so all that it can hold is a number:
//! the [`Token`] of its signature's entry, in the two words that libffi keeps for itself. Nobody
//! guarantees that they come back as they were left, so a token is checked whenever it is used.

use crate::code::{FIRST_CALL, FIRST_CALLS};
use crate::intern::{self, Entry, Found, Meaning};
use crate::key::{Key, ShortKey};
use crate::shape;
use crate::types::{self, AbiNumber, BadType, FfiType, Token, code};
use farcall_engine as engine;

/// `ffi_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
#[allow(missing_docs, reason = "named as in ffi.h")]
pub enum Status {
    Ok = 0,
    BadTypedef,
    BadAbi,
    BadArgtype,
}

/// `ffi_cif`.
#[derive(Debug)]
#[repr(C)]
pub struct Cif {
    /// The calling convention.
    pub abi: AbiNumber,
    /// How many arguments there are.
    pub nargs: u32,
    /// Their types.
    pub arg_types: *mut *mut FfiType,
    /// The result's type.
    pub rtype: *mut FfiType,
    /// `bytes` and `flags`, the low half first.
    pub token: Token,
}

const _: () = assert!(size_of::<Cif>() == 32);

impl Cif {
    /// The arguments' types.
    ///
    /// # Safety
    /// * The cif has been prepared, and its array still exists.
    pub unsafe fn args(&self) -> &[*mut FfiType] {
        match self.nargs {
            0 => &[],
            // SAFETY: a prepared cif has an array of as many types as it says.
            count => unsafe { std::slice::from_raw_parts(self.arg_types, count as usize) },
        }
    }

    /// How many of the arguments are named, if it was prepared as variadic, as far as what is left of the token tells. Wherever it
    /// matters, a call that is taken for variadic suits other functions too.
    fn fixed(&self) -> Option<usize> {
        match intern::meaning(self.token) {
            Meaning::Entry(detail) if detail.count == self.nargs as usize => detail.fixed,
            Meaning::Variadic { fixed } if fixed <= self.nargs as usize => Some(fixed),
            _ => None,
        }
    }

    /// The signature's entry. Where the token is not what was left there, the signature is looked up anew, by the types.
    ///
    /// # Safety
    /// * The cif has been prepared, and its types still exist.
    pub unsafe fn resolve(&self) -> Option<Found> {
        if let Some(entry) = intern::entry(self.token) {
            return Some(Found::Interned(entry));
        }
        // SAFETY: the caller vouches for the types.
        unsafe { find(self, self.fixed()).ok() }
    }
}

/// Prepares a cif.
///
/// # Safety
/// * `cif` points to memory for one, `rtype` to a type, `arg_types` to as many types as `nargs` says; nobody else uses them meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_prep_cif(
    cif: *mut Cif,
    abi: AbiNumber,
    nargs: u32,
    rtype: *mut FfiType,
    arg_types: *mut *mut FfiType,
) -> Status {
    if shape::convention(abi).is_none() {
        return Status::BadAbi;
    }
    // SAFETY: the caller vouches for all of it.
    unsafe {
        match known_short(abi, nargs, rtype, arg_types) {
            Some(entry) => {
                cif.write(Cif {
                    abi,
                    nargs,
                    arg_types,
                    rtype,
                    token: entry.token(),
                });
                Status::Ok
            }
            None => prepare_otherwise(cif, abi, nargs, rtype, arg_types),
        }
    }
}

/// The entry of a signature of few scalars that has been prepared before: the shortest way, for programs that prepare for each call.
///
/// # Safety
/// * `rtype` points to a type, `arg_types` to as many types as `nargs` says.
#[inline(always)]
unsafe fn known_short(
    abi: AbiNumber,
    nargs: u32,
    rtype: *mut FfiType,
    arg_types: *mut *mut FfiType,
) -> Option<&'static Entry> {
    let count = nargs as usize;
    if count > ShortKey::MAX_ARGS {
        return None;
    }
    // SAFETY: the caller vouches for the types.
    let key = unsafe { ShortKey::new(abi, rtype, arg_types, count)? };
    intern::search_short(key)
}

/// Prepares a cif of any other signature. It takes what its caller took, so that the caller can end in a jump to it.
///
/// # Safety
/// * Those of [`prepare`].
#[inline(never)]
unsafe extern "C" fn prepare_otherwise(
    cif: *mut Cif,
    abi: AbiNumber,
    nargs: u32,
    rtype: *mut FfiType,
    arg_types: *mut *mut FfiType,
) -> Status {
    // SAFETY: the caller vouches for all of it.
    unsafe { prepare(cif, abi, nargs, rtype, arg_types, None) }
}

/// Prepares a cif for one call of a variadic function.
///
/// # Safety
/// * As for [`ffi_prep_cif`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_prep_cif_var(
    cif: *mut Cif,
    abi: AbiNumber,
    nfixed: u32,
    nargs: u32,
    rtype: *mut FfiType,
    arg_types: *mut *mut FfiType,
) -> Status {
    if shape::convention(abi).is_none() {
        return Status::BadAbi;
    }
    // SAFETY: the caller vouches for all of it.
    unsafe { prepare(cif, abi, nargs, rtype, arg_types, Some(nfixed as usize)) }
}

/// Whether C would have promoted an argument of this type behind the `...` (C11 6.5.2.2p6).
fn is_promoted(ty: &FfiType) -> bool {
    let is_aggregate = matches!(ty.code, code::STRUCT | code::COMPLEX);
    ty.code == code::FLOAT || !is_aggregate && ty.size < size_of::<i32>()
}

/// # Safety
/// * As for [`ffi_prep_cif`]; there is a convention with that number.
#[inline(always)]
unsafe fn prepare(
    cif: *mut Cif,
    abi: AbiNumber,
    nargs: u32,
    rtype: *mut FfiType,
    arg_types: *mut *mut FfiType,
    fixed: Option<usize>,
) -> Status {
    // SAFETY: the caller gives memory for a cif.
    let cif = unsafe {
        cif.write(Cif {
            abi,
            nargs,
            arg_types,
            rtype,
            token: 0,
        });
        &mut *cif
    };
    // SAFETY: the caller vouches for the types.
    if let Some(entry) = unsafe { entry_of_scalars(cif, fixed) } {
        cif.token = entry.token();
        return Status::Ok;
    }
    // SAFETY: the caller vouches for the types.
    match unsafe { find(cif, fixed) } {
        Ok(found) => {
            cif.token = found.token();
            Status::Ok
        }
        Err(status) => status,
    }
}

/// The entry of a signature of scalars that has been prepared before, which is what most calls come to, or that is not variadic and of
/// this process's own convention.
///
/// # Safety
/// * The cif's types exist.
#[inline(always)]
unsafe fn entry_of_scalars(cif: &Cif, fixed: Option<usize>) -> Option<&'static Entry> {
    let mut key = Key::new(cif.abi);
    // SAFETY: the caller vouches for the types.
    unsafe {
        let (named, extra) = split(cif.args(), fixed);
        if !key.add_scalars(&[cif.rtype]) || !key.add_scalars(named) {
            return None;
        }
        if fixed.is_some() {
            key.begin_variadic();
            if !key.add_scalars(extra) {
                return None;
            }
        }
    }
    key.finish();
    if key.is_oversized() {
        return None;
    }
    match intern::search(&key) {
        Ok(entry) => Some(entry),
        // SAFETY: likewise.
        Err(_) => unsafe { add_scalars(cif, fixed, &key) },
    }
}

/// Makes a signature of scalars known, if its key says all of it.
///
/// # Safety
/// * The cif's types exist.
#[inline(never)]
unsafe fn add_scalars(cif: &Cif, fixed: Option<usize>, key: &Key) -> Option<&'static Entry> {
    // SAFETY: the caller vouches for the types.
    let has_value = |ty: &*mut FfiType| unsafe { (**ty).code } != code::VOID;
    // SAFETY: likewise.
    let all_have_values = unsafe { cif.args() }.iter().all(has_value);
    let is_own = shape::convention(cif.abi) == Some(engine::host_abi());
    if fixed.is_some() || !all_have_values || !is_own {
        return None;
    }
    intern::add_scalars(key, FIRST_CALL)
}

/// The arguments with a name, and the variadic ones.
#[inline(always)]
fn split(args: &[*mut FfiType], fixed: Option<usize>) -> (&[*mut FfiType], &[*mut FfiType]) {
    let named = fixed.map_or(args.len(), |fixed| fixed.min(args.len()));
    args.split_at(named)
}

/// Completes the types of a cif, and looks its signature up or makes it known.
///
/// # Safety
/// * The cif's types exist.
unsafe fn find(cif: &Cif, fixed: Option<usize>) -> Result<Found, Status> {
    // SAFETY: the caller vouches for the types.
    let args = unsafe { cif.args() };
    let (named, extra) = split(args, fixed);
    let mut key = Key::new(cif.abi);
    // SAFETY: likewise.
    unsafe {
        key.add(cif.rtype)?;
        for ty in named {
            key.add(*ty)?;
        }
        if fixed.is_some() {
            key.begin_variadic();
            for ty in extra {
                key.add(*ty)?;
            }
            if extra.iter().any(|ty| is_promoted(&**ty)) {
                return Err(Status::BadArgtype);
            }
        }
    }
    key.finish();
    // SAFETY: likewise.
    let found = intern::find(&key, FIRST_CALLS, || unsafe {
        shape::describe(cif.abi, cif.rtype, args, fixed)
    });
    Ok(found?)
}

impl From<BadType> for Status {
    fn from(_: BadType) -> Status {
        Status::BadTypedef
    }
}

/// Stores the offsets of a struct's elements.
///
/// # Safety
/// * `ty` points to a type that nobody else uses meanwhile; `offsets` is null or has room for as many as the type has elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ffi_get_struct_offsets(
    abi: AbiNumber,
    ty: *mut FfiType,
    offsets: *mut usize,
) -> Status {
    if shape::convention(abi).is_none() {
        return Status::BadAbi;
    }
    // SAFETY: the caller vouches for the type.
    if unsafe { (*ty).code } != code::STRUCT {
        return Status::BadTypedef;
    }
    // SAFETY: the caller vouches for the type and the room.
    match unsafe { types::lay_out_with_offsets(ty, offsets) } {
        Ok(()) => Status::Ok,
        Err(BadType) => Status::BadTypedef,
    }
}
