//! Reads the linker scripts that stand where a library is expected: which files they name.
//!
//! ```text
//! script  = command*
//! command = ("INPUT" | "GROUP") "(" list ")" | "SEARCH_DIR" "(" folder ")" | whatever else, with its brackets
//! list    = (file | "AS_NEEDED" "(" list ")")*
//! file    = path | name | "-l" name | "-l:" name, or any of these in quotes
//! ```
//!
//! Blanks, commas, semicolons, `/* comments */` and lines that begin with `#` stand between words. A `=` or `$SYSROOT` ahead of a path is
//! the root of the system that a cross-linker links for.

use farcall_memory::{OutOfMemory, TryVec, try_with_capacity};

/// The length of the longest text that is read, in bytes.
pub(super) const LONGEST: usize = 1 << 16;

/// The most files that a script may name, and the most folders.
const MOST: usize = 64;

/// The depth to which lists may nest.
const DEPTH: usize = 8;

/// The files that a script names, in order.
#[derive(Debug, Default)]
pub(super) struct Script<'a> {
    pub items: Vec<Item<'a>>,
    /// The folders where names are searched for.
    pub folders: Vec<&'a [u8]>,
}

/// A file that a script names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    word: &'a [u8],
    /// Whether it may be missing.
    pub as_needed: bool,
}

/// An error in a script.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("a comment, a quotation or a bracket has no end")]
    NoEnd,
    #[error("byte {at}: expected the name of a file or a ')'")]
    NoFile { at: usize },
    #[error("it names more than {MOST} files or folders")]
    TooMany,
    #[error("lists lie in more than {DEPTH} others")]
    TooDeep,
    #[error("INCLUDE is not followed")]
    Include,
}

impl Item<'_> {
    /// Whether it is a static library or an object file, not a shared library.
    pub(super) fn is_static(&self) -> bool {
        [b".a", b".o"].iter().any(|end| self.word.ends_with(*end))
    }

    /// The name or the path of the file.
    pub(super) fn file_name(&self) -> Result<Vec<u8>, OutOfMemory> {
        let parts: [&[u8]; 3] = match self.word {
            [b'-', b'l', b':', name @ ..] => [name, b"", b""],
            [b'-', b'l', name @ ..] => [b"lib", name, b".so"],
            word => [without_root(word), b"", b""],
        };
        concat(&parts)
    }

    /// The name of the archive that a short name stands for where there is no library.
    pub(super) fn archive_name(&self) -> Result<Option<Vec<u8>>, OutOfMemory> {
        match self.word {
            [b'-', b'l', b':', ..] => Ok(None),
            [b'-', b'l', name @ ..] => Ok(Some(concat(&[b"lib", name, b".a"])?)),
            _ => Ok(None),
        }
    }
}

/// The parts, one behind the other.
pub(super) fn concat(parts: &[&[u8]]) -> Result<Vec<u8>, OutOfMemory> {
    let mut whole = try_with_capacity(parts.iter().map(|part| part.len()).sum())?;
    for part in parts {
        whole.try_extend_from_slice(part)?;
    }
    Ok(whole)
}

fn without_root(path: &[u8]) -> &[u8] {
    let rest = path.strip_prefix(b"=");
    rest.or_else(|| path.strip_prefix(b"$SYSROOT"))
        .unwrap_or(path)
}

/// Words that a script may begin with.
const COMMANDS: [&[u8]; 16] = [
    b"INPUT",
    b"GROUP",
    b"OUTPUT_FORMAT",
    b"OUTPUT_ARCH",
    b"OUTPUT",
    b"TARGET",
    b"SEARCH_DIR",
    b"STARTUP",
    b"ENTRY",
    b"EXTERN",
    b"ASSERT",
    b"VERSION",
    b"SECTIONS",
    b"MEMORY",
    b"PHDRS",
    b"INCLUDE",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a [u8]),
    Quoted(&'a [u8]),
    Open,
    Close,
}

/// A text, and how much of it has been read.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// Reads a script; `None` where the text is none.
pub(super) fn parse(text: &[u8]) -> Result<Result<Option<Script<'_>>, Wrong>, OutOfMemory> {
    let mut reader = Reader { text, at: 0 };
    let is_script = !text.contains(&0)
        && matches!(reader.next(), Ok(Some(Token::Word(word))) if COMMANDS.contains(&word));
    if !is_script {
        return Ok(Ok(None));
    }
    reader.at = 0;
    let mut script = Script::default();
    let wrong = reader.commands(&mut script)?.err();
    Ok(wrong.map_or(Ok(Some(script)), Err))
}

