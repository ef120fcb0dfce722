//! The table of fetched sources: each has its name, version, places and sums.
//!
//! The origin of the sums:
//! * Debian's are those of the files in Debian's archive, which its signed lists of packages name as well.
//! * Upstream's are those that other distributions' recipes give for the same files, since the tables were made where upstream's
//!   servers could not be reached. A wrong one makes that way fail and no other file pass.
//! * MicroPython's by git were computed from the commits that the tags name, and Debian's tarballs have the same files.

/// The places of one release of a program, and the sums that identify it.
pub struct Pin {
    /// The program's name; in small letters, its directory's.
    pub name: &'static str,
    /// The release.
    pub version: &'static str,
    /// The environment variable that names a tree to use instead.
    pub variable: &'static str,
    /// A file that every such tree has.
    pub mark: &'static str,
    /// The makers' tarball of the release.
    pub upstream: Tarball,
    /// The upstream half of Debian's source package.
    pub debian: Package,
    /// The same in the makers' repository.
    pub git: Option<Tag>,
}

/// A tarball and its places.
pub struct Tarball {
    /// Its URLs, the best first.
    pub urls: &'static [&'static str],
    /// Its sum.
    pub sha256: &'static str,
}

/// A tarball in Debian's archive. Debian's own half of a package may be revised at any time and is not used.
pub struct Package {
    /// A release of Debian that has this version, or had when the table was made: sid moves on.
    pub suite: &'static str,
    /// The directory and the file's name in the archive.
    pub path: [&'static str; 2],
    /// The file's sum.
    pub sha256: &'static str,
}

/// A tag of a repository.
pub struct Tag {
    /// The repository to clone.
    pub repository: &'static str,
    /// The tag.
    pub tag: &'static str,
    /// The directories with files that are compiled or run here.
    pub parts: &'static [&'static str],
    /// One sum over the files in these: see `digest` in source.rs.
    pub sha256: &'static str,
}

/// The release that everything here is built from and compared with: the newest that Debian has, too, so it is the same everywhere.
pub const MICROPYTHON: Pin = Pin {
    name: "MicroPython",
    version: "1.26.1",
    variable: "MICROPYTHON_SRC",
    mark: "py/mpconfig.h",
    upstream: Tarball {
        urls: &[
            "https://micropython.org/resources/source/micropython-1.26.1.tar.xz",
            "https://github.com/micropython/micropython/releases/download/v1.26.1/micropython-1.26.1.tar.xz",
        ],
        sha256: "12be6514df6272c0fcb328122b534af6b12abdd52435c19f40ee1707cc43ac98",
    },
    debian: Package {
        suite: "sid",
        path: [
            "pool/main/m/micropython",
            "micropython_1.26.1+ds.orig.tar.xz",
        ],
        sha256: "f5ad2ec89d3e921f753d448955af98b6005655f84ba26087dde6ba0e8d062f34",
    },
    git: Some(Tag {
        repository: MICROPYTHON_GIT,
        tag: "v1.26.1",
        parts: &MICROPYTHON_PARTS,
        sha256: "a7b8c1ac616400e7fbeb2c72848111e4e251a22b1e34b3f2f6164540b426bfea",
    }),
};

/// The release that is tested beside it: that of Debian's stable release.
pub const OLDER_MICROPYTHON: Pin = Pin {
    name: "MicroPython",
    version: "1.25.0",
    variable: "MICROPYTHON_OLDER_SRC",
    mark: "py/mpconfig.h",
    upstream: Tarball {
        urls: &[
            "https://micropython.org/resources/source/micropython-1.25.0.tar.xz",
            "https://github.com/micropython/micropython/releases/download/v1.25.0/micropython-1.25.0.tar.xz",
        ],
        sha256: "9fe99ad5808e66bb40d374f5cad187c32c7d1c49cf47f72b38fd453c28c2aebe",
    },
    debian: Package {
        suite: "trixie",
        path: [
            "pool/main/m/micropython",
            "micropython_1.25.0+ds.orig.tar.xz",
        ],
        sha256: "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
    },
    git: Some(Tag {
        repository: MICROPYTHON_GIT,
        tag: "v1.25.0",
        parts: &MICROPYTHON_PARTS,
        sha256: "b1e90ae207f9efd3e7fbb135ade071d9b813975e7172a16bc666995473041cef",
    }),
};

