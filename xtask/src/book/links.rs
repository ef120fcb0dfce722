//! Markdown's links between files, in the form that pages here use: `[text](target)` on one line, outside of code.

use std::ops::Range;

/// The targets of all links between files, without links to servers.
pub fn of(page: &str) -> Vec<String> {
    let mut targets = Vec::new();
    rewritten(page, |target| {
        targets.push(target.to_owned());
        Some(target.to_owned())
    });
    targets
}

/// The page with each link's target replaced by `target`; where that returns `None`, only the link's text is left.
pub fn rewritten(page: &str, mut target: impl FnMut(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(page.len());
    let mut in_block = false;
    for line in page.split_inclusive('\n') {
        let is_fence = line.starts_with("```");
        in_block ^= is_fence;
        if in_block || is_fence {
            text.push_str(line);
            continue;
        }
        let mut done = 0;
        for link in links(line) {
            let old = &line[link.target.clone()];
            text.push_str(&line[done..link.whole.start]);
            done = link.whole.end;
            if old.contains("://") {
                text.push_str(&line[link.whole]);
            } else if let Some(new) = target(old) {
                text.push_str(&line[link.whole.start..link.target.start]);
                text.push_str(&new);
                text.push(')');
            } else {
                text.push_str(&line[link.text]);
            }
        }
        text.push_str(&line[done..]);
    }
    text
}

/// The names by which a page's headings can be linked to.
#[cfg(test)]
pub fn headings(page: &str) -> Vec<String> {
    let mut in_block = false;
    let mut names = Vec::new();
    for line in page.lines() {
        in_block ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if !in_block && title.len() < line.len() && title.starts_with(' ') {
            names.push(name(title.trim()));
        }
    }
    names
}

#[cfg(test)]
/// A heading's name: its letters and digits in lower case, with hyphens for blanks.
fn name(title: &str) -> String {
    let kept = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    });
    kept.flat_map(char::to_lowercase).collect()
}

/// The place of a link in its line.
struct Link {
    whole: Range<usize>,
    text: Range<usize>,
    target: Range<usize>,
}

fn links(line: &str) -> Vec<Link> {
    let mut links = Vec::new();
    let mut from = 0;
    let mut in_code = false;
    let mut start = None;
    for (index, c) in line.char_indices() {
        match c {
            _ if index < from => {}
            '`' => in_code = !in_code,
            '[' if !in_code => start = Some(index),
            ']' if !in_code => {
                let Some(open) = start.take() else { continue };
                let rest = &line[index + 1..];
                let Some(length) = rest.starts_with('(').then(|| rest.find(')')).flatten() else {
                    continue;
                };
                from = index + 1 + length + 1;
                links.push(Link {
                    whole: open..from,
                    text: open + 1..index,
                    target: index + 2..from - 1,
                });
            }
            _ => {}
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_found_outside_of_code() {
        let page =
            "[a](b.md) `[c](d)` ![`e`](f.svg)\n```\n[g](h)\n```\n[i](https://j) x[0] [k](l#m)\n";
        assert_eq!(of(page), ["b.md", "f.svg", "l#m"]);
    }

    #[test]
    fn links_are_rewritten_or_become_their_text() {
        let new = rewritten("see [`a`](b) and [c](d#e).\n", |target| {
            target.starts_with('d').then(|| "f".to_owned())
        });
        assert_eq!(new, "see `a` and [c](f).\n");
    }

    #[test]
    fn headings_have_names() {
        let page = "# Namespaces: `ffi.cdef`\n```sh\n# none\n```\n## A_b c-d\n#no\n";
        assert_eq!(headings(page), ["namespaces-fficdef", "a_b-c-d"]);
    }
}
