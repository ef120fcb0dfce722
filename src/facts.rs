//! The properties of functions and signatures.

use crate::func::Function;
use crate::signature::{Signature, Words};
use farcall_cdecl::Codes;
use std::ffi::c_void;
use std::fmt;

impl Function {
    /// The function's address.
    ///
    /// ```
    /// let this = farcall::Library::this()?;
    /// assert_eq!(this.function("int abs(int)")?.address(), this.addr("abs")?.cast_const());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn address(&self) -> *const c_void {
        self.address
    }

    /// The function's signature.
    ///
    /// ```
    /// // SAFETY: the program's own libraries are initialised already.
    /// let abs = unsafe { farcall::Library::this()?.function("int abs(int number)")? };
    /// assert_eq!(abs.signature().to_string(), "int abs(int)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The type codes of the result and the arguments; `None` if the function was declared in C.
    ///
    /// ```
    /// let this = farcall::Library::this()?;
    /// assert!(this.func("i", "abs", "i")?.codes().is_some());
    /// assert!(this.function("int abs(int)")?.codes().is_none());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn codes(&self) -> Option<&Codes> {
        self.signature.as_codes()
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().map_err(|_| fmt::Error)?;
        write!(
            f,
            "Function({name} at {:p}, {})",
            self.address, self.signature
        )
    }
}

impl Signature {
    /// The number of arguments; for a variadic prototype in C, of those before the `...`.
    ///
    /// ```
    /// assert_eq!(farcall::Signature::codes("v", "s.id")?.len(), 3);
    /// assert_eq!(farcall::Signature::declared("int (const char *, ...)")?.len(), 1);
    /// # Ok::<(), farcall::Error>(())
    /// ```
    #[expect(clippy::len_without_is_empty, reason = "a signature is no collection")]
    pub fn len(&self) -> usize {
        self.inner().params.len()
    }

    /// Whether further arguments can follow, because a C prototype ends with `...`. False for codes: they list all arguments.
    ///
    /// ```
    /// assert!(farcall::Signature::declared("int (const char *, ...)")?.is_variadic());
    /// assert!(!farcall::Signature::codes("i", "s.id")?.is_variadic());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn is_variadic(&self) -> bool {
        matches!(self.inner().words, Words::C { is_variadic, .. } if is_variadic)
    }

    /// The signature's type codes; `None` if it was read from C text.
    ///
    /// ```
    /// let signature = farcall::Signature::codes("d", "dd")?;
    /// assert_eq!(signature.as_codes().map(|codes| codes.args.len()), Some(2));
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn as_codes(&self) -> Option<&Codes> {
        match &self.inner().words {
            Words::Codes(codes) => Some(codes),
            Words::C { .. } => None,
        }
    }
}
