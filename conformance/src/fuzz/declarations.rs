//! Reads any text as C: an error that shows a place in it, or types, layouts and signatures that can be planned.

use farcall_arch::abi::Dialect;
use farcall_arch::{Abi, Signature, plan};
use farcall_cdecl::c::{Declarations, Error, Function, FunctionType, Platform, TypeId};

/// The platforms, and a convention of each.
const PLATFORMS: [(Platform, Abi); 5] = [
    (Platform::LINUX_X86_64, Abi::SysV64),
    (Platform::LINUX_AARCH64, Abi::Aapcs64(Dialect::Linux)),
    (Platform::MACOS_AARCH64, Abi::Aapcs64(Dialect::Apple)),
    (Platform::WINDOWS_X86_64_GNU, Abi::Win64),
    (Platform::WINDOWS_MSVC, Abi::Aapcs64(Dialect::Windows)),
];

/// The longest type whose text is looked at.
const SHOWN: usize = 1_000;

/// Reads a text as a header, as a type and as a prototype, and asks every question about the declarations in it.
///
/// # Panics
/// When an answer makes no sense: a place outside of the text, a size that is no multiple of its alignment, a type whose text is not read as the
/// same type.
pub fn declarations(text: &str) {
    for (platform, abi) in PLATFORMS {
        let mut c = Declarations::new(platform).expect("there is memory");
        for outcome in [
            c.type_named(text).map(|_| ()),
            c.prototype(text).map(|_| ()),
            c.read(text),
        ] {
            if let Err(Error::Text(fault)) = outcome {
                let lines = text.bytes().filter(|byte| *byte == b'\n').count();
                assert!((1..=lines + 1).contains(&(fault.line as usize)));
                assert!(!fault.message.is_empty() && fault.to_string().lines().count() >= 2);
            }
        }
        let types: Vec<TypeId> = c.typedefs().chain(c.tags()).map(|(_, ty)| ty).collect();
        for &ty in &types {
            check_layout(&c, ty);
        }
        let functions: Vec<Function> = c.functions().collect();
        for function in &functions {
            let ty = c.function_type(function.ty).expect("a function");
            if let Some(signature) = signature(&c, &ty) {
                plan(&signature, abi).expect("every value has a place");
            }
        }
        let named = functions.iter().map(|function| function.ty).chain(types);
        for ty in named.collect::<Vec<_>>() {
            let shown = c.show(ty).to_string();
            // A type without a name is shown in a form that cannot be read.
            if shown.len() > SHOWN || shown.contains("{...}") || !shown.is_ascii() {
                continue;
            }
            let again = c.type_named(&shown);
            let again = again.unwrap_or_else(|error| panic!("{shown} is no type: {error}"));
            assert_eq!(c.show(again).to_string(), shown);
        }
    }
}

fn check_layout(c: &Declarations, ty: TypeId) {
    let passed = c.passed(ty);
    let Some(layout) = c.layout(ty) else { return };
    assert!(layout.align.is_power_of_two());
    let Some(record) = c.record(ty) else { return };
    assert_eq!(record.size % u64::from(record.align), 0);
    if let Ok(passed) = passed {
        assert_eq!(u64::from(passed.size()), record.size);
    }
    for field in c.fields(record).unwrap_or_default() {
        let size = match field.bits() {
            Some((first, width)) => (u64::from(first) + u64::from(width)).div_ceil(8),
            // An array without a length has none.
            None => c.layout(field.ty).map_or(0, |layout| layout.size),
        };
        assert!(field.offset() + size <= record.size);
    }
}

fn signature(c: &Declarations, ty: &FunctionType) -> Option<Signature> {
    let (ret, params) = (c.passed(ty.ret).ok()?, c.passed_params(ty).ok()?);
    match ty.is_variadic {
        false => Signature::new(ret, params).ok(),
        true => {
            let fixed = params.len();
            Signature::variadic(ret, params, fixed).ok()
        }
    }
}