/// The newest libffi, which ours is compared with.
pub const LIBFFI: Pin = Pin {
    name: "libffi",
    version: "3.8.0",
    variable: "LIBFFI_SRC",
    mark: "include/ffi.h.in",
    upstream: Tarball {
        urls: &["https://github.com/libffi/libffi/releases/download/v3.8.0/libffi-3.8.0.tar.gz"],
        sha256: "7da3e2d9a171eb0a038f592ecad3ff2bb2550f3496d87b3b29ad0cf4430c0db4",
    },
    debian: Package {
        suite: "sid",
        path: ["pool/main/libf/libffi", "libffi_3.8.0.orig.tar.gz"],
        sha256: "bf40d752d8f5fd4505bcd1c7d4208ea87fd12c91f087e359651c776748352dc0",
    },
    git: None,
};

/// A library that examples open, for targets that have no package of it.
pub const ZLIB: Pin = Pin {
    name: "zlib",
    version: "1.3.1",
    variable: "ZLIB_SRC",
    mark: "zlib.h",
    upstream: Tarball {
        urls: &[
            "https://zlib.net/fossils/zlib-1.3.1.tar.gz",
            "https://github.com/madler/zlib/releases/download/v1.3.1/zlib-1.3.1.tar.gz",
        ],
        sha256: "9a93b2b7dfdac77ceba5a558a580e74667dd6fede4585b91eefb60f03b72df23",
    },
    debian: Package {
        suite: "trixie",
        path: ["pool/main/z/zlib", "zlib_1.3.dfsg+really1.3.1.orig.tar.gz"],
        sha256: "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb",
    },
    git: None,
};

/// The other library that examples open.
pub const SQLITE: Pin = Pin {
    name: "SQLite",
    version: "3.46.1",
    variable: "SQLITE_SRC",
    // All kinds of tarballs have one, including those with all code in one file.
    mark: "configure",
    upstream: Tarball {
        urls: &["https://sqlite.org/2024/sqlite-autoconf-3460100.tar.gz"],
        sha256: "67d3fe6d268e6eaddcae3727fce58fcc8e9c53869bdd07a0c61e38ddf2965071",
    },
    debian: Package {
        suite: "trixie",
        path: ["pool/main/s/sqlite3", "sqlite3_3.46.1.orig.tar.xz"],
        sha256: "d0cdd2ece271b29e7ce18095745d892517ee26d0f270065b3a25c2e9eb11639c",
    },
    git: None,
};

const MICROPYTHON_GIT: &str = "https://github.com/micropython/micropython";

const MICROPYTHON_PARTS: [&str; 16] = [
    "drivers",
    "extmod",
    "lib/crypto-algorithms",
    "lib/libm",
    "lib/libm_dbl",
    "lib/littlefs",
    "lib/oofatfs",
    "lib/re1.5",
    "lib/uzlib",
    "mpy-cross",
    "ports/unix",
    "ports/windows",
    "py",
    "shared",
    "tests",
    "tools",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const ALL: [&Pin; 5] = [&MICROPYTHON, &OLDER_MICROPYTHON, &LIBFFI, &ZLIB, &SQLITE];

    fn is_sum(text: &str, digits: usize) -> bool {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        text.len() == digits && text.bytes().all(is_digit)
    }

    #[test]
    fn rows_have_whole_sums_and_name_their_own_version() {
        for pin in ALL {
            let Pin { name, version, .. } = pin;
            assert!(is_sum(pin.upstream.sha256, 64), "{name} {version}");
            assert!(is_sum(pin.debian.sha256, 64), "{name} {version}");
            assert!(pin.debian.path[1].contains(version), "{name} {version}");
            // SQLite writes 3.46.1 as 3460100.
            let [major, minor, patch] = numbers(version);
            let squeezed = format!("{major}{minor:02}{patch:02}00");
            for url in pin.upstream.urls {
                let names_it = url.contains(version) || url.contains(&squeezed);
                assert!(names_it && url.starts_with("https://"), "{url}");
            }
            if let Some(tag) = &pin.git {
                assert!(is_sum(tag.sha256, 64), "{name} {version}");
                assert_eq!(tag.tag, format!("v{version}"));
            }
        }
    }

    #[test]
    fn rows_share_neither_sums_nor_variables() {
        let sums = ALL.map(|pin| [pin.upstream.sha256, pin.debian.sha256]);
        let sums: BTreeSet<&str> = sums.concat().into_iter().collect();
        assert_eq!(sums.len(), 2 * ALL.len());
        let variables: BTreeSet<&str> = ALL.iter().map(|pin| pin.variable).collect();
        assert_eq!(variables.len(), ALL.len());
    }

    #[test]
    fn own_micropython_is_the_newer_one() {
        assert!(numbers(MICROPYTHON.version) > numbers(OLDER_MICROPYTHON.version));
    }

    fn numbers(version: &str) -> [u32; 3] {
        let numbers: Vec<u32> = version
            .split('.')
            .map(|number| number.parse().expect("a number"))
            .collect();
        numbers.try_into().expect("three numbers")
    }
}
