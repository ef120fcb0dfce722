//! A builder that makes signatures one type at a time.

use crate::ctype::{CReturn, CType, Shape};
use crate::declarations::Declarations;
use crate::error::{Error, Result};
use crate::scope::{Declared, Scope};
use crate::signature::Signature;
use farcall_cdecl::Position;
use farcall_cdecl::c::{Basic, Ty, TypeId};
use farcall_memory::{Shared, TryVec, try_format};
use std::fmt;

impl Signature {
    /// A builder that takes the types of a signature one by one, as Rust types or as C text. The default result is `void`.
    ///
    /// ```
    /// use farcall::Signature;
    ///
    /// let mut signature = Signature::builder().returns::<f64>().arg_c("const char *");
    /// for _ in 0..3 {
    ///     signature = signature.arg::<i32>();
    /// }
    /// let signature = signature.variadic().build()?;
    /// assert_eq!(signature.to_string(), "double(const char *, int, int, int, ...)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn builder() -> SignatureBuilder {
        SignatureBuilder::new(Scope::new())
    }
}

impl Declarations {
    /// A builder like [`Signature::builder`] that also knows the types declared here.
    ///
    /// ```
    /// let c = farcall::Declarations::parse("typedef struct { double x, y; } point;")?;
    /// let signature = c.signature_builder().returns_c("point").arg_c("const point *").build()?;
    /// assert_eq!(signature.to_string(), "point(const point *)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn signature_builder(&self) -> SignatureBuilder {
        SignatureBuilder::new(Ok(self.scope().clone()))
    }
}

/// A builder for a [`Signature`], made by [`Signature::builder`]. [`SignatureBuilder::build`] reports the first error.
///
/// ```
/// use farcall::{Signature, SignatureBuilder};
///
/// fn with_three_ints(builder: SignatureBuilder) -> farcall::Result<Signature> {
///     builder.arg::<i32>().arg::<i32>().arg::<i32>().build()
/// }
/// assert_eq!(with_three_ints(Signature::builder())?.len(), 3);
/// # Ok::<(), farcall::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct SignatureBuilder {
    parts: Result<Parts>,
}

#[derive(Debug)]
struct Parts {
    scope: Shared<Scope>,
    ret: Option<TypeId>,
    args: Vec<TypeId>,
    is_variadic: bool,
}

impl SignatureBuilder {
    fn new(scope: Result<Shared<Scope>>) -> SignatureBuilder {
        let parts = scope.map(|scope| Parts {
            scope,
            ret: None,
            args: Vec::new(),
            is_variadic: false,
        });
        SignatureBuilder { parts }
    }

    fn with(self, add: impl FnOnce(&mut Parts) -> Result<()>) -> SignatureBuilder {
        let parts = self.parts.and_then(|mut parts| {
            add(&mut parts)?;
            Ok(parts)
        });
        SignatureBuilder { parts }
    }

    /// Adds an argument of a Rust type.
    ///
    /// ```
    /// let signature = farcall::Signature::builder().arg::<*const u8>().arg::<usize>().build()?;
    /// assert_eq!(signature.to_string(), "void(const void *, unsigned long)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn arg<T: CType>(self) -> SignatureBuilder {
        self.with(|parts| parts.add_arg(format_args!("{}", <T as CType>::SHAPE)))
    }

    /// Adds an argument of the type that C text names: `"const char *"`, `"int (*)(int)"`, `"struct tm"`.
    ///
    /// ```
    /// let bad = farcall::Signature::builder().arg::<i32>().arg_c("void").build();
    /// let error = bad.unwrap_err().to_string();
    /// assert_eq!(error, "argument 2: expected a type with a value, got void");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn arg_c(self, name: &str) -> SignatureBuilder {
        self.with(|parts| parts.add_arg(format_args!("{name}")))
    }

    /// Sets the result to a Rust type.
    ///
    /// ```
    /// let signature = farcall::Signature::builder().returns::<bool>().build()?;
    /// assert_eq!(signature.to_string(), "_Bool(void)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn returns<R: CReturn>(self) -> SignatureBuilder {
        self.with(|parts| {
            let shape: Shape = <R as CReturn>::SHAPE;
            parts.set_ret(format_args!("{shape}"))
        })
    }

    /// Sets the result to the type that C text names.
    ///
    /// ```
    /// let signature = farcall::Signature::builder().returns_c("int (*)(int)").build()?;
    /// assert_eq!(signature.to_string(), "int (*(void))(int)");
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn returns_c(self, name: &str) -> SignatureBuilder {
        self.with(|parts| parts.set_ret(format_args!("{name}")))
    }

    /// Makes the signature variadic, like `...` in C.
    ///
    /// ```
    /// let signature = farcall::Signature::builder().arg_c("const char *").variadic().build()?;
    /// assert!(signature.is_variadic());
    /// # Ok::<(), farcall::Error>(())
    /// ```
    pub fn variadic(self) -> SignatureBuilder {
        self.with(|parts| {
            parts.is_variadic = true;
            Ok(())
        })
    }

    /// Makes the signature.
    ///
    /// # Errors
    /// [`Error::Declaration`] for C text that names no type; [`Error::Mismatch`] for a type that an argument or a result cannot have;
    /// [`Error::Type`] for a type whose values cannot be passed; [`Error::OutOfMemory`].
    ///
    /// ```
    /// use farcall::{Error, Signature};
    ///
    /// let signature = Signature::builder().returns::<f64>().arg::<f64>().build()?;
    /// assert_eq!(signature.to_string(), "double(double)");
    /// let error = Signature::builder().arg_c("struct").build().unwrap_err();
    /// assert!(matches!(error, Error::Declaration(_)));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn build(self) -> Result<Signature> {
        let Parts {
            scope,
            ret,
            args,
            is_variadic,
        } = self.parts?;
        let ty = scope.with(|c| {
            let ret = match ret {
                Some(ret) => ret,
                None => c.type_named("void")?,
            };
            c.function_returning(ret, &args, is_variadic)
        })?;
        let declared = Declared {
            name: None,
            symbol: None,
            ty,
        };
        Signature::of_type(declared, &scope)
    }
}

impl Parts {
    fn add_arg(&mut self, name: fmt::Arguments) -> Result<()> {
        let position = Position::Argument(self.args.len());
        let ty = self.read(name, position, |ty| {
            let is_void = matches!(ty, Ty::Basic(Basic::Void));
            (!is_void).then_some(()).ok_or("a type with a value")
        })?;
        Ok(self.args.try_push(ty)?)
    }

    fn set_ret(&mut self, name: fmt::Arguments) -> Result<()> {
        self.ret = Some(self.read(name, Position::Result, |ty| match ty {
            Ty::Array { .. } | Ty::Function(_) => Err("a type that functions return"),
            _ => Ok(()),
        })?);
        Ok(())
    }

    /// The type called `name`, if it is allowed in this place.
    fn read(
        &self,
        name: fmt::Arguments,
        position: Position,
        check: fn(Ty) -> std::result::Result<(), &'static str>,
    ) -> Result<TypeId> {
        let text = try_format(name)?;
        self.scope.with(|c| {
            let ty = c.type_named(&text)?;
            check(c.resolved(ty)).map_err(|wanted| {
                let what = format_args!("{position}");
                Error::mismatch(
                    what,
                    format_args!("{wanted}"),
                    format_args!("{}", c.show(ty)),
                )
            })?;
            Ok(ty)
        })
    }
}
