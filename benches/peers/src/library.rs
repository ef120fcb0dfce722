//! The C side: shared objects that `cargo xtask bench` compiled, and the libffis behind them.

use anyhow::{Context, Result, anyhow};
use farcall_engine::Handler;
use libloading::os::unix::{Library, Symbol};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;

/// A handler of libffi's closures.
pub type ClosureHandler =
    unsafe extern "C" fn(*mut c_void, *mut c_void, *mut *mut c_void, *mut c_void);
/// A loop that calls a function pointer of one C type.
pub type Caller = unsafe extern "C" fn(*const c_void, *const u64, *mut u64, u64);
/// `ffi_call` or `ffi_call_plan_invoke`.
pub type LibffiCall = unsafe extern "C" fn();

/// A trampoline on slots.
pub type Trampoline = unsafe extern "C" fn(*const c_void, *const u64, *mut u64);

/// Calls a trampoline a given number of times.
pub type SlotsLoop = unsafe extern "C" fn(Trampoline, *const c_void, *const u64, *mut u64, u64);
/// Calls libffi a given number of times: with the cif or the plan, the target, and the addresses of result and values.
pub type LibffiLoop =
    unsafe extern "C" fn(LibffiCall, *mut c_void, *const c_void, *mut u64, *const *const u64, u64);

/// The number of peers in one row that can have a loop of their own. ORDER BENCH_PEERS: bench.h has the same.
const PEERS: usize = 12;

/// The C functions for one signature. ORDER bench_case: bench.h has the same.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CCase {
    name: *const c_char,
    /// Its first argument plus its last.
    pub ends: *const c_void,
    /// All arguments times their positions, added up.
    pub weighed: *const c_void,
    /// The first, by way of slots and a handler.
    pub entry: *const c_void,
    /// The call that farcall's trampoline makes, by a C compiler.
    pub typed_call: Trampoline,
    /// Loops that call trampolines, one for each peer: processors predict a call better that always has the same target.
    pub slots_loops: [SlotsLoop; PEERS],
    /// Loops that call libffi, likewise.
    pub libffi_loops: [LibffiLoop; PEERS],
    /// Loops that call function pointers of this signature, likewise.
    pub callers: [Caller; PEERS],
    /// The handler on slots that does the work of `ends`.
    pub slots_ends: Handler,
    /// The handler on slots that does the work of `weighed`.
    pub slots_weighed: Handler,
    /// The handler of libffi's closures that does the work of `ends`.
    pub closure_ends: ClosureHandler,
    /// The handler of libffi's closures that does the work of `weighed`.
    pub closure_weighed: ClosureHandler,
}

/// The compiled cases and loops.
pub struct CSide {
    cases: Vec<CCase>,
    /// Counts the calls of the function without arguments that checks use.
    pub counter: *mut u64,
    _library: Library,
}

/// The symbol `name` as a `T`.
///
/// # Safety
/// * The symbol is a `T`.
unsafe fn symbol<T: Copy>(library: &Library, name: &str) -> Result<T> {
    // SAFETY: the symbol is of this type, by the contract of this function.
    let symbol: Symbol<T> = unsafe { library.get(name.as_bytes()) }?;
    Ok(*symbol)
}

impl CSide {
    /// Opens the shared object.
    pub fn open(path: &Path) -> Result<CSide> {
        // SAFETY: the library has no initialisers, and its symbols have the types that bench.h and loops.c state.
        unsafe {
            let library = Library::new(path)?;
            let count: *const usize = symbol(&library, "bench_case_count")?;
            let cases: *const CCase = symbol(&library, "bench_cases")?;
            Ok(CSide {
                cases: std::slice::from_raw_parts(cases, *count).to_vec(),
                counter: symbol(&library, "bench_counter")?,
                _library: library,
            })
        }
    }

    /// The C part of a case.
    pub fn case(&self, name: &str) -> Result<&CCase> {
        // SAFETY: names are C strings that live as long as the library.
        let named = |case: &&CCase| unsafe { CStr::from_ptr(case.name) }.to_str() == Ok(name);
        self.cases
            .iter()
            .find(named)
            .with_context(|| format!("C has no case {name}"))
    }
}

/// Prepares a cif like the given one a number of times.
pub type PrepareOften = unsafe extern "C" fn(*mut c_void, u64);
/// The same with a call of the target each time. Further arguments are the target, and the addresses of result and values.
pub type PrepareAndCall =
    unsafe extern "C" fn(*mut c_void, *const c_void, *mut u64, *const *const u64, u64);

/// Prepares declared cifs and calls with each: their number, the target, the addresses of result and values, the number of calls.
pub type PrepareEach =
    unsafe extern "C" fn(*const *mut c_void, u64, *const c_void, *mut u64, *const *const u64, u64);
/// Prepares declared cifs and a closure of each: their number, the handler, the array for the closures.
pub type PrepareClosures =
    unsafe extern "C" fn(*const *mut c_void, u64, ClosureHandler, *mut *mut c_void);

/// ORDER bench_libffi: bench.h has the same.
#[repr(C)]
struct CLibffi {
    version: *const c_char,
    closure_size: usize,
    call: LibffiCall,
    plan_invoke: Option<LibffiCall>,
}

