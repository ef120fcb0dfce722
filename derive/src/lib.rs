//! `#[derive(CType)]`, for structures that pass to and from C by value.
//!
//! Use it through the crate `farcall` with the feature `derive`: the derived code names that crate.
#![deny(missing_docs)]

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Meta, Result, Type, parse_macro_input, parse_quote};

/// Implements `farcall::CType` for a structure, which then passes to and from C by value.
///
/// The structure needs `#[repr(C)]` without `packed` and `align`, or `#[repr(transparent)]`; at least one member; and members that are
/// `CType`s or arrays of `CType`s, written as `[T; N]`. It must also be `Clone` and `Copy`.
///
/// ```
/// use farcall::{CType, Signature};
///
/// #[repr(C)]
/// #[derive(CType, Clone, Copy)]
/// struct Pixel {
///     place: [f32; 2],
///     colour: u32,
/// }
///
/// let signature = Signature::of::<unsafe extern "C" fn(Pixel) -> Pixel>()?;
/// assert_eq!(signature.slots(0), Some(0..2));
/// # Ok::<(), farcall::Error>(())
/// ```
#[proc_macro_derive(CType)]
pub fn derive_ctype(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    implementation(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

/// The layout of a structure.
enum Layout {
    C,
    Transparent,
}

fn implementation(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(structure) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "expected a structure: of a union or an enumeration, C may give contents that Rust has no value for",
        ));
    };
    let layout = layout(input)?;
    let types: Vec<&Type> = match &structure.fields {
        Fields::Unit => Vec::new(),
        fields => fields.iter().map(|field| &field.ty).collect(),
    };
    if types.is_empty() {
        return Err(Error::new_spanned(
            &input.ident,
            "expected a structure with members: C has no other",
        ));
    }
    let shape = match (layout, &types[..]) {
        (Layout::Transparent, [only]) => {
            let (element, lengths) = elements(only);
            if !lengths.is_empty() {
                return Err(Error::new_spanned(
                    only,
                    "expected a type that C passes by value, got an array",
                ));
            }
            quote!(<#element as ::farcall::CType>::SHAPE)
        }
        (Layout::Transparent, _) => {
            return Err(Error::new_spanned(
                &input.ident,
                "expected one member, as the structure is transparent",
            ));
        }
        (Layout::C, types) => {
            let members = types.iter().map(|ty| member(ty));
            quote!(::farcall::__private::Shape::Struct(&[#(#members),*]))
        }
    };
    let mut generics = input.generics.clone();
    let bounds = generics.make_where_clause();
    for ty in &types {
        let (element, _) = elements(ty);
        bounds
            .predicates
            .push(parse_quote!(#element: ::farcall::CType));
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let name = &input.ident;
    Ok(quote! {
        // SAFETY: by its `repr`, Rust lays it out as C does; zeros and all bytes that C gives are valid for each member, and so for the structure.
        #[automatically_derived]
        unsafe impl #parameters ::farcall::CType for #name #arguments #bounds {
            const SHAPE: ::farcall::__private::Shape = #shape;
        }
    })
}

fn member(ty: &Type) -> TokenStream {
    let (element, lengths) = elements(ty);
    quote! {
        ::farcall::__private::Member {
            shape: <#element as ::farcall::CType>::SHAPE,
            lengths: &[#(#lengths),*],
        }
    }
}

/// The element type of an array, and its lengths from the outermost on; no lengths for another type.
fn elements(ty: &Type) -> (&Type, Vec<&syn::Expr>) {
    let (mut ty, mut lengths) = (ty, Vec::new());
    loop {
        match ty {
            Type::Array(array) => {
                lengths.push(&array.len);
                ty = &array.elem;
            }
            Type::Group(group) => ty = &group.elem,
            Type::Paren(inner) => ty = &inner.elem,
            _ => return (ty, lengths),
        }
    }
}

fn layout(input: &DeriveInput) -> Result<Layout> {
    let mut layout = None;
    let reprs = input
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("repr"));
    for attr in reprs {
        attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("C") {
                layout = Some(Layout::C);
                return Ok(());
            }
            if meta.path.is_ident("transparent") {
                layout = Some(Layout::Transparent);
                return Ok(());
            }
            Err(meta.error("expected `C` or `transparent` alone: structures that are packed or aligned by hand are passed differently"))
        })
        .map_err(|error| match &attr.meta {
            // The path of `align(8)` and `packed(2)` ends before the brackets.
            Meta::List(list) => Error::new_spanned(list, error),
            _ => error,
        })?;
    }
    layout.ok_or_else(|| {
        Error::new_spanned(
            &input.ident,
            "expected `#[repr(C)]`: Rust lays other structures out as it likes",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that the macro reports for a declaration.
    fn fault(text: &str) -> String {
        let input = syn::parse_str(text).expect("a declaration");
        match implementation(&input) {
            Err(error) => error.to_string(),
            Ok(tokens) => tokens.to_string(),
        }
    }

    #[test]
    fn what_c_has_otherwise_is_refused() {
        for (text, wanted) in [
            (
                "#[repr(C)] union A { a: u8 }",
                "expected a structure: of a union",
            ),
            (
                "#[repr(C)] enum A { B }",
                "expected a structure: of a union",
            ),
            ("struct A { a: u8 }", "expected `#[repr(C)]`"),
            (
                "#[repr(C)] struct A {}",
                "expected a structure with members",
            ),
            ("#[repr(C)] struct A;", "expected a structure with members"),
            (
                "#[repr(C, packed)] struct A(u8);",
                "expected `C` or `transparent`",
            ),
            (
                "#[repr(C, packed(2))] struct A(u8);",
                "expected `C` or `transparent`",
            ),
            (
                "#[repr(C, align(8))] struct A(u8);",
                "expected `C` or `transparent`",
            ),
            (
                "#[repr(transparent)] struct A(u8, ());",
                "expected one member",
            ),
            (
                "#[repr(transparent)] struct A([u8; 2]);",
                "expected a type that C passes by value",
            ),
        ] {
            let fault = fault(text);
            assert!(fault.starts_with(wanted), "{text}: {fault}");
        }
    }

    #[test]
    fn members_are_bound_to_be_types_of_c() {
        let tokens = fault("#[repr(C)] struct A<T> { a: T, b: [[i16; 3]; N] }");
        assert!(tokens.contains("where T : :: farcall :: CType , i16 : :: farcall :: CType"));
        assert!(tokens.contains("lengths : & [N , 3]"));
    }
}