/// The outer error is that there is no memory; the inner one is an error in the script.
type Read<T> = Result<Result<T, Wrong>, OutOfMemory>;

macro_rules! good {
    ($read:expr) => {
        match $read {
            Ok(value) => value,
            Err(wrong) => return Ok(Err(wrong)),
        }
    };
}

impl<'a> Reader<'a> {
    /// The next token, unless the text is at its end.
    fn next(&mut self) -> Result<Option<Token<'a>>, Wrong> {
        self.skip_blanks()?;
        let rest = &self.text[self.at..];
        let (token, len) = match rest {
            [] => return Ok(None),
            [b'(' | b'{', ..] => (Token::Open, 1),
            [b')' | b'}', ..] => (Token::Close, 1),
            [b'"', quoted @ ..] => {
                let len = quoted.iter().position(|byte| *byte == b'"');
                let len = len.ok_or(Wrong::NoEnd)?;
                (Token::Quoted(&quoted[..len]), len + 2)
            }
            _ => {
                let end = |byte: &u8| is_blank(*byte) || b"(){}\"".contains(byte);
                let len = rest.iter().position(end).unwrap_or(rest.len());
                (Token::Word(&rest[..len]), len)
            }
        };
        self.at += len;
        Ok(Some(token))
    }

    fn skip_blanks(&mut self) -> Result<(), Wrong> {
        loop {
            let rest = &self.text[self.at..];
            self.at += match rest {
                [b'/', b'*', comment @ ..] => {
                    let len = comment.windows(2).position(|two| two == b"*/");
                    len.ok_or(Wrong::NoEnd)? + 4
                }
                [b'#', ..] => {
                    let len = rest.iter().position(|byte| *byte == b'\n');
                    len.unwrap_or(rest.len())
                }
                [first, ..] if is_blank(*first) => 1,
                _ => return Ok(()),
            };
        }
    }

    fn commands(&mut self, script: &mut Script<'a>) -> Read<()> {
        while let Some(token) = good!(self.next()) {
            match token {
                Token::Word(b"INPUT" | b"GROUP") => good!(self.list(script)?),
                Token::Word(b"SEARCH_DIR") => good!(self.folder(script)?),
                Token::Word(b"INCLUDE") => return Ok(Err(Wrong::Include)),
                Token::Word(_) | Token::Quoted(_) | Token::Close => {}
                Token::Open => good!(self.skip_brackets()),
            }
        }
        Ok(Ok(()))
    }

    /// The files in the brackets that follow.
    fn list(&mut self, script: &mut Script<'a>) -> Read<()> {
        good!(self.open());
        let mut depth = 1;
        while depth > 0 {
            let at = self.at;
            match good!(self.next()) {
                None => return Ok(Err(Wrong::NoEnd)),
                Some(Token::Close) => depth -= 1,
                Some(Token::Open) => return Ok(Err(Wrong::NoFile { at })),
                Some(Token::Word(b"AS_NEEDED")) if depth > DEPTH => {
                    return Ok(Err(Wrong::TooDeep));
                }
                Some(Token::Word(b"AS_NEEDED")) => {
                    good!(self.open());
                    depth += 1;
                }
                Some(Token::Word(_) | Token::Quoted(_)) if script.items.len() == MOST => {
                    return Ok(Err(Wrong::TooMany));
                }
                Some(Token::Word(word) | Token::Quoted(word)) => script.items.try_push(Item {
                    word,
                    as_needed: depth > 1,
                })?,
            }
        }
        Ok(Ok(()))
    }

    /// The folder in the brackets that follow.
    fn folder(&mut self, script: &mut Script<'a>) -> Read<()> {
        good!(self.open());
        if let Some(Token::Word(folder) | Token::Quoted(folder)) = good!(self.next()) {
            if script.folders.len() == MOST {
                return Ok(Err(Wrong::TooMany));
            }
            script.folders.try_push(without_root(folder))?;
        }
        Ok(self.skip_brackets())
    }

    fn open(&mut self) -> Result<(), Wrong> {
        let at = self.at;
        match self.next()? {
            Some(Token::Open) => Ok(()),
            _ => Err(Wrong::NoFile { at }),
        }
    }

    /// Goes to the end of the brackets that have been opened.
    fn skip_brackets(&mut self) -> Result<(), Wrong> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                None => return Err(Wrong::NoEnd),
                Some(Token::Open) => depth += 1,
                Some(Token::Close) => depth -= 1,
                Some(Token::Word(_) | Token::Quoted(_)) => {}
            }
        }
        Ok(())
    }
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | 0x0b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Vec<String>>, Wrong> {
        let script = parse(text.as_bytes()).expect("there is memory")?;
        Ok(script.map(|script| {
            let name = |item: &Item<'_>| {
                let name = item.file_name().expect("there is memory");
                let mark = if item.as_needed { "?" } else { "" };
                String::from_utf8(name).expect("it is text") + mark
            };
            script.items.iter().map(name).collect()
        }))
    }

    #[test]
    fn scripts_of_distributions_name_their_libraries() {
        for (text, names) in [
            (
                "/* GNU ld script\n   Use both. */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( /lib/libc.so.6 /usr/lib/libc_nonshared.a  AS_NEEDED ( /lib64/ld.so.2 ) )\n",
                &[
                    "/lib/libc.so.6",
                    "/usr/lib/libc_nonshared.a",
                    "/lib64/ld.so.2?",
                ] as &[&str],
            ),
            (
                "INPUT(libncurses.so.6 -ltinfo)",
                &["libncurses.so.6", "libtinfo.so"],
            ),
            (
                "INPUT(-l:libx.so.3,\"/a b/liby.so\")",
                &["libx.so.3", "/a b/liby.so"],
            ),
            (
                "# made by hand\nINPUT ( =/usr/lib/libz.so $SYSROOT/lib/libm.so.6 );",
                &["/usr/lib/libz.so", "/lib/libm.so.6"],
            ),
            (
                "INPUT(a.so)\r\nGROUP(AS_NEEDED(b.so AS_NEEDED(c.so)) d.so)",
                &["a.so", "b.so?", "c.so?", "d.so"],
            ),
            (
                "VERSION { V1 { global: f; local: *; }; }\nx = y + (3);\nINPUT(a.so)",
                &["a.so"],
            ),
            ("OUTPUT_ARCH(i386:x86-64)", &[]),
        ] {
            let wanted = names.iter().map(|name| name.to_string()).collect();
            assert_eq!(read(text), Ok(Some(wanted)), "{text}");
        }
    }

    #[test]
    fn folders_to_search_are_read() {
        let script = parse(b"SEARCH_DIR(\"=/usr/local/lib\"); SEARCH_DIR(/opt) INPUT(a.so)");
        let script = script.expect("memory").expect("good").expect("a script");
        assert_eq!(script.folders, [b"/usr/local/lib" as &[u8], b"/opt"]);
    }

    #[test]
    fn other_texts_are_no_scripts() {
        for text in [
            "",
            "hello",
            "(INPUT)",
            "INPUTS(a)",
            "\u{7f}ELF",
            "INPUT(a)\0",
            "/* no end",
            "\"INPUT\"(a)",
            ")",
        ] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn scripts_with_mistakes_say_which() {
        let many = format!("INPUT({})", "a.so ".repeat(MOST + 1));
        let deep = format!("INPUT({}", "AS_NEEDED(".repeat(DEPTH + 1));
        for (text, wrong) in [
            ("INPUT(a.so", Wrong::NoEnd),
            ("INPUT(\"a.so)", Wrong::NoEnd),
            ("INPUT(a.so /* b )", Wrong::NoEnd),
            ("SECTIONS { ", Wrong::NoEnd),
            ("INPUT a.so", Wrong::NoFile { at: 5 }),
            ("INPUT(a (b))", Wrong::NoFile { at: 7 }),
            ("INPUT", Wrong::NoFile { at: 5 }),
            ("INCLUDE other.ld", Wrong::Include),
            (&many, Wrong::TooMany),
            (&deep, Wrong::TooDeep),
        ] {
            assert_eq!(read(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn every_beginning_of_a_script_is_read_without_a_panic() {
        let text =
            b"/* c */ # d\nSEARCH_DIR(\"/a\") INPUT(-lx \"q\" AS_NEEDED(y)) SECTIONS { a { b } }";
        for end in 0..text.len() {
            let _ = parse(&text[..end]).expect("there is memory");
            let _ = parse(&text[end..]).expect("there is memory");
        }
    }
}