/// One libffi.
pub struct Libffi {
    /// Its name in rows.
    pub name: String,
    /// `ffi_call`.
    pub call: LibffiCall,
    /// `ffi_call_plan_invoke`, if it has plans.
    pub plan_invoke: Option<LibffiCall>,
    declare: unsafe extern "C" fn(c_char, *const c_char, u32) -> *mut c_void,
    prepare: unsafe extern "C" fn(c_char, *const c_char, u32) -> *mut c_void,
    plan: unsafe extern "C" fn(*mut c_void) -> *mut c_void,
    closure_new: unsafe extern "C" fn(
        *mut c_void,
        ClosureHandler,
        *mut c_void,
        *mut *mut c_void,
    ) -> *mut c_void,
    /// Frees a closure.
    pub closure_free: unsafe extern "C" fn(*mut c_void),
    /// Makes closures and frees them.
    pub churn: unsafe extern "C" fn(*mut c_void, ClosureHandler, u64),
    /// Prepares cifs.
    pub prepare_often: PrepareOften,
    /// Prepares cifs and calls with each.
    pub prepare_and_call: PrepareAndCall,
    /// Prepares declared cifs, and calls with each.
    pub prepare_each: PrepareEach,
    /// Prepares declared cifs, and a closure of each.
    pub prepare_closures: PrepareClosures,
    _glue: Library,
}

impl Libffi {
    /// Opens `glue`, compiled from libffi.c, and through it the library at `path`.
    pub fn open(name: &str, glue: &Path, path: &Path) -> Result<Libffi> {
        let c_name = CString::new(name)?.into_raw();
        let c_path = CString::new(path.as_os_str().as_encoded_bytes())?;
        // SAFETY: the symbols have the types that libffi.c states; the name is never freed.
        unsafe {
            let glue = Library::new(glue)?;
            let open: unsafe extern "C" fn(*const c_char, *const c_char) -> *const CLibffi =
                symbol(&glue, "libffi_open")?;
            let opened = open(c_path.as_ptr(), c_name);
            let about = opened
                .as_ref()
                .ok_or_else(|| anyhow!("{} cannot be used", path.display()))?;
            Ok(Libffi {
                name: name.into(),
                call: about.call,
                plan_invoke: about.plan_invoke,
                declare: symbol(&glue, "libffi_declare")?,
                prepare: symbol(&glue, "libffi_prepare")?,
                plan: symbol(&glue, "libffi_plan")?,
                closure_new: symbol(&glue, "libffi_closure_new")?,
                closure_free: symbol(&glue, "libffi_closure_free")?,
                churn: symbol(&glue, "libffi_churn")?,
                prepare_often: symbol(&glue, "libffi_prepare_often")?,
                prepare_and_call: symbol(&glue, "libffi_prepare_and_call")?,
                prepare_each: symbol(&glue, "libffi_prepare_each")?,
                prepare_closures: symbol(&glue, "libffi_prepare_closures")?,
                _glue: glue,
            })
        }
    }

    /// A cif for letters. It is never freed.
    pub fn prepare(&self, ret: &str, args: &str) -> Result<*mut c_void> {
        let ret = ret.as_bytes().first().context("a result")?;
        // SAFETY: as many letters as are said to be there.
        let cif =
            unsafe { (self.prepare)(*ret as c_char, args.as_ptr().cast(), args.len() as u32) };
        anyhow::ensure!(!cif.is_null(), "{}: ffi_prep_cif failed", self.name);
        Ok(cif)
    }

    /// A cif for letters that is still to be prepared. It is never freed.
    pub fn declare(&self, ret: &str, args: &str) -> Result<*mut c_void> {
        let ret = ret.as_bytes().first().context("a result")?;
        // SAFETY: as many letters as are said to be there.
        let cif =
            unsafe { (self.declare)(*ret as c_char, args.as_ptr().cast(), args.len() as u32) };
        anyhow::ensure!(!cif.is_null(), "{}: no type for {args}", self.name);
        Ok(cif)
    }

    /// A plan for a cif. It is never freed.
    pub fn plan(&self, cif: *mut c_void) -> Result<*mut c_void> {
        // SAFETY: a cif of this libffi.
        let plan = unsafe { (self.plan)(cif) };
        anyhow::ensure!(!plan.is_null(), "{}: no plan", self.name);
        Ok(plan)
    }

    /// A closure.
    pub fn closure(&self, cif: *mut c_void, handler: ClosureHandler) -> Result<Closure<'_>> {
        let mut closure = std::ptr::null_mut();
        // SAFETY: a cif of this libffi, and a handler for it that needs no context.
        let code = unsafe { (self.closure_new)(cif, handler, std::ptr::null_mut(), &mut closure) };
        anyhow::ensure!(!code.is_null(), "{}: no closure", self.name);
        Ok(Closure {
            libffi: self,
            closure,
            code,
        })
    }
}

/// A closure of libffi's.
pub struct Closure<'a> {
    libffi: &'a Libffi,
    closure: *mut c_void,
    /// The function pointer.
    pub code: *const c_void,
}

impl Drop for Closure<'_> {
    fn drop(&mut self) {
        // SAFETY: it is freed once, and nobody calls it any more.
        unsafe { (self.libffi.closure_free)(self.closure) };
    }
}
