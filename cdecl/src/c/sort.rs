//! Sorting in place. The standard library's sorting is faster, but adds 5 kB to a program for each type that is sorted.

/// Sorts by a unique key with heap sort, which is fast for every input order.
pub(super) fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    let len = items.len();
    for step in (0..len + len / 2).rev() {
        let (mut parent, end) = match step.checked_sub(len) {
            // First the heap is built, from its last parent to its root; then the largest item goes to the end, again and again.
            Some(parent) => (parent, len),
            None => {
                items.swap(0, step);
                (0, step)
            }
        };
        while let Some(child) = largest_child(&items[..end], parent, &key) {
            if key(&items[parent]) >= key(&items[child]) {
                break;
            }
            items.swap(parent, child);
            parent = child;
        }
    }
}

fn largest_child<T, K: Ord>(heap: &[T], parent: usize, key: &impl Fn(&T) -> K) -> Option<usize> {
    let left = 2 * parent + 1;
    let first = heap.get(left)?;
    let is_right = heap
        .get(left + 1)
        .is_some_and(|right| key(right) > key(first));
    Some(left + usize::from(is_right))
}

#[cfg(test)]
mod tests {
    use super::sort_by_key;

    #[test]
    fn items_come_in_the_order_of_their_keys() {
        let mut bits = 1_u32;
        for len in 0..70 {
            let mut items: Vec<u32> = (0..len)
                .map(|_| {
                    bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    bits
                })
                .collect();
            let mut wanted = items.clone();
            wanted.sort_by_key(|item| !item);
            sort_by_key(&mut items, |item| !item);
            assert_eq!(items, wanted);
            sort_by_key(&mut items, |item| !item);
            assert_eq!(items, wanted);
        }
    }
}
