//! In which order the addresses of one neighbour are tried: RFC 2782, for addresses of any origin.

/// How an address stands among those of its neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rank {
    /// Lower is tried first.
    pub priority: u32,
    /// Share of the first tries among those of one priority; 0 everywhere: the order written.
    pub weight: u16,
}

/// Draws the order within `items`, which are of one priority: the chance to come next is by weight. Where none has a
/// weight the order stays. `random` gives 64 random bits a call, one call a place.
pub fn draw<T>(mut items: &mut [T], weight: impl Fn(&T) -> u16, mut random: impl FnMut() -> u64) {
    while items.len() > 1 {
        let sum: u64 = items.iter().map(|item| u64::from(weight(item))).sum();
        if sum == 0 {
            return;
        }
        // RFC 2782, page 4, draws from 0 to the sum inclusive, and those of no weight win on 0 alone. Where there are
        // none the 0 would go to whoever stands first, and weights of 1 and 3 would share two to three: it is left out.
        let first_without = items.iter().position(|item| weight(item) == 0);
        let marks = sum.saturating_add(u64::from(first_without.is_some()));
        let mark = random().checked_rem(marks).unwrap_or(0);
        let chosen = match (mark, first_without) {
            (0, Some(place)) => place,
            (mark, None) => by_weight(items, &weight, mark),
            (mark, Some(_)) => by_weight(items, &weight, mark.saturating_sub(1)),
        };
        // Those not chosen keep their order.
        if let Some(up_to_chosen) = items.get_mut(..=chosen) {
            up_to_chosen.rotate_right(1);
        }
        let Some((_, rest)) = items.split_first_mut() else { return };
        items = rest;
    }
}

/// The place of the item whose share of the sum `mark` falls into, counted from 0; the last where it is beyond them.
fn by_weight<T>(items: &[T], weight: impl Fn(&T) -> u16, mut mark: u64) -> usize {
    for (place, item) in items.iter().enumerate() {
        match mark.checked_sub(u64::from(weight(item))) {
            Some(left) => mark = left,
            None => return place,
        }
    }
    items.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any fixed generator will do.
    fn randoms(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 16
        }
    }

    fn firsts(weights: &[u16], draws: u32) -> Vec<u32> {
        let mut random = randoms(7);
        let mut counts = vec![0; weights.len()];
        for _ in 0..draws {
            let mut items: Vec<usize> = (0..weights.len()).collect();
            draw(&mut items, |place| weights[*place], &mut random);
            counts[items[0]] += 1;
        }
        counts
    }

    #[test]
    fn rfc_2782_the_chance_to_be_first_is_by_weight() {
        let counts = firsts(&[60, 30, 10], 10_000);
        for (count, want) in counts.iter().zip([6_000, 3_000, 1_000]) {
            assert!(count.abs_diff(want) < 300, "{counts:?}");
        }
    }

    #[test]
    fn rfc_2782_small_weights_share_as_they_say() {
        let counts = firsts(&[1, 3], 10_000);
        assert!(counts[0].abs_diff(2_500) < 200, "{counts:?}");
        let counts = firsts(&[1, 0, 3], 10_000);
        for (count, want) in counts.iter().zip([2_000, 2_000, 6_000]) {
            assert!(count.abs_diff(want) < 250, "{counts:?}");
        }
    }

    #[test]
    fn rfc_2782_no_weight_among_weights_is_a_very_small_chance() {
        let counts = firsts(&[0, 99], 10_000);
        assert!((20..400).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn without_weights_the_order_written_stays() {
        let mut items = [3, 1, 2];
        draw(&mut items, |_| 0, || panic!("no chance is asked for"));
        assert_eq!(items, [3, 1, 2]);
    }

    #[test]
    fn nothing_is_lost_or_doubled_by_drawing() {
        let mut random = randoms(1);
        for turn in 0..2_000 {
            let mut items: Vec<u16> = (0..turn % 9).map(|place| place * (turn % 5) % 7).collect();
            let mut before = items.clone();
            draw(&mut items, |weight| *weight, &mut random);
            before.sort_unstable();
            items.sort_unstable();
            assert_eq!(items, before, "turn {turn}");
        }
    }

    #[test]
    fn the_largest_weights_do_not_overflow() {
        let counts = firsts(&[u16::MAX; 16], 1_600);
        assert!(counts.iter().all(|count| *count > 40), "{counts:?}");
    }
}
