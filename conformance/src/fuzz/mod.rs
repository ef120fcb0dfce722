//! What the fuzz targets do with their inputs. The targets, in `fuzz/`, only call this; ordinary tests call it too, with
//! random inputs and with those that fuzzing has found (`fuzz/corpus/`).

mod call;
mod codes;
mod recorder;

pub use call::call;
pub use codes::codes;

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
    fn random_codes_are_harmless() {
        const LETTERS: &[u8] = b"vbBhHiIlLqQfdpPsSOC.";
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
