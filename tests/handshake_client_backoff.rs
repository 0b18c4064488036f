//! The delays between attempts to connect (RFC 6455 section 7.2.3): a random first one of up to 5 s,
//! then at least half of a bound that doubles, up to a maximum.

use std::collections::HashSet;
use std::time::Duration;

use framewire::client::Backoff;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn seeded(n: u32) -> Backoff {
    let mut seed = [9; 32];
    seed[..4].copy_from_slice(&n.to_le_bytes());
    Backoff::with_seed(seed)
}

fn delays(backoff: &mut Backoff, n: usize) -> Vec<Duration> {
    (0..n).map(|_| backoff.next_delay()).collect()
}

// req: HC-33
#[test]
fn delays_are_random_below_a_bound_that_doubles_up_to_a_minute() {
    let bounds = [5, 10, 20, 40, 60, 60, 60, 60].map(Duration::from_secs);
    for n in 0..1000 {
        let mut backoff = seeded(n);
        for (attempt, bound) in bounds.into_iter().enumerate() {
            let least = if attempt == 0 {
                Duration::ZERO
            } else {
                bound / 2
            };
            let delay = backoff.next_delay();
            assert!(least <= delay && delay < bound, "{attempt}: {delay:?}");
        }
    }
}

// req: HC-33
#[test]
fn delays_are_spread_over_their_whole_range() {
    // Which tenth of its range each delay is in, for each of the first six: 100 of 1000 in each,
    // give or take five standard deviations of 9.5.
    let ranges = [(0, 5), (5, 10), (10, 20), (20, 40), (30, 60), (30, 60)];
    let mut tenths = [[0; 10]; 6];
    let mut all = HashSet::new();
    for n in 0..1000 {
        let mut backoff = seeded(n);
        for (tenths, (least, bound)) in tenths.iter_mut().zip(ranges) {
            let delay = backoff.next_delay();
            let part =
                (delay - least * SECOND).as_nanos() * 10 / ((bound - least) * SECOND).as_nanos();
            tenths[part as usize] += 1;
            all.insert(delay);
        }
    }
    assert!(all.len() > 5990, "{} different ones", all.len());
    for (attempt, tenths) in tenths.iter().enumerate() {
        let spread = tenths.iter().all(|n| (50..=150).contains(n));
        assert!(spread, "{attempt}: {tenths:?}");
    }
}

// req: HC-33
#[test]
fn same_seed_gives_the_same_delays_and_another_one_others() {
    assert_eq!(delays(&mut seeded(1), 50), delays(&mut seeded(1), 50));
    let first: HashSet<_> = (0..1000).map(|n| seeded(n).next_delay()).collect();
    assert!(first.len() > 990, "{}", first.len());
    // Without a seed: from the system, another one for each.
    let mut fresh = [Backoff::new(), Backoff::new(), Backoff::default()];
    let fresh: HashSet<_> = fresh.iter_mut().map(|b| delays(b, 4)).collect();
    assert_eq!(fresh.len(), 3);
}

// req: HC-33
#[test]
fn reset_begins_again_with_other_delays() {
    for attempts in [0, 1, 2, 5, 100] {
        let mut backoff = seeded(3);
        let before = delays(&mut backoff, attempts);
        backoff.reset();
        let after = delays(&mut backoff, 6);
        assert!(after[0] < 5 * SECOND);
        assert!(5 * SECOND <= after[1] && after[1] < 10 * SECOND);
        assert!(10 * SECOND <= after[2] && after[2] < 20 * SECOND);
        assert!(30 * SECOND <= after[5] && after[5] < 60 * SECOND);
        assert!(attempts == 0 || before[0] != after[0], "clients stay apart");
    }
    // The first one may be any again: half of them are in each half.
    let below = (0..1000).filter(|&n| {
        let mut backoff = seeded(n);
        delays(&mut backoff, 3);
        backoff.reset();
        backoff.next_delay() < 5 * SECOND / 2
    });
    assert!((400..=600).contains(&below.count()));
}

// req: HC-33
#[test]
fn maximum_holds_for_every_delay() {
    for (max, bounds) in [
        (SECOND, [1, 1, 1, 1]),
        (5 * SECOND, [5, 5, 5, 5]),
        (7 * SECOND, [5, 7, 7, 7]),
        (12 * SECOND, [5, 10, 12, 12]),
        (1000 * SECOND, [5, 10, 20, 40]),
    ] {
        for n in 0..100 {
            let mut backoff = seeded(n).max(max);
            for (attempt, bound) in bounds.into_iter().enumerate() {
                let bound = bound * SECOND;
                let least = if attempt == 0 {
                    Duration::ZERO
                } else {
                    bound / 2
                };
                let delay = backoff.next_delay();
                assert!(least <= delay && delay < bound, "{attempt}: {delay:?}");
            }
            backoff.reset();
            assert!(backoff.next_delay() < max.min(5 * SECOND));
        }
    }
}

// req: HC-33
#[test]
fn extreme_maxima_neither_overflow_nor_go_beyond() {
    let none = delays(&mut seeded(1).max(Duration::ZERO), 100);
    assert!(none.iter().all(Duration::is_zero));
    let least = Duration::from_nanos(1);
    assert!(
        delays(&mut seeded(1).max(least), 100)
            .iter()
            .all(|delay| *delay <= least)
    );
    let mut backoff = seeded(1).max(Duration::MAX);
    let mut last = Duration::ZERO;
    for delay in delays(&mut backoff, 60).into_iter().skip(1) {
        assert!(
            last <= delay,
            "it does not become shorter before the maximum"
        );
        last = delay;
    }
    assert!(last < Duration::MAX / 2);
    for delay in delays(&mut backoff, 100).into_iter().skip(10) {
        assert!(delay >= Duration::MAX / 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // req: HC-33
    #[test]
    fn any_delay_is_within_its_bounds(
        seed in any::<[u8; 32]>(),
        max in any::<Duration>(),
        resets in prop::collection::vec(any::<bool>(), 0..80),
    ) {
        let mut backoff = Backoff::with_seed(seed).max(max);
        let mut bound = 5 * SECOND;
        let mut is_first = true;
        for reset in resets {
            if reset {
                backoff.reset();
                (bound, is_first) = (5 * SECOND, true);
            }
            bound = bound.min(max);
            let least = if is_first { Duration::ZERO } else { bound / 2 };
            let delay = backoff.next_delay();
            prop_assert!(least <= delay && delay <= bound && delay <= max);
            prop_assert!(delay < bound || bound.is_zero());
            (bound, is_first) = (bound.saturating_mul(2), false);
        }
    }
}

#[test]
fn debug_output_does_not_tell_later_delays() {
    let shown = |n| {
        let mut backoff = seeded(n);
        let _ = backoff.next_delay();
        format!("{backoff:?}")
    };
    assert_eq!(shown(1), shown(2));
}
