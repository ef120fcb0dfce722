//! What functions and signatures tell of themselves.

use crate::func::Function;
use crate::signature::{Signature, Words};
use farcall_cdecl::Codes;
use std::ffi::c_void;
use std::fmt;

impl Function {
    /// Where the function lies.
    ///
    /// ```
    /// let this = farcall::Library::this()?;
    /// assert_eq!(this.function("int abs(int)")?.address(), this.addr("abs")?.cast_const());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn address(&self) -> *const c_void {
        self.address
    }

    /// Its signature.
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

    /// Its result's and arguments' codes, unless it was declared in C.
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
    /// How many arguments it has; of a variadic one in C text, those ahead of the `...`.
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

    /// Whether further arguments may follow, as C text says it by `...`. Codes say which ones follow, so theirs is a fixed number.
    ///
    /// ```
    /// assert!(farcall::Signature::declared("int (const char *, ...)")?.is_variadic());
    /// assert!(!farcall::Signature::codes("i", "s.id")?.is_variadic());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn is_variadic(&self) -> bool {
        matches!(self.inner().words, Words::C { is_variadic, .. } if is_variadic)
    }

    /// Its codes, unless it was read from C text.
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
