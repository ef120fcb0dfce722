//! The process's memory as the system lists it.

#[cfg(target_os = "linux")]
pub use linux::*;
#[cfg(windows)]
pub use windows::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    /// The protections of all mappings, as the kernel lists them.
    pub fn mappings() -> Vec<String> {
        fs::read_to_string("/proc/self/maps")
            .expect("Linux lists them")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    pub fn assert_nothing_is_writable_and_executable() {
        for mapping in mappings() {
            let rights = mapping.split(' ').nth(1).expect("rights");
            assert!(!(rights.contains('w') && rights.contains('x')), "{mapping}");
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr;
    use windows_sys::Win32::System::Memory::{
        MEM_COMMIT, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, VirtualQuery,
    };

    /// Looks at all regions, from the lowest address up. Programs and DLLs are mapped so that pages are copied when they are
    /// written (`PAGE_EXECUTE_WRITECOPY`) while the loader is at work on them; what we make is neither.
    pub fn assert_nothing_is_writable_and_executable() {
        let mut address: *const c_void = ptr::null();
        loop {
            let mut region = MaybeUninit::uninit();
            let size = size_of_val(&region);
            // SAFETY: the call fills in the structure it is given, if the address is one of the process's.
            let region = unsafe {
                if VirtualQuery(address, region.as_mut_ptr(), size) == 0 {
                    return;
                }
                region.assume_init()
            };
            let rights = region.Protect & (PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY);
            let is_code = rights != 0 && region.State == MEM_COMMIT;
            let is_ours = region.AllocationProtect & PAGE_EXECUTE_WRITECOPY == 0;
            assert!(
                !(is_code && is_ours),
                "{:p}: {rights:#x}",
                region.BaseAddress
            );
            address = region.BaseAddress.wrapping_byte_add(region.RegionSize);
        }
    }
}
