//! `#[derive(CType)]`, for structures that C has, too.
//!
//! Use it through `farcall` with the feature `derive`; what it makes names that crate.
#![deny(missing_docs)]

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Meta, Result, Type, parse_macro_input, parse_quote};

/// Implements `farcall::CType` for a structure, which then passes to and from C by value.
///
/// It wants `#[repr(C)]` without `packed` and `align`, or `#[repr(transparent)]`; at least one member; and members that are `CType`s
/// themselves or arrays of such, written as `[T; N]`. A structure is `Clone` and `Copy` as well.
///
/// ```
/// # mod farcall {
/// #     pub use std::marker::Copy as CType;
/// # }
/// #[repr(C)]
/// #[derive(Clone, Copy)] // and farcall::CType
/// struct Pixel {
///     place: [f32; 2],
///     colour: u32,
/// }
/// ```
#[proc_macro_derive(CType)]
pub fn derive_ctype(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    implementation(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

/// How a structure is laid out.
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
        // SAFETY: Rust lays it out as C does, by `repr`; zeros and all that C gives are values of each member, and so of all of them.
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

/// What an array consists of, and its lengths from the outermost on; none for another type.
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
            Err(meta.error("expected `C` or `transparent` and nothing else: what is packed or aligned by hand is passed in ways of its own"))
        })
        .map_err(|error| match &attr.meta {
            // `align(8)` and `packed(2)` end ahead of their brackets.
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
