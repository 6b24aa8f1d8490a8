use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_bucket_gives_its_burst_and_then_its_rate() {
    let limit = Limit::new(Rate {
        count: 10,
        per: SECOND,
        burst: 3,
    });
    for _ in 0..3 {
        assert_eq!(limit.take(1, Instant::now()), Ok(()));
    }
    assert_eq!(
        limit.take(1, Instant::now()),
        Err(Exceeded::For(Duration::from_millis(100)))
    );
    tokio::time::advance(Duration::from_millis(100)).await;
    assert_eq!(limit.take(1, Instant::now()), Ok(()));
    assert!(limit.take(1, Instant::now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn more_than_the_burst_is_never_given() {
    let limit = Limit::new(Rate {
        count: 1000,
        per: SECOND,
        burst: 100,
    });
    assert_eq!(limit.take(101, Instant::now()), Err(Exceeded::Ever));
    assert_eq!(limit.take(100, Instant::now()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_high_rate_stays_exact() {
    let rate = 100 * 1024 * 1024;
    let limit = Limit::new(Rate {
        count: rate,
        per: SECOND,
        burst: rate,
    });
    assert_eq!(limit.take(rate, Instant::now()), Ok(()));
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(limit.take(rate * 49 / 100, Instant::now()), Ok(()));
    assert!(limit.take(rate * 2 / 100, Instant::now()).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_full_when_all_of_it_came_back_and_asking_takes_nothing() {
    let limit = Limit::new(Rate {
        count: 10,
        per: SECOND,
        burst: 3,
    });
    assert!(limit.is_full(Instant::now()));
    assert_eq!(limit.take(2, Instant::now()), Ok(()));
    assert!(!limit.is_full(Instant::now()));
    tokio::time::advance(Duration::from_millis(199)).await;
    assert!(!limit.is_full(Instant::now()));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(limit.is_full(Instant::now()));
    assert_eq!(limit.take(3, Instant::now()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn no_rate_and_no_demand_overflows_the_arithmetic() {
    let slowest = Rate {
        count: 1,
        per: Duration::from_secs(3600),
        burst: u64::MAX,
    };
    let limit = Limit::new(slowest);
    assert_eq!(
        limit.take(u64::from(u32::MAX), Instant::now()),
        Err(Exceeded::Ever)
    );
    assert_eq!(limit.take(u64::MAX, Instant::now()), Err(Exceeded::Ever));
    assert!(limit.is_full(Instant::now()));
    let burst = limit.portion();
    assert_eq!(limit.take(burst, Instant::now()), Ok(()));
    assert!(matches!(
        limit.take(1, Instant::now()),
        Err(Exceeded::For(_))
    ));
}

#[test]
fn threads_that_take_at_once_get_the_burst_together() {
    let burst = 10_000;
    let limit = Limit::new(Rate {
        count: 1,
        per: Duration::from_secs(3600),
        burst,
    });
    let (limit, now) = (&limit, Instant::now());
    let given: u64 = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4)
            .map(|_| scope.spawn(move || (0..burst).filter(|_| limit.take(1, now).is_ok()).count()))
            .collect();
        let given = takers.into_iter().map(|taker| taker.join().unwrap());
        given.sum::<usize>() as u64
    });
    assert_eq!(given, burst);
}

#[tokio::test(start_paused = true)]
async fn a_time_before_the_bucket_was_made_takes_as_its_beginning_does() {
    let before = Instant::now();
    tokio::time::advance(SECOND).await;
    let limit = Limit::new(Rate {
        count: 1,
        per: SECOND,
        burst: 2,
    });
    assert_eq!(limit.take(2, before), Ok(()));
    assert_eq!(limit.take(1, before), Err(Exceeded::For(SECOND)));
}

/// What happens to a bucket: time passes, and then so much is asked for.
type Asked = (Duration, u64);

/// A rate that is counted one by one, or a high one that is counted in blocks, and what is asked of
/// it.
fn asked() -> impl Strategy<Value = (Rate, Vec<Asked>)> {
    let span = prop_oneof![Just(1), Just(60), Just(3600)].prop_map(Duration::from_secs);
    let low =
        (1u64..5_000, span, 1u64..500).prop_map(|(count, per, burst)| Rate { count, per, burst });
    let mib = 1u64 << 20;
    let high = (10 * mib..1024 * mib, mib..64 * mib).prop_map(|(count, burst)| Rate {
        count,
        per: SECOND,
        burst,
    });
    prop_oneof![low, high].prop_flat_map(|rate| {
        // Pauses in which about as much comes back as is asked for, and some long ones.
        let unit = rate.per.as_nanos() as u64 / rate.count;
        let burst = rate.burst;
        let pause = prop_oneof![
            3 => Just(0),
            6 => 0..unit.max(1) * burst.div_ceil(4),
            1 => 0..unit.max(1) * burst * 2,
        ];
        let units = prop_oneof![4 => Just(1), 6 => 1..=burst.div_ceil(4), 1 => 1..=burst * 2];
        let asked = (pause.prop_map(Duration::from_nanos), units);
        (Just(rate), prop::collection::vec(asked, 1..60))
    })
}

proptest! {
    #[test]
    fn no_window_gives_more_than_the_burst_and_its_time_and_nothing_within_is_refused(
        (rate, asked) in asked(),
    ) {
        paused(async {
            let limit = Limit::new(rate);
            let mut given: Vec<(Instant, u64)> = Vec::new();
            // A bucket as everybody draws it, in parts of a unit: exact, and never refilled faster.
            let block = 1 << limit.cell_bits;
            let per = rate.per.as_nanos() as i128;
            let full = i128::from(rate.burst) * per;
            let mut level = full;
            for (pause, units) in asked {
                tokio::time::advance(pause).await;
                level = full.min(level + pause.as_nanos() as i128 * i128::from(rate.count));
                let charged = units.next_multiple_of(block);
                match limit.take(units, Instant::now()) {
                    Ok(()) => {
                        level -= i128::from(charged) * per;
                        given.push((Instant::now(), units));
                    }
                    Err(refused) => {
                        let within = i128::from(charged) * per <= level;
                        assert!(!within, "{units} were there: {refused:?}");
                        check_refusal(refused, units, &limit);
                    }
                }
            }
            check_windows(&given, rate, block);
        });
    }

    #[test]
    fn what_was_refused_is_given_when_it_said((rate, asked) in asked()) {
        paused(async {
            let limit = Limit::new(rate);
            for (pause, units) in asked {
                tokio::time::advance(pause).await;
                if let Err(Exceeded::For(wait)) = limit.take(units, Instant::now()) {
                    if let Some(early) = wait.checked_sub(Duration::from_millis(2)) {
                        tokio::time::advance(early).await;
                        assert!(limit.take(units, Instant::now()).is_err(), "{wait:?} was too long");
                        tokio::time::advance(wait - early).await;
                    } else {
                        tokio::time::advance(wait).await;
                    }
                    assert_eq!(limit.take(units, Instant::now()), Ok(()), "after {wait:?}");
                }
            }
        });
    }
}

fn paused(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

fn check_refusal(refused: Exceeded, units: u64, limit: &Limit) {
    assert_eq!(
        refused == Exceeded::Ever,
        units > limit.portion(),
        "{units}"
    );
}

/// Every window from one take to another, its ends included.
fn check_windows(given: &[(Instant, u64)], rate: Rate, block: u64) {
    for (index, (begin, _)) in given.iter().enumerate() {
        let mut sum = 0;
        for (end, units) in &given[index..] {
            sum += units;
            let time = (*end - *begin).as_secs_f64() / rate.per.as_secs_f64();
            // A period is counted in whole nanoseconds, which is exact to a percent.
            let most = (rate.burst + block) as f64 + rate.count as f64 * time * 1.01;
            assert!(sum as f64 <= most, "{sum} units, {most} at most");
        }
    }
}
