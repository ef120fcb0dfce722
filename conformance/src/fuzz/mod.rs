//! The bodies of the fuzz targets. The targets, in `fuzz/`, only call these; ordinary tests call them too, with random inputs and with
//! those that fuzzing has found (`fuzz/corpus/`).

mod call;
mod codes;
mod declarations;
mod recorder;

pub use call::call;
pub use codes::codes;
pub use declarations::declarations;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use std::path::{Path, PathBuf};

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let files = std::fs::read_dir(directory.join(target)).expect("a corpus");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        let read = |path: &PathBuf| std::fs::read(path).expect("a file");
        files.iter().map(read).collect()
    }

    #[test]
    fn corpus_of_codes_is_harmless() {
        for input in corpus("codes") {
            codes(&String::from_utf8_lossy(&input));
        }
    }

    #[test]
    fn corpus_of_calls_is_harmless() {
        corpus("call").iter().for_each(|input| call(input));
    }

    #[test]
    fn corpus_of_declarations_is_harmless() {
        for input in corpus("declarations") {
            declarations(&String::from_utf8_lossy(&input));
        }
    }

    /// The inputs, cut up and put together anew.
    #[test]
    fn mutated_declarations_are_harmless() {
        let texts = corpus("declarations");
        let texts: Vec<String> = texts
            .iter()
            .map(|input| String::from_utf8_lossy(input).into_owned())
            .collect();
        let whole = texts.concat();
        let pieces: Vec<&str> = whole
            .split_inclusive([' ', '(', ';', ',', '{', '*'])
            .collect();
        let mut rng = Rng::new(&[3, u64::from(b'F')]);
        for _ in 0..300 {
            let text = rng.below(texts.len());
            let mut mutated: Vec<&str> = texts[text]
                .split_inclusive([' ', '(', ';', ',', '{', '*'])
                .collect();
            for _ in 0..1 + rng.below(4) {
                let at = rng.below(mutated.len().max(1));
                match rng.below(4) {
                    0 => mutated.insert(at.min(mutated.len()), pieces[rng.below(pieces.len())]),
                    1 if at < mutated.len() => _ = mutated.remove(at),
                    2 => mutated.truncate(at + 1),
                    _ if at < mutated.len() => mutated[at] = pieces[rng.below(pieces.len())],
                    _ => {}
                }
            }
            declarations(&mutated.concat());
        }
    }

    #[test]
    fn random_codes_are_harmless() {
        const LETTERS: &[u8] = b"vbBhHiIlLqQfdpPsSOC.{{{}}}39|";
        let mut rng = Rng::new(&[1, u64::from(b'F')]);
        for _ in 0..500 {
            let text = (0..rng.below(60)).map(|_| char::from(rng.pick(LETTERS)));
            codes(&text.collect::<String>());
        }
        for text in [
            "",
            "é",
            "iZ",
            "i.",
            "v\0",
            "..",
            "i....",
            "{3{id}2p}|i{b}{99h}.{d}",
            "{i",
            "i{{2{}}}",
            "v{268435456b}",
            &"d".repeat(100_000),
        ] {
            codes(text);
        }
    }

    #[test]
    fn random_calls_are_harmless() {
        let mut rng = Rng::new(&[2, u64::from(b'F')]);
        for _ in 0..2000 {
            let input: Vec<u8> = (0..rng.below(400)).map(|_| rng.next() as u8).collect();
            call(&input);
        }
    }
}
