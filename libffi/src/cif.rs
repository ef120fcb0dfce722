//! `ffi_cif`: a signature as programs hold it, and how one is prepared.
//!
//! A cif is plain data. Programs keep it on stacks, copy it, and forget it without notice. So it can hold no more than a number:
//! the [`Token`] of its signature's entry, in the two words that belong to libffi. Programs may overwrite these words, so each use
//! checks the token.

use crate::code::FIRST_CALLS;
use crate::intern::{self, Entry, Meaning};
use crate::key::{Key, ShortKey};
use crate::shape::{self, Types};
use crate::types::{self, AbiNumber, BadType, FfiType, Token, code};
use farcall_engine::interp::Told;

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

    /// The number of named arguments, if the cif was prepared as variadic and the rest of the token still says so. Where this matters, a
    /// call that is made as variadic suits other functions too.
    fn fixed(&self) -> Option<u32> {
        match intern::meaning(self.token) {
            Meaning::Entry(entry) if entry.count() == self.nargs as usize => entry.told().fixed,
            Meaning::Variadic { fixed } if fixed <= self.nargs => Some(fixed),
            _ => None,
        }
    }

    /// The description of a signature by its types, to follow one that is not remembered, or whose token was overwritten.
    ///
    /// # Errors
    /// [`BadType`]: it was never prepared, or its types are no longer what they were.
    ///
    /// # Safety
    /// * The cif has been prepared, and its types still exist.
    #[inline(never)]
    pub unsafe fn told(&self) -> Result<Told<Types<'_>>, BadType> {
        // SAFETY: `told` runs on a prepared cif, so `rtype` and `args()` are its types, and these still exist by the contract of this
        // function.
        unsafe { shape::told(self.abi, self.rtype, self.args(), self.fixed()) }
    }

    /// The signature's entry, if it is remembered. Where the token was overwritten, the signature is looked up anew, by its types.
    ///
    /// # Errors
    /// As for [`Cif::told`].
    ///
    /// # Safety
    /// * The cif has been prepared, and its types still exist.
    pub unsafe fn entry(&self) -> Result<Option<&'static Entry>, BadType> {
        match intern::entry(self.token) {
            Some(entry) => Ok(Some(entry)),
            // SAFETY: the cif's types still exist, which is all that `find` asks for.
            None => unsafe { find(self, self.fixed()) },
        }
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
    // SAFETY: `cif` is memory for one, and `rtype` and `arg_types` point to `nargs` + 1 types: the contract of this function, and of
    // what it calls.
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
    // SAFETY: `rtype` and `arg_types` point to types, by the contract of this function; `count` has been compared with the most that a
    // short key holds.
    let key = unsafe { ShortKey::new(abi, rtype, arg_types, count)? };
    intern::search_short(key)
}

/// Prepares a cif of any other signature. It takes its caller's parameters, so that the caller can end in a jump to it.
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
    // SAFETY: the contract of this function is that of `prepare`.
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
    // SAFETY: the contract is that of `ffi_prep_cif`, whose convention was looked up above.
    unsafe { prepare(cif, abi, nargs, rtype, arg_types, Some(nfixed)) }
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
    fixed: Option<u32>,
) -> Status {
    // SAFETY: `cif` points to memory for one. What is there may be uninitialised, so it is written and not assigned.
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
    // SAFETY: `cif.rtype` and `cif.args()` are the types that were just stored, which exist by the contract of this function.
    unsafe {
        if let Some(fixed) = fixed {
            let extra = cif.args().get(fixed as usize..).unwrap_or_default();
            if extra.iter().any(|ty| is_promoted(&**ty)) {
                return Status::BadArgtype;
            }
        }
        match find(cif, fixed) {
            Ok(entry) => {
                cif.token = entry.map_or(intern::passing(fixed), Entry::token);
                Status::Ok
            }
            Err(BadType) => Status::BadTypedef,
        }
    }
}

/// Completes the types of a cif, and looks its signature up or makes it known. `None` if there is no room for it.
///
/// # Safety
/// * The cif's types exist.
#[inline(always)]
unsafe fn find(cif: &Cif, fixed: Option<u32>) -> Result<Option<&'static Entry>, BadType> {
    let mut key = Key::new(cif.abi, fixed);
    // SAFETY: `cif.rtype` and `cif.args()` exist by the contract of this function, and nobody else uses them meanwhile.
    unsafe {
        key.add_result(cif.rtype)?;
        key.add_arguments(cif.args())?;
    }
    key.finish();
    Ok(intern::intern(&key, FIRST_CALLS))
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
    // SAFETY: `ty` points to a type, by the contract of this function.
    if unsafe { (*ty).code } != code::STRUCT {
        return Status::BadTypedef;
    }
    // SAFETY: `ty` points to a type that nobody else uses, and `offsets` is null or has room for each element, by the contract of this
    // function.
    match unsafe { types::lay_out_with_offsets(ty, offsets) } {
        Ok(()) => Status::Ok,
        Err(BadType) => Status::BadTypedef,
    }
}
